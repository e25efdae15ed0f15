"""Where an arm's masks come from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lottery.arms.operations import shuffled
from lottery.arms.places import DENSE
from lottery.arrays import Arrays
from lottery.networks import Network
from lottery.pruning.allocation import Counts, ladder, linear_ladder
from lottery.settings import Pruning

Scored = Literal["the level before", "the dense network", "the initial weights"]


@dataclass(frozen=True)
class Pruned:
    """Weights of the largest scores stay, or of the smallest.

    scores: the criterion, a row of `pruning.criteria`.
    of: whose weights are scored: those trained at the arm's level before, among its survivors (at level 1 the dense
    network's), those of the trained dense network at once, or the initial weights, before any training.
    linear: levels are equal steps of the dense network instead of shares of what is left.
    inverted: the smallest scores stay.
    whole: the arm of the whole network whose weights are scored first; of several draws the first.
    """

    scores: str = "magnitude"
    of: Scored = "the level before"
    linear: bool = False
    inverted: bool = False
    whole: str = DENSE

    def counts(self, network: Network, pruning: Pruning, level: int) -> Counts:
        """Weights kept in each group of layers at a level."""
        return (linear_ladder if self.linear else ladder)(network, pruning, level)


@dataclass(frozen=True)
class Borrowed:
    """The mask of another arm at the same level."""

    arm: str
    samples = False

    def of(self, ticket: Arrays, _: np.random.Generator) -> Mapping[str, NDArray]:
        """The mask made from that of the other arm, each uint8 [*shape]."""
        return ticket

    def __str__(self) -> str:
        return f"{self.arm}'s mask"


@dataclass(frozen=True)
class Shuffled:
    """As many weights in each layer as another arm's mask keeps at the same level, at random places."""

    arm: str
    samples = True

    def of(self, ticket: Arrays, random: np.random.Generator) -> Mapping[str, NDArray]:
        """The mask made from that of the other arm, each uint8 [*shape]."""
        return shuffled(ticket, random)

    def __str__(self) -> str:
        return "as many weights at random places"


@dataclass(frozen=True)
class Transferred(Borrowed):
    """The mask of an arm of another experiment, which the settings name: `from_experiment`."""

    def __str__(self) -> str:
        return f"{self.arm}'s mask of another experiment"


@dataclass(frozen=True)
class Moved(Transferred):
    """That mask on the experiment's own start, so that nothing but the mask is the other experiment's."""

    def __str__(self) -> str:
        return f"{self.arm}'s mask of another experiment's start"


@dataclass(frozen=True)
class Aligned(Moved):
    """The same with hidden units in another order: that in which the other experiment's trained dense network is most
    alike to this one's (`matching`).
    """

    def __str__(self) -> str:
        return f"{self.arm}'s mask of another experiment's start, its units matched"


@dataclass(frozen=True)
class Whole:
    """No mask: all weights are trained. as_small_as: the arm than whose ticket the network is not larger, by width."""

    as_small_as: str = ""


Imitated = Borrowed | Shuffled
"""Masks made from another arm's."""

Mask = Pruned | Imitated | Whole
