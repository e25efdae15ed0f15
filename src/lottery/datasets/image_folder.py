"""A folder of one's own images as a dataset: PNG or JPEG files of one size, in a sub-folder for each class."""

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays, read_bytes, reason
from lottery.datasets.sources import ImageFolder, Source
from lottery.errors import LotteryError

SUFFIXES = (".png", ".jpg", ".jpeg")

PARTS = ("train", "test")

FORMAT = "image-folder"


@dataclass(frozen=True)
class Picture:
    """One file: its class's sub-folder, its path in the folder, and the SHA-256 of its bytes."""

    label: str
    path: str
    sha256: str


def read_folder(data: Source) -> dict[str, bytes]:
    """The bytes of all files of a dataset by their paths in its folder, verified by the one checksum over them.

    Raises LotteryError when the folder holds anything else.
    """
    assert data.folder
    contents = {path: read_bytes(data.folder.path / path) for path in files_in(data.folder.path)}
    if (found := checksum(contents)) != data.folder.sha256:
        told = f"its {len(contents)} files have the checksum {found}, not {data.folder.sha256}"
        raise LotteryError(f"{data.folder.path}: is not what datasets.{data.name} says: {told}")
    return contents


def files_in(folder: Path) -> list[str]:
    """The paths of all files in a folder, sorted; hidden ones are passed over.

    Raises LotteryError for one that is no picture of a class.
    """
    try:
        top = list(visible(folder))
        parts = sorted(path.name for path in top) == sorted(PARTS)
        classes = [path for part in top for path in visible(part)] if parts else top
        files = [path for each in classes for path in visible(each)]
    except OSError as error:
        where = Path(error.filename or folder)
        told = "must be a folder" if isinstance(error, NotADirectoryError) else f"cannot be read: {error.strerror}"
        raise LotteryError(f"{where}: {told}; {LAYOUT}") from None
    for path in files:
        if not path.is_file() or path.suffix.lower() not in SUFFIXES:
            raise LotteryError(f"{path}: is no PNG or JPEG file; {LAYOUT}")
    if not files:
        raise LotteryError(f"{folder}: holds no pictures; {LAYOUT}")
    return sorted(path.relative_to(folder).as_posix() for path in files)


LAYOUT = "expected <class>/<picture>.png or .jpg, or train and test with such folders in each"


def visible(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if not path.name.startswith("."))


def checksum(contents: Mapping[str, bytes]) -> str:
    """The SHA-256 of what `sha256sum` prints of all files, in the order of their paths."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {path}\n" for path, content in sorted(contents.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def parse_pictures(data: Source, contents: Mapping[str, bytes]) -> Arrays:
    """The arrays of a dataset, images in the order of their paths, labels in that of the classes' names.

    Raises LotteryError when a picture cannot be read or has another size, or there are others than `data` says.
    """
    assert data.folder
    split = split_of(data.folder, contents)
    names = sorted({picture.label for pictures in split.values() for picture in pictures})
    counts = {part: len(pictures) for part, pictures in split.items()}
    if (len(names), counts) != (data.classes, {"train": data.training_images, "test": data.test_images}):
        found = f"{len(names)} classes, {counts['train']} training and {counts['test']} test images"
        told = f"{data.classes}, {data.training_images} and {data.test_images}"
        raise LotteryError(f"{data.folder.path}: holds {found}; datasets.{data.name} says {told}")
    kind, arrays = np.min_scalar_type(data.classes - 1), {}
    for part, pictures in split.items():
        images = [picture_array(data, picture.path, contents[picture.path]) for picture in pictures]
        arrays[f"{part}_images"] = np.stack(images).reshape(-1, *data.image_shape)
        arrays[f"{part}_labels"] = np.array([names.index(picture.label) for picture in pictures], kind)
    return arrays


def split_of(folder: ImageFolder, contents: Mapping[str, bytes]) -> dict[str, list[Picture]]:
    """The pictures that train and those that test.

    Where the folder does not tell them apart, those of smallest SHA-256 test, a share of each class: the same whatever
    files are called, and equal pictures on one side.
    """
    pictures = [
        Picture(path.split("/")[-2], path, hashlib.sha256(content).hexdigest())
        for path, content in sorted(contents.items())
    ]
    given = all(picture.path.count("/") == 2 for picture in pictures)
    if given == (folder.test_share is not None):
        told = "train and test are there" if given else "train and test are not there, so it is needed"
        raise LotteryError(f"{folder.path}: test_share {folder.test_share}: {told}")
    if given:
        return {part: [picture for picture in pictures if picture.path.startswith(f"{part}/")] for part in PARTS}
    assert folder.test_share
    tested: set[str] = set()
    for label in {picture.label for picture in pictures}:
        own = sorted(picture.sha256 for picture in pictures if picture.label == label)
        tested |= set(own[: round(len(own) * folder.test_share)])
    return {
        "train": [picture for picture in pictures if picture.sha256 not in tested],
        "test": [picture for picture in pictures if picture.sha256 in tested],
    }


def picture_array(data: Source, path: str, content: bytes) -> NDArray:
    """A picture's bytes as uint8 [channels, height, width]."""
    assert data.folder
    name = str(data.folder.path / path)
    channels, size = (data.image_shape[0] if len(data.image_shape) == 3 else 1), data.image_shape[-2:]
    pixels = decoded(content, channels, name)
    if pixels.shape[1:] != tuple(size):
        found = " x ".join(map(str, pixels.shape[1:]))
        raise LotteryError(f"{name}: is {found} pixels, expected {size[0]} x {size[1]} (height x width)")
    return pixels


def decoded(content: bytes, channels: int | None, name: str) -> NDArray:
    """The pixels of a PNG or JPEG file, uint8 [channels, height, width]; None: in 1 or 3 channels, as it has them."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content), formats=("PNG", "JPEG")) as opened:
            if opened.mode.startswith(("I", "F")):
                raise LotteryError(f"{name}: has more than 8 bits for each number")
            grey = opened.mode in ("1", "L", "LA") if channels is None else channels == 1
            pixels = np.asarray(opened.convert("L" if grey else "RGB"))
    except UnidentifiedImageError:
        raise LotteryError(f"{name}: is no PNG or JPEG picture") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise LotteryError(f"{name}: is no whole PNG or JPEG picture: {reason(error)}") from None
    return pixels[None] if grey else np.moveaxis(pixels, -1, 0)


def described(path: Path, test_share: float | None) -> Source:
    """What the entry of a folder in the configuration must say, from the folder itself."""
    contents = {name: read_bytes(path / name) for name in files_in(path)}
    folder = ImageFolder(path, checksum(contents), test_share)
    split = split_of(folder, contents)
    first, content = min(contents.items())
    pixels = decoded(content, None, str(path / first))
    return Source(
        name=path.resolve().name.lower(),
        format=FORMAT,
        classes=len({picture.label for pictures in split.values() for picture in pictures}),
        training_images=len(split["train"]),
        test_images=len(split["test"]),
        image_shape=pixels.shape,
        files=(),
        folder=folder,
    )


def entry(data: Source) -> str:
    """The lines of a configuration that name a folder's dataset, as YAML."""
    assert data.folder
    share = [] if data.folder.test_share is None else [f"    test_share: {data.folder.test_share}"]
    lines = [
        "datasets:",
        f"  {data.name}:",
        f"    folder: {quoted(str(data.folder.path))}",
        f"    sha256: {data.folder.sha256}",
        *share,
        f"    image_shape: {list(data.image_shape)}",
        f"    classes: {data.classes}",
        f"    training_images: {data.training_images}",
        f"    test_images: {data.test_images}",
    ]
    return "\n".join(lines)


def quoted(text: str) -> str:
    """A text as YAML reads it back, whatever it holds."""
    return "'" + text.replace("'", "''") + "'"
