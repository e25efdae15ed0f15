"""Claims of Appendix G on made-up tables with known answers: several experiments of LeNet side by side."""

import math

import numpy as np
import pandas as pd
import pytest
from conftest import experiment

from lottery.analysis.claims import judge
from lottery.analysis.experiment import NotRun, TrainedExperiment
from lottery.analysis.measures import GainByWeights
from lottery.analysis.tables import LEVELS
from lottery.networks import build
from lottery.pruning.allocation import ladder, remaining
from lottery.settings import Experiment
from lottery.settings.columns import recipe_columns

LENET = "lenet-300-100"


def made_up(
    name: str,
    network: str = LENET,
    *,
    points: float = 0.0,
    slower: float = 1.0,
    back_at: int = 12_000,
    fast_tickets: bool = True,
    **recipe: object,
) -> pd.DataFrame:
    """Three replicates of an experiment's dense network and tickets.

    points: how much more accurate all its networks are than those of others with as many weights. slower: how many
    times as long they take. back_at: weights at which tickets, better above and worse below, are as accurate as the
    dense network. fast_tickets: whether tickets are faster, down to 1%, rather than slower.
    """
    whole = Experiment.model_validate(experiment(network=network, **{"training": {}} | recipe))
    built = build(network, (28, 28), 10)
    random = np.random.default_rng(len(name))
    rows = []
    for level in range(40):
        counts = ladder(built, whole.pruning, level)
        weights, size = sum(counts.values()), remaining(built, counts)
        if weights < 2_000:
            break
        gain = 0.4 * min(math.log(weights / back_at), 1) if level else 0
        faster = 1 if not level else 0.7 if fast_tickets and size > 0.01 else 1 if fast_tickets else 1.3
        for replicate in range(3):
            row = dict.fromkeys(LEVELS, 0.0) | {
                "experiment": name,
                "arm": "iterative" if level else "dense",
                "replicate": replicate,
                "level": level,
                "weights": weights,
                "weights_remaining": size,
                "early_stop_iteration": round(4000 * slower * faster * (1 + random.normal(0, 0.005))),
                "validation_accuracy_at_early_stop": 0.975 + (gain + points + random.normal(0, 0.01)) / 100,
                "dataset": "mnist",
                "network": network,
                "diverged_iteration": math.nan,
            }
            rows.append(row | recipe_columns(whole))
    return pd.DataFrame(rows, columns=LEVELS)


def verdicts(*tables: pd.DataFrame) -> dict[tuple[str, str], str]:
    judged = judge(pd.concat(tables, ignore_index=True))
    chosen = judged[judged["id"].str.startswith("G")]
    return dict(zip(zip(chosen["experiment"], chosen["id"], strict=True), chosen["verdict"], strict=True))


def adam(rate: float, **how: object) -> pd.DataFrame:
    return made_up(f"adam-{rate}", training={"learning_rate": rate}, **how)


def sgd(rate: float, momentum: float = 0.0, **how: object) -> pd.DataFrame:
    training = {"optimizer": "sgd", "learning_rate": rate, "momentum": momentum}
    return made_up(f"sgd-{rate}-{momentum}", training=training, **how)


def normal(sd: float, **how: object) -> pd.DataFrame:
    return made_up(f"normal-{sd}", initialisation={"weights": "normal", "sd": sd}, **how)


def pruned(rate: float, **how: object) -> pd.DataFrame:
    return made_up(f"pruning-{rate}", pruning={"dense_rate": rate, "output_rate": rate / 2}, **how)


BASE = made_up("lenet-mnist")

AS_THE_PAPER_SAYS = [
    BASE,
    adam(0.000025, slower=12),
    adam(0.0002, slower=4),
    adam(0.002),
    sgd(0.4),
    sgd(0.0125, slower=6),
    sgd(0.1, 0.9),
    sgd(0.025, 0.9, points=0.2, fast_tickets=False),
    pruned(0.1),
    pruned(0.4, points=-0.3),
    pruned(0.6, points=-0.5),
    normal(0.1),
    normal(0.4, points=-0.5),
    made_up("narrow", "lenet-100-34", points=-0.4),
    made_up("wide", "lenet-900-300", points=0.2),
]

OPPOSITE = [
    BASE,
    adam(0.000025),
    adam(0.0002, slower=0.5, points=-1, fast_tickets=False, back_at=150_000),
    sgd(0.4, slower=2, fast_tickets=False, back_at=150_000),
    pruned(0.1, points=-1),
    pruned(0.4, points=0.3),
    normal(0.1, points=-1, fast_tickets=False, back_at=150_000),
    normal(0.4, points=0.5),
    made_up("narrow", "lenet-100-34", points=0.4, back_at=30_000),
    made_up("wide", "lenet-900-300", points=-0.4, back_at=3_000),
]


def test_every_claim_is_replicated_when_hyperparameters_matter_as_the_paper_says():
    found = verdicts(*AS_THE_PAPER_SAYS)
    # Tickets of momentum 0.025 improve here as those of all experiments do.
    assert found.pop(("sgd-0.025-0.9", "G3d")) == "not replicated"
    assert set(found.values()) == {"replicated"}, found


def test_which_experiments_a_claim_speaks_of():
    found = verdicts(*AS_THE_PAPER_SAYS)
    of = {name: {claim for experiment, claim in found if experiment == name} for name, _ in found}
    assert "lenet-mnist" not in of, "the paper's own recipe is what others are compared with"
    assert of["adam-2.5e-05"] == {"G1a", "G1b", "G2a", "G2c"}
    assert of["adam-0.0002"] == {"G1a", "G1b", "G2b", "G2c"}
    assert of["adam-0.002"] == {"G1a", "G1b", "G2b"}
    assert of["sgd-0.4-0.0"] == {"G1a", "G1b", "G3a", "G3b"}
    assert of["sgd-0.1-0.9"] == {"G3c"}
    assert of["sgd-0.025-0.9"] == {"G3d"}
    assert of["pruning-0.1"] == {"G4b"}
    assert of["pruning-0.4"] == {"G4a"}
    assert of["normal-0.1"] == {"G1a", "G1b", "G5a"}
    assert of["narrow"] == {"G6a", "G6c", "G6d"}
    assert of["wide"] == {"G6b", "G6c", "G6d"}


def test_no_claim_is_replicated_when_they_matter_the_other_way():
    found = verdicts(*OPPOSITE)
    # What the opposite of a claim about one experiment leaves as it was.
    assert {name for name, verdict in found.items() if verdict == "replicated"} == {
        *(("adam-2.5e-05", claim) for claim in ("G1a", "G1b")),
        *(("normal-0.4", claim) for claim in ("G1a", "G1b")),
        ("narrow", "G6d"),
        ("wide", "G6c"),
    }
    assert found["adam-2.5e-05", "G2c"] == "inconclusive", "as soon as the other"


def test_momentum_without_gain():
    assert verdicts(BASE, sgd(0.025, 0.9, back_at=10**7))["sgd-0.025-0.9", "G3d"] == "replicated"


def test_without_the_second_experiment_nothing_is_compared():
    found = verdicts(pruned(0.4), normal(0.1))
    assert found["pruning-0.4", "G4a"] == found["normal-0.1", "G5a"] == "not run"


def test_tickets_are_compared_at_as_many_weights():
    """Accuracy falls with the logarithm of the size here, so a line between two sizes has the exact value."""
    narrow, wide = (
        TrainedExperiment(made_up(network, network, back_at=200_000, points=points).assign(early_stop_iteration=1000))
        for network, points in (("lenet-100-34", 0.0), ("lenet-900-300", 0.25))
    )
    gain = GainByWeights("iterative", 200_000, 3_000).found(wide, narrow)
    assert gain.numbers.to_numpy() == pytest.approx(0.25, abs=0.01)
    assert gain.remarks == ("compared with lenet-100-34",)
    with pytest.raises(NotRun, match="fewer than two sizes of tickets in common"):
        GainByWeights("iterative", 200_000, 150_000).found(wide, narrow)
