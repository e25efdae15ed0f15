"""How alike masks are: on the way through training, and at its end; from overlaps.csv."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lottery.analysis.overlaps import SETTLED
from lottery.arms.places import DENSE
from lottery.figures.arm_panels import look
from lottery.figures.kinds import OverlapsOnTheWay, WhatIsSelected
from lottery.figures.lines import draw
from lottery.figures.style import WIDTH, percent_axis, thousands_along, write_below
from lottery.figures.ticket_weights import replicates_of
from lottery.runs.listing import DESCRIBED_ARM, TWIN

ON_THE_WAY = {
    "same start, other batches": ("same start", TWIN),
    "another start": ("another start", DENSE),
    "largest initial weights": ("initial magnitude", DENSE),
    "its own end": ("end of training", DENSE),
}
"""Lines: the quantity, and of which arm's masks."""

Lines = list[tuple[str, int]]
"""Experiments and levels."""


def overlaps_on_the_way(_: OverlapsOnTheWay, levels: pd.DataFrame, overlaps: pd.DataFrame) -> Figure:
    """Two rows for each experiment and level: overlap over chance, and distance to earlier masks, a panel a layer."""
    places, layers = places_of(overlaps)
    figure, rows = plt.subplots(
        2 * len(places), len(layers), figsize=(WIDTH, 0.9 + 4.2 * len(places)), layout="constrained", squeeze=False
    )
    for number, (experiment, level) in enumerate(places):
        table = overlaps[(overlaps["experiment"] == experiment) & (overlaps["level"] == level)]
        for upper, lower, layer in zip(rows[2 * number], rows[2 * number + 1], layers, strict=True):
            own = table[table["layer"] == layer]
            for place, (label, (quantity, of)) in enumerate(ON_THE_WAY.items()):
                found = own[(own["quantity"] == quantity) & (own["of"] == of)]
                draw(upper, found, "iteration", "over_chance", look(place, label))
            upper.axhline(1, color="0.4", linestyle=":", linewidth=0.8)
            upper.set_title(f"layer {layer}", fontsize="small")
            draw(lower, own[own["quantity"] == "early-bird distance"], "iteration", "value", look(0, "four before"))
            lower.axhline(SETTLED, color="0.4", linestyle=":", linewidth=0.8)
            percent_axis(lower)
            lower.set_ylim(bottom=0)
            for axes in (upper, lower):
                thousands_along(axes)
                axes.set_xlabel("iteration")
        size = size_of(levels, experiment, level)
        rows[2 * number, 0].set_ylabel(f"{experiment}, {size:.3g}%\noverlap over chance")
        rows[2 * number + 1, 0].set_ylabel("entries that differ\nfrom earlier masks (%)")
    figure.legend(*rows[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    below = (
        "Masks that pruning at once at an iteration would give. Below: the greatest difference to the masks of four"
        " snapshots before; dotted: 10%."
    )
    write_below(figure, f"Means of n = {replicates_of(levels)} replicates; bars: least and greatest.", below)
    return figure


def what_is_selected(_: WhatIsSelected, levels: pd.DataFrame, overlaps: pd.DataFrame) -> Figure:
    """A row for each experiment and level: signs kept, how far weights move, overlaps at the end."""
    places, layers = places_of(overlaps)
    figure, rows = plt.subplots(
        len(places),
        3,
        figsize=(1.4 * WIDTH, 0.9 + 3 * len(places)),
        layout="constrained",
        squeeze=False,
        width_ratios=(1, 1, 2),
    )
    for row, (experiment, level) in zip(rows, places, strict=True):
        table = overlaps[(overlaps["experiment"] == experiment) & (overlaps["level"] == level)]
        for axes, (quantity, label) in zip(
            row, {"sign kept": "initial sign kept (%)", "movement": "mean distance moved"}.items(), strict=False
        ):
            inside_and_outside(axes, table[table["quantity"] == quantity], layers)
            axes.set_ylabel(label)
            if quantity == "sign kept":
                percent_axis(axes)
                axes.set_title(f"{experiment}, {size_of(levels, experiment, level):.3g}%", loc="left")
                axes.legend(fontsize="x-small", frameon=True)
        bars_of_overlaps(row[2], at_the_end(table), layers)
    together = overlaps.loc[overlaps["quantity"] == "neighbouring pixels", "over_chance"].mean()
    note = f" Units keep two neighbouring pixels together {together:.3g} times as often as any two." * bool(
        np.isfinite(together)
    )
    write_below(figure, f"Means of n = {replicates_of(levels)} replicates.{note}")
    return figure


def inside_and_outside(axes: Axes, table: pd.DataFrame, layers: list[int]) -> None:
    """Two bars for each layer: of the ticket's weights and of the others."""
    means = table.groupby("layer")[["value", "by_chance"]].mean().reindex(layers)
    for number, (column, label) in enumerate({"value": "in the ticket", "by_chance": "not in it"}.items()):
        axes.bar(np.arange(len(layers)) + 0.4 * number, means[column], 0.38, label=label, color=look(number, "").color)
    axes.set_xticks(np.arange(len(layers)) + 0.2, [f"layer {layer}" for layer in layers])


def at_the_end(table: pd.DataFrame) -> pd.DataFrame:
    """Rows that compare masks at the end of training, with a name for each comparison."""
    names = {quantity: label for label, (quantity, _) in ON_THE_WAY.items() if quantity != "end of training"}
    last = table["iteration"].isna() | (table["iteration"] == table["iteration"].max())
    of = table["of"].isin([DESCRIBED_ARM, "one-shot", DENSE, TWIN])
    arms = table["quantity"].str.startswith("mask of ")
    shown = table[last & of & (arms | table["quantity"].isin(names))]
    one = shown["of"].replace({DENSE: "one-shot", TWIN: "one-shot"})
    other = shown["quantity"].replace(names).str.removeprefix("mask of ")
    return shown.assign(compared=one + ": " + other)


def bars_of_overlaps(axes: Axes, table: pd.DataFrame, layers: list[int]) -> None:
    """A group of bars for each comparison, a bar for each layer; 1 is chance."""
    means = table.pivot_table("over_chance", "compared", "layer").reindex(columns=layers)
    for number, layer in enumerate(layers):
        places = np.arange(len(means)) + 0.25 * number
        axes.barh(places, means[layer], 0.24, label=f"layer {layer}", color=look(number, "").color)
    axes.set_yticks(np.arange(len(means)) + 0.25, means.index, fontsize="x-small")
    axes.axvline(1, color="0.4", linestyle=":", linewidth=0.8)
    axes.set_xlabel("overlap of masks over chance")
    axes.legend(fontsize="x-small", frameon=True)


def places_of(overlaps: pd.DataFrame) -> tuple[Lines, list[int]]:
    """The experiments and levels of a table, and its layers."""
    places = overlaps[["experiment", "level"]].drop_duplicates()
    return list(places.itertuples(index=False, name=None)), sorted(overlaps["layer"].unique())


def size_of(levels: pd.DataFrame, experiment: str, level: int) -> float:
    """Percent of weights remaining of an experiment's tickets of a level."""
    rows = levels[(levels["experiment"] == experiment) & (levels["level"] == level)]
    return float(100 * rows["weights_remaining"].median())
