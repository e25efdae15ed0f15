"""Training a ticket outside the workflow: again from its start, or on from where it is."""

import logging
import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from lottery import __version__
from lottery.arrays import of_member, stack
from lottery.datasets.catalog import SOURCES, class_names
from lottery.datasets.images import Split, check_prepared, read_splits
from lottery.datasets.sources import Source
from lottery.errors import LotteryError
from lottery.settings import Training
from lottery.settings.reading import explain
from lottery.tickets.file import Description, Moment, TicketFile
from lottery.training.alone import data_of
from lottery.training.engines import engine_name, engine_of
from lottery.training.job import file_digest, git_commit, processor
from lottery.training.loop import Course, Diverged

log = logging.getLogger(__name__)

Origin = Literal["start", "weights"]
"""What training begins from: the start, at the rewind point and with its schedule from there; or the trained weights,
with the schedule from its beginning and the batches of the next level.
"""

SECONDS_BETWEEN_LINES = 5.0


def changed(recipe: Training, changes: Mapping[str, Any]) -> Training:
    """A recipe with other values, checked; those that are None stay. Raises LotteryError naming the key."""
    given = {name: value for name, value in changes.items() if value is not None}
    try:
        return Training.model_validate(recipe.model_dump() | given)
    except ValidationError as error:
        raise LotteryError("; ".join(explain(error))) from None


def train(
    path: Path, ticket: TicketFile, dataset: Path, recipe: Training, origin: Origin, moment: Moment
) -> TicketFile:
    """The ticket trained on a prepared dataset, under its mask, by the engine that trains it in the workflow.

    On the dataset of its run, by its recipe and from its start, the weights are the run's own, bit for bit, where
    processor and versions are the same. path: of the ticket. Raises LotteryError where the images are of another kind,
    or the training diverges.
    """
    told = ticket.description
    images = images_for(told, recipe, dataset)
    again = origin == "start"
    begun = ticket.start if again else ticket.weights
    first = told.first_iteration if again else 0
    if first >= recipe.iterations:
        raise LotteryError(f"iterations: {recipe.iterations} must be more than {first}, where its training begins")
    engine = engine_of(ticket.network, recipe)
    engine.one_thread()
    made = engine.Engine(
        ticket.network, stack([begun]), stack([ticket.mask]), engine.resident([images], recipe), recipe
    )
    own = told.draw if told.batches == "own" else None
    data = data_of(told.seeds(), recipe, told.level + (not again), len(images.train), own)
    course = Course(made, [data], recipe, first)
    to_the_end(course)
    (record,) = course.records
    result = record.result
    if result.diverged_iteration is not None:
        raise LotteryError(diverged(result.diverged_iteration))
    final = moment == "final"
    test = result.test_accuracy_final if final else result.test_accuracy_at_early_stop
    train_accuracy = result.train_accuracy_final if final else result.train_accuracy_at_early_stop
    description = Description.model_validate(
        told.model_dump()
        | of_dataset(told, dataset)
        | {
            "moment": moment,
            "iteration": recipe.iterations if final else result.early_stop_iteration,
            "first_iteration": first,
            "training": recipe.model_dump(),
            "test_images": len(images.test),
            "test_accuracy": test,
            "train_accuracy": train_accuracy,
            "test_accuracies": None,
            "engine": engine_name(ticket.network, recipe),
            "processor": processor(),
            "versions": versions(engine.PACKAGES),
            "git_commit": git_commit(),
            "parents": {path.name: file_digest(path)},
        }
    )
    weights = record.trained if final else of_member(course.best_parameters, 0)
    return ticket.model_copy(update={"description": description, "weights": weights, "start": begun})


def to_the_end(course: Course) -> None:
    """Train and measure, with a line in the log now and then."""
    total, said = course.recipe.iterations, time.monotonic()
    log.info("training from iteration %d to %d", course.first, total)
    while not course.finished:
        try:
            course.advance()
        except Diverged as problem:
            raise LotteryError(diverged(problem.iteration)) from None
        if time.monotonic() - said >= SECONDS_BETWEEN_LINES:
            said = time.monotonic()
            log.info("iteration %d of %d", course.iteration, total)
    course.measure()


def diverged(iteration: int) -> str:
    return f"training diverged: at iteration {iteration} its loss is not a number; lower --learning-rate"


def images_for(told: Description, recipe: Training, dataset: Path) -> Split:
    """The images of a prepared dataset that train and measure the ticket: as many, chosen as those of its run."""
    shape, classes = tuple(told.image_shape), len(told.class_names)
    try:
        (split,) = read_splits(dataset, recipe, told.seed, [told.replicate], shape, classes)
    except LotteryError as error:
        raise LotteryError(str(error) if str(error).startswith(str(dataset)) else f"{dataset}: {error}") from None
    return split


def of_dataset(told: Description, dataset: Path) -> dict[str, Any]:
    """What the description of a ticket says of the dataset that it is trained on: a known one by its raw files."""
    name = dataset.stem
    if name in SOURCES and len(told.class_names) == SOURCES[name].classes:
        source = SOURCES[name]
        check_prepared(dataset, source)
        return {"dataset": name, "dataset_sha256": checksums(source), "class_names": class_names(source)}
    return {"dataset": name, "dataset_sha256": {dataset.name: file_digest(dataset)}}


def checksums(data: Source) -> dict[str, str]:
    """SHA-256 of a dataset's raw files by name, or of its folder of pictures."""
    folder = {data.folder.path.name: data.folder.sha256} if data.folder else {}
    return {file.name: file.sha256 for file in data.files} | folder


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Python, this package and those whose arithmetic makes the result."""
    own = {"python": platform.python_version(), "lottery-ticket-workflow": __version__}
    return own | {name: version(name) for name in ("numpy", *packages)}
