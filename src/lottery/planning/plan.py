"""A run's size, time and room on the disk, from its settings alone."""

import math
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from lottery.datasets.sources import source
from lottery.networks import Network, build
from lottery.planning.speed import Speed, Work
from lottery.planning.steps import Step, Steps, steps_of
from lottery.runs import StackTraining, counts_at, draws_of, first_iteration, network_name_at, recipe_of
from lottery.settings import Settings

SECONDS = {"plot": 2.0, "prepare-dataset": 2.0}
OTHER_SECONDS = 0.3
TRAINING_SECONDS = {"sparse": 1.0, "torch": 5.0}
"""What a step takes, and by engine what a job takes beside training: most of it Python and its imports."""

# Bytes, as they were found in finished runs.
ARRAYS_HEADER = 450
HISTORY_ROW = 60
SUMMARY, SUMMARY_MEMBER = 1_300, 450
CURVES_ROW, LEVELS_ROW = 95, 251
FIGURE = 185_000
"""In its three formats."""
RECORDS = 650
"""The log and the benchmark of a step."""
CLAIMS = 40_000


@dataclass(frozen=True)
class Plan:
    """A run from nothing to its figures, whether or not some of its results are there already."""

    settings: Settings
    cores: int = 1
    speed: Speed = field(default_factory=Speed)

    @cached_property
    def steps(self) -> Steps:
        return steps_of(self.settings)

    @cached_property
    def unknown(self) -> list[str]:
        """Networks whose trainings take nobody knows how long; these count as nothing in all times below."""
        works = [self.work(place) for place in self.trainings]
        return sorted({work.name for work in works if self.speed.seconds(work) is None})

    @cached_property
    def seconds(self) -> dict[Step, float]:
        """How long each step takes."""
        return {step: self.duration(step) for step in self.steps}

    @property
    def trainings(self) -> list[StackTraining]:
        """The training jobs, those included that only find masks for others."""
        return [step.training for step in self.steps if step.training]

    @property
    def networks(self) -> int:
        """Networks that are trained."""
        return sum(map(self.members, self.trainings))

    @property
    def verbs(self) -> Counter[str]:
        """How many steps of each verb there are."""
        return Counter(step.verb for step in self.steps)

    @property
    def core_seconds(self) -> float:
        """What all steps on the CPU take together, each times the cores that it holds."""
        return sum(seconds * self.threads(step) for step, seconds in self.seconds.items() if not self.on_gpu(step))

    @property
    def gpu_seconds(self) -> float:
        """What all trainings on a GPU take together."""
        return sum(seconds for step, seconds in self.seconds.items() if self.on_gpu(step))

    @cached_property
    def longest_chain(self) -> list[Step]:
        """The steps one after another that take longest: no number of cores makes the run shorter than these."""
        until: dict[Step, float] = {}
        for step, waits_for in self.steps.items():
            until[step] = self.seconds[step] + max((until[earlier] for earlier in waits_for), default=0.0)
        chain = [max(until, key=until.__getitem__)]
        while waits_for := self.steps[chain[-1]]:
            chain.append(max(waits_for, key=until.__getitem__))
        return chain[::-1]

    @property
    def chain_seconds(self) -> float:
        return sum(self.seconds[step] for step in self.longest_chain)

    @property
    def wall_seconds(self) -> float:
        """From start to end, with every core and one GPU always busy, but no shorter than the longest chain."""
        return max(self.core_seconds / self.cores, self.gpu_seconds, self.chain_seconds)

    @property
    def bytes(self) -> int:
        """The room that the results take."""
        rows = sum(map(self.history_rows, self.trainings))
        tables = CURVES_ROW * rows + LEVELS_ROW * self.networks + CLAIMS
        return sum(map(self.size, self.steps)) + RECORDS * len(self.steps) + tables

    @property
    def dataset_bytes(self) -> int:
        """The room that the prepared datasets take, which all runs share: a byte for each number and label."""
        names = [step.name for step in self.steps if step.verb == "prepare-dataset"]
        return sum(math.prod(shape) for name in names for shape in source(name).shapes.values())

    def duration(self, step: Step) -> float:
        """Seconds that a step takes."""
        place = step.training
        if not place:
            return SECONDS.get(step.verb, OTHER_SECONDS)
        work, turns = self.work(place), math.ceil(self.members(place) / self.threads(step))
        return TRAINING_SECONDS[work.engine[0]] + turns * (self.speed.seconds(work) or 0.0)

    def threads(self, step: Step) -> int:
        """The cores that a step computes on; a GPU trains a stack as a whole."""
        place = step.training
        if not place or self.on_gpu(step):
            return 1
        return min(self.settings.experiments[place.experiment].threads_per_job, self.cores)

    def on_gpu(self, step: Step) -> bool:
        place = step.training
        return place is not None and self.settings.experiments[place.experiment].training.device == "cuda"

    def members(self, place: StackTraining) -> int:
        """Networks in a stack's files."""
        return len(place.stack.members(draws_of(self.settings.experiments[place.experiment], place.arm)))

    def network(self, place: StackTraining) -> Network:
        experiment = self.settings.experiments[place.experiment]
        data = source(experiment.dataset)
        return build(network_name_at(experiment, place.arm, place.level), data.image_shape, data.classes)

    def work(self, place: StackTraining) -> Work:
        """The training of one network of a stack."""
        experiment, network = self.settings.experiments[place.experiment], self.network(place)
        kept = min(network.weights, sum(counts_at(experiment, place.arm, place.level).values()))
        recipe, first = recipe_of(experiment, place.arm), first_iteration(experiment, place.arm)
        name = network_name_at(experiment, place.arm, place.level)
        return Work(recipe, experiment.dataset, network, kept, first, name)

    def history_rows(self, place: StackTraining) -> int:
        work = self.work(place)
        return self.members(place) * (work.updates // work.recipe.validation_every + 1)

    def size(self, step: Step) -> int:
        """Bytes of the files that a step writes, tables apart."""
        place = step.place
        if not place:
            return FIGURE if step.verb == "plot" else 0
        members, network = self.members(place), self.network(place)
        parameters = 4 * members * sum(map(math.prod, network.shapes().values())) + ARRAYS_HEADER
        mask = members * network.weights + ARRAYS_HEADER
        texts = HISTORY_ROW * self.history_rows(place) + SUMMARY + SUMMARY_MEMBER * members
        return {
            "train": parameters + texts,
            "initialize": parameters,
            "rewind": parameters,
            "prune": mask,
            "make-control": mask + parameters,
        }[step.verb]


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
        ("jobs", f"{len(plan.steps)}, of which {len(trainings)} train {plan.networks:,} networks"),
        ("work", f"{duration(plan.core_seconds)} on one core"),
        *([("", f"{gpu} on one GPU")] if on_gpu else []),
        ("time", f"{wall} on {cores}{' and one GPU' if on_gpu else ''}"),
        ("longest chain", f"{chain}: {in_words(plan.longest_chain)}"),
        ("disk", f"{megabytes(plan.bytes)}, and {megabytes(plan.dataset_bytes)} of images that all runs share"),
        *(("speed", plan.speed.told(engine, plan.unknown)) for engine in engines),
    ]
    title = f"Estimate of the run {plan.settings.run!r} from nothing:"
    return "\n".join([title, *(f"  {name:14} {text}" for name, text in lines)])


def in_words(chain: list[Step]) -> str:
    """The trainings of a chain."""
    counts = Counter(step.training.arm for step in chain if step.training)
    return ", then ".join(f"{arm} {count} times" if count > 1 else arm for arm, count in counts.items())


def duration(seconds: float) -> str:
    """In seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
