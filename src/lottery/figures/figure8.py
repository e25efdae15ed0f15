"""Figure 8: tickets of ResNet-20, which the paper calls Resnet-18, at three moments of training."""

import pandas as pd
from matplotlib.figure import Figure

from lottery.figures.moments import Moments, accuracy_by_size

PAPER = Moments((10_000, 20_000, 30_000), 30_000, [100, 64.4, 41.7, 27.1, 17.8, 11.8, 8.0, 5.5])


def figure8(levels: pd.DataFrame, curves: pd.DataFrame) -> Figure:
    """Test accuracy at each moment, a line for each recipe and arm, logarithmic axis."""
    return accuracy_by_size(levels, curves, PAPER)
