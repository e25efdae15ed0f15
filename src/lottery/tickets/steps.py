"""A network as data: its steps as JSON, read back and checked. Nothing of it is ever run as code."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

from lottery.errors import LotteryError, printable
from lottery.networks import Layer, Network, Normalization, Residual, check_network
from lottery.networks.checks import Shape, after, in_words
from lottery.networks.steps import Operation, Role, Step, flat


@dataclass(frozen=True)
class Select:
    """Of a row of numbers, those that a compacted network reads: `kept` of `inputs`, named by an array of places.

    The array `<name>.places`, int64 [kept], holds them, rising.
    """

    name: str
    inputs: int
    kept: int

    @property
    def places_name(self) -> str:
        return f"{self.name}.places"


CompactStep = Step | Select

SMALL = 1e-5
"""What normalisations add to a variance, as in the engine `torch`."""

MOST_NUMBERS = 2**31
"""Numbers of an image, and weights of a layer, that a file may speak of."""


def as_data(steps: Iterable[CompactStep]) -> list[Any]:
    """Steps as JSON has them: operations by name, layers and normalisations with all that they say of themselves."""
    told: list[Any] = []
    for step in steps:
        match step:
            case Residual():
                told.append({"body": as_data(step.body), "shortcut": as_data(step.shortcut)})
            case Layer() | Normalization() | Select():
                told.append({"kind": type(step).__name__.lower()} | asdict(step))
            case _:
                told.append(step)
    return told


KINDS: dict[str, type[Layer | Normalization | Select]] = {
    kind.__name__.lower(): kind for kind in (Layer, Normalization, Select)
}


def steps_of(told: Any) -> tuple[CompactStep, ...]:
    """The steps that data tells. Raises LotteryError for anything that is none."""
    if not isinstance(told, list):
        raise LotteryError("network: steps must be a list")
    return tuple(map(step_of, told))


def step_of(told: Any) -> CompactStep:
    """The step that data tells."""
    if isinstance(told, str) and told in get_args(Operation):
        return told  # type: ignore[return-value]
    if isinstance(told, dict) and set(told) == {"body", "shortcut"}:
        body, shortcut = steps_of(told["body"]), steps_of(told["shortcut"])
        return Residual(body, shortcut)  # type: ignore[arg-type]
    if not isinstance(told, dict) or told.get("kind") not in KINDS:
        raise LotteryError(f"network: {printable(repr(told))[:80]} is no step")
    kind = KINDS[told["kind"]]
    values = {name: value for name, value in told.items() if name != "kind"}
    types = {field.name: field.type for field in fields(kind)}
    if set(values) != set(types):
        raise LotteryError(f"network: a {told['kind']} must tell {', '.join(types)}; this one tells {sorted(values)}")
    for name, value in values.items():
        wanted = next((each for each in (int, bool) if types[name] is each), str)
        if type(value) is not wanted or (type(value) is int and not 0 <= value < MOST_NUMBERS):
            raise LotteryError(f"network: {told['kind']}: {name} must be {wanted.__name__}, not {value!r}"[:120])
    if "role" in values and values["role"] not in get_args(Role):
        raise LotteryError(f"network: layer: role must be one of {', '.join(get_args(Role))}")
    return kind(**values)


def network_of(told: Any, image_shape: Shape, seen: Shape, classes: int) -> Network:
    """The network whose steps data tells, checked: seen, the shape that its first step receives."""
    steps = steps_of(told)
    if any(isinstance(step, Select) for step in flat(steps)):  # type: ignore[arg-type]
        raise LotteryError("network: a ticket's network selects nothing")
    network = Network(steps, seen)  # type: ignore[arg-type]
    try:
        check_network(network, image_shape if len(image_shape) == 3 else (1, *image_shape), classes)
    except LotteryError as error:
        raise LotteryError(f"network: {error}") from None
    return network


def shapes_of(steps: Iterable[CompactStep]) -> dict[str, Shape]:
    """The shape of every array of these steps but the places of selections, by name."""
    shapes: dict[str, Shape] = {}
    for step in flat(steps):  # type: ignore[arg-type]
        if not isinstance(step, str | Select):
            shapes |= step.shapes()
    return shapes


def check_compact(steps: Iterable[CompactStep], seen: Shape, classes: int) -> None:
    """Raise LotteryError unless the steps of a compacted network make `classes` numbers of what they see."""
    shape = (*seen, 0) if len(seen) == 1 else seen
    for step in steps:
        if isinstance(step, Select):
            if shape not in ((step.inputs,), (step.inputs, 0)) or not 0 < step.kept <= step.inputs:
                raise LotteryError(f"network: {step.name} selects {step.kept} of {step.inputs}, gets {in_words(shape)}")
            shape = (step.kept,)
        else:
            shape = after(step, shape)
    if shape != (classes,):
        raise LotteryError(f"network: its steps end with {in_words(shape)}, expected {classes} numbers")


def kept_multiplications(steps: Iterable[CompactStep], image_shape: Shape, kept: Mapping[str, int]) -> dict[str, int]:
    """Multiplications for one image by layer, where only weights that are kept are multiplied.

    kept: weights that each layer keeps, by the name of the array. A weight of a convolution is multiplied once for each
    place of its output, the zeros around an image counted as any other number.
    """
    found: dict[str, int] = {}

    def walk(steps: Iterable[CompactStep], side: Shape) -> Shape:
        for step in steps:
            if step == "max-pool":
                side = tuple(length // 2 for length in side)
            elif step == "average-pool":
                side = tuple(1 for _ in side)
            elif isinstance(step, Layer):
                side = tuple(-(-length // step.stride) for length in side)
                found[step.weight_name] = kept[step.weight_name] * (math.prod(side) if step.kernel else 1)
            elif isinstance(step, Residual):
                walk(step.shortcut, side)
                side = walk(step.body, side)
        return side

    walk(steps, tuple(image_shape[1:]))
    return found
