"""Which training images make up each batch, and how each of them is seen."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Stretches = Callable[[int, int], NDArray]
"""(first, last) -> [last - first, batch_size, ...]: what the updates first, ..., last - 1 take, counted from 0."""

EpochRandom = Callable[[int], np.random.Generator]
"""The generator of an epoch."""

MARGIN = 4
"""Zeros around an image of which a part of its own size is cut out (paper, App. I)."""


def shuffled_batches(images: int, batch_size: int, epoch_random: EpochRandom) -> Stretches:
    """The images of each batch, int64 [updates, batch_size], in an order shuffled anew for every epoch.

    Every image comes once an epoch and every batch is full: one that begins at the end of an epoch is filled from the
    next.
    """
    return stretches(images, batch_size, lambda epoch: epoch_random(epoch).permutation(images))


def random_views(images: int, batch_size: int, epoch_random: EpochRandom) -> Stretches:
    """How each image of a batch is seen, uint8 [updates, batch_size, 3]: 1 if mirrored, and the row and the column at
    which it is cut out of the image with a margin of zeros.
    """

    def views(epoch: int) -> NDArray:
        random, places = epoch_random(epoch), 2 * MARGIN + 1
        return np.stack([random.integers(choices, size=images, dtype=np.uint8) for choices in (2, places, places)], 1)

    return stretches(images, batch_size, views)


def stretches(images: int, batch_size: int, of_epoch: Callable[[int], NDArray]) -> Stretches:
    """Any stretch of an endless row without those before it; `of_epoch(epoch)` is an epoch's part, [images, ...]."""
    part = lru_cache(maxsize=2)(of_epoch)  # a stretch is much shorter than an epoch

    def between(first: int, last: int) -> NDArray:
        begin, end = first * batch_size, last * batch_size
        epochs = range(begin // images, -(-end // images))
        row = np.concatenate([part(epoch) for epoch in epochs])
        offset = begin - epochs.start * images
        return row[offset : offset + end - begin].reshape(last - first, batch_size, *row.shape[1:])

    return between
