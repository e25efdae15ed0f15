"""A training job: reads its files, trains every member, writes what the file contract asks for."""

import csv
import hashlib
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

from lottery import __version__
from lottery.arms.lineage import File, makers
from lottery.arms.places import Member
from lottery.arrays import Arrays, of_member, stack, write_arrays, write_text
from lottery.arrays.weights import named_snapshots, read_mask, read_parameters
from lottery.code import PACKAGE, TOLD, digest_of, modules_of, of_verb
from lottery.datasets.images import read_splits
from lottery.errors import LotteryError
from lottery.extensions import LOADED
from lottery.runs.dependence import depends_on
from lottery.runs.jobs import Job
from lottery.training import cards
from lottery.training.alone import data_of
from lottery.training.checkpoints import Checkpoint, digest
from lottery.training.engines import engine_name, engine_of
from lottery.training.loop import Course, Diverged, MemberData, Record, Row

log = logging.getLogger(__name__)


def run_job(job: Job, run: Path, threads: int) -> None:
    """Train all members, `threads` at a time, going on from checkpoints of a job that was killed.

    Results depend neither on `threads` nor on who else is in the job, nor on how often it was killed. A job for a GPU
    waits until a card is free, or has fewer than `trainings_per_card` jobs. run: the folder `results/<run>`.
    """
    shared = job.experiment.trainings_per_card
    with cards.own_card(cards.lock_folder(), shared) if job.training.device == "cuda" else nullcontext():
        train_members(job, run, threads)


def train_members(job: Job, run: Path, threads: int) -> None:
    """Do what `run_job` promises, on the device as it is."""
    began, code, commit = time.perf_counter(), code_digest(), git_commit()
    made_by = {verb: of_verb(verb) for verb in makers(job.place)}
    network, recipe = job.network, job.training
    engine = engine_of(network, recipe)
    engine.one_thread()
    replicates = [member.replicate for member in job.replicates.members()]
    prepared = dataset_file(run, job)
    splits = read_splits(prepared, recipe, job.settings.seed, replicates, job.data.image_shape, job.data.classes)
    images = dict(zip(replicates, engine.resident(splits, recipe), strict=True))
    start = read_parameters(job.path(run, "start"), network, len(job.members))
    mask = read_mask(job.path(run, "mask"), network, len(job.members)) if job.arm.masked else {}
    dataset = cache(lambda: file_digest(prepared))
    together = engine.together(recipe, network)
    slices = [slice(None)] if together else [slice(index, index + 1) for index in range(len(job.members))]
    groups = []
    for own in slices:
        members, own_start, own_mask = job.members[own], of_member(start, own), of_member(mask, own)
        data = [data_of_member(job, member, len(splits[0].train)) for member in members]
        made = engine.Engine(
            network, own_start, own_mask or None, [images[member.replicate] for member in members], recipe
        )
        key = partial(checkpoint_key, job, members, own_start, own_mask, dataset, code)
        checkpoint = Checkpoint(
            run / "checkpoints" / checkpoint_name(job, members), key, job.experiment.checkpoint_seconds
        )
        course = Course(made, data, recipe, job.first_iteration, job.snapshots, job.last_iteration)
        groups.append(Group(members, course, checkpoint))
        groups[-1].resume()
    run_together([group.to_the_end() for group in groups], threads, Progress(job, groups), engine.one_thread)
    records = [record for group in groups for record in group.course.records]
    write_arrays(job.path(run, "trained"), stack([record.trained for record in records]))
    write_arrays(job.path(run, "early-stop"), stack([record.early_stop for record in records]))
    snapshots = {iteration: stack([record.snapshots[iteration] for record in records]) for iteration in job.snapshots}
    write_arrays(job.path(run, "snapshots"), named_snapshots(snapshots))
    write_text(job.path(run, "history.csv"), history_csv(job.members, records))
    told = summary(job, run, records, mask, began, commit)
    told |= {"code": made_by, "depends_on": {verb: depends_on(job, verb) for verb in made_by}}
    write_text(job.path(run, "summary.json"), json.dumps(told, indent=1, allow_nan=False) + "\n")
    for group in groups:
        group.checkpoint.remove()


def dataset_file(run: Path, job: Job) -> Path:
    """The prepared dataset of a job: in the folder `data` beside the run's."""
    return run.parent / "data" / f"{job.experiment.dataset}.safetensors"


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
                names = ", ".join(str(self.members[index]) for index in problem.members)
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
    return f"{job.place.experiment}.{job.place.arm}.level{job.place.level}.{who}.safetensors"


def code_digest() -> str:
    """A hash of the code that trains; to be taken when a job begins, since its files may be edited meanwhile."""
    return digest_of([*modules_of("training/job.py"), *(PACKAGE / name for name in TOLD)])


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
        job.settings.seed,
        job.seed_name,
        job.experiment.dataset,
        repr(job.network),
        job.training.model_dump(mode="json"),
        job.arm.batches,
        job.place.level,
        job.first_iteration,
        job.last_iteration,
        job.snapshots,
        [str(member) for member in members],
        digest(start),
        digest(mask),
        dataset(),
        code,
        [extension.sha256 for extension in LOADED.values()],
        versions(job),
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def data_of_member(job: Job, member: Member, images: int) -> MemberData:
    """What a member of a job is trained on."""
    own = member.draw if job.arm.batches == "own" else None
    return data_of(job.seed(member), job.training, job.place.level, images, own)


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
        self.first = job.first_iteration
        updates = job.last_iteration - self.first
        self.total = updates * len(groups)
        self.iterations = [max(group.course.iteration - self.first, 0) for group in groups]
        self.before = sum(self.iterations)
        self.began = self.said = time.monotonic()
        log.info(
            "training %s, %s at level %d: %d networks, %d iterations each",
            job.place.experiment,
            job.place.arm,
            job.place.level,
            len(job.members),
            updates,
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
    job: Job, run: Path, records: list[Record], mask: Arrays, began: float, commit: str | None
) -> dict[str, object]:
    """What happened, for people and for the tables: results of every member, and everything that led to them."""
    network = job.network
    arrays: list[File] = ["start", "trained", "early-stop", "snapshots"]
    files = [job.path(run, name) for name in (*arrays, "history.csv", *["mask"] * job.arm.masked)]
    members = []
    for index, (member, record) in enumerate(zip(job.members, records, strict=True)):
        sizes = {layer.weight_name: layer.weights for layer in network.layers}
        by_layer = {name: int(mask[name][index].sum()) if mask else size for name, size in sizes.items()}
        who = {"replicate": member.replicate, "draw": member.draw, "weights": sum(by_layer.values())}
        members.append(who | {"weights_by_layer": by_layer} | asdict(record.result))
    return {
        "experiment": job.place.experiment,
        "arm": job.place.arm,
        "level": job.place.level,
        "first_iteration": job.first_iteration,
        "last_iteration": job.last_iteration,
        "members": members,
        "sha256": {path.name: file_digest(path) for path in files},
        "seed": job.settings.seed,
        "seed_name": job.seed_name,
        "dataset": job.experiment.dataset,
        "network": job.network_name,
        "network_weights": network.weights,
        "training": job.training.model_dump(mode="json"),
        "extensions": {extension.path: extension.sha256 for extension in LOADED.values()},
        "engine": engine_name(network, job.training),
        "device": job.training.device,
        "card": cards.card_name() if job.training.device == "cuda" else None,
        "job_seconds": round(time.perf_counter() - began, 3),
        "versions": versions(job),
        "processor": processor(),
        "git_commit": commit,
    }


def versions(job: Job) -> dict[str, str]:
    """Python and the packages whose arithmetic makes the result."""
    packages = ("numpy", *engine_of(job.network, job.training).PACKAGES)
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
