"""A training job: reads its files, trains every member of a stack, writes what the file contract asks for."""

import csv
import hashlib
import importlib
import io
import json
import logging
import math
import platform
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np

from lottery import __version__
from lottery.arrays import Arrays, of_member, stack, write_arrays, write_text
from lottery.datasets.batches import random_views, shuffled_batches
from lottery.datasets.images import read_splits
from lottery.datasets.sources import source
from lottery.errors import LotteryError
from lottery.extensions import LOADED
from lottery.networks import Network, build
from lottery.randomness import Purpose
from lottery.settings import Training
from lottery.stacks import ExperimentKey, Member
from lottery.training import cards
from lottery.training.checkpoints import Checkpoint, digest
from lottery.training.loop import Course, Diverged, MemberData, Record, Row
from lottery.weights import read_mask, read_parameters

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """One arm at one level of one experiment, for the members of one stack."""

    key: ExperimentKey
    network_name: str
    recipe: Training
    arm: str
    level: int
    members: list[Member]
    first: int = 0
    """The iteration at which training begins."""

    @property
    def network(self) -> Network:
        data = source(self.key.dataset)
        return build(self.network_name, data.image_shape, data.classes)


@dataclass(frozen=True)
class JobFiles:
    """What a training job reads and writes; `mask` is None for a dense network."""

    dataset: Path
    start: Path
    mask: Path | None
    trained: Path
    history: Path
    summary: Path
    checkpoints: Path
    """Folder of the checkpoints of all jobs of a run."""


def run_job(job: Job, files: JobFiles, threads: int, checkpoint_seconds: float, trainings_per_card: int = 1) -> None:
    """Train all members, `threads` at a time, going on from checkpoints of a job that was killed.

    Results depend neither on `threads` nor on who else is in the stack, nor on how often the job was killed. A job for
    a GPU waits until a card is free, or has fewer than `trainings_per_card` jobs.
    """
    with cards.own_card(cards.lock_folder(), trainings_per_card) if job.recipe.device == "cuda" else nullcontext():
        train_members(job, files, threads, checkpoint_seconds)


def train_members(job: Job, files: JobFiles, threads: int, checkpoint_seconds: float) -> None:
    """Do what `run_job` promises, on the device as it is."""
    began, code, commit = time.perf_counter(), code_digest(), git_commit()
    engine = engine_of(job.recipe, job.network)
    engine.one_thread()
    data = source(job.key.dataset)
    replicates = sorted({member.replicate for member in job.members})
    splits = read_splits(files.dataset, job.recipe, job.key.seed, replicates, data.image_shape, data.classes)
    images = dict(zip(replicates, engine.resident(splits, job.recipe), strict=True))
    start = read_parameters(files.start, job.network, len(job.members))
    mask = read_mask(files.mask, job.network, len(job.members)) if files.mask else {}
    dataset = cache(lambda: file_digest(files.dataset))
    places = range(len(job.members))
    stacked = engine.together(job.recipe, job.network)
    slices = [slice(None)] if stacked else [slice(place, place + 1) for place in places]
    groups = []
    for own in slices:
        members, own_start, own_mask = job.members[own], of_member(start, own), of_member(mask, own)
        data_of_members = [data_of(job, member, len(splits[0].train)) for member in members]
        own_images = [images[member.replicate] for member in members]
        made = engine.Engine(job.network, own_start, own_mask or None, own_images, job.recipe)
        key = partial(checkpoint_key, job, members, own_start, own_mask, dataset, code)
        checkpoint = Checkpoint(files.checkpoints / checkpoint_name(job, members), key, checkpoint_seconds)
        groups.append(Group(members, Course(made, data_of_members, job.recipe, job.first), checkpoint))
        groups[-1].resume()
    run_together([group.to_the_end() for group in groups], threads, Progress(job, groups), engine.one_thread)
    records = [record for group in groups for record in group.course.records]
    write_arrays(files.trained, stack([record.trained for record in records]))
    write_text(files.history, history_csv(job.members, records))
    told = summary(job, files, records, mask, began, commit)
    write_text(files.summary, json.dumps(told, indent=1, allow_nan=False) + "\n")
    for group in groups:
        group.checkpoint.remove()


@dataclass(frozen=True)
class Group:
    """Members of a job that one engine trains side by side."""

    members: list[Member]
    course: Course
    checkpoint: Checkpoint

    def resume(self) -> None:
        """Go on from the checkpoint that a killed job left, if there is one."""
        state = self.checkpoint.read()
        if state is not None:
            self.course.restore(state)
            log.info("going on from iteration %d, %s", self.course.iteration, self.checkpoint.path)

    def to_the_end(self) -> Iterator[int]:
        """Train and measure; yields the iteration reached after each evaluation."""
        while not self.course.finished:
            try:
                self.course.advance()
            except Diverged as problem:
                names = ", ".join(str(self.members[place]) for place in problem.members)
                raise LotteryError(
                    f"training of {names} diverged: at iteration {problem.iteration} its loss is not a number; lower"
                    " training.learning_rate, or set training.on_divergence: record"
                ) from None
            self.checkpoint.write_if_due(self.course.state)
            yield self.course.iteration
        self.course.measure()


def checkpoint_name(job: Job, members: list[Member]) -> str:
    """Of the file that holds where these members, which follow one another, are."""
    who = "-to-".join(dict.fromkeys([str(members[0]), str(members[-1])]))
    return f"{job.key.experiment}.{job.arm}.level{job.level}.{who}.safetensors"


def code_digest() -> str:
    """A hash of the code that trains; to be taken when a job begins, since its files may be edited meanwhile."""
    package = Path(__file__).parent.parent
    code = hashlib.sha256()
    parts = ("*.py", "datasets/*.py", "networks/*.py", "training/**/*.py")
    for file in sorted(file for part in parts for file in package.glob(part)):
        code.update(file.read_bytes())
    return code.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def checkpoint_key(
    job: Job, members: list[Member], start: Arrays, mask: Arrays, dataset: Callable[[], str], code: str
) -> str:
    """A hash of everything that determines how these members are trained.

    dataset, code: hashes of these; that of the dataset is asked for, since a job that is soon done needs none.
    """
    what = [
        job.key.canonical_json(),
        job.network_name,
        job.recipe.canonical_json(),
        job.level,
        job.first,
        [str(member) for member in members],
        digest(start),
        digest(mask),
        dataset(),
        code,
        [extension.sha256 for extension in LOADED.values()],
        versions(job),
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def engine_of(recipe: Training, network: Network) -> ModuleType:
    """The module of the engine that trains a network; torch takes seconds to import, so only its own jobs pay."""
    return importlib.import_module(f"lottery.training.{recipe.chosen_engine(network.fully_connected)}_engine")


def data_of(job: Job, member: Member, images: int) -> MemberData:
    """What the member is trained on. All arms of a replicate have the same at a level, and no two levels do."""
    seed, recipe = job.key.of_replicate(member.replicate), job.recipe

    def random(purpose: Purpose, epoch: int) -> np.random.Generator:
        return seed.generator(purpose, level=job.level, epoch=epoch)

    augmented, noisy = recipe.augmentation != "none", recipe.dropout > 0
    return MemberData(
        shuffled_batches(images, recipe.batch_size, partial(random, "batches")),
        random_views(images, recipe.batch_size, partial(random, "views")) if augmented else None,
        (lambda iteration: int(random("dropout", iteration).integers(2**63))) if noisy else None,
    )


def run_together(
    trainings: list[Iterator[int]], threads: int, progress: "Progress", prepare: Callable[[], None]
) -> None:
    """Bring all trainings to their end, each stretch on whichever of `threads` threads is free.

    A training that is waiting has made no fewer stretches than the others, so all end at about the same time.
    """
    waiting = deque(enumerate(trainings))
    stop = threading.Event()

    def work() -> None:
        prepare()
        try:
            while not stop.is_set():
                try:
                    number, training = waiting.popleft()
                except IndexError:
                    return
                iteration = next(training, None)
                if iteration is not None:
                    progress.reached(number, iteration)
                    waiting.append((number, training))
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(min(threads, len(trainings))) as pool:
        for outcome in [pool.submit(work) for _ in range(min(threads, len(trainings)))]:
            outcome.result()


class Progress:
    """Says in the log how far a job is and how long it will take."""

    SECONDS_BETWEEN_LINES = 5.0

    def __init__(self, job: Job, groups: list["Group"]) -> None:
        self.first = job.first
        self.total = (job.recipe.iterations - job.first) * len(groups)
        self.iterations = [max(group.course.iteration - job.first, 0) for group in groups]
        self.before = sum(self.iterations)
        self.began = self.said = time.monotonic()
        log.info(
            "training %s, %s at level %d: %d networks, %d iterations each",
            job.key.experiment,
            job.arm,
            job.level,
            len(job.members),
            job.recipe.iterations - job.first,
        )

    def reached(self, training: int, iteration: int) -> None:
        self.iterations[training] = iteration - self.first
        done, now = sum(self.iterations), time.monotonic()
        if done and (now - self.said >= self.SECONDS_BETWEEN_LINES or done == self.total):
            self.said = now
            left = (now - self.began) * (self.total - done) / max(done - self.before, 1)
            log.info("%3.0f%% done, about %.0f s left", 100 * done / self.total, left)


def history_csv(members: list[Member], records: list[Record]) -> str:
    """The members' histories as CSV; numbers that were not measured are left empty."""
    names = [column.name for column in fields(Row)]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["replicate", "draw", *names])
    for member, record in zip(members, records, strict=True):
        for row in record.rows:
            values = [getattr(row, name) for name in names]
            table.writerow([member.replicate, member.draw, *("" if math.isnan(value) else value for value in values)])
    return text.getvalue()


def summary(
    job: Job, files: JobFiles, records: list[Record], mask: Arrays, began: float, commit: str | None
) -> dict[str, object]:
    """What happened, for people and for the tables: results of every member, and everything that led to them."""
    network = job.network
    members = []
    for index, (member, record) in enumerate(zip(job.members, records, strict=True)):
        kept = sum(int(layer[index].sum()) for layer in mask.values()) if mask else network.weights
        members.append({"replicate": member.replicate, "draw": member.draw, "weights": kept} | asdict(record.result))
    return {
        "experiment": job.key.experiment,
        "arm": job.arm,
        "level": job.level,
        "first_iteration": job.first,
        "members": members,
        "sha256": {
            path.name: file_digest(path) for path in (files.start, files.mask, files.trained, files.history) if path
        },
        "seed": job.key.seed,
        "dataset": job.key.dataset,
        "network": job.network_name,
        "network_weights": network.weights,
        "training": job.recipe.model_dump(mode="json"),
        "extensions": {extension.path: extension.sha256 for extension in LOADED.values()},
        "engine": job.recipe.chosen_engine(network.fully_connected),
        "device": job.recipe.device,
        "card": cards.card_name() if job.recipe.device == "cuda" else None,
        "job_seconds": round(time.perf_counter() - began, 3),
        "versions": versions(job),
        "processor": processor(),
        "git_commit": commit,
    }


def versions(job: Job) -> dict[str, str]:
    """Python and the packages whose arithmetic makes the result."""
    packages = ("numpy", *engine_of(job.recipe, job.network).PACKAGES)
    own = {"python": platform.python_version(), "lottery-ticket-workflow": __version__}
    return own | {name: version(name) for name in packages}


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def git_commit() -> str | None:
    """The commit of the code in use, with `-dirty` when files differ from it; None outside a git checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
