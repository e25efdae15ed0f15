"""Files of the parameters and masks of a job's members, checked against the network that they belong to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from lottery.arrays.files import Arrays, check_arrays, read_arrays
from lottery.errors import LotteryError, printable


class HasArrays(Protocol):
    """A network: the shape of every parameter and running statistic, and the names of those that can be pruned."""

    def shapes(self) -> Mapping[str, tuple[int, ...]]: ...

    def weight_names(self) -> list[str]: ...


def read_parameters(path: Path, network: HasArrays, members: int) -> Arrays:
    """float32 [members, *shape] of every parameter.

    Raises LotteryError when the file holds anything else, or numbers that are not finite.
    """
    arrays = read_arrays(path)
    check_parameters(path, arrays, network, members)
    return arrays


def check_parameters(path: Path, arrays: Arrays, network: HasArrays, members: int) -> None:
    """Raise LotteryError, naming the file, unless these are all parameters of the members, and finite numbers."""
    check_arrays(path, arrays, np.float32, {name: (members, *shape) for name, shape in network.shapes().items()})
    check_finite(path, arrays)


def check_finite(path: Path, arrays: Arrays) -> None:
    """Raise LotteryError, naming the file, unless all numbers are finite."""
    for name, values in arrays.items():
        lost = ~np.isfinite(values)
        if lost.any():
            first = [int(index[0]) for index in np.nonzero(lost)]
            raise LotteryError(
                f"{path}: {name} holds {int(lost.sum())} numbers that are not finite, the first at {first}"
            )


def read_mask(path: Path, network: HasArrays, members: int) -> Arrays:
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


def read_scores(path: Path, network: HasArrays, members: int) -> Arrays:
    """float32 [members, *shape] of every weight: its score.

    Raises LotteryError when the file holds anything else, or numbers that are not finite.
    """
    arrays, shapes = read_arrays(path), network.shapes()
    check_arrays(path, arrays, np.float32, {name: (members, *shapes[name]) for name in network.weight_names()})
    check_finite(path, arrays)
    return arrays


SEPARATOR = ":"
"""Between a moment and a parameter's name."""


def named_snapshots(snapshots: Mapping[int, Arrays]) -> Arrays:
    """The arrays of a file of snapshots: those of each iteration under names such as `100:fc1.weight`."""
    return {
        f"{iteration}{SEPARATOR}{name}": values
        for iteration, arrays in snapshots.items()
        for name, values in arrays.items()
    }


def read_snapshot(path: Path, iteration: int, network: HasArrays, members: int) -> Arrays:
    """float32 [members, *shape] of every parameter at an iteration, from a file of snapshots.

    Raises LotteryError when the file has none of that iteration, or as `read_parameters` does.
    """
    begins = f"{iteration}{SEPARATOR}"
    arrays = read_arrays(path)
    for name in arrays:
        if not name.partition(SEPARATOR)[0].isdecimal():
            raise LotteryError(f"{path}: the array {printable(name)} should not be there; names begin as in {begins}")
    found = {name.removeprefix(begins): values for name, values in arrays.items() if name.startswith(begins)}
    if not found:
        known = ", ".join(sorted({name.partition(SEPARATOR)[0] for name in arrays}, key=int)) or "none"
        raise LotteryError(f"{path}: holds no weights of iteration {iteration}; it holds those of: {known}")
    check_parameters(path, found, network, members)
    return found
