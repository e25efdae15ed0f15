"""Figures 3 and 11: test accuracy and validation loss along training."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lottery.analysis.measures import nearest_size
from lottery.analysis.tables import NETWORK
from lottery.figures.style import WIDTH, caption, percent_axis, thousands_along, with_dense, write_below
from lottery.runs import DENSE

PANELS: list[list[tuple[str, float]]] = [
    [(DENSE, 100), ("iterative", 51.3), ("iterative", 21.1)],
    [(DENSE, 100), ("iterative", 21.1), ("iterative", 7.0), ("iterative", 3.6), ("iterative", 1.9)],
    [
        (DENSE, 100),
        ("iterative", 51.3),
        ("iterative-reinit", 51.3),
        ("iterative", 21.1),
        ("iterative-reinit", 21.1),
    ],
]
"""The paper's lines, panel by panel: arm and percent of weights remaining."""

COLORS = {100: "#000000", 51.3: "#0072B2", 21.1: "#E69F00", 7.0: "#009E73", 3.6: "#CC79A7", 1.9: "#D55E00"}
MARKERS = {100: "o", 51.3: "s", 21.1: "D", 7.0: "^", 3.6: "v", 1.9: "P"}
"""A size looks the same in every panel; a reinitialised one is dashed and hollow."""


MARKED = 25
"""Markers on a line at most, or nearly."""


def figure3(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Test accuracy, in the paper's window where the curves end in it."""
    return curves_of_sizes(levels, curves, "test_accuracy", "test accuracy (%)", PAPER_ACCURACIES)


def figure11(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Validation loss, in the paper's window where the curves end in it."""
    return curves_of_sizes(levels, curves, "validation_loss", "validation loss", PAPER_LOSSES)


PAPER_ACCURACIES, PAPER_LOSSES = (0.94, 0.99), (0.0, 0.2)
"""What the paper's vertical axes span."""

PAPER_ITERATIONS = {"test_accuracy": 18_000, "validation_loss": 25_000}
"""Where its horizontal axes end, by measure."""


def curves_of_sizes(
    levels: pd.DataFrame, curves: pd.DataFrame, measure: str, label: str, window: tuple[float, float]
) -> Figure:
    """One row of three panels for each experiment."""
    levels = with_dense(levels, "iterative", "iterative-reinit")
    curves = curves[curves["iteration"] <= PAPER_ITERATIONS[measure]]
    lost = levels.loc[levels["diverged_iteration"].notna(), NETWORK]
    curves = curves[~pd.MultiIndex.from_frame(curves[NETWORK]).isin(pd.MultiIndex.from_frame(lost))]
    percents = (100 * levels["weights_remaining"]).groupby([levels[key] for key in ("experiment", "arm", "level")])
    curves = curves.dropna(subset=measure).join(percents.first().rename("percent"), on=["experiment", "arm", "level"])
    experiments = levels["experiment"].unique()
    figure, panels = plt.subplots(
        len(experiments),
        len(PANELS),
        figsize=(WIDTH, 0.4 + 3.3 * len(experiments)),
        layout="constrained",
        squeeze=False,
        sharey="row",
    )
    for row, experiment in zip(panels, experiments, strict=True):
        table = curves[curves["experiment"] == experiment]
        for axes, lines in zip(row, PANELS, strict=True):
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
        row[0].set_ylabel(f"{experiment}\n{label}")
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
