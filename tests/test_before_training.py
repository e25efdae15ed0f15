"""Pruning before training: scores against independent computations, and its arms with their controls in a real run."""

from pathlib import Path

import numpy as np
import pytest
from conftest import experiment, made_by_verbs

from lottery.arms.operations import prune
from lottery.arrays import of_member, read_arrays, stack
from lottery.evidence.verification import verify
from lottery.networks import build
from lottery.pruning.allocation import ladder
from lottery.settings import Pruning, Training
from lottery.training import torch_engine
from lottery.training.before_training import STEPS, TEMPERATURE, gradient_flow, shares_of_flow, synaptic_flow

NETWORK = build("lenet-7-5", (20,), 4)
LAYERS = NETWORK.weight_names()
RECIPE = Training()


def some_mask(random: np.random.Generator) -> dict[str, np.ndarray]:
    return {name: (random.random(NETWORK.shapes()[name]) < 0.6).astype(np.uint8) for name in LAYERS}


def gradients(arrays, pixels, labels):
    """Backpropagation by hand: of the mean cross-entropy of outputs / TEMPERATURE, by each weight array."""
    values = [pixels]
    for number, name in enumerate(LAYERS):
        sums = values[-1] @ arrays[name].T + arrays[name.replace("weight", "bias")]
        values.append(np.maximum(sums, 0) if number < len(LAYERS) - 1 else sums / TEMPERATURE)
    shares = np.exp(values[-1] - values[-1].max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    delta = (shares - np.eye(shares.shape[1])[labels]) / len(labels) / TEMPERATURE
    found = {}
    for number, name in reversed(list(enumerate(LAYERS))):
        found[name] = delta.T @ values[number]
        delta = (delta @ arrays[name]) * (values[number] > 0)
    return found


@pytest.mark.parametrize("pruned", [False, True])
def test_gradient_flow_is_the_difference_of_two_gradients_along_the_gradient(small_split, pruned):
    random = np.random.default_rng(3)
    weights = NETWORK.initial(random)
    mask = some_mask(random)
    kept = mask if pruned else {name: np.ones_like(values) for name, values in mask.items()}
    weights |= {name: weights[name] * kept[name] for name in LAYERS}
    (images,) = torch_engine.resident([small_split], RECIPE)
    rows = random.permutation(300)[:230]  # more than are computed at once, and not a multiple of it
    found = of_member(
        gradient_flow(NETWORK, stack([weights]), stack([mask]) if pruned else None, images, rows, RECIPE), 0
    )
    pixels, labels = small_split.train.pixels[rows] / 255, small_split.train.labels[rows]
    exact = {name: values.astype(float) for name, values in weights.items()}
    along = {name: values * kept[name] for name, values in gradients(exact, pixels, labels).items()}
    step = 1e-7 / max(np.abs(values).max() for values in along.values())
    ahead, behind = (
        gradients(exact | {name: exact[name] + sign * step * along[name] for name in LAYERS}, pixels, labels)
        for sign in (1, -1)
    )
    for name in LAYERS:
        expected = exact[name] * (ahead[name] - behind[name]) / (2 * step)
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
        assert (np.sign(found[name][kept[name] == 1]) != 0).any()


def flows(sizes):
    """The share of the flow of each weight, from products of the matrices of sizes."""
    into, out = np.ones(sizes[LAYERS[0]].shape[1]), [np.ones(len(sizes[LAYERS[-1]]))]
    for name in LAYERS[:0:-1]:
        out.append(out[-1] @ sizes[name])
    shares = {}
    for name, after in zip(LAYERS, out[::-1], strict=True):
        shares[name] = after[:, None] * sizes[name] * into
        into = sizes[name] @ into
    total = into.sum()
    return {name: each / total for name, each in shares.items()} if total else shares


def test_shares_of_the_flow_are_products_of_matrices():
    random = np.random.default_rng(4)
    weights, mask = NETWORK.initial(random), some_mask(random)
    found = of_member(shares_of_flow(NETWORK, stack([weights]), stack([mask]), RECIPE), 0)
    expected = flows({name: np.abs(weights[name].astype(float)) * mask[name] for name in LAYERS})
    for name in LAYERS:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)
        assert found[name].sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("name", ["conv-2", "resnet-20"])
def test_all_of_the_flow_goes_through_each_layer_of_images(name):
    network = build(name, (3, 8, 8), 10)
    weights = network.initial(np.random.default_rng(5))
    recipe = Training(input_scaling="standardised", augmentation="flip-and-crop")
    whole = {each: np.ones((1, *network.shapes()[each]), np.uint8) for each in network.weight_names()}
    found = shares_of_flow(network, stack([weights]), whole, recipe)
    layers = [layer for layer in network.layers if "block" not in layer.name]  # beside a block's there is a shortcut
    assert len(layers) > 1
    for layer in layers:
        assert found[layer.weight_name].sum() == pytest.approx(1, rel=1e-9), layer.name
    assert not weights["output.bias"].any()


def test_no_flow_is_shared_where_no_path_is_left():
    weights = stack([NETWORK.initial(np.random.default_rng(0))])
    mask = {name: np.ones((1, *NETWORK.shapes()[name]), np.uint8) for name in LAYERS} | {
        LAYERS[1]: np.zeros((1, 5, 7), np.uint8)
    }
    assert not any(values.any() for values in shares_of_flow(NETWORK, weights, mask, RECIPE).values())


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("inverted", [False, True])
def test_synaptic_flow_prunes_in_a_hundred_steps(scope, inverted):
    """As a loop of its own, over one array of all weights that compete, does."""
    weights = NETWORK.initial(np.random.default_rng(6))
    counts = ladder(NETWORK, Pruning(scope=scope), 7)
    scores = of_member(
        synaptic_flow(NETWORK, stack([weights]), None, counts, RECIPE, inverted=inverted),
        0,
    )
    found = prune({name: -values for name, values in scores.items()} if inverted else scores, None, counts)
    left = {name: np.ones(weights[name].shape) for name in LAYERS}
    for step in range(1, STEPS + 1):
        shares = flows({name: np.abs(weights[name].astype(float)) * left[name] for name in LAYERS})
        for group, count in counts.items():
            size = sum(weights[name].size for name in group)
            kept = np.floor(size * (count / size) ** (step / STEPS) + 0.5) if step < STEPS else count
            order = np.concatenate([shares[name].ravel() for name in group]) * (-1 if inverted else 1)
            alive = np.concatenate([left[name].ravel() for name in group]) > 0
            best = np.argsort(-np.where(alive, order, -np.inf), kind="stable")[: int(kept)]
            flat = np.zeros(size)
            flat[best] = 1
            ends = np.cumsum([weights[name].size for name in group])[:-1]
            for name, part in zip(group, np.split(flat, ends), strict=True):
                left[name] = part.reshape(weights[name].shape)
    for name in LAYERS:
        assert (found[name] == left[name]).all(), name


METHODS = ("snip", "grasp", "synflow", "initial-magnitude")


@pytest.fixture(scope="module")
def run(mnist, tmp_path_factory) -> Path:
    names = [f"{method}{control}" for method in METHODS for control in ("", "-shuffled", "-reinit", "-inverted")]
    arms = [{"arm": name, "levels": [6]} for name in [*names, "initial-random"]]
    values = experiment(pruning={"scope": "global"}, levels=6, replicates=2, replicates_per_job=2, arms=arms)
    config = {"run": "before", "run_experiments": ["e"], "experiments": {"e": values}}
    return made_by_verbs(tmp_path_factory.mktemp("before") / "results", mnist, seed=0, figures=[], **config)


def arrays(run: Path, file: str):
    return read_arrays(run / "e/r0-1" / f"{file}.safetensors")


def test_verified(run):
    assert list(verify(run, run.parent / "data")) == []


@pytest.mark.parametrize("method", METHODS)
def test_controls_keep_what_they_must_and_change_the_rest(run, method):
    initial = arrays(run, "dense/level0/start")
    mask, shuffled, reinit, inverted = (
        arrays(run, f"{method}{control}/level6/mask") for control in ("", "-shuffled", "-reinit", "-inverted")
    )
    fresh = arrays(run, f"{method}-reinit/level6/start")
    kept = [sum(int(values[member].sum()) for values in mask.values()) for member in range(2)]
    assert len(set(kept)) == 1
    for name, values in mask.items():
        for member in range(2):
            assert values[member].sum() == shuffled[name][member].sum()
        assert (reinit[name] == values).all()
        both = int((inverted[name] & values).sum())
        # What SynFlow's later steps find depends on what the earlier ones took.
        assert both == 0 if method != "synflow" else both < values.sum(), "the least and the greatest of a quarter each"
        assert (fresh[name][values == 1] != initial[name][values == 1]).all()
        for arm in (method, f"{method}-shuffled", f"{method}-inverted"):
            own, start = arrays(run, f"{arm}/level6/mask"), arrays(run, f"{arm}/level6/start")
            assert (start[name] == initial[name] * own[name]).all()
    assert any((shuffled[name] != values).any() for name, values in mask.items())


def test_methods_keep_different_weights_of_the_same_number(run):
    masks = {name: arrays(run, f"{name}/level6/mask") for name in [*METHODS, "initial-random"]}
    assert len({sum(int(values.sum()) for values in each.values()) for each in masks.values()}) == 1
    assert len({each["fc1.weight"].tobytes() for each in masks.values()}) == len(masks)


def test_random_scores_take_the_same_share_of_each_layer(run):
    mask = arrays(run, "initial-random/level6/mask")
    for name, values in mask.items():
        share = 0.8**6
        assert values.mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / values.size)), name
