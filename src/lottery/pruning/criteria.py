"""What scores: the weights with the largest scores are kept. A criterion's own code is what an edit of it repeats.

Each function takes the survivors' weights and initial weights of a layer, float32 [survivors], and a generator, and
gives their scores, [survivors]. Sources: Zhou et al. (1905.01067), section 3, but for the paper's own, the first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


def magnitude(weights: NDArray, _: NDArray, __: np.random.Generator) -> NDArray:
    """|w|, whatever the sign: the paper's criterion."""
    return np.abs(weights)


def initial_magnitude(_: NDArray, initial: NDArray, __: np.random.Generator) -> NDArray:
    """How far the weight was from 0 before training."""
    return np.abs(initial)


def magnitude_increase(weights: NDArray, initial: NDArray, _: np.random.Generator) -> NDArray:
    """How much further from 0 it is than before training."""
    return np.abs(weights) - np.abs(initial)


def movement(weights: NDArray, initial: NDArray, _: np.random.Generator) -> NDArray:
    """How far it moved."""
    return np.abs(weights - initial)


def both_large(weights: NDArray, initial: NDArray, _: np.random.Generator) -> NDArray:
    """The lower of its two ranks, by magnitude before and after training; of equal magnitudes the later ranks lower."""

    def rank(values: NDArray) -> NDArray:
        order = np.argsort(-np.abs(values), kind="stable")
        ranks = np.empty(values.size, np.int64)
        ranks[order] = np.arange(values.size, 0, -1)
        return ranks

    return np.minimum(rank(weights), rank(initial))


def same_sign(weights: NDArray, initial: NDArray, _: np.random.Generator) -> NDArray:
    """|w| where it kept its sign, else 0."""
    return np.maximum(weights * np.sign(initial), 0)


def random(weights: NDArray, _: NDArray, generator: np.random.Generator) -> NDArray:
    """Uniform numbers."""
    return generator.random(weights.size)


Scorer = Literal["sensitivity", "gradient-flow", "synaptic-flow", "supermask", "edge-popup"]
"""What computes scores that a job writes to a file: `training.scores` has a function for each."""


@dataclass(frozen=True)
class Criterion:
    """One way to score weights.

    score: the function, of what weights alone tell; None where a job of its own writes the scores: `scorer` says which.
    compares: whether it looks at the initial weights. counts: whether the scores depend on how many weights are to be
    kept. learnt: whether they are learnt on the weights that the pruned network will have, as long as a training.
    """

    score: Callable[[NDArray, NDArray, np.random.Generator], NDArray] | None = None
    compares: bool = False
    scorer: Scorer | None = None
    counts: bool = False
    learnt: bool = False

    @property
    def in_file(self) -> bool:
        return self.score is None


CRITERIA = {
    "magnitude": Criterion(magnitude),
    "initial-magnitude": Criterion(initial_magnitude, compares=True),
    "magnitude-increase": Criterion(magnitude_increase, compares=True),
    "movement": Criterion(movement, compares=True),
    "both-large": Criterion(both_large, compares=True),
    "same-sign": Criterion(same_sign, compares=True),
    "random": Criterion(random),
    # |w dL/dw| (Lee et al., 1810.02340): what removing the weight changes of the loss, to first order.
    "sensitivity": Criterion(scorer="sensitivity"),
    # What removing the weight takes from the gradient's flow (GraSP: Wang et al., 2002.07376), and its share of all
    # paths from inputs to outputs, of those left after each of many prunings (SynFlow: Tanaka et al., 2006.05467).
    "gradient-flow": Criterion(scorer="gradient-flow"),
    "synaptic-flow": Criterion(scorer="synaptic-flow", counts=True),
    # Scores that are learnt while the weights stay as they are (Zhou et al.; Ramanujan et al., 1911.13299).
    "supermask": Criterion(scorer="supermask", counts=True, learnt=True),
    "edge-popup": Criterion(scorer="edge-popup", counts=True, learnt=True),
}
