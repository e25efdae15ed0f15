"""Optimisers."""

# mypy: disable-error-code="no-untyped-def"

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray


class Rule(NamedTuple):
    """An update rule, its numbers in the precision of the weights."""

    adam: bool
    keep_first: np.floating  # share of the first moment that stays: beta 1, or the momentum
    add_first: np.floating  # 1 - beta 1
    keep_second: np.floating  # beta 2
    add_second: np.floating  # 1 - beta 2
    epsilon: np.floating
    rate: NDArray  # float [steps], step size, for Adam divided by the first moment's bias correction
    scale: NDArray  # float [steps], 1 / sqrt of the second moment's bias correction


@njit(cache=True, nogil=True)
def keep(gradient, mask):
    """Set the gradients of pruned weights to 0."""
    for place in range(gradient.size):
        gradient[place] *= mask[place]


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def update(weight, gradient, first, second, rule, step):
    """One step of Adam or of momentum. A weight of 0 whose gradient is always 0 stays 0: so do its moments."""
    rate, scale = rule.rate[step], rule.scale[step]
    if rule.adam:
        for place in range(weight.size):
            slope = gradient[place]
            first[place] = rule.keep_first * first[place] + rule.add_first * slope
            second[place] = rule.keep_second * second[place] + rule.add_second * slope * slope
            weight[place] -= rate * first[place] / (math.sqrt(second[place]) * scale + rule.epsilon)
    else:
        for place in range(weight.size):
            first[place] = rule.keep_first * first[place] + gradient[place]
            weight[place] -= rate * first[place]
