"""The arms: one row says where an arm's mask and its starting weights come from. Rules, figures and claims read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.errors import LotteryError
from lottery.networks import Network
from lottery.pruning.allocation import Counts, ladder, linear_ladder
from lottery.pruning.criteria import magnitude
from lottery.pruning.selection import keep_largest_of
from lottery.settings import Pruning, suggest

MaskSource = Literal["pruned step by step", "pruned at once", "of another arm", "random", "none"]
Start = Literal["rewound", "reinitialised", "initialised"]


@dataclass(frozen=True)
class Arm:
    """One way to obtain (mask, starting weights) at a level.

    mask: `pruned step by step` removes the smallest trained magnitudes of the arm's level before, `pruned at once`
    those of the dense network. `of another arm` is that arm's mask at the same level. `random` keeps as many weights
    in each layer as the other arm's mask, anywhere. `none` is a dense network.
    start: `rewound` is the mask times the initialisation, `reinitialised` the mask times a fresh sample,
    `initialised` a fresh sample alone.
    of: the arm whose mask is taken or imitated.
    linear: levels are equal steps of the dense network instead of shares of what is left.
    """

    name: str
    mask: MaskSource
    start: Start
    of: str = ""
    linear: bool = False

    @property
    def samples(self) -> bool:
        """Whether the arm draws anew, so that it can have several draws for each ticket."""
        return self.start == "reinitialised" or self.mask == "random"

    def counts(self, network: Network, pruning: Pruning, level: int) -> Counts:
        """Weights kept in each group of layers at a level."""
        return (linear_ladder if self.linear else ladder)(network, pruning, level)


ARMS = {
    arm.name: arm
    for arm in [
        Arm("iterative", "pruned step by step", "rewound"),
        Arm("iterative-reinit", "of another arm", "reinitialised", of="iterative"),
        Arm("one-shot", "pruned at once", "rewound"),
        Arm("one-shot-reinit", "of another arm", "reinitialised", of="one-shot"),
        Arm("one-shot-linear", "pruned at once", "rewound", linear=True),
        Arm("one-shot-linear-reinit", "of another arm", "reinitialised", of="one-shot-linear", linear=True),
        Arm("random", "random", "rewound", of="iterative"),
        Arm("small-dense", "none", "initialised"),
    ]
}


def arm(name: str) -> Arm:
    """The arm of this name. Raises LotteryError for an unknown one."""
    if name not in ARMS:
        raise LotteryError(f"arm: unknown arm {name!r}{suggest(name, ARMS)}")
    return ARMS[name]


def prune(weights: Mapping[str, NDArray], mask: Mapping[str, NDArray] | None, counts: Counts) -> Arrays:
    """The smaller mask that keeps `counts` of each group's weights, those of largest magnitude.

    weights: trained weights [*shape]; mask: uint8 [*shape] of the survivors, None when all survive.
    """
    smaller: Arrays = {}
    for group, count in counts.items():
        scores = {name: magnitude(weights[name]) for name in group}
        kept = {name: np.ones(scores[name].shape, np.uint8) if mask is None else mask[name] for name in group}
        smaller |= keep_largest_of(scores, kept, count)
    return smaller


def rewind(checkpoint: Mapping[str, NDArray], mask: Mapping[str, NDArray]) -> Arrays:
    """Survivors at their value in `checkpoint`, bit for bit, pruned weights at +0, all other parameters untouched."""
    return {
        name: np.where(mask[name], values, np.zeros((), values.dtype)) if name in mask else values
        for name, values in checkpoint.items()
    }


def random_mask(mask: Mapping[str, NDArray], random: np.random.Generator) -> Arrays:
    """A mask with as many ones in each layer as `mask`, every placement equally likely."""
    placed = {}
    for name, layer in mask.items():
        placed[name] = np.zeros(layer.shape, np.uint8)
        placed[name].flat[random.permutation(layer.size)[: np.count_nonzero(layer)]] = 1
    return placed
