"""Figures 15, 16 and 19 to 24: which weights are in a ticket. They draw the histograms of distributions.csv."""

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lottery.figures.kinds import Histograms
from lottery.figures.style import WIDTH, write_below

LAYERS = ["first hidden layer", "second hidden layer", "output layer"]
UNITS_BEFORE = ["inputs", "units of the first hidden layer", "units of the second hidden layer"]
UNITS_BEHIND = ["units of the first hidden layer", "units of the second hidden layer", "outputs"]
"""Of each layer's weights, in the paper's network of three layers."""

Label = Callable[[pd.Series], str]
"""What a line is called, from a row of its histogram."""


def by_size(row: pd.Series) -> str:
    return f"{100 * row['weights_remaining']:.3g}% of the weights remain"


def by_membership(row: pd.Series) -> str:
    return f"in the {100 * row['weights_remaining']:.3g}% ticket" if row["kept"] else "not in it"


PANELS: dict[str, tuple[Sequence[str], str, Label]] = {
    "initial": (LAYERS, "initial weight", by_size),
    "movement": (LAYERS, "|trained - initial|", by_membership),
    "magnitude_gain": (LAYERS, "|trained| - |initial|", by_membership),
    "incoming": (UNITS_BEHIND, "share of incoming links kept", by_size),
    "outgoing": (UNITS_BEFORE, "share of outgoing links kept", by_size),
}
"""By quantity: titles of the panels, what lies along their axis, how lines are told apart."""


def histograms(picture: Histograms, levels: pd.DataFrame, distributions: pd.DataFrame) -> Figure:
    """A row for each experiment, a panel for each layer."""
    titles, x, label = PANELS[picture.quantity]
    table = distributions[distributions["quantity"] == picture.quantity]
    experiments = table["experiment"].unique()
    layers = sorted(table["layer"].unique())
    figure, rows = plt.subplots(
        len(experiments),
        len(layers),
        figsize=(WIDTH, 0.8 + 2.2 * len(experiments)),
        layout="constrained",
        squeeze=False,
    )
    for row, experiment in zip(rows, experiments, strict=True):
        for axes, layer in zip(row, layers, strict=True):
            draw_panel(axes, table[(table["experiment"] == experiment) & (table["layer"] == layer)], label)
            axes.set_xlabel(x)
            axes.set_title(titles[layer - 1] if len(layers) == len(titles) else f"layer {layer}", fontsize="small")
        row[0].set_ylabel(f"{experiment}\ndensity")
    figure.legend(*rows[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    text = f"Histograms over all weights or units of n = {replicates_of(levels)} replicates; the area of each is 1."
    write_below(figure, text)
    return figure


COLORS = ["#000000", "#0072B2", "#E69F00", "#CC79A7"]
STYLES = ["-", "-", "--", ":"]
"""The larger the ticket the darker; told apart without colour too."""


def draw_panel(axes: Axes, table: pd.DataFrame, label: Label) -> None:
    """Outlines of the histograms, from the largest ticket to the smallest; bins that are empty in all are left out."""
    lines = list(table.groupby(["level", "kept"], sort=True))
    ends = table.loc[table["density"] > 0, ["low", "high"]]
    for number, (_, rows) in enumerate(lines):
        axes.stairs(
            rows["density"],
            np.append(rows["low"], rows["high"].iloc[-1]),
            label=label(rows.iloc[0]),
            color=COLORS[number + len(COLORS) - max(len(lines), 3)],
            linestyle=STYLES[number + len(COLORS) - max(len(lines), 3)],
            linewidth=1,
        )
    if len(ends):
        axes.set_xlim(ends["low"].min(), ends["high"].max())
    axes.set_ylim(bottom=0)


def replicates_of(levels: pd.DataFrame) -> int:
    return int(levels.groupby("experiment")["replicate"].nunique().max())
