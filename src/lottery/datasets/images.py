"""A prepared dataset: one file of arrays, and its split into training, validation and test images."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import read_arrays, write_arrays
from lottery.datasets.idx import parse_idx
from lottery.datasets.sources import source, verified_bytes
from lottery.errors import LotteryError


def prepare(dataset: str, folder: Path, output: Path) -> None:
    """Verify the raw files in `folder` and write them as one file of uint8 arrays.

    Arrays: train_images, test_images [images, height, width]; train_labels, test_labels [images].
    """
    files = source(dataset).files
    arrays = {file.array: parse_idx(verified_bytes(folder, file), name=file.name) for file in files}
    write_arrays(output, arrays)


@dataclass(frozen=True)
class Images:
    """Images as rows of bytes. What a network sees is `bytes / 255` in float32; engines divide as they gather, since
    bytes are a quarter of the size.

    pixels: uint8 [images, inputs]; labels: int64 [images].
    """

    pixels: NDArray
    labels: NDArray


@dataclass(frozen=True)
class Split:
    """The images that train, those that choose the early-stop iteration, and those that only measure."""

    train: Images
    validation: Images
    test: Images


def read_split(path: Path, validation_images: int, random: np.random.Generator) -> Split:
    """Read a prepared dataset and set `validation_images` of its training images aside, at random."""
    arrays = read_arrays(path)
    count = len(arrays["train_labels"])
    if validation_images >= count:
        raise LotteryError(f"validation_images: {validation_images} of {count} training images leave none to train on")
    order = random.permutation(count)
    validation, train = np.sort(order[:validation_images]), np.sort(order[validation_images:])
    images, labels = arrays["train_images"], arrays["train_labels"]
    return Split(
        train=_as_rows(images[train], labels[train]),
        validation=_as_rows(images[validation], labels[validation]),
        test=_as_rows(arrays["test_images"], arrays["test_labels"]),
    )


def _as_rows(images: NDArray, labels: NDArray) -> Images:
    return Images(images.reshape(len(images), -1), labels.astype(np.int64))
