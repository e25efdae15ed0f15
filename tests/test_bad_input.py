"""Whatever a file holds: one line that names it and says what is wrong, exit status 1, nothing written."""

import json
import os
import shutil
import struct
import tempfile
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from conftest import made_up_images
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lottery.analysis.tables import CURVES, HISTORY, LEVELS, read_summary, read_table
from lottery.arrays import read_arrays, read_arrays_with_texts, stack, write_arrays
from lottery.cli import main
from lottery.datasets.idx import parse_idx
from lottery.datasets.images import read_splits
from lottery.errors import LotteryError
from lottery.networks import build
from lottery.runs import read_finished_run
from lottery.settings import Pruning, Training
from lottery.settings_reading import read_settings
from lottery.stacks import ExperimentKey
from lottery.tickets import rewind
from lottery.weights import read_mask, read_parameters

NETWORK = build("lenet-5-4", (28, 28), 10)
KEY = ExperimentKey(experiment="small", seed=0, dataset="mnist").canonical_json()
RECIPE = Training(batch_size=20, iterations=20, validation_images=30, validation_every=10, test_every=10)
COMMON = ["--key", KEY, "--network", "lenet-5-4", "--stack", "r0-1"]


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """A folder with one good file of each kind, trained by the verbs themselves."""
    folder = tmp_path_factory.mktemp("good")
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 100), ("test", 40)):
        images = made_up_images(count, 784, 10, random)
        arrays[f"{part}_images"] = images.pixels.reshape(-1, 28, 28)
        arrays[f"{part}_labels"] = images.labels.astype(np.uint8)
    write_arrays(folder / "dataset.safetensors", arrays)
    starts = [NETWORK.initial(random) for _ in range(2)]
    masks = [
        {
            name: (random.random(values.shape) < 0.7).astype(np.uint8)
            for name, values in start.items()
            if name.endswith("weight")
        }
        for start in starts
    ]
    write_arrays(folder / "start.safetensors", stack(starts))
    write_arrays(folder / "mask.safetensors", stack(masks))
    write_arrays(folder / "ticket.safetensors", stack([rewind(*pair) for pair in zip(starts, masks, strict=True)]))
    dense = folder / "dense"
    dense.mkdir()
    assert main(train(folder, dense, start="start", mask=[], place=["--arm", "dense", "--level", "0"])) == 0
    shutil.copy(dense / "trained.safetensors", folder)
    assert main(collect(folder, folder)) == 0
    return folder


def train(
    folder: Path, out: Path, start: str = "ticket", mask: list[str] | None = None, place: list[str] | None = None
):
    mask = ["--mask", f"{folder}/mask.safetensors"] if mask is None else mask
    outputs = [f"--trained={out}/trained.safetensors", f"--history={out}/history.csv", f"--summary={out}/summary.json"]
    return [
        *["train", *COMMON, *(place or ["--arm", "iterative", "--level", "1"]), "--recipe", RECIPE.canonical_json()],
        *["--dataset", f"{folder}/dataset.safetensors", "--start", f"{folder}/{start}.safetensors", *mask],
        *[*outputs, "--checkpoints", f"{out}/checkpoints"],
    ]


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


def collect(folder: Path, out: Path) -> list[str]:
    tables = ["--levels", f"{out}/levels.csv", "--curves", f"{out}/curves.csv", "--settings-file", f"{out}/run.json"]
    settings = GOOD | {"run_experiments": ["small"], "experiments": {"small": GOOD["experiments"]["e"]}}
    return ["collect", *tables, "--settings", json.dumps(settings), f"{folder}/dense"]


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


# Fuzzing: any bytes at all, and good files with some bytes changed, cut out or put in.


@st.composite
def mutations(draw, good: bytes) -> bytes:
    content = bytearray(good)
    for _ in range(draw(st.integers(0, 4))):
        # Headers are where damage does most.
        place = draw(st.one_of(st.integers(0, min(200, len(content))), st.integers(0, len(content))))
        kind = draw(st.sampled_from(["change", "cut", "insert", "truncate", "number"]))
        if kind == "change" and place < len(content):
            content[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del content[place : place + draw(st.integers(1, 20))]
        elif kind == "insert":
            content[place:place] = draw(st.binary(max_size=20))
        elif kind == "truncate":
            del content[place:]
        elif kind == "number":
            content[place : place + 8] = struct.pack("<Q", draw(st.integers(0, 2**64 - 1)))
    return bytes(content)


def only_errors_of_its_own(read: Callable[[], object], size: int) -> None:
    """The reader returns or says what is wrong; memory stays in proportion to the file."""
    tracemalloc.start()
    try:
        read()
    except LotteryError as error:
        told = str(error)
    else:
        told = "nothing"
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert told
    assert "\n" not in told
    assert peak < 200 * size + 5_000_000, "a forged header must not make room for what is not there"


FUZZED = {
    "dataset.safetensors": [
        read_arrays,
        read_arrays_with_texts,
        lambda path: read_splits(path, RECIPE, 0, [0]),
    ],
    "mask.safetensors": [lambda path: read_mask(path, NETWORK, 2)],
    "ticket.safetensors": [lambda path: read_parameters(path, NETWORK, 2)],
    "dense/summary.json": [lambda path: read_summary(path.parent)],
    "run.json": [read_finished_run],
    "dense/history.csv": [lambda path: read_table(path, HISTORY)],
    "levels.csv": [lambda path: read_table(path, LEVELS)],
    "curves.csv": [lambda path: read_table(path, CURVES)],
}


@pytest.mark.parametrize(("name", "readers"), FUZZED.items(), ids=FUZZED)
@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_readers_survive_any_bytes(files, tmp_path, name, readers, data):
    good = (files / name).read_bytes()
    content = data.draw(st.one_of(st.binary(max_size=300), mutations(good)))
    path = tmp_path / Path(name).name
    path.write_bytes(content)
    for read in readers:
        only_errors_of_its_own(lambda read=read: read(path), len(content))


@pytest.mark.parametrize(
    "read", [read_finished_run, lambda path: read_summary(path.parent)], ids=["settings", "summary"]
)
def test_json_nested_without_end_is_an_error(tmp_path, read):
    path = tmp_path / "summary.json"
    path.write_text("[" * 100_000)
    with pytest.raises(LotteryError, match=r"summary\.json: "):
        read(path)


@given(st.one_of(st.binary(max_size=60), mutations(bytes([0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 2]) + bytes(6))))
@settings(max_examples=300, deadline=None)
def test_idx_survives_any_bytes(content):
    only_errors_of_its_own(lambda: parse_idx(content, name="raw"), len(content))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
GOOD = {
    "run": "x",
    "run_experiments": ["e"],
    "experiments": {
        "e": {
            "dataset": "mnist",
            "network": "lenet-300-100",
            "levels": 2,
            "replicates": 1,
            "replicates_per_job": 1,
            "training": {"iterations": 100},
            "arms": [{"arm": "iterative"}],
        }
    },
}


@given(JSON, st.sampled_from(["", "run", "experiments", "e", "training", "iterations", "arms", "levels", "network"]))
@settings(max_examples=300, deadline=None)
def test_settings_survive_any_value(value, where):
    values = json.loads(json.dumps(GOOD))
    inner = values["experiments"]["e"]
    holder = next((each for each in (values, values["experiments"], inner, inner["training"]) if where in each), None)
    if holder is None:
        values = value if isinstance(value, dict) else {"run": value}
    else:
        holder[where] = value
    with suppress(LotteryError):
        read_settings(values)


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
