"""Runs of seconds without Snakemake: each step by its verb, as a person would type it."""

import json
import shutil
from pathlib import Path

from conftest import experiment

from lottery.arms.lineage import maker
from lottery.arms.rows import ARMS
from lottery.commands.main import main
from lottery.runs.listing import trainings
from lottery.runs.reading import read_run

QUICK = {"iterations": 20, "validation_every": 10, "test_every": 10}
FEW = QUICK | {"iterations": 4, "validation_every": 2, "test_every": 2, "batch_size": 16, "training_images": 200}
FEW |= {"validation_images": 50, "test_images": 60}


def lenet(**changes: object) -> dict:
    """Two levels of a small LeNet, of two replicates."""
    arms = [{"arm": "iterative"}, {"arm": "iterative-reinit", "draws": 2, "levels": [2]}]
    values = {"levels": 2, "replicates": 2, "replicates_per_job": 1, "arms": arms, "training": QUICK}
    return experiment(**values | changes)


def conv(network: str, **training: object) -> dict:
    """A network of convolutions after a few updates on a few images, a third of whose weights is left."""
    return experiment(
        network=network,
        training=FEW | training,
        pruning={"conv_rate": 0.7, "dense_rate": 0.9, "output_rate": 0.5},
        arms=[{"arm": "iterative"}],
    )


def finish(folder: Path, mnist: Path, experiments: dict[str, dict], name: str = "small") -> Path:
    """The folder results/<run> of a run of these experiments, with its trainings and tables."""
    run = folder / "results" / name
    (folder / "results/data").mkdir(parents=True, exist_ok=True)
    shutil.copy(mnist, folder / "results/data/mnist.safetensors")
    settings = read_run({"run": name, "run_experiments": list(experiments), "experiments": experiments})
    run.mkdir(exist_ok=True)
    (run / "settings.json").write_text(json.dumps(settings.model_dump(mode="json")))
    for job in trainings(settings):
        files = ["mask", "start"] if ARMS[job.place.arm].masked else ["start"]
        verbs = dict.fromkeys(maker(job.place, file) for file in files)
        for verb in (*verbs, "train"):
            assert main([verb, str(run), job.place.folder]) == 0, (verb, job.place)
    assert main(["collect", str(run)]) == 0
    return run
