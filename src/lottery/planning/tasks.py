"""The tasks of a run, from nothing to its figures, and which each one waits for."""

from collections.abc import Iterator
from dataclasses import dataclass

from lottery.arms.lineage import File, arm, files_read, maker
from lottery.arms.places import Place
from lottery.figures.catalog import CATALOG, figures_of_run
from lottery.runs.jobs import Job
from lottery.runs.lines import lines
from lottery.runs.listing import compared_files, described, described_files, trainings
from lottery.settings import Settings


@dataclass(frozen=True)
class Task:
    """A verb of the package and what it makes: files of a place, a dataset of some name, or figures of several."""

    verb: str
    place: Place | None = None
    name: str = ""

    @property
    def training(self) -> Place | None:
        """What it trains, if it does."""
        return self.place if self.verb == "train" else None


MADE: dict[str, tuple[str, ...]] = {
    "prepare-dataset": ("../data/{}.safetensors",),
    "train": ("trained.safetensors", "early-stop.safetensors", "snapshots.safetensors", "history.csv", "summary.json"),
    "interpolate": ("line-{}.csv",),
    "collect": (
        "tables/levels.csv",
        "tables/curves.csv",
        "tables/speed.csv",
        "tables/weights.csv",
        "tables/settings.json",
    ),
    "describe-tickets": ("tables/layers.csv", "tables/distributions.csv", "tables/pixels.csv"),
    "collect-barriers": ("tables/barriers.csv",),
    "compare-masks": ("tables/overlaps.csv",),
    "judge-claims": ("tables/claims.csv", "tables/claims.md", "tables/claims.html"),
    "plot": ("figures/{}.pdf", "figures/{}.svg", "figures/{}.png"),
}
"""What verbs write: below a place's folder, or below the run's, where {} stands for the name of a dataset or figure."""


def files_of(task: Task) -> list[str]:
    """The files that a task makes, below `results/<run>`; for the dataset, beside it."""
    if not task.place:
        return [file.format(name) for name in task.name.split() or [""] for file in MADE[task.verb]]
    arrays: list[File] = ["scores", "mask", "start"] if arm(task.place.arm).masked else ["scores", "start"]
    made = MADE.get(task.verb) or [f"{file}.safetensors" for file in arrays if maker(task.place, file) == task.verb]
    return [f"{task.place.folder}/{file.format(task.name)}" for file in made]


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
        read = set(described_files(settings))
        tasks[describe] = [task for task in tasks if task.place and read & set(files_of(task))]
        tables.append(describe)
    if measured := lines(settings):
        for line in measured:
            ends = [Task("train", job.place) for job in line.jobs()]
            tasks[Task("interpolate", line.job.place, line.pair.name)] = ends
        tasks[Task("collect-barriers")] = [task for task in tasks if task.verb == "interpolate"]
        tables.append(Task("collect-barriers"))
    if compared := set(compared_files(settings)):
        tasks[Task("compare-masks")] = [task for task in tasks if task.place and compared & set(files_of(task))]
        tables.append(Task("compare-masks"))
    tasks[Task("judge-claims")] = tables
    if figures := figures_of_run(settings):
        details = {"tables/barriers.csv", *(f"tables/{CATALOG[figure].details}.csv" for figure in figures)}
        drawn_from = [collect, *(each for each in tables[1:] if details & set(files_of(each)))]
        tasks[Task("plot", name=" ".join(figures))] = drawn_from
    return tasks


def before(task: Task, settings: Settings) -> Iterator[Task]:
    """The tasks whose files a task of a place reads."""
    if not task.place:
        return
    job = Job(settings, task.place)
    if task.verb in ("train", "score"):
        yield Task("prepare-dataset", name=job.experiment.dataset)
    for place, file in files_read(job.place, task.verb, job.experiment):
        yield Task(maker(place, file), place)
