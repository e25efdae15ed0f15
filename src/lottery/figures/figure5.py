"""Figure 5: early stop and accuracy of tickets of convolutional networks, and of the same masks reinitialised."""

import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.by_size import measures_by_size


def figure5(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Four measures, a row for each network, logarithmic axis."""
    return measures_by_size(levels, ["iterative", "iterative-reinit"], MEASURES, log=True, ticks=TICKS, windows={})


MEASURES = [
    "early_stop_iteration",
    "test_accuracy_at_early_stop",
    "train_accuracy_at_early_stop",
    "test_accuracy_final",
]

TICKS = [100, 51.4, 26.5, 13.7, 7.1, 3.7, 1.9, 1.0]
"""Percent of weights remaining that the paper prints."""
