"""Figure 6: tickets of convolutional networks trained with dropout, and without."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.kinds import ByDropout
from lottery.figures.looks import Look
from lottery.figures.side_by_side import dropout, networks_of, recipes_of
from lottery.figures.style import WIDTH, draw_arm, finish, measure_axis, weights_axis, with_dense


def tickets_by_dropout(picture: ByDropout, levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """A row of panels for each network: with dropout solid, without dashed, as the paper draws them."""
    levels = with_dense(levels, "iterative")
    levels = levels.assign(percent=100 * levels["weights_remaining"])
    networks = list(networks_of(levels))
    figure, panels = plt.subplots(
        len(networks),
        len(picture.measures),
        figsize=(WIDTH, 0.8 + 2.4 * len(networks)),
        layout="constrained",
        squeeze=False,
    )
    for row, (title, table) in zip(panels, networks, strict=True):
        for experiment, label in recipes_of(table, dropout).items():
            rows = table[table["experiment"] == experiment]
            look = with_dropout if rows["dropout"].iloc[0] > 0 else without_dropout
            for axes, measure in zip(row, picture.measures, strict=True):
                draw_arm(axes, rows, "iterative", "percent", measure, look(label))
        for axes, measure in zip(row, picture.measures, strict=True):
            weights_axis(axes, table.loc[table["arm"] == "iterative", "percent"], picture.ticks)
            measure_axis(axes, measure, cut=False)
        row[0].set_title(title, loc="left")
    finish(figure, levels, columns=2)
    return figure


def with_dropout(label: str) -> Look:
    return Look(label, "#0072B2", "o", "-")


def without_dropout(label: str) -> Look:
    return Look(label, "#E69F00", "s", "--", hollow=True)
