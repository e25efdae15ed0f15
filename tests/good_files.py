"""One good file of each kind that the verbs read, in a run, and the calls that make them."""

import json
from pathlib import Path

import numpy as np
from conftest import made_up_images

from lottery.arrays import write_arrays, write_text
from lottery.commands.main import main
from lottery.networks import build
from lottery.settings import Training

NETWORK = build("lenet-5-4", (28, 28), 10)
RECIPE = Training(batch_size=20, iterations=20, validation_images=30, validation_every=10, test_every=10)
SETTINGS = {
    "run": "x",
    "run_experiments": ["e"],
    "experiments": {
        "e": {
            "dataset": "mnist",
            "network": "lenet-300-100",
            "levels": 2,
            "replicates": 1,
            "replicates_per_job": 1,
            "training": {"iterations": 100},
            "arms": [{"arm": "iterative"}],
        }
    },
}
"""A run's settings, of one experiment `e`."""

SMALL = {
    "dataset": "mnist",
    "network": "lenet-5-4",
    "levels": 2,
    "replicates": 2,
    "replicates_per_job": 2,
    "training": RECIPE.model_dump(exclude_defaults=True),
    "arms": [{"arm": "iterative", "levels": [1]}],
}
LATE = SMALL | {"rewind_iteration": 10}
RUN = {"run": "run", "run_experiments": ["small"], "experiments": {"small": SMALL, "late": LATE}}
"""The run of good files. Results are collected of `small` alone, so of `late` not all must be there."""

DENSE, TICKET = "small/r0-1/dense/level0", "small/r0-1/iterative/level1"
SCORED = "late/r0-1/one-shot-sensitivity/level1"
STEPS = [
    *((verb, DENSE) for verb in ("initialize", "train")),
    *((verb, TICKET) for verb in ("prune", "rewind", "train")),
    *((verb, "late/r0-1/dense/level0") for verb in ("initialize", "train")),
    ("prune", "late/r0-1/iterative/level1"),
    ("score", SCORED),
]


def write_good_files(folder: Path) -> None:
    """Fill a folder with a run that has one file of each kind, made by the verbs themselves, and its dataset."""
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 100), ("test", 40)):
        images = made_up_images(count, 784, 10, random)
        arrays[f"{part}_images"] = images.pixels.reshape(-1, 28, 28)
        arrays[f"{part}_labels"] = images.labels.astype(np.uint8)
    write_arrays(folder / "data/mnist.safetensors", arrays)
    write_text(folder / "run/settings.json", json.dumps(RUN))
    for verb, place in STEPS:
        assert main([verb, f"{folder}/run", place]) == 0
    assert main(["collect", f"{folder}/run"]) == 0
