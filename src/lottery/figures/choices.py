"""How much each choice of a recipe matters: recipes of one network side by side, effects with their intervals."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from lottery.analysis.experiment import AT_EARLY_STOP, NotRun, TrainedExperiment
from lottery.analysis.measures import Accuracy, Gain, Measure, Stop, StopRatio, usable
from lottery.analysis.statistics import Estimate, mean_estimate, ratio_estimate
from lottery.arms.places import DENSE
from lottery.figures.kinds import Effects
from lottery.figures.side_by_side import networks_of
from lottery.figures.style import WIDTH, caption, with_dense, write_below

SIZE = 0.211
"""Weights remaining at which recipes are compared: where the paper's tickets are fastest."""

COLOR = "#0072B2"


@dataclass(frozen=True)
class Panel:
    """What is measured for each replicate, how its mean is taken, and the value that means no effect."""

    label: str
    measure: Measure
    estimate: Callable[[pd.Series], Estimate] = mean_estimate
    none: float | None = None


REINIT = "iterative-reinit"

PANELS = [
    Panel("dense network:\ntest accuracy (%)", Accuracy(DENSE, 1, column=AT_EARLY_STOP)),
    Panel("dense network:\nearly-stop iteration (K)", Stop(DENSE, 1, "thousands of iterations"), ratio_estimate),
    Panel("ticket above dense:\ntest accuracy (points)", Gain("iterative", SIZE), none=0),
    Panel("ticket over dense:\nearly-stop iteration", StopRatio("iterative", SIZE), ratio_estimate, none=1),
    Panel("ticket above reinitialised:\ntest accuracy (points)", Gain("iterative", SIZE, versus=REINIT), none=0),
    Panel(
        "reinitialised over ticket:\nearly-stop iteration",
        StopRatio(REINIT, SIZE, versus="iterative"),
        ratio_estimate,
        none=1,
    ),
]


def choices(_: Effects, levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """A row of panels for each network and dataset; in each panel a line for each experiment, in the run's order."""
    levels = with_dense(levels, "iterative", REINIT)
    networks = list(networks_of(levels))
    lengths = [table["experiment"].nunique() for _, table in networks]
    figure, rows = plt.subplots(
        len(networks),
        len(PANELS),
        figsize=(1.5 * WIDTH, 1.2 + 0.27 * sum(lengths) + 0.6 * len(networks)),
        layout="constrained",
        squeeze=False,
        sharey="row",
        height_ratios=lengths,
    )
    for row, (title, table) in zip(rows, networks, strict=True):
        experiments = list(table["experiment"].unique())
        for axes, panel in zip(row, PANELS, strict=True):
            for place, experiment in enumerate(experiments):
                draw_effect(axes, place, TrainedExperiment(table[table["experiment"] == experiment]), panel)
            if panel.none is not None:
                axes.axvline(panel.none, color="0.3", linewidth=0.8, linestyle="--")
            if panel.estimate is ratio_estimate:
                ratio_axis(axes)
            axes.set_xlabel(panel.label, fontsize="small")
            axes.margins(y=0.5 / len(experiments))
        row[0].set_yticks(range(len(experiments)), experiments)
        row[0].invert_yaxis()
        row[0].set_title(title, loc="left")
    text = (
        f"Tickets of {100 * SIZE:g}% of the weights, measured at early stop. Bars: 95% intervals over replicates; small"
        " dots: each of them. "
    )
    write_below(figure, text + caption(levels).partition(" Bars:")[0])
    return figure


def draw_effect(axes: Axes, place: int, trained: TrainedExperiment, panel: Panel) -> None:
    """A point with its interval; nothing where the run did not train what is measured, or not long enough."""
    try:
        values = usable(panel.measure.found(trained).numbers, ratios=panel.estimate is ratio_estimate)
    except NotRun:
        return
    found = panel.estimate(values)
    axes.plot([found.low, found.high], [place, place], color=COLOR, linewidth=1.3)
    axes.plot(found.mean, place, color=COLOR, marker="o")
    axes.plot(values, [place + 0.25] * len(values), color="0.45", marker=".", markersize=3, linestyle="none")


def ratio_axis(axes: Axes) -> None:
    """Half and double lie equally far from 1; ticks at doubles, and between them where there are few."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(base=2 if high / low > 3 else math.sqrt(2)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.2g}"))
