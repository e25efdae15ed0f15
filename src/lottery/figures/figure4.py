"""Figure 4: early stop and accuracy of tickets, found by iterative and one-shot pruning, and of their controls."""

import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.by_size import measures_by_size

LEAST_OF_4C = 0.05
"""The smallest size that the paper speaks of there is 5.17%."""

ARMS = ["iterative", "iterative-reinit", "one-shot", "one-shot-reinit"]


def figure4a(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Early-stop iteration, test and training accuracy at early stop, all four arms, logarithmic axis."""
    measures = ["early_stop_iteration", "test_accuracy_at_early_stop", "train_accuracy_at_early_stop"]
    return measures_by_size(levels, ARMS, measures, log=True)


def figure4b(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Test accuracy after the last iteration, all four arms, logarithmic axis."""
    return measures_by_size(levels, ARMS, ["test_accuracy_final"], log=True)


def figure4c(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Early-stop iteration and test accuracy at it, one-shot arms of 5% of the weights or more, linear axis."""
    levels = levels[levels["weights_remaining"] > LEAST_OF_4C]
    return measures_by_size(levels, ARMS[2:], ["early_stop_iteration", "test_accuracy_at_early_stop"], log=False)
