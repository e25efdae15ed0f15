"""Any bytes, and good files with some changed, cut out or put in: readers end with an error of their own."""

import json
import re
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from good_files import DENSE, NETWORK, RECIPE, SCORED, SETTINGS, TICKET, write_good_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lottery.analysis.tables import CURVES, HISTORY, LEVELS, read_summary, read_table
from lottery.arms.places import Place
from lottery.arrays import read_arrays, read_arrays_with_texts
from lottery.arrays.weights import read_mask, read_parameters, read_scores, read_snapshot
from lottery.datasets.idx import parse_idx
from lottery.datasets.images import read_splits
from lottery.errors import LotteryError
from lottery.runs.reading import read_finished_run, read_job
from lottery.settings.reading import read_settings


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("good")
    write_good_files(folder)
    return folder


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
    "data/mnist.safetensors": [
        read_arrays,
        read_arrays_with_texts,
        lambda path: read_splits(path, RECIPE, 0, [0]),
    ],
    f"run/{TICKET}/mask.safetensors": [lambda path: read_mask(path, NETWORK, 2)],
    f"run/{TICKET}/start.safetensors": [lambda path: read_parameters(path, NETWORK, 2)],
    "run/late/r0-1/dense/level0/snapshots.safetensors": [lambda path: read_snapshot(path, 10, NETWORK, 2)],
    f"run/{SCORED}/scores.safetensors": [lambda path: read_scores(path, NETWORK, 2)],
    f"run/{DENSE}/summary.json": [lambda path: read_summary(path.parent)],
    "run/settings.json": [read_finished_run, lambda path: read_job(path.parent, Place.parse(TICKET))],
    f"run/{DENSE}/history.csv": [lambda path: read_table(path, HISTORY)],
    "run/tables/settings.json": [read_finished_run],
    "run/tables/levels.csv": [lambda path: read_table(path, LEVELS)],
    "run/tables/curves.csv": [lambda path: read_table(path, CURVES)],
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
    ("name", "read"),
    [
        ("settings.json", read_finished_run),
        ("settings.json", lambda path: read_job(path.parent, Place.parse(DENSE))),
        ("summary.json", lambda path: read_summary(path.parent)),
    ],
    ids=["settings of a run", "settings of a job", "summary"],
)
def test_json_nested_without_end_is_an_error(tmp_path, name, read):
    path = tmp_path / name
    path.write_text("[" * 100_000)
    with pytest.raises(LotteryError, match=rf"{re.escape(name)}: "):
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


@given(JSON, st.sampled_from(["", "run", "experiments", "e", "training", "iterations", "arms", "levels", "network"]))
@settings(max_examples=300, deadline=None)
def test_settings_survive_any_value(value, where):
    values = json.loads(json.dumps(SETTINGS))
    inner = values["experiments"]["e"]
    holder = next((each for each in (values, values["experiments"], inner, inner["training"]) if where in each), None)
    if holder is None:
        values = value if isinstance(value, dict) else {"run": value}
    else:
        holder[where] = value
    with suppress(LotteryError):
        read_settings(values)
