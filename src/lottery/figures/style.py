"""One look for all figures: a colour, a marker and a line for each arm, told apart without colour too; axes as in the
paper.
"""

import textwrap
from collections.abc import Iterable, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, FixedLocator, FuncFormatter, NullLocator

from lottery.arms.places import DENSE
from lottery.figures.looks import LOOKS, Look

WIDTH = 6.75
"""Inches: the text width of a page."""


PAPER_TICKS = [100, 51.3, 26.3, 13.5, 7.0, 3.6, 1.9, 1.0, 0.5, 0.3]
"""Percent of weights remaining that Figures 1 and 4 of the paper print."""

LINEAR_TICKS = [100, 87.5, 75.0, 62.6, 50.1, 37.6, 25.1, 12.7]
"""The same for Figure 4c."""


def use_style() -> None:
    """Set seaborn's and matplotlib's defaults for all that is drawn afterwards; equal figures give equal bytes."""
    sns.set_theme(context="paper", style="whitegrid", font_scale=0.9)
    mpl.rcParams |= {
        "svg.hashsalt": "lottery",
        "svg.fonttype": "none",
        "pdf.fonttype": 42,
        "savefig.dpi": 200,
        "lines.linewidth": 1.3,
        "lines.markersize": 4,
        "grid.linewidth": 0.5,
        "legend.frameon": False,
    }


def with_dense(levels: pd.DataFrame, *arms: str) -> pd.DataFrame:
    """The rows of some arms and of the dense network, where every line of the paper begins."""
    return levels[levels["arm"].isin([DENSE, *arms])]


def draw_arm(axes: Axes, levels: pd.DataFrame, arm: str, x: str, y: str, look: Look | None = None) -> None:
    """A line through the means of an arm, with bars from the least to the greatest network, as the paper draws.

    A point is crossed where networks diverged, which have no place in the mean. The arm's own look when absent.
    """
    look = look or LOOKS[arm]
    sizes = with_dense(levels, arm).groupby("weights_remaining")
    points = sizes[[x, y]].agg(["mean", "min", "max"]).sort_index()
    mean = points[y]["mean"]
    axes.errorbar(
        points[x]["mean"],
        mean,
        yerr=[(mean - points[y]["min"]).clip(lower=0), (points[y]["max"] - mean).clip(lower=0)],
        label=look.label,
        color=look.color,
        marker=look.marker,
        markerfacecolor="white" if look.hollow else look.color,
        linestyle=look.line,
        capsize=2,
        elinewidth=0.8,
    )
    lost = sizes["diverged_iteration"].count() > 0
    axes.plot(points[x]["mean"][lost], mean[lost], linestyle="none", marker="x", color="black", markersize=8)


def arms_in(levels: pd.DataFrame, arms: Iterable[str]) -> list[str]:
    """Those of the arms that the table holds, in the order given."""
    return [arm for arm in arms if len(with_dense(levels, arm)["arm"].unique()) > 1]


def weights_axis(axes: Axes, percents: pd.Series, ticks: Iterable[float], *, log: bool = True) -> None:
    """Percent of weights remaining, falling to the right, with the paper's ticks as far as the data reach."""
    if log:
        axes.set_xscale("log")
    least = percents.min()
    shown = [tick for tick in ticks if tick >= 0.93 * least]
    axes.xaxis.set_major_locator(FixedLocator(shown))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value == 100 else f"{value:.1f}"))
    axes.tick_params(axis="x", labelrotation=60, labelsize="small")
    axes.set_xlim(*((115, 0.87 * least) if log else (104, least - 4)))
    axes.set_xlabel("weights remaining (%)")


def cut_below(axes: Axes, window: tuple[float, float]) -> None:
    """Let the vertical axis span a window where a line begins in it and ends below, and say so; else leave it."""
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
    values = values[np.isfinite(values)]
    low, high = window
    if values.size and values.min() < low < values.max() <= high:
        axes.set_ylim(low, high)
        axes.text(
            1, 1.01, "cut off below", transform=axes.transAxes, ha="right", va="bottom", fontsize="x-small", color="0.3"
        )


IN_THOUSANDS = FuncFormatter(lambda value, _: f"{value / 1000:g}K" if value else "0")


def thousands(axes: Axes) -> None:
    """Iterations on the vertical axis, from 0, in thousands."""
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(IN_THOUSANDS)


def thousands_along(axes: Axes) -> None:
    """Iterations on the horizontal axis, from 0, in thousands."""
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter(IN_THOUSANDS)


EARLY_STOP, TO_QUALITY = "early_stop_iteration", "iterations_to_dense_quality"

LABELS = {
    EARLY_STOP: "early-stop iteration\n(validation)",
    TO_QUALITY: "iterations to the dense\nnetwork's least validation loss",
    "validation_accuracy_at_early_stop": "validation accuracy\nat early stop (%)",
    "test_accuracy_at_early_stop": "test accuracy\nat early stop (%)",
    "train_accuracy_at_early_stop": "training accuracy\nat early stop (%)",
    "test_accuracy_final": "test accuracy\nat the end of training (%)",
    "train_accuracy_final": "training accuracy\nat the end of training (%)",
}
"""Columns of levels.csv and speed.csv, and what their axes are called."""

PAPER_WINDOWS = {
    "test_accuracy_at_early_stop": (0.92, 0.99),
    "test_accuracy_final": (0.92, 0.99),
    "validation_accuracy_at_early_stop": (0.94, 0.99),
    "train_accuracy_at_early_stop": (0.93, 1.002),
    "train_accuracy_final": (0.93, 1.002),
}
"""What vertical axes span in Figures 4a and 26, by measure; those of the accuracies at the end are not known, and taken
to be the same.
"""


def measure_axis(axes: Axes, measure: str, *, cut: bool = True) -> None:
    """The vertical axis of a column of levels.csv, cut to the paper's window where lines leave it downwards."""
    (thousands if measure in (EARLY_STOP, TO_QUALITY) else percent_axis)(axes)
    axes.set_ylabel(LABELS[measure])
    if cut and measure in PAPER_WINDOWS:
        cut_below(axes, PAPER_WINDOWS[measure])


class UpToAll(AutoLocator):
    """Ticks of a share, none above 1."""

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        return [tick for tick in super().tick_values(vmin, vmax) if tick < 1 + 1e-9]


def percent_axis(axes: Axes) -> None:
    """Accuracies (fractions) on the vertical axis, in percent."""
    axes.yaxis.set_major_locator(UpToAll())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}"))


def finish(figure: Figure, levels: pd.DataFrame, *, columns: int, note: str = "") -> None:
    """One legend of all panels' lines above them, and below how many networks stand behind a point, and a note."""
    lines: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            lines.setdefault(label, handle)
    figure.legend(list(lines.values()), list(lines), loc="outside upper center", ncols=columns)
    shown = {axes.get_ylabel() for axes in figure.axes}
    write_below(figure, caption(levels), unreached(levels) * (LABELS[EARLY_STOP] in shown), note)


def caption(levels: pd.DataFrame, spread: str = "Bars") -> str:
    """What a point and its bar are, with n; levels: the rows that are drawn."""
    replicates = levels.groupby("experiment")["replicate"].nunique()
    draws = int(levels["draw"].max()) + 1
    more = f" ({span(replicates * draws)} networks where {draws} are drawn for each ticket)" if draws > 1 else ""
    length = span(levels["iterations"])
    several = "one replicate" if replicates.max() == 1 else f"mean of n = {span(replicates)} replicates"
    diverged = int(levels["diverged_iteration"].notna().sum())
    crossed = " (points that miss some are crossed)" if spread == "Bars" else ""
    lost = f" {diverged} of these {len(levels)} networks diverged and are left out{crossed}." if diverged else ""
    return f"Points: {several}{more}, {length} iterations each. {spread}: least and greatest network.{lost}"


def unreached(levels: pd.DataFrame) -> str:
    """How many early stops lie at the end of training, where the least loss was perhaps not reached; empty if none."""
    late = int((levels[EARLY_STOP] >= levels["iterations"]).sum())
    told = f"In {late} of these {len(levels)} networks validation loss still fell at the end of training"
    return f"{told}: their early stop is the end, and says little of speed." if late else ""


def write_below(figure: Figure, *paragraphs: str) -> None:
    """Small print below all panels: at most 110 letters in a line, and 21 in each inch of the figure's width."""
    width = min(110, int(21 * figure.get_figwidth()))
    lines = [textwrap.fill(text, width) for text in paragraphs if text]
    figure.supxlabel("\n".join(lines), fontsize="x-small", color="0.3")


def span(numbers: pd.Series) -> str:
    """The number that all are, or the least and the greatest."""
    least, greatest = int(numbers.min()), int(numbers.max())
    return f"{least:,}" if least == greatest else f"{least:,} to {greatest:,}"
