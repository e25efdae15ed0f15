"""Figures 7 and 8: test accuracy at three moments of training against the weights remaining."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lottery.analysis.tables import NETWORK
from lottery.figures.kinds import AtMoments
from lottery.figures.looks import Look
from lottery.figures.side_by_side import networks_of, rate_and_warmup, recipes_of
from lottery.figures.style import WIDTH, arms_in, draw_arm, finish, percent_axis, weights_axis, with_dense

ARMS = {"iterative": "winning ticket", "iterative-reinit": "random reinit"}

COLORS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#000000"]
MARKERS = "osD^vPX*"
"""Of the experiments in a panel, one after the other; so many of each that no two of dozens share both."""

LEGEND_COLUMNS = 3
"""As many as the width holds."""


def accuracy_by_size(paper: AtMoments, levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """A row of panels for each network, one for each moment: tickets solid, reinitialised dashed and hollow.

    A training of another length is shown at the recorded test point nearest to the same part of it.
    """
    levels = with_dense(levels, *ARMS)
    levels = levels.assign(percent=100 * levels["weights_remaining"])
    networks = list(networks_of(levels))
    figure, panels = plt.subplots(
        len(networks),
        len(paper.iterations),
        figsize=(1.2 * WIDTH, 0.9 + 2.6 * len(networks)),
        layout="constrained",
        squeeze=False,
    )
    columns = 1
    for row, (title, table) in zip(panels, networks, strict=True):
        names = recipes_of(table, rate_and_warmup)
        columns = max(columns, len(names))
        for axes, iteration in zip(row, paper.iterations, strict=True):
            shown = at_moment(table, curves, iteration, paper.length)
            for number, (experiment, name) in enumerate(names.items()):
                rows = shown[shown["experiment"] == experiment]
                color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
                for arm in arms_in(rows, ARMS):
                    reinit = arm.endswith("-reinit")
                    look = Look(f"{name}: {ARMS[arm]}", color, marker, "--" if reinit else "-", hollow=reinit)
                    draw_arm(axes, rows, arm, "percent", "accuracy", look)
            weights_axis(axes, shown.loc[shown["arm"].isin(ARMS), "percent"], paper.ticks)
            percent_axis(axes)
            places = " and ".join(f"{place:,}" for place in sorted(shown["iteration"].dropna().astype(int).unique()))
            axes.set_title(f"at iteration {places}")
        row[0].set_ylabel(f"{title}\ntest accuracy (%)")
    finish(figure, levels, columns=min(columns, LEGEND_COLUMNS))
    return figure


def at_moment(levels: pd.DataFrame, curves: pd.DataFrame, iteration: int, of: int) -> pd.DataFrame:
    """Rows of levels.csv with the test `accuracy` of each network at a moment of its training, and the moment.

    The moment is the `iteration` at which its experiment recorded test accuracy, be it the end, that is nearest to the
    same part of its training as the given one `of` so many is; the earlier one on ties. Networks that diverged have no
    accuracy.
    """
    at_end = levels[NETWORK].assign(iteration=levels["iterations"], test_accuracy=levels["test_accuracy_final"])
    tested = pd.concat([curves[at_end.columns], at_end], ignore_index=True).dropna(subset="test_accuracy")
    lengths = levels.groupby("experiment")["iterations"].first()
    points = tested[["experiment", "iteration"]].drop_duplicates().sort_values("iteration")
    points = points[points["experiment"].isin(lengths.index)]
    distance = (of * points["iteration"] - iteration * points["experiment"].map(lengths)).abs()
    chosen = points.loc[distance.groupby(points["experiment"]).idxmin()]
    there = tested.merge(chosen).drop_duplicates(NETWORK).rename(columns={"test_accuracy": "accuracy"})
    joined = levels.merge(there, on=NETWORK, how="left")
    return joined.assign(accuracy=joined["accuracy"].where(joined["diverged_iteration"].isna()))
