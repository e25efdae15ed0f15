"""Do the steps of a network fit one another? Every engine takes for granted that they do."""

import math
import re
from collections import Counter
from collections.abc import Iterable

from lottery.errors import LotteryError
from lottery.networks.steps import Layer, Network, Normalization, Residual, Step, flat

PART = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
"""The name of a layer or normalisation, which begins the names of its arrays."""

Shape = tuple[int, ...]


def check_network(network: Network, image_shape: Shape, classes: int) -> None:
    """Raise LotteryError, beginning with the step, unless it makes `classes` numbers of images of this shape."""
    named = [step for step in flat(network.steps) if isinstance(step, Layer | Normalization)]
    for name, count in Counter(step.name for step in named).items():
        if not PART.fullmatch(name):
            raise LotteryError(f"{name!r}: a name must consist of a-z, A-Z, 0-9, _ and -, in parts with a . between")
        if count > 1:
            raise LotteryError(f"{name}: {count} steps have this name")
    if network.image_shape not in (image_shape, (math.prod(image_shape),)):
        raise LotteryError(
            f"image_shape is {network.image_shape}, expected {image_shape}, or ({math.prod(image_shape)},) for rows"
        )
    # What fits is (channels, height, width), or (numbers,) of a row, which "flatten" makes of both.
    ends = through(network.steps, (*network.image_shape, 0) if len(network.image_shape) == 1 else network.image_shape)
    if not network.layers:
        raise LotteryError("has no layer with weights")
    if ends != (classes,):
        raise LotteryError(f"its steps end with {in_words(ends)}, expected {classes} numbers, one for each class")


def through(steps: Iterable[Step], shape: Shape) -> Shape:
    """What steps make of numbers of this shape."""
    for step in steps:
        shape = after(step, shape)
    return shape


def after(step: Step, shape: Shape) -> Shape:
    """What one step makes of numbers of this shape. Raises LotteryError when it takes no such numbers."""
    is_image = len(shape) == 3
    match step:
        case Layer():
            if step.kernel and step.kernel % 2 == 0:
                raise LotteryError(f"{step.name}: kernel {step.kernel} must be odd")
            if min(step.inputs, step.outputs, step.stride) < 1:
                raise LotteryError(f"{step.name}: inputs, outputs and stride must be 1 or more")
            if (len(shape) != (3 if step.kernel else 1)) or shape[0] != step.inputs:
                wanted = f"images of {step.inputs} channels" if step.kernel else f"{step.inputs} numbers"
                raise LotteryError(f"{step.name}: expects {wanted}, gets {in_words(shape)}")
            return (step.outputs, *(-(-side // step.stride) for side in shape[1:]))
        case Normalization():
            if not is_image or shape[0] != step.channels:
                raise LotteryError(f"{step.name}: expects images of {step.channels} channels, gets {in_words(shape)}")
        case Residual():
            body, beside = through(step.body, shape), through(step.shortcut, shape)
            if body != beside:
                raise LotteryError(f"a residual block adds {in_words(body)} and {in_words(beside)}")
            return body
        case "max-pool" | "average-pool":
            if not is_image or (step == "max-pool" and min(shape[1:]) < 2):
                raise LotteryError(f"{step}: expects images, gets {in_words(shape)}")
            return (shape[0], *(side // 2 if step == "max-pool" else 1 for side in shape[1:]))
        case "flatten":
            return (math.prod(shape),) if is_image else shape[:1]
        case "dropout":
            if is_image:
                raise LotteryError(f"dropout: expects a row of numbers, gets {in_words(shape)}")
        case "relu":
            pass
        case _:
            raise LotteryError(f"{step!r} is no step of a network")
    return shape


def in_words(shape: Shape) -> str:
    """A shape for an error."""
    if len(shape) == 3:
        return f"images of {shape[0]} channels, {shape[1]} x {shape[2]}"
    return f"{shape[0]} numbers" if len(shape) == 1 else f'{shape[0]} numbers before "flatten"'
