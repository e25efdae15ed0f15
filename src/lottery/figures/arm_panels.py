"""One measure of many arms against the weights remaining: a row for each experiment, panels of a few arms each."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.kinds import ArmPanels
from lottery.figures.looks import Look
from lottery.figures.style import (
    PAPER_TICKS,
    WIDTH,
    arms_in,
    caption,
    draw_arm,
    measure_axis,
    weights_axis,
    with_dense,
    write_below,
)

COLORS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000"]
MARKERS = "osD^vPX"
LINES = ["-", "--", "-.", ":"]
"""Of the lines of a panel, one after the other."""


def look(place: int, label: str) -> Look:
    """How the line at this place of a panel is drawn."""
    return Look(label, COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)], LINES[place % len(LINES)])


def panels_of_arms(picture: ArmPanels, levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Each panel has a legend of its own; one whose arms an experiment did not train is empty there."""
    arms = [arm for panel in picture.panels for arm in panel.lines]
    levels = with_dense(levels, *arms)
    levels = levels.assign(percent=100 * levels["weights_remaining"])
    experiments = levels["experiment"].unique()
    figure, rows = plt.subplots(
        len(experiments),
        len(picture.panels),
        figsize=(max(WIDTH, 2.6 * len(picture.panels)), 0.8 + 3.2 * len(experiments)),
        layout="constrained",
        squeeze=False,
        sharey="row",
    )
    for row, experiment in zip(rows, experiments, strict=True):
        table = levels[levels["experiment"] == experiment]
        for axes, panel in zip(row, picture.panels, strict=True):
            shown = arms_in(table, panel.lines)
            for place, (arm, label) in enumerate(panel.lines.items()):
                if arm in shown:
                    draw_arm(axes, table, arm, "percent", picture.measure, look(place, label))
            weights_axis(axes, table["percent"], PAPER_TICKS)
            measure_axis(axes, picture.measure, cut=False)
            axes.label_outer()
            axes.set_title(panel.title)
            if shown:
                axes.legend(fontsize="x-small", loc="best", frameon=True)
        row[0].set_ylabel(f"{experiment}\n{row[0].get_ylabel()}")
    write_below(figure, caption(levels))
    return figure
