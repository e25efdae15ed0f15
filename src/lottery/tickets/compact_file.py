"""The file of a compacted ticket, for use alone, and the ticket in it.

Of each layer's weights only those that are left are stored: `<name>:values`, float32 or float16, and `<name>:gaps` or
`<name>:bits`, where they stand (`packed`); biases as they are; of selections `<name>:gaps` or `<name>:bits`. Two texts:
`format`, and `ticket`, JSON. Reading one, and predicting with a fully connected network, imports neither PyTorch nor
pandas, pydantic or Numba.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lottery.arrays import Arrays, read_arrays_with_texts, write_arrays
from lottery.errors import LotteryError, printable
from lottery.tickets.images import as_rows
from lottery.tickets.packed import pack, scattered, unpack
from lottery.tickets.runtime import ChainLayer, One, Runtime

if TYPE_CHECKING:
    from lottery.tickets.torch_module import TicketModule

FORMAT = "lottery compact ticket 1"

Shape = tuple[int, ...]

Moments = tuple[NDArray, NDArray]
"""Mean and standard deviation [numbers of an image], of standardised images."""


@dataclass(frozen=True)
class CompactDescription:
    """What a compacted ticket is and how well it does.

    steps: the network, as `tickets.steps` reads it; seen: the shape that its first step receives; scaling: the input
    scaling that is left to be done; source: the network of a run that it was made from, and which of its weights.
    Accuracies are shares of the run's test images (`test_images` of them, chosen by `seed`; None: all): that of this
    file, and that of the ticket as it was.
    """

    network: str
    steps: list[Any]
    seen: list[int]
    image_shape: list[int]
    class_names: list[str]
    scaling: str
    dataset: str
    seed: int
    test_images: int | None
    test_accuracy: float | None
    ticket_accuracy: float
    weights: int
    source: str


TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("network", "scaling", "dataset", "source"), (str,)),
    **dict.fromkeys(("steps", "seen", "image_shape", "class_names"), (list,)),
    **dict.fromkeys(("seed", "weights"), (int,)),
    "test_images": (int, type(None)),
    "test_accuracy": (float, type(None)),
    "ticket_accuracy": (float,),
}

MOST_NUMBERS = 2**28
"""Of a compacted network with its zeros, which take memory that the file does not."""

SCALINGS = ("unit", "standardised", "image-norm", "image-standardised", "bytes")


def parsed_description(text: str) -> CompactDescription:
    """Raises LotteryError for anything that is no description."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        raise LotteryError("its description is not JSON") from None
    names = [field.name for field in fields(CompactDescription)]
    if not isinstance(told, dict) or set(told) != set(names):
        raise LotteryError(f"its description must tell {', '.join(names)}")
    for name, types in TYPES.items():
        if type(told[name]) not in types:
            raise LotteryError(f"its description: {name} must be {types[0].__name__}, not {told[name]!r}"[:160])
    description = CompactDescription(**told)
    for name in ("seen", "image_shape"):
        sides = told[name]
        if not all(type(side) is int and 0 < side < 2**16 for side in sides) or len(sides) not in (1, 2, 3):
            raise LotteryError(f"its description: {name} must be the shape of an image, not {sides!r}"[:160])
    texts = [*description.class_names, description.network, description.dataset, description.source]
    if len(description.class_names) < 2 or not all(isinstance(each, str) and each.isprintable() for each in texts):
        raise LotteryError("its description: names must be printable texts, of two classes or more")
    if description.scaling not in SCALINGS:
        raise LotteryError(f"its description: scaling must be one of {', '.join(SCALINGS)}")
    if not math.prod(description.seen) == math.prod(description.image_shape) <= MOST_NUMBERS:
        raise LotteryError("its description: seen and image_shape are of different numbers, or of too many")
    return description


@dataclass(frozen=True)
class Chain:
    """A fully connected network as data: layers by name with their inputs and outputs, and what the first one reads."""

    layers: list[tuple[str, int, int]]
    selection: tuple[str, int, int] | None


def chain_of(description: CompactDescription) -> Chain | None:
    """The chain that steps tell; None where they are anything else."""
    layers: list[tuple[str, int, int]] = []
    selection, expected, last = None, math.prod(description.seen), None
    for step in description.steps:
        if step == "flatten" and not layers:
            continue
        if step == "relu" and last == "layer":
            last = "relu"
            continue
        if not isinstance(step, dict):
            return None
        name, inputs = step.get("name"), step.get("inputs")
        if step.get("kind") == "select" and not layers and not selection and inputs == expected:
            kept = step.get("kept")
            if type(kept) is not int or not isinstance(name, str) or not 0 < kept <= expected:
                return None
            selection, expected = (name, inputs, kept), kept
        elif step.get("kind") == "layer" and step.get("kernel") == 0 and inputs == expected and last != "layer":
            outputs = step.get("outputs")
            if type(outputs) is not int or not isinstance(name, str) or not 0 < outputs < 2**31:
                return None
            if step.get("has_bias") is not True:
                return None
            layers.append((name, inputs, outputs))
            expected, last = outputs, "layer"
        else:
            return None
    fits = last == "layer" and expected == len(description.class_names)
    names = [name for name, _, _ in layers]
    return Chain(layers, selection) if fits and len(set(names)) == len(names) else None


class CompactTicket:
    """A ticket made smaller, for use alone: `predict`, `logits`, `predict_one`, `to_torch`.

    weights: float32 arrays [*shape] of the smaller network, by name, and the places of its selections, int64.
    """

    def __init__(self, description: CompactDescription, weights: Arrays, moments: Moments | None) -> None:
        self.description = description
        self.weights = weights
        self.moments = moments
        for values in weights.values():
            values.flags.writeable = False

    @property
    def class_names(self) -> list[str]:
        return self.description.class_names

    @property
    def image_shape(self) -> Shape:
        """(height, width) or (channels, height, width) of the images that it takes."""
        return tuple(self.description.image_shape)

    @cached_property
    def runtime(self) -> Runtime | None:
        """What computes a fully connected network; None for others, which PyTorch computes."""
        chain = chain_of(self.description)
        if not chain or self.description.scaling != "unit":
            return None
        pixels = math.prod(self.image_shape)
        layers = [
            ChainLayer(self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]) for name, _, _ in chain.layers
        ]
        places = self.weights[f"{chain.selection[0]}.places"] if chain.selection else np.arange(pixels)
        return Runtime(layers, places, pixels)

    def predict(self, images: ArrayLike, *, threads: int = 1) -> NDArray:
        """The class of each image, int64 [images]: a place in `class_names`.

        images: uint8 [images, *image_shape], or floats of that shape from 0 to 1, which are bytes / 255. threads: how
        many compute a fully connected network. Raises LotteryError for anything else.
        """
        rows = as_rows(images, self.image_shape)
        if self.runtime:
            return self.runtime.run(rows, threads)[1]
        return self.logits(images).argmax(1)

    def logits(self, images: ArrayLike, *, threads: int = 1) -> NDArray:
        """The outputs before the softmax, float32 [images, classes]; images and threads as for `predict`."""
        rows = as_rows(images, self.image_shape)
        if self.runtime:
            return self.runtime.run(rows, threads)[0]
        from lottery.tickets.torch_module import logits_of

        return logits_of(self._module, rows, self.image_shape, len(self.class_names))

    @cached_property
    def predict_one(self) -> One:
        """A function from one image, uint8 [*image_shape], to its class: the shortest way, not for threads at once.

        Raises LotteryError for a network that is not fully connected.
        """
        if not self.runtime:
            raise LotteryError(f"{self.description.network}: only fully connected networks predict one image by itself")
        return One(self.runtime, self.image_shape)

    @cached_property
    def _module(self) -> "TicketModule":
        return self.to_torch()

    def to_torch(self) -> "TicketModule":
        """The smaller network as a `torch.nn.Module`, in evaluation mode.

        It takes images bytes / 255, float32 [images, *image_shape], and gives the outputs before the softmax.
        """
        from lottery.tickets.steps import steps_of
        from lottery.tickets.torch_module import Scaling, to_torch

        told = self.description
        places = {name: values for name, values in self.weights.items() if name.endswith(".places")}
        arrays = {name: values for name, values in self.weights.items() if name not in places}
        scaling = Scaling(told.scaling, self.moments)
        return to_torch(steps_of(told.steps), tuple(told.seen), scaling, arrays, {}, places)


def shapes_in(description: CompactDescription) -> tuple[dict[str, Shape], dict[str, tuple[int, int]]]:
    """The shapes of the arrays of a compacted network, and for each selection how many of how many numbers it takes."""
    chain = chain_of(description)
    if chain:
        shapes: dict[str, Shape] = {}
        for name, inputs, outputs in chain.layers:
            shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
        picked = [chain.selection] if chain.selection else []
        return shapes, {f"{name}.places": (kept, inputs) for name, inputs, kept in picked}
    from lottery.tickets.steps import Select, check_compact, shapes_of, steps_of

    steps = steps_of(description.steps)
    check_compact(steps, tuple(description.seen), len(description.class_names))
    picks = {step.places_name: (step.kept, step.inputs) for step in steps if isinstance(step, Select)}
    return shapes_of(steps), picks


def write_compact(path: Path, ticket: CompactTicket, *, half: bool) -> None:
    """Write a compacted ticket. half: weights in float16. Raises LotteryError for weights that float16 cannot hold."""
    arrays: Arrays = {}
    shapes, picks = shapes_in(ticket.description)
    for name, (_, inputs) in picks.items():
        form, packed = pack(ticket.weights[name], inputs)
        arrays[f"{name}:{form}"] = packed
    for name, shape in shapes.items():
        values = ticket.weights[name]
        if len(shape) == 1:
            arrays[name] = values
            continue
        places = np.flatnonzero(values)
        form, packed = pack(places, values.size)
        kept = values.ravel()[places]
        with np.errstate(over="ignore"):
            arrays[f"{name}:values"] = kept.astype(np.float16) if half else kept
        if not np.isfinite(arrays[f"{name}:values"]).all():
            raise LotteryError(f"{path}: {name} holds weights too large for float16; leave out --half")
        arrays[f"{name}:{form}"] = packed
    if ticket.moments:
        channels = ticket.image_shape[0] if len(ticket.image_shape) == 3 else 1
        for name, numbers in zip(("mean", "deviation"), ticket.moments, strict=True):
            arrays[f"input:{name}"] = numbers.reshape(channels, -1)[:, 0]
    text = json.dumps(asdict(ticket.description), separators=(",", ":"))
    write_arrays(path, arrays, {"format": FORMAT, "ticket": text})


def read_compact(path: Path) -> CompactTicket:
    """The compacted ticket in a file. Raises LotteryError, naming the file, for one that is damaged or another kind."""
    return compact_in(path, *read_arrays_with_texts(path))


def compact_in(path: Path, arrays: Arrays, texts: Mapping[str, str]) -> CompactTicket:
    """The compacted ticket that arrays and texts of a file tell."""
    try:
        description = parsed_description(texts.get("ticket", ""))
        shapes, picks = shapes_in(description)
        numbers = sum(math.prod(shape) for shape in shapes.values())
        if numbers > MOST_NUMBERS:
            raise LotteryError(f"its network has {numbers:,} numbers, more than the {MOST_NUMBERS:,} that are taken")
        weights = dict(unpacked(arrays, shapes, picks))
        moments = moments_in(arrays, description)
    except LotteryError as error:
        raise LotteryError(f"{path}: {error}") from None
    known = {name.partition(":")[0] for name in arrays} - {*shapes, *picks, "input"}
    if known:
        raise LotteryError(f"{path}: the array {printable(min(known))} should not be there")
    return CompactTicket(description, weights, moments)


def unpacked(
    arrays: Arrays, shapes: Mapping[str, Shape], picks: Mapping[str, tuple[int, int]]
) -> list[tuple[str, NDArray]]:
    """The arrays of a network from those of its file."""
    found = []
    for name, (kept, inputs) in picks.items():
        found.append((name, unpack(*places_in(arrays, name), inputs, kept)))
    for name, shape in shapes.items():
        if len(shape) == 1:
            check_arrays_of(arrays, name, np.float32, shape)
            found.append((name, arrays[name].copy()))
            continue
        values = arrays.get(f"{name}:values")
        if values is None or values.ndim != 1 or values.dtype not in (np.float32, np.float16):
            raise LotteryError(f"the array {name}:values is missing, or not float32 or float16 in one row")
        if not np.isfinite(values).all():
            raise LotteryError(f"{name}:values holds numbers that are not finite")
        places = unpack(*places_in(arrays, name), math.prod(shape), len(values))
        found.append((name, scattered(shape, places, values)))
    return found


def places_in(arrays: Arrays, name: str) -> tuple[str, NDArray]:
    """In which form the places of an array are stored, and these."""
    for form in ("gaps", "bits"):
        if f"{name}:{form}" in arrays:
            return form, arrays[f"{name}:{form}"]
    raise LotteryError(f"the array {name}:gaps, or {name}:bits, is missing")


def check_arrays_of(arrays: Arrays, name: str, kind: type[np.generic], shape: Shape) -> None:
    """Raise LotteryError unless there is an array of this name, type and shape, of finite numbers."""
    given = arrays.get(name)
    if given is None or given.dtype != kind or given.shape != shape:
        told = "is missing" if given is None else f"is {given.dtype} {list(given.shape)}"
        raise LotteryError(f"the array {name} {told}, expected {np.dtype(kind)} {list(shape)}")
    if not np.isfinite(given).all():
        raise LotteryError(f"{name} holds numbers that are not finite")


def moments_in(arrays: Arrays, description: CompactDescription) -> Moments | None:
    """Mean and standard deviation [numbers of an image] of standardised images."""
    if description.scaling != "standardised":
        return None
    shape = description.image_shape
    channels = shape[0] if len(shape) == 3 else 1
    for name in ("input:mean", "input:deviation"):
        check_arrays_of(arrays, name, np.float32, (channels,))
    if not (arrays["input:deviation"] > 0).all():
        raise LotteryError("input:deviation holds numbers that are not above 0")
    size = math.prod(shape) // channels
    return np.repeat(arrays["input:mean"], size), np.repeat(arrays["input:deviation"], size)
