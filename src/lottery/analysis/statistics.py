"""Means over a few paired replicates: interval, test, effect size, and the correction for many tests.

`docs/statistics.md` says why these, and how often they are wrong.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special, stats

CONFIDENCE = 0.95
SIGNIFICANCE = 1 - CONFIDENCE


@dataclass(frozen=True)
class Estimate:
    """A mean over n replicates, of their differences or, as a geometric mean, of their ratios.

    center, sd: mean and standard deviation of the values (of ratios: of their logarithms). With n of 1 nothing is known
    of the spread, and all that rests on it is NaN.
    """

    center: float
    sd: float
    n: int
    of_ratios: bool = False

    @property
    def mean(self) -> float:
        """The mean, in the values' own unit."""
        return self._value(self.center)

    @property
    def low(self) -> float:
        """Lower end of the 95% interval."""
        return self._value(self.center - self._half_width)

    @property
    def high(self) -> float:
        """Upper end of the 95% interval."""
        return self._value(self.center + self._half_width)

    @property
    def effect_size(self) -> float:
        """Hedges' g of paired values: the mean in standard deviations, from no difference (a ratio of 1).

        Corrected for small samples (Hedges 1981), which is possible from n of 3. NaN where all replicates are alike.
        """
        if self.n < 3 or self.sd == 0:
            return math.nan
        return self.center / self.sd * (1 - 3 / (4 * (self.n - 1) - 1))

    def p_above(self, bound: float) -> float:
        """Student's one-sided p: how likely a mean as far above a bound is, when the truth is not above it."""
        return float(special.stdtr(self.n - 1, -self._t(bound)))

    def p_below(self, bound: float) -> float:
        """The same for a mean below a bound."""
        return float(special.stdtr(self.n - 1, self._t(bound)))

    def p_same(self, other: float, trials: int) -> float:
        """The two-sided p of a mean as far from another one, of so many trials with our spread, when both are of the
        same truth (Student's t test of two samples, its spread taken from ours).

        NaN for one replicate, and where our replicates are all alike.
        """
        if self.n < 2 or not self.sd > 0:
            return math.nan
        distance = self.center - (math.log(other) if self.of_ratios else other)
        t = abs(distance) / self.sd / math.sqrt(1 / self.n + 1 / trials)
        return float(2 * special.stdtr(self.n - 1, -t))

    def _t(self, bound: float) -> float:
        distance = self.center - (math.log(bound) if self.of_ratios else bound)
        if self.n < 2:
            return math.nan
        if self.sd == 0:
            return math.copysign(math.inf, distance) if distance else 0.0
        return distance / self.sd * math.sqrt(self.n)

    @property
    def _half_width(self) -> float:
        if self.n < 2:
            return math.nan
        return float(special.stdtrit(self.n - 1, (1 + CONFIDENCE) / 2)) * self.sd / math.sqrt(self.n)

    def _value(self, on_scale: float) -> float:
        if not self.of_ratios:
            return on_scale
        with np.errstate(over="ignore"):  # an interval of few, far apart, may end beyond all numbers
            return float(np.exp(on_scale))


def mean_estimate(values: ArrayLike) -> Estimate:
    """The mean of one value for each replicate."""
    sample = np.asarray(values, dtype=float)
    sd = float(sample.std(ddof=1)) if sample.size > 1 else math.nan
    return Estimate(float(sample.mean()), sd, sample.size)


def ratio_estimate(ratios: ArrayLike) -> Estimate:
    """The geometric mean of one positive ratio for each replicate: a ratio and its inverse say the same."""
    logs = mean_estimate(np.log(np.asarray(ratios, dtype=float)))
    return Estimate(logs.center, logs.sd, logs.n, of_ratios=True)


def corrected(p: ArrayLike, *, any_dependence: bool = False) -> np.ndarray:
    """P values corrected for their number: at most 5% of what they find is false, on average.

    Benjamini & Hochberg (1995), for tests that are independent or depend on each other positively; Benjamini &
    Yekutieli (2001), for any dependence. NaN stands for no test and is not counted.
    """
    values = np.array(p, dtype=float)
    tested = ~np.isnan(values)
    if tested.any():
        values[tested] = stats.false_discovery_control(values[tested], method="by" if any_dependence else "bh")
    return values
