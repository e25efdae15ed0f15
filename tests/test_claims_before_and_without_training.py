"""Claims about pruning before training and about untrained networks, on made-up tables with known answers."""

import numpy as np
import pandas as pd
import pytest
from test_claims import made_up_levels

from lottery.analysis.claims import judge
from lottery.analysis.claims_before_training import BEFORE_TRAINING, METHODS
from lottery.analysis.claims_untrained import UNTRAINED

CONTROLS = ("-shuffled", "-reinit")


def table(accuracies: dict[str, float], **columns: object) -> pd.DataFrame:
    """Arms that are everywhere about as accurate at the end as is said, and the dense network."""
    levels = made_up_levels(tickets_win=True)
    dense, ticket = levels[levels["arm"] == "dense"], levels[levels["arm"] == "iterative"]
    random = np.random.default_rng(0)
    rows = [
        like.assign(arm=arm, test_accuracy_final=accuracy + random.normal(0, 0.0005, len(like)))
        for arm, accuracy in accuracies.items()
        for like in [dense if arm == "dense" else ticket]
    ]
    return pd.concat(rows, ignore_index=True).assign(**columns)


def verdicts(levels: pd.DataFrame) -> dict[str, str]:
    return judge(levels).set_index("id")["verdict"].to_dict()


def before_training(*, as_they_say: bool) -> pd.DataFrame:
    sign = 1 if as_they_say else -1
    of_methods = {
        f"{method}{control}": 0.95 - 0.01 * (not as_they_say and control != "")
        for method in METHODS
        for control in ("", *CONTROLS)
    }
    after = {f"one-shot{control}": 0.95 + 0.02 * sign - (0.01 * sign if control else 0) for control in ("", *CONTROLS)}
    others = {"dense": 0.98, "initial-random": 0.95 - 0.02 * sign}
    inverted = {f"{method}-inverted": 0.95 - 0.05 * sign for method in METHODS}
    return table(of_methods | after | others | inverted, pruning_scope="global", experiment="global")


def untrained(*, as_they_say: bool) -> pd.DataFrame:
    """In one of two widths."""
    good, bad = (0.6, 0.3) if as_they_say else (0.3, 0.6)
    accuracies = {
        "dense": 0.98 if as_they_say else 0.2,
        "iterative-untrained": good,
        "random-untrained": 0.1 if as_they_say else 0.5,
        "one-shot-untrained": bad,
        "one-shot-same-sign-untrained": 0.5,
        "one-shot-same-sign-constant-untrained": 0.85 if as_they_say else 0.45,
        "supermask-untrained": 0.94 if as_they_say else 0.25,
        "edge-popup-untrained": 0.94 if as_they_say else 0.25,
    }
    step = 0.02 if as_they_say else -0.02
    wide = {name: accuracies[name] + step for name in ("supermask-untrained", "edge-popup-untrained")} | {"dense": 0.98}
    narrow = {name: accuracy - step for name, accuracy in wide.items()}
    widths = [
        table(each, network=f"lenet-{name}", experiment=name)
        for name, each in (("900-300", wide), ("75-25", {**narrow, "dense": 0.98}))
    ]
    return pd.concat([table(accuracies), *widths], ignore_index=True)


@pytest.mark.parametrize("as_they_say", [True, False])
def test_verdicts_on_pruning_before_training(as_they_say):
    expected = "replicated" if as_they_say else "not replicated"
    assert verdicts(before_training(as_they_say=as_they_say)) == {claim.id: expected for claim in BEFORE_TRAINING}


@pytest.mark.parametrize("as_they_say", [True, False])
def test_verdicts_on_untrained_networks(as_they_say):
    found = verdicts(untrained(as_they_say=as_they_say))
    ours = {claim.id: found[claim.id] for claim in UNTRAINED}
    assert ours == dict.fromkeys(ours, "replicated" if as_they_say else "not replicated")


def test_they_speak_of_no_run_without_their_arms():
    ids = {claim.id for claim in (*BEFORE_TRAINING, *UNTRAINED)}
    assert not ids & set(verdicts(made_up_levels(tickets_win=True)))
    assert not ids & set(verdicts(table({"dense": 0.98, "iterative": 0.98}, pruning_scope="global")))
