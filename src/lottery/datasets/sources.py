"""The known datasets: which raw files they consist of and the SHA-256 of each file's uncompressed bytes."""

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from lottery.errors import LotteryError


@dataclass(frozen=True)
class RawFile:
    """One gzipped file: its array's name in the prepared dataset, its file name, its checksum and size."""

    array: str
    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Source:
    """One dataset: where the repository or the user keeps its raw files, and what they must be."""

    folder: str
    classes: int
    training_images: int
    image_shape: tuple[int, ...]
    files: tuple[RawFile, ...]

    @property
    def inputs(self) -> int:
        """Numbers in one image."""
        product = 1
        for extent in self.image_shape:
            product *= extent
        return product


SOURCES = {
    "mnist": Source(
        folder="resources/mnist",
        classes=10,
        training_images=60_000,
        image_shape=(28, 28),
        files=(
            RawFile(
                "train_images",
                "train-images-idx3-ubyte.gz",
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                47_040_016,
            ),
            RawFile(
                "train_labels",
                "train-labels-idx1-ubyte.gz",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                60_008,
            ),
            RawFile(
                "test_images",
                "t10k-images-idx3-ubyte.gz",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                7_840_016,
            ),
            RawFile(
                "test_labels",
                "t10k-labels-idx1-ubyte.gz",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
                10_008,
            ),
        ),
    ),
}


def source(dataset: str) -> Source:
    """The dataset of this name. Raises LotteryError for an unknown one."""
    if dataset not in SOURCES:
        raise LotteryError(f"dataset: unknown dataset {dataset!r}; known: {', '.join(sorted(SOURCES))}")
    return SOURCES[dataset]


def verified_bytes(folder: Path, file: RawFile) -> bytes:
    """The uncompressed bytes of a raw file, after comparing their SHA-256.

    Raises LotteryError when the file cannot be read or holds other bytes. No more than the expected size is unpacked.
    """
    path = folder / file.name
    try:
        with gzip.open(path) as packed:
            content = packed.read(file.bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise LotteryError(f"{path}: cannot be read: {reason}") from None
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise LotteryError(
            f"{path}: holds other bytes than {file.name} should: SHA-256 {found}, expected {file.sha256}"
        )
    return content
