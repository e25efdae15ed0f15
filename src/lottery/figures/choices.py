"""How much each choice of a recipe matters: recipes of one network side by side, effects with their intervals."""

from collections.abc import Callable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lottery.analysis.measures import AT_EARLY_STOP, Comparison, Measured, NotRun
from lottery.analysis.statistics import Estimate, mean_estimate, ratio_estimate
from lottery.figures.recipes import networks_of
from lottery.figures.style import WIDTH, caption, with_dense
from lottery.runs import DENSE

SIZE = 21.1
"""Percent of weights remaining at which recipes are compared: where the paper's tickets are fastest."""

EFFECTS: list[tuple[str, Callable[[Comparison], Measured], Callable[[Measured], Estimate], float | None]] = [
    ("dense network:\ntest accuracy (%)", lambda c: 100 * c.values(DENSE, 100, AT_EARLY_STOP), mean_estimate, None),
    ("ticket above dense:\ntest accuracy (points)", lambda c: c.accuracy_gain("iterative", SIZE), mean_estimate, 0),
    ("ticket over dense:\nearly-stop iteration", lambda c: c.early_stop_ratio("iterative", SIZE), ratio_estimate, 1),
    (
        "ticket above reinitialised:\ntest accuracy (points)",
        lambda c: c.accuracy_gain("iterative", SIZE, versus="iterative-reinit"),
        mean_estimate,
        0,
    ),
    (
        "reinitialised over ticket:\nearly-stop iteration",
        lambda c: c.early_stop_ratio("iterative-reinit", SIZE, versus="iterative", versus_percent=SIZE),
        ratio_estimate,
        1,
    ),
]
"""Panels: what is measured for each replicate, its mean and interval, and the value that means no effect."""


def choices(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """A row of panels for each network and dataset; in each panel a line for each experiment, in the run's order."""
    levels = with_dense(levels, "iterative", "iterative-reinit")
    networks = list(networks_of(levels))
    lengths = [table["experiment"].nunique() for _, table in networks]
    figure, panels = plt.subplots(
        len(networks),
        len(EFFECTS),
        figsize=(1.5 * WIDTH, 1.2 + 0.27 * sum(lengths) + 0.6 * len(networks)),
        layout="constrained",
        squeeze=False,
        sharey="row",
        height_ratios=lengths,
    )
    for row, (title, table) in zip(panels, networks, strict=True):
        experiments = list(table["experiment"].unique())
        for axes, (label, measure, estimate, none) in zip(row, EFFECTS, strict=True):
            for place, experiment in enumerate(experiments):
                draw_effect(axes, place, Comparison(table[table["experiment"] == experiment]), measure, estimate)
            if none is not None:
                axes.axvline(none, color="0.3", linewidth=0.8, linestyle="--")
            axes.set_xlabel(label)
            axes.margins(y=0.5 / len(experiments))
        row[0].set_yticks(range(len(experiments)), experiments)
        row[0].invert_yaxis()
        row[0].set_title(title, loc="left")
    text = f"Tickets of {SIZE}% of the weights, measured at early stop. Bars: 95% intervals over replicates. "
    figure.supxlabel(text + caption(levels).partition(" Bars:")[0], fontsize="x-small", color="0.3")
    return figure


def draw_effect(
    axes: Axes,
    place: int,
    comparison: Comparison,
    measure: Callable[[Comparison], Measured],
    estimate: Callable[[Measured], Estimate],
) -> None:
    """A point with its interval; nothing where the run did not train what is measured, or not long enough."""
    try:
        found = estimate(measure(comparison))
    except NotRun:
        return
    axes.plot([found.low, found.high], [place, place], color="#0072B2", linewidth=1.3)
    axes.plot(found.mean, place, color="#0072B2", marker="o")
