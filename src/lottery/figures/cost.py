"""Cost of a training iteration against the weights kept, from the benchmark's table."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.style import PAPER_TICKS, WIDTH, weights_axis, write_below

LINES = {
    "plain": ("plain masked PyTorch loop", "#000000", "s", "--"),
    "torch": ("engine torch", "#E69F00", "^", "-."),
    "sparse": ("engine sparse", "#0072B2", "o", "-"),
}


def cost(table: pd.DataFrame) -> Figure:
    """Two panels, training alone and with evaluation; both axes logarithmic."""
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3), layout="constrained", sharey=True)
    table = table.assign(percent=100 * table["weights_remaining"], both=table["training_ms"] + table["evaluation_ms"])
    for axes, column, title in zip(
        panels, ["training_ms", "both"], ["training", "training and evaluation"], strict=True
    ):
        for engine, (label, color, marker, line) in LINES.items():
            rows = table[table["engine"] == engine]
            axes.plot(rows["percent"], rows[column], label=label, color=color, marker=marker, linestyle=line)
        weights_axis(axes, table["percent"], PAPER_TICKS)
        axes.set_yscale("log")
        axes.set_title(title)
    panels[0].set_ylabel("milliseconds an iteration")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
    write_below(figure, "LeNet-300-100, MNIST, batch 60, one thread. Medians.")
    return figure
