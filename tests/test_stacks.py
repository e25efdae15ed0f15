"""Stacks: what every member's masks and starting weights are made of, and what its key alone decides."""

import numpy as np
import pytest

from lottery import stacks, tickets
from lottery.arrays import Arrays, of_member
from lottery.networks import build
from lottery.pruning.allocation import ladder
from lottery.settings import Pruning
from lottery.stacks import ExperimentKey, Stack
from lottery.tickets import arm

NETWORK = build("lenet-12-7", (20,), 4)
KEY = ExperimentKey(experiment="lenet-mnist", seed=0, dataset="mnist")
TWO = Stack(1, 2)


def as_bytes(arrays: Arrays) -> dict[str, bytes]:
    return {name: values.tobytes() for name, values in arrays.items()}


def initial_and_masks() -> tuple[Arrays, Arrays]:
    """Two replicates' initial weights, and masks that keep the largest of them."""
    initial = stacks.initialize(TWO, KEY, NETWORK, 0)
    return initial, stacks.prune(TWO, initial, None, ladder(NETWORK, Pruning(), 3))


def test_initial_weights_depend_on_their_key_alone():
    both = stacks.initialize(TWO, KEY, NETWORK, 0)
    assert as_bytes(both) == as_bytes(stacks.initialize(TWO, KEY, NETWORK, 0))
    for place, replicate in enumerate((1, 2)):
        alone = stacks.initialize(Stack(replicate, replicate), KEY, NETWORK, 0)
        assert as_bytes(of_member(both, place)) == as_bytes(of_member(alone, 0)), "whoever else is in the stack"
    weights = [both["fc1.weight"][0], both["fc1.weight"][1]]
    weights += [stacks.initialize(TWO, KEY, NETWORK, 1)["fc1.weight"][0]]
    for change in ({"seed": 1}, {"experiment": "other"}):
        weights += [stacks.initialize(TWO, KEY.model_copy(update=change), NETWORK, 0)["fc1.weight"][0]]
    assert len({values.tobytes() for values in weights}) == len(weights)


def test_every_member_is_pruned_by_its_own_weights_within_its_own_mask():
    initial, masks = initial_and_masks()
    counts = ladder(NETWORK, Pruning(), 4)
    smaller = stacks.prune(TWO, initial, masks, counts)
    for place in range(2):
        own = tickets.prune(of_member(initial, place), of_member(masks, place), counts)
        assert as_bytes(of_member(smaller, place)) == as_bytes(own)


def test_a_reinitialised_control_keeps_its_tickets_mask_and_none_of_its_weights():
    initial, ticket = initial_and_masks()
    masks, start = stacks.control(TWO, KEY, NETWORK, arm("iterative-reinit"), 3, 2, ticket, initial)
    for name, kept in masks.items():
        assert (kept == np.repeat(ticket[name], 2, axis=0)).all()
        assert not start[name][kept == 0].any()
        survivors = [initial[name][place // 2][mask == 1] for place, mask in enumerate(kept)]
        drawn = [values[mask == 1] for values, mask in zip(start[name], kept, strict=True)]
        everything = np.concatenate([initial[name][0][kept[0] == 1], initial[name][1][kept[2] == 1], *drawn])
        assert all((ours != theirs).all() for ours, theirs in zip(drawn, survivors, strict=True))
        assert len(np.unique(everything)) == len(everything), "no draw repeats another"


def test_a_random_control_has_the_tickets_counts_and_its_initial_weights():
    initial, ticket = initial_and_masks()
    masks, start = stacks.control(TWO, KEY, NETWORK, arm("random"), 3, 2, ticket, initial)
    for name, kept in masks.items():
        placed = np.repeat(ticket[name], 2, axis=0)
        assert (kept.sum(axis=(1, 2)) == placed.sum(axis=(1, 2))).all()
        assert all((mask != other).any() for mask, other in zip(kept, placed, strict=True))
        assert (kept[0] != kept[1]).any(), "draws of one replicate differ"
        assert start[name].tobytes() == np.where(kept, np.repeat(initial[name], 2, axis=0), 0).astype("f4").tobytes()


def test_a_control_with_the_tickets_own_values_has_them_elsewhere():
    initial, ticket = initial_and_masks()
    masks, start = stacks.control(TWO, KEY, NETWORK, arm("own-values"), 3, 2, ticket, initial)
    for name, kept in masks.items():
        assert (kept == np.repeat(ticket[name], 2, axis=0)).all()
        assert not start[name][kept == 0].any()
        for place, mask in enumerate(kept):
            own = initial[name][place // 2][mask == 1]
            drawn = start[name][place][mask == 1]
            assert set(drawn.tolist()) <= set(own.tolist()), "values of this layer and replicate alone"
            assert (drawn != own).mean() > 0.5
        assert start[name][0].tobytes() != start[name][1].tobytes()
    assert start["fc1.bias"].tobytes() == np.repeat(initial["fc1.bias"], 2, axis=0).tobytes()


def test_noise_is_of_the_size_asked_for_and_the_same_at_every_size():
    network = build("lenet-300-100", (28, 28), 10)
    initial = stacks.initialize(TWO, KEY, network, 0)
    ticket = stacks.prune(TWO, initial, None, ladder(network, Pruning(), 8))
    _, half = stacks.control(TWO, KEY, network, arm("noise-0.5"), 8, 1, ticket, initial)
    masks, twice = stacks.control(TWO, KEY, network, arm("noise-2"), 8, 1, ticket, initial)
    for layer in network.layers:
        kept = masks[layer.weight_name] == 1
        noise = (twice[layer.weight_name] - initial[layer.weight_name])[kept]
        assert noise.std() == pytest.approx(2 * layer.deviation(), rel=0.1)
        assert abs(noise.mean()) < 0.2 * layer.deviation()
        assert not twice[layer.weight_name][~kept].any()
        less = (half[layer.weight_name] - initial[layer.weight_name])[kept]
        assert less == pytest.approx(noise / 4, abs=1e-6)
    for name in ("fc1.bias", "output.bias"):
        assert (twice[name] == initial[name]).all()


def test_a_mask_rewound_once_more_is_its_ticket():
    """The arm `continued`: another arm's mask, the initial weights."""
    initial, ticket = initial_and_masks()
    masks, start = stacks.control(TWO, KEY, NETWORK, arm("continued"), 3, 1, ticket, initial)
    assert as_bytes(masks) == as_bytes(ticket)
    assert as_bytes(start) == as_bytes(tickets.rewind(initial, ticket))
