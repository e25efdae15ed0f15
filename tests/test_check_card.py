"""The check of a GPU, rehearsed on a CPU, and runs done without Snakemake."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import experiment

from lottery.arrays import stack
from lottery.benchmark import card, sharing, throughput
from lottery.commands.main import main
from lottery.datasets.images import Chosen, Images, Split
from lottery.errors import LotteryError
from lottery.evidence.verification import verify
from lottery.networks import build
from lottery.planning.execution import Execution, finished_part, write_tables
from lottery.runs.reading import read_run
from lottery.settings import Training
from lottery.training import torch_engine
from lottery.training.engines import Stretch

TRAINING = {
    "engine": "torch",
    "batch_size": 4,
    "iterations": 20,
    "validation_every": 10,
    "test_every": 20,
    "training_images": 60,
    "validation_images": 20,
    "test_images": 20,
}
ARMS = [{"arm": "iterative"}, {"arm": "iterative-reinit", "levels": [2], "draws": 2}, {"arm": "random", "levels": [1]}]
RUN = {
    "run": "tiny",
    "run_experiments": ["convolved", "late"],
    "experiments": {
        "convolved": experiment(network="conv-2", training=TRAINING, levels=2, replicates=2, arms=ARMS),
        "late": experiment(training=TRAINING, rewind_iteration=10, replicates=2, replicates_per_job=2),
    },
}


def run_beside(mnist: Path, folder: Path) -> Path:
    """The folder of a run, beside which the prepared datasets are."""
    (folder / "data").symlink_to(mnist.parent)
    return folder / "tiny"


def written(folder: Path, experiment: str) -> str:
    """The path of the settings of a run of one experiment."""
    path = folder / f"{experiment}.json"
    path.write_text(json.dumps(RUN | {"run_experiments": [experiment]}))
    return str(path)


@pytest.fixture
def threads_as_they_are():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.long
def test_a_run_without_snakemake_is_a_run(mnist, tmp_path):
    settings, run = read_run(RUN), run_beside(mnist, tmp_path)
    left = Execution(settings, run).go(ThreadPoolExecutor(2), 2, time.monotonic() + 600)
    assert left == []
    assert finished_part(settings, run).experiments["convolved"].levels == 2
    write_tables(finished_part(settings, run), run)
    assert list(verify(run, mnist.parent)) == []
    table = pd.read_csv(run / "tables/levels.csv")
    assert table.groupby("experiment").size().to_dict() == {"convolved": 2 + 4 + 4 + 2, "late": 4}


@pytest.mark.long
def test_what_was_begun_in_time_is_whole(mnist, tmp_path, monkeypatch):
    """The deadline comes when the second training is done: what is left can be told, and the rest is a run."""
    settings, run = read_run(RUN | {"run_experiments": ["convolved"]}), run_beside(mnist, tmp_path)
    execution = Execution(settings, run)
    monkeypatch.setattr(execution, "in_time", lambda step, deadline: len(list(run.rglob("summary.json"))) < 2)
    left = execution.go(ThreadPoolExecutor(1), 1, deadline=0)
    assert {step.verb for step in left} == {"prune", "rewind", "make-control", "train"}
    part = finished_part(settings, run)
    assert part.experiments["convolved"].arms == []
    write_tables(part, run)
    assert list(verify(run, mnist.parent)) == []
    monkeypatch.undo()
    assert execution.go(ThreadPoolExecutor(1), 1, time.monotonic() + 600) == [], "it goes on from there"
    assert finished_part(settings, run).experiments["convolved"].levels == 2


def test_nothing_is_begun_that_would_not_be_done_in_time(mnist, tmp_path):
    settings, run = read_run(RUN), run_beside(mnist, tmp_path)
    execution = Execution(settings, run)
    execution.longest = {"convolved": 100.0, "late": 100.0}
    assert len(execution.go(ThreadPoolExecutor(1), 1, time.monotonic() + 99)) == len(execution.waiting)
    assert not run.exists()
    with pytest.raises(LotteryError, match="tiny: no experiment has all of its dense networks"):
        finished_part(settings, run)


@pytest.mark.long
def test_the_check_is_rehearsed_on_a_cpu(mnist, tmp_path, threads_as_they_are, monkeypatch, capsys):
    monkeypatch.setattr(throughput, "TRAINING_IMAGES", 300)
    monkeypatch.setattr(throughput, "EVALUATED_SLICES", 1)
    tests = tmp_path / "test_nothing.py"
    tests.write_text("import pytest\n@pytest.mark.gpu\ndef test_it(): pass\n")
    out = tmp_path / "out"
    options = ["--device", "cpu", "--repeats", "1", "--seconds", "0.01", "--networks", "lenet-300-100"]
    options += ["--processes", "2", "--at-once", "2", "--tests", str(tests), "--output", str(out)]
    settings = written(tmp_path, "convolved")
    assert main(["check-card", "--data", str(mnist.parent), "--settings", settings, *options]) == 0
    told = json.loads((out / "card.json").read_text())
    assert {part: each["failure"] for part, each in told["parts"].items()} == dict.fromkeys(
        ("tests", "speeds", "sharing", "repeats", "trainings", "verification")
    )
    assert told["machine"]["torch"] == torch.__version__
    assert "1 passed" in (out / "tests.txt").read_text()
    assert pd.read_csv(out / "networks.csv")["network"].unique().tolist() == ["lenet-300-100"]
    shared = pd.read_csv(out / "sharing.csv")
    assert shared[["network", "loop", "processes", "mps"]].to_numpy().tolist() == [
        ["lenet-300-100", "torch, autocast", 2, False]
    ]
    assert (shared["training_images_per_second"] > 0).all()
    repeats = json.loads((out / "repeats.json").read_text())
    assert repeats == {"again: same bytes": True, "kernel by kernel: same bytes": True}
    assert (out / "tiny/tables/claims.md").exists()
    assert (out / "verification.txt").read_text() == (
        "tiny: tables and 10 of 10 trainings checked (masks, starts, accuracies)\n0 files are wrong\n"
    )


def test_what_is_wrong_with_a_run_is_told(mnist, tmp_path):
    run = RUN | {"run_experiments": ["late"]}
    what = card.Check("cpu", [read_run(run)], mnist.parent, tmp_path, time.monotonic() + 600)
    card.run_trainings(what)
    history = tmp_path / "tiny/late/r0-1/dense/level0/history.csv"
    history.write_text(history.read_text().replace("0,0,20,", "0,0,21,"))
    with pytest.raises(LotteryError, match="verification.txt: [0-9]+ files are wrong, the first: .*history.csv"):
        card.verify_runs(what)
    assert "history.csv: is not the file that summary.json speaks of" in (tmp_path / "verification.txt").read_text()


def test_a_part_that_fails_is_told_and_the_next_is_done(mnist, tmp_path, monkeypatch, capsys):
    def fail(what: card.Check) -> None:
        raise RuntimeError("CUDA error: it is broken")

    monkeypatch.setattr(card, "measure_speeds", fail)
    settings = written(tmp_path, "late")
    options = ["--data", str(mnist.parent), "--device", "cpu", "--output", str(tmp_path / "out")]
    assert main(["check-card", "--settings", settings, "--parts", "speeds", "trainings", *options]) == 1
    assert "failed: speeds; see" in capsys.readouterr().err
    parts = json.loads((tmp_path / "out/card.json").read_text())["parts"]
    assert parts["speeds"]["failure"] == "CUDA error: it is broken"
    assert parts["trainings"]["failure"] is None
    assert (tmp_path / "out/tiny/tables/levels.csv").exists()


def test_trainings_need_settings(tmp_path, capsys):
    assert main(["check-card", "--parts", "trainings", "--output", str(tmp_path)]) == 1
    assert "--settings: repeats, trainings and verification need the settings of a run" in capsys.readouterr().err


@pytest.mark.long
def test_a_process_that_dies_is_told(monkeypatch):
    monkeypatch.setattr(sharing, "PATIENCE", 60.0)
    with pytest.raises(LotteryError, match="a process that shares the GPU has died"):
        sharing.rate("no-such-network", "cpu", {}, 1, 0.0)


class Unrecorded:
    """Takes the place of a recording: the work is done each time."""

    def __init__(self, work, pool, generators, warm_up: int = 3) -> None:
        self.work, self.left_to_warm_up, self.done = work, warm_up, 0

    def __call__(self) -> None:
        self.left_to_warm_up -= 1
        self.done += 1
        self.work()


@pytest.mark.parametrize("augmentation", ["none", "flip-and-crop"])
def test_recorded_stretches_are_the_stretches(monkeypatch, augmentation):
    """What recordings do, without a GPU to record on: the same losses, evaluations and weights."""
    monkeypatch.setattr(torch_engine, "Recorded", Unrecorded)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: None)
    random, network = np.random.default_rng(0), build("conv-2", (3, 8, 8), 10)
    recipe = Training(
        precision="float64", batch_size=6, augmentation=augmentation, validation_every=16, test_every=16, iterations=16
    )
    images = Images(random.integers(256, size=(60, 192), dtype=np.uint8), random.integers(10, size=60))
    split = Split(*(Chosen(images, rows) for rows in np.split(np.arange(60), [30, 50])))
    start = stack([network.initial(random)] * 2)
    engines = []
    for _ in range(2):
        resident = torch_engine.resident([split] * 2, recipe)
        engines.append(torch_engine.Engine(network, start, None, resident, recipe))
    recorded, plain = engines
    works = recorded.recordings = torch_engine.Recordings(recorded)
    for updates in (16, 7, 37):
        batches = random.integers(30, size=(2, updates, 6))
        views = random.integers(9, size=(2, updates, 6, 3), dtype=np.uint8) if augmentation != "none" else None
        if views is not None:
            views[..., 0] %= 2
        rates = [1e-5 * (update + 1) for update in range(updates)]
        for part in ("validation", "test"):
            np.testing.assert_allclose(recorded.evaluate(part), plain.evaluate(part), rtol=1e-6)
        losses = [engine.advanced(Stretch(batches, rates, views)) for engine in (recorded, plain)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    assert works.several.done == 1 + 0 + 2, "of 16, 7, and 16, 16 and 5 updates"
    assert works.one.done + 10 * works.several.done == 60
    for name, values in plain.parameters().items():
        np.testing.assert_allclose(recorded.parameters()[name], values, rtol=1e-5, atol=1e-9, err_msg=name)
