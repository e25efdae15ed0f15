"""How soon a network is good, told from its validation curve beside the paper's early stop: the table speed.csv.

Both measures are ours and secondary; docs/statistics.md says what they are for and when they were declared.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lottery.analysis.barriers import with_barriers
from lottery.analysis.overlap_columns import with_overlaps
from lottery.analysis.tables import CURVES, ITERATIONS, LAYERS, LEVELS, NETWORK, SPEED, read_table
from lottery.arms.places import DENSE

SMOOTHED_OVER = 900
"""Iterations whose validation losses are averaged: nine of the paper's evaluation grid."""

DECIMALS = 5
"""Losses are compared so rounded, as they are published, so that a published curve tells what the whole one does."""


def measure_speed(levels: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """One row for each network that has a curve, columns SPEED, in the order of levels.csv.

    levels, curves: levels.csv, and curves.csv or the published part of it. A curve that is not its whole training tells
    what is known of it: `known_until` is its last iteration.
    """
    dense = levels[levels["arm"] == DENSE].set_index(["experiment", "replicate"])["validation_loss_at_early_stop"]
    quality = dense.astype(float).round(DECIMALS).to_dict()
    known = dict(list(curves.groupby(NETWORK, sort=False)))
    rows = []
    for name in levels[NETWORK].itertuples(index=False, name=None):
        if name not in known:
            continue
        curve = known[name].sort_values("iteration")
        iterations, losses = curve["iteration"].to_numpy(), curve["validation_loss"].round(DECIMALS).to_numpy(float)
        experiment, _, _, replicate, _ = name
        reached = iterations[losses <= quality.get((experiment, replicate), np.nan)]
        first, accuracy = reached[0] if reached.size else None, curve["validation_accuracy"].iloc[-1]
        rows.append((*name, first, smoothed_early_stop(iterations, losses), iterations[-1], accuracy))
    return pd.DataFrame(rows, columns=SPEED).astype(dict.fromkeys(ITERATIONS, "Int64") | {SPEED[-1]: float})


def smoothed_early_stop(iterations: np.ndarray, losses: np.ndarray) -> int | None:
    """The iteration in the middle of the SMOOTHED_OVER iterations whose mean validation loss is least, first on ties.

    iterations: int [points], evenly spaced; losses: float [points]. None for a curve shorter than that, and where all
    means hold a loss that is no number.
    """
    step = int(iterations[1] - iterations[0]) if iterations.size > 1 else SMOOTHED_OVER + 1
    points = max(1, SMOOTHED_OVER // step)
    if iterations.size < points or step > SMOOTHED_OVER:
        return None
    means = np.lib.stride_tricks.sliding_window_view(losses, points).mean(axis=1)
    if not np.isfinite(means).any():
        return None
    middle = int(np.nanargmin(np.where(np.isfinite(means), means, np.nan)))
    return int(iterations[middle + (points - 1) // 2])


def read_speed(tables: Path, levels: pd.DataFrame) -> pd.DataFrame:
    """speed.csv of a folder of tables; where there is none, since it is of before there was one, by its curves.csv."""
    if (tables / "speed.csv").exists():
        return read_table(tables / "speed.csv", SPEED)[SPEED]
    curves = tables / "curves.csv"
    return measure_speed(levels, read_table(curves, CURVES) if curves.exists() else pd.DataFrame(columns=CURVES))


def with_speed(levels: pd.DataFrame, speed: pd.DataFrame) -> pd.DataFrame:
    """levels.csv with the columns of speed.csv beside its own, empty of networks that it does not tell of."""
    if speed.empty:  # columns without a type cannot be matched with others
        return levels.assign(**dict.fromkeys(SPEED[len(NETWORK) :], np.nan))
    return levels.merge(speed, on=NETWORK, how="left", validate="one_to_one")


def read_levels(tables: Path) -> pd.DataFrame:
    """levels.csv with the columns of speed.csv and those of barriers.csv, from a folder of tables."""
    levels = read_table(tables / "levels.csv", LEVELS)
    return with_barriers(with_speed(levels, read_speed(tables, levels)), tables)


def read_judged(tables: Path) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """What claims are judged by, from a folder of tables: `read_levels`, and layers.csv if it is there, with columns of
    overlaps.csv.
    """
    layers = tables / "layers.csv"
    return read_levels(tables), with_overlaps(read_table(layers, LAYERS), tables) if layers.exists() else None
