"""The known networks: the paper's LeNet, Conv-2, Conv-4, Conv-6, residual network and VGG."""

import math
import re
from collections.abc import Callable, Sequence
from functools import partial

from lottery.errors import LotteryError
from lottery.networks.steps import Layer, Network, Normalization, Operation, Residual, Role, Step

Shape = tuple[int, ...]

LENET = re.compile(r"lenet-([1-9][0-9]{0,4})-([1-9][0-9]{0,4})")
"""The name of a LeNet, with its two hidden widths, of five digits at most."""


def chain(image_shape: Shape, groups: Sequence[Sequence[int]], hidden: Sequence[int], classes: int) -> Network:
    """Groups of 3 x 3 convolutions of so many channels, each followed by max-pooling, then dense layers.

    Convolutions are called `conv1`, `conv2`, ..., dense layers `fc1`, ..., `output`. A ReLU follows all but the last,
    and after a hidden dense layer is the place of dropout, where a recipe has it.
    """
    steps: list[Step] = []
    extent = image_shape
    convolutions = 0
    for group in groups:
        for outputs in group:
            convolutions += 1
            steps += [Layer(f"conv{convolutions}", "conv", extent[0], outputs, kernel=3), "relu"]
            extent = (outputs, *extent[1:])
        # The maximum before the ReLU is the same number as after it, and leaves the ReLU a quarter of the work.
        steps.insert(-1, "max-pool")
        extent = (extent[0], *(side // 2 for side in extent[1:]))
    steps.append("flatten")
    inputs = math.prod(extent)
    for number, outputs in enumerate(hidden, start=1):
        steps += [Layer(f"fc{number}", "dense", inputs, outputs), "relu", "dropout"]
        inputs = outputs
    return Network((*steps, Layer("output", "output", inputs, classes)), image_shape)


def fully_connected(widths: Sequence[int]) -> Network:
    """A network of dense layers `fc1`, `fc2`, ..., `output` between the given widths, inputs first."""
    return chain((widths[0],), [], widths[1:-1], widths[-1])


def convolutional(groups: Sequence[Sequence[int]], image_shape: Shape, classes: int) -> Network:
    """The paper's Conv-N: groups of convolutions, then two dense layers of 256 (Fig. 2)."""
    return chain(image_shape, groups, [256, 256], classes)


def vgg(groups: Sequence[Sequence[int]], image_shape: Shape, classes: int) -> Network:
    """VGG for small images, as Liu et al. (arXiv 1810.05270) have it and the paper uses it (section 4, App. I).

    Every convolution is normalised and has no bias of its own; max-pooling follows all groups but the last, the mean of
    each channel the last; one dense layer makes the outputs.
    """
    steps: list[Step] = []
    inputs, convolutions = image_shape[0], 0
    for number, group in enumerate(groups, start=1):
        for outputs in group:
            convolutions += 1
            steps += [*normalized(f"conv{convolutions}", f"bn{convolutions}", inputs, outputs), "relu"]
            inputs = outputs
        if number < len(groups):
            steps.insert(-1, "max-pool")
    return Network((*steps, *classifier(inputs, classes)), image_shape)


def residual(widths: Sequence[int], blocks: int, image_shape: Shape, classes: int) -> Network:
    """He et al.'s residual network for small images: a convolution, then so many blocks of two for each width.

    The first block of every width but the first halves the image, and its shortcut is a 1 x 1 convolution with
    normalisation (paper, App. I.1, which counts these weights apart).
    """
    steps: list[Step] = [*normalized("conv1", "bn1", image_shape[0], widths[0]), "relu"]
    inputs = widths[0]
    for stage, outputs in enumerate(widths, start=1):
        for number in range(1, blocks + 1):
            name, stride = f"stage{stage}.block{number}", 2 if stage > 1 and number == 1 else 1
            body: tuple[Step, ...] = (
                *normalized(f"{name}.conv1", f"{name}.bn1", inputs, outputs, stride=stride),
                "relu",
                *normalized(f"{name}.conv2", f"{name}.bn2", outputs, outputs),
            )
            beside = normalized(f"{name}.shortcut", f"{name}.bn3", inputs, outputs, stride=stride, kernel=1)
            steps += [Residual(body, beside if stride > 1 or inputs != outputs else ()), "relu"]
            inputs = outputs
    return Network((*steps, *classifier(inputs, classes)), image_shape)


def normalized(
    name: str, normalization: str, inputs: int, outputs: int, *, stride: int = 1, kernel: int = 3
) -> tuple[Step, Step]:
    """A convolution without biases, which the normalisation after it would undo."""
    role: Role = "shortcut" if kernel == 1 else "conv"
    layer = Layer(name, role, inputs, outputs, kernel=kernel, stride=stride, has_bias=False)
    return layer, Normalization(normalization, outputs)


def classifier(channels: int, classes: int) -> tuple[Operation, Operation, Layer]:
    """The mean of each channel, then the outputs."""
    return "average-pool", "flatten", Layer("output", "output", channels, classes)


CONVOLUTIONS = {
    "conv-2": [[64, 64]],
    "conv-4": [[64, 64], [128, 128]],
    "conv-6": [[64, 64], [128, 128], [256, 256]],
}
"""Channels of the groups of convolutions of the paper's Conv-2, Conv-4 and Conv-6 (Fig. 2)."""

NETWORKS: dict[str, Callable[[Shape, int], Network]] = {
    **{name: partial(convolutional, groups) for name, groups in CONVOLUTIONS.items()},
    # The paper calls it Resnet-18; it has 20 layers with weights (open_lth: cifar_resnet_20).
    "resnet-20": partial(residual, [16, 32, 64], 3),
    "resnet-8": partial(residual, [16, 32, 64], 1),
    "vgg-16": partial(vgg, [[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3]),
    "vgg-19": partial(vgg, [[64] * 2, [128] * 2, [256] * 4, [512] * 4, [512] * 4]),
}
"""Networks for images by name: functions from (channels, height, width) and the number of classes."""


def build(name: str, image_shape: Shape, classes: int) -> Network:
    """The network of this name for images of this shape: (height, width), (channels, height, width) or (inputs,).

    Raises LotteryError for an unknown name.
    """
    if name in NETWORKS:
        return NETWORKS[name](image_shape if len(image_shape) == 3 else (1, *image_shape), classes)
    return fully_connected([math.prod(image_shape), *hidden_widths(name), classes])


def known_name(name: str) -> bool:
    """Whether there is a network of this name."""
    return name in NETWORKS or bool(LENET.fullmatch(name))


def hidden_widths(name: str) -> tuple[int, int]:
    """The hidden widths in the name of a LeNet; `lenet-300-100` is the paper's, but any two may stand there."""
    match = LENET.fullmatch(name)
    if not match:
        known = ", ".join(["lenet-300-100", "lenet-A-B with other widths", *NETWORKS])
        raise LotteryError(f"network: unknown network {name!r}; known: {known}")
    return int(match[1]), int(match[2])


def narrowed(name: str, image_shape: Shape, classes: int, weights: int) -> str:
    """The name of the narrower relative of a LeNet whose number of weights is nearest to `weights`.

    Hidden widths shrink together, to no less than 1; of two equally near the smaller network is taken. Raises
    LotteryError for other networks.
    """
    if name in NETWORKS:
        raise LotteryError(f"network: {name} has no narrower relatives, which only lenet-A-B has")
    first, second = hidden_widths(name)
    relatives = [f"lenet-{width}-{max(1, math.floor(second * width / first + 0.5))}" for width in range(1, first + 1)]
    return min(relatives, key=lambda relative: abs(build(relative, image_shape, classes).weights - weights))
