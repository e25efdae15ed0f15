"""Networks: the paper's weight counts, its initialiser, narrower relatives."""

import math

import numpy as np
import pytest

from lottery.networks import build, narrowed
from lottery.settings import Initialisation


def test_lenet_has_the_papers_weights():
    network = build("lenet-300-100", (28, 28), 10)
    assert [layer.weights for layer in network.layers] == [235_200, 30_000, 1_000]
    assert network.weights == 266_200
    assert network.weight_names() == ["fc1.weight", "fc2.weight", "output.weight"]


@pytest.mark.parametrize(
    ("name", "weights"),
    [("lenet-25-9", 19_915), ("lenet-50-17", 40_220), ("lenet-900-300", 978_600)],
)
def test_other_widths_of_the_paper(name, weights):
    assert build(name, (28, 28), 10).weights == weights


def test_initial_weights_are_glorot_normal_and_biases_zero():
    start = build("lenet-300-100", (28, 28), 10).initial(np.random.default_rng(0))
    assert {name: values.shape for name, values in start.items()} == {
        "fc1.weight": (300, 784),
        "fc1.bias": (300,),
        "fc2.weight": (100, 300),
        "fc2.bias": (100,),
        "output.weight": (10, 100),
        "output.bias": (10,),
    }
    assert all(values.dtype == np.float32 for values in start.values())
    # Section 1.1 of the paper's facts: sqrt(2 / (inputs + outputs)) of the three layers.
    for name, deviation in [("fc1", 0.04295), ("fc2", 0.07071), ("output", 0.13484)]:
        assert start[f"{name}.weight"].std() == pytest.approx(deviation, rel=0.06)
        assert abs(start[f"{name}.weight"].mean()) < 0.1 * deviation
        assert not start[f"{name}.bias"].any()
    # Normal, not uniform: about 0.27% lie beyond three standard deviations.
    beyond = np.mean(np.abs(start["fc1.weight"]) > 3 * 0.04295)
    assert 0.0015 < beyond < 0.004


CIFAR = (3, 32, 32)


@pytest.mark.parametrize(
    ("name", "convolutions", "weights"),
    [("conv-2", 38_592, 4_300_992), ("conv-4", 259_776, 2_425_024), ("conv-6", 1_144_512, 2_261_184)],
)
def test_convolutional_networks_have_the_papers_weights(name, convolutions, weights):
    network = build(name, CIFAR, 10)
    assert network.weights == weights
    assert sum(layer.weights for layer in network.layers if layer.role == "conv") == convolutions
    assert [layer.outputs for layer in network.layers[-3:]] == [256, 256, 10]
    assert [layer.role for layer in network.layers[-3:]] == ["dense", "dense", "output"]


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("resnet-20", {"conv": 267_696, "shortcut": 2_560, "output": 640}),
        ("vgg-19", {"conv": 20_018_880, "output": 5_120}),
        ("vgg-16", {"conv": 14_710_464, "output": 5_120}),
    ],
)
def test_deep_networks_have_the_papers_weights(name, roles):
    """Of vgg-16 the paper has none; its sum is that of its convolutions' shapes."""
    network = build(name, CIFAR, 10)
    assert network.weights == sum(roles.values())
    found = {role: sum(layer.weights for layer in network.layers if layer.role == role) for role in roles}
    assert found == roles
    # The small-image VGG has one dense layer where the original had three.
    depth = {"resnet-20": 20, "vgg-19": 17, "vgg-16": 14}[name]
    assert sum(layer.role != "shortcut" for layer in network.layers) == depth


def test_batch_normalisation_starts_as_it_is_defined():
    network = build("resnet-20", CIFAR, 10)
    start = network.initial(np.random.default_rng(0))
    assert start.keys() == network.shapes().keys()
    for name, values in start.items():
        kind = name.rpartition(".")[2]
        if ".bn" in name or name.startswith("bn"):
            assert (values == (1 if kind in ("weight", "running_var") else 0)).all()
    assert len(network.statistics) == 2 * 21, "one for each convolution, two shortcuts among them"
    assert not any(name in network.weight_names() for name in network.statistics)


def test_the_input_follows_the_dataset():
    shapes = build("conv-6", (28, 28), 10).shapes()
    assert shapes["conv1.weight"] == (64, 1, 3, 3)
    assert shapes["conv6.weight"] == (256, 256, 3, 3)
    assert shapes["fc1.weight"] == (256, 256 * 3 * 3), "28 / 2 / 2 / 2, a last odd row left out"
    assert shapes["conv6.bias"] == (256,)


def test_multiplications_of_one_image():
    assert build("lenet-300-100", (28, 28), 10).multiplications == 266_200
    # Every 3 x 3 weight is used at each of 32 x 32 places.
    assert build("conv-2", CIFAR, 10).multiplications == 38_592 * 1_024 + 4_194_304 + 65_536 + 2_560
    # He et al.: 40.6 million without the shortcuts' 1 x 1 convolutions at 16 x 16 and 8 x 8.
    shortcuts = 512 * 256 + 2_048 * 64
    assert build("resnet-20", CIFAR, 10).multiplications == pytest.approx(40.6e6 + shortcuts, rel=0.005)


def test_convolutions_start_glorot_normal():
    network = build("conv-2", CIFAR, 10)
    start = network.initial(np.random.default_rng(0))
    # sqrt(2 / (fan in + fan out)), each the channels times 3 x 3.
    for name, fans in [("conv1", (3 + 64) * 9), ("conv2", (64 + 64) * 9), ("fc1", 16_384 + 256)]:
        assert start[f"{name}.weight"].std() == pytest.approx(np.sqrt(2 / fans), rel=0.05)
        assert not start[f"{name}.bias"].any()


@pytest.mark.parametrize("weights", [266_200, 56_081, 18_490, 3_967, 1])
def test_narrowed_is_the_nearest_relative(weights):
    def count(width: int) -> int:
        return build(f"lenet-{width}-{max(1, int(width / 3 + 0.5))}", (28, 28), 10).weights

    nearest = min(abs(count(width) - weights) for width in range(1, 301))
    assert abs(build(narrowed("lenet-300-100", (28, 28), 10, weights), (28, 28), 10).weights - weights) == nearest


@pytest.mark.parametrize(
    ("initialisation", "deviations"),
    [
        ({}, (math.sqrt(2 / 1084), math.sqrt(2 / 400))),
        ({"weights": "truncated-glorot-normal"}, (math.sqrt(2 / 1084), math.sqrt(2 / 400))),
        ({"weights": "kaiming-normal"}, (math.sqrt(2 / 784), math.sqrt(2 / 300))),
        ({"weights": "normal", "sd": 0.1}, (0.1, 0.1)),
    ],
)
def test_initial_weights_have_the_deviation_of_their_distribution(initialisation, deviations):
    network, chosen = build("lenet-300-100", (28, 28), 10), Initialisation(**initialisation)
    start = network.initial(np.random.default_rng(0), chosen)
    for layer, deviation in zip(network.layers, deviations, strict=False):
        assert layer.deviation(chosen) == pytest.approx(deviation)
        assert start[layer.weight_name].std() == pytest.approx(deviation, rel=0.02)
    furthest = np.abs(start["fc1.weight"]).max() / deviations[0]
    if chosen.weights.startswith("truncated"):
        # TensorFlow widens by sqrt(1.3) = 1.140, exact is 1 / 0.8796 = 1.137.
        assert furthest == pytest.approx(2 / 0.8796, rel=1e-3)
    else:
        assert furthest > 4 * 0.9


def test_the_papers_initial_weights_stay_the_same_bytes():
    """Results of earlier runs depend on them."""
    start = build("lenet-300-100", (28, 28), 10).initial(np.random.default_rng(0))
    numbers = np.random.default_rng(0).standard_normal((300, 784), dtype=np.float32)
    assert start["fc1.weight"].tobytes() == (np.float32(math.sqrt(2 / 1084)) * numbers).tobytes()


def test_uniform_biases():
    start = build("conv-2", (28, 28), 10).initial(np.random.default_rng(0), Initialisation(biases="uniform"))
    for name, inputs in (("conv2", 64 * 9), ("fc2", 256)):
        biases = start[f"{name}.bias"]
        assert 0.8 < np.abs(biases).max() * math.sqrt(inputs) <= 1
        assert np.unique(biases).size == biases.size


@pytest.mark.parametrize("wrong", [{"weights": "normal"}, {"sd": 0.1}, {"weights": "kaiming-normal", "sd": 0.1}])
def test_only_a_normal_distribution_has_a_deviation_of_its_own(wrong):
    with pytest.raises(ValueError, match="sd"):
        Initialisation(**wrong)
