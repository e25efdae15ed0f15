"""Shared by all tests: small data, small networks, and runs of the real workflow in a copy of the repository."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from numba import config
from numba.core.caching import _CacheLocator

from lottery.arms.rows import ARMS
from lottery.arrays import of_member, stack, write_text
from lottery.commands.main import main
from lottery.datasets.catalog import SOURCES
from lottery.datasets.images import PARSERS, Chosen, Images, Split, prepare
from lottery.datasets.raw import Places
from lottery.extensions import LOADED
from lottery.networks import NETWORKS
from lottery.planning.tasks import tasks_of
from lottery.pruning.criteria import CRITERIA
from lottery.runs.jobs import Job
from lottery.runs.reading import read_run
from lottery.settings import Training
from lottery.training import sparse
from lottery.training.engines import Stretch

REPOSITORY = Path(__file__).parents[1]

SMOKE = ("--configfile", "config/smoke.yaml")
"""Options of the smoke run."""

# Where one of these is set pytest works out every difference in full: of two arrays of weights, that takes hours.
for variable in ("CI", "BUILD_NUMBER"):
    os.environ.pop(variable, None)

LONGEST = 600
"""Seconds after which a Snakemake that hangs fails its test."""


def examples(section: str, language: str) -> list[str]:
    """The blocks of a language below a heading of docs/extending.md."""
    document = (REPOSITORY / "docs/extending.md").read_text()
    (text,) = [each for each in document.split("\n## ") if each.startswith(section)]
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def denormal_numbers() -> None:
    """A test starts with denormal numbers, though a training of the test before lets its thread take them as 0."""
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def mnist(tmp_path_factory) -> Path:
    """The real MNIST as one prepared file."""
    folder = tmp_path_factory.mktemp("mnist")
    prepare("mnist", Places(REPOSITORY / "resources", None, folder / "raw"), folder / "mnist.safetensors")
    return folder / "mnist.safetensors"


def stretch(batches: np.ndarray, recipe: Training, **options: object) -> Stretch:
    """Updates with the batches [members, updates, batch_size], all at the recipe's own step size."""
    return Stretch(batches, [recipe.learning_rate] * batches.shape[1], **options)


class One:
    """An engine with one network, whose arrays have no leading axis."""

    def __init__(self, engine, network, start, mask, images, recipe, **options) -> None:
        self.recipe = recipe
        self.engine = engine.Engine(
            network, stack([start]), None if mask is None else stack([mask]), images, recipe, **options
        )

    def advance(self, batches):
        return self.engine.advance(stretch(batches[None], self.recipe))[0]

    def evaluate(self, part):
        (loss,), (accuracy,) = self.engine.evaluate(part)
        return loss, accuracy

    def parameters(self):
        return of_member(self.engine.parameters(), 0)

    def load(self, parameters):
        self.engine.load(stack([parameters]))


def assert_members_train_as_if_alone(engine, network, starts, masks, images, recipe, batches) -> None:
    """The losses, weights and evaluation of a stack are those of its members, each trained by itself.

    images: those of each member, as the engine keeps them.
    """
    together = engine.Engine(network, stack(starts), stack(masks), images, recipe)
    losses, found = together.advance(stretch(batches, recipe)), together.parameters()
    validation = together.evaluate("validation")
    for place, (start, mask) in enumerate(zip(starts, masks, strict=True)):
        alone = One(engine, network, start, mask, [images[place]], recipe)
        assert alone.advance(batches[place]) == pytest.approx(losses[place], rel=1e-12)
        for name, values in alone.parameters().items():
            np.testing.assert_allclose(values, found[name][place], rtol=1e-6, atol=1e-9, err_msg=name)
        loss, accuracy = alone.evaluate("validation")
        assert loss == pytest.approx(validation[0][place], rel=1e-12)
        assert accuracy == validation[1][place]


def made_up_images(count: int, inputs: int, classes: int, random: np.random.Generator) -> Chosen:
    """Images whose label can be learnt: each class lights its own pixels more often; most pixels are 0."""
    labels = random.integers(classes, size=count)
    likely = np.random.default_rng(0).random((classes, inputs)) < 0.3
    lit = random.random((count, inputs)) < np.where(likely[labels], 0.6, 0.05)
    return Images(np.where(lit, random.integers(1, 256, (count, inputs)), 0).astype(np.uint8), labels).all()


@pytest.fixture
def small_splits() -> list[Split]:
    """Three splits into 300 training, 80 validation and the same 1,090 test images, of 20 pixels in 4 classes; so many
    test images are evaluated in several slices, the last of them not full.
    """
    random = np.random.default_rng(1)
    known, test = (made_up_images(count, 20, 4, random) for count in (380, 1090))
    orders = [random.permutation(380) for _ in range(3)]
    return [Split(*(Chosen(known.images, np.sort(rows)) for rows in np.split(order, [300])), test) for order in orders]


@pytest.fixture
def small_split(small_splits) -> Split:
    """One of them."""
    return small_splits[0]


@dataclass
class Workflow:
    """A copy of the repository in which the real Snakemake runs."""

    folder: Path

    def __call__(self, *arguments: str, fails: bool = False) -> str:
        """What `snakemake ARGUMENTS` says; fails the test when its exit status is not as expected."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        with subprocess.Popen(
            [str(Path(sys.executable).parent / "snakemake"), *arguments],
            cwd=self.folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                said, _ = running.communicate(timeout=LONGEST)
            except subprocess.TimeoutExpired:
                # The processes that it started hold its output open: without their end, reading it would not end.
                tree = subprocess.run(["ps", "-eo", "pid,ppid,stat,etime,args"], capture_output=True, text=True).stdout
                os.killpg(running.pid, signal.SIGKILL)
                said, _ = running.communicate()
                pytest.fail(f"not at its end after {LONGEST} s; said: {said}\nprocesses then:\n{tree}")
        assert (running.returncode != 0) == fails, said
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
        if (REPOSITORY / name).is_file() or (REPOSITORY / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name, follow_symlinks=False)
    share_kernels(folder)
    return Workflow(folder)


def share_kernels(folder: Path) -> None:
    """Let a copy of the repository use the compiled code of the repository itself: compiling takes half a minute.

    Numba takes it, as the copied source files are of the same time and size; an edited copy has a folder of its own.
    """

    def compiled(repository: Path) -> Path:
        package = repository / Path(sparse.__file__).parent.relative_to(REPOSITORY)
        name = _CacheLocator.get_suitable_cache_subpath(str(package / "passes.py"))
        return package / "__pycache__" / Path(config.CACHE_DIR).name / name

    compiled(REPOSITORY).mkdir(parents=True, exist_ok=True)
    compiled(folder).parent.mkdir(parents=True)
    compiled(folder).symlink_to(compiled(REPOSITORY))


@pytest.fixture
def fresh(tmp_path) -> Workflow:
    """A copy in which nothing has run."""
    return copy_of_repository(tmp_path)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Workflow:
    """A copy in which the run `smoke` is complete. Tests must leave it as it is.

    The first of the processes that pass tests makes the run, and each has a copy of it.
    """
    processes = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        processes = processes.parent
    original, said = processes / "smoke-original", processes / "smoke-said"
    with (processes / "smoke-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not said.exists():
            shutil.rmtree(original, ignore_errors=True)
            run = copy_of_repository(original)
            said.write_text(run("--verbose", *SMOKE))
    copy = Workflow(tmp_path_factory.mktemp("smoke") / "copy")
    shutil.copytree(original, copy.folder, symlinks=True)
    copy.said = said.read_text()
    return copy


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


def merged(values: dict, over: dict) -> dict:
    """Settings with others laid over them, as Snakemake does."""
    both = {name: merged(value, over.get(name, {})) for name, value in values.items() if isinstance(value, dict)}
    return values | over | both


def configured(*names: str) -> dict:
    """The settings of config/config.yaml with others of that folder laid over them."""
    values: dict = {}
    for name in ("config", *names):
        values = merged(values, yaml.safe_load((REPOSITORY / f"config/{name}.yaml").read_text()))
    return values


BY = ["verbs", pytest.param("Snakemake", marks=pytest.mark.long)]
"""How a run that a test looks at is made."""


def made_by_verbs(results: Path, dataset: Path, **values: object) -> Path:
    """A finished run `results/<run>` of MNIST: each task of its plan by its verb, in this process.

    dataset: the prepared images. The same files as by Snakemake, which takes a second or two for each job.
    """
    settings = read_run(values)
    run = results / settings.run
    write_text(run / "settings.json", settings.canonical_json())
    (results / "data").mkdir(parents=True, exist_ok=True)
    shutil.copy(dataset, results / "data/mnist.safetensors")
    for task in tasks_of(settings):
        if task.verb == "prepare-dataset":
            continue
        what = [str(task.place)] * bool(task.place) + task.name.split()
        options = []
        if task.training:
            options = ["--threads", str(Job(settings, task.training).experiment.threads_per_job)]
        assert main([task.verb, str(run), *what, *options]) == 0, task
    return run


@pytest.fixture
def own_names() -> Iterator[None]:
    """The tables of names are afterwards what they were."""
    own = (NETWORKS, SOURCES, PARSERS, ARMS, CRITERIA, LOADED)
    before = [dict(table) for table in own]
    yield
    for table, names in zip(own, before, strict=True):
        table.clear()
        table.update(names)
