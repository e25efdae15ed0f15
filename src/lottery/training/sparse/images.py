"""Images for the kernels: their bytes, and for pixel layers their pixels that are not 0."""

# mypy: disable-error-code="no-untyped-def"

from functools import cached_property
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lottery.datasets.images import Images
from lottery.errors import LotteryError
from lottery.training.sparse.machine import LINE, prefetch
from lottery.training.sparse.transpose import COLUMNS, place_columns
from lottery.training.sparse.vectors import WIDTH


class Pixels(NamedTuple):
    """Images by their pixels that are not 0; those of image n stand at start[n], ..., start[n + 1] - 1."""

    start: NDArray  # int64 [images + 1]
    pixel: NDArray  # uint16 [non-zero pixels]
    byte: NDArray  # uint8 [non-zero pixels]; three bytes a pixel, since reading images at random is bound by memory
    number: NDArray  # float [256], what the network sees of each byte


PIXEL = np.uint16
"""Of the index of a pixel."""


class Forms:
    """Images in every form that an engine may ask for."""

    def __init__(self, images: Images, dtype: type[np.floating]) -> None:
        """Raises LotteryError for images of more numbers than a pixel's index can tell apart."""
        numbers, most = images.pixels.shape[1], np.iinfo(PIXEL).max + 1
        if numbers > most:
            raise LotteryError(f"an image has {numbers} numbers, engine sparse takes up to {most}: set engine: torch")
        self.label = images.labels
        self.scale = dtype(1 / 255)
        self.bytes = np.ascontiguousarray(images.pixels)

    @cached_property
    def columns(self) -> NDArray:
        """uint8 [images, pixels], padded with zeros to whole groups of columns."""
        missing = -self.bytes.shape[1] % COLUMNS
        return np.pad(self.bytes, [(0, 0), (0, missing)]) if missing else self.bytes

    @cached_property
    def pixels(self) -> Pixels:
        """The pixels that are not 0."""
        groups = self.bytes.view(np.uint64) if self.bytes.shape[1] % 8 == 0 else self.bytes
        count = int(np.count_nonzero(self.bytes))
        start = np.zeros(len(self.label) + 1, np.int64)
        pixel, byte = np.empty(count, PIXEL), np.empty(count, np.uint8)
        list_pixels(self.bytes, groups, start, pixel, byte)
        return Pixels(start, pixel, byte, np.arange(256, dtype=type(self.scale)) * self.scale)

    @cached_property
    def lit(self) -> float:
        """How many of an image's pixels are not 0, on average."""
        return np.count_nonzero(self.bytes) / len(self.label)


class SparseImages(NamedTuple):
    """One part of the images: where they stand among all that are kept in these forms."""

    forms: Forms
    rows: NDArray  # int64 [images]
    label: NDArray  # int64 [all images]


def no_columns() -> NDArray:
    """What stands for the columns that a layer by pixel does not read."""
    return np.zeros((0, 0), np.uint8)


def no_pixels(dtype: type[np.floating]) -> Pixels:
    """What stands for the pixels that a sparse layer does not read."""
    return Pixels(np.zeros(1, np.int64), np.zeros(0, PIXEL), np.zeros(0, np.uint8), np.zeros(256, dtype))


@njit(cache=True, nogil=True)
def list_pixels(bytes_, groups, start, pixel, byte):
    """Fill the arrays of Pixels from bytes [images, pixels].

    `groups` are the same bytes as larger numbers, so that most zeros are passed over many at a time.
    """
    size = bytes_.shape[1] // groups.shape[1]
    place = 0
    for image in range(bytes_.shape[0]):
        for group in range(groups.shape[1]):
            if groups[image, group]:
                for here in range(size * group, size * (group + 1)):
                    if bytes_[image, here]:
                        pixel[place] = here
                        byte[place] = bytes_[image, here]
                        place += 1
        start[image + 1] = place


@njit(cache=True, nogil=True)
def place_images(columns, rows, first, slot, scale, offsets, inputs):
    """Write the images listed from rows[first] on into a tile of inputs; lanes left over repeat the first image.

    slot: int32 [columns], where each pixel's vector stands in `inputs`. offsets: int64 [64], written here.
    """
    width = columns.shape[1]
    for lane in range(WIDTH):
        offsets[lane] = width * rows[first + lane if first + lane < rows.size else first]
    flat = columns.reshape(columns.size)
    for column in range(0, width, COLUMNS):
        place_columns(inputs, slot, column, flat, offsets, scale)


@njit(cache=True, nogil=True)
def ask_for(columns, rows):
    """Let the memory send the images that come next, which lie anywhere in it."""
    flat, width = columns.reshape(columns.size), columns.shape[1]
    for row in rows:
        for place in range(width * row, width * (row + 1), LINE):
            prefetch(flat, place)
