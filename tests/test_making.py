"""What the masks and starting weights of a job's members are made of, and what their key alone decides.

Each control differs from its ticket in exactly one thing.
"""

import numpy as np
import pytest
from conftest import experiment

from lottery.arms import operations
from lottery.arms.operations import rewind, scores_of_weights, shuffled
from lottery.arms.places import Place, Replicates
from lottery.arrays import Arrays, of_member
from lottery.datasets.catalog import SOURCES
from lottery.datasets.sources import Source
from lottery.networks import build
from lottery.pruning.allocation import ladder
from lottery.pruning.criteria import magnitude
from lottery.randomness import Seed, split_generator
from lottery.runs import making
from lottery.runs.jobs import Job
from lottery.settings import Pruning, Settings

NETWORK = build("lenet-12-7", (4, 5), 4)
TWO = Replicates(1, 2)
WEIGHTS = NETWORK.weight_names()


@pytest.fixture(autouse=True)
def few_pixels(own_names) -> None:
    """A dataset whose images are so small that no two of a network's random weights are equal."""
    SOURCES["few-pixels"] = Source("few-pixels", "idx", 4, 600, 100, (4, 5), ())


def job(
    arm: str,
    level: int,
    draws: int = 1,
    replicates: Replicates = TWO,
    seed: int = 0,
    name: str = "lenet-mnist",
    **changes: object,
) -> Job:
    """A job of an experiment of one arm."""
    values = {"network": "lenet-12-7", "dataset": "few-pixels", "arms": [{"arm": arm, "draws": draws}]} | changes
    settings = {"run": "x", "seed": seed, "run_experiments": [name], "experiments": {name: experiment(**values)}}
    return Job(Settings.model_validate(settings), Place(name, replicates, arm, level))


def initial_weights(**changes: object) -> Arrays:
    return making.starts(job("dense", changes.pop("level", 0), **changes), None, None)


def as_bytes(arrays: Arrays) -> dict[str, bytes]:
    return {name: values.tobytes() for name, values in arrays.items()}


def initial_and_masks() -> tuple[Arrays, Arrays]:
    """Two replicates' initial weights, and masks that keep the largest of them."""
    initial = initial_weights()
    return initial, making.pruned_masks(job("iterative", 3), initial, None, None)


def control(made: Job, ticket: Arrays, checkpoint: Arrays) -> tuple[Arrays, Arrays]:
    """Masks and starting weights of an arm that takes or imitates the masks of tickets."""
    masks = making.imitated_masks(made, ticket)
    return masks, making.starts(made, checkpoint, masks)


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


def test_a_shuffled_mask_keeps_the_count_of_each_layer_and_nothing_else():
    ticket = some_mask()
    drawn = shuffled(ticket, np.random.default_rng(5))
    for name, layer in ticket.items():
        assert drawn[name].dtype == np.uint8
        assert drawn[name].sum() == layer.sum()
        assert set(np.unique(drawn[name])) <= {0, 1}
        # Bug of Synaptic-Flow: a shuffle that changes nothing.
        assert (drawn[name] != layer).any()


def test_a_shuffled_mask_places_weights_evenly():
    ticket = {"layer": np.array([[1, 1, 0, 0, 0, 0, 0, 0]], np.uint8)}
    random = np.random.default_rng(0)
    often = sum(shuffled(ticket, random)["layer"].astype(int) for _ in range(4000)) / 4000
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


def test_initial_weights_depend_on_their_key_alone():
    both = initial_weights()
    assert as_bytes(both) == as_bytes(initial_weights())
    for index, replicate in enumerate((1, 2)):
        alone = initial_weights(replicates=Replicates(replicate, replicate))
        assert as_bytes(of_member(both, index)) == as_bytes(of_member(alone, 0)), "whoever else is in the job"
    weights = [both["fc1.weight"][0], both["fc1.weight"][1]]
    for change in ({"level": 1}, {"seed": 1}, {"name": "other"}):
        weights += [initial_weights(**change)["fc1.weight"][0]]
    assert len({values.tobytes() for values in weights}) == len(weights)


def test_experiments_of_one_seed_name_have_the_same_initial_weights():
    assert as_bytes(initial_weights(name="other", seed_name="lenet-mnist")) == as_bytes(initial_weights())


def test_every_member_is_pruned_by_its_own_weights_within_its_own_mask():
    initial, masks = initial_and_masks()
    counts = ladder(NETWORK, Pruning(), 4)
    smaller = making.pruned_masks(job("iterative", 4), initial, None, masks)
    for index in range(2):
        weights, mask = of_member(initial, index), of_member(masks, index)
        scores = scores_of_weights(magnitude, weights, weights, mask, WEIGHTS, np.random.default_rng())
        assert as_bytes(of_member(smaller, index)) == as_bytes(operations.prune(scores, mask, counts))


def test_a_reinitialised_control_keeps_its_tickets_mask_and_none_of_its_weights():
    initial, ticket = initial_and_masks()
    masks, start = control(job("iterative-reinit", 3, draws=2), ticket, initial)
    for name, kept in masks.items():
        assert (kept == np.repeat(ticket[name], 2, axis=0)).all()
        assert not start[name][kept == 0].any()
        survivors = [initial[name][index // 2][mask == 1] for index, mask in enumerate(kept)]
        drawn = [values[mask == 1] for values, mask in zip(start[name], kept, strict=True)]
        everything = np.concatenate([initial[name][0][kept[0] == 1], initial[name][1][kept[2] == 1], *drawn])
        assert all((ours != theirs).all() for ours, theirs in zip(drawn, survivors, strict=True))
        assert len(np.unique(everything)) == len(everything), "no draw repeats another"


def test_a_random_control_has_the_tickets_counts_and_its_initial_weights():
    initial, ticket = initial_and_masks()
    masks, start = control(job("random", 3, draws=2), ticket, initial)
    for name, kept in masks.items():
        placed = np.repeat(ticket[name], 2, axis=0)
        assert (kept.sum(axis=(1, 2)) == placed.sum(axis=(1, 2))).all()
        assert all((mask != other).any() for mask, other in zip(kept, placed, strict=True))
        assert (kept[0] != kept[1]).any(), "draws of one replicate differ"
        assert start[name].tobytes() == np.where(kept, np.repeat(initial[name], 2, axis=0), 0).astype("f4").tobytes()


def test_a_control_with_the_tickets_own_values_has_them_elsewhere():
    initial, ticket = initial_and_masks()
    masks, start = control(job("own-values", 3, draws=2), ticket, initial)
    for name, kept in masks.items():
        assert (kept == np.repeat(ticket[name], 2, axis=0)).all()
        assert not start[name][kept == 0].any()
        for index, mask in enumerate(kept):
            own = initial[name][index // 2][mask == 1]
            drawn = start[name][index][mask == 1]
            assert set(drawn.tolist()) <= set(own.tolist()), "values of this layer and replicate alone"
            assert (drawn != own).mean() > 0.5
        assert start[name][0].tobytes() != start[name][1].tobytes()
    assert start["fc1.bias"].tobytes() == np.repeat(initial["fc1.bias"], 2, axis=0).tobytes()


def test_a_control_with_the_tickets_signs_has_sizes_of_its_own():
    initial, ticket = initial_and_masks()
    masks, start = control(job("iterative-same-sign", 3, draws=2), ticket, initial)
    _, fresh = control(job("iterative-reinit", 3, draws=2), ticket, initial)
    for name, kept in masks.items():
        assert (kept == np.repeat(ticket[name], 2, axis=0)).all()
        assert not start[name][kept == 0].any()
        assert (np.abs(start[name]) == np.abs(fresh[name])).all(), "the fresh sample of the other control"
        signs = np.sign(np.repeat(initial[name], 2, axis=0))
        assert (np.sign(start[name]) == signs)[kept == 1].all()
        assert (start[name] != fresh[name])[kept == 1].any()
        assert start[name][0].tobytes() != start[name][1].tobytes()


def test_noise_is_of_the_size_asked_for_and_the_same_at_every_size():
    network, lenet = build("lenet-300-100", (28, 28), 10), {"network": "lenet-300-100", "dataset": "mnist"}
    initial = initial_weights(**lenet)
    ticket = making.pruned_masks(job("iterative", 8, **lenet), initial, None, None)
    _, half = control(job("noise-0.5", 8, **lenet), ticket, initial)
    masks, twice = control(job("noise-2", 8, **lenet), ticket, initial)
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


@pytest.mark.parametrize("arm", ["continued", "iterative-twin"])
def test_a_mask_rewound_once_more_is_its_ticket(arm):
    """Another arm's mask, the initial weights."""
    initial, ticket = initial_and_masks()
    masks, start = control(job(arm, 3), ticket, initial)
    assert as_bytes(masks) == as_bytes(ticket)
    assert as_bytes(start) == as_bytes(rewind(initial, ticket))
