"""A prepared dataset: one file of arrays, and its split into training, validation and test images."""

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays, Shapes, check_arrays, read_arrays, write_arrays
from lottery.datasets import cifar, idx, image_folder
from lottery.datasets.catalog import source
from lottery.datasets.raw import Places, read_raw
from lottery.datasets.sources import Source
from lottery.errors import LotteryError
from lottery.randomness import label_generator, split_generator
from lottery.settings import Training

Part = Literal["train", "validation", "test"]

Form = TypeVar("Form")
PartInForm = TypeVar("PartInForm")

Parser = Callable[[Source, Mapping[str, bytes]], Arrays]
"""From the unpacked bytes of a dataset's raw files, by name, to the arrays that `prepare` writes."""

PARSERS: dict[str, Parser] = {
    "idx": idx.parse_files,
    "cifar": cifar.parse_records,
    image_folder.FORMAT: image_folder.parse_pictures,
}

RAW_FILES: dict[str, Callable[[Source, Arrays], dict[str, bytes]]] = {"idx": idx.idx_files, "cifar": cifar.record_files}
"""From the arrays of a prepared dataset back to the unpacked bytes of its raw files, by name, where a format allows."""


def prepare(dataset: str, places: Places, output: Path) -> None:
    """Find and verify the raw files of a dataset and write them as one file of arrays.

    Arrays: train_images, test_images uint8 [images, height, width] or [images, channels, height, width]; train_labels,
    test_labels [images], as `label_type` says. Raises LotteryError when a file cannot be had, or its parser gives other
    arrays.
    """
    data = source(dataset)
    arrays = PARSERS[data.format](data, read_raw(data, places))
    check_dataset(output, arrays, data.shapes, data.classes)
    write_arrays(output, arrays)


def label_type(classes: int) -> type[np.unsignedinteger]:
    """The type of labels in a prepared dataset: bytes while these can tell so many classes apart."""
    return np.uint8 if classes <= 256 else np.uint16


def check_dataset(path: Path, arrays: Arrays, shapes: Shapes, classes: int) -> None:
    """Raise LotteryError, naming the file, unless these are the images and labels of a dataset in it."""
    types = {name: label_type(classes) if name.endswith("_labels") else np.uint8 for name in shapes}
    check_arrays(path, arrays, types, shapes)
    for name in ("train_labels", "test_labels"):
        labels = arrays[name]
        if not len(labels) or labels.max() >= classes:
            found = f"found {labels.max()}" if len(labels) else "there is none"
            raise LotteryError(f"{path}: {name} must be numbers below {classes}, at least one; {found}")


def check_prepared(path: Path, data: Source) -> None:
    """Raise LotteryError unless a prepared dataset holds the very bytes of its raw files.

    Pictures are read anew, if they are still there. Nothing is compared of a format of the user's own, whose files
    cannot be made again.
    """
    if data.folder and data.folder.path.exists():
        arrays = read_arrays(path)
        for name, expected in image_folder.parse_pictures(data, image_folder.read_folder(data)).items():
            if name not in arrays or not np.array_equal(arrays[name], expected):
                raise LotteryError(f"{path}: {name} is not what the pictures of {data.folder.path} give")
    if data.format in RAW_FILES:
        arrays = read_arrays(path)
        check_dataset(path, arrays, data.shapes, data.classes)
        contents = RAW_FILES[data.format](data, arrays)
        for file in data.files:
            if hashlib.sha256(contents[file.name]).hexdigest() != file.sha256:
                raise LotteryError(f"{path}: is not what {file.name} holds (SHA-256)")


@dataclass(frozen=True, eq=False)
class Images:
    """Images as rows of bytes. What a network sees is `bytes / 255` in float32; engines divide as they gather, since
    bytes are a quarter of the size.

    pixels: uint8 [images, inputs]; labels: int64 [images]. Two are equal where they are the same object.
    """

    pixels: NDArray
    labels: NDArray

    def all(self) -> "Chosen":
        """Every one of them."""
        return Chosen(self, np.arange(len(self.labels)))


@dataclass(frozen=True, eq=False)
class Chosen:
    """Some of the images: those at `rows`, int64 [images chosen]. The others stay in memory, for other choices.

    told: labels that stand in the place of their own, int64 [images chosen].
    """

    images: Images
    rows: NDArray
    told: NDArray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def pixels(self) -> NDArray:
        """A copy, uint8 [images chosen, inputs]."""
        return self.images.pixels[self.rows]

    @property
    def labels(self) -> NDArray:
        """A copy, int64 [images chosen]."""
        return self.images.labels[self.rows] if self.told is None else self.told.copy()

    @property
    def all_labels(self) -> NDArray:
        """Labels of all images, int64 [images], those that are told in their places."""
        if self.told is None:
            return self.images.labels
        labels = self.images.labels.copy()
        labels[self.rows] = self.told
        return labels


@dataclass(frozen=True, eq=False)
class Split:
    """The images that train, those that choose the early-stop iteration, and those that only measure."""

    train: Chosen
    validation: Chosen
    test: Chosen

    @property
    def parts(self) -> dict[Part, Chosen]:
        """All three by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def read_splits(
    path: Path,
    recipe: Training,
    seed: int,
    replicates: Iterable[int],
    image_shape: tuple[int, ...] = (28, 28),
    classes: int = 10,
) -> list[Split]:
    """Read a prepared dataset and set the recipe's validation images aside, at random, and with them those that it does
    not want: for each replicate others, but for the test images, which are common to all.
    Labels of the images that train are made wrong as the recipe says.

    Raises LotteryError when the file holds anything but images and labels of that kind, or too few.
    """
    arrays = read_arrays(path)
    shapes: dict[str, tuple[int, ...]] = {}
    for part in ("train", "test"):
        count = len(arrays.get(f"{part}_labels", ()))
        shapes |= {f"{part}_images": (count, *image_shape), f"{part}_labels": (count,)}
    check_dataset(path, arrays, shapes, classes)
    images = {}
    for part in ("train", "test"):
        pixels, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        images[part] = Images(pixels.reshape(len(pixels), -1), labels.astype(np.int64))
    counts = {part: len(each.labels) for part, each in images.items()}
    check_counts(recipe, counts["train"], counts["test"])

    order = split_generator(seed, None).permutation(counts["test"])
    test = Chosen(images["test"], np.sort(order[: recipe.test_images]))

    def split(replicate: int) -> Split:
        order = split_generator(seed, replicate).permutation(counts["train"])
        validation, train = np.split(order, [recipe.validation_images])
        chosen = Chosen(images["train"], np.sort(train[: recipe.training_images]))
        if recipe.label_noise:
            random = label_generator(seed, replicate)
            chosen = replace(chosen, told=with_wrong_labels(chosen.labels, recipe.label_noise, classes, random))
        return Split(
            train=chosen,
            validation=Chosen(images["train"], np.sort(validation)),
            test=test,
        )

    return [split(replicate) for replicate in replicates]


def with_wrong_labels(labels: NDArray, share: float, classes: int, random: np.random.Generator) -> NDArray:
    """Labels, int64 [images], of which the number nearest to `share` of them (a half rounded up) are wrong, at random
    places, every other class equally likely. Equal generators make those of a smaller share wrong in a larger one too,
    in the same way.
    """
    shifts = random.integers(1, classes, size=len(labels))
    wrong = random.permutation(len(labels))[: math.floor(share * len(labels) + 0.5)]
    told = labels.copy()
    told[wrong] = (labels[wrong] + shifts[wrong]) % classes
    return told


def in_form(
    splits: Iterable[Split], form: Callable[[Images], Form], part: Callable[[Form, Chosen], PartInForm]
) -> list[dict[Part, PartInForm]]:
    """The parts of each split as an engine keeps them: `part(form(images), chosen)`, each form made once for all."""
    splits = list(splits)
    forms = {images: form(images) for images in {chosen.images for split in splits for chosen in split.parts.values()}}
    return [{name: part(forms[chosen.images], chosen) for name, chosen in split.parts.items()} for split in splits]


def check_counts(recipe: Training, training: int, test: int) -> None:
    """Raise LotteryError, beginning with the key, when a recipe wants more images than there are."""
    asked = recipe.validation_images + (recipe.training_images or 1)
    if asked > training:
        left, needed = max(training - recipe.validation_images, 0), recipe.training_images or 1
        raise LotteryError(
            f"validation_images: {recipe.validation_images} of {training} training images leave {left} to train on;"
            f" at least {needed} must be left"
        )
    least = recipe.training_images or training - recipe.validation_images
    if recipe.batch_size > least:
        raise LotteryError(f"batch_size: {recipe.batch_size} images are more than the {least} that train")
    if (recipe.test_images or 0) > test:
        raise LotteryError(f"test_images: {recipe.test_images} are asked for, there are {test}")
