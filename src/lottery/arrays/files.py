"""Files of named arrays (safetensors), and files that appear whole or not at all."""

import errno
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from lottery.errors import LotteryError, printable

Arrays = dict[str, NDArray]

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
"""What the system says when there is no room for a file."""


@contextmanager
def replacing(path: Path, size: int | None = None) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on leaving, it becomes `path` in one step, on the disk as well.

    When the body raises, `path` stays as it was and the half-written file is removed. What a killed process left half
    written is removed by the next one. size: bytes to be written, for the message when there is no room for them.
    Raises LotteryError naming the path when it cannot be written.
    """
    here = f".{path.stem}.{socket.gethostname()}."
    aside = path.with_name(f"{here}{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for left in path.parent.glob(f"{here}*{path.suffix}"):
            if not alive(left.name.removeprefix(here).removesuffix(path.suffix)):
                left.unlink(missing_ok=True)
        try:
            yield aside
            with aside.open("rb") as written:
                os.fsync(written.fileno())
            aside.replace(path)
            folder = os.open(path.parent, os.O_RDONLY)
            with suppress(OSError):  # some network file systems cannot; the rename stands all the same
                os.fsync(folder)
            os.close(folder)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise LotteryError(f"{path}: cannot be written: {reason(error)}{room(path, size, error)}") from error


def alive(process: str) -> bool:
    """Whether a process of this number runs on this machine."""
    return process.isdigit() and Path(f"/proc/{process}").exists()


def room(path: Path, size: int | None, error: OSError) -> str:
    """For an error about a full disk: what is needed and what there is."""
    if error.errno not in FULL:
        return ""
    needed = f"{size:,} bytes are needed" if size else "the file needs more"
    with suppress(OSError):
        return f"; {needed}, {shutil.disk_usage(path.parent).free:,} are free there; make room and run it again"
    return f"; {needed}"


def reason(error: Exception) -> str:
    """What an error says, in one line and without the path."""
    told = str(getattr(error, "strerror", None) or error) or type(error).__name__
    return printable(told.splitlines()[0])


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with replacing(path, len(content)) as aside:
        aside.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a UTF-8 text file whole or not at all."""
    write_bytes(path, content.encode())


def write_arrays(path: Path, arrays: Mapping[str, NDArray], metadata: Mapping[str, str] | None = None) -> None:
    """Write named arrays as safetensors, with named texts if wanted; equal arrays and texts give equal bytes."""
    content = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    saved = save(content, dict(metadata) if metadata else None)
    write_bytes(path, with_sorted_texts(saved) if len(metadata or ()) > 1 else saved)


def with_sorted_texts(saved: bytes) -> bytes:
    """A safetensors file with its named texts in the order of their names, which the library writes in any."""
    size = int.from_bytes(saved[:8], "little")
    header = json.loads(saved[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the format's alignment
    return len(text).to_bytes(8, "little") + text + saved[8 + size :]


def read_bytes(path: Path) -> bytes:
    """A file's content. Raises LotteryError naming the file when it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise LotteryError(f"{path}: cannot be read: {reason(error)}") from error


def read_arrays(path: Path) -> Arrays:
    """Read named arrays from a safetensors file, sorted by name.

    Raises LotteryError naming the file when it cannot be read.
    """
    return parsed(path, read_bytes(path))


def read_arrays_with_texts(path: Path) -> tuple[Arrays, dict[str, str]]:
    """Read named arrays and the named texts stored with them. Raises LotteryError as `read_arrays` does."""
    content = read_bytes(path)
    arrays = parsed(path, content)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return arrays, header.get("__metadata__", {})


def parsed(path: Path, content: bytes) -> Arrays:
    """The arrays in the bytes of a safetensors file, sorted by name."""
    try:
        return dict(sorted(load(content).items()))
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise LotteryError(f"{path}: is not a whole safetensors file: {reason(error)}") from error


Shapes = Mapping[str, tuple[int, ...]]
"""Names of arrays and their shapes."""


def check_arrays(
    path: Path, arrays: Arrays, dtype: type[np.generic] | Mapping[str, type[np.generic]], shapes: Shapes
) -> None:
    """Raise LotteryError, naming the file, unless these are the arrays in it, all of this type, or each of its own."""
    types = dtype if isinstance(dtype, Mapping) else dict.fromkeys(shapes, dtype)
    wrong = sorted(shapes.keys() ^ arrays.keys())
    if wrong:
        state = "is missing" if wrong[0] in shapes else "should not be there"
        raise LotteryError(f"{path}: the array {printable(wrong[0])} {state}; expected: {', '.join(sorted(shapes))}")
    for name, array in arrays.items():
        if array.shape != shapes[name] or array.dtype != types[name]:
            expected = f"{np.dtype(types[name])} {list(shapes[name])}"
            raise LotteryError(f"{path}: {name} is {array.dtype} {list(array.shape)}, expected {expected}")


def of_member(arrays: Mapping[str, NDArray], member: int | slice) -> Arrays:
    """The arrays [*shape] of one member, of arrays [members, *shape]; of a slice, those of its members."""
    return {name: array[member] for name, array in arrays.items()}


def stack(members: list[Arrays]) -> Arrays:
    """Arrays [members, *shape] of the members' arrays [*shape]."""
    return {name: np.stack([member[name] for member in members]) for name in members[0]}
