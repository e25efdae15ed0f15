"""Pruning: exact counts, ties by index, masks nested, the paper's ladders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lottery.arms.operations import prune, scores_of_weights
from lottery.errors import LotteryError
from lottery.networks import build
from lottery.pruning.allocation import dense_counts, ladder, linear_ladder, remaining
from lottery.pruning.criteria import magnitude
from lottery.pruning.selection import keep_largest
from lottery.settings import Pruning

LENET = build("lenet-300-100", (28, 28), 10)


def magnitudes(weights: dict[str, np.ndarray], mask: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """The paper's criterion, of every weight."""
    names = [name for name in weights if name.endswith("weight")]
    return scores_of_weights(magnitude, weights, weights, mask, names, np.random.default_rng())


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


CONV_LADDERS = {
    ("conv-2", 0.1): {1: 80.10, 2: 64.16, 5: 33.02, 7: 21.23, 10: 10.97, 15: 3.68, 18: 1.93, 21: 1.02},
    ("conv-4", 0.1): {1: 81.08, 2: 65.84, 5: 35.61, 7: 23.88, 10: 13.35, 15: 5.37, 18: 3.23, 27: 0.84},
    ("conv-6", 0.15): {1: 82.54, 2: 68.20, 5: 38.67, 7: 26.61, 10: 15.29, 15: 6.18, 18: 3.62, 27: 0.75},
}


@pytest.mark.parametrize(("name", "rate"), CONV_LADDERS)
def test_ladders_of_convolutional_networks_are_the_papers(name, rate):
    network = build(name, (3, 32, 32), 10)
    for level, percent in CONV_LADDERS[name, rate].items():
        counts = ladder(network, Pruning(conv_rate=rate), level)
        assert 100 * remaining(network, counts) == pytest.approx(percent, abs=0.01)


GLOBAL_LADDERS = {
    "resnet-20": {1: 80.24, 2: 64.43, 4: 41.66, 6: 27.09, 8: 17.76, 10: 11.79, 12: 7.97, 15: 4.66},
    "vgg-19": {1: 80.01, 4: 40.98, 8: 16.80, 12: 6.90, 16: 2.84, 19: 1.47, 24: 0.50, 28: 0.22, 32: 0.10},
}


@pytest.mark.parametrize("name", GLOBAL_LADDERS)
def test_ladders_of_global_pruning_are_the_papers(name):
    network = build(name, (3, 32, 32), 10)
    spared = ["shortcut", "output"] if name == "resnet-20" else ["output"]
    for level, percent in GLOBAL_LADDERS[name].items():
        counts = ladder(network, Pruning(scope="global", excluded_layers=spared), level)
        assert 100 * remaining(network, counts) == pytest.approx(percent, abs=0.01)
    groups = sorted(len(group) for group in counts)
    assert groups == ([1, 1, 1, 19] if name == "resnet-20" else [1, 16])


def test_global_pruning_keeps_the_largest_of_all_layers_together():
    weights = {"fc1.weight": np.array([[3.0, -1.0], [0.5, 2.0]]), "output.weight": np.array([[-2.5, 1.0]])}
    masks = prune(magnitudes(weights), None, {("fc1.weight", "output.weight"): 4})
    assert {name: kept.tolist() for name, kept in masks.items()} == {
        "fc1.weight": [[1, 1], [0, 1]],
        "output.weight": [[1, 0]],
    }, "of the two 1.0 the earlier layer's stays"


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
        smaller = prune(magnitudes(trained_weights(level), mask), mask, counts)
        assert {(name,): int(layer.sum()) for name, layer in smaller.items()} == counts
        if mask is not None:
            assert all(((smaller[name] == 1) <= (mask[name] == 1)).all() for name in smaller)
        mask = smaller


def test_of_equal_magnitudes_the_lower_index_stays():
    scores = magnitudes({"weight": np.array([-5.0, 0.1, 0.2, 3.0, -3.0, 0.3])})
    kept = keep_largest(scores["weight"], np.ones(6, np.uint8), 2)
    assert kept.tolist() == [1, 0, 0, 1, 0, 0]


def test_pruning_removes_the_smallest_magnitudes_of_each_layer_and_no_bias():
    trained = LENET.initial(np.random.default_rng(0))
    counts = ladder(LENET, Pruning(), 1)
    mask = prune(magnitudes(trained), None, counts)
    assert list(mask) == LENET.weight_names()
    for name, kept in mask.items():
        assert kept.sum() == counts[(name,)]
        assert np.abs(trained[name][kept == 1]).min() >= np.abs(trained[name][kept == 0]).max()


def test_dense_counts():
    assert sum(dense_counts(LENET, Pruning()).values()) == 266_200
