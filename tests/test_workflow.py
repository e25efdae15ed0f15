"""The real workflow, run by the real Snakemake: what a run makes."""

import itertools
import re
import shutil
import subprocess
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY, SMOKE, One, Workflow, experiment, job_counts, overlay

from lottery.arrays import of_member, read_arrays
from lottery.datasets.images import read_splits
from lottery.networks import build
from lottery.settings import Training
from lottery.training import sparse_engine, torch_engine

LEVELS = [
    *("experiment", "arm", "replicate", "draw", "level", "weights", "weights_remaining", "early_stop_iteration"),
    *("validation_loss_at_early_stop", "validation_accuracy_at_early_stop", "test_accuracy_at_early_stop"),
    *("train_accuracy_at_early_stop", "test_accuracy_final", "train_accuracy_final", "train_seconds"),
]


def folders(smoke: Workflow) -> dict[str, object]:
    results = smoke.folder / "results/smoke/lenet-mnist/r0-1"
    return {str(path.relative_to(results)): path for path in results.glob("*/level*")}


def test_files_of_the_contract(smoke):
    found = folders(smoke)
    assert set(found) == {
        "dense/level0",
        *(f"iterative/level{level}" for level in (1, 2, 3)),
        *(f"{arm}/level3" for arm in ("iterative-reinit", "one-shot", "random", "small-dense")),
    }
    for name, folder in found.items():
        files = {path.name for path in folder.iterdir()}
        masked = {"mask.safetensors"} if name not in ("dense/level0", "small-dense/level3") else set()
        trained = {f"{name}.safetensors" for name in ("start", "trained", "early-stop", "snapshots")}
        assert files == {*trained, "history.csv", "summary.json"} | masked
    run = smoke.folder / "results/smoke"
    pictures = {f"{name}.{suffix}" for name in FIGURES for suffix in ("pdf", "svg", "png")}
    assert {path.name for path in (run / "figures").iterdir()} == pictures
    tables = {"levels.csv", "curves.csv", "weights.csv", "settings.json", "claims.csv", "claims.md", "claims.html"}
    tables |= {"layers.csv", "distributions.csv", "pixels.csv", "speed.csv"}
    assert {path.name for path in (run / "tables").iterdir()} == tables
    assert {path.name for path in run.iterdir() if path.is_file()} == {"settings.json"}


FIGURES = [
    f"figure{name}"
    for name in ("1", "3", "4a", "4b", "4c", 11, 12, 14, 15, 19, 20, 21, 23, "-masks", "-size", "-speed")
]


def test_nothing_is_written_outside_the_results(smoke):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    known = {name.split("/")[0] for name in listed.stdout.splitlines()}
    made = {path.name for path in smoke.folder.iterdir()}
    assert made - known == {"results", ".snakemake"}


def arrays_of(folder) -> tuple[dict, dict, dict]:
    return tuple(read_arrays(folder / f"{name}.safetensors") for name in ("mask", "start", "trained"))


def test_masks_are_exact_and_nested_and_pruned_weights_are_0(smoke):
    found = folders(smoke)
    kept = {1: (188_160, 24_000, 900), 2: (150_528, 19_200, 810), 3: (120_422, 15_360, 729)}
    previous = None
    for level in (1, 2, 3):
        mask, start, trained = arrays_of(found[f"iterative/level{level}"])
        for name, count in zip(("fc1.weight", "fc2.weight", "output.weight"), kept[level], strict=True):
            assert mask[name].dtype == np.uint8
            assert mask[name].sum(axis=(1, 2)).tolist() == [count, count]
            if previous is not None:
                assert (mask[name] <= previous[name]).all()
            assert not start[name][mask[name] == 0].any()
            assert not trained[name][mask[name] == 0].any()
            assert (trained[name] != start[name])[mask[name] == 1].mean() > 0.5
        previous = mask


def test_tickets_are_rewound_to_the_initialisation_bit_for_bit(smoke):
    found = folders(smoke)
    initial = read_arrays(found["dense/level0"] / "start.safetensors")
    for name in ("iterative/level1", "iterative/level2", "iterative/level3", "one-shot/level3", "random/level3"):
        mask, start, _ = arrays_of(found[name])
        for parameter, values in start.items():
            kept = mask.get(parameter, np.ones(values.shape)) == 1
            same = values[kept].tobytes() == initial[parameter][kept].tobytes()
            assert same, (name, parameter)


def test_masks_keep_the_largest_trained_weights(smoke):
    found = folders(smoke)
    dense = read_arrays(found["dense/level0"] / "trained.safetensors")
    for name in ("iterative/level1", "one-shot/level3"):
        mask = read_arrays(found[name] / "mask.safetensors")
        for parameter, kept in mask.items():
            size = np.abs(dense[parameter])
            for member in range(2):
                assert size[member][kept[member] == 1].min() >= size[member][kept[member] == 0].max()


def test_controls_differ_from_the_ticket_in_one_thing(smoke):
    found = folders(smoke)
    mask, start, _ = arrays_of(found["iterative/level3"])
    reinit_mask, reinit_start, _ = arrays_of(found["iterative-reinit/level3"])
    random_mask, _, _ = arrays_of(found["random/level3"])
    for parameter, ticket in mask.items():
        # Members of the control: two draws for each of the two replicates.
        assert (reinit_mask[parameter] == np.repeat(ticket, 2, axis=0)).all()
        survivors = [reinit_start[parameter][index][ticket[index // 2] == 1] for index in range(4)]
        assert all((a != b).mean() > 0.99 for a, b in itertools.combinations(survivors, 2))
        assert (survivors[0] != start[parameter][0][ticket[0] == 1]).mean() > 0.99
        assert (random_mask[parameter].sum(axis=(1, 2)) == ticket.sum(axis=(1, 2))).all()
        assert (random_mask[parameter] != ticket).any()


def test_small_dense_network_is_as_small_as_the_ticket(smoke):
    small = read_arrays(folders(smoke)["small-dense/level3"] / "start.safetensors")
    weights = sum(values[0].size for name, values in small.items() if name.endswith("weight"))
    assert abs(weights - (120_422 + 15_360 + 729)) < 600
    assert all((values != 0).all() for name, values in small.items() if name.endswith("weight"))


def test_levels_table(smoke):
    table = pd.read_csv(smoke.folder / "results/smoke/tables/levels.csv")
    assert list(table.columns)[: len(LEVELS)] == LEVELS
    count = Counter(table["arm"])
    assert count == {"dense": 2, "iterative": 6, "iterative-reinit": 4, "one-shot": 2, "random": 2, "small-dense": 2}
    ticket = table[(table["arm"] == "iterative") & (table["level"] == 3)]
    assert (100 * ticket["weights_remaining"]).round(2).tolist() == [51.28, 51.28]
    assert table.filter(like="accuracy").min().min() > 0.05
    assert table.filter(like="accuracy").max().max() <= 1


@pytest.mark.long
def test_accuracies_of_the_table_are_those_of_the_weights(smoke):
    table = pd.read_csv(smoke.folder / "results/smoke/tables/levels.csv")
    splits = read_splits(smoke.folder / "results/data/mnist.safetensors", Training(), 0, range(2))
    for engine in (sparse_engine, torch_engine):
        images = engine.resident(splits, Training())
        for name, folder in folders(smoke).items():
            arm, level = name.split("/level")
            rows = table[(table["arm"] == arm) & (table["level"] == int(level))]
            trained = read_arrays(folder / "trained.safetensors")
            for index, row in enumerate(rows.itertuples()):
                network = build(row.network, (28, 28), 10)
                evaluated = One(engine, network, of_member(trained, index), None, [images[row.replicate]], Training())
                # One image whose two largest outputs are equal but for rounding may fall either way.
                allowed = 0 if engine is sparse_engine else 1
                assert abs(evaluated.evaluate("test")[1] - row.test_accuracy_final) * 10_000 <= allowed + 1e-6
                assert abs(evaluated.evaluate("train")[1] - row.train_accuracy_final) * 55_000 <= allowed + 1e-6


def test_early_stop_of_the_table_is_that_of_the_history(smoke):
    indexed = pd.read_csv(smoke.folder / "results/smoke/tables/levels.csv").set_index(
        ["arm", "level", "replicate", "draw"]
    )
    for name, folder in folders(smoke).items():
        arm, level = name.split("/level")
        history = pd.read_csv(folder / "history.csv")
        assert history["iteration"].unique().tolist() == [0, 20, 40, 60]
        for (replicate, draw), rows in history.groupby(["replicate", "draw"]):
            row = indexed.loc[(arm, int(level), replicate, draw)]
            best = rows.loc[rows["validation_loss"].idxmin()]
            assert row["early_stop_iteration"] == best["iteration"]
            assert row["validation_loss_at_early_stop"] == best["validation_loss"]
            assert row["test_accuracy_at_early_stop"] == best["test_accuracy"]


def test_figures_are_drawn_from_the_tables_alone(smoke, tmp_path):
    """Deleting pictures redraws them and trains nothing."""
    copy = Workflow(tmp_path / "copy")
    shutil.copytree(smoke.folder, copy.folder)
    (copy.folder / "results/smoke/figures/figure3.png").unlink()
    assert copy.jobs(*SMOKE) == {"plot": 1, "all": 1}


def test_progress_tells_what_is_done_and_how_long_the_rest_takes(smoke):
    said = smoke.said
    assert "Train iterative at level 2, 64.1% of the weights: lenet-mnist, replicates r0-1" in said
    assert re.search(
        r"Progress: 1 of 8 training jobs done, about [\d.]+ (s|min) left, [\d.]+ (s|min) since the start", said
    )
    assert "Progress: all 8 training jobs done" in said
    log = (smoke.folder / "results/smoke/logs/train/lenet-mnist.r0-1.dense.level0.log").read_text()
    assert "100% done" in log


@pytest.mark.long
def test_waiting_jobs_are_looked_at_only_when_one_has_finished(smoke):
    """With Snakemake's limit of job starts, again and again."""
    finished = len(re.findall("^Finished jobid", smoke.said, re.MULTILINE))
    assert finished == sum(job_counts(smoke("-n", "--forceall", *SMOKE)).values())
    assert len(re.findall(r"Ready jobs: \d", smoke.said)) <= finished


@pytest.mark.long
def test_report_shows_figures_and_claims_offline(smoke):
    report = smoke.folder / "report.html"
    smoke("--report", "report.html", *SMOKE)
    page = report.read_text()
    report.unlink()
    for expected in [*FIGURES, "claims.html", "Claims", "Figures", "winning tickets and random sparse networks"]:
        assert expected in page, expected
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="https?:', page), "nothing is fetched"


def test_the_weights_of_every_layer_are_told(smoke):
    tables = smoke.folder / "results/smoke/tables"
    levels, weights = pd.read_csv(tables / "levels.csv"), pd.read_csv(tables / "weights.csv")
    network = ["experiment", "arm", "level", "replicate", "draw"]
    assert set(weights["layer"]) == {"fc1.weight", "fc2.weight", "output.weight"}
    told = weights.groupby(network)["weights"].sum()
    assert told.to_dict() == levels.set_index(network)["weights"].to_dict()


@pytest.mark.long
def test_a_layer_pruned_to_death_is_told_in_the_log(fresh):
    pruning = {"scope": "global", "global_rate": 0.998}
    values = {"run": "thin", "run_experiments": ["e"], "figures": [], "experiments": {"e": experiment(pruning=pruning)}}
    made = "results/thin/e/r0-0/iterative/level1/mask.safetensors"
    fresh("--cores", "1", *overlay(fresh, "thin", **values), "--", made)
    said = (fresh.folder / "results/thin/logs/prune/e.r0-0.iterative.level1.log").read_text()
    mask = read_arrays(fresh.folder / made)
    for name, units in (("fc1", 30), ("fc2", 10), ("output", 10)):
        kept = int(mask[f"{name}.weight"].sum())
        assert (f"{name} keeps" in said) == (kept < units)
    assert " keeps " in said
