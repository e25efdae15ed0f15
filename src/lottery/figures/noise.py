"""Tickets of networks that wrong labels mislead: accuracy and generalisation gap against the number of weights."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from lottery.arms.places import DENSE
from lottery.figures.arm_panels import look
from lottery.figures.kinds import ByNoise
from lottery.figures.style import WIDTH, caption, draw_arm, percent_axis, with_dense, write_below
from lottery.settings.columns import LATER


def tickets_by_noise(picture: ByNoise, levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """A column of panels for each share of wrong labels, a line for each network, the widest first."""
    levels = with_dense(levels, picture.arm).assign(
        gap=lambda rows: rows["train_accuracy_final"] - rows["test_accuracy_final"]
    )
    if "label_noise" not in levels:
        levels = levels.assign(label_noise=LATER["label_noise"])
    shares = sorted(levels["label_noise"].unique())
    dense = levels[levels["arm"] == DENSE].groupby("network")["weights"].first().sort_values(ascending=False)
    figure, rows = plt.subplots(
        2, len(shares), figsize=(max(WIDTH, 3 * len(shares)), 5), layout="constrained", squeeze=False, sharex=True
    )
    rows_with_names = zip(
        rows, {"test_accuracy_final": "test accuracy", "gap": "training less test accuracy"}.items(), strict=True
    )
    for row, (column, name) in rows_with_names:
        for axes, share in zip(row, shares, strict=True):
            table = levels[levels["label_noise"] == share]
            for place, network in enumerate(dense.index):
                own = table[table["network"] == network]
                if len(own):
                    draw_arm(axes, own, picture.arm, "weights", column, look(place, network))
            percent_axis(axes)
        row[0].set_ylabel(f"{name}\nat the end of training (%)")
    for axes, share in zip(rows[0], shares, strict=True):
        axes.set_title(f"{100 * share:g}% of the labels wrong")
    for axes in rows[1]:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator())
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.set_xlabel("weights")
    rows[1, 0].invert_xaxis()
    rows[0, -1].legend(fontsize="x-small", loc="best", frameon=True)
    write_below(figure, caption(levels), "Training accuracy is of the labels that train, wrong ones among them.")
    return figure
