"""The tables of a run, collected from made-up summaries."""

import json

import pytest
from conftest import experiment

from lottery.analysis.tables import LEVELS, TEXTS, collect_levels, read_table, write_table
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
