"""Error on lines between trained networks: against size, against the rewind point, and against what tickets gain."""

import re

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lottery.analysis.barriers import column_of
from lottery.analysis.experiment import FINAL, nearest_size
from lottery.arms.pairs import PAIRS
from lottery.arms.places import DENSE
from lottery.figures.arm_panels import COLORS, MARKERS, look
from lottery.figures.kinds import BarrierAndGain, Barriers, ByRewindPoint
from lottery.figures.looks import Look
from lottery.figures.style import PAPER_TICKS, WIDTH, caption, percent_axis, weights_axis, write_below

NO_BARRIER = 0.02
"""What counts as no barrier (Frankle et al., 1912.05671)."""

TICKS = (0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Of the axis of barriers, a straight one below what counts as none and logarithmic above."""

PARTS = {"test": "test images", "train": "training images"}


def barriers_by_size(picture: Barriers, levels: pd.DataFrame, _: pd.DataFrame) -> Figure:
    """A row for each experiment, a panel for test and one for training images, a line for each pair."""
    levels = levels.assign(percent=100 * levels["weights_remaining"])
    experiments = levels["experiment"].unique()
    figure, rows = plt.subplots(
        len(experiments), 2, figsize=(WIDTH, 0.9 + 2.6 * len(experiments)), layout="constrained", squeeze=False
    )
    for row, experiment in zip(rows, experiments, strict=True):
        table = levels[levels["experiment"] == experiment]
        for axes, (part, where) in zip(row, PARTS.items(), strict=True):
            for place, (pair, label) in enumerate(picture.pairs.items()):
                if column_of(pair, part) in table:
                    own = table[table["arm"] == PAIRS[pair].one.arm]
                    draw(axes, own, "percent", column_of(pair, part), look(place, label))
            limit(axes)
            weights_axis(axes, table["percent"], PAPER_TICKS)
            axes.set_title(where)
        row[0].set_ylabel(f"{experiment}\nbarrier (points of error)")
    figure.legend(*rows[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=1)
    write_below(figure, caption(levels), "Dotted: 2 points.")
    return figure


def draw(axes: Axes, rows: pd.DataFrame, x: str, y: str, style: Look) -> None:
    """A line through the means of a column, with bars from the least to the greatest network."""
    points = rows.dropna(subset=[y]).groupby(x)[y].agg(["mean", "min", "max"])
    if points.empty:
        return
    mean = points["mean"]
    axes.errorbar(
        points.index,
        mean,
        yerr=[(mean - points["min"]).clip(lower=0), (points["max"] - mean).clip(lower=0)],
        label=style.label,
        color=style.color,
        marker=style.marker,
        linestyle=style.line,
        capsize=2,
        elinewidth=0.8,
    )


def limit(axes: Axes) -> None:
    """The axis of barriers, fractions shown in points, with the limit of what counts as none."""
    axes.set_yscale("symlog", linthresh=NO_BARRIER)
    axes.set_ylim(-0.005, 0.9)
    axes.set_yticks(TICKS, [f"{100 * tick:g}" for tick in TICKS])
    axes.minorticks_off()
    axes.axhline(NO_BARRIER, color="0.4", linestyle=":", linewidth=0.8)


def by_rewind_point(picture: ByRewindPoint, levels: pd.DataFrame, _: pd.DataFrame) -> Figure:
    """A row for each experiment and size: accuracy at the end of training, and barriers of twins, against k."""
    lines = with_points(picture, levels)
    places = [
        (experiment, size)
        for experiment, rows in lines.groupby("experiment", sort=False)
        for size in sizes_of_points(rows)
    ]
    figure, panels = plt.subplots(
        len(places), 2, figsize=(WIDTH, 0.9 + 2.5 * len(places)), layout="constrained", squeeze=False
    )
    for (left, right), (experiment, size) in zip(panels, places, strict=True):
        sizes = lines["weights_remaining"].round(6)
        table = lines[(lines["experiment"] == experiment) & sizes.isin([size, 1.0])]
        for place, label in enumerate(picture.lines):
            own = table[table["line"] == label]
            draw(left, own[own["twin"] == 0], "k", FINAL, look(place, label))
            draw(right, own[own["twin"] == 1], "k", "barrier", look(place, label))
        dense = table.loc[table["arm"] == DENSE, FINAL].mean()
        left.axhline(dense, color="0.4", linestyle=":", linewidth=0.8, label="dense network")
        percent_axis(left)
        limit(right)
        left.set_title(f"{experiment}, {100 * size:.3g}% of the weights", loc="left")
        left.set_ylabel("test accuracy\nat the end of training (%)")
        right.set_ylabel("barrier of twins\n(points of error)")
        for axes in (left, right):
            axes.set_xscale("symlog", linthresh=100)
            points = sorted(table["k"].dropna().unique())
            axes.set_xticks(points, [f"{point:g}" for point in points])
            axes.minorticks_off()
            axes.set_xlabel("rewound to iteration")
            axes.set_xlim(-10, 1.2 * max(points))
    handles = {
        label: handle
        for pair in panels
        for axes in pair
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=3)
    write_below(figure, caption(levels), "Right: dotted, 2 points.")
    return figure


def sizes_of_points(rows: pd.DataFrame) -> list[float]:
    """The sizes of an experiment's masks that were rewound to several iterations, largest first."""
    masked = rows[rows["weights_remaining"] < 1]
    points = masked.groupby(masked["weights_remaining"].round(6))["k"].nunique()
    return sorted(points.index[points > 1], reverse=True)


def with_points(picture: ByRewindPoint, levels: pd.DataFrame) -> pd.DataFrame:
    """The rows of the picture's arms with their line, the iteration `k`, whether they are twins, and their barrier."""
    pair_of = {pair.one.arm: name for name, pair in PAIRS.items() if "twins" in name}
    found = [levels[levels["arm"] == DENSE].assign(line="", k=float("nan"), twin=0)]
    for label, arms in picture.lines.items():
        for arm in levels["arm"].unique():
            for number, pattern in enumerate(arms):
                match = re.fullmatch(re.escape(pattern).replace(r"\*", "([0-9]+)"), arm)
                if match:
                    k = float(match[1]) if match.groups() else 0.0
                    rows = levels[levels["arm"] == arm].assign(line=label, k=k, twin=number // 2)
                    column = column_of(pair_of.get(arm, ""))
                    found.append(rows.assign(barrier=rows[column] if column in rows else float("nan")))
    return pd.concat(found, ignore_index=True)


def barrier_and_gain(picture: BarrierAndGain, levels: pd.DataFrame, _: pd.DataFrame) -> Figure:
    """One panel: means over replicates, with bars from the least to the greatest of both."""
    figure, axes = plt.subplots(figsize=(WIDTH, 4), layout="constrained")
    for place, (experiment, table) in enumerate(levels.groupby("experiment", sort=False)):
        barriers = 100 * table.groupby("replicate")[column_of(picture.pair)].mean()
        own = dict(list(table.groupby("arm")))
        if not {"iterative", picture.versus} <= own.keys():
            continue
        size = nearest_size(own[picture.versus]["weights_remaining"], picture.size / 100)
        if size is None:
            continue
        accuracies = [
            100 * rows[rows["weights_remaining"] == size].groupby("replicate")[FINAL].mean()
            for rows in (own["iterative"], own[picture.versus])
        ]
        gains = accuracies[0] - accuracies[1]
        spread = [[[each.mean() - each.min()], [each.max() - each.mean()]] for each in (barriers, gains)]
        axes.errorbar(
            barriers.mean(),
            gains.mean(),
            xerr=spread[0],
            yerr=spread[1],
            label=str(experiment),
            color=COLORS[place % len(COLORS)],
            marker=MARKERS[(place + place // len(COLORS)) % len(MARKERS)],
            linestyle="none",
            capsize=2,
            elinewidth=0.8,
        )
    axes.set_xlabel("barrier of dense twins (points of error)")
    axes.set_ylabel(f"gain of the {picture.size:g}% ticket over reinitialised\n(points of accuracy)")
    axes.axhline(0, color="0.4", linewidth=0.8)
    figure.legend(loc="outside right upper", fontsize="small")
    write_below(figure, caption(levels))
    return figure
