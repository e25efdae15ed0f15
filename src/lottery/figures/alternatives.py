"""Figures 9, 17, 18 and 25: other ways to find a ticket and to start it, against the weights remaining."""

import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.by_size import measures_by_size

BY_TEST = ["early_stop_iteration", "test_accuracy_at_early_stop"]


def figure9(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Weights set back after every pruning, or once after all of them."""
    measures = ["early_stop_iteration", "validation_accuracy_at_early_stop"]
    return measures_by_size(levels, ["iterative", "continued"], measures, log=True)


def figure17(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Reinitialised from the initialiser, and from the ticket's own initial values."""
    return measures_by_size(levels, ["iterative", "iterative-reinit", "own-values"], BY_TEST, log=True)


def figure18(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Masks from trained and from initial magnitudes."""
    return measures_by_size(levels, ["iterative", "iterative-reinit", "initial-magnitude"], BY_TEST, log=True)


def figure25(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Noise of several sizes added to the ticket's initial weights."""
    noisy = ["noise-0.5", "noise-1", "noise-2", "noise-3"]
    return measures_by_size(levels, ["iterative", *noisy, "iterative-reinit"], BY_TEST, log=True)
