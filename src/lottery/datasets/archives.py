"""Gzipped tar archives, of which nothing is unpacked to disk and no more to memory than the right one needs."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from lottery.errors import LotteryError

BESIDE_MEMBERS = 1 << 20
"""Bytes allowed in an archive beside the members that are read: headers, padding and some short texts."""


def read_members(path: Path, sizes: Mapping[str, int], *, all_sizes: int, name: str) -> dict[str, bytes]:
    """The bytes of those members of an archive that `sizes` names, each exactly as long as it says.

    all_sizes: bytes of all members that the right archive has. Only regular files of exactly these names are read; all
    else in the archive is passed over. Raises LotteryError, beginning with `name`, when the archive is broken, longer
    than its members need, or lacks one of them.
    """
    limit = all_sizes + BESIDE_MEMBERS
    try:
        with gzip.open(path) as packed:
            unpacked = packed.read(limit + 1)
        if len(unpacked) > limit:
            raise LotteryError(f"{name}: unpacks to more than the {limit} bytes expected of it")
        with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
            members = {member.name: member for member in tar}
    except (OSError, EOFError, ValueError, OverflowError, zlib.error, tarfile.TarError) as error:
        raise LotteryError(f"{name}: is not a whole gzipped tar archive: {error}") from None
    files = {}
    for expected, size in sizes.items():
        member = members.get(expected)
        if member is None:
            raise LotteryError(f"{name}: holds no {expected}")
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise LotteryError(f"{name}: {expected} is a link, folder or device in it, expected a regular file")
        if member.size != size or member.offset_data + size > len(unpacked):
            raise LotteryError(f"{name}: {expected} has {member.size} bytes in it, expected {size}")
        files[expected] = unpacked[member.offset_data : member.offset_data + size]
    return files
