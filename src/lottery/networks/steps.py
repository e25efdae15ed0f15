"""Networks as steps: names, shapes, weight counts, initial values. Engines know how they compute."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.settings import Initialisation

Role = Literal["conv", "shortcut", "dense", "output"]
"""What a layer is for pruning; `shortcut` is a convolution beside the body of a residual block."""

Operation = Literal["relu", "max-pool", "average-pool", "flatten", "dropout"]
"""What has no parameters: max(x, 0); the maxima of 2 x 2 squares, a last odd row or column left out; the mean of each
channel; images as rows; while training, a share of the numbers set to 0 and the others enlarged to make up for it.
"""


GLOROT = Initialisation()
"""The paper's."""

CUT = 2.0
"""Standard deviations at which a truncated normal distribution ends."""

AFTER_CUT = 0.8796256610342398
"""What is left of the standard deviation after that."""


@dataclass(frozen=True)
class Layer:
    """A layer with weights W and, if `has_bias`, biases b: `W x + b`, or a convolution if `kernel` is not 0.

    W is [outputs, inputs], of a convolution [outputs, inputs, kernel, kernel]. Zeros around an image keep its size; of
    the results, every `stride`-th row and column is taken.
    """

    name: str
    role: Role
    inputs: int
    outputs: int
    kernel: int = 0
    stride: int = 1
    has_bias: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights."""
        return (self.outputs, self.inputs) + (self.kernel, self.kernel) * (self.kernel > 0)

    @property
    def weights(self) -> int:
        return math.prod(self.shape)

    def deviation(self, initialisation: Initialisation = GLOROT) -> float:
        """Standard deviation of the initial weights.

        Of Glorot's it is sqrt(2 / (numbers that feed a unit + units that it feeds)), of Kaiming He's sqrt(2 / numbers
        that feed a unit).
        """
        if initialisation.sd is not None:
            return initialisation.sd
        feeding = self.inputs + (0 if initialisation.weights == "kaiming-normal" else self.outputs)
        return math.sqrt(2 / (feeding * math.prod(self.shape[2:])))

    @property
    def weight_name(self) -> str:
        return f"{self.name}.weight"

    @property
    def bias_name(self) -> str:
        return f"{self.name}.bias"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every array, by name."""
        return {self.weight_name: self.shape} | ({self.bias_name: (self.outputs,)} if self.has_bias else {})

    def initial(self, random: np.random.Generator, initialisation: Initialisation) -> Arrays:
        """Fresh weights and, if it has them, biases."""
        draw = truncated_normal if initialisation.weights == "truncated-glorot-normal" else standard_normal
        arrays = {self.weight_name: np.float32(self.deviation(initialisation)) * draw(random, self.shape)}
        if self.has_bias:
            arrays[self.bias_name] = np.zeros(self.outputs, dtype=np.float32)
            if initialisation.biases == "uniform":
                bound = 1 / math.sqrt(self.inputs * math.prod(self.shape[2:]))
                arrays[self.bias_name] = random.uniform(-bound, bound, self.outputs).astype(np.float32)
        return arrays


@dataclass(frozen=True)
class Normalization:
    """Batch normalisation of a convolution's channels (Ioffe & Szegedy, 2015), with arrays named as in torch.

    A channel has the mean and variance of its batch in training, the running ones in evaluation; then it is scaled by
    `weight` and moved by `bias`.
    """

    name: str
    channels: int

    @property
    def statistics(self) -> tuple[str, str]:
        """Names of the running mean and variance, which training records and no gradient moves."""
        return f"{self.name}.running_mean", f"{self.name}.running_var"

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every array, by name."""
        return dict.fromkeys((f"{self.name}.weight", f"{self.name}.bias", *self.statistics), (self.channels,))

    def initial(self, _: np.random.Generator, __: Initialisation) -> Arrays:
        """Scale 1, shift 0, mean 0, variance 1."""
        ones = {f"{self.name}.weight", self.statistics[1]}
        return {name: np.full(shape, name in ones, dtype=np.float32) for name, shape in self.shapes().items()}


@dataclass(frozen=True)
class Residual:
    """The sum of what `body` and `shortcut` make of the same numbers; without a shortcut, of the body and its input."""

    body: tuple["Step", ...]
    shortcut: tuple["Step", ...] = ()


Step: TypeAlias = Layer | Normalization | Residual | Operation


@dataclass(frozen=True)
class Network:
    """Steps from images to outputs. Layers' weights are prunable and counted; nothing else is (paper, Fig. 2).

    image_shape: (channels, height, width) of what the first step receives, or (inputs,) where it is a row.
    """

    steps: tuple[Step, ...]
    image_shape: tuple[int, ...]

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(step for step in flat(self.steps) if isinstance(step, Layer))

    @property
    def fully_connected(self) -> bool:
        """Whether there are two layers or more and all are, have biases and a ReLU and no other step between any two,
        dropout apart.
        """
        steps = [step for step in self.steps if step not in ("flatten", "dropout")]
        return (
            len(steps) % 2 == 1
            and len(steps) > 1
            and all(isinstance(step, Layer) and not step.kernel and step.has_bias for step in steps[::2])
            and all(step == "relu" for step in steps[1::2])
        )

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @property
    def multiplications(self) -> int:
        """Multiplications that the dense network's layers make for one image on its way to the outputs."""
        return multiplications(self.steps, self.image_shape[1:])[0]

    @property
    def statistics(self) -> list[str]:
        """Names of the arrays that training records and no gradient moves."""
        return [name for step in flat(self.steps) if isinstance(step, Normalization) for name in step.statistics]

    def weight_names(self) -> list[str]:
        return [layer.weight_name for layer in self.layers]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter and running statistic, by name."""
        shapes: dict[str, tuple[int, ...]] = {}
        for step in flat(self.steps):
            shapes |= {} if isinstance(step, str) else step.shapes()
        return shapes

    def initial(self, random: np.random.Generator, initialisation: Initialisation = GLOROT) -> Arrays:
        """Fresh parameters, float32, by name; by default as in the paper (Fig. 2; its code for the biases)."""
        arrays: Arrays = {}
        for step in flat(self.steps):
            arrays |= {} if isinstance(step, str) else step.initial(random, initialisation)
        return arrays


def standard_normal(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
    """float32 [*shape], mean 0, standard deviation 1."""
    return random.standard_normal(shape, dtype=np.float32)


def truncated_normal(random: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
    """The same cut off at CUT before it is widened: what lies beyond is drawn again."""
    numbers = random.standard_normal(shape, dtype=np.float32)
    while (beyond := np.abs(numbers) > CUT).any():
        numbers[beyond] = random.standard_normal(int(beyond.sum()), dtype=np.float32)
    return numbers / np.float32(AFTER_CUT)


def flat(steps: Iterable[Step]) -> Iterator[Layer | Normalization | Operation]:
    """All steps in order, those of a residual block one by one, its body before its shortcut."""
    for step in steps:
        if isinstance(step, Residual):
            yield from flat(step.body)
            yield from flat(step.shortcut)
        else:
            yield step


def multiplications(steps: Iterable[Step], side: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """What layers multiply for one image of this height and width (of a row, nothing), and the size that is left."""
    total = 0
    for step in steps:
        if step == "max-pool":
            side = tuple(length // 2 for length in side)
        elif isinstance(step, Layer):
            side = tuple(-(-length // step.stride) for length in side)
            total += step.weights * (math.prod(side) if step.kernel else 1)
        elif isinstance(step, Residual):
            beside, _ = multiplications(step.shortcut, side)
            within, side = multiplications(step.body, side)
            total += beside + within
    return total, side
