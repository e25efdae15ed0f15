"""What figures of one recipe have in common: measures of trained networks against the weights remaining."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lottery.analysis.experiment import TWINS
from lottery.figures.style import (
    LINEAR_TICKS,
    PAPER_TICKS,
    WIDTH,
    arms_in,
    cut_below,
    draw_arm,
    finish,
    percent_axis,
    thousands,
    weights_axis,
    with_dense,
)

LABELS = {
    "early_stop_iteration": "early-stop iteration\n(validation)",
    "validation_accuracy_at_early_stop": "validation accuracy\nat early stop (%)",
    "test_accuracy_at_early_stop": "test accuracy\nat early stop (%)",
    "train_accuracy_at_early_stop": "training accuracy\nat early stop (%)",
    "test_accuracy_final": "test accuracy\nat the end of training (%)",
    "train_accuracy_final": "training accuracy\nat the end of training (%)",
}
"""Columns of levels.csv and what their axes are called."""


WIDTHS = {1: 4.6, 2: WIDTH, 3: WIDTH, 4: 1.35 * WIDTH}
"""Inches, by the number of panels side by side."""


Windows = Mapping[str, tuple[float, float]]
"""What vertical axes span, by measure."""

PAPER_WINDOWS: Windows = {
    "test_accuracy_at_early_stop": (0.92, 0.99),
    "test_accuracy_final": (0.92, 0.99),
    "validation_accuracy_at_early_stop": (0.94, 0.99),
    "train_accuracy_at_early_stop": (0.93, 1.002),
    "train_accuracy_final": (0.93, 1.002),
}
"""Of Figures 4a and 26; those of the accuracies at the end are not known, and taken to be the same."""


def measures_by_size(
    levels: pd.DataFrame,
    arms: list[str],
    measures: list[str],
    *,
    log: bool,
    ticks: list[float] | None = None,
    windows: Windows = PAPER_WINDOWS,
) -> Figure:
    """One row of panels for each experiment, one panel for each measure, one line for each arm.

    ticks: percent of weights remaining to print, those of Figures 1 and 4 when absent. windows: what an axis is cut to
    where lines leave it downwards.
    """
    ticks = ticks or (PAPER_TICKS if log else LINEAR_TICKS)
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
            for arm in shown:
                draw_arm(axes, table, arm, "percent", measure)
            percents = table.loc[table["arm"].isin(shown), "percent"]
            weights_axis(axes, percents, ticks, log=log)
            (thousands if measure == "early_stop_iteration" else percent_axis)(axes)
            axes.set_ylabel(LABELS[measure])
            if measure in windows:
                cut_below(axes, windows[measure])
        row[0].set_title(experiment, loc="left")
    finish(figure, levels, panels[0][0], columns=2)
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
