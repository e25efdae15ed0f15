"""Is a ticket as accurate as its file says? Its accuracy is computed anew, by the engine that trained it."""

from pathlib import Path

from lottery.arrays import stack
from lottery.datasets.images import Part, read_splits
from lottery.errors import LotteryError
from lottery.settings import Training
from lottery.tickets.compact_file import CompactTicket
from lottery.tickets.file import Description
from lottery.tickets.further import images_for, versions
from lottery.tickets.loading import AnyTicket
from lottery.tickets.ticket import Ticket
from lottery.training.engines import engine_of
from lottery.training.job import processor

ROUNDING = 2
"""Images that another processor, or another version of a package, may put into another class."""


def verify(path: Path, ticket: AnyTicket, dataset: Path) -> str:
    """What was found, in a line. Raises LotteryError where the accuracies told are not those of the weights.

    path: of the ticket; dataset: the prepared dataset that it was trained on.
    """
    return verify_whole(path, ticket, dataset) if isinstance(ticket, Ticket) else verify_compact(path, ticket, dataset)


def verify_compact(path: Path, ticket: CompactTicket, dataset: Path) -> str:
    """Of a compacted ticket: predictions are the same on every processor, but for ROUNDING images."""
    told = ticket.description
    recipe = Training(validation_images=1, batch_size=1, test_images=told.test_images)
    (split,) = read_splits(dataset, recipe, told.seed, [0], ticket.image_shape, len(ticket.class_names))
    test = split.test
    right = int((ticket.predict(test.pixels.reshape(-1, *ticket.image_shape)) == test.labels).sum())
    expected = (told.test_accuracy or 0) * len(test)
    if abs(right - expected) > ROUNDING:
        raise LotteryError(
            f"{path}: test accuracy is told as {told.test_accuracy}, the weights have {right / len(test)} on {dataset}"
        )
    apart = round(abs(right - expected))
    beside = f" but for {apart} images, rounded otherwise" if apart else ""
    return (
        f"{path}: {told.test_accuracy:.2%} of {len(test):,} test images, as told{beside}; the ticket that it was made"
        f" of {told.ticket_accuracy:.2%}"
    )


def verify_whole(path: Path, ticket: Ticket, dataset: Path) -> str:
    """Of a ticket: they must be the same numbers where the processor and all versions are those of the training;
    elsewhere ROUNDING images may be told otherwise.
    """
    told = ticket.description
    recipe = told.training
    images = images_for(told, recipe, dataset)
    if len(images.test) != told.test_images:
        raise LotteryError(f"{path}: speaks of {told.test_images} test images, {dataset} has {len(images.test)}")
    engine = engine_of(ticket.network, recipe)
    engine.one_thread()
    made = engine.Engine(
        ticket.network, stack([ticket.weights]), stack([ticket.mask]), engine.resident([images], recipe), recipe
    )
    same = told.processor == processor() and told.versions == versions(engine.PACKAGES)
    expected: dict[Part, float] = {"test": told.test_accuracy, "train": told.train_accuracy}
    apart = 0
    for part, accuracy in expected.items():
        found, count = float(made.evaluate(part)[1][0]), len(images.parts[part])
        images_apart = round(abs(found - accuracy) * count)
        if found != accuracy and (same or images_apart > ROUNDING):
            raise LotteryError(
                f"{path}: {part} accuracy is told as {accuracy}, the weights have {found} on {dataset}:"
                f" {images_apart or 'less than one'} of {count} images apart (trained with {trained_with(told)})"
            )
        apart += images_apart
    beside = "" if not apart else f" but for {apart} images, rounded otherwise than by {trained_with(told)}"
    return (
        f"{path}: {told.test_accuracy:.2%} of {len(images.test):,} test images, {told.train_accuracy:.2%} of the"
        f" training images, as told{beside}"
    )


def trained_with(description: Description) -> str:
    """Engine, versions and processor of a ticket's training."""
    packages = ", ".join(f"{name} {number}" for name, number in description.versions.items())
    return ", ".join(filter(None, [f"engine {description.engine}", packages, description.processor]))
