"""Figure 7: tickets of VGG-19 at three moments of training."""

import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.moments import Moments, accuracy_by_size

PAPER = Moments((30_000, 60_000, 112_480), 112_480, [100, 41.0, 16.8, 6.9, 2.8, 1.2, 0.5, 0.2, 0.1])
"""The paper calls the last one 112K."""


def figure7(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Test accuracy at each moment, a line for each recipe and arm, logarithmic axis."""
    return accuracy_by_size(levels, curves, PAPER)
