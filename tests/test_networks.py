"""Networks: the paper's weight counts, its initialiser, narrower relatives."""

import numpy as np
import pytest

from lottery.networks import build, narrowed


def test_lenet_has_the_papers_weights():
    network = build("lenet-300-100", 784, 10)
    assert [layer.weights for layer in network.layers] == [235_200, 30_000, 1_000]
    assert network.weights == 266_200
    assert network.weight_names() == ["fc1.weight", "fc2.weight", "output.weight"]


@pytest.mark.parametrize(
    ("name", "weights"),
    [("lenet-25-9", 19_915), ("lenet-50-17", 40_220), ("lenet-900-300", 978_600)],
)
def test_other_widths_of_the_paper(name, weights):
    assert build(name, 784, 10).weights == weights


def test_initial_weights_are_glorot_normal_and_biases_zero():
    start = build("lenet-300-100", 784, 10).initial(np.random.default_rng(0))
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


@pytest.mark.parametrize("weights", [266_200, 56_081, 18_490, 3_967, 1])
def test_narrowed_is_the_nearest_relative(weights):
    def count(width: int) -> int:
        return build(f"lenet-{width}-{max(1, int(width / 3 + 0.5))}", 784, 10).weights

    nearest = min(abs(count(width) - weights) for width in range(1, 301))
    assert abs(build(narrowed("lenet-300-100", 784, 10, weights), 784, 10).weights - weights) == nearest
