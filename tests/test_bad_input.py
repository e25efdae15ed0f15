"""Whatever a file or an option holds: one line that names it and says what is wrong, and nothing is written."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from good_files import COMMON, collect, train, write_good_files

from lottery.arrays import read_arrays, write_arrays
from lottery.cli import main
from lottery.errors import LotteryError
from lottery.settings import Pruning


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write_good_files(folder)
    return folder


def prune(folder: Path, out: Path) -> list[str]:
    place = ["--arm", "iterative", "--level", "2", "--pruning", Pruning().canonical_json()]
    inputs = ["--trained", f"{folder}/trained.safetensors", "--survivors", f"{folder}/mask.safetensors"]
    return ["prune", *COMMON, *place, *inputs, "--mask", f"{out}/mask.safetensors"]


def rewind_verb(folder: Path, out: Path) -> list[str]:
    inputs = ["--checkpoint", f"{folder}/start.safetensors", "--mask", f"{folder}/mask.safetensors"]
    return ["rewind", *COMMON, *inputs, "--start", f"{out}/start.safetensors"]


def control(verb: str, *inputs: str) -> Callable[[Path, Path], list[str]]:
    def arguments(folder: Path, out: Path) -> list[str]:
        outputs = ["--mask", f"{out}/mask.safetensors", "--start", f"{out}/start.safetensors"]
        given = [text.format(folder=folder) for text in inputs]
        return [verb, *COMMON, "--level", "1", "--draws", "1", *given, *outputs]

    return arguments


make_control = control(
    "make-control",
    *("--arm", "random", "--initialisation", "{{}}"),
    *("--ticket", "{folder}/mask.safetensors", "--checkpoint", "{folder}/start.safetensors"),
)


def judge(folder: Path, out: Path) -> list[str]:
    outputs = [f"--{kind}={out}/claims.{kind}" for kind in ("csv", "markdown", "html")]
    return ["judge-claims", "--levels", f"{folder}/levels.csv", *outputs]


def plot(folder: Path, out: Path) -> list[str]:
    tables = ["--levels", f"{folder}/levels.csv", "--details", f"{folder}/curves.csv"]
    return ["plot", "--figure", "figure4a", *tables, "--output", f"{out}/figure.png"]


READERS = [
    (train, "dataset.safetensors"),
    (train, "ticket.safetensors"),
    (train, "mask.safetensors"),
    (prune, "trained.safetensors"),
    (prune, "mask.safetensors"),
    (rewind_verb, "start.safetensors"),
    (rewind_verb, "mask.safetensors"),
    (make_control, "mask.safetensors"),
    (make_control, "start.safetensors"),
    (collect, "dense/summary.json"),
    (collect, "dense/history.csv"),
    (judge, "levels.csv"),
    (plot, "levels.csv"),
    (plot, "curves.csv"),
]
"""Every verb that reads, with every kind of file that it reads."""


def no_permission(path: Path) -> None:
    path.chmod(0)


def changed(change: Callable[[dict[str, np.ndarray]], None]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        arrays = {name: array.copy() for name, array in read_arrays(path).items()}
        change(arrays)
        write_arrays(path, arrays)

    return damage


def first(arrays: dict[str, np.ndarray]) -> str:
    return next(name for name in arrays if "labels" not in name)


def without_one(arrays):
    del arrays[first(arrays)]


def with_another(arrays):
    arrays["extra.weight"] = np.zeros(3, np.float32)


def another_shape(arrays):
    arrays[first(arrays)] = arrays[first(arrays)][..., :-1]


def another_type(arrays):
    arrays[first(arrays)] = arrays[first(arrays)].astype(np.float64)


def not_finite(arrays):
    name = next(name for name in arrays if name.endswith("weight"))
    arrays[name][1, 2, 3] = np.nan


def two(arrays):
    name = next(name for name in arrays if name.endswith("weight"))
    arrays[name][1, 2, 3] = 2


ANY_FILE = [
    (lambda path: path.unlink(), "cannot be read: No such file or directory"),
    (lambda path: (path.unlink(), path.mkdir()), "cannot be read: Is a directory"),
    (no_permission, "cannot be read: Permission denied"),
    (lambda path: path.write_bytes(b""), ""),
    (lambda path: path.write_bytes(path.read_bytes()[:50]), ""),
    (lambda path: path.write_bytes(b"\x80\x04\x95" + path.read_bytes()), ""),
]
ARRAY_FILE = [
    (changed(without_one), "is missing; expected: "),
    (changed(with_another), "extra.weight should not be there; expected: "),
    (changed(another_shape), ", expected "),
    (changed(another_type), "float64"),
    (lambda path: path.write_bytes(path.read_bytes()[:-1]), "is not a whole safetensors file"),
]
PARAMETERS = [(changed(not_finite), "1 numbers that are not finite, the first at [1, 2, 3]")]
MASK = [(changed(two), "holds 2; a mask holds 0 (pruned) and 1 (kept)")]
DATASET = [
    (changed(lambda arrays: arrays["test_labels"].__setitem__(0, 10)), "must be numbers below 10"),
    (changed(lambda arrays: arrays.update(train_labels=arrays["train_labels"][:-1])), ", expected uint8 [99, 28, 28]"),
]
TABLE = [
    (lambda path: path.write_text(path.read_text().replace("replicate", "seed", 1)), "column replicate is missing"),
    (lambda path: path.write_text(path.read_text().replace(",0,", ",many,")), "must hold numbers alone"),
]
SUMMARY = [
    (lambda path: path.write_text(path.read_text().replace('"weights": 39', '"weights": "x', 1)), "Invalid JSON"),
    (lambda path: path.write_text(path.read_text().replace('"level": 0', '"level": "0"')), "level: "),
    (lambda path: path.write_text(path.read_text().replace('"draw": 0', '"draw": 0.5')), "members.0.draw: "),
    (lambda path: path.write_text(json.dumps({"experiment": "x"})), "arm: Field required"),
]
OF_KIND = {
    "dataset": ARRAY_FILE + DATASET,
    "ticket": ARRAY_FILE + PARAMETERS,
    "start": ARRAY_FILE + PARAMETERS,
    "trained": ARRAY_FILE + PARAMETERS,
    "mask": ARRAY_FILE + MASK,
    "summary": SUMMARY,
    "history": TABLE,
    "levels": TABLE,
    "curves": TABLE,
}


@pytest.mark.parametrize(
    ("verb", "name", "damage", "told"),
    [
        pytest.param(verb, name, damage, told, id=f"{verb.__name__}-{Path(name).stem}-{number}")
        for verb, name in READERS
        for number, (damage, told) in enumerate(ANY_FILE + OF_KIND[Path(name).stem])
    ],
)
def test_a_wrong_file_is_one_line_and_nothing_is_written(files, tmp_path, capsys, verb, name, damage, told):
    folder, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(files, folder)
    user = os.geteuid()
    if user == 0 and damage is no_permission:
        # The superuser may read everything; nobody may not.
        ours = [path for path in tmp_path.parents if Path(tempfile.gettempdir()) in path.parents]
        for path in (*ours, tmp_path, *tmp_path.rglob("*")):
            path.chmod(0o755)
    damage(folder / name)
    capsys.readouterr()
    if user == 0 and damage is no_permission:
        os.seteuid(65534)
    try:
        status = main(verb(folder, out))
    finally:
        os.seteuid(user)
    lines = [line for line in capsys.readouterr().err.splitlines() if not line[:2].isdigit()]
    assert status == 1
    assert len(lines) == 1, lines
    assert f"{folder / name}: " in lines[0]
    assert told in lines[0]
    assert not out.exists() or not [path for path in out.rglob("*") if path.is_file()]


def test_debug_shows_where_an_error_comes_from(files, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(files, folder)
    (folder / "trained.safetensors").unlink()
    with pytest.raises(LotteryError):
        main(["--debug", *prune(folder, tmp_path)])


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--stack", "r5-2", "'r5-2' is not of the form r0-2"),
        ("--stack", "0", "'0' is not of the form r0-2"),
        ("--draws", "0", "'0' is not a whole number from 1 on"),
    ],
)
def test_an_option_that_names_no_network_is_told(tmp_path, capsys, option, value, told):
    with pytest.raises(SystemExit) as end:
        main([*make_control(tmp_path, tmp_path), option, value])
    assert end.value.code == 2
    assert f"argument {option}: {told}" in capsys.readouterr().err
