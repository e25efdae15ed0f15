"""Intervals, tests and corrections on simulated data of known truth; the numbers are those of docs/statistics.md."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lottery.analysis.claim import Range
from lottery.analysis.statistics import SIGNIFICANCE, corrected, mean_estimate, ratio_estimate

SETS = 4000
"""Simulated experiments; a share near 0.95 is told to within 0.007 by 95 of 100 such simulations."""


def test_interval_is_students():
    # By hand: mean 2, standard deviation 1, t(0.975, 2) = 4.3027, half width 4.3027 / sqrt(3).
    estimate = mean_estimate([1, 2, 3])
    assert (estimate.mean, estimate.n) == (2, 3)
    assert estimate.high - 2 == pytest.approx(2.48414, abs=1e-4)
    assert 2 - estimate.low == pytest.approx(2.48414, abs=1e-4)


def test_effect_size_is_hedges():
    # By hand: mean 2, standard deviation 1; the correction for n = 3 is 1 - 3 / 7.
    assert mean_estimate([1, 2, 3]).effect_size == pytest.approx(2 * 4 / 7)
    assert ratio_estimate(np.exp([1, 2, 3])).effect_size == pytest.approx(2 * 4 / 7)
    assert math.isnan(mean_estimate([2, 2, 2]).effect_size)
    assert math.isnan(mean_estimate([1, 2]).effect_size)


NORMAL = [(n, lambda random, n: random.normal(3, 2, n), 3.0) for n in (2, 3, 5)]
COUNTS = [(n, lambda random, n: random.binomial(10_000, 0.02, n) / 100, 2.0) for n in (3, 5)]
"""Percent of 10,000 images wrong, which is what an accuracy is made of."""
SKEWED = [(n, lambda random, n: np.exp(random.normal(0, 0.5, n)), math.exp(0.125)) for n in (3, 5)]
"""A distribution with a long tail, as early stops have."""


@pytest.mark.parametrize(("n", "draw", "truth"), NORMAL + COUNTS, ids=lambda value: value if type(value) is int else "")
def test_interval_covers_the_truth_95_times_in_100(n, draw, truth):
    assert coverage(lambda values: interval(mean_estimate(values)), n, draw, truth) == pytest.approx(0.95, abs=0.012)


@pytest.mark.parametrize("n", [3, 5])
def test_a_ratios_interval_covers_the_truth_where_a_mean_of_ratios_would_not(n):
    def draw(random: np.random.Generator, size: int) -> np.ndarray:
        return np.exp(random.normal(math.log(0.6), 0.5, size))

    ratios = coverage(lambda values: interval(ratio_estimate(values)), n, draw, 0.6)
    assert ratios == pytest.approx(0.95, abs=0.012)
    plain = coverage(lambda values: interval(mean_estimate(values)), *SKEWED[n == 5])
    assert plain < ratios - 0.02


@pytest.mark.parametrize(("n", "share"), [(3, 0.75), (5, 0.83)])
def test_a_bootstrap_would_be_too_narrow(n, share):
    def bootstrap(values: np.ndarray) -> tuple[float, float]:
        means = values[np.random.default_rng(0).integers(0, n, (1000, n))].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        return float(low), float(high)

    assert coverage(bootstrap, *NORMAL[[3, 5].index(n) + 1]) == pytest.approx(share, abs=0.03)


@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=6))
@settings(deadline=None)
def test_ratios_turned_over_give_the_interval_turned_over(ratios):
    there, back = ratio_estimate(ratios), ratio_estimate([1 / ratio for ratio in ratios])
    assert there.mean == pytest.approx(1 / back.mean)
    assert there.low == pytest.approx(1 / back.high)


RANGES = [Range(above=0.5), Range(below=2), Range(above=0.5, below=2)]


@given(st.lists(st.floats(-1, 4), min_size=2, max_size=6), st.sampled_from(RANGES))
@settings(deadline=None)
def test_p_and_interval_say_the_same(values, rule):
    estimate = mean_estimate(values)
    inside = rule.above < estimate.low and estimate.high < rule.below
    outside = estimate.high < rule.above or estimate.low > rule.below
    p = rule.p(estimate)
    if abs(p - SIGNIFICANCE) > 1e-9:
        assert (p < SIGNIFICANCE) == (inside or outside)
        assert not inside or rule.holds(estimate)
        assert not outside or not rule.holds(estimate)


def test_p_against_one_bound_is_that_of_the_paired_t_test():
    values = [0.3, 0.1, 0.4, 0.2]
    for bound in (0.0, 0.2, 0.5):
        p = Range(above=bound).p(mean_estimate(values))
        assert p == pytest.approx(stats.ttest_1samp(values, bound).pvalue)


def test_equality_is_two_tests():
    """Schuirmann's: the larger of both one-sided p, here doubled as all others are."""
    values = [0.05, -0.02, 0.03, 0.01]
    above = stats.ttest_1samp(values, -0.2, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.2, alternative="less").pvalue
    assert Range(above=-0.2, below=0.2).p(mean_estimate(values)) == pytest.approx(2 * max(above, below))


def test_replicates_all_alike():
    assert Range(above=99.9).p(mean_estimate([100, 100, 100])) == 0
    assert Range(above=100).p(mean_estimate([100, 100, 100])) == 1
    assert Range(above=101).p(mean_estimate([100, 100, 100])) == 0


def test_one_replicate_has_no_p():
    assert math.isnan(Range(above=0).p(mean_estimate([1])))
    assert math.isnan(Range(above=0, below=2).p(mean_estimate([1])))


def test_correction():
    # By hand: sorted 0.01 0.02 0.03 0.5, times 4 over the rank.
    assert corrected([0.5, 0.01, math.nan, 0.03, 0.02]) == pytest.approx([0.5, 0.04, math.nan, 0.04, 0.04], nan_ok=True)
    assert corrected([]).size == 0


def test_where_nothing_differs_a_whole_table_is_rarely_wrong():
    """30 claims on data without any effect: 78% of such tables have a p below 0.05, 5% after correction."""
    random, claims = np.random.default_rng(1), 30
    wrong = {"alone": 0, "corrected": 0}
    for _ in range(1000):
        p = stats.ttest_1samp(random.normal(0, 1, (claims, 5)), 0, axis=1).pvalue
        wrong["alone"] += bool(p.min() < SIGNIFICANCE)
        wrong["corrected"] += bool(corrected(p).min() < SIGNIFICANCE)
    assert wrong["alone"] / 1000 == pytest.approx(0.78, abs=0.04)
    assert wrong["corrected"] / 1000 == pytest.approx(0.05, abs=0.02)


def test_of_what_is_found_at_most_one_in_twenty_is_false():
    """30 claims, 15 with a large effect: the share of false ones among those found."""
    random, shares = np.random.default_rng(2), []
    for _ in range(1000):
        truth = np.repeat([0.0, 3.0], 15)
        p = stats.ttest_1samp(random.normal(truth[:, None], 1, (30, 5)), 0, axis=1).pvalue
        found = corrected(p) < SIGNIFICANCE
        shares.append((found & (truth == 0)).sum() / max(1, found.sum()))
    assert np.mean(shares) < SIGNIFICANCE


@pytest.mark.parametrize("effect", [0.0, 3.0])
def test_it_holds_for_claims_that_share_a_dense_network(effect):
    """30 claims, 15 of them with the effect, half of each kind above the dense network and half below it."""
    random, shares = np.random.default_rng(4), []
    for _ in range(1000):
        truth = np.repeat([0.0, effect], 15)
        direction = np.tile([1, -1], 15)[:, None]
        measured = truth[:, None] + direction * (random.normal(0, 1, (30, 5)) - random.normal(0, 1, 5))
        found = corrected(stats.ttest_1samp(measured, 0, axis=1).pvalue) < SIGNIFICANCE
        shares.append((found & (truth == 0)).sum() / max(1, found.sum()))
    assert np.mean(shares) < SIGNIFICANCE


@pytest.mark.parametrize(("n", "effect"), [(2, 11.6), (3, 3.26), (5, 1.68), (10, 1.0)])
def test_the_effect_that_four_of_five_experiments_find(n, effect):
    """In standard deviations of a difference between paired replicates, one claim alone."""
    differences = np.random.default_rng(3).normal(effect, 1, (SETS, n))
    power = np.mean([Range(above=0).p(mean_estimate(values)) < SIGNIFICANCE for values in differences])
    assert power == pytest.approx(0.8, abs=0.025)


def interval(estimate) -> tuple[float, float]:
    return estimate.low, estimate.high


def coverage(method, n, draw, truth) -> float:
    """How often an interval of n simulated replicates holds the truth."""
    random = np.random.default_rng(0)
    held = 0
    for _ in range(SETS):
        low, high = method(draw(random, n))
        held += low < truth < high
    return held / SETS
