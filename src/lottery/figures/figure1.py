"""Figure 1: winning tickets against random sparse networks."""

import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.by_size import measures_by_size


def figure1(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Early-stop iteration and test accuracy at it, logarithmic axis."""
    measures = ["early_stop_iteration", "test_accuracy_at_early_stop"]
    return measures_by_size(levels, ["iterative", "random"], measures, log=True)
