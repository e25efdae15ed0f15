"""The files of CIFAR-10: records, each a label byte and an image's bytes, or the pickles of its version for Python."""

import pickletools
from collections.abc import Mapping

import numpy as np

from lottery.arrays import Arrays
from lottery.datasets.sources import Source
from lottery.errors import LotteryError

BESIDE_RECORDS = 1 << 20
"""Bytes that a pickle may have beside labels and pixels: names of the images and a label of the batch."""


def parse_records(data: Source, contents: Mapping[str, bytes]) -> Arrays:
    """The arrays in the bytes of files of records, in the order of `data.files`: first those that train, then those
    that test; images as uint8 [images, channels, height, width].

    Raises LotteryError when they are not as many as `data` says.
    """
    size, expected = 1 + data.inputs, data.training_images + data.test_images
    content = b"".join(contents[file.name] for file in data.files)
    if len(content) != expected * size:
        raise LotteryError(f"{data.name}: the files have {len(content)} bytes, {expected} records {expected * size}")
    records = np.frombuffer(content, np.uint8).reshape(-1, size)
    parts = {"train": records[: data.training_images], "test": records[data.training_images :]}
    arrays: Arrays = {}
    for part, rows in parts.items():
        arrays[f"{part}_images"] = rows[:, 1:].reshape(-1, *data.image_shape)
        arrays[f"{part}_labels"] = rows[:, 0]
    return arrays


def record_files(data: Source, arrays: Arrays) -> dict[str, bytes]:
    """The bytes of the files of records, by name, that hold these arrays."""
    parts = [
        np.column_stack([arrays[f"{part}_labels"], arrays[f"{part}_images"].reshape(-1, data.inputs)])
        for part in ("train", "test")
    ]
    content, files, start = np.concatenate(parts).tobytes(), {}, 0
    for file in data.files:
        files[file.name] = content[start : start + file.bytes]
        start += file.bytes
    return files


def records_in_pickle(pickled: bytes, size: int) -> bytes:
    """The file of records of `size` bytes that tells what a pickle of CIFAR-10's version for Python tells.

    Nothing is unpickled, so nothing in it is run: its codes are read one after the other. Labels are the small integers
    that follow the string `labels`; pixels are the longest string, image after image. Raises ValueError when there are
    not as many of them; what they tell is the caller's to verify.
    """
    labels, pixels, last = bytearray(), "", ""
    for code, argument, _ in pickletools.genops(pickled):
        if isinstance(argument, str):
            last, pixels = argument, max(pixels, argument, key=len)
        elif code.name == "BININT1" and last == "labels":
            assert isinstance(argument, int)
            labels.append(argument)
        elif code.name not in ("BINPUT", "LONG_BINPUT", "EMPTY_LIST", "MARK", "APPENDS"):
            last = ""
    if not labels or len(labels) + len(pixels) != size:
        raise ValueError(f"holds {len(labels)} labels and {len(pixels)} pixels, which are not {size} bytes")
    rows = np.frombuffer(pixels.encode("latin-1"), np.uint8).reshape(len(labels), -1)
    return np.column_stack([np.frombuffer(labels, np.uint8), rows]).tobytes()
