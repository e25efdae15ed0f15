"""The two tables of a run: `levels.csv`, one row for each trained network, and `curves.csv`, their histories."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from lottery.arrays import write_text
from lottery.errors import LotteryError
from lottery.runs import DENSE

LEVELS = [
    "experiment",
    "arm",
    "replicate",
    "draw",
    "level",
    "weights",
    "weights_remaining",
    "early_stop_iteration",
    "validation_loss_at_early_stop",
    "test_accuracy_at_early_stop",
    "train_accuracy_at_early_stop",
    "test_accuracy_final",
    "train_accuracy_final",
    "train_seconds",
    "dataset",
    "network",
    "iterations",
]
"""Columns of levels.csv. weights_remaining and accuracies are fractions, iterations numbers of updates."""

CURVES = ["experiment", "arm", "level", "replicate", "draw", "iteration", "validation_loss", "validation_accuracy"]
CURVES += ["test_accuracy", "train_loss"]
"""Columns of curves.csv: losses in nats, accuracies as fractions, empty where not measured."""


def collect_levels(folders: list[Path]) -> pd.DataFrame:
    """One row for each network trained in these folders, columns LEVELS, in the order of the folders."""
    rows = []
    for folder in folders:
        summary = read_summary(folder)
        job = {name: summary[name] for name in ("experiment", "arm", "level", "dataset", "network")}
        job["iterations"] = summary["training"]["iterations"]
        rows += [job | member for member in summary["members"]]
    table = pd.DataFrame(rows)
    dense = table[table["arm"] == DENSE].groupby("experiment")["weights"].first()
    missing = set(table["experiment"]) - set(dense.index)
    if missing:
        raise LotteryError(f"{', '.join(sorted(missing))}: no dense network, so weights remaining cannot be told")
    table["weights_remaining"] = table["weights"] / table["experiment"].map(dense)
    return table[LEVELS]


def collect_curves(folders: list[Path]) -> pd.DataFrame:
    """All histories below one another, columns CURVES."""
    histories = []
    for folder in folders:
        summary = read_summary(folder)
        history = pd.read_csv(folder / "history.csv")
        histories.append(history.assign(**{name: summary[name] for name in ("experiment", "arm", "level")}))
    return pd.concat(histories, ignore_index=True)[CURVES]


def read_summary(folder: Path) -> dict[str, Any]:
    """What a training job says of itself. Raises LotteryError naming the file when it cannot be read."""
    path = folder / "summary.json"
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise LotteryError(f"{path}: cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        raise LotteryError(f"{path}: is not JSON: {error}") from None


def read_table(path: Path) -> pd.DataFrame:
    """A table written by `write_table`. Raises LotteryError naming the file when it cannot be read."""
    try:
        return pd.read_csv(path)
    except OSError as error:
        raise LotteryError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise LotteryError(f"{path}: is not a table of comma-separated values: {error}") from None


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, whole or not at all; numbers are written so that reading gives them back exactly."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
