"""Tickets and controls: each differs from the ticket in exactly one thing."""

import numpy as np
import pytest

from lottery.errors import LotteryError
from lottery.networks import build
from lottery.randomness import Seed, split_generator
from lottery.tickets import ARMS, arm, random_mask, rewind

NETWORK = build("lenet-12-7", (20,), 4)


def some_mask(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        layer.weight_name: (random.random((layer.outputs, layer.inputs)) < 0.4).astype(np.uint8)
        for layer in NETWORK.layers
    }


def test_survivors_equal_the_initial_weights_bit_for_bit():
    initial, mask = NETWORK.initial(np.random.default_rng(3)), some_mask()
    start = rewind(initial, mask)
    assert list(start) == list(initial)
    for name, values in start.items():
        kept = mask.get(name, np.ones(values.shape, np.uint8)) == 1
        assert values.dtype == np.float32
        assert values[kept].tobytes() == initial[name][kept].tobytes()
        # Positive zero, not the -0.0 that a product with the mask leaves of negative weights.
        assert not values[~kept].view(np.uint32).any()


def test_random_mask_keeps_the_count_of_each_layer_and_nothing_else():
    ticket = some_mask()
    drawn = random_mask(ticket, np.random.default_rng(5))
    for name, layer in ticket.items():
        assert drawn[name].dtype == np.uint8
        assert drawn[name].sum() == layer.sum()
        assert set(np.unique(drawn[name])) <= {0, 1}
        # Bug of Synaptic-Flow: a shuffle that changes nothing.
        assert (drawn[name] != layer).any()


def test_random_mask_places_weights_evenly():
    ticket = {"layer": np.array([[1, 1, 0, 0, 0, 0, 0, 0]], np.uint8)}
    random = np.random.default_rng(0)
    often = sum(random_mask(ticket, random)["layer"].astype(int) for _ in range(4000)) / 4000
    assert np.abs(often - 0.25).max() < 0.03


def test_keys_of_randomness_are_independent():
    seed = Seed(0, "lenet-mnist", 0)
    draws = [
        generator.random(4).tobytes()
        for generator in [
            seed.generator("initialisation"),
            seed.generator("initialisation", level=1),
            seed.generator("reinitialisation", level=1),
            seed.generator("reinitialisation", level=1, draw=1),
            seed.generator("batches", level=1),
            seed.generator("batches", level=1, epoch=1),
            Seed(1, "lenet-mnist", 0).generator("initialisation"),
            Seed(0, "lenet-fashion", 0).generator("initialisation"),
            Seed(0, "lenet-mnist", 1).generator("initialisation"),
            split_generator(0, 0),
            split_generator(0, 1),
            split_generator(1, 0),
        ]
    ]
    assert len(set(draws)) == len(draws)
    assert seed.generator("initialisation").random(4).tobytes() == draws[0], "the same key gives the same numbers"


def test_unknown_arm():
    with pytest.raises(LotteryError, match="unknown arm 'reinit'"):
        arm("reinit")


def test_arms_refer_to_arms():
    for row in ARMS.values():
        assert row.of in ("", *ARMS)
        assert bool(row.of) == (row.mask in ("of another arm", "random"))
        if row.of:
            assert ARMS[row.of].linear == row.linear
