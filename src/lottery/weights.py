"""Files of a stack's parameters and masks, checked against the network that they belong to."""

from pathlib import Path

import numpy as np

from lottery.arrays import Arrays, check_arrays, read_arrays
from lottery.errors import LotteryError
from lottery.networks import Network


def read_parameters(path: Path, network: Network, members: int) -> Arrays:
    """float32 [members, *shape] of every parameter.

    Raises LotteryError when the file holds anything else, or numbers that are not finite.
    """
    arrays = read_arrays(path)
    check_arrays(path, arrays, np.float32, {name: (members, *shape) for name, shape in network.shapes().items()})
    for name, values in arrays.items():
        lost = ~np.isfinite(values)
        if lost.any():
            place = tuple(int(index[0]) for index in np.nonzero(lost))
            raise LotteryError(
                f"{path}: {name} holds {int(lost.sum())} numbers that are not finite, the first at {list(place)}"
            )
    return arrays


def read_mask(path: Path, network: Network, members: int) -> Arrays:
    """uint8 [members, *shape] of every weight, 1 where it is kept and 0 where it is pruned.

    Raises LotteryError when the file holds anything else.
    """
    arrays = read_arrays(path)
    shapes = network.shapes()
    check_arrays(path, arrays, np.uint8, {name: (members, *shapes[name]) for name in network.weight_names()})
    for name, kept in arrays.items():
        if (kept > 1).any():
            raise LotteryError(f"{path}: {name} holds {kept.max()}; a mask holds 0 (pruned) and 1 (kept)")
    return arrays
