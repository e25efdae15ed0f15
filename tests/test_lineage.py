"""Which file each mask and start is made from, written out by hand, so that rules, plan and verification cannot all be
wrong together.
"""

import pytest

from lottery.arms import lineage
from lottery.arms.places import Place, Replicates
from lottery.arms.rows import ARMS
from lottery.settings import Experiment

TRANSFERRED = {"transferred", "moved", "aligned"}
"""Arms that name another experiment."""


def settings(rewind_iteration: int, **transferred: str) -> Experiment:
    arms = [{"arm": name} for name in ARMS if name not in TRANSFERRED]
    arms += [{"arm": name, "from_experiment": other} for other in transferred.values() for name in sorted(TRANSFERRED)]
    return Experiment.model_validate(
        {
            "dataset": "mnist",
            "network": "lenet-30-10",
            "rewind_iteration": rewind_iteration,
            "levels": 3,
            "replicates": 2,
            "replicates_per_job": 2,
            "arms": arms,
        }
    )


POINTS = (100, 300, 500, 1000, 2000)
RETRAINED = [
    f"{how}-at-{k}" for how in ("learning-rate-rewinding", "fine-tuning", "low-rate-rewinding") for k in POINTS
]
PRUNED_ALIKE = ["iterative", "continued-chain", *(f"iterative-at-{k}" for k in POINTS), *RETRAINED]
COMPARING = ["initial-magnitude", "magnitude-increase", "movement", "both-large", "same-sign"]
AT_ONCE = ["one-shot", "one-shot-linear", "one-shot-random", *(f"one-shot-{criterion}" for criterion in COMPARING)]
OF_ITERATIVE = ["iterative-reinit", "iterative-same-sign", "iterative-twin", "random", "own-values"]
OF_ITERATIVE += ["iterative-untrained", "iterative-constant-untrained", "random-untrained"]
OF_ITERATIVE += ["iterative-reinit-twin", "random-twin", "signs-turned", "signs-random", "constant", "values-shuffled"]
OF_ITERATIVE += ["constant-random-signs", "values-shuffled-same-sign"]
OF_ITERATIVE += [f"noise-{noise}" for noise in ("0.5", "1", "2", "3")]
DENSE_START, DENSE_TRAINED = "dense/level0/start", "dense/level0/trained"

SCORED = ["snip", "grasp", "synflow"]
"""Arms pruned before training by scores in a file."""

UNTRAINED = ("untrained", "constant-untrained")
LEARNT = [f"{learner}-{kind}" for learner in ("supermask", "edge-popup") for kind in UNTRAINED]

# The files that make the mask at levels 1 and 3.
MASK_FROM: dict[str, tuple[set[str], set[str]]] = {
    "iterative-other-batches": (
        {"dense-twin/level0/trained"},
        {"iterative-other-batches/level2/trained", "iterative-other-batches/level2/mask"},
    ),
    **{name: ({DENSE_TRAINED}, {f"{name}/level2/trained", f"{name}/level2/mask"}) for name in PRUNED_ALIKE},
    **{name: ({DENSE_TRAINED},) * 2 for name in AT_ONCE},
    **{f"one-shot-{criterion}": ({DENSE_TRAINED, DENSE_START},) * 2 for criterion in COMPARING},
    "one-shot-sensitivity": ({"one-shot-sensitivity/level1/scores"}, {"one-shot-sensitivity/level3/scores"}),
    **{name: ({DENSE_START},) * 2 for name in ("initial-magnitude", "initial-magnitude-inverted", "initial-random")},
    **{f"one-shot-{kind}": ({DENSE_TRAINED},) * 2 for kind in UNTRAINED},
    **{f"one-shot-same-sign-{kind}": ({DENSE_TRAINED, DENSE_START},) * 2 for kind in UNTRAINED},
    **{name: ({f"{name}/level1/scores"}, {f"{name}/level3/scores"}) for name in LEARNT},
    **{
        name: ({f"{name}/level1/scores"}, {f"{name}/level3/scores"})
        for method in SCORED
        for name in (method, f"{method}-inverted")
    },
    **{
        f"{method}-{control}": ({f"{method}/level1/mask"}, {f"{method}/level3/mask"})
        for method in (*SCORED, "initial-magnitude")
        for control in ("shuffled", "reinit")
    },
    **{name: ({"iterative/level1/mask"}, {"iterative/level3/mask"}) for name in OF_ITERATIVE},
    **{
        name: ({"one-shot/level1/mask"}, {"one-shot/level3/mask"})
        for name in ("one-shot-reinit", "one-shot-shuffled", "one-shot-twin")
    },
    **{
        name: ({f"iterative-at-{k}/level1/mask"}, {f"iterative-at-{k}/level3/mask"})
        for k in POINTS
        for control in ("reinit-at", "random-at")
        for name in (f"{control}-{k}", f"{control}-{k}-twin", f"iterative-at-{k}-twin")
    },
    "one-shot-linear-reinit": ({"one-shot-linear/level1/mask"}, {"one-shot-linear/level3/mask"}),
    "continued": ({"continued-chain/level1/mask"}, {"continued-chain/level3/mask"}),
}

# Arms whose starting weights are made from no earlier weights, and those with a rewind point of their own.
FRESH = {"dense", "small-dense", "iterative-reinit", "one-shot-reinit", "one-shot-linear-reinit"}
FRESH |= {f"{method}-reinit" for method in (*SCORED, "initial-magnitude")}
FRESH |= {"iterative-reinit-twin", *(f"reinit-at-{k}{twin}" for k in POINTS for twin in ("", "-twin"))}
OWN_POINT = {f"low-rate-rewinding-at-{k}" for k in POINTS} | {
    f"dense{twin}-at-{k}" for k in POINTS for twin in ("", "-twin")
}
OWN_POINT |= {f"{arm}-at-{k}{twin}" for arm in ("iterative", "random") for k in POINTS for twin in ("", "-twin")}

# Those that go on from the weights that their mask was pruned from.
CONTINUED = {
    "continued-chain",
    *(f"{how}-at-{k}" for how in ("learning-rate-rewinding", "fine-tuning") for k in POINTS),
}


def read(name: str, verb: str, level: int, rewind_iteration: int = 0) -> set[str]:
    place = Place("own", Replicates(0, 1), name, level)
    files = lineage.files_read(place, verb, settings(rewind_iteration))
    assert {file.experiment for file, _ in files} <= {"own"}
    assert {file.replicates for file, _ in files} <= {Replicates(0, 1)}
    return {f"{file.arm}/level{file.level}/{kind}" for file, kind in files}


def test_the_table_names_every_arm_with_a_mask():
    assert set(MASK_FROM) == {arm.name for arm in ARMS.values() if arm.masked} - TRANSFERRED


@pytest.mark.parametrize("name", MASK_FROM)
@pytest.mark.parametrize("level", [1, 3])
def test_masks_are_made_from(name, level):
    expected = MASK_FROM[name][level == 3]
    verb = lineage.maker(Place("own", Replicates(0, 1), name, level), "mask")
    checkpoint = {DENSE_START} if verb == "make-control" and name not in FRESH else set()
    if name in OWN_POINT and checkpoint:
        checkpoint = {"dense/level0/snapshots"}
    assert read(name, verb, level) == expected | checkpoint


def test_scores_are_made_from_the_weights_that_are_pruned():
    assert read("one-shot-sensitivity", "score", 3) == {DENSE_TRAINED}
    for name in LEARNT:
        assert read(name, "score", 3) == {DENSE_START}
        assert read(name, "score", 3, 300) == {"dense/level0/snapshots"}, "what it is learnt on is where it starts"
    assert read("synflow", "score", 3) == read("snip-inverted", "score", 1) == {DENSE_START}


@pytest.mark.parametrize("name", sorted(set(ARMS) - TRANSFERRED))
@pytest.mark.parametrize("rewind_iteration", [0, 300])
def test_starting_weights_are_made_from(name, rewind_iteration):
    level = 0 if name.startswith("dense") else 3
    verb = lineage.maker(Place("own", Replicates(0, 1), name, level), "start")
    found = {file for file in read(name, verb, level, rewind_iteration) if not file.endswith("/mask")}
    late = "dense/level0/snapshots"
    if name in FRESH:
        assert found == set()
    elif name in CONTINUED:
        assert found == {f"{name}/level2/trained"}
    elif name in OWN_POINT or rewind_iteration:
        assert found == {late}
    else:
        assert found == {DENSE_START}


@pytest.mark.parametrize("name", ["moved", "aligned"])
def test_a_moved_mask_has_the_experiments_own_start(name):
    place = Place("own", Replicates(0, 1), name, 2)
    files = lineage.files_read(place, "make-control", settings(0, other="other"))
    matched = {(experiment, "dense", 0, "trained") for experiment in ("own", "other")} if name == "aligned" else set()
    assert {(file.experiment, file.arm, file.level, kind) for file, kind in files} == matched | {
        ("other", "iterative", 2, "mask"),
        ("own", "dense", 0, "start"),
    }


def test_a_transferred_ticket_and_its_start_are_the_other_experiments():
    place = Place("own", Replicates(0, 1), "transferred", 2)
    files = lineage.files_read(place, "make-control", settings(0, other="other"))
    assert {(file.experiment, file.arm, file.level, kind) for file, kind in files} == {
        ("other", "iterative", 2, "mask"),
        ("other", "dense", 0, "start"),
    }


@pytest.mark.parametrize(
    ("name", "iteration"),
    [
        ("dense", 0),
        ("dense-twin", 300),
        ("iterative", 300),
        ("iterative-reinit", 300),
        ("random", 300),
        ("small-dense", 0),
        ("iterative-at-500", 500),
        ("iterative-at-500-twin", 500),
        ("reinit-at-500", 500),
        ("random-at-100", 100),
        ("dense-twin-at-2000", 2000),
        ("fine-tuning-at-1000", 1000),
        ("continued", 300),
    ],
)
def test_training_begins_at(name, iteration):
    assert lineage.rewound_to(ARMS[name], settings(300)) == iteration


def test_the_dense_network_keeps_every_point_that_tickets_are_rewound_to():
    dense = Place("own", Replicates(0, 1), "dense", 0)
    assert lineage.snapshots_of(dense, settings(300)) == [100, 300, 500, 1000, 2000]
    assert lineage.snapshots_of(dense.at("iterative", 1), settings(300)) == []


def test_training_ends_at_the_last_iteration_but_for_arms_that_are_never_trained():
    assert lineage.trained_to(ARMS["iterative"], settings(300)) == settings(300).training.iterations
    assert lineage.trained_to(ARMS["iterative-untrained"], settings(300)) == 300
    assert lineage.trained_to(ARMS["supermask-untrained"], settings(0)) == 0
    assert [name for name, row in ARMS.items() if not row.trained] == [name for name in ARMS if "untrained" in name]
