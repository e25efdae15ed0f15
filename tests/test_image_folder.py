"""A folder of images as a dataset: an entry of the configuration alone, known by one checksum."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import experiment
from PIL import Image

from lottery.arrays import read_arrays, write_arrays
from lottery.commands.main import main
from lottery.datasets.catalog import SOURCES, source
from lottery.datasets.image_folder import checksum, described, entry
from lottery.datasets.images import check_prepared, prepare, read_splits
from lottery.datasets.raw import Places
from lottery.errors import LotteryError
from lottery.runs import dependence
from lottery.runs.reading import read_run
from lottery.settings import Training

pytestmark = pytest.mark.usefixtures("own_names")

NOWHERE = Places(Path("none"), None, Path("none"))


def pixels(number: int, height: int = 8, width: int = 6, channels: int = 3) -> np.ndarray:
    """Others for each number, smooth enough for JPEG; [channels, height, width]."""
    c, y, x = np.ogrid[:channels, :height, :width]
    return (np.zeros((channels, height, width)) + 17 * number + 3 * c + 2 * y + x).astype(np.uint8)


def write(path: Path, *picture: int, channels: int = 3, mode: str = "") -> None:
    """Write a picture in the format that its path ends with."""
    image = Image.fromarray(np.moveaxis(pixels(*picture, channels=channels), 0, -1).squeeze())
    image.convert(mode or image.mode).save(path)


def folder_of(top: Path, parts: tuple[str, ...] = ("",), classes: int = 3, each: int = 6) -> Path:
    """Pictures of some classes, PNG and JPEG by turns."""
    for index in range(classes):
        for number in range(each):
            for part in parts:
                path = top / part / f"class-{index:03}" / f"{number}.{'jpg' if number % 3 == 2 else 'png'}"
                path.parent.mkdir(parents=True, exist_ok=True)
                write(path, each * index + number + 100 * (part == "test"))
    return top


def settings_of(folder: Path, share: float | None, **changes: object) -> dict:
    """A configuration whose experiment sees these pictures."""
    datasets = yaml.safe_load(entry(described(folder, share)))["datasets"]
    named = {"mine": next(iter(datasets.values())) | changes}
    own = experiment(dataset="mine", training={"batch_size": 2, "validation_images": 2})
    return {"run": "mine", "datasets": named, "run_experiments": ["x"], "experiments": {"x": own}}


@pytest.mark.parametrize(("parts", "share"), [(("train", "test"), None), (("",), 0.3)], ids=["given", "set aside"])
def test_an_entry_of_the_configuration_makes_a_dataset(parts, share, tmp_path):
    read_run(settings_of(folder_of(tmp_path / "pictures", parts), share))
    data = source("mine")
    prepare("mine", NOWHERE, tmp_path / "out")
    arrays = read_arrays(tmp_path / "out")
    assert {name: array.shape for name, array in arrays.items()} == data.shapes
    assert data.image_shape == (3, 8, 6)
    tested = 18 if share is None else 6  # two of six in each class
    assert data.test_images == tested
    assert np.bincount(arrays["test_labels"]).tolist() == [tested // 3] * 3
    first = arrays["train_images"][arrays["train_labels"] == 0]
    assert any((image == pixels(0)).all() for image in (*first, *arrays["test_images"]))
    assert not {image.tobytes() for image in arrays["train_images"]} & {i.tobytes() for i in arrays["test_images"]}
    check_prepared(tmp_path / "out", data)
    (split,) = read_splits(tmp_path / "out", Training(batch_size=1, validation_images=1), 0, [0], data.image_shape, 3)
    assert len(split.train) == data.training_images - 1


def test_the_checksum_is_what_sha256sum_gives(tmp_path):
    folder = folder_of(tmp_path / "pictures")
    (folder / "class-000/.hidden").write_text("")
    command = "find * -name '[^.]*.*g' -type f | LC_ALL=C sort | xargs sha256sum | sha256sum"
    printed = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=True).stdout
    assert described(folder, 0.5).folder.sha256 == printed.split()[0]


def test_equal_pictures_lie_on_one_side(tmp_path):
    folder = folder_of(tmp_path / "pictures", classes=2, each=4)
    for path in list(folder.rglob("*.png")):
        shutil.copy(path, path.with_stem(f"{path.stem}-again"))
    read_run(settings_of(folder, 0.5))
    prepare("mine", NOWHERE, tmp_path / "out")
    arrays = read_arrays(tmp_path / "out")
    assert not {i.tobytes() for i in arrays["train_images"]} & {i.tobytes() for i in arrays["test_images"]}


def test_more_than_256_classes(tmp_path):
    read_run(settings_of(folder_of(tmp_path / "pictures", classes=300, each=2), 0.5))
    prepare("mine", NOWHERE, tmp_path / "out")
    labels = read_arrays(tmp_path / "out")["train_labels"]
    assert labels.dtype == np.uint16
    assert labels.tolist() == list(range(300))


def test_grey_pictures_have_one_channel(tmp_path):
    for name in "ab":
        for number in range(6):
            path = tmp_path / "pictures" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, number + (name == "b") * 10, channels=1)
    read_run(settings_of(tmp_path / "pictures", 0.5))
    prepare("mine", NOWHERE, tmp_path / "out")
    assert read_arrays(tmp_path / "out")["train_images"].shape == (6, 1, 8, 6)


def test_where_the_folder_lies_repeats_nothing(tmp_path):
    folder = folder_of(tmp_path / "pictures")
    settings = read_run(settings_of(folder, 0.5))
    told = dependence.of_dataset(SOURCES["mine"]), dependence.of_results(settings)
    folder.rename(tmp_path / "moved")
    settings = read_run(settings_of(tmp_path / "moved", 0.5))
    assert (dependence.of_dataset(SOURCES["mine"]), dependence.of_results(settings)) == told
    read_run(settings_of(tmp_path / "moved", 0.34))
    assert dependence.of_dataset(SOURCES["mine"]) != told[0]


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "another byte": (lambda top: flipped(top / "class-001/0.png"), "is not what datasets.mine says: its 18 files have"),
    "one more": (
        lambda top: write(top / "class-001/9.png", 99),
        "says: its 19 files have the checksum",
    ),
    "one less": (lambda top: (top / "class-001/0.png").unlink(), "says: its 17 files have the checksum"),
    "another kind": (
        lambda top: (top / "class-001/x.txt").write_text(""),
        "x.txt: is no PNG or JPEG file; exp",
    ),
    "a file on top": (lambda top: (top / "x.png").write_text(""), "x.png: must be a folder; expected <class>/<pic"),
    "too deep": (lambda top: (top / "class-001/x.png").mkdir(), "class-001/x.png: is no PNG or JPEG file"),
    "gone": (shutil.rmtree, "pictures: cannot be read: No such file or directory; expected <class>/"),
}


@pytest.mark.parametrize(("damage", "told"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_changed_folder_is_told_and_nothing_written(damage, told, tmp_path):
    folder = folder_of(tmp_path / "pictures")
    read_run(settings_of(folder, 0.5))
    damage(folder)
    with pytest.raises(LotteryError) as error:
        prepare("mine", NOWHERE, tmp_path / "out")
    assert str(error.value).startswith(str(folder))
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def as_gif(path: Path) -> None:
    write(path.with_suffix(".gif"), 3)
    path.with_suffix(".gif").rename(path)


BAD_PICTURES = {
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:50]), "is no whole PNG or JPEG picture"),
    "a text": (lambda path: path.write_text("not a picture"), "is no PNG or JPEG picture"),
    "another size": (lambda path: write(path, 3, 8, 7), "is 8 x 7 pixels, expected 8 x 6"),
    "16 bits": (lambda path: write(path, 3, channels=1, mode="I;16"), "has more than 8 bits for each number"),
    "another format": (as_gif, "is no PNG or JPEG picture"),
    "grey among colours": (lambda path: write(path, 3, channels=1), ""),
    "transparent": (lambda path: write(path, 3, mode="RGBA"), ""),
    "of a palette": (lambda path: write(path, 3, mode="P"), ""),
}


@pytest.mark.parametrize(("damage", "told"), BAD_PICTURES.values(), ids=BAD_PICTURES.keys())
def test_a_bad_picture_is_named(damage, told, tmp_path):
    folder = folder_of(tmp_path / "pictures")
    damage(folder / "class-002/4.png")
    read_run(settings_of(folder, 0.5))
    if not told:
        prepare("mine", NOWHERE, tmp_path / "out")
        return
    with pytest.raises(LotteryError, match=f"^{folder}/class-002/4.png: {told}") as error:
        prepare("mine", NOWHERE, tmp_path / "out")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"classes": 4}, "holds 3 classes, 9 training and 9 test images; datasets.mine says 4, 9 and 9"),
        ({"training_images": 8}, "holds 3 classes, 9 training and 9 test images; datasets.mine says 3, 8 and 9"),
        ({"test_share": None}, "test_share None: train and test are not there, so it is needed"),
    ],
)
def test_an_entry_that_does_not_fit_the_folder_is_told(changes, told, tmp_path):
    folder = folder_of(tmp_path / "pictures")
    read_run(settings_of(folder, 0.5, **changes))
    with pytest.raises(LotteryError, match=f"^{folder}: {told}"):
        prepare("mine", NOWHERE, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("mnist", {}, "config: datasets: there is a dataset 'mnist' already"),
        ("My Photos", {}, "datasets: the name 'My Photos' must be of the form"),
        ("mine", {"image_shape": [2, 8, 6]}, r"datasets.mine: image_shape \[2, 8, 6\] must be 1 or 3 channels"),
        ("mine", {"sha256": "abc"}, "config: datasets.mine.sha256: .*"),
        ("mine", {"classes": 1}, "config: datasets.mine.classes: input should be greater than or equal to 2"),
    ],
)
def test_a_wrong_entry_stops_before_anything_runs(name, changes, told, tmp_path):
    settings = settings_of(folder_of(tmp_path / "pictures"), 0.5, **changes)
    settings["datasets"] = {name: settings["datasets"]["mine"]}
    with pytest.raises(LotteryError, match=told):
        read_run(settings)


def test_a_prepared_dataset_is_compared_with_its_pictures(tmp_path):
    folder = folder_of(tmp_path / "pictures")
    read_run(settings_of(folder, 0.5))
    prepare("mine", NOWHERE, tmp_path / "out")
    arrays = {name: values.copy() for name, values in read_arrays(tmp_path / "out").items()}
    arrays["test_images"].flat[5] ^= 1
    write_arrays(tmp_path / "out", arrays)
    with pytest.raises(LotteryError, match=f"out: test_images is not what the pictures of {folder} give"):
        check_prepared(tmp_path / "out", source("mine"))
    shutil.rmtree(folder)
    check_prepared(tmp_path / "out", replace(source("mine"), name="gone"))


def test_the_verb_prints_an_entry_that_yaml_reads_back(tmp_path, capsys):
    folder = folder_of(tmp_path / "it's: #mine")
    assert main(["describe-images", str(folder), "--test-share", "0.5"]) == 0
    (printed,) = yaml.safe_load(capsys.readouterr().out)["datasets"].values()
    assert printed["folder"] == str(folder)
    assert main(["describe-images", str(folder)]) == 1
    assert "test_share None: train and test are not there, so it is needed" in capsys.readouterr().err
    assert printed["sha256"] == checksum(
        {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*g")}
    )


@pytest.mark.long
def test_a_run_on_pictures(fresh, tmp_path):
    """From the folder to tables, by Snakemake."""
    folder = folder_of(fresh.folder / "pictures", classes=3, each=30)
    settings = settings_of(folder, 0.3)
    settings["datasets"]["mine"]["folder"] = "pictures"
    own = {"network": "lenet-8-4", "training": {"iterations": 4, "validation_every": 2, "test_every": 2}}
    settings["experiments"]["x"] |= own
    settings["experiments"]["x"]["training"] |= {"batch_size": 2, "validation_images": 2}
    (fresh.folder / "mine.yaml").write_text(yaml.safe_dump(settings))
    fresh("--cores", "1", "--configfile", "mine.yaml", "--", "tables")
    assert (fresh.folder / "results/mine/tables/levels.csv").exists()
    assert fresh.jobs("--configfile", "mine.yaml", "--", "tables") == {}
    folder.rename(fresh.folder / "moved")
    settings["datasets"]["mine"]["folder"] = "moved"
    (fresh.folder / "mine.yaml").write_text(yaml.safe_dump(settings))
    assert fresh.jobs("--configfile", "mine.yaml", "--", "tables") == {}
