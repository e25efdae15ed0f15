"""Criteria by cases small enough to see; scores that need images against finite differences."""

import numpy as np
import pytest
import torch

from lottery.arms.operations import prune, scores_of_weights
from lottery.arrays import of_member, stack
from lottery.networks import build
from lottery.pruning.criteria import CRITERIA
from lottery.settings import Training
from lottery.training import torch_engine
from lottery.training.scores import sensitivity

INITIAL = np.array([0.1, -0.2, 0.3, -0.4, 0.5, 0.6], np.float32)
TRAINED = np.array([0.2, -0.1, -0.9, -0.5, 0.55, 0.0], np.float32)

KEPT = {
    "magnitude": [2, 4],
    "initial-magnitude": [4, 5],
    "magnitude-increase": [0, 2],
    "movement": [2, 5],
    # Ranks by magnitude before: 1 2 3 4 5 6, after: 3 2 6 4 5 1.
    "both-large": [3, 4],
    "same-sign": [3, 4],
}
"""The two of six weights that each criterion keeps."""


def test_every_criterion_of_weights_has_a_case():
    assert set(KEPT) == {name for name, criterion in CRITERIA.items() if criterion.score} - {"random"}


@pytest.mark.parametrize("name", KEPT)
def test_a_criterion_keeps(name):
    random = np.random.default_rng(0)
    scores = scores_of_weights(CRITERIA[name].score, {"w": TRAINED}, {"w": INITIAL}, None, ["w"], random)
    mask = prune(scores, None, {("w",): 2})
    assert np.flatnonzero(mask["w"]).tolist() == KEPT[name]


@pytest.mark.parametrize("name", [*KEPT, "random"])
def test_what_was_pruned_before_stays_pruned(name):
    before = {"w": np.array([1, 1, 0, 1, 0, 1], np.uint8)}
    random = np.random.default_rng(0)
    trained = {"w": np.where(before["w"], TRAINED, np.float32(0))}
    scores = scores_of_weights(CRITERIA[name].score, trained, {"w": INITIAL}, before, ["w"], random)
    mask = prune(scores, before, {("w",): 3})
    assert mask["w"].sum() == 3
    assert not (mask["w"] > before["w"]).any()


def test_random_scores_differ_between_layers_and_replicates():
    arrays = {"a": TRAINED, "b": TRAINED}
    first, second = (
        scores_of_weights(CRITERIA["random"].score, arrays, arrays, None, ["a", "b"], np.random.default_rng(seed))
        for seed in (0, 1)
    )
    assert not (first["a"] == first["b"]).any()
    assert not (first["a"] == second["a"]).any()


@pytest.mark.parametrize("pruned", [False, True])
def test_sensitivity_is_what_finite_differences_give(small_split, pruned):
    torch.manual_seed(0)
    network, recipe = build("lenet-7-5", (20,), 4), Training(precision="float64")
    random = np.random.default_rng(0)
    weights = network.initial(random)
    mask = {name: (random.random(weights[name].shape) < 0.6).astype(np.uint8) for name in network.weight_names()}
    if pruned:
        weights |= {name: weights[name] * kept for name, kept in mask.items()}
    (images,) = torch_engine.resident([small_split], recipe)
    rows = np.array([5, 3, 250, 17, 90])
    found = of_member(
        sensitivity(network, stack([weights]), stack([mask]) if pruned else None, images, rows, recipe), 0
    )
    pixels, labels = small_split.train.pixels[rows] / 255, small_split.train.labels[rows]

    def loss(arrays) -> float:
        values = pixels
        for layer in network.layers:
            values = values @ arrays[layer.weight_name].astype(float).T + arrays[layer.bias_name]
            values = np.maximum(values, 0) if layer.role != "output" else values
        shifted = values - values.max(1, keepdims=True)
        return float(np.mean(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]))

    step = 1e-6
    for name in network.weight_names():
        for place in list(np.ndindex(weights[name].shape))[::11]:
            moved = []
            for sign in (1, -1):
                arrays = {key: values.astype(float) for key, values in weights.items()}
                arrays[name][place] += sign * step
                moved.append(loss(arrays))
            slope = (moved[0] - moved[1]) / (2 * step)
            assert found[name][place] == pytest.approx(abs(weights[name][place] * slope), rel=1e-4, abs=1e-9)
