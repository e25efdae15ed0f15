"""What is done to masks and weights of one network: prune, rewind, shuffle."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.pruning.allocation import Counts
from lottery.pruning.selection import keep_largest_of


def prune(scores: Mapping[str, NDArray], mask: Mapping[str, NDArray] | None, counts: Counts) -> Arrays:
    """The smaller mask that keeps `counts` of each group's weights, those of the largest scores.

    scores: [*shape] of every weight array; mask: uint8 [*shape] of the survivors, None when all survive.
    """
    smaller: Arrays = {}
    for group, count in counts.items():
        of_group = {name: scores[name] for name in group}
        kept = {name: np.ones(scores[name].shape, np.uint8) if mask is None else mask[name] for name in group}
        smaller |= keep_largest_of(of_group, kept, count)
    return smaller


def scores_of_weights(
    score: Callable[[NDArray, NDArray, np.random.Generator], NDArray],
    weights: Mapping[str, NDArray],
    initial: Mapping[str, NDArray],
    mask: Mapping[str, NDArray] | None,
    names: list[str],
    random: np.random.Generator,
) -> Arrays:
    """The scores [*shape] of every weight array of these names; those of weights pruned before are 0.

    score: the criterion, from the survivors' weights and initial weights, each [survivors], to their scores.
    """
    scores: Arrays = {}
    for name in names:
        kept = np.ones(weights[name].shape, bool) if mask is None else mask[name] > 0
        values = score(weights[name][kept], initial[name][kept], random)
        scores[name] = np.zeros(kept.shape, values.dtype)
        scores[name][kept] = values
    return scores


def rewind(checkpoint: Mapping[str, NDArray], mask: Mapping[str, NDArray]) -> Arrays:
    """Survivors at their value in `checkpoint`, bit for bit, pruned weights at +0, all other parameters untouched."""
    return {
        name: np.where(mask[name], values, np.zeros((), values.dtype)) if name in mask else values
        for name, values in checkpoint.items()
    }


def shuffled(mask: Mapping[str, NDArray], random: np.random.Generator) -> Arrays:
    """A mask with as many ones in each layer as `mask`, every placement equally likely."""
    placed = {}
    for name, layer in mask.items():
        placed[name] = np.zeros(layer.shape, np.uint8)
        placed[name].flat[random.permutation(layer.size)[: np.count_nonzero(layer)]] = 1
    return placed


def random_signs(random: np.random.Generator, like: NDArray) -> NDArray:
    """Numbers of random sign, float32, in the shape of others."""
    return random.integers(2, size=like.shape).astype(np.float32) - np.float32(0.5)
