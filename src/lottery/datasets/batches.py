"""Which training images make up each batch."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Batches = Callable[[int, int], NDArray]
"""(first, last) -> int64 [last - first, batch_size]: the images of the updates first, ..., last - 1, counted from 0."""


def shuffled_batches(images: int, batch_size: int, epoch_random: Callable[[int], np.random.Generator]) -> Batches:
    """Batches from the endless row of the training set's images, shuffled anew for every epoch.

    Every image comes once an epoch and every batch is full: one that begins at the end of an epoch is filled from the
    next. `epoch_random(epoch)` gives the epoch's generator, so any stretch can be had without the ones before it.
    """

    @lru_cache(maxsize=2)  # a stretch is much shorter than an epoch
    def shuffled(epoch: int) -> NDArray:
        return epoch_random(epoch).permutation(images)

    def between(first: int, last: int) -> NDArray:
        begin, end = first * batch_size, last * batch_size
        epochs = range(begin // images, -(-end // images))
        row = np.concatenate([shuffled(epoch) for epoch in epochs])
        offset = begin - epochs.start * images
        return row[offset : offset + end - begin].reshape(last - first, batch_size)

    return between
