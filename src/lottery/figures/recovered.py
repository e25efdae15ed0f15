"""How much of what a ticket has over its mask reinitialised other starts recover, against the weights remaining."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lottery.analysis.experiment import FINAL
from lottery.figures.arm_panels import look
from lottery.figures.kinds import Recovered
from lottery.figures.style import PAPER_TICKS, WIDTH, percent_axis, weights_axis, write_below
from lottery.figures.ticket_weights import replicates_of


def recovered(picture: Recovered, levels: pd.DataFrame, _: pd.DataFrame) -> Figure:
    """Panels of a few arms each: 0 is the mask reinitialised, 100% the ticket; means over replicates of accuracies are
    compared, so a point has no bar.
    """
    shares = shares_recovered(picture, levels)
    experiments = shares["experiment"].unique()
    figure, rows = plt.subplots(
        max(len(experiments), 1),
        len(picture.panels),
        figsize=(WIDTH, 0.9 + 2.8 * max(len(experiments), 1)),
        layout="constrained",
        squeeze=False,
        sharey=True,
    )
    for row, experiment in zip(rows, experiments, strict=False):
        table = shares[shares["experiment"] == experiment]
        for axes, panel in zip(row, picture.panels, strict=True):
            for place, (arm, label) in enumerate(panel.lines.items()):
                points, style = table[table["arm"] == arm].sort_values("percent"), look(place, label)
                drawn = {"label": label, "color": style.color, "marker": style.marker}
                axes.plot(points["percent"], points["share"], linestyle=style.line, **drawn)
            axes.axhline(0, color="0.4", linewidth=0.8)
            axes.axhline(1, color="0.4", linewidth=0.8)
            axes.axhline(0.5, color="0.4", linestyle=":", linewidth=0.8)
            weights_axis(axes, table["percent"], PAPER_TICKS)
            percent_axis(axes)
            axes.set_title(panel.title)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(fontsize="x-small", loc="best", frameon=True)
        row[0].set_ylabel(f"{experiment}\nshare of the ticket's advantage (%)")
    text = f"Of the mean test accuracies at the end of training, n = {replicates_of(levels)} replicates. Dotted: half."
    write_below(figure, text)
    return figure


def shares_recovered(picture: Recovered, levels: pd.DataFrame) -> pd.DataFrame:
    """By experiment, arm and size the share of the ticket's advantage over `versus` that an arm has, of mean accuracies
    over replicates.
    """
    by_size = levels.pivot_table(FINAL, ["experiment", "weights_remaining"], "arm")
    advantage = by_size["iterative"] - by_size[picture.versus]
    arms = [arm for panel in picture.panels for arm in panel.lines if arm in by_size]
    shares = by_size[arms].sub(by_size[picture.versus], axis=0).div(advantage.where(advantage > 0), axis=0)
    table = shares.reset_index().melt(["experiment", "weights_remaining"], var_name="arm", value_name="share")
    return table.assign(percent=100 * table["weights_remaining"])
