"""Which weights stay: exactly as many as asked, ties broken by index."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.errors import LotteryError


def keep_largest(scores: NDArray, mask: NDArray, count: int) -> NDArray:
    """The mask of the `count` largest scores among the weights that `mask` still keeps.

    scores: any shape; mask: uint8 of that shape. Equal scores: the lower index (in C order) is kept.
    Returns a uint8 mask with exactly `count` ones, all of them inside `mask`.
    Raises LotteryError when `count` exceeds the survivors or a survivor's score is not a number.
    """
    survivors = np.flatnonzero(mask)
    if not 0 <= count <= survivors.size:
        raise LotteryError(f"cannot keep {count} of {survivors.size} remaining weights")
    values = scores.reshape(-1)[survivors]
    if np.isnan(values).any():
        raise LotteryError("cannot prune: a score is not a number (did the training diverge?)")
    kept = np.zeros(mask.size, dtype=np.uint8)
    if count:
        # No sorting, which takes seconds for millions of weights: only the least score that stays must be known.
        least = np.partition(values, values.size - count)[values.size - count]
        above = values > least
        ties = np.flatnonzero(values == least)[: count - np.count_nonzero(above)]
        kept[survivors[above]] = 1
        kept[survivors[ties]] = 1
    return kept.reshape(mask.shape)


def keep_largest_of(scores: Mapping[str, NDArray], mask: Mapping[str, NDArray], count: int) -> Arrays:
    """`keep_largest` among several arrays together; of equal scores the earlier array's, then the lower index stays."""
    values, survivors = (np.concatenate([each[name].reshape(-1) for name in scores]) for each in (scores, mask))
    ends = np.cumsum([each.size for each in scores.values()])
    kept = np.split(keep_largest(values, survivors, count), ends[:-1])
    return {name: part.reshape(scores[name].shape) for name, part in zip(scores, kept, strict=True)}
