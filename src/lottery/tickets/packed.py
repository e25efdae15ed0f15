"""Places of the weights that are left, in as few bytes as a layer needs. Imports nothing but NumPy.

Places are counted through a whole array, row by row. Either a bit for each place (`bits`, from eight weights in each
sixty-four on about the smaller one), or the gap from one weight to the next, in one byte or two (`gaps`): the number of
places between them, where the largest number that fits stands for so many places without a weight, and more follows.
"""

import math

import numpy as np
from numpy.typing import NDArray

from lottery.errors import LotteryError

GAPS = (np.uint8, np.uint16)


def pack(places: NDArray, size: int) -> tuple[str, NDArray]:
    """The name and the array of the smallest form of rising places, int64, in an array of so many numbers."""
    forms = [("gaps", gaps_of(places, kind)) for kind in GAPS]
    forms.append(("bits", np.packbits(np.isin(np.arange(size), places, assume_unique=True))))
    return min(forms, key=lambda form: form[1].nbytes)


def gaps_of(places: NDArray, kind: type[np.unsignedinteger]) -> NDArray:
    """Places as gaps of this type."""
    most = int(np.iinfo(kind).max)
    between = np.diff(places, prepend=-1) - 1
    steps, rest = np.divmod(between, most)
    packed = np.full(len(places) + int(steps.sum()), most, kind)
    packed[np.cumsum(steps + 1) - 1] = rest
    return packed


def unpack(form: str, packed: NDArray, size: int, count: int | None = None) -> NDArray:
    """The places, int64. Raises LotteryError where there are not `count` (if given), or some lie beyond the array."""
    if form == "bits":
        if packed.dtype != np.uint8 or packed.shape != (-(-size // 8),):
            raise LotteryError(f"bits of {size} places are {packed.dtype} {list(packed.shape)}")
        places = np.flatnonzero(np.unpackbits(packed, count=size))
    else:
        if packed.dtype not in GAPS or packed.ndim != 1:
            raise LotteryError(f"gaps are {packed.dtype} {list(packed.shape)}, expected uint8 or uint16 in one row")
        most = np.iinfo(packed.dtype).max
        further = packed == most
        ends = np.cumsum(np.where(further, most, packed.astype(np.int64) + 1))
        places = ends[~further] - 1
    if len(places) and places[-1] >= size:
        raise LotteryError(f"a place {places[-1]} lies beyond an array of {size} numbers")
    if count is not None and len(places) != count:
        raise LotteryError(f"{len(places)} places for {count} weights")
    return places


def scattered(shape: tuple[int, ...], places: NDArray, values: NDArray) -> NDArray:
    """The array, float32, with values at places and 0 elsewhere."""
    found = np.zeros(math.prod(shape), np.float32)
    found[places] = values
    return found.reshape(shape)
