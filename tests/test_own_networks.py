"""A network put together by a user: that its steps fit is told before anything runs."""

from dataclasses import replace

import pytest

from lottery.errors import LotteryError
from lottery.extensions import add_network
from lottery.networks import NETWORKS, Layer, Network, Normalization, Residual, build, check_network, fully_connected
from lottery.networks.catalog import chain

pytestmark = pytest.mark.usefixtures("own_names")


def test_known_networks_fit():
    for name in [*NETWORKS, "lenet-300-100"]:
        for shape in [(1, 28, 28), (3, 32, 32)]:
            check_network(build(name, shape, 10), shape, 10)


IMAGES = (2, 4, 4)
OUT = Layer("output", "output", 32, 3)
CONV = Layer("conv1", "conv", 2, 2, kernel=3)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([], "has no layer with weights"),
        ([CONV], "its steps end with images of 2 channels, 4 x 4, expected 3 numbers"),
        (["flatten", replace(OUT, outputs=4)], "its steps end with 4 numbers, expected 3 numbers"),
        ([OUT], "output: expects 32 numbers, gets images of 2 channels, 4 x 4"),
        (["flatten", replace(OUT, inputs=8)], "output: expects 8 numbers, gets 32 numbers"),
        (["flatten", CONV], "conv1: expects images of 2 channels, gets 32 numbers"),
        ([replace(CONV, inputs=3)], "conv1: expects images of 3 channels"),
        ([replace(CONV, kernel=2)], "conv1: kernel 2 must be odd"),
        ([replace(CONV, stride=0)], "conv1: inputs, outputs and stride must be 1 or more"),
        ([CONV, CONV, "flatten", OUT], "conv1: 2 steps have this name"),
        ([replace(CONV, name="a b"), "flatten", OUT], "'a b': a name must consist of"),
        ([Normalization("bn", 3)], "bn: expects images of 3 channels"),
        ([Residual((replace(CONV, stride=2),))], "a residual block adds images of 2 channels, 2 x 2 and images of 2"),
        (["dropout", "flatten", OUT], "dropout: expects a row of numbers"),
        (["max-pool", "max-pool", "max-pool"], "max-pool: expects images, gets images of 2 channels, 1 x 1"),
        (["flatten", OUT, "softmax"], "'softmax' is no step of a network"),
    ],
)
def test_steps_that_do_not_fit_are_told_before_anything_runs(steps, told):
    add_network("own", lambda shape, classes: Network(tuple(steps), shape))
    with pytest.raises(LotteryError) as error:
        build("own", IMAGES, 3)
    assert str(error.value).startswith(f"network: own: {told}")


def test_only_what_the_sparse_engine_trains_is_called_fully_connected():
    rows = (4,)
    hidden, output = Layer("fc1", "dense", 4, 4), Layer("output", "output", 4, 3)
    assert fully_connected([4, 4, 3]).fully_connected
    assert Network(("flatten", hidden, "relu", "dropout", output), rows).fully_connected
    assert not Network(("flatten", output), rows).fully_connected
    assert not Network(("flatten", hidden, output), rows).fully_connected
    assert not Network(("flatten", hidden, "relu", replace(output, has_bias=False)), rows).fully_connected
    assert not Network(("flatten", Residual((hidden, "relu")), output), rows).fully_connected
    assert not Network(("flatten", hidden, "relu", output, "relu"), rows).fully_connected
    assert not chain((1, 4, 4), [[2]], [4], 3).fully_connected
