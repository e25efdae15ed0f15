"""A dataset of a user: its source, its raw files, its parser."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lottery.arrays import read_arrays
from lottery.datasets.catalog import SOURCES
from lottery.datasets.images import check_prepared, prepare, read_splits
from lottery.datasets.raw import Places
from lottery.datasets.sources import RawFile, Source
from lottery.errors import LotteryError
from lottery.extensions import add_dataset, load
from lottery.settings import Training

pytestmark = pytest.mark.usefixtures("own_names")


def idx_source(folder: Path, **changes: object) -> Source:
    """A dataset of images of 2 x 3 in the format IDX, in files of names of its own."""
    folder.mkdir(parents=True)
    files = []
    for name, shape in [("a", (4, 2, 3)), ("b", (4,)), ("c", (2, 2, 3)), ("d", (2,))]:
        array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape) % 3
        header = bytes([0, 0, 8, array.ndim]) + np.array(shape, ">i4").tobytes()
        (folder / name).write_bytes(header + array.tobytes())
        content = (folder / name).read_bytes()
        files.append(RawFile(name, hashlib.sha256(content).hexdigest(), len(content)))
    return replace(Source("own", "idx", 3, 4, 2, (2, 3), tuple(files)), **changes)


def test_an_idx_dataset_needs_no_parser_and_its_files_any_names(tmp_path):
    data = idx_source(tmp_path / "mirror/own")
    add_dataset(data)
    output = tmp_path / "own.safetensors"
    prepare("own", Places(tmp_path, tmp_path / "mirror", tmp_path / "downloads"), output)
    assert {name: array.shape for name, array in read_arrays(output).items()} == data.shapes
    check_prepared(output, data)
    with pytest.raises(LotteryError, match="is not what a holds"):
        check_prepared(output, replace(data, files=(replace(data.files[0], sha256="0" * 64), *data.files[1:])))


def test_a_label_out_of_range_is_found_before_any_training(tmp_path):
    add_dataset(idx_source(tmp_path / "mirror/own", classes=2))
    with pytest.raises(LotteryError, match=r"out: train_labels must be numbers below 2, at least one; found 2"):
        prepare("own", Places(tmp_path, tmp_path / "mirror", tmp_path / "downloads"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_more_classes_than_a_byte_tells_apart(tmp_path):
    """Their labels have two bytes; labels of one byte would be others."""
    labels = {"train": np.array([299, 0, 256, 7], np.uint16), "test": np.array([298, 1], np.uint16)}

    def parse(data: Source, contents: object) -> dict[str, np.ndarray]:
        images = {f"{part}_images": np.zeros((len(own), 2, 3), np.uint8) for part, own in labels.items()}
        return images | {f"{part}_labels": own.astype(kind) for part, own in labels.items()}

    kind: type = np.uint16
    data = idx_source(tmp_path / "mirror/own", classes=300, format="mine")
    add_dataset(data, parse)
    places = Places(tmp_path, tmp_path / "mirror", tmp_path / "downloads")
    prepare("own", places, tmp_path / "out")
    (split,) = read_splits(tmp_path / "out", Training(batch_size=1, validation_images=1), 0, [0], (2, 3), 300)
    assert sorted([*split.train.labels, *split.validation.labels]) == [0, 7, 256, 299]
    with pytest.raises(LotteryError, match=r"train_labels must be numbers below 299, at least one; found 299"):
        read_splits(tmp_path / "out", Training(batch_size=1, validation_images=1), 0, [0], (2, 3), 299)
    kind = np.uint8
    with pytest.raises(LotteryError, match=r"train_labels is uint8 \[4\], expected uint16 \[4\]"):
        prepare("own", places, tmp_path / "other")


def test_a_file_without_address_that_is_nowhere_is_asked_for(tmp_path):
    data = idx_source(tmp_path / "mirror/own")
    (tmp_path / "mirror/own/b").unlink()
    add_dataset(data)
    with pytest.raises(LotteryError) as error:
        prepare("own", Places(tmp_path, tmp_path / "mirror", tmp_path / "downloads"), tmp_path / "out")
    first, *rest = str(error.value).splitlines()
    assert first == "b: is in none of the folders, and no address is known for it"
    assert rest[-1] == "  b"
    assert f"or into {tmp_path}/mirror/own of a mirror folder" in rest[0]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "mnist"}, "there is a dataset 'mnist' already"),
        ({"name": "../x"}, "the name of the dataset '../x' must be of the form"),
        ({"format": "png"}, "the format 'png' has no parser; known: idx, cifar"),
        ({"image_shape": (6,)}, "dataset own: image_shape (6,) must be"),
        ({"classes": 1}, "dataset own: classes must be 2 to 65536, not 1"),
        ({"files": ()}, "dataset own: the format idx needs four files in this order"),
        ({"files": (RawFile("a", "abc", 3),) * 4}, "dataset own: a: 'abc' is no SHA-256"),
        ({"files": (RawFile("../a", "0" * 64, 3),) * 4}, "dataset own: '../a' must be the name of a file"),
    ],
)
def test_a_dataset_that_cannot_be_is_refused(tmp_path, changes, told):
    data = idx_source(tmp_path / "own", **changes)
    before = dict(SOURCES)
    with pytest.raises(LotteryError) as error:
        add_dataset(data)
    assert str(error.value).startswith(told)
    assert before == SOURCES


def test_a_format_is_added_once(tmp_path):
    with pytest.raises(LotteryError, match="there is a format 'idx' already"):
        add_dataset(idx_source(tmp_path / "own"), lambda data, contents: {})
    add_dataset(idx_source(tmp_path / "mine", format="mine"), lambda data, contents: {})
    add_dataset(idx_source(tmp_path / "too", format="mine", name="too"))


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{}", "out: the array test_images is missing"),
        ("{name: np.zeros(shape) for name, shape in data.shapes.items()}", "out: train_images is float64 [4, 2, 3]"),
        ("contents['z']", "dataset: own: own.py, line 6: KeyError: 'z'"),
    ],
)
def test_a_parser_that_fails_or_gives_other_arrays_is_told(tmp_path, monkeypatch, body, told):
    monkeypatch.chdir(tmp_path)
    data = idx_source(Path("mirror/own"), format="mine")
    lines = [
        "import numpy as np",
        "from lottery.datasets.sources import RawFile, Source",
        "from lottery.extensions import add_dataset",
        "",
        "def parse(data, contents):",
        f"    return {body}",
        f"add_dataset({data!r}, parse)",
    ]
    Path("own.py").write_text("\n".join(lines))
    load(["own.py"])
    with pytest.raises(LotteryError) as error:
        prepare("own", Places(tmp_path, Path("mirror"), tmp_path / "downloads"), Path("out"))
    assert str(error.value).startswith(told)
    assert not Path("out").exists()
