"""Intervals of a mean over replicates."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over n replicates with its 95% confidence interval; without bounds (NaN) when n is 1."""

    mean: float
    low: float
    high: float
    n: int


def mean_estimate(values: ArrayLike) -> Estimate:
    """Mean and Student's t interval of one value for each replicate.

    With the three to five replicates of the paper's experiments a bootstrap would be too narrow; t is exact when the
    values are normal.
    """
    sample = np.asarray(values, dtype=float)
    mean, n = float(sample.mean()), sample.size
    if n < 2:
        return Estimate(mean, np.nan, np.nan, n)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * sample.std(ddof=1) / np.sqrt(n))
    return Estimate(mean, mean - half, mean + half, n)


def ratio_estimate(ratios: ArrayLike) -> Estimate:
    """Geometric mean of positive ratios and the interval of `mean_estimate` on their logarithms."""
    logs = mean_estimate(np.log(np.asarray(ratios, dtype=float)))
    return Estimate(float(np.exp(logs.mean)), float(np.exp(logs.low)), float(np.exp(logs.high)), logs.n)
