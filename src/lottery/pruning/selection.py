"""Which weights stay: exactly as many as asked, ties broken by index."""

import numpy as np
from numpy.typing import NDArray

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
    order = np.argsort(-values, kind="stable")
    kept = np.zeros(mask.size, dtype=np.uint8)
    kept[survivors[order[:count]]] = 1
    return kept.reshape(mask.shape)
