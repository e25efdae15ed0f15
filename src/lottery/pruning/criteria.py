"""What scores: arrays of weights to arrays of scores; the weights with the largest scores are kept."""

import numpy as np
from numpy.typing import NDArray


def magnitude(weights: NDArray) -> NDArray:
    """|w|, whatever the sign: the paper's criterion."""
    return np.abs(weights)
