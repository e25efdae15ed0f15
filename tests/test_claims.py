"""Claims: intervals and verdicts on made-up tables with known answers."""

import math

import numpy as np
import pandas as pd
import pytest
from conftest import experiment

from lottery.analysis.claims import CLAIMS, COLUMNS, judge
from lottery.analysis.claims_lenet import ADAM, LENET
from lottery.analysis.claims_text import as_html, as_markdown
from lottery.analysis.experiment import NotFinite, NotRun, TrainedExperiment
from lottery.analysis.measures import Between, StopRatio
from lottery.analysis.tables import LEVELS
from lottery.networks import build
from lottery.pruning.allocation import ladder, remaining
from lottery.settings import Experiment, Pruning
from lottery.settings.columns import recipe_columns

NETWORK = build("lenet-300-100", (28, 28), 10)

EXPERIMENT = Experiment.model_validate(experiment(network="lenet-300-100", training={}))
"""The paper's recipe, which is the default one."""


def made_up_levels(*, tickets_win: bool, replicates: int = 3, iterations: int = 50_000) -> pd.DataFrame:
    """A table as `collect` writes it, in which tickets behave as the paper says or just the other way round."""
    random = np.random.default_rng(0)
    rows = []

    def add(arm: str, level: int, early_stop: float, accuracy: float, draws: int = 1) -> None:
        counts = ladder(NETWORK, Pruning(), level)
        for replicate in range(replicates):
            for draw in range(draws):
                noise = random.normal(0, 0.0002)
                row = dict.fromkeys(LEVELS, 0.0) | {
                    "experiment": "lenet-mnist",
                    "arm": arm,
                    "replicate": replicate,
                    "draw": draw,
                    "level": level,
                    "weights": sum(counts.values()),
                    "weights_remaining": remaining(NETWORK, counts),
                    "early_stop_iteration": round(early_stop * (1 + random.normal(0, 0.01))),
                    "test_accuracy_at_early_stop": accuracy + noise,
                    "test_accuracy_final": accuracy + noise,
                    "train_accuracy_at_early_stop": accuracy,
                    "train_accuracy_final": 1.0 if tickets_win else 0.97,
                    "dataset": "mnist",
                    "network": "lenet-300-100",
                    "diverged_iteration": math.nan,
                }
                rows.append(row | recipe_columns(EXPERIMENT) | {"iterations": iterations})

    add("dense", 0, 5000, 0.979)
    sign = 1 if tickets_win else -1
    for level in range(1, 20):
        # Faster and better down to 21%, from there back to the dense network's values at 3.6%, then worse.
        gain = min(level / 7, max((15 - level) / 8, -1))
        add("iterative", level, 5000 * (1 - 0.38 * sign * gain), 0.979 + 0.005 * sign * gain)
        add("iterative-reinit", level, 5000 * (1 + 0.5 * sign), 0.979 - 0.004 * sign, draws=2)
        add("one-shot", level, 5000 * (1 - 0.2 * sign), 0.979 + 0.001 * sign * (1 if level < 14 else -6))
        add("small-dense", level, 5000, 0.979 - 0.01 * sign)
    return pd.DataFrame(rows, columns=LEVELS)


def verdicts(levels: pd.DataFrame) -> dict[str, str]:
    found = judge(levels).set_index("id")["verdict"]
    return found[[claim.id for claim in LENET]].to_dict()


def test_every_claim_is_replicated_when_tickets_behave_as_the_paper_says():
    assert set(verdicts(made_up_levels(tickets_win=True)).values()) == {"replicated"}


def test_no_claim_is_replicated_when_they_do_the_opposite():
    opposite = verdicts(made_up_levels(tickets_win=False))
    # At 3.6% the opposite world is back at the dense network's values as well.
    assert opposite.pop("L3b") == opposite.pop("L5") == "replicated"
    assert set(opposite.values()) == {"not replicated"}, opposite


def test_one_replicate_is_inconclusive():
    assert set(verdicts(made_up_levels(tickets_win=True, replicates=1)).values()) == {"inconclusive"}


def test_pure_noise_is_inconclusive():
    levels = made_up_levels(tickets_win=True)
    random = np.random.default_rng(1)
    found = []
    for _ in range(40):
        levels["test_accuracy_at_early_stop"] = random.normal(0.98, 0.01, len(levels))
        levels["early_stop_iteration"] = np.exp(random.normal(8, 0.3, len(levels)))
        judged = verdicts(levels)
        found += [judged[name] for name in ("L1a", "L1b", "L2", "L9a", "L9b", "L12")]
    conclusive = len([verdict for verdict in found if verdict != "inconclusive"])
    assert conclusive < 0.05 * len(found)


def test_a_diverged_network_is_never_averaged_away():
    levels = made_up_levels(tickets_win=True)
    lost = levels.index[(levels["arm"] == "iterative") & (levels["level"] == 7)][0]
    measures = [name for name in levels if name.endswith(("_early_stop", "_final")) or name == "early_stop_iteration"]
    levels.loc[lost, measures] = math.nan
    levels.loc[lost, "diverged_iteration"] = 300
    before, judged = verdicts(made_up_levels(tickets_win=True)), judge(levels).set_index("id")
    for claim in ("L1c", "L2", "L9a", "SDa"):
        assert judged.loc[claim, "verdict"] == "inconclusive"
        assert judged.loc[claim, "n"] == 0
        assert "1 of 3 networks of iterative at 21.1% diverged" in judged.loc[claim, "note"]
    assert judged.loc["L4", "verdict"] == before["L4"], "claims about other sizes stay as they are"


def test_a_training_that_is_best_before_it_begins():
    """Its early stop is 0, and nothing is a multiple of that: neither one ratio nor a mean of several."""
    levels = made_up_levels(tickets_win=True)
    levels.loc[(levels["arm"] == "iterative") & (levels["replicate"] == 1), "early_stop_iteration"] = 0
    judged = judge(levels).set_index("id")
    for claim in ("L1a", "L1c"):
        assert judged.loc[claim, ["verdict", "n"]].tolist() == ["inconclusive", 0]
        assert "1 of 3 replicates have no ratio above 0" in judged.loc[claim, "note"]
    with pytest.raises(NotFinite, match="1 of 3"):
        StopRatio("iterative", Between(0.6, 0.2)).found(TrainedExperiment(levels))
    levels.loc[levels["arm"] == "dense", "early_stop_iteration"] = 0
    assert "3 of 3 replicates have no ratio above 0" in judge(levels).set_index("id").loc["L1a", "note"]


def test_replicates_that_two_arms_do_not_share():
    levels = made_up_levels(tickets_win=True)
    levels.loc[levels["arm"] == "dense", "replicate"] += 3
    judged = judge(levels).set_index("id")
    assert judged.loc["L1a", ["verdict", "n"]].tolist() == ["not run", 0]
    assert "no replicate has all that is compared" in judged.loc["L1a", "note"]


def test_what_was_not_trained_is_not_run():
    levels = made_up_levels(tickets_win=True, iterations=3000)
    judged = judge(levels[~levels["arm"].isin(["one-shot", "small-dense"])]).set_index("id")
    for name in ("L10", "L11", "L12", "SDa", "SDb", "L6", "L7a", "L7b"):
        assert judged.loc[name, "verdict"] == "not run"
        assert judged.loc[name, "n"] == 0
    assert "needs 50000 iterations, this run trains 3000" in judged.loc["L7a", "note"]
    assert "one-shot were not trained at two sizes or more from 67.6% to 17.6%" in judged.loc["L10", "note"]


def test_an_early_stop_that_is_not_reached_is_inconclusive():
    levels = made_up_levels(tickets_win=True, iterations=4000)
    levels["early_stop_iteration"] = levels["early_stop_iteration"].clip(upper=4000)
    judged = judge(levels).set_index("id")
    assert judged.loc["L3b", "verdict"] == "inconclusive", "the dense network and the 3.6% ticket both still improve"
    assert "still falls at the end of training" in judged.loc["L3b", "note"]
    assert judged.loc["L5", "verdict"] == "inconclusive", "their accuracy at early stop is not known either"
    assert judged.loc["L2", "verdict"] == "replicated", "the 21.1% ticket had its early stop before the end"
    assert "in 3 of 6 networks validation loss still fell at the end" in judged.loc["L2", "note"]
    assert "in 6 of 9 networks validation loss still fell at the end" in judged.loc["L9a", "note"], "draws are networks"


def test_equality_needs_both_early_stops():
    levels = made_up_levels(tickets_win=True, iterations=5100)
    assert verdicts(levels)["L3b"] == "replicated"
    levels.loc[levels["arm"] == "dense", "early_stop_iteration"] = 5100
    assert verdicts(levels)["L3b"] == "inconclusive", "the dense network's early stop lies beyond the end"


def test_a_run_without_small_tickets_says_nothing_of_them():
    levels = made_up_levels(tickets_win=True)
    found = verdicts(levels[levels["level"] <= 3])
    assert found["A1"] == found["L2"] == found["L4"] == found["L12"] == "not run"


def test_table_has_the_contracts_columns():
    judged = judge(made_up_levels(tickets_win=True))
    contract = "id, claim, experiment, weights_remaining, paper, ours, ci_low, ci_high, n, verdict, note"
    assert list(judged.columns)[:11] == contract.split(", ")
    assert list(judged.columns) == COLUMNS
    claims = [claim.id for claim in CLAIMS if claim.subject == ADAM]
    assert judged["id"].tolist() == claims
    assert len(set(claims)) == len(claims)
    assert judged.set_index("id").loc["L9a", "n"] == 3, "draws are averaged within their replicate"


@pytest.mark.parametrize(("level", "counts"), [(2, False), (3, True), (12, True), (13, False)])
def test_a_range_of_sizes_holds_the_sizes_at_its_ends(level, counts):
    """The paper prints sizes rounded: L6 speaks of 51.3% to 7.0%, which are 51.28% and 6.95%."""
    levels = made_up_levels(tickets_win=True)
    before = judge(levels).set_index("id").loc["L6", "ours"]
    levels.loc[(levels["arm"] == "iterative") & (levels["level"] == level), "test_accuracy_final"] += 0.01
    assert judge(levels).set_index("id").loc["L6", "ours"] == pytest.approx(before + 0.1 * counts)


def test_numbers_of_a_claim():
    levels = made_up_levels(tickets_win=True)
    row = judge(levels).set_index("id").loc["L2"]
    dense = levels[levels["arm"] == "dense"].set_index("replicate")["early_stop_iteration"]
    ticket = levels[(levels["arm"] == "iterative") & (levels["level"] == 7)]
    ratios = ticket.set_index("replicate")["early_stop_iteration"] / dense
    assert row["ours"] == pytest.approx(np.exp(np.log(ratios).mean()))
    assert row["paper"] == 0.62
    assert row["ci_low"] < row["ours"] < row["ci_high"]


def test_other_experiments_have_none_of_these_claims():
    judged = judge(made_up_levels(tickets_win=True).replace("mnist", "fashion-mnist"))
    assert not set(judged["id"]) & {claim.id for claim in CLAIMS}


def test_small_dense_counts_as_of_its_tickets_size():
    levels = made_up_levels(tickets_win=True)
    small = levels["arm"] == "small-dense"
    levels.loc[small, "weights_remaining"] *= 1.09
    assert TrainedExperiment(levels).sizes("small-dense") == TrainedExperiment(levels).sizes("iterative")


def test_missing_size_is_not_run():
    with pytest.raises(NotRun, match="iterative was not trained at 9.7%"):
        TrainedExperiment(made_up_levels(tickets_win=True)).at("iterative", 0.097)


def test_pages_for_reading():
    judged = judge(made_up_levels(tickets_win=True, iterations=3000))
    judged.loc[0, "claim"] = "<script>alert(1)</script>"
    page = as_html(judged)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    text = as_markdown(judged)
    assert "| L2 " in text
    assert "nan" not in text.lower()
    assert "None" not in text
