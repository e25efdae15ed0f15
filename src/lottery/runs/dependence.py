"""What the jobs of a run depend on besides the files that they read, as text: a job is repeated when it changes.

A text tells what a job makes of the settings and of rows of tables, and nothing that it does not use; so neither a
further row nor a further key with a default repeats anything.
"""

import hashlib
import inspect
import json
from collections.abc import Callable
from functools import cache
from typing import Any

from lottery.arms.lineage import Maker
from lottery.arms.masks import Pruned
from lottery.arms.starts import Ingredients
from lottery.datasets.sources import Source
from lottery.pruning.criteria import CRITERIA
from lottery.runs.jobs import Job
from lottery.runs.lines import Line
from lottery.settings import Settings

INDIFFERENT = {"threads_per_job", "trainings_per_card", "checkpoint_seconds"}
"""Keys of an experiment that change no result."""


def depends_on(job: Job, verb: Maker) -> str:
    """What one step of a training job depends on."""
    return json.dumps(TOLD[verb](job), sort_keys=True)


def of_seeds(job: Job) -> list[str | int]:
    return [job.settings.seed, job.seed_name]


def of_network(job: Job) -> str:
    """A short hash of the network's steps."""
    return short(repr(job.network))


def of_start(job: Job) -> list[Any]:
    """What starting weights are made by: the arm's kind of start and its code."""
    initialisation = job.experiment.initialisation.canonical_json()
    kind: Any = type(job.arm.start)
    start = [repr(job.arm.start), code(kind), code(Ingredients)]
    return [of_seeds(job), of_network(job), initialisation, *start, job.draws]


def of_pruning(job: Job) -> list[Any]:
    """How many weights are kept of each group, and by which criterion."""
    criterion = CRITERIA[job.arm.criterion]
    counts = [[*group, count] for group, count in job.counts.items()]
    told = code(criterion.score) if criterion.score else criterion.scorer
    seeds = [of_seeds(job)] if job.arm.criterion == "random" else []
    return [of_network(job), counts, told, *seeds, *of_order(job)]


def of_order(job: Job) -> list[str]:
    """Which scores stay, where it is not the largest."""
    return ["inverted"] if isinstance(job.arm.mask, Pruned) and job.arm.mask.inverted else []


def of_scores(job: Job) -> list[Any]:
    criterion = CRITERIA[job.arm.criterion]
    counts = [[*group, count] for group, count in job.counts.items()]
    told = [*of_images(job), criterion.scorer]
    told += [counts, *of_order(job)] if criterion.counts else []
    return told + (of_start(job) if criterion.learnt else [])


def of_images(job: Job) -> list[Any]:
    """The images and the training recipe."""
    return [of_seeds(job), of_network(job), job.experiment.dataset, job.training.canonical_json()]


def of_training(job: Job) -> list[Any]:
    own = job.arm.batches if job.arm.batches != "shared" else ""
    untrained = ["never trained"] * (not job.arm.trained)
    return [*of_images(job), job.draws, job.first_iteration, job.snapshots, own, *untrained]


TOLD: dict[Maker, Callable[[Job], list[Any]]] = {
    "initialize": of_start,
    "rewind": of_start,
    "make-control": lambda job: [*of_start(job), repr(job.arm.mask)],
    "prune": of_pruning,
    "score": of_scores,
    "train": of_training,
}


def of_line(line: Line) -> str:
    """What the error along a line depends on: the pair, the points and images, and the recipe."""
    measured = line.job.experiment.interpolation
    return json.dumps([repr(line.pair), measured.points, measured.images, *of_images(line.job)], sort_keys=True)


def of_dataset(data: Source) -> str:
    """What a prepared dataset depends on: its raw files, known by their checksums, and how they are read."""
    files: list[Any] = [[file.name, file.sha256, file.bytes] for file in data.files]
    if data.folder:
        files = [data.folder.sha256, data.folder.test_share]
    return json.dumps([data.format, data.classes, sorted(data.shapes.items()), files])


def of_results(settings: Settings) -> str:
    """All settings that results depend on."""
    apart = {"data_mirror": True, "keep": True, "datasets": {"__all__": {"folder"}}}
    return settings.canonical_json(exclude={**apart, "experiments": {"__all__": INDIFFERENT}})


@cache
def code(thing: Callable[..., Any] | type) -> str:
    """A short hash of the source of a function or class."""
    return short(inspect.getsource(thing))


def short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
