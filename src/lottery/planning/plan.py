"""A run's size, time and room on the disk, from its settings alone."""

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from lottery.arms.places import Place
from lottery.datasets.catalog import source
from lottery.figures.catalog import figures_of_run
from lottery.planning.speed import Speed, Work
from lottery.planning.tasks import Task, Tasks, tasks_of
from lottery.pruning.criteria import CRITERIA
from lottery.runs.jobs import Job
from lottery.runs.keeping import KEPT, kept_file
from lottery.settings import Settings

SECONDS = {"plot": 2.0, "prepare-dataset": 2.0}
FIGURE_SECONDS, DRAWN_AT_ONCE = 1.0, 2
OTHER_SECONDS = 0.3
TRAINING_SECONDS = {"sparse": 1.0, "torch": 5.0}
"""What a task takes, a figure on top of its task's; and by engine what a job takes beside training: most of it Python
and its imports."""

# Bytes, as they were found in finished runs.
ARRAYS_HEADER = 450
HISTORY_ROW = 60
SUMMARY, SUMMARY_MEMBER = 1_300, 450
CURVES_ROW, LEVELS_ROW = 95, 300
FIGURE = 185_000
"""In its three formats."""
RECORDS = 650
"""The log and the benchmark of a task."""
CLAIMS = 40_000


@dataclass(frozen=True)
class Plan:
    """A run from nothing to its figures, whether or not some of its results are there already."""

    settings: Settings
    cores: int = 1
    speed: Speed = field(default_factory=Speed)

    @cached_property
    def tasks(self) -> Tasks:
        return tasks_of(self.settings)

    @cached_property
    def unknown(self) -> list[str]:
        """Networks whose trainings take nobody knows how long; these count as nothing in all times below."""
        works = [self.work(place) for place in self.trainings]
        return sorted({work.name for work in works if self.speed.seconds(work) is None})

    @cached_property
    def seconds(self) -> dict[Task, float]:
        """How long each task takes."""
        return {task: self.duration(task) for task in self.tasks}

    @cached_property
    def figures(self) -> list[str]:
        return figures_of_run(self.settings)

    @property
    def trainings(self) -> list[Place]:
        """The training jobs, those included that only find masks for others."""
        return [task.training for task in self.tasks if task.training]

    @property
    def networks(self) -> int:
        """Networks that are trained."""
        return sum(map(self.members, self.trainings))

    @property
    def verbs(self) -> Counter[str]:
        """How many tasks of each verb there are."""
        return Counter(task.verb for task in self.tasks)

    @property
    def core_seconds(self) -> float:
        """What all tasks on the CPU take together, each times the cores that it holds."""
        return sum(seconds * self.threads(task) for task, seconds in self.seconds.items() if not self.on_gpu(task))

    @property
    def gpu_seconds(self) -> float:
        """What all trainings on a GPU take together."""
        return sum(seconds for task, seconds in self.seconds.items() if self.on_gpu(task))

    @cached_property
    def longest_chain(self) -> list[Task]:
        """The tasks one after another that take longest: no number of cores makes the run shorter than these."""
        until: dict[Task, float] = {}
        for task, waits_for in self.tasks.items():
            until[task] = self.seconds[task] + max((until[earlier] for earlier in waits_for), default=0.0)
        chain = [max(until, key=until.__getitem__)]
        while waits_for := self.tasks[chain[-1]]:
            chain.append(max(waits_for, key=until.__getitem__))
        return chain[::-1]

    @property
    def chain_seconds(self) -> float:
        return sum(self.seconds[task] for task in self.longest_chain)

    @property
    def wall_seconds(self) -> float:
        """From start to end, with every core and one GPU always busy, but no shorter than the longest chain."""
        return max(self.core_seconds / self.cores, self.gpu_seconds, self.chain_seconds)

    @property
    def bytes(self) -> int:
        """The room that the results take."""
        rows = sum(map(self.history_rows, self.trainings))
        tables = CURVES_ROW * rows + LEVELS_ROW * self.networks + CLAIMS
        return sum(map(self.size, self.tasks)) + RECORDS * len(self.tasks) + tables

    @property
    def dataset_bytes(self) -> int:
        """The room that the prepared datasets take, which all runs share: a byte for each number and label."""
        names = [task.name for task in self.tasks if task.verb == "prepare-dataset"]
        return sum(math.prod(shape) for name in names for shape in source(name).shapes.values())

    def duration(self, task: Task) -> float:
        """Seconds that a task takes."""
        place = task.training
        if task.verb == "score" and task.place:
            return self.scoring(task.place)
        if not place:
            drawing = FIGURE_SECONDS * len(self.figures) * (task.verb == "plot")
            return SECONDS.get(task.verb, OTHER_SECONDS) + drawing / self.threads(task)
        work, turns = self.work(place), math.ceil(self.members(place) / self.threads(task))
        return TRAINING_SECONDS[work.engine[0]] + turns * (self.speed.seconds(work) or 0.0)

    def scoring(self, place: Place) -> float:
        """Seconds that the scores of a pruning take: those that are learnt, about as long as training all weights."""
        job = self.job(place)
        recipe = job.training.model_copy(update={"engine": "torch"})
        learning = Work(recipe, job.experiment.dataset, job.network, job.network.weights, name=job.network_name)
        learnt = CRITERIA[job.arm.criterion].learnt
        return TRAINING_SECONDS["torch"] + learnt * len(job.replicates) * (self.speed.seconds(learning) or 0.0)

    def threads(self, task: Task) -> int:
        """The cores that a task computes on; a GPU trains all networks of a job together."""
        place = task.training
        if task.verb == "plot":
            return min(DRAWN_AT_ONCE, self.cores)
        if not place or self.on_gpu(task):
            return 1
        return min(self.settings.experiments[place.experiment].threads_per_job, self.cores)

    def on_gpu(self, task: Task) -> bool:
        place = task.training
        return place is not None and self.settings.experiments[place.experiment].training.device == "cuda"

    def job(self, place: Place) -> Job:
        return Job(self.settings, place)

    def members(self, place: Place) -> int:
        """Networks in a job's files."""
        return len(self.job(place).members)

    def work(self, place: Place) -> Work:
        """The training of one network of a job."""
        job = self.job(place)
        kept = min(job.network.weights, sum(job.counts.values()))
        first, name = job.first_iteration, job.network_name
        return Work(job.training, job.experiment.dataset, job.network, kept, first, name, job.arm.trained)

    def history_rows(self, place: Place) -> int:
        work = self.work(place)
        return self.members(place) * (work.updates // work.recipe.validation_every + 1)

    def size(self, task: Task) -> int:
        """Bytes of the files that a task writes, tables apart."""
        if not task.place:
            return FIGURE * len(self.figures) if task.verb == "plot" else 0
        return sum(self.sizes(task).values())

    def sizes(self, task: Task) -> dict[str, int]:
        """Bytes of each file of a place that a task writes."""
        if not task.place:
            return {}
        job = self.job(task.place)
        members, network = len(job.members), job.network
        parameters = 4 * members * sum(map(math.prod, network.shapes().values())) + ARRAYS_HEADER
        mask = members * network.weights + ARRAYS_HEADER
        texts = HISTORY_ROW * self.history_rows(task.place) + SUMMARY + SUMMARY_MEMBER * members
        snapshots = len(job.snapshots) * parameters
        return {
            "train": {"trained": parameters, "early-stop": parameters, "snapshots": snapshots, "texts": texts},
            "initialize": {"start": parameters},
            "rewind": {"start": parameters},
            "prune": {"mask": mask},
            "score": {"scores": 4 * mask},
            "make-control": {"mask": mask, "start": parameters},
            "interpolate": {},
        }[task.verb]

    def kept_bytes(self, keep: str) -> int:
        """The room that the results take after the run's end, by what it keeps."""
        gone = sum(
            size
            for task in self.tasks
            for file, size in self.sizes(task).items()
            if task.place and not kept_file(self.settings, task.place, file, keep)
        )
        return self.bytes - gone


def as_text(plan: Plan) -> str:
    """The plan for reading."""
    trainings, cores = plan.trainings, f"{plan.cores} core{'s' if plan.cores > 1 else ''}"
    engines = sorted({plan.work(place).engine for place in trainings})
    on_gpu = [place for place in trainings if plan.work(place).recipe.device == "cuda"]
    if plan.unknown and all(plan.work(place).name in plan.unknown for place in on_gpu):
        gpu, wall, chain = "unknown", "unknown", "unknown"
    else:
        bound = "more than " if plan.unknown else ""
        times = plan.gpu_seconds, plan.wall_seconds, plan.chain_seconds
        gpu, wall, chain = (f"{bound}{duration(each)}" for each in times)
    lines = [
        ("jobs", f"{len(plan.tasks)}, of which {len(trainings)} train {plan.networks:,} networks"),
        ("work", f"{duration(plan.core_seconds)} on one core"),
        *([("", f"{gpu} on one GPU")] if on_gpu else []),
        ("time", f"{wall} on {cores}{' and one GPU' if on_gpu else ''}"),
        ("longest chain", f"{chain}: {in_words(plan.longest_chain)}"),
        ("disk", f"{megabytes(plan.bytes)}, and {megabytes(plan.dataset_bytes)} of images that all runs share"),
        ("kept at its end", kept_in_words(plan)),
        *(("speed", plan.speed.told(engine, plan.unknown)) for engine in engines),
    ]
    title = f"Estimate of the run {plan.settings.run!r} from nothing:"
    return "\n".join([title, *(f"  {name:16} {text}" for name, text in lines)])


def kept_in_words(plan: Plan) -> str:
    """What the results take after the end with each value of `keep`, the run's own first."""
    choices = sorted(KEPT, key=lambda keep: keep != plan.settings.keep)
    return ", ".join(f"{megabytes(plan.kept_bytes(keep))} with keep: {keep}" for keep in choices)


def in_words(chain: list[Task]) -> str:
    """The trainings of a chain."""
    counts = Counter(task.training.arm for task in chain if task.training)
    return ", then ".join(f"{arm} {count} times" if count > 1 else arm for arm, count in counts.items())


def duration(seconds: float) -> str:
    """In seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
