"""Twins, snapshots, shared replicates, transferred tickets and scores, in a real run of seconds."""

import csv
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import BY, Workflow, copy_of_repository, experiment, made_by_verbs, overlay

from lottery.arrays import Arrays, read_arrays, write_arrays
from lottery.evidence.verification import verify
from lottery.networks import build
from lottery.pruning.allocation import ladder
from lottery.runs.keeping import let_go
from lottery.runs.reading import read_settings_of
from lottery.settings import Pruning

NETWORK = build("lenet-30-10", (28, 28), 10)
TRAINING = {"iterations": 200, "validation_every": 100, "test_every": 100}


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Workflow:
    made = copy_of_repository(tmp_path_factory.mktemp("arms"))
    made("--cores", "2", *run_options(made))
    return made


def run_options(workflow: Workflow, **changes: object) -> tuple[str, str]:
    return overlay(workflow, "arms", **values(**changes))


def values(**changes: object) -> dict[str, object]:
    """The settings of a run of two experiments."""
    first = experiment(
        training=TRAINING,
        seed_name="shared",
        levels=2,
        replicates=2,
        replicates_per_job=2,
        arms=[
            {"arm": "dense-twin", "draws": 2},
            {"arm": "iterative", "levels": [1, 2]},
            {"arm": "iterative-at-100", "levels": [1]},
            {"arm": "iterative-same-sign", "levels": [2], "draws": 2},
            {"arm": "iterative-twin", "levels": [2]},
            {"arm": "one-shot-sensitivity", "levels": [2]},
            {"arm": "one-shot-both-large", "levels": [2]},
        ],
    )
    arms = [
        {"arm": "dense", "snapshots": [100]},
        {"arm": "iterative", "levels": [1, 2], "snapshots": [100]},
        {"arm": "transferred", "levels": [2], "from_experiment": "first"},
    ]
    second = first | {"training": TRAINING | {"learning_rate": 0.003}, "arms": arms}
    experiments = {"first": first, "second": second}
    return {"run": "arms", "figures": [], "run_experiments": [*experiments], "experiments": experiments} | changes


@pytest.fixture(scope="module", params=BY)
def run(request, mnist, tmp_path_factory) -> Path:
    if request.param == "Snakemake":
        return request.getfixturevalue("workflow").folder / "results/arms"
    return made_by_verbs(tmp_path_factory.mktemp("arms"), mnist, **values())


def arrays(run: Path, file: str) -> Arrays:
    experiment, _, rest = file.partition("/")
    return read_arrays(run / experiment / "r0-1" / f"{rest}.safetensors")


def same(one: Arrays, other: Arrays) -> bool:
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)


def test_verified(run):
    assert list(verify(run, run.parent / "data")) == []


def test_twins_start_alike_and_see_other_batches(run):
    start, twin = arrays(run, "first/dense/level0/start"), arrays(run, "first/dense-twin/level0/start")
    trained, ends = arrays(run, "first/dense/level0/trained"), arrays(run, "first/dense-twin/level0/trained")
    for name, values in start.items():
        assert (twin[name] == np.repeat(values, 2, axis=0)).all()
    different = [trained["fc1.weight"][0], *ends["fc1.weight"][:2]]
    assert len({each.tobytes() for each in different}) == 3
    ticket, own = arrays(run, "first/iterative/level2/start"), arrays(run, "first/iterative-twin/level2/start")
    assert same(ticket, own)
    assert not same(arrays(run, "first/iterative/level2/trained"), arrays(run, "first/iterative-twin/level2/trained"))


def test_a_ticket_rewound_to_a_snapshot_starts_there(run):
    snapshot, mask = arrays(run, "first/dense/level0/snapshots"), arrays(run, "first/iterative-at-100/level1/mask")
    start = arrays(run, "first/iterative-at-100/level1/start")
    assert set(snapshot) == {f"100:{name}" for name in start}
    for name, values in start.items():
        assert (values == snapshot[f"100:{name}"] * mask.get(name, 1)).all()
    with (run / "first/r0-1/iterative-at-100/level1/history.csv").open() as file:
        assert [int(row["iteration"]) for row in csv.DictReader(file)] == [100, 200] * 2


def test_snapshots_are_the_weights_on_the_way(run):
    """The second experiment's dense training passes through them: its end is reached from them with its own batches."""
    first = arrays(run, "second/dense/level0/snapshots")
    start, end = arrays(run, "second/dense/level0/start"), arrays(run, "second/dense/level0/trained")
    assert all((first[f"100:{name}"] != values).any() for name, values in end.items())
    assert all((first[f"100:{name}"] != values).any() for name, values in start.items() if name.endswith("weight"))
    mask, on_the_way = arrays(run, "second/iterative/level1/mask"), arrays(run, "second/iterative/level1/snapshots")
    for name, kept in mask.items():
        assert not on_the_way[f"100:{name}"][kept == 0].any()
    assert arrays(run, "first/iterative/level1/snapshots") == {}


def test_experiments_of_one_seed_name_share_initial_weights_and_images(run):
    assert same(arrays(run, "first/dense/level0/start"), arrays(run, "second/dense/level0/start"))
    rows = []
    for name in ("first", "second"):
        with (run / name / "r0-1/dense/level0/history.csv").open() as file:
            rows.append(list(csv.DictReader(file)))
    for one, other in zip(*rows, strict=True):
        alike = one["iteration"] == "0"
        assert (one["validation_loss"] == other["validation_loss"]) == alike


def test_signs_are_the_tickets_and_sizes_are_not(run):
    initial = arrays(run, "first/dense/level0/start")
    mask, start = (arrays(run, f"first/iterative-same-sign/level2/{file}") for file in ("mask", "start"))
    ticket = arrays(run, "first/iterative/level2/mask")
    for name, kept in mask.items():
        assert (kept == np.repeat(ticket[name], 2, axis=0)).all()
        theirs, ours = np.repeat(initial[name], 2, axis=0)[kept == 1], start[name][kept == 1]
        assert (np.sign(ours) == np.sign(theirs)).all()
        assert (np.abs(ours) != np.abs(theirs)).mean() > 0.99
        assert not start[name][kept == 0].any()
    assert start["fc1.weight"][0].tobytes() != start["fc1.weight"][1].tobytes()


def test_a_transferred_ticket_is_the_other_experiments(run):
    assert same(arrays(run, "second/transferred/level2/mask"), arrays(run, "first/iterative/level2/mask"))
    assert same(arrays(run, "second/transferred/level2/start"), arrays(run, "first/iterative/level2/start"))
    assert not same(arrays(run, "second/iterative/level2/mask"), arrays(run, "first/iterative/level2/mask"))


def test_scores_of_images_choose_the_mask(run):
    scores, mask = (arrays(run, f"first/one-shot-sensitivity/level2/{file}") for file in ("scores", "mask"))
    counts = ladder(NETWORK, Pruning(), 2)
    for (name,), count in counts.items():
        for replicate in range(2):
            kept = mask[name][replicate] == 1
            assert kept.sum() == count
            assert scores[name][replicate][kept].min() >= scores[name][replicate][~kept].max()
    assert not same(mask, arrays(run, "first/one-shot-both-large/level2/mask"))


@pytest.mark.parametrize(
    ("keep", "weights", "early_stop", "masks"),
    [
        ("everything", True, True, True),
        ("without-early-stop", True, False, True),
        ("last-level", False, False, True),
        ("tables", False, False, False),
    ],
)
def test_a_finished_run_keeps_what_its_settings_say(run, tmp_path, keep, weights, early_stop, masks):
    copy = tmp_path / "arms"
    shutil.copytree(run, copy)
    settings = read_settings_of(run).model_copy(update={"keep": keep})
    removed = let_go(copy, settings)
    folder = copy / "first/r0-1/iterative"
    assert (folder / "level1/trained.safetensors").exists() == weights
    assert (folder / "level1/early-stop.safetensors").exists() == early_stop
    assert (folder / "level2/trained.safetensors").exists() == (keep != "tables")
    assert (folder / "level2/early-stop.safetensors").exists() == (keep in ("everything", "last-level"))
    assert (folder / "level1/mask.safetensors").exists() == masks
    assert (folder / "level1/summary.json").exists()
    assert (copy / "first/r0-1/dense/level0/start.safetensors").exists() == (keep != "tables")
    assert bool(removed) == (keep != "everything")


def test_nothing_is_let_go_of_an_unfinished_run(run, tmp_path):
    copy = tmp_path / "arms"
    shutil.copytree(run, copy)
    (copy / "first/r0-1/iterative/level1/summary.json").unlink()
    assert let_go(copy, read_settings_of(run).model_copy(update={"keep": "tables"})) == []


@pytest.mark.long
def test_what_was_let_go_is_not_asked_for_again(workflow):
    options = run_options(workflow, run="few", keep="tables", run_experiments=["second", "first"])
    workflow("--cores", "2", *options)
    few = workflow.folder / "results/few"
    assert [file.name for file in few.rglob("*.safetensors")] == []
    assert workflow.jobs(*options) == {}


def test_a_snapshot_of_other_weights_is_found(run, tmp_path):
    """Nothing is rewound to it, and its checksum is forged: its accuracy is not the history's."""
    shutil.copytree(run, tmp_path / "results/arms")
    (tmp_path / "results/data").symlink_to(run.parent / "data")
    folder = tmp_path / "results/arms/second/r0-1/dense/level0"
    before = (folder / "snapshots.safetensors").read_bytes()
    forged = {
        name: np.ascontiguousarray(values[::-1] if values.ndim < 3 else values[:, ::-1])
        for name, values in read_arrays(folder / "snapshots.safetensors").items()
    }
    write_arrays(folder / "snapshots.safetensors", forged)
    old, new = (
        hashlib.sha256(content).hexdigest() for content in (before, (folder / "snapshots.safetensors").read_bytes())
    )
    (folder / "summary.json").write_text((folder / "summary.json").read_text().replace(old, new))
    (wrong,) = verify(tmp_path / "results/arms", tmp_path / "results/data")
    assert "second/r0-1/dense/level0/history.csv" in wrong
    assert "the snapshot of 100 has" in wrong
