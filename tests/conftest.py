"""Shared by all tests: small data, small networks, and runs of the real workflow in a copy of the repository."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

from lottery.datasets.images import Images, Split, prepare

REPOSITORY = Path(__file__).parents[1]

SMOKE = ("--configfile", "config/smoke.yaml")
"""Options of the smoke run."""


@pytest.fixture(scope="session")
def mnist(tmp_path_factory) -> Path:
    """The real MNIST as one prepared file."""
    path = tmp_path_factory.mktemp("mnist") / "mnist.safetensors"
    prepare("mnist", REPOSITORY / "resources/mnist", path)
    return path


def made_up_images(count: int, inputs: int, classes: int, random: np.random.Generator) -> Images:
    """Images whose label can be learnt: each class lights its own pixels more often; most pixels are 0."""
    labels = random.integers(classes, size=count)
    likely = np.random.default_rng(0).random((classes, inputs)) < 0.3
    lit = random.random((count, inputs)) < np.where(likely[labels], 0.6, 0.05)
    return Images(np.where(lit, random.integers(1, 256, (count, inputs)), 0).astype(np.uint8), labels)


@pytest.fixture
def small_split() -> Split:
    """300 training, 80 validation and 90 test images of 20 pixels in 4 classes."""
    random = np.random.default_rng(1)
    return Split(*(made_up_images(count, 20, 4, random) for count in (300, 80, 90)))


@dataclass
class Workflow:
    """A copy of the repository in which the real Snakemake runs."""

    folder: Path

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        """What `snakemake ARGUMENTS` says; fails the test when its exit status is not as expected."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        done = subprocess.run(
            [str(Path(sys.executable).parent / "snakemake"), *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, said
        return said

    def jobs(self, *arguments: str) -> dict[str, int]:
        """The number of jobs of each rule that a dry run announces."""
        return job_counts(self("-n", *arguments))


def job_counts(said: str) -> dict[str, int]:
    """The table of jobs in what Snakemake says; empty when nothing is to be done."""
    if "Job stats:" not in said:
        assert "Nothing to be done" in said, said
        return {}
    lines = said.split("Job stats:")[-1].strip().splitlines()[2:]
    counts = {}
    for line in lines:
        if not line.strip():
            break
        rule, count = line.split()
        counts[rule] = int(count)
    counts.pop("total")
    return counts


def copy_of_repository(folder: Path) -> Workflow:
    """All files of the repository that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    return Workflow(folder)


@pytest.fixture
def fresh(tmp_path) -> Workflow:
    """A copy in which nothing has run."""
    return copy_of_repository(tmp_path)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Workflow:
    """A copy in which the run `smoke` is complete. Tests must leave it as it is."""
    workflow = copy_of_repository(tmp_path_factory.mktemp("smoke"))
    workflow.said = workflow("--profile", "workflow/profiles/local", "--configfile", "config/smoke.yaml")
    return workflow


def overlay(workflow: Workflow, name: str, **values: object) -> tuple[str, str]:
    """Options for a configuration laid over the default one."""
    path = workflow.folder / "config" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return "--configfile", str(path)


def experiment(**changes: object) -> dict:
    """A complete experiment of seconds."""
    tiny = {
        "dataset": "mnist",
        "network": "lenet-30-10",
        "training": {"iterations": 20, "validation_every": 10, "test_every": 20},
        "levels": 1,
        "replicates": 1,
        "replicates_per_job": 1,
        "arms": [{"arm": "iterative"}],
    }
    return tiny | changes
