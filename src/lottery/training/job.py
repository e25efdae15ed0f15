"""A training job: reads its files, trains every member of a stack, writes what the file contract asks for."""

import csv
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
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

from lottery.arrays import Arrays, of_member, read_arrays, stack, write_arrays, write_text
from lottery.datasets.batches import Batches, shuffled_batches
from lottery.datasets.images import read_split
from lottery.datasets.sources import source
from lottery.networks import Network, build
from lottery.randomness import split_generator
from lottery.settings import Training
from lottery.stacks import ExperimentKey, Member
from lottery.training.loop import Record, Row, train

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

    @property
    def network(self) -> Network:
        data = source(self.key.dataset)
        return build(self.network_name, data.inputs, data.classes)


@dataclass(frozen=True)
class JobFiles:
    """What a training job reads and writes; `mask` is None for a dense network."""

    dataset: Path
    start: Path
    mask: Path | None
    trained: Path
    history: Path
    summary: Path


def run_job(job: Job, files: JobFiles, threads: int) -> None:
    """Train all members, `threads` at a time; results depend neither on `threads` nor on who else is in the stack."""
    began = time.perf_counter()
    engine = engine_of(job.recipe)
    engine.one_thread()
    split = read_split(files.dataset, job.recipe.validation_images, split_generator(job.key.seed, job.key.experiment))
    images = engine.resident(split, job.recipe)
    start = read_arrays(files.start)
    mask = read_arrays(files.mask) if files.mask else None
    records = [Record() for _ in job.members]
    trainings = [
        train(
            engine.Engine(
                job.network,
                of_member(start, index),
                of_member(mask, index) if mask else None,
                images,
                job.recipe,
            ),
            batches_of(job, member, len(split.train.labels)),
            job.recipe,
            records[index],
        )
        for index, member in enumerate(job.members)
    ]
    run_together(trainings, threads, Progress(job), engine.one_thread)
    write_arrays(files.trained, stack([record.trained for record in records]))
    write_text(files.history, history_csv(job.members, records))
    write_text(files.summary, json.dumps(summary(job, records, mask, began), indent=1) + "\n")


def engine_of(recipe: Training) -> ModuleType:
    """The module of the engine that the recipe asks for; torch takes seconds to import, so only its own jobs pay."""
    return importlib.import_module(f"lottery.training.{recipe.chosen_engine()}_engine")


def batches_of(job: Job, member: Member, images: int) -> Batches:
    """The member's batches. All arms of a replicate see the same ones at a level, and no two levels do."""
    seed = job.key.of_replicate(member.replicate)
    return shuffled_batches(
        images, job.recipe.batch_size, lambda epoch: seed.generator("batches", level=job.level, epoch=epoch)
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
                    member, training = waiting.popleft()
                except IndexError:
                    return
                iteration = next(training, None)
                if iteration is not None:
                    progress.reached(member, iteration)
                    waiting.append((member, training))
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(min(threads, len(trainings))) as pool:
        for outcome in [pool.submit(work) for _ in range(min(threads, len(trainings)))]:
            outcome.result()


class Progress:
    """Says in the log how far a job is and how long it will take."""

    SECONDS_BETWEEN_LINES = 5.0

    def __init__(self, job: Job) -> None:
        self.total = job.recipe.iterations * len(job.members)
        self.iterations = [0] * len(job.members)
        self.began = self.said = time.monotonic()
        log.info(
            "training %s, %s at level %d: %d networks, %d iterations each",
            job.key.experiment,
            job.arm,
            job.level,
            len(job.members),
            job.recipe.iterations,
        )

    def reached(self, member: int, iteration: int) -> None:
        self.iterations[member] = iteration
        done, now = sum(self.iterations), time.monotonic()
        if done and (now - self.said >= self.SECONDS_BETWEEN_LINES or done == self.total):
            self.said = now
            left = (now - self.began) * (self.total - done) / done
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


def summary(job: Job, records: list[Record], mask: Arrays | None, began: float) -> dict[str, object]:
    """What happened, for people and for the tables: results of every member, and everything that led to them."""
    network = job.network
    members = []
    for index, (member, record) in enumerate(zip(job.members, records, strict=True)):
        assert record.result is not None
        kept = sum(int(layer[index].sum()) for layer in mask.values()) if mask else network.weights
        members.append({"replicate": member.replicate, "draw": member.draw, "weights": kept} | asdict(record.result))
    return {
        "experiment": job.key.experiment,
        "arm": job.arm,
        "level": job.level,
        "members": members,
        "seed": job.key.seed,
        "dataset": job.key.dataset,
        "network": job.network_name,
        "network_weights": network.weights,
        "training": job.recipe.model_dump(mode="json"),
        "engine": job.recipe.chosen_engine(),
        "device": job.recipe.device,
        "job_seconds": round(time.perf_counter() - began, 3),
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("lottery-ticket-workflow", "numpy", *engine_of(job.recipe).PACKAGES)},
        "processor": processor(),
        "git_commit": git_commit(),
    }


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
