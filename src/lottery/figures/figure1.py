"""Figure 1: winning tickets against random sparse networks."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.style import (
    PAPER_TICKS,
    WIDTH,
    arms_in,
    draw_arm,
    finish,
    percent_axis,
    thousands,
    weights_axis,
)


def figure1(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """One row of panels for each experiment: early-stop iteration and test accuracy at it."""
    levels = levels.assign(percent=100 * levels["weights_remaining"])
    experiments = levels["experiment"].unique()
    figure, panels = plt.subplots(
        len(experiments), 2, figsize=(WIDTH, 0.6 + 2.4 * len(experiments)), layout="constrained", squeeze=False
    )
    for (speed, accuracy), experiment in zip(panels, experiments, strict=True):
        table = levels[levels["experiment"] == experiment]
        arms = arms_in(table, ["iterative", "random"])
        for arm in arms:
            draw_arm(speed, table, arm, "percent", "early_stop_iteration")
            draw_arm(accuracy, table, arm, "percent", "test_accuracy_at_early_stop")
        for axes in (speed, accuracy):
            weights_axis(axes, table.loc[table["arm"].isin(arms), "percent"], PAPER_TICKS)
            axes.set_title(experiment)
        thousands(speed)
        speed.set_ylabel("early-stop iteration (validation)")
        percent_axis(accuracy)
        accuracy.set_ylabel("test accuracy at early stop (%)")
    finish(figure, levels, panels[0][0], columns=2)
    return figure
