"""What of an experiment's recipe the tables tell, so that claims and figures know which experiments they speak of."""

from collections.abc import Callable

from lottery.settings import Experiment

RECIPE: dict[str, Callable[[Experiment], str | float]] = {
    "iterations": lambda experiment: experiment.training.iterations,
    "learning_rate": lambda experiment: experiment.training.learning_rate,
    "warmup_iterations": lambda experiment: experiment.training.warmup_iterations,
    "dropout": lambda experiment: experiment.training.dropout,
    "pruning_scope": lambda experiment: experiment.pruning.scope,
    "rewind_iteration": lambda experiment: experiment.rewind_iteration,
    "optimizer": lambda experiment: experiment.training.optimizer,
    "momentum": lambda experiment: experiment.training.momentum,
    "batch_size": lambda experiment: experiment.training.batch_size,
    "input_scaling": lambda experiment: experiment.training.input_scaling,
    "initialisation": lambda experiment: str(experiment.initialisation),
    "dense_rate": lambda experiment: experiment.pruning.dense_rate,
}
"""Columns of levels.csv and where each stands in the settings."""


def recipe_columns(experiment: Experiment) -> dict[str, str | float]:
    """The recipe's columns of an experiment's rows."""
    return {column: value(experiment) for column, value in RECIPE.items()}
