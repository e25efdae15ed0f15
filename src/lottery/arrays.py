"""Files of named arrays (safetensors), and files that appear whole or not at all."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from lottery.errors import LotteryError

Arrays = dict[str, NDArray]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on leaving, it becomes `path` in one step.

    When the body raises, `path` stays as it was and the half-written file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    os.close(descriptor)
    aside = Path(name)
    try:
        yield aside
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        mask = os.umask(0)
        os.umask(mask)
        aside.chmod(0o666 & ~mask)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as aside:
        aside.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a UTF-8 text file whole or not at all."""
    write_bytes(path, content.encode())


def write_arrays(path: Path, arrays: Mapping[str, NDArray]) -> None:
    """Write named arrays as safetensors; equal arrays give equal bytes."""
    write_bytes(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def read_arrays(path: Path) -> Arrays:
    """Read named arrays from a safetensors file, sorted by name.

    Raises LotteryError naming the file when it cannot be read.
    """
    try:
        return dict(sorted(load(path.read_bytes()).items()))
    except OSError as error:
        raise LotteryError(f"{path}: cannot be read: {error.strerror}") from None
    except SafetensorError as error:
        raise LotteryError(f"{path}: is not a whole safetensors file: {error}") from None


def of_member(arrays: Mapping[str, NDArray], member: int) -> Arrays:
    """The arrays [*shape] of one member of a stack [members, *shape]."""
    return {name: array[member] for name, array in arrays.items()}


def stack(members: list[Arrays]) -> Arrays:
    """Arrays [members, *shape] of the members' arrays [*shape]."""
    return {name: np.stack([member[name] for member in members]) for name in members[0]}
