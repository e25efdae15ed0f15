"""Images as callers have them, checked and laid out as rows. Imports nothing but NumPy."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lottery.errors import LotteryError


def as_rows(images: ArrayLike, image_shape: tuple[int, ...]) -> NDArray:
    """Images as rows, [images, numbers of an image]: uint8 as they are, floats as float32.

    images: uint8 [images, *image_shape], or floats of that shape, which are `bytes / 255` and so from 0 to 1. Raises
    LotteryError for other shapes, types and ranges.
    """
    given = np.asarray(images)
    if given.shape[1:] != image_shape or given.ndim != 1 + len(image_shape):
        wanted = ", ".join(map(str, image_shape))
        one = " (one image is images[None])" if given.shape == image_shape else ""
        raise LotteryError(f"images have the shape {list(given.shape)}, expected [images, {wanted}]{one}")
    rows = given.reshape(len(given), math.prod(image_shape))
    if given.dtype == np.uint8:
        return np.ascontiguousarray(rows)
    if given.dtype.kind != "f":
        raise LotteryError(f"images are {given.dtype}, expected uint8, or floats from 0 to 1 (bytes / 255)")
    if rows.size and not (rows.min() >= 0 and rows.max() <= 1):
        raise LotteryError(
            f"images hold floats from {rows.min():g} to {rows.max():g}, expected 0 to 1 (bytes / 255), or uint8"
        )
    return np.ascontiguousarray(rows, dtype=np.float32)
