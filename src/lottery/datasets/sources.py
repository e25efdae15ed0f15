"""The known datasets: which raw files they consist of, the SHA-256 of each, where they are published."""

import math
import re
from dataclasses import dataclass

from lottery.errors import LotteryError

MOST_CLASSES = 1 << 16
"""As many as labels of two bytes tell apart."""

CONTAINER = 1 << 16
"""Bytes that a gzip file may have more than what it unpacks to, and a thousandth of that."""


@dataclass(frozen=True)
class RawFile:
    """One file as it is published.

    Size and checksum are of what a gzipped file unpacks to, for its container differs from one host to the next. Where
    there are no addresses, it must be provided.
    """

    name: str
    sha256: str
    bytes: int
    urls: tuple[str, ...] = ()
    gzipped: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which a folder may hold the file: as published, or unpacked."""
        return (self.name, self.name.removesuffix(".gz")) if self.gzipped else (self.name,)

    @property
    def most_bytes(self) -> int:
        """The size that the published file can have: its own, or that of a gzip file which saves nothing."""
        return self.bytes + (CONTAINER + self.bytes // 1000 if self.gzipped else 0)


@dataclass(frozen=True)
class Source:
    """One dataset: what it holds, and the raw files that hold it, in one of the formats that have a parser.

    image_shape: (height, width), or (channels, height, width). Labels are 0, ..., classes - 1.
    torchvision_folder: where its files lie below the `root` of torchvision, if that knows them.
    """

    name: str
    format: str
    classes: int
    training_images: int
    test_images: int
    image_shape: tuple[int, ...]
    files: tuple[RawFile, ...]
    torchvision_folder: str | None = None

    @property
    def inputs(self) -> int:
        """Numbers in one image."""
        return math.prod(self.image_shape)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every array of the prepared dataset."""
        return {
            "train_images": (self.training_images, *self.image_shape),
            "train_labels": (self.training_images,),
            "test_images": (self.test_images, *self.image_shape),
            "test_labels": (self.test_images,),
        }


def _idx_files(mirrors: tuple[str, ...], *sha256: str) -> tuple[RawFile, ...]:
    """The four files of MNIST and its relatives, whose sizes are the same."""
    sizes = {
        "train-images-idx3-ubyte.gz": 47_040_016,
        "train-labels-idx1-ubyte.gz": 60_008,
        "t10k-images-idx3-ubyte.gz": 7_840_016,
        "t10k-labels-idx1-ubyte.gz": 10_008,
    }
    return tuple(
        RawFile(name, checksum, size, tuple(mirror + name for mirror in mirrors), gzipped=True)
        for (name, size), checksum in zip(sizes.items(), sha256, strict=True)
    )


# The hosts of the IDX files: that of torchvision 0.29 (`MNIST.mirrors`) and those of TensorFlow Datasets and Keras.
SOURCES = {
    "mnist": Source(
        name="mnist",
        format="idx",
        classes=10,
        training_images=60_000,
        test_images=10_000,
        image_shape=(28, 28),
        torchvision_folder="MNIST/raw",
        files=_idx_files(
            ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
    "fashion-mnist": Source(
        name="fashion-mnist",
        format="idx",
        classes=10,
        training_images=60_000,
        test_images=10_000,
        image_shape=(28, 28),
        torchvision_folder="FashionMNIST/raw",
        files=_idx_files(
            ("https://storage.googleapis.com/tensorflow/tf-keras-datasets/",),
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    "cifar-10": Source(
        name="cifar-10",
        format="cifar",
        classes=10,
        training_images=50_000,
        test_images=10_000,
        image_shape=(3, 32, 32),
        torchvision_folder=".",
        files=(
            # The checksum is of the archive, since none is published of what it holds.
            RawFile(
                "cifar-10-binary.tar.gz",
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                170_052_171,
                ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
                gzipped=False,
            ),
        ),
    ),
}


def check_source(data: Source) -> None:
    """Raise LotteryError for a dataset that no parser could give or no network could learn."""
    if len(data.image_shape) not in (2, 3) or min(data.image_shape) < 1:
        told = "must be (height, width) or (channels, height, width)"
        raise LotteryError(f"dataset {data.name}: image_shape {data.image_shape} {told}")
    if not 1 < data.classes <= MOST_CLASSES:
        raise LotteryError(f"dataset {data.name}: classes must be 2 to {MOST_CLASSES}, not {data.classes}")
    if data.format == "idx" and len(data.files) != 4:
        order = "training images, training labels, test images, test labels"
        raise LotteryError(f"dataset {data.name}: the format idx needs four files in this order: {order}")
    for file in data.files:
        if not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
            raise LotteryError(f"dataset {data.name}: {file.name}: {file.sha256!r} is no SHA-256 (64 digits 0-9, a-f)")
        if "/" in file.name or file.name in ("", ".", ".."):
            raise LotteryError(f"dataset {data.name}: {file.name!r} must be the name of a file, without a folder")


def source(dataset: str) -> Source:
    """The dataset of this name. Raises LotteryError for an unknown one."""
    if dataset not in SOURCES:
        raise LotteryError(f"dataset: unknown dataset {dataset!r}; known: {', '.join(sorted(SOURCES))}")
    return SOURCES[dataset]
