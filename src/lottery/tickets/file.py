"""The file of a ticket: one safetensors file that says all of itself.

Arrays: `weights:<name>`, float32, every parameter after training; `mask:<name>`, uint8, of every layer's weights, 1
where they are kept; `start:<name>`, float32, every parameter at the rewind point, pruned weights 0; of standardised
images `input:mean` and `input:deviation`, float32 [numbers of an image]. Two texts: `format`, and `ticket`, a
`Description` as JSON.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lottery.arrays import Arrays, check_arrays, read_arrays_with_texts, write_arrays
from lottery.arrays.weights import check_finite
from lottery.errors import LotteryError, printable
from lottery.networks import Network
from lottery.randomness import Seed
from lottery.settings import NAME, Initialisation, Pruning, Training
from lottery.tickets.loading import TICKET
from lottery.tickets.steps import MOST_NUMBERS, network_of

Moment = Literal["final", "early-stop"]
"""Which weights of a training: those at its end, or those of its least validation loss."""

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=NAME)]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]*$", max_length=1000)]
"""A text that a terminal shows as it is."""


class Told(BaseModel):
    """What a file says; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Spread(Told):
    """Test accuracy over the replicates of the same arm, level and draw, at the same moment of their trainings."""

    replicates: Count
    mean: Share
    sd: float | None
    least: Share
    most: Share


class Description(Told):
    """What a ticket is, where it comes from and how well it does.

    steps: the network, as `tickets.steps` reads it; seen: the shape that its first step receives; image_shape: that of
    the dataset's images. iteration: of the weights; first_iteration: of the start, the rewind point. dataset_sha256:
    the raw files; parents: the files that this one was made from, by SHA-256. Accuracies are fractions of the images.
    """

    run: Name
    experiment: Name
    arm: Line
    level: Count
    replicate: Count
    draw: Count
    moment: Moment
    iteration: Count
    first_iteration: Count
    network: Line
    steps: list[Any]
    seen: list[Count]
    dataset: Name
    dataset_sha256: dict[Line, Line]
    image_shape: list[Count]
    class_names: Annotated[list[Line], Field(min_length=2)]
    training: Training
    initialisation: Initialisation
    pruning: Pruning
    seed: Count
    seed_name: Name
    batches: Literal["shared", "own"]
    test_images: Count
    test_accuracy: Share
    train_accuracy: Share
    test_accuracies: Spread | None
    engine: Line
    processor: Line
    versions: dict[Line, Line]
    git_commit: Line | None
    parents: dict[Line, Line]

    def network_described(self) -> Network:
        """The network, checked. Raises LotteryError where the steps are none."""
        shape, seen = tuple(self.image_shape), tuple(self.seen)
        if len(shape) not in (2, 3) or len(seen) not in (1, 3) or not 0 < np.prod(shape, dtype=object) < MOST_NUMBERS:
            raise LotteryError(f"image_shape {self.image_shape} and seen {self.seen} must be shapes of an image")
        return network_of(self.steps, shape, seen, len(self.class_names))

    def seeds(self) -> Seed:
        return Seed(self.seed, self.seed_name, self.replicate)


class TicketFile(BaseModel):
    """The content of a ticket's file: its description, its network, and arrays [*shape] by name of a parameter."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    description: Description
    network: Network
    weights: Arrays
    mask: Arrays
    start: Arrays
    moments: tuple[Any, Any] | None = None


PARTS = ("weights", "mask", "start")


def write_ticket(path: Path, ticket: TicketFile) -> None:
    """Write a ticket; equal tickets give equal bytes."""
    arrays = {f"{part}:{name}": values for part in PARTS for name, values in getattr(ticket, part).items()}
    if ticket.moments:
        arrays |= {"input:mean": ticket.moments[0], "input:deviation": ticket.moments[1]}
    write_arrays(path, arrays, {"format": TICKET, "ticket": ticket.description.model_dump_json()})


def read_ticket(path: Path) -> TicketFile:
    """Read a ticket. Raises LotteryError, naming the file, for one that is damaged, or of another kind."""
    return ticket_in(path, *read_arrays_with_texts(path))


def ticket_in(path: Path, arrays: Arrays, texts: Mapping[str, str]) -> TicketFile:
    """The ticket that arrays and texts of a file tell."""
    check_format(path, texts)
    description = read_description(path, texts)
    try:
        network = description.network_described()
    except LotteryError as error:
        raise LotteryError(f"{path}: {error}") from None
    shapes = network.shapes()
    expected = {f"{part}:{name}": shape for part in ("weights", "start") for name, shape in shapes.items()}
    expected |= {f"mask:{name}": shapes[name] for name in network.weight_names()}
    standardised = description.training.input_scaling == "standardised"
    numbers = (int(np.prod(description.image_shape)),)
    expected |= {"input:mean": numbers, "input:deviation": numbers} if standardised else {}
    types: Mapping[str, type[np.generic]] = {
        name: np.uint8 if name.startswith("mask:") else np.float32 for name in expected
    }
    check_arrays(path, arrays, types, expected)
    check_finite(path, arrays)
    parts = {
        part: {name: arrays[f"{part}:{name}"] for name in (network.weight_names() if part == "mask" else shapes)}
        for part in PARTS
    }
    for name, kept in parts["mask"].items():
        if (kept > 1).any():
            raise LotteryError(f"{path}: mask:{name} holds {kept.max()}; a mask holds 0 (pruned) and 1 (kept)")
        for part in ("weights", "start"):
            if parts[part][name][kept == 0].any():
                raise LotteryError(f"{path}: {part}:{name} has pruned weights that are not 0")
    moments = (arrays["input:mean"], arrays["input:deviation"]) if standardised else None
    if moments and not (moments[1] > 0).all():
        raise LotteryError(f"{path}: input:deviation holds numbers that are not above 0")
    return TicketFile(description=description, network=network, moments=moments, **parts)


def check_format(path: Path, texts: Mapping[str, str]) -> None:
    """Raise LotteryError, naming the file, unless its text `format` is that of a ticket."""
    found = texts.get("format")
    if found != TICKET:
        told = f"its format is {printable(found)!r}" if found else "it says no format"
        raise LotteryError(f"{path}: is no whole ticket: {told}, expected {TICKET!r}, as `lottery export` writes it")


def read_description(path: Path, texts: Mapping[str, str]) -> Description:
    """The description in a ticket's texts. Raises LotteryError naming the file and what in it is wrong."""
    try:
        return Description.model_validate_json(texts.get("ticket", ""))
    except ValidationError as error:
        problem = error.errors()[0]
        place = printable(".".join(map(str, problem["loc"])))
        told = printable(problem["msg"])
        raise LotteryError(f"{path}: its description: {': '.join(filter(None, [place, told]))}") from None
