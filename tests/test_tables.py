"""The tables of a run, collected from made-up summaries."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import experiment

from lottery.analysis.tables import LEVELS, TEXTS, collect_curves, collect_levels, read_table, write_table
from lottery.errors import LotteryError
from lottery.figures.catalog import figures_of_run
from lottery.runs.reading import read_run
from lottery.settings import Experiment, Training
from lottery.settings.columns import RECIPE, Column, recipe_columns


def test_levels_tell_the_recipe(tmp_path):
    training = {"learning_rate": 0.03, "warmup_iterations": 20, "dropout": 0.5, "iterations": 300}
    training |= {"validation_every": 10, "test_every": 10}
    recipe = Training(**training)
    member = dict.fromkeys(
        [
            *("early_stop_iteration", "validation_loss_at_early_stop", "validation_accuracy_at_early_stop"),
            "test_accuracy_at_early_stop",
            *("train_accuracy_at_early_stop", "test_accuracy_final", "train_accuracy_final", "diverged_iteration"),
        ]
    )
    for arm, level, weights in (("dense", 0, 1000), ("iterative", 1, 800)):
        names = {"experiment": "e", "arm": arm, "level": level, "dataset": "mnist", "network": "conv-2", "seed": 0}
        members = [member | {"replicate": 0, "draw": 0, "weights": weights, "train_seconds": 1.0}]
        summary = names | {"training": recipe.model_dump(), "members": members, "sha256": {}, "first_iteration": 0}
        (tmp_path / arm).mkdir()
        (tmp_path / arm / "summary.json").write_text(json.dumps(summary))
    values = experiment(pruning={"scope": "global"}, rewind_iteration=20, training=training)
    run = {"run": "r", "run_experiments": ["e"], "experiments": {"e": values}}
    folders = [tmp_path / "dense", tmp_path / "iterative"]
    write_table(tmp_path / "levels.csv", collect_levels(folders, read_run(run)))
    table = read_table(tmp_path / "levels.csv", LEVELS)
    assert list(table.columns) == LEVELS
    for column, value in (("learning_rate", 0.03), ("warmup_iterations", 20), ("dropout", 0.5), ("iterations", 300)):
        assert (table[column] == value).all()
    assert set(table["pruning_scope"]) == {"global"}
    assert set(table["rewind_iteration"]) == {20}
    assert set(table["optimizer"]) == {"adam"}
    assert set(table["dense_rate"]) == {0.2}
    with pytest.raises(LotteryError, match="experiment 'e' is none of the run's: other"):
        collect_levels(folders, read_run(run | {"run_experiments": ["other"], "experiments": {"other": values}}))
    assert table["weights_remaining"].tolist() == pytest.approx([1, 0.8])


def test_columns_of_text_are_read_as_text():
    recipe = recipe_columns(Experiment.model_validate(experiment()))
    assert {name for name, value in recipe.items() if isinstance(value, str)} == TEXTS & set(RECIPE)


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (Column(float, lambda each: each.training.optimizer), "added holds 'adam', and RECIPE says float"),
        (Column(str, lambda each: each.training.batch_size), "added holds 20, and RECIPE says str"),
    ],
    ids=["text", "number"],
)
def test_a_column_that_could_not_be_read_again_is_told_before_training(monkeypatch, column, told):
    """A run asks which figures it has before it trains."""
    monkeypatch.setitem(RECIPE, "added", column)
    run = {"run": "r", "run_experiments": ["e"], "experiments": {"e": experiment(training={"batch_size": 20})}}
    with pytest.raises(LotteryError, match=told):
        figures_of_run(read_run(run))


def stack_of_two(run: Path) -> tuple[Path, dict[str, Any], list[list[Any]]]:
    """A trained stack's folder, and what its two files hold: one draw of two replicates, of 30 iterations."""
    folder = run / "e/r0-1/dense/level0"
    folder.mkdir(parents=True)
    training = Training(iterations=30, validation_every=10, test_every=10)
    member = {
        "draw": 0,
        "weights": 1000,
        "early_stop_iteration": 20,
        "diverged_iteration": None,
        "train_seconds": 1.0,
        **{f"validation_{each}_at_early_stop": 0.5 for each in ("loss", "accuracy")},
        **{f"{part}_accuracy_at_early_stop": 0.5 for part in ("test", "train")},
        **{f"{part}_accuracy_final": 0.5 for part in ("test", "train")},
    }
    summary = {
        "experiment": "e",
        "arm": "dense",
        "level": 0,
        "dataset": "mnist",
        "network": "lenet-30-10",
        "seed": 0,
        "training": training.model_dump(),
        "sha256": {},
        "members": [member | {"replicate": replicate} for replicate in (0, 1)],
    }
    rows = [[replicate, 0, iteration, 0.5, 0.5, 0.5, 0.5] for replicate in (0, 1) for iteration in (0, 10, 20, 30)]
    return folder, summary, rows


def collect(folder: Path, summary: dict[str, Any], rows: list[list[Any]]) -> None:
    """Write the two files of a stack and collect its tables."""
    (folder / "summary.json").write_text(json.dumps(summary))
    header = "replicate,draw,iteration,validation_loss,validation_accuracy,test_accuracy,train_loss"
    (folder / "history.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
    run = {"run": "r", "run_experiments": ["e"], "experiments": {"e": experiment(replicates=2, replicates_per_job=2)}}
    collect_levels([folder], read_run(run))
    collect_curves([folder])


def test_a_stack_as_it_should_be(tmp_path):
    folder, summary, rows = stack_of_two(tmp_path)
    collect(folder, summary, rows)
    summary["members"][1]["diverged_iteration"] = 20
    collect(folder, summary, rows[:6])


Change = Callable[[dict[str, Any], list[list[Any]]], Any]

WRONG: dict[str, tuple[Change, str]] = {
    "cut short": (
        lambda summary, rows: rows.pop(),
        "history.csv: replicate 1, draw 0: its 3 iterations are",
    ),
    "a row twice": (
        lambda summary, rows: rows.insert(2, rows[1]),
        "history.csv: replicate 0, draw 0: its 5 ",
    ),
    "no rows": (
        lambda summary, rows: rows.clear(),
        "history.csv: replicate 0, draw 0: its 0 iterations are not 0 to 30 in steps of 10",
    ),
    "another's rows": (
        lambda summary, rows: rows.extend([[7, *row[1:]] for row in rows[:4]]),
        "history.csv: replicate 7, draw 0 is none of summary.json's",
    ),
    "an accuracy": (
        lambda summary, rows: rows[1].__setitem__(4, 2.5),
        "history.csv: validation_accuracy 2.5, ",
    ),
    "no members": (lambda summary, rows: summary.update(members=[]), "summary.json: members: "),
    "a member less": (lambda summary, rows: summary["members"].pop(), "summary.json: replicates and draws [(0, 0)], "),
    "a member twice": (
        lambda summary, rows: summary["members"].append(summary["members"][0]),
        "summary.json: replicates and draws [(0, 0), (1, 0), (0, 0)], expected [(0, 0), (1, 0)]",
    ),
    "an arm": (lambda summary, rows: summary.update(arm="random"), "summary.json: arm 'random', expected 'dense'"),
    "a level": (lambda summary, rows: summary.update(level=3), "summary.json: level 3, expected 0"),
    "an experiment": (
        lambda summary, rows: summary.update(experiment="f"),
        "summary.json: experiment 'f', ",
    ),
    "a seed": (lambda summary, rows: summary.update(seed=5), "summary.json: seed 5, expected 0"),
    "a share": (
        lambda summary, rows: summary["members"][1].update(test_accuracy_final=2.5),
        "summary.json: members.1.test_accuracy_final: Input should be less than or equal to 1",
    ),
    "an iteration": (
        lambda summary, rows: summary["members"][0].update(early_stop_iteration=-10),
        "summary.json: members.0.early_stop_iteration: Input should be greater than or equal to 0",
    ),
    "a key": (lambda summary, rows: summary["sha256"].update({"\x1b[2J": 1}), r"summary.json: sha256.\x1b[2J: "),
}


@pytest.mark.parametrize(("change", "told"), WRONG.values(), ids=WRONG.keys())
def test_a_stack_that_is_not_what_its_folder_says_is_told_in_one_line(change, told, tmp_path):
    folder, summary, rows = stack_of_two(tmp_path)
    change(summary, rows)
    with pytest.raises(LotteryError) as error:
        collect(folder, summary, rows)
    assert str(error.value).startswith(f"{folder}/{told}")
    assert "\n" not in str(error.value)
