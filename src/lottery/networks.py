"""Networks as lists of layers: names, shapes, weight counts, initial values. Engines know how they compute."""

import math
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from lottery.arrays import Arrays
from lottery.errors import LotteryError

Role = Literal["dense", "output"]


@dataclass(frozen=True)
class Layer:
    """A fully connected layer `y = W x + b` with W [outputs, inputs]; a ReLU follows unless it is the output layer."""

    name: str
    role: Role
    inputs: int
    outputs: int

    @property
    def weights(self) -> int:
        return self.inputs * self.outputs

    @property
    def weight_name(self) -> str:
        return f"{self.name}.weight"

    @property
    def bias_name(self) -> str:
        return f"{self.name}.bias"


@dataclass(frozen=True)
class Network:
    """A chain of layers. Weights are prunable and counted; biases are neither (paper, Fig. 2)."""

    layers: tuple[Layer, ...]

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    def weight_names(self) -> list[str]:
        return [layer.weight_name for layer in self.layers]

    def initial(self, random: np.random.Generator) -> Arrays:
        """Fresh parameters: Glorot-normal weights (standard deviation sqrt(2 / (inputs + outputs))), zero biases.

        Returns float32 arrays `<layer>.weight` [outputs, inputs] and `<layer>.bias` [outputs].
        """
        arrays: Arrays = {}
        for layer in self.layers:
            deviation = np.float32(math.sqrt(2 / (layer.inputs + layer.outputs)))
            arrays[layer.weight_name] = deviation * random.standard_normal(
                (layer.outputs, layer.inputs), dtype=np.float32
            )
            arrays[layer.bias_name] = np.zeros(layer.outputs, dtype=np.float32)
        return arrays


def fully_connected(widths: list[int]) -> Network:
    """A network of dense layers `fc1`, `fc2`, ..., `output` between the given widths, inputs first."""
    pairs = list(pairwise(widths))
    hidden = [Layer(f"fc{i}", "dense", *pair) for i, pair in enumerate(pairs[:-1], start=1)]
    return Network((*hidden, Layer("output", "output", *pairs[-1])))


def build(name: str, inputs: int, classes: int) -> Network:
    """The network of this name for images of `inputs` numbers. Raises LotteryError for an unknown name."""
    return fully_connected([inputs, *hidden_widths(name), classes])


def hidden_widths(name: str) -> tuple[int, int]:
    """The hidden widths in the name of a LeNet; `lenet-300-100` is the paper's, but any two may stand there."""
    match = re.fullmatch(r"lenet-([1-9]\d*)-([1-9]\d*)", name)
    if not match:
        raise LotteryError(f"network: unknown network {name!r}; known: lenet-300-100, or lenet-A-B with other widths")
    return int(match[1]), int(match[2])


def narrowed(name: str, inputs: int, classes: int, weights: int) -> str:
    """The name of the narrower relative of a network whose number of weights is nearest to `weights`.

    Hidden widths shrink together, to no less than 1; of two equally near the smaller network is taken.
    """
    first, second = hidden_widths(name)
    relatives = [f"lenet-{width}-{max(1, math.floor(second * width / first + 0.5))}" for width in range(1, first + 1)]
    return min(relatives, key=lambda relative: abs(build(relative, inputs, classes).weights - weights))
