"""The IDX format of MNIST and its relatives: a typed array with its shape in front, big-endian."""

import math
import struct

import numpy as np
from numpy.typing import NDArray

from lottery.errors import LotteryError

UNSIGNED_BYTE = 0x08


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
