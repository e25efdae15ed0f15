"""Masks as images: which pixels the first layer of tickets reads, from pixels.csv."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lottery.figures.kinds import KeptPixels
from lottery.figures.overlaps import size_of
from lottery.figures.style import WIDTH, write_below
from lottery.figures.ticket_weights import replicates_of

COLORS = "cividis"
"""Looks the same to the colour-blind, and rises in brightness."""


def kept_pixels(_: KeptPixels, levels: pd.DataFrame, pixels: pd.DataFrame) -> Figure:
    """A row for each experiment, the largest ticket left; each image has a scale of its own below it."""
    experiments = pixels["experiment"].unique()
    most = max(pixels.loc[pixels["experiment"] == name, "level"].nunique() for name in experiments)
    figure, rows = plt.subplots(
        len(experiments),
        most,
        figsize=(WIDTH, 0.4 + (0.6 + 0.95 * WIDTH / most) * len(experiments)),
        layout="constrained",
        squeeze=False,
    )
    for row, experiment in zip(rows, experiments, strict=True):
        tickets = list(pixels[pixels["experiment"] == experiment].groupby("level", sort=True))
        for axes, (level, table) in zip(row, tickets, strict=False):
            draw_image(figure, axes, table)
            axes.set_title(f"{size_of(levels, experiment, level):.3g}%", fontsize="small")
        for axes in row[len(tickets) :]:
            axes.set_axis_off()
        row[0].set_ylabel(experiment)
    text = f"Shares of a pixel's links to the first hidden layer, in percent: means of n = {replicates_of(levels)}"
    write_below(figure, f"{text} replicates. Each image has its own scale, from 0 to its greatest share.")
    return figure


def draw_image(figure: Figure, axes: Axes, table: pd.DataFrame) -> None:
    """One ticket's shares as an image, with its scale."""
    shares = 100 * table.pivot_table("kept", "row", "column").to_numpy()
    image = axes.imshow(shares, cmap=COLORS, vmin=0, vmax=shares.max() or 1, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    scale = figure.colorbar(image, ax=axes, location="bottom", shrink=0.9, aspect=12, pad=0.03, ticks=MaxNLocator(2))
    scale.ax.tick_params(labelsize="x-small")
