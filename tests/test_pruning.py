"""Pruning: exact counts, ties by index, masks nested, the paper's ladders; known bugs of other systems are caught."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lottery.errors import LotteryError
from lottery.networks import build
from lottery.pruning.allocation import dense_counts, ladder, linear_ladder, remaining
from lottery.pruning.criteria import magnitude
from lottery.pruning.selection import keep_largest
from lottery.settings import Pruning
from lottery.tickets import prune

LENET = build("lenet-300-100", 784, 10)

# Percent of weights remaining after each pruning of LeNet: the ladder behind the ticks of the paper's figures.
PAPER_LADDER = {
    **dict(enumerate([100, 80.04, 64.06, 51.28, 41.05, 32.87, 26.32, 21.07, 16.88, 13.52, 10.83, 8.68, 6.95, 5.57])),
    14: 4.47,
    15: 3.58,
    16: 2.87,
    18: 1.85,
    19: 1.49,
    21: 0.96,
    24: 0.50,
    27: 0.26,
    28: 0.21,
}


@pytest.mark.parametrize(("level", "percent"), list(PAPER_LADDER.items()))
def test_ladder_is_the_papers(level, percent):
    assert 100 * remaining(LENET, ladder(LENET, Pruning(), level)) == pytest.approx(percent, abs=0.01)


@pytest.mark.parametrize(("level", "percent"), list(enumerate([100, 87.5, 75.0, 62.6, 50.1, 37.6, 25.1, 12.7])))
def test_linear_ladder_has_the_ticks_of_figure_4c(level, percent):
    assert 100 * remaining(LENET, linear_ladder(LENET, Pruning(), level)) == pytest.approx(percent, abs=0.06)


@pytest.mark.parametrize(("amount", "percent"), [(0.05, 95.0), (0.325, 67.5), (0.825, 17.6), (0.95, 5.17)])
def test_linear_ladder_has_the_sizes_of_the_text(amount, percent):
    counts = linear_ladder(LENET, Pruning(linear_step=0.025), round(amount / 0.025))
    assert 100 * remaining(LENET, counts) == pytest.approx(percent, abs=0.065)


def test_a_level_that_leaves_nothing_is_an_error():
    with pytest.raises(LotteryError, match="leaves no weight"):
        linear_ladder(LENET, Pruning(), 8)


@st.composite
def scores_mask_count(draw):
    shape = draw(array_shapes(max_dims=3, max_side=8))
    # Few distinct values, both signs and both zeros, so that ties are common.
    scores = draw(arrays(np.float32, shape, elements=st.sampled_from([-2, -1, -0.0, 0.0, 1, 2, 3.5])))
    mask = draw(arrays(np.uint8, shape, elements=st.integers(0, 1)))
    return scores, mask, draw(st.integers(0, int(mask.sum())))


@given(scores_mask_count())
@settings(max_examples=300, deadline=None)
def test_exactly_the_largest_are_kept(case):
    scores, mask, count = case
    kept = keep_largest(scores, mask, count)
    assert kept.dtype == np.uint8
    assert kept.sum() == count
    assert not (kept & ~mask & 1).any(), "nested"
    # By hand: survivors in order of falling score, equal scores in order of index.
    survivors = [index for index in range(mask.size) if mask.flat[index]]
    best = sorted(survivors, key=lambda index: (-scores.flat[index], index))[:count]
    assert sorted(best) == list(np.flatnonzero(kept))


def test_more_than_there_are_cannot_be_kept():
    with pytest.raises(LotteryError, match="cannot keep 3 of 2"):
        keep_largest(np.ones(4), np.array([1, 0, 1, 0], np.uint8), 3)


def test_diverged_weights_are_not_pruned():
    with pytest.raises(LotteryError, match="not a number"):
        keep_largest(np.array([1.0, np.nan]), np.ones(2, np.uint8), 1)
    pruned_nan = keep_largest(np.array([1.0, np.nan]), np.array([1, 0], np.uint8), 1)
    assert pruned_nan.tolist() == [1, 0], "what is pruned already has no score"


def trained_weights(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        layer.weight_name: random.standard_normal((layer.outputs, layer.inputs), dtype=np.float32)
        for layer in LENET.layers
    }


def test_iterative_masks_are_nested_and_exact_down_to_the_last_level():
    mask = None
    for level in range(1, 29):
        counts = ladder(LENET, Pruning(), level)
        smaller = prune(trained_weights(level), mask, counts)
        assert {name: int(layer.sum()) for name, layer in smaller.items()} == counts
        if mask is not None:
            assert all(((smaller[name] == 1) <= (mask[name] == 1)).all() for name in counts)
        mask = smaller


def keep_signed(scores, mask, count):
    """Bug of rahulvigneswaran: the sign counts, so large negative weights go first."""
    return keep_largest(np.where(mask, scores, 0), mask, count)


def keep_above_threshold(scores, mask, count):
    """Bug of open_lth and of Google's code: keeps what lies strictly above a threshold, short by one and by ties."""
    survivors = np.sort(scores[mask == 1])
    threshold = survivors[survivors.size - count] if count else np.inf
    return ((scores > threshold) & (mask == 1)).astype(np.uint8)


def keep_all_ties(scores, mask, count):
    """Bug of a threshold with >=: every tie stays."""
    threshold = np.sort(scores[mask == 1])[-count]
    return ((scores >= threshold) & (mask == 1)).astype(np.uint8)


def test_known_bugs_would_be_seen():
    mask = np.ones(6, np.uint8)
    weights = np.array([-5.0, 0.1, 0.2, 3.0, -3.0, 0.3])
    right = keep_largest(magnitude(weights), mask, 2)
    assert right.tolist() == [1, 0, 0, 1, 0, 0], "the largest magnitudes; of the tie 3 and -3 the lower index"
    assert keep_signed(weights, mask, 2).tolist() != right.tolist()
    assert keep_above_threshold(magnitude(weights), mask, 2).sum() != 2
    assert keep_all_ties(magnitude(weights), mask, 2).sum() != 2


def test_dense_counts():
    assert sum(dense_counts(LENET).values()) == 266_200
