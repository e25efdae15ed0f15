"""Figures 26 to 31: winning tickets for several values of one hyperparameter, both measures from the validation set."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lottery.arms.places import DENSE
from lottery.figures.kinds import ByValue
from lottery.figures.looks import Look
from lottery.figures.side_by_side import Name, networks_of, recipes_of
from lottery.figures.style import PAPER_TICKS, WIDTH, draw_arm, finish, measure_axis, weights_axis, with_dense

MEASURES = ["early_stop_iteration", "validation_accuracy_at_early_stop"]

MARKERS = "osD^vPX*<>"
"""Of the values, one after the other; with the colours, light to dark, they tell ten lines apart."""

THOUSANDS_TICKS = [978.6, 501.7, 257.3, 132.1, 67.9, 34.9, 18.0, 9.3, 4.8, 2.5, 1.3]
"""Thousands of weights that Figure 31 of the paper prints."""

NAMES: dict[str, Name] = {
    "learning_rate": lambda recipe: f"rate {np.format_float_positional(recipe['learning_rate'], trim='-')}",
    "dense_rate": lambda recipe: f"{100 * recipe['dense_rate']:g}% at a time",
    "initialisation": lambda recipe: recipe["initialisation"],
    "network": lambda recipe: recipe["network"],
}
"""What lines are called where experiments differ in this column."""


def what_was_run(levels: pd.DataFrame, column: str, paper: Sequence[float | str]) -> str:
    """For the caption: how many of the values that the paper's figure draws."""
    run = len(set(paper) & set(levels[column]))
    return f"Run: {'all' if run == len(paper) else f'{run} of the'} {len(paper)} values of the paper's figure."


def by_value(picture: ByValue, levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """A row of two panels for each network and dataset, or one where networks vary; a line for each value."""
    column, of_networks = picture.column, picture.column == "network"
    levels = with_dense(levels, "iterative")
    dense = levels[levels["arm"] == DENSE].drop_duplicates("experiment").set_index("experiment")
    order = levels["experiment"].map(dense["weights" if of_networks else column])
    levels = levels.assign(percent=100 * levels["weights_remaining"], order=order)
    networks = [("", levels)] if of_networks else list(networks_of(levels))
    figure, panels = plt.subplots(
        len(networks), 2, figsize=(WIDTH, 1.2 + 2.4 * len(networks)), layout="constrained", squeeze=False
    )
    for row, (title, table) in zip(panels, networks, strict=True):
        draw_row(row, table.sort_values("order", kind="stable"), column)
        row[0].set_title(title, loc="left")
    finish(figure, levels, columns=3, note=what_was_run(levels, column, picture.paper))
    return figure


def draw_row(panels: list[Axes], levels: pd.DataFrame, column: str) -> None:
    """Both measures of the tickets, against the number of weights where networks vary."""
    names = recipes_of(levels, NAMES[column])
    colors = sns.color_palette("viridis_r", len(names) + 1)[1:]
    x = "weights" if column == "network" else "percent"
    for axes, measure in zip(panels, MEASURES, strict=True):
        for number, (experiment, label) in enumerate(names.items()):
            look = Look(label, colors[number], MARKERS[number % len(MARKERS)], "-")
            draw_arm(axes, levels[levels["experiment"] == experiment], "iterative", x, measure, look)
        sizes = levels.loc[levels["arm"] == "iterative", x]
        weights_in_thousands(axes, sizes) if x == "weights" else weights_axis(axes, sizes, PAPER_TICKS)
        measure_axis(axes, measure)


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
