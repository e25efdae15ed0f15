"""The tasks of a run, from nothing to its figures, and which each one waits for."""

from collections.abc import Iterator
from dataclasses import dataclass

from lottery.arms.lineage import files_read, maker
from lottery.arms.places import DENSE, Place
from lottery.figures.catalog import figures_of_run
from lottery.runs.jobs import Job
from lottery.runs.listing import DESCRIBED_ARM, described, trainings
from lottery.settings import Settings


@dataclass(frozen=True)
class Task:
    """A verb of the package and what it makes: files of a place, or a dataset or figure of some name."""

    verb: str
    place: Place | None = None
    name: str = ""

    @property
    def training(self) -> Place | None:
        """What it trains, if it does."""
        return self.place if self.verb == "train" else None


Tasks = dict[Task, list[Task]]
"""Tasks and those that each waits for, which come before it."""


def tasks_of(settings: Settings) -> Tasks:
    """All tasks of a run, whether or not some of its results are there already."""
    trained = [Task("train", job.place) for job in trainings(settings)]
    tasks: Tasks = {}

    def add(task: Task) -> None:
        if task in tasks:
            return
        waits_for = list(dict.fromkeys(before(task, settings)))
        for earlier in waits_for:
            add(earlier)
        tasks[task] = waits_for

    for task in trained:
        add(task)
    collect = Task("collect")
    tasks[collect] = trained
    tables = [collect]
    if described(settings):
        describe = Task("describe-tickets")
        tasks[describe] = [
            task
            for task in tasks
            if task.place and task.place.experiment in described(settings) and task.place.arm in (DENSE, DESCRIBED_ARM)
        ]
        tables.append(describe)
    tasks[Task("judge-claims")] = tables
    return tasks | {Task("plot", name=figure): tables for figure in figures_of_run(settings)}


def before(task: Task, settings: Settings) -> Iterator[Task]:
    """The tasks whose files a task of a place reads."""
    if not task.place:
        return
    job = Job(settings, task.place)
    if task.verb in ("train", "score"):
        yield Task("prepare-dataset", name=job.experiment.dataset)
    for place, file in files_read(job.place, task.verb, job.experiment):
        yield Task(maker(place, file), place)
