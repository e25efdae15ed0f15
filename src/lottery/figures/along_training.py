"""Figures 3 and 11: test accuracy and validation loss along training."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lottery.analysis.experiment import nearest_size
from lottery.analysis.tables import NETWORK
from lottery.figures.kinds import AlongTraining
from lottery.figures.style import WIDTH, caption, percent_axis, thousands_along, with_dense, write_below

COLORS = {100: "#000000", 51.3: "#0072B2", 21.1: "#E69F00", 7.0: "#009E73", 3.6: "#CC79A7", 1.9: "#D55E00"}
MARKERS = {100: "o", 51.3: "s", 21.1: "D", 7.0: "^", 3.6: "v", 1.9: "P"}
"""A size looks the same in every panel; a reinitialised one is dashed and hollow."""

MARKED = 25
"""Markers on a line at most, or nearly."""


def curves_of_sizes(picture: AlongTraining, levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """One row of panels for each experiment."""
    measure, window = picture.measure, picture.window
    levels = with_dense(levels, *(arm for panel in picture.panels for arm, _ in panel))
    curves = curves[curves["iteration"] <= picture.until]
    lost = levels.loc[levels["diverged_iteration"].notna(), NETWORK]
    curves = curves[~pd.MultiIndex.from_frame(curves[NETWORK]).isin(pd.MultiIndex.from_frame(lost))]
    percents = (100 * levels["weights_remaining"]).groupby([levels[key] for key in ("experiment", "arm", "level")])
    curves = curves.dropna(subset=measure).join(percents.first().rename("percent"), on=["experiment", "arm", "level"])
    experiments = levels["experiment"].unique()
    figure, panels = plt.subplots(
        len(experiments),
        len(picture.panels),
        figsize=(WIDTH, 0.4 + 3.3 * len(experiments)),
        layout="constrained",
        squeeze=False,
        sharey="row",
    )
    for row, experiment in zip(panels, experiments, strict=True):
        table = curves[curves["experiment"] == experiment]
        for axes, lines in zip(row, picture.panels, strict=True):
            for arm, percent in lines:
                draw_curve(axes, table, arm, percent, measure)
            thousands_along(axes)
            axes.set_xlabel("training iterations")
            if axes.lines:
                axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, fontsize="small")
        if measure.endswith("accuracy"):
            percent_axis(row[0])
        if window[0] < table.loc[table["iteration"] == table["iteration"].max(), measure].median() < window[1]:
            row[0].set_ylim(*window)
        row[0].set_ylabel(f"{experiment}\n{picture.label}")
    write_below(figure, caption(levels, "Bands"))
    return figure


def draw_curve(axes: Axes, curves: pd.DataFrame, arm: str, percent: float, measure: str) -> None:
    """The mean over networks with a band from the least to the greatest; nothing when the size was not trained.

    Losses are measured more often than accuracies: every one is on the line, a few have a marker.
    """
    rows = curves[curves["arm"] == arm]
    near = nearest_size(rows["percent"].unique(), percent)
    if near is None:
        return
    rows = rows[rows["percent"] == near]
    points = rows.groupby("iteration")[measure].agg(["mean", "min", "max"])
    reinit = arm.endswith("-reinit")
    color = COLORS[percent]
    axes.plot(
        points.index,
        points["mean"],
        color=color,
        linestyle="--" if reinit else "-",
        marker=MARKERS[percent],
        markevery=max(1, len(points) // MARKED),
        markersize=3,
        markerfacecolor="white" if reinit else color,
        label=f"{percent:.3g}% reinit" if reinit else f"{percent:.3g}%",
    )
    axes.fill_between(points.index, points["min"], points["max"], color=color, alpha=0.15, linewidth=0)
