"""What a dataset is: which raw files it consists of, the SHA-256 of each, where they are published."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

from lottery.errors import LotteryError

MOST_CLASSES = 1 << 16
"""As many as labels of two bytes tell apart."""

CONTAINER = 1 << 16
"""Bytes that a gzip file may have more than what it unpacks to, and a thousandth of that."""


@dataclass(frozen=True)
class RawFile:
    """One file as it is published.

    Size and checksum are of what a gzipped file unpacks to, for its container differs from one host to the next. Where
    there are no addresses, it must be provided. pickled: the name of a Python pickle that tells the same bytes.
    """

    name: str
    sha256: str
    bytes: int
    urls: tuple[str, ...] = ()
    gzipped: bool = False
    pickled: str = ""

    @property
    def unpacked(self) -> str:
        """Its name when it is unpacked."""
        return self.name.removesuffix(".gz") if self.gzipped else self.name

    @property
    def names(self) -> tuple[str, ...]:
        """The names under which a folder may hold the file: as published, unpacked, or as a pickle."""
        return tuple(dict.fromkeys(filter(None, (self.name, self.unpacked, self.pickled))))

    @property
    def most_bytes(self) -> int:
        """The size that the published file can have: its own, or that of a gzip file which saves nothing."""
        return self.bytes + (CONTAINER + self.bytes // 1000 if self.gzipped else 0)


@dataclass(frozen=True)
class Archive:
    """A gzipped tar archive of all files of a dataset, unpacked, in one folder of it.

    bytes: its size as published, more is never downloaded. It is known by the checksums of the files in it.
    """

    name: str
    bytes: int
    urls: tuple[str, ...]
    folder: str

    @property
    def names(self) -> tuple[str, ...]:
        """The name under which a folder may hold it."""
        return (self.name,)

    @property
    def most_bytes(self) -> int:
        """The size that the published archive can have."""
        return self.bytes


@dataclass(frozen=True)
class ImageFolder:
    """A folder of pictures, in a sub-folder for each class, or in such sub-folders of `train` and of `test`.

    sha256: of what `sha256sum` prints of all its files in the order of their paths. test_share: the share of each class
    that is set aside to test, where the folder does not tell.
    """

    path: Path
    sha256: str
    test_share: float | None = None


@dataclass(frozen=True)
class Source:
    """One dataset: what it holds, and the raw files that hold it, in one of the formats that have a parser.

    image_shape: (height, width), or (channels, height, width). Labels are 0, ..., classes - 1.
    archive: what may hold all files together. folder: what holds pictures instead of files. other_folders: where its
    files may lie in a folder of many datasets, such as the `root` of torchvision, beside the folder of its name.
    """

    name: str
    format: str
    classes: int
    training_images: int
    test_images: int
    image_shape: tuple[int, ...]
    files: tuple[RawFile, ...]
    archive: Archive | None = None
    other_folders: tuple[str, ...] = ()
    folder: ImageFolder | None = None

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
