"""Networks made smaller compute what they computed before: any network, any mask, in all places of its images."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lottery.networks import Layer, Network, Normalization, Residual, build
from lottery.networks.steps import flat
from lottery.tickets.compaction import Compact, compact
from lottery.tickets.steps import Select, as_data, check_compact, kept_multiplications, shapes_of, steps_of
from lottery.tickets.torch_module import Scaling, to_torch

UNIT = Scaling("unit", None)

TOLERANCE = 2e-6
"""How far an output may be from what it was, in those of the largest output: rounding of float32."""


def weights_of(network: Network, density: float, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of which this share is left; biases, normalisations and statistics of all kinds of values."""
    random = np.random.default_rng(seed)
    weights = network.initial(random)
    for name, values in weights.items():
        if name.endswith("running_var"):
            weights[name] = random.uniform(0.5, 2, values.shape).astype(np.float32)
        elif values.ndim == 1:
            weights[name] = random.normal(1 if name.endswith("weight") else 0, 0.3, values.shape).astype(np.float32)
    for name in network.weight_names():
        kept = random.random(weights[name].shape) < density
        weights[name] = np.where(kept, weights[name] / np.sqrt(density), 0).astype(np.float32)
    return weights


def outputs(steps, seen, arrays, images: torch.Tensor) -> np.ndarray:
    """What a network makes of images, in float64 as far as its arrays are exact."""
    places = {name: values for name, values in arrays.items() if name.endswith(".places")}
    numbers = {name: values for name, values in arrays.items() if name not in places}
    module = to_torch(steps, seen, UNIT, numbers, {}, places).double()
    with torch.no_grad():
        return module(images.double()).numpy()


def assert_same(network: Network, weights, small: Compact, images: torch.Tensor) -> None:
    before = outputs(network.steps, network.image_shape, weights, images)
    after = outputs(small.steps, small.seen, small.arrays, images)
    assert np.abs(after - before).max() <= TOLERANCE * np.abs(before).max()


NETWORKS = {
    "lenet-300-100": (28, 28),
    "lenet-9-5": (3, 4),
    "conv-2": (3, 12, 12),
    "conv-4": (1, 13, 10),
    "resnet-20": (3, 9, 9),
    "vgg-16": (3, 16, 16),
}


@pytest.mark.parametrize("density", [1, 0.2, 0.02, 0.004, 0.0005])
@pytest.mark.parametrize(
    "name", [each if each != "vgg-16" else pytest.param(each, marks=pytest.mark.long) for each in NETWORKS]
)
def test_a_smaller_network_computes_the_same(name, density):
    network = build(name, NETWORKS[name], 10)
    weights = weights_of(network, density)
    small = compact(network, weights)
    check_compact(small.steps, small.seen, 10)
    images = torch.rand(20, *NETWORKS[name], generator=torch.Generator().manual_seed(0))
    images[images < 0.5] = 0
    assert_same(network, weights, small, images)
    sizes = [sum(values.size for values in arrays.values()) for arrays in (weights, small.arrays)]
    if density < 0.01:
        assert sizes[1] < 0.8 * sizes[0]


def test_all_test_images_of_mnist(mnist):
    """A network of 3% of LeNet's weights, a third of whose units are dead."""
    from lottery.arrays import read_arrays

    network = build("lenet-300-100", (28, 28), 10)
    weights = weights_of(network, 0.03)
    weights["fc1.weight"][:80] = 0
    weights["fc2.weight"][:, 80:120] = 0
    small = compact(network, weights)
    assert small.left["fc1"] <= 180
    assert_same(network, weights, small, torch.tensor(read_arrays(mnist)["test_images"]) / 255)


def layer(name: str, inputs: int, outputs: int, **options) -> Layer:
    return Layer(name, "conv" if options.get("kernel") else "dense", inputs, outputs, **options)


def own(steps: tuple, shape: tuple) -> tuple[Network, dict[str, np.ndarray]]:
    network = Network(steps, shape)
    return network, weights_of(network, 0.5)


def test_a_constant_channel_before_a_padded_convolution_stays_and_stands_for_others():
    """Its number is 0 in the margin, so no bias can stand for it."""
    steps = (layer("conv1", 2, 6, kernel=3), "relu", layer("conv2", 6, 5, kernel=3), "flatten")
    network, weights = own((*steps, layer("fc", 5 * 16, 3)), (2, 4, 4))
    weights["conv1.weight"][:4] = 0
    weights["conv1.bias"][:4] = [0.5, 0.7, 0.3, -1]
    small = compact(network, weights)
    assert small.left["conv1"] == 3, "two that see the image, one constant for three, none for the one that is 0"
    assert_same(network, weights, small, torch.rand(9, 2, 4, 4))


def test_a_constant_channel_before_a_dense_layer_goes_into_its_biases():
    steps = (layer("conv1", 2, 6, kernel=3), "max-pool", "relu", "flatten", layer("fc", 6 * 4, 3))
    network, weights = own(steps, (2, 4, 4))
    weights["conv1.weight"][:4] = 0
    weights["conv1.bias"][:4] = [0.5, 0.7, 0.3, -1]
    small = compact(network, weights)
    assert small.left["conv1"] == 2
    assert_same(network, weights, small, torch.rand(9, 2, 4, 4))


def test_a_channel_of_a_residual_stream_goes_where_it_is_dead_everywhere():
    """The stream's channels are added, so one is dropped from all that write it, or from none."""
    body = (layer("a", 6, 6, kernel=3, has_bias=False), Normalization("an", 6), "relu", layer("b", 6, 6, kernel=1))
    steps = (layer("first", 2, 6, kernel=3), Residual(body), "relu", "average-pool", "flatten", layer("fc", 6, 3))
    network, weights = own(steps, (2, 5, 5))
    weights["fc.weight"][:, 0] = 0  # read by the body alone
    weights["fc.weight"][:, 1] = 0
    weights["a.weight"][:, 1] = 0  # read by nothing
    weights["first.weight"][2], weights["first.bias"][2] = 0, 0
    weights["b.weight"][2], weights["b.bias"][2] = 0, 0  # 0 wherever it is written
    small = compact(network, weights)
    assert {name: small.left[name] for name in ("first", "b", "fc")} == {"first": 4, "b": 4, "fc": 3}
    assert_same(network, weights, small, torch.rand(9, 2, 5, 5))


def test_a_normalisation_that_follows_no_layer_stays():
    steps = (layer("conv1", 2, 6, kernel=3), "relu", Normalization("norm", 6), "flatten", layer("fc", 6 * 9, 3))
    network, weights = own(steps, (2, 3, 3))
    weights["fc.weight"][:, :18] = 0
    weights["conv1.weight"][3], weights["conv1.bias"][3] = 0, 2
    small = compact(network, weights)
    assert small.left["conv1"] == 3
    assert any(isinstance(step, Normalization) for step in small.steps)
    assert_same(network, weights, small, torch.rand(9, 2, 3, 3))


def test_a_network_that_forgets_its_images_keeps_one_unit_of_each_layer():
    network = build("lenet-9-5", (3, 4), 4)
    weights = weights_of(network, 0.5)
    weights["fc2.weight"][:] = 0
    small = compact(network, weights)
    assert small.left == {"fc1": 1, "fc2": 1, "output": 4}
    assert_same(network, weights, small, torch.rand(5, 3, 4))


def test_pixels_that_are_never_read_are_not_picked_up():
    network = build("lenet-9-5", (3, 4), 4)
    weights = weights_of(network, 1)
    weights["fc1.weight"][:, [2, 7]] = 0
    small = compact(network, weights)
    (picked,) = (step for step in small.steps if isinstance(step, Select))
    assert small.arrays[picked.places_name].tolist() == [0, 1, 3, 4, 5, 6, 8, 9, 10, 11]


@pytest.mark.parametrize("scaling", ["bytes", "standardised"])
def test_input_scaling_goes_into_the_first_layer_of_a_fully_connected_network(scaling):
    network = build("lenet-9-5", (3, 4), 4)
    weights = weights_of(network, 0.7)
    random = np.random.default_rng(0)
    moments = (random.normal(size=12).astype(np.float32), random.uniform(0.1, 1, 12).astype(np.float32))
    given = moments if scaling == "standardised" else None
    small = compact(network, weights, scaling, given)
    assert (small.scaling, small.moments) == ("unit", None)
    images = torch.rand(9, 3, 4)
    before = to_torch(network.steps, network.image_shape, Scaling(scaling, given), weights, {}, {})(images)
    after = outputs(small.steps, small.seen, small.arrays, images)
    np.testing.assert_allclose(
        after, before.detach().numpy(), rtol=1e-4, atol=1e-4 * float(before.detach().abs().max())
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_data_and_back(name):
    network = build(name, NETWORKS[name], 10)
    assert steps_of(as_data(network.steps)) == network.steps
    assert shapes_of(network.steps) == network.shapes()


@pytest.mark.parametrize("name", NETWORKS)
def test_multiplications_of_all_weights_are_those_of_the_dense_network(name):
    network = build(name, NETWORKS[name], 10)
    kept = {each.weight_name: each.weights for each in network.layers}
    assert sum(kept_multiplications(network.steps, network.image_shape, kept).values()) == network.multiplications


def test_multiplications_follow_the_weights_kept_and_the_places_of_the_output():
    steps = (layer("a", 1, 2, kernel=3), "relu", "max-pool", layer("b", 2, 3, kernel=3, stride=2), "flatten")
    network = Network((*steps, layer("fc", 3 * 4, 5)), (1, 8, 7))
    found = kept_multiplications(network.steps, network.image_shape, {"a.weight": 5, "b.weight": 7, "fc.weight": 11})
    assert found == {"a.weight": 5 * 56, "b.weight": 7 * 2 * 2, "fc.weight": 11}


def test_every_step_of_a_compacted_network_is_one_that_can_be_written():
    network = build("resnet-20", (3, 9, 9), 10)
    small = compact(network, weights_of(network, 0.01))
    assert steps_of(as_data(small.steps)) == small.steps
    assert not [step for step in flat(small.steps) if isinstance(step, Normalization)]
    wrong = replace(small, steps=small.steps[:-1])
    with pytest.raises(Exception, match="its steps end with"):
        check_compact(wrong.steps, wrong.seen, 10)
