"""Figures 26 to 31: winning tickets for several values of one hyperparameter, both measures from the validation set."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lottery.analysis.appendix_g import INITIALISATIONS, LEARNING_RATES, NETWORKS, PRUNING_RATES
from lottery.arms.places import DENSE
from lottery.figures.by_size import LABELS, PAPER_WINDOWS
from lottery.figures.recipes import Name, finish, networks_of, recipes_of
from lottery.figures.style import (
    PAPER_TICKS,
    WIDTH,
    Look,
    cut_below,
    draw_arm,
    percent_axis,
    thousands,
    weights_axis,
    with_dense,
)

MEASURES = ["early_stop_iteration", "validation_accuracy_at_early_stop"]

MARKERS = "osD^vPX*<>"
"""Of the values, one after the other; with the colours, light to dark, they tell ten lines apart."""

THOUSANDS_TICKS = [978.6, 501.7, 257.3, 132.1, 67.9, 34.9, 18.0, 9.3, 4.8, 2.5, 1.3]
"""Thousands of weights that Figure 31 of the paper prints."""


def learning_rate(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """A line for each learning rate."""
    optimizer = levels["optimizer"].iloc[0], float(levels["momentum"].iloc[0])
    return by_value(
        levels,
        "learning_rate",
        lambda recipe: f"rate {np.format_float_positional(recipe['learning_rate'], trim='-')}",
        LEARNING_RATES[optimizer],
    )


def pruning_rate(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """A line for each share that one pruning removes."""
    return by_value(levels, "dense_rate", lambda recipe: f"{100 * recipe['dense_rate']:g}% at a time", PRUNING_RATES)


def initialisation(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """A line for each distribution of the initial weights."""
    return by_value(levels, "initialisation", lambda recipe: recipe["initialisation"], INITIALISATIONS)


def width(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """A line for each network, in one row, against the number of weights."""
    levels = with_dense(levels, "iterative")
    dense = levels[levels["arm"] == DENSE].drop_duplicates("experiment").set_index("experiment")
    levels = levels.assign(size=levels["experiment"].map(dense["weights"]))
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.6), layout="constrained", squeeze=False)
    draw_row(panels[0], levels, "size", lambda recipe: recipe["network"], "weights", weights_in_thousands)
    finish(figure, levels, columns=3, note=what_was_run(levels, "network", NETWORKS))
    return figure


def what_was_run(levels: pd.DataFrame, column: str, paper: Sequence[float | str]) -> str:
    """For the caption: how many of the values that the paper's figure draws."""
    run = len(set(paper) & set(levels[column]))
    return f"Run: {'all' if run == len(paper) else f'{run} of the'} {len(paper)} values of the paper's figure."


def by_value(levels: pd.DataFrame, column: str, name: Name, paper: Sequence[float | str]) -> Figure:
    """A row of two panels for each network and dataset, a line for each value of the column.

    paper: the values of the paper's figure.
    """
    levels = with_dense(levels, "iterative")
    levels = levels.assign(percent=100 * levels["weights_remaining"])
    networks = list(networks_of(levels))
    figure, panels = plt.subplots(
        len(networks), 2, figsize=(WIDTH, 1.2 + 2.4 * len(networks)), layout="constrained", squeeze=False
    )
    for row, (title, table) in zip(panels, networks, strict=True):
        draw_row(row, table, column, name, "percent", lambda axes, sizes: weights_axis(axes, sizes, PAPER_TICKS))
        row[0].set_title(title, loc="left")
    finish(figure, levels, columns=3, note=what_was_run(levels, column, paper))
    return figure


def draw_row(
    panels: list[Axes],
    levels: pd.DataFrame,
    column: str,
    name: Name,
    x: str,
    size_axis: Callable[[Axes, pd.Series], None],
) -> None:
    """Both measures of the tickets, experiments in the order of a column's values."""
    levels = levels.sort_values(column, kind="stable")
    names = recipes_of(levels, name)
    colors = sns.color_palette("viridis_r", len(names) + 1)[1:]
    for axes, measure in zip(panels, MEASURES, strict=True):
        for number, (experiment, label) in enumerate(names.items()):
            look = Look(label, colors[number], MARKERS[number % len(MARKERS)], "-")
            draw_arm(axes, levels[levels["experiment"] == experiment], "iterative", x, measure, look)
        size_axis(axes, levels.loc[levels["arm"] == "iterative", x])
        (thousands if measure == "early_stop_iteration" else percent_axis)(axes)
        axes.set_ylabel(LABELS[measure])
        if measure in PAPER_WINDOWS:
            cut_below(axes, PAPER_WINDOWS[measure])


def weights_in_thousands(axes: Axes, weights: pd.Series) -> None:
    """The number of weights, falling to the right, with the paper's ticks as far as the data reach."""
    axes.set_xscale("log")
    least, greatest = weights.min(), weights.max() / 0.8
    shown = [1000 * tick for tick in THOUSANDS_TICKS if 0.93 * least <= 1000 * tick <= 1.07 * greatest]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:.1f}"))
    axes.tick_params(axis="x", labelrotation=60, labelsize="small")
    axes.set_xlim(1.15 * greatest, 0.87 * least)
    axes.set_xlabel("thousands of weights")
