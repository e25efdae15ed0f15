"""Figures 12 and 14: accuracies at the end of training."""

import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.by_size import measures_by_size
from lottery.figures.figure4 import ARMS


def figure12(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Training accuracy after the last iteration, arms as in Figure 4, logarithmic axis."""
    return measures_by_size(levels, ARMS, ["train_accuracy_final"], log=True)


def figure14(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Test accuracy after the last iteration: initialised as found, reinitialised, at random places."""
    return measures_by_size(levels, ["iterative", "iterative-reinit", "random"], ["test_accuracy_final"], log=True)
