"""Small runs whose tickets are exported."""

from pathlib import Path

from conftest import experiment, made_by_verbs

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
    """The folder results/<run> of a run of these experiments, with its trainings and tables, without figures."""
    values = {"run": name, "run_experiments": list(experiments), "experiments": experiments, "figures": []}
    return made_by_verbs(folder / "results", mnist, **values)
