"""The binary version of CIFAR-10: a gzipped tar archive of files of records, each a label byte and an image's bytes."""

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.datasets.sources import Source
from lottery.errors import LotteryError

FOLDER = "cifar-10-batches-bin"
TRAINING_FILES = [f"{FOLDER}/data_batch_{number}.bin" for number in range(1, 6)]
TEST_FILES = [f"{FOLDER}/test_batch.bin"]

BESIDE_RECORDS = 1 << 20
"""Bytes allowed in the archive beside the records: headers, padding and two short texts."""


def parse_archive(data: Source, contents: Mapping[str, bytes]) -> Arrays:
    """The arrays in the bytes of the one archive, images as uint8 [images, channels, height, width].

    Raises LotteryError when the archive does not hold as many records as `data` says. Nothing is written to disk, and
    no more memory is taken than the right archive needs.
    """
    ((name, archive),) = contents.items()
    parts = {"train": (TRAINING_FILES, data.training_images), "test": (TEST_FILES, data.test_images)}
    record = 1 + data.inputs
    sizes = {member: images // len(members) * record for members, images in parts.values() for member in members}
    files = read_members(archive, sizes, name=name)
    arrays: Arrays = {}
    for part, (members, _) in parts.items():
        records = np.concatenate([files.pop(member) for member in members]).reshape(-1, record)
        labels = records[:, 0]
        if labels.max() >= data.classes:
            raise LotteryError(f"{name}: holds the label {labels.max()}, expected 0 to {data.classes - 1}")
        arrays[f"{part}_images"] = records[:, 1:].reshape(-1, *data.image_shape)
        arrays[f"{part}_labels"] = labels
    return arrays


def read_members(archive: bytes, sizes: Mapping[str, int], *, name: str) -> dict[str, NDArray]:
    """The bytes of those members of a gzipped tar archive that `sizes` names, each exactly as long as it says.

    Only regular files of exactly these names are read; all else in the archive is passed over. Raises LotteryError,
    beginning with `name`, when the archive is broken, longer than its members need, or lacks one of them.
    """
    limit = sum(sizes.values()) + BESIDE_RECORDS
    try:
        with gzip.open(io.BytesIO(archive)) as packed:
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
        files[expected] = np.frombuffer(unpacked, np.uint8, size, member.offset_data)
    return files
