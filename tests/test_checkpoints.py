"""Kill a training at any moment, run the same command again, get the same bytes."""

import json
import logging
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from conftest import Workflow, copy_of_repository, overlay

from lottery.arms.operations import rewind
from lottery.arms.places import Place
from lottery.arrays import stack, write_arrays
from lottery.networks import build
from lottery.runs.jobs import Job
from lottery.settings import ArmSettings, Experiment, Settings, Training
from lottery.training import sparse_engine, torch_engine
from lottery.training.checkpoints import Checkpoint
from lottery.training.job import checkpoint_name
from lottery.training.loop import Course, MemberData

ENGINES = {"torch": torch_engine, "sparse": sparse_engine}
RECIPES = {
    "adam": Training(learning_rate=0.01, batch_size=30, iterations=60, validation_every=10, test_every=20),
    "sgd": Training(optimizer="sgd", batch_size=30, iterations=60, validation_every=10, test_every=20),
    "momentum": Training(
        optimizer="sgd", momentum=0.9, batch_size=30, iterations=60, validation_every=10, test_every=20
    ),
}


def course(engine, recipe, splits, by_pixel: bool) -> Course:
    """Two tickets on their way, always the same ones."""
    numbers = np.random.default_rng(0)
    network = build("lenet-12-7", (20,), 4)
    masks = [
        {
            layer.weight_name: (numbers.random((layer.outputs, layer.inputs)) < 0.4).astype(np.uint8)
            for layer in network.layers
        }
        for _ in range(2)
    ]
    starts = [rewind(network.initial(numbers), mask) for mask in masks]
    options = {"first_by_pixel": by_pixel} if engine is sparse_engine else {}
    made = engine.Engine(network, stack(starts), stack(masks), engine.resident(splits[:2], recipe), recipe, **options)
    rows = numbers.integers(300, size=(2, 60, 30))
    data = [MemberData(lambda first, last, own=own: own[first:last]) for own in rows]
    return Course(made, data, recipe, snapshots=(20, 50))


def to_the_end(course: Course) -> list[bytes]:
    while not course.finished:
        course.advance()
    course.measure()
    weights = [
        values.tobytes()
        for record in course.records
        for arrays in (record.trained, record.early_stop, *record.snapshots.values())
        for values in arrays.values()
    ]
    return [*weights, *(repr((record.rows, record.result.early_stop_iteration)).encode() for record in course.records)]


@pytest.mark.parametrize("optimizer", RECIPES)
@pytest.mark.parametrize(
    ("engine", "by_pixel"), [("torch", False), ("sparse", False), ("sparse", True)], ids=["torch", "weights", "pixels"]
)
def test_a_course_goes_on_from_any_point_bit_for_bit(small_splits, tmp_path, engine, by_pixel, optimizer):
    recipe = RECIPES[optimizer]

    def fresh() -> Course:
        return course(ENGINES[engine], recipe, small_splits, by_pixel)

    expected = to_the_end(fresh())
    for points in range(1, 7):
        killed, checkpoint = fresh(), Checkpoint(tmp_path / f"{points}.safetensors", lambda: "key", 0)
        for _ in range(points):
            killed.advance()
        checkpoint.write_if_due(killed.state)
        resumed = fresh()
        resumed.restore(checkpoint.read())
        assert resumed.iteration == 10 * (points - 1)
        assert to_the_end(resumed) == expected


def test_a_course_without_its_optimizer_state_ends_elsewhere(small_splits):
    """The comparison above can fail."""
    expected = to_the_end(course(sparse_engine, RECIPES["adam"], small_splits, by_pixel=False))
    killed, resumed = (course(sparse_engine, RECIPES["adam"], small_splits, by_pixel=False) for _ in range(2))
    for _ in range(3):
        killed.advance()
    state = killed.state()
    for place in range(2):
        state[f"engine.{place}.second"][:] = 0
    resumed.restore(state)
    assert to_the_end(resumed) != expected


def flip(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (flip, "damaged: its numbers do not have the checksum"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "damaged"),
        (lambda path: path.write_bytes(b""), "damaged"),
        (lambda path: write_arrays(path, {"a": np.zeros(2)}), "no checkpoint of this version"),
        (lambda path: Checkpoint(path, lambda: "old", 0).write_if_due(lambda: {"a": np.zeros(2)}), "other settings"),
        (lambda path: (path.unlink(), path.mkdir()), "damaged"),
    ],
    ids=["one bit", "truncated", "empty", "foreign", "stale", "folder"],
)
def test_a_checkpoint_that_cannot_be_used_is_named_and_left_alone(tmp_path, caplog, damage, told):
    path = tmp_path / "job.safetensors"
    checkpoint = Checkpoint(path, lambda: "key", 0)
    assert checkpoint.read() is None
    checkpoint.write_if_due(lambda: {"a": np.arange(3)})
    assert checkpoint.read()["a"].tolist() == [0, 1, 2]
    assert not caplog.records
    damage(path)
    with caplog.at_level(logging.WARNING):
        assert checkpoint.read() is None
    assert f"checkpoint {path} is not used" in caplog.text
    assert told in caplog.text


def test_a_checkpoint_has_the_key_of_the_code_that_began(tmp_path):
    """Files that are edited while a training goes on do not get into its key."""
    keys = iter(["before the edit", "after it"])
    checkpoint = Checkpoint(tmp_path / "job.safetensors", lambda: next(keys), 0)
    for number in range(2):
        checkpoint.write_if_due(lambda number=number: {"a": np.array([number])})
    assert Checkpoint(checkpoint.path, lambda: "before the edit", 0).read()["a"].tolist() == [1]


def test_the_file_of_many_members_has_a_short_name():
    arms = [ArmSettings(arm="iterative-reinit", draws=3)]
    numbers = {"levels": 12, "replicates": 10, "replicates_per_job": 10}
    experiment = Experiment(dataset="mnist", network="lenet-300-100", arms=arms, **numbers)
    settings = Settings(run="x", run_experiments=["lenet-mnist"], experiments={"lenet-mnist": experiment})
    job = Job(settings, Place.parse("lenet-mnist/r0-9/iterative-reinit/level12"))
    members = job.members
    together = checkpoint_name(job, members)
    assert together == "lenet-mnist.iterative-reinit.level12.replicate0-draw0-to-replicate9-draw2.safetensors"
    assert checkpoint_name(job, members[:1]) == "lenet-mnist.iterative-reinit.level12.replicate0-draw0.safetensors"


def test_a_checkpoint_is_written_at_its_interval(tmp_path):
    checkpoint = Checkpoint(tmp_path / "job.safetensors", lambda: "key", 0.2)
    checkpoint.write_if_due(dict)
    assert not checkpoint.path.exists()
    time.sleep(0.25)
    checkpoint.write_if_due(lambda: {"a": np.zeros(1)})
    assert checkpoint.path.exists()
    checkpoint.remove()
    assert not checkpoint.path.exists()


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Workflow:
    """A copy for many runs."""
    return copy_of_repository(tmp_path_factory.mktemp("killed"))


def long_run(workflow: Workflow, engine: str, name: str) -> tuple[str, ...]:
    """Options of a run with some seconds of training: two replicates of a dense network and a ticket."""
    values = {
        "run": name,
        "experiments": {
            "lenet-mnist": {
                "training": {"engine": engine, "iterations": 1200, "test_every": 600},
                "levels": 1,
                "replicates": 2,
                "replicates_per_job": 2,
                "checkpoint_seconds": 0.2,
                "arms": [{"arm": "iterative"}],
            }
        },
    }
    return "--cores", "1", *overlay(workflow, name, **values), "--", "tables"


def outcome(folder: Path) -> dict[str, object]:
    """Every byte of a run's results, without what tells of time."""
    found: dict[str, object] = {}
    for path in sorted(folder.glob("lenet-mnist/**/*")):
        name = str(path.relative_to(folder))
        if path.suffix in (".safetensors", ".csv"):
            found[name] = path.read_bytes()
        elif path.name == "summary.json":
            summary = json.loads(path.read_text())
            assert summary.pop("job_seconds") > 0
            assert all(member.pop("train_seconds") > 0 for member in summary["members"])
            found[name] = summary
    assert len(found) == 6 + 7, list(found)
    return found


def kill_a_training(workflow: Workflow, options: tuple[str, ...], ready: Callable[[], bool], delay: float) -> bool:
    """Start the run and kill -9 a training job some time after it is `ready`; False when all came to their end."""
    command = [sys.executable, "-m", "snakemake", *options]
    with subprocess.Popen(
        command, cwd=workflow.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        while running.poll() is None:
            for job in psutil.Process(running.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if job.cmdline()[1:4] == ["-m", "lottery", "train"] and ready():
                        time.sleep(delay)
                        job.kill()
                        return running.wait() != 0
            time.sleep(0.01)
        assert running.returncode == 0
        return False


def kill_and_compare(workflow: Workflow, engine: str, kills: int, ready: Callable[[Path], bool], latest: float) -> None:
    """Kill a run so many times at random moments; its results must be those of a run never killed."""
    results = workflow.folder / "results"
    whole, killed = results / f"{engine}-whole", results / f"{engine}-killed-{kills}"
    workflow(*long_run(workflow, engine, whole.name))
    options = long_run(workflow, engine, killed.name)
    expected, checkpoints = outcome(whole), killed / "checkpoints"
    done = resumable = 0
    while done < kills:
        if kill_a_training(workflow, options, lambda: ready(checkpoints), random.uniform(0, latest)):
            done += 1
            resumable += any(checkpoints.glob("*.safetensors"))
        elif (killed / "tables/levels.csv").exists():
            # All trainings came to their end between kills: compare, and begin again.
            assert outcome(killed) == expected
            shutil.rmtree(killed)
    workflow(*options)
    assert outcome(killed) == expected
    assert not list(checkpoints.glob("*")), "finished jobs leave none"
    assert not list(results.rglob(".*")), "nothing half-written is left"
    assert resumable > kills / 4, "kills came late enough for checkpoints"


@pytest.mark.long
@pytest.mark.parametrize("engine", ["sparse", "torch"])
def test_a_killed_run_ends_with_the_same_bytes(repository, engine):
    kill_and_compare(repository, engine, 1, lambda checkpoints: any(checkpoints.glob("*.safetensors")), 0.3)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sparse", "torch"])
def test_a_run_killed_ten_times_ends_with_the_same_bytes(repository, engine):
    kill_and_compare(repository, engine, 10, lambda checkpoints: True, 3)
