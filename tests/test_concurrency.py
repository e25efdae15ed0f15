"""One folder, several Snakemakes: the second is refused, a killed one leaves a folder that can be gone on in."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from conftest import Workflow, copy_of_repository, experiment, overlay

GOES_ON = "Another Snakemake runs in this folder and makes some of the same files: wait until it is done"
KILLED = "A Snakemake that ran in this folder was killed, which left it locked"


def options(workflow: Workflow, run: str) -> tuple[str, ...]:
    """Options of a run that trains a dense network, for some seconds."""
    slow = experiment(
        training={"engine": "torch", "iterations": 2000, "validation_every": 100, "test_every": 2000},
        checkpoint_seconds=0.1,
        arms=[],
    )
    values = {"run": run, "run_experiments": ["x"], "experiments": {"x": slow}}
    return "--cores", "1", *overlay(workflow, run, **values), "--", "tables"


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Workflow:
    """A copy in which the run `whole` is complete, undisturbed."""
    workflow = copy_of_repository(tmp_path_factory.mktemp("shared"))
    workflow(*options(workflow, "whole"))
    return workflow


def results(workflow: Workflow, run: str) -> dict[str, bytes]:
    """The bytes of all arrays and histories of a run."""
    folder = workflow.folder / "results" / run
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.glob("x/**/*"))
        if path.name == "history.csv" or path.suffix == ".safetensors"
    }
    assert len([name for name in found if name.endswith("trained.safetensors")]) == 1, list(found)
    return found


@contextmanager
def started(workflow: Workflow, *arguments: str, until: Callable[[], bool]):
    """Snakemake in the background, once something has happened; ended with all its children on leaving."""
    command = [sys.executable, "-m", "snakemake", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=workflow.folder, **quiet) as running:
        try:
            while not until():
                assert running.poll() is None, "it ended before that"
                time.sleep(0.01)
            yield running
        finally:
            if running.poll() is None:
                kill(running)


def kill(running: subprocess.Popen) -> None:
    """Kill -9 Snakemake, then all that it started."""
    jobs = psutil.Process(running.pid).children(recursive=True)
    running.kill()
    running.wait()
    for job in jobs:
        with suppress(psutil.NoSuchProcess):
            job.kill()
    psutil.wait_procs(jobs, timeout=10)


def checkpoints(workflow: Workflow, run: str) -> list[Path]:
    """Those of trainings in progress."""
    return list((workflow.folder / "results" / run / "checkpoints").glob("*.safetensors"))


def lottery_adopts(workflow: Workflow, run: str) -> str:
    """What `lottery adopt` says when it refuses."""
    command = [sys.executable, "-m", "lottery", "adopt", f"results/{run}"]
    done = subprocess.run(command, cwd=workflow.folder, capture_output=True, text=True)
    assert done.returncode == 1
    return done.stderr


@pytest.mark.long
def test_a_second_snakemake_is_refused_and_the_first_is_unharmed(repository):
    first = options(repository, "first")
    with started(repository, *first, until=lambda: bool(checkpoints(repository, "first"))) as running:
        said = repository(*first, fails=True)
        assert running.poll() is None, "the first still runs"
        assert GOES_ON in said
        assert "--unlock" not in said
        assert "Traceback" not in said
        said = lottery_adopts(repository, "first")
        assert "Snakemake runs in this folder; wait until it is done" in said
        assert running.wait(60) == 0
    assert results(repository, "first") == results(repository, "whole")
    assert repository.jobs(*first) == {}


@pytest.mark.long
def test_after_a_kill_of_snakemake_itself_the_same_command_goes_on(repository):
    killed = options(repository, "killed")
    with started(repository, *killed, until=lambda: bool(checkpoints(repository, "killed"))) as running:
        kill(running)
        assert running.returncode == -9
    assert not list((repository.folder / "results/killed").glob("x/**/trained.safetensors")), "killed while training"
    said = repository(*killed, fails=True)
    assert KILLED in said
    assert "snakemake --unlock, then the same command with --rerun-incomplete" in said
    repository("--unlock", *killed)
    said = repository("--rerun-incomplete", *killed)
    assert results(repository, "killed") == results(repository, "whole")
    log = (repository.folder / "results/killed/logs/train/x.r0-0.dense.level0.log").read_text()
    assert "going on from iteration" in log
    assert not checkpoints(repository, "killed")
