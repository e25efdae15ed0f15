"""Accuracies of networks that are never trained, against the weights remaining and against the width."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from lottery.analysis.experiment import nearest_size
from lottery.arms.places import DENSE
from lottery.figures.arm_panels import look
from lottery.figures.kinds import ByWidth
from lottery.figures.style import PAPER_TICKS, WIDTH, caption, draw_arm, percent_axis, weights_axis, write_below

MEASURE = "test_accuracy_final"


def untrained_accuracy(picture: ByWidth, levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """The panels by size show the experiment with most arms, the last panel all experiments at one size."""
    shown = levels["arm"].isin([*picture.by_width.lines, *(arm for panel in picture.panels for arm in panel.lines)])
    dense = levels[levels["arm"] == DENSE].groupby("experiment")["weights"].first()
    levels = levels[shown].assign(percent=100 * levels["weights_remaining"], width=levels["experiment"].map(dense))
    most = levels.groupby("experiment", sort=False)["arm"].nunique().idxmax()
    of_one, at_size = levels[levels["experiment"] == most], of_size(levels, picture.size / 100)
    figure, axes = plt.subplots(
        1, len(picture.panels) + 1, figsize=(1.5 * WIDTH, 3.8), layout="constrained", sharey=True
    )
    for each, panel in zip(axes[:-1], picture.panels, strict=True):
        for place, (arm, label) in enumerate(panel.lines.items()):
            draw(each, of_one, arm, "percent", place, label)
        weights_axis(each, of_one["percent"], PAPER_TICKS)
        each.set_title(f"{most}:\n{panel.title}")
    for place, (arm, label) in enumerate(picture.by_width.lines.items()):
        draw(axes[-1], at_size, arm, "width", place, label)
    axes[-1].set_xscale("log")
    axes[-1].xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes[-1].xaxis.set_minor_locator(NullLocator())
    axes[-1].xaxis.set_major_formatter(EngFormatter(sep=""))
    axes[-1].set_xlabel("weights of the dense network")
    axes[-1].set_title(picture.by_width.title)
    percent_axis(axes[0])
    axes[0].set_ylabel("test accuracy, never trained (%)")
    for each in axes:
        if each.get_legend_handles_labels()[0]:
            each.legend(fontsize="x-small", loc="lower center", frameon=True)
    text = caption(levels).replace("iterations each", "iterations of the dense network's training, or of the mask's")
    write_below(figure, text)
    return figure


def of_size(levels: pd.DataFrame, size: float) -> pd.DataFrame:
    """The rows of each experiment's networks of about this size."""
    found = []
    for _, rows in levels.groupby("experiment", sort=False):
        near = nearest_size(rows["weights_remaining"], size)
        found.append(rows[rows["weights_remaining"] == near])
    return pd.concat(found)


def draw(axes: Axes, levels: pd.DataFrame, arm: str, x: str, place: int, label: str) -> None:
    """A line of an arm, if it was run."""
    rows = levels[levels["arm"] == arm]
    if len(rows):
        draw_arm(axes, rows, arm, x, MEASURE, look(place, label))
