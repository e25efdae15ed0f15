"""Starting weights that differ from a ticket's in one thing: what each keeps, and what it changes."""

from functools import partial

import numpy as np
import pytest

from lottery.arms.lineage import arm, made_from, rewound_to
from lottery.arms.places import Place, Replicates
from lottery.arms.rows import ARMS
from lottery.arms.starts import Ingredients
from lottery.arrays import Arrays
from lottery.networks import build
from lottery.randomness import Seed
from lottery.runs.jobs import Job
from lottery.settings import Experiment, Initialisation, Settings
from lottery.training.loop import rates

NETWORK = build("lenet-30-10", (28, 28), 10)
CHECKPOINT = NETWORK.initial(np.random.default_rng(0)) | {"fc1.bias": np.full(30, 0.5, np.float32)}
MASK = {
    name: (np.random.default_rng(1).random(NETWORK.shapes()[name]) < 0.3).astype(np.uint8)
    for name in NETWORK.weight_names()
}


def start(name: str, draw: int = 0) -> Arrays:
    seed = Seed(0, "e", 0)
    random = partial(seed.generator, level=2, draw=draw)
    return ARMS[name].start.weights(Ingredients(CHECKPOINT, MASK, NETWORK, Initialisation(), random))


def kept(arrays: Arrays, name: str) -> np.ndarray:
    return arrays[name][MASK[name] == 1]


SAMPLED = ["signs-random", "constant-random-signs", "values-shuffled", "values-shuffled-same-sign"]
DETERMINED = ["signs-turned", "constant"]


@pytest.mark.parametrize("name", [*SAMPLED, *DETERMINED])
def test_pruned_weights_are_0_and_biases_the_checkpoints(name):
    made = start(name)
    for weights in NETWORK.weight_names():
        assert made[weights].dtype == np.float32
        assert not made[weights][MASK[weights] == 0].any()
        assert kept(made, weights).all(), "no survivor begins at 0"
    assert made["fc1.bias"].tobytes() == CHECKPOINT["fc1.bias"].tobytes()


@pytest.mark.parametrize("name", [*SAMPLED, *DETERMINED])
def test_draws_differ_where_the_arm_samples(name):
    differ = any((start(name, 0)[weights] != start(name, 1)[weights]).any() for weights in NETWORK.weight_names())
    assert differ == (name in SAMPLED) == ARMS[name].samples


@pytest.mark.parametrize("weights", NETWORK.weight_names())
def test_signs_and_magnitudes_that_stay(weights):
    ticket = kept(CHECKPOINT, weights)
    made = {name: kept(start(name), weights) for name in [*SAMPLED, *DETERMINED]}
    assert (made["signs-turned"] == -ticket).all()
    assert (np.abs(made["signs-random"]) == np.abs(ticket)).all()
    assert (np.sign(made["constant"]) == np.sign(ticket)).all()
    assert (np.sign(made["values-shuffled-same-sign"]) == np.sign(ticket)).all()
    (layer,) = (each for each in NETWORK.layers if each.weight_name == weights)
    for name in ("constant", "constant-random-signs"):
        assert (np.abs(made[name]) == np.float32(layer.deviation())).all()
    assert sorted(made["values-shuffled"]) == sorted(ticket)
    assert sorted(np.abs(made["values-shuffled-same-sign"])) == sorted(np.abs(ticket))
    for name in ("signs-random", "constant-random-signs"):
        share = (np.sign(made[name]) == np.sign(ticket)).mean()
        assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(ticket.size), "half of the signs stay"
    for name in ("values-shuffled", "values-shuffled-same-sign"):
        assert (made[name] != ticket).mean() > 0.8


RETRAINED = Settings.model_validate(
    {
        "run": "r",
        "run_experiments": ["e"],
        "experiments": {
            "e": {
                "dataset": "mnist",
                "network": "lenet-30-10",
                "training": {
                    "iterations": 1000,
                    "learning_rate": 0.1,
                    "warmup_iterations": 200,
                    "rate_drops": [400, 700],
                    "engine": "torch",
                },
                "levels": 3,
                "replicates": 1,
                "replicates_per_job": 1,
                "arms": [{"arm": "iterative"}],
            }
        },
    }
)


def retrained(name: str, level: int = 2) -> Job:
    return Job(RETRAINED, Place("e", Replicates(0, 0), name, level))


@pytest.mark.parametrize(
    ("name", "weights_of", "falling"),
    [
        ("iterative-at-300", ("dense", 300), True),
        ("low-rate-rewinding-at-300", ("dense", 300), False),
        ("learning-rate-rewinding-at-300", ("own", "trained"), True),
        ("fine-tuning-at-300", ("own", "trained"), False),
    ],
)
def test_weights_and_schedule_are_set_back_each_by_itself(name, weights_of, falling):
    job = retrained(name)
    checkpoint = job.inputs.checkpoint
    assert checkpoint
    assert job.first_iteration == rewound_to(arm(name), job.experiment) == 300
    expected = (name, 1) if weights_of[0] == "own" else ("dense", 0)
    assert (checkpoint.place.arm, checkpoint.place.level, checkpoint.moment) == (*expected, weights_of[1])
    assert job.inputs.scored
    assert (job.inputs.scored.place.arm, job.inputs.scored.moment) == (name, "trained")
    found = [rates(job.training, update, update + 1)[0] for update in (300, 399, 400, 700, 999)]
    schedule = [0.1, 0.1, 0.01, 0.001, 0.001] if falling else [0.001] * 5
    assert found == pytest.approx(schedule)
    assert job.training.iterations == 1000
    assert job.training.engine == "torch"


def test_learning_rate_rewinding_begins_with_the_weights_that_were_pruned():
    first = made_from(Place("e", Replicates(0, 0), "fine-tuning-at-300", 1), RETRAINED.experiments["e"])
    assert first.checkpoint == first.scored
    assert first.checkpoint
    assert (first.checkpoint.place.arm, first.checkpoint.moment) == ("dense", "trained")


def test_a_schedule_that_is_not_set_back_is_as_valid_as_one_that_is():
    recipe = retrained("fine-tuning-at-300").training
    assert type(recipe).model_validate(recipe.model_dump()) == recipe
    assert Experiment.model_validate(RETRAINED.experiments["e"].model_dump()).training.rate_drops == [400, 700]
