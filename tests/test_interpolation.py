"""The error on the line between two networks, where the answer is known."""

import numpy as np
import pytest
import torch
from conftest import One, made_up_images

from lottery.arms.matching import in_order, matched_units
from lottery.arrays import Arrays
from lottery.datasets.images import Split
from lottery.errors import LotteryError
from lottery.networks import Layer, Network, build, normalized
from lottery.runs.lines import check_lines
from lottery.settings import Experiment, Training
from lottery.training import sparse_engine, torch_engine
from lottery.training.interpolation import errors_along, on_the_line, some
from lottery.training.normalization import with_statistics_anew

NETWORK = build("lenet-12-8", (20,), 4)
RECIPE = Training(engine="torch", batch_size=20, learning_rate=0.01)
POINTS = np.linspace(0, 1, 11)


def trained(split: Split, network: Network, recipe: Training, seed: int, updates: int = 60) -> Arrays:
    """A network's weights after some updates."""
    random = np.random.default_rng(seed)
    engine = sparse_engine if recipe.engine == "sparse" else torch_engine
    images = engine.resident([split], recipe)
    one = One(engine, network, network.initial(random), None, images, recipe)
    one.advance(random.integers(len(split.train), size=(updates, recipe.batch_size)))
    return one.parameters()


def permuted(weights: Arrays, orders: list[np.ndarray]) -> Arrays:
    """The same network with its hidden units in other orders."""
    first, second = orders
    return {
        "fc1.weight": weights["fc1.weight"][first],
        "fc1.bias": weights["fc1.bias"][first],
        "fc2.weight": weights["fc2.weight"][second][:, first],
        "fc2.bias": weights["fc2.bias"][second],
        "output.weight": weights["output.weight"][:, second],
        "output.bias": weights["output.bias"],
    }


def orders_of(seed: int) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    return [random.permutation(12), random.permutation(8)]


def barrier(errors: np.ndarray) -> float:
    return float(errors.max() - (errors[0] + errors[-1]) / 2)


@pytest.mark.parametrize("engine", ["torch", "sparse"])
def test_a_network_and_itself_have_no_barrier(small_split, engine):
    recipe = RECIPE.model_copy(update={"engine": engine})
    weights = trained(small_split, NETWORK, recipe, 0)
    images = (sparse_engine if engine == "sparse" else torch_engine).resident([small_split], recipe)
    along = errors_along(NETWORK, weights, weights, POINTS, images[0], recipe)
    assert along[:, 0].tolist() == POINTS.tolist()
    assert (along[:, 1:] == along[0, 1:]).all()
    one = One(torch_engine, NETWORK, weights, None, torch_engine.resident([small_split], RECIPE), RECIPE)
    for column, part in ((1, "train"), (3, "test")):
        loss, accuracy = one.evaluate(part)
        assert along[0, column] == pytest.approx(loss, rel=1e-5)
        assert along[0, column + 1] == pytest.approx(1 - accuracy)


def test_the_same_function_with_its_units_in_another_order_has_a_barrier_that_matching_removes(small_split):
    weights = trained(small_split, NETWORK, RECIPE, 0)
    orders = orders_of(1)
    other = permuted(weights, orders)
    (images,) = torch_engine.resident([small_split], RECIPE)
    along = errors_along(NETWORK, weights, other, POINTS, images, RECIPE)
    assert along[0, 4] == along[-1, 4] < 0.25, "one function"
    assert barrier(along[:, 4]) > 0.1
    assert barrier(along[:, 2]) > 0.1
    found = matched_units(weights, other, NETWORK)
    for units, order in zip(found, orders, strict=True):
        assert order[units].tolist() == list(range(len(order)))
    aligned = permuted(other, found)
    assert all((aligned[name] == weights[name]).all() for name in weights)
    assert barrier(errors_along(NETWORK, weights, aligned, POINTS, images, RECIPE)[:, 4]) == 0


def test_a_linear_networks_loss_is_convex_on_the_line(small_split):
    network = Network(("flatten", Layer("output", "output", 20, 4)), (20,))
    one, other = (trained(small_split, network, RECIPE, seed, updates) for seed, updates in ((0, 5), (1, 80)))
    (images,) = torch_engine.resident([small_split], RECIPE)
    along = errors_along(network, one, other, POINTS, images, RECIPE)
    for column in (1, 3):
        chord = np.interp(POINTS, [0, 1], along[[0, -1], column])
        assert (along[1:-1, column] < chord[1:-1]).all()
        assert (np.diff(along[:, column], 2) > 0).all()


def test_the_ends_of_a_line_are_bit_for_bit_and_between_lie_weighted_means():
    one, other = ({"a": np.array(values, np.float32)} for values in ([0.1, -3], [0.7, 5]))
    assert on_the_line(one, other, 0.0)["a"].tobytes() == one["a"].tobytes()
    assert on_the_line(one, other, 1.0)["a"].tobytes() == other["a"].tobytes()
    np.testing.assert_allclose(on_the_line(one, other, 0.25)["a"], [0.25, -1], rtol=1e-6)


def test_some_images_are_evenly_spaced(small_split):
    chosen = some(small_split, 50)
    assert len(chosen.train) == len(chosen.test) == 50
    assert chosen.train.rows.tolist() == small_split.train.rows[::6].tolist()
    assert chosen.validation is small_split.validation
    assert some(small_split, None).train.rows.tolist() == small_split.train.rows.tolist()


CONVOLUTION = Network(
    (*normalized("conv1", "bn1", 1, 3), "relu", "average-pool", "flatten", Layer("output", "output", 3, 4)), (1, 4, 5)
)


def test_statistics_are_those_of_torch_over_the_same_batches(small_split):
    random = np.random.default_rng(0)
    weights = CONVOLUTION.initial(random)
    weights["bn1.weight"] = random.normal(1, 0.2, 3).astype(np.float32)
    (images,) = torch_engine.resident([small_split], RECIPE)
    found = with_statistics_anew(CONVOLUTION, weights, images["train"], RECIPE)
    norm, conv = torch.nn.BatchNorm2d(3, momentum=None), torch.nn.Conv2d(1, 3, 3, padding=1, bias=False)
    conv.weight.data = torch.tensor(weights["conv1.weight"])
    pixels = torch.tensor(small_split.train.pixels).float().div(255).view(-1, 1, 4, 5)
    for batch in pixels.split(20):
        norm(conv(batch))
    np.testing.assert_allclose(found["bn1.running_mean"], norm.running_mean, rtol=1e-5)
    np.testing.assert_allclose(found["bn1.running_var"], norm.running_var, rtol=1e-5)
    kept = set(weights) - set(CONVOLUTION.statistics)
    assert all(found[name].tobytes() == weights[name].tobytes() for name in kept)


def test_every_point_of_a_line_has_statistics_of_its_own(small_split):
    """Two networks that differ in the scale of a normalised layer alone are one function, and so is all between."""
    weights = CONVOLUTION.initial(np.random.default_rng(0))
    scaled = weights | {"conv1.weight": 10 * weights["conv1.weight"]}
    (images,) = torch_engine.resident([small_split], RECIPE)
    along = errors_along(CONVOLUTION, weights, scaled, POINTS, images, RECIPE)
    np.testing.assert_allclose(along[:, 1], along[0, 1], rtol=1e-3)
    assert (along[:, 2] == along[0, 2]).all()


def test_a_mask_moves_with_its_units():
    random = np.random.default_rng(0)
    mask = {name: (random.random(NETWORK.shapes()[name]) < 0.3).astype(np.uint8) for name in NETWORK.weight_names()}
    orders = orders_of(2)
    moved = in_order(mask, orders, NETWORK)
    for name, kept in permuted(
        mask | dict.fromkeys(["fc1.bias", "fc2.bias", "output.bias"], np.arange(12)), orders
    ).items():
        if name in mask:
            assert (moved[name] == kept).all()
            assert moved[name].sum() == mask[name].sum()
    assert sorted(moved["fc1.weight"].sum(1)) == sorted(mask["fc1.weight"].sum(1)), "units keep their links"


def test_units_of_other_networks_are_matched_so_that_they_are_more_alike():
    images = made_up_images(400, 20, 4, np.random.default_rng(3))
    one, other = (trained(Split(images, images, images), NETWORK, RECIPE, seed, 200) for seed in (0, 1))
    found = matched_units(one, other, NETWORK)

    def alike(orders: list[np.ndarray]) -> float:
        moved = permuted(other, orders)
        return sum(float((one[name].astype(float) * moved[name]).sum()) for name in one)

    best = alike(found)
    assert best > alike([np.arange(12), np.arange(8)])
    for layer, units in enumerate(found):
        for first in range(len(units)):
            for second in range(first):
                swapped = [order.copy() for order in found]
                swapped[layer][[first, second]] = units[[second, first]]
                assert alike(swapped) <= best + 1e-6, "no exchange of two units makes them more alike"


ARMS = [{"arm": "iterative", "levels": [1, 3]}, {"arm": "dense-twin", "draws": 2}, {"arm": "iterative-twin"}]


@pytest.mark.parametrize(
    ("interpolation", "told"),
    [
        ({"pairs": ["twins"]}, "pairs: unknown pair 'twins'"),
        ({"pairs": ["random-twins"]}, "pairs: random-twins needs random-twin and random, trained at the same levels"),
        (
            {"pairs": ["dense-twins"], "images": 20_000},
            "images: 20000 are asked for, 55000 images train and 10000 test",
        ),
    ],
)
def test_lines_that_cannot_be_measured_are_refused(interpolation, told):
    values = {"dataset": "mnist", "network": "lenet-30-10", "levels": 3, "replicates": 2, "replicates_per_job": 2}
    asked = Experiment.model_validate(values | {"arms": ARMS, "interpolation": interpolation})
    with pytest.raises(LotteryError, match=told):
        check_lines(asked, 55_000, 10_000)
