"""Whatever a file or an option holds: one line that names it and says what is wrong, and nothing is written."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from good_files import DENSE, SCORED, TICKET, write_good_files

from lottery.arrays import read_arrays, write_arrays
from lottery.commands.main import main
from lottery.errors import LotteryError


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write_good_files(folder)
    return folder


TRAIN = ["train", TICKET]
PRUNE = ["prune", "small/r0-1/iterative/level2"]
PRUNE_BY_SCORES = ["prune", SCORED]
SCORE = ["score", SCORED]
REWIND = ["rewind", TICKET]
REWIND_LATE = ["rewind", "late/r0-1/iterative/level1"]
MAKE_CONTROL = ["make-control", "small/r0-1/random/level1"]
COLLECT, DESCRIBE, JUDGE = ["collect"], ["describe-tickets"], ["judge-claims"]
PLOT = ["plot", "figure4a"]
DATA = "data/mnist.safetensors"

READERS = [
    (TRAIN, DATA),
    (TRAIN, f"run/{TICKET}/start.safetensors"),
    (TRAIN, f"run/{TICKET}/mask.safetensors"),
    (TRAIN, "run/settings.json"),
    (PRUNE, f"run/{TICKET}/trained.safetensors"),
    (PRUNE, f"run/{TICKET}/mask.safetensors"),
    (PRUNE_BY_SCORES, f"run/{SCORED}/scores.safetensors"),
    (SCORE, "run/late/r0-1/dense/level0/trained.safetensors"),
    (SCORE, DATA),
    (REWIND, f"run/{DENSE}/start.safetensors"),
    (REWIND, f"run/{TICKET}/mask.safetensors"),
    (REWIND_LATE, "run/late/r0-1/dense/level0/snapshots.safetensors"),
    (MAKE_CONTROL, f"run/{TICKET}/mask.safetensors"),
    (MAKE_CONTROL, f"run/{DENSE}/start.safetensors"),
    (COLLECT, f"run/{DENSE}/summary.json"),
    (COLLECT, f"run/{DENSE}/history.csv"),
    (COLLECT, "run/settings.json"),
    (DESCRIBE, f"run/{DENSE}/start.safetensors"),
    (DESCRIBE, f"run/{DENSE}/trained.safetensors"),
    (DESCRIBE, f"run/{TICKET}/mask.safetensors"),
    (JUDGE, "run/tables/levels.csv"),
    (JUDGE, "run/tables/speed.csv"),
    (PLOT, "run/tables/levels.csv"),
    (PLOT, "run/tables/curves.csv"),
]
"""Every verb that reads, and its place or figure, with every kind of file that it reads."""


def called(verb: list[str], folder: Path) -> list[str]:
    """The command line of a verb on the run among these files."""
    name, *rest = verb
    return [name, f"{folder}/run", *rest]


def written(folder: Path) -> dict[Path, tuple[int, int]]:
    """What changes when a file is written, of every file: its inode and its time."""
    files = {path: path.stat() for path in folder.rglob("*") if path.is_file()}
    return {path: (found.st_ino, found.st_mtime_ns) for path, found in files.items()}


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


ABSENT = "cannot be read: No such file or directory"

MAY_BE_ABSENT = {"speed"}
"""Tables that runs of an older version have none of."""

ANY_FILE = [
    (lambda path: path.unlink(), ABSENT),
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
SNAPSHOTS = [
    (changed(without_one), "is missing; expected: "),
    (changed(lambda arrays: arrays.update({"10:extra.weight": np.zeros(3, np.float32)})), "extra.weight should not be"),
    (lambda path: write_arrays(path, {}), "holds no weights of iteration 10; it holds those of: none"),
    *ARRAY_FILE[2:],
    *PARAMETERS,
]
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
RUN_SETTINGS = [
    (lambda path: path.write_text(path.read_text().replace("lenet-5-4", "lenet-5-x")), "network: "),
    (lambda path: path.write_text(path.read_text().replace('"iterations": 20', '"iterations": "x"', 1)), "iterations"),
    (lambda path: path.write_text(path.read_text().replace('"small": {', '"other": {')), "'small'"),
]
OF_KIND = {
    "mnist": ARRAY_FILE + DATASET,
    "start": ARRAY_FILE + PARAMETERS,
    "snapshots": SNAPSHOTS,
    "scores": ARRAY_FILE,
    "settings": RUN_SETTINGS,
    "trained": ARRAY_FILE + PARAMETERS,
    "mask": ARRAY_FILE + MASK,
    "summary": SUMMARY,
    "history": TABLE,
    "levels": TABLE,
    "curves": TABLE,
    "speed": TABLE,
}


@pytest.mark.parametrize(
    ("verb", "name", "damage", "told"),
    [
        pytest.param(verb, name, damage, told, id=f"{'-'.join(verb).replace('/', '-')}-{Path(name).stem}-{number}")
        for verb, name in READERS
        for number, (damage, told) in enumerate(ANY_FILE + OF_KIND[Path(name).stem])
        if not (Path(name).stem in MAY_BE_ABSENT and told == ABSENT)
    ],
)
def test_a_wrong_file_is_one_line_and_nothing_is_written(files, tmp_path, capsys, verb, name, damage, told):
    folder = tmp_path / "in"
    shutil.copytree(files, folder)
    user = os.geteuid()
    if user == 0 and damage is no_permission:
        # The superuser may read everything; nobody may not.
        ours = [path for path in tmp_path.parents if Path(tempfile.gettempdir()) in path.parents]
        for path in (*ours, tmp_path, *tmp_path.rglob("*")):
            path.chmod(0o755)
    damage(folder / name)
    before = written(folder)
    capsys.readouterr()
    if user == 0 and damage is no_permission:
        os.seteuid(65534)
    try:
        status = main(called(verb, folder))
    finally:
        os.seteuid(user)
    lines = [line for line in capsys.readouterr().err.splitlines() if not line[:2].isdigit()]
    assert status == 1
    assert len(lines) == 1, lines
    assert f"{folder / name}: " in lines[0]
    assert told in lines[0]
    assert written(folder) == before


def test_debug_shows_where_an_error_comes_from(files, tmp_path):
    folder = tmp_path / "in"
    shutil.copytree(files, folder)
    (folder / "run" / TICKET / "trained.safetensors").unlink()
    with pytest.raises(LotteryError):
        main(["--debug", *called(PRUNE, folder)])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "run", "small/r5-2/iterative/level1"], "argument PLACE: 'small/r5-2/iterative/level1' is no place"),
        (
            ["train", "run", "small/0/iterative/level1"],
            "argument PLACE: 'small/0/iterative/level1' is no place",
        ),
        (["train", "run", TICKET, "--threads", "0"], "argument --threads: '0' is not a whole number from 1 on"),
    ],
)
def test_an_argument_that_names_no_network_is_told(capsys, arguments, told):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("smal/r0-1/iterative/level1", "no experiment is called 'smal'"),
        ("small/r0-1/iterativ/level1", "arm: unknown arm 'iterativ'"),
    ],
)
def test_a_place_that_is_not_of_the_run_is_told(files, capsys, place, told):
    capsys.readouterr()
    assert main(["train", f"{files}/run", place]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{files}/run/settings.json: {told}" in line
