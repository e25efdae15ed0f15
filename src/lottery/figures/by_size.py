"""Figures of one recipe: measures of trained networks against the weights remaining, or against their number."""

from typing import cast

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from lottery.analysis.experiment import KNOWN_UNTIL, TWINS
from lottery.figures.kinds import BySize, ByWeights
from lottery.figures.looks import LOOKS
from lottery.figures.style import (
    LINEAR_TICKS,
    PAPER_TICKS,
    TO_QUALITY,
    WIDTH,
    arms_in,
    draw_arm,
    finish,
    measure_axis,
    percent_axis,
    weights_axis,
    with_dense,
)

WIDTHS = {1: 4.6, 2: WIDTH, 3: WIDTH, 4: 1.35 * WIDTH}
"""Inches, by the number of panels side by side."""


def measures_by_size(picture: BySize, levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """One row of panels for each experiment, one panel for each measure, one line for each arm."""
    arms, measures, log = picture.arms, picture.measures, picture.log
    ticks = picture.ticks or (PAPER_TICKS if log else LINEAR_TICKS)
    levels = levels[levels["weights_remaining"] > picture.above]
    levels = with_dense(with_steps_of_one_kind(levels, linear=not log), *arms)
    levels = levels.assign(percent=100 * levels["weights_remaining"])
    experiments = levels["experiment"].unique()
    figure, panels = plt.subplots(
        len(experiments),
        len(measures),
        figsize=(WIDTHS[len(measures)], 0.8 + 2.4 * len(experiments)),
        layout="constrained",
        squeeze=False,
    )
    for row, experiment in zip(panels, experiments, strict=True):
        table = levels[levels["experiment"] == experiment]
        shown = arms_in(table, arms)
        for axes, measure in zip(row, measures, strict=True):
            drawn, never = (table, None) if measure != TO_QUALITY else as_late_as_known(table)
            for arm in shown:
                draw_arm(axes, drawn, arm, "percent", measure)
                if never is not None:
                    mark(axes, with_dense(drawn[never], arm), arm)
            percents = table.loc[table["arm"].isin(shown), "percent"]
            weights_axis(axes, percents, ticks, log=log)
            measure_axis(axes, measure, cut=picture.cut)
        row[0].set_title(experiment, loc="left")
    missed = f"Triangles: {TO_QUALITY_MISSED}." if TO_QUALITY in measures else ""
    finish(figure, levels, columns=2, note=missed)
    return figure


TO_QUALITY_MISSED = "some or all networks did not reach this loss, and count as if they had at the end of their curves"


def as_late_as_known(levels: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """The networks whose curves are known, those that did not reach the dense network's quality with the end of their
    curves in its place; and of each whether it did not.
    """
    known = levels[levels[KNOWN_UNTIL].notna()]
    never = known[TO_QUALITY].isna()
    return known.assign(**{TO_QUALITY: known[TO_QUALITY].fillna(known[KNOWN_UNTIL]).astype(float)}), never


def mark(axes: Axes, missed: pd.DataFrame, arm: str) -> None:
    """Triangles beside the points of an arm that networks missed."""
    drawn = cast(ErrorbarContainer, axes.containers[-1]).lines[0]
    sizes = missed["percent"].unique()
    points = [(x, y) for x, y in np.asarray(drawn.get_xydata()) if np.isclose(sizes, x).any()]
    if points:
        axes.plot(
            *zip(*points, strict=True),
            linestyle="none",
            marker="^",
            markersize=9,
            markerfacecolor="none",
            markeredgecolor=LOOKS[arm].color,
        )


def accuracy_by_weights(picture: ByWeights, levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """One panel for each experiment: would a small dense network have done as well as a ticket?"""
    levels = with_dense(levels, *picture.arms)
    experiments = levels["experiment"].unique()
    figure, panels = plt.subplots(
        1, len(experiments), figsize=(max(4.6, WIDTH * len(experiments) / 2), 3.4), layout="constrained", squeeze=False
    )
    for axes, experiment in zip(panels[0], experiments, strict=True):
        table = levels[levels["experiment"] == experiment]
        for arm in arms_in(table, picture.arms):
            draw_arm(axes, table, arm, "weights", "test_accuracy_at_early_stop")
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlabel("weights")
        percent_axis(axes)
        axes.set_ylabel("test accuracy at early stop (%)")
        axes.set_title(experiment)
    finish(figure, levels, columns=1)
    return figure


def with_steps_of_one_kind(levels: pd.DataFrame, *, linear: bool) -> pd.DataFrame:
    """Arms that have a twin of linear steps with steps of one kind only, all under the names of the others.

    Of the other kind where an experiment has none of this. At one size the two kinds leave different numbers of weights
    in the output layer: no line goes through both.
    """
    is_linear = levels["arm"].isin(TWINS)
    either = is_linear | levels["arm"].isin(TWINS.values())
    other = either & (is_linear != linear)
    with_own = levels["experiment"].isin(levels.loc[either & ~other, "experiment"])
    return levels[~(other & with_own)].replace({"arm": TWINS})
