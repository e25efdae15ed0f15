"""What a prediction costs against the weights kept, from the benchmark's table."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.style import PAPER_TICKS, WIDTH, weights_axis, write_below

LINES = {
    "torch": ("PyTorch", "#000000", "s", "--"),
    "torch.compile": ("torch.compile", "#999999", "D", "--"),
    "torch CSR": ("PyTorch, CSR", "#CC79A7", "v", ":"),
    "onnxruntime": ("onnxruntime", "#D55E00", "^", "--"),
    "onnxruntime int8": ("onnxruntime, int8", "#E69F00", "<", "-."),
    "onnxruntime, compact": ("onnxruntime, compact", "#009E73", ">", "-."),
    "runtime": ("runtime of tickets", "#0072B2", "o", "-"),
}


def inference(table: pd.DataFrame, evens: Mapping[int, float | None], told: str) -> Figure:
    """A panel for each number of images in a call, one thread; both axes logarithmic.

    evens: by number of images, the share of weights from which on down tickets are no slower; told: network, dataset
    and machine, written below.
    """
    table = table[table["threads"] == 1].assign(percent=100 * table["weights_remaining"])
    batches = sorted(set(table["batch"].tolist()))
    figure, panels = plt.subplots(1, len(batches), figsize=(WIDTH, 3), layout="constrained", squeeze=False)
    for axes, batch in zip(panels[0], batches, strict=True):
        for name, (label, color, marker, line) in LINES.items():
            rows = table[(table["contender"] == name) & (table["batch"] == batch)].sort_values("percent")
            if len(rows):
                style = {"label": label, "color": color, "marker": marker, "linestyle": line}
                axes.plot(rows["percent"], rows["microseconds"], **style)
                axes.fill_between(rows["percent"], rows["low"], rows["high"], color=color, alpha=0.2, linewidth=0)
        even = evens[batch]
        if even is not None:
            axes.axvline(100 * even, color="#0072B2", linewidth=0.8, linestyle=":")
        weights_axis(axes, table["percent"], PAPER_TICKS)
        axes.set_yscale("log")
        axes.set_title(f"{batch} image{'s' * (batch > 1)} a call")
    panels[0][0].set_ylabel("microseconds an image")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4)
    below = "One thread. Medians and quartiles; dotted: from here on down no slower than the best dense one in float32."
    write_below(figure, told, below)
    return figure
