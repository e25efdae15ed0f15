"""What of an experiment's recipe the tables tell, so that claims and figures know which experiments they speak of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lottery.errors import LotteryError
from lottery.settings import Experiment

Cell = TypeVar("Cell", str, float)


@dataclass(frozen=True)
class Column(Generic[Cell]):
    """A column of levels.csv: whether it holds text or numbers, and where it stands in the settings.

    default: what a table that does not have the column says; it is left out where all experiments have this.
    """

    kind: type[Cell]
    of: Callable[[Experiment], Cell]
    default: Cell | None = None


RECIPE: dict[str, Column[str] | Column[float]] = {
    "iterations": Column(float, lambda experiment: experiment.training.iterations),
    "learning_rate": Column(float, lambda experiment: experiment.training.learning_rate),
    "warmup_iterations": Column(float, lambda experiment: experiment.training.warmup_iterations),
    "dropout": Column(float, lambda experiment: experiment.training.dropout),
    "pruning_scope": Column(str, lambda experiment: experiment.pruning.scope),
    "rewind_iteration": Column(float, lambda experiment: experiment.rewind_iteration),
    "optimizer": Column(str, lambda experiment: experiment.training.optimizer),
    "momentum": Column(float, lambda experiment: experiment.training.momentum),
    "batch_size": Column(float, lambda experiment: experiment.training.batch_size),
    "input_scaling": Column(str, lambda experiment: experiment.training.input_scaling),
    "initialisation": Column(str, lambda experiment: str(experiment.initialisation)),
    "dense_rate": Column(float, lambda experiment: experiment.pruning.dense_rate),
    "label_noise": Column(float, lambda experiment: experiment.training.label_noise, default=0.0),
}
"""Columns of levels.csv, by name."""

LATER = {name: column.default for name, column in RECIPE.items() if column.default is not None}
"""Those that a table may leave out, and what it says then."""


def recipe_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe's columns in a row of levels.csv, with those that the table leaves out."""
    return {name: row.get(name, LATER[name]) if name in LATER else row[name] for name in RECIPE}


def recipe_columns(experiment: Experiment) -> dict[str, str | float]:
    """The recipe's columns of an experiment's rows.

    Raises LotteryError where one holds text and RECIPE says numbers, or the other way round: tables could not be read.
    """
    values = {name: column.of(experiment) for name, column in RECIPE.items()}
    for name, value in values.items():
        if isinstance(value, str) != (RECIPE[name].kind is str):
            raise LotteryError(f"recipe: {name} holds {value!r}, and RECIPE says {RECIPE[name].kind.__name__}")
    return values
