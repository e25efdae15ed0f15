"""Accuracy against weight count: would a small dense network have done as well as a ticket?"""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from lottery.figures.style import WIDTH, arms_in, draw_arm, finish, percent_axis, with_dense

ARMS = ["iterative", "random", "small-dense"]


def size(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """One panel for each experiment."""
    levels = with_dense(levels, *ARMS)
    experiments = levels["experiment"].unique()
    figure, panels = plt.subplots(
        1, len(experiments), figsize=(max(4.6, WIDTH * len(experiments) / 2), 3.4), layout="constrained", squeeze=False
    )
    for axes, experiment in zip(panels[0], experiments, strict=True):
        table = levels[levels["experiment"] == experiment]
        for arm in arms_in(table, ARMS):
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
    finish(figure, levels, panels[0][0], columns=1)
    return figure
