"""The IDX format of MNIST and its relatives: a typed array with its shape in front, big-endian."""

import math
import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.datasets.sources import Source
from lottery.errors import LotteryError

UNSIGNED_BYTE = 0x08

FILES = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
"""The file that holds each array of a dataset, in MNIST and its relatives."""


def files_of(data: Source) -> dict[str, str]:
    """The name of the file that holds each array of a dataset, whose files are in the order of FILES."""
    return dict(zip(FILES, (file.name for file in data.files), strict=True))


def parse_files(data: Source, contents: Mapping[str, bytes]) -> Arrays:
    """The arrays in the (uncompressed) bytes of the four files. Raises LotteryError when `data` says other shapes."""
    files = files_of(data)
    arrays = {array: parse_idx(contents[name], name=name) for array, name in files.items()}
    for array, shape in data.shapes.items():
        if arrays[array].shape != shape:
            raise LotteryError(f"{files[array]}: holds an array {list(arrays[array].shape)}, expected {list(shape)}")
    return arrays


def idx_files(data: Source, arrays: Arrays) -> dict[str, bytes]:
    """The (uncompressed) bytes of the four files, by name, that hold these arrays."""
    return {name: idx_bytes(arrays[array]) for array, name in files_of(data).items()}


def idx_bytes(array: NDArray) -> bytes:
    """The bytes of the (uncompressed) IDX file that holds a uint8 array."""
    return bytes([0, 0, UNSIGNED_BYTE, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def parse_idx(content: bytes, *, name: str) -> NDArray:
    """The uint8 array in the bytes of an (uncompressed) IDX file.

    `name` is used in errors. Raises LotteryError when the bytes are not exactly one such array.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE:
        raise LotteryError(
            f"{name}: is not an IDX file of unsigned bytes (it starts with {content[:4].hex() or 'nothing'})"
        )
    dimensions = content[3]
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise LotteryError(f"{name}: ends within its header")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    expected = header + math.prod(shape)
    if len(content) != expected:
        raise LotteryError(f"{name}: has {len(content)} bytes, its header {list(shape)} announces {expected}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)
