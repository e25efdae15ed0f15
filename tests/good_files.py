"""One good file of each kind that the verbs read, and the calls that make them."""

import json
import shutil
from pathlib import Path

import numpy as np
from conftest import made_up_images

from lottery.arrays import stack, write_arrays
from lottery.cli import main
from lottery.networks import build
from lottery.settings import Training
from lottery.stacks import ExperimentKey
from lottery.tickets import rewind

NETWORK = build("lenet-5-4", (28, 28), 10)
KEY = ExperimentKey(experiment="small", seed=0, dataset="mnist").canonical_json()
RECIPE = Training(batch_size=20, iterations=20, validation_images=30, validation_every=10, test_every=10)
COMMON = ["--key", KEY, "--network", "lenet-5-4", "--stack", "r0-1"]
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


def write_good_files(folder: Path) -> None:
    """Fill a folder with one file of each kind, trained by the verbs themselves."""
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 100), ("test", 40)):
        images = made_up_images(count, 784, 10, random)
        arrays[f"{part}_images"] = images.pixels.reshape(-1, 28, 28)
        arrays[f"{part}_labels"] = images.labels.astype(np.uint8)
    write_arrays(folder / "dataset.safetensors", arrays)
    starts = [NETWORK.initial(random) for _ in range(2)]
    masks = [
        {
            name: (random.random(values.shape) < 0.7).astype(np.uint8)
            for name, values in start.items()
            if name.endswith("weight")
        }
        for start in starts
    ]
    write_arrays(folder / "start.safetensors", stack(starts))
    write_arrays(folder / "mask.safetensors", stack(masks))
    write_arrays(folder / "ticket.safetensors", stack([rewind(*pair) for pair in zip(starts, masks, strict=True)]))
    dense = folder / "dense"
    dense.mkdir()
    assert main(train(folder, dense, start="start", mask=[], place=["--arm", "dense", "--level", "0"])) == 0
    shutil.copy(dense / "trained.safetensors", folder)
    assert main(collect(folder, folder)) == 0


def train(
    folder: Path, out: Path, start: str = "ticket", mask: list[str] | None = None, place: list[str] | None = None
):
    mask = ["--mask", f"{folder}/mask.safetensors"] if mask is None else mask
    outputs = [f"--trained={out}/trained.safetensors", f"--history={out}/history.csv", f"--summary={out}/summary.json"]
    return [
        *["train", *COMMON, *(place or ["--arm", "iterative", "--level", "1"]), "--recipe", RECIPE.canonical_json()],
        *["--dataset", f"{folder}/dataset.safetensors", "--start", f"{folder}/{start}.safetensors", *mask],
        *[*outputs, "--checkpoints", f"{out}/checkpoints"],
    ]


def collect(folder: Path, out: Path) -> list[str]:
    tables = ["--levels", f"{out}/levels.csv", "--curves", f"{out}/curves.csv", "--settings-file", f"{out}/run.json"]
    settings = SETTINGS | {"run_experiments": ["small"], "experiments": {"small": SETTINGS["experiments"]["e"]}}
    return ["collect", *tables, "--settings", json.dumps(settings), f"{folder}/dense"]
