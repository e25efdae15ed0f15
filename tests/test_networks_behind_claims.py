"""The networks that a claim is judged by: of made-up tables by hand, of published runs whether they suffice."""

import pandas as pd
import pytest
from conftest import REPOSITORY
from test_claims import made_up_levels
from test_claims_of_hyperparameters import BASE, adam, pruned
from test_claims_of_networks import conv

from lottery.analysis.claims import NETWORKS, judge, networks_behind
from lottery.analysis.speed import read_judged
from lottery.analysis.tables import NETWORK

Places = set[tuple[str, str, int]]
"""Experiments, arms and levels."""


def places(levels: pd.DataFrame, claim: str, judged: str = "lenet-mnist") -> Places:
    """Where a claim's networks are."""
    found = networks_behind(levels)
    rows = found[(found["id"] == claim) & (found["judged"] == judged)]
    return set(rows[["experiment", "arm", "level"]].itertuples(index=False, name=None))


def of_lenet(**levels: range | list[int]) -> Places:
    return {("lenet-mnist", arm.replace("_", "-"), level) for arm, numbers in levels.items() for level in numbers}


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("L2", of_lenet(iterative=[7], dense=[0])),
        ("L3a", of_lenet(iterative=[15, 7])),
        ("L6", of_lenet(iterative=range(3, 13), dense=[0])),
        ("L9a", of_lenet(iterative=[7], iterative_reinit=[7])),
        ("L7a", of_lenet(iterative=range(1, 14))),
        ("SDa", of_lenet(iterative=[7], small_dense=[7])),
        ("E1", set()),
        ("F5a", set()),
    ],
)
def test_arms_and_sizes_of_a_claim(claim, expected):
    assert places(made_up_levels(tickets_win=True), claim) == expected


def test_every_replicate_and_draw_is_named():
    levels = made_up_levels(tickets_win=True, replicates=2)
    found = networks_behind(levels).query("id == 'L9b'")
    assert list(found.columns) == NETWORKS
    named = set(found[["arm", "replicate", "draw"]].itertuples(index=False, name=None))
    assert len(found) == len(named)
    assert named == {("iterative", replicate, 0) for replicate in (0, 1)} | {
        ("iterative-reinit", replicate, draw) for replicate in (0, 1) for draw in (0, 1)
    }
    assert found["weights_remaining"].round(3).unique() == [0.211]


def test_one_shot_networks_are_named_as_they_were_trained():
    levels = made_up_levels(tickets_win=True).replace({"arm": {"one-shot": "one-shot-linear"}})
    assert {arm for _, arm, _ in places(levels, "L12")} == {"iterative", "one-shot-linear"}


def test_both_experiments_of_a_comparison_are_named():
    levels = pd.concat([BASE, adam(0.0002), pruned(0.4)], ignore_index=True)
    assert places(levels, "G2b", "adam-0.0002") == {("adam-0.0002", "dense", 0), ("lenet-mnist", "dense", 0)}
    # 0.6^3 to 0.6^9 of the weights, each between two sizes of the other.
    experiments = places(levels, "G4a", "pruning-0.4")
    assert {level for name, _, level in experiments if name == "pruning-0.4"} == set(range(3, 10))
    assert {level for name, _, level in experiments if name == "lenet-mnist"} <= set(range(6, 23))
    fewer = levels[(levels["experiment"] != "lenet-mnist") | (levels["replicate"] < 2)]
    compared = networks_behind(fewer).query("id == 'G2b'")
    assert set(compared["replicate"]) == {0, 1}, "the third has no counterpart"


def test_a_claim_names_the_networks_that_keep_it_from_a_verdict():
    levels = conv("conv-2", tickets_win=True)
    lost = (levels["arm"] == "iterative") & (levels["level"] == 15) & (levels["replicate"] == 1)
    levels.loc[lost, "diverged_iteration"] = 300
    assert judge(levels).set_index("id").loc["K3", "n"] == 0
    named = networks_behind(levels).query("id == 'K3'").merge(levels[lost], on=NETWORK)
    assert len(named) == 1


@pytest.mark.parametrize("run", ["paper-mnist", "appendix-b-f", "appendix-g-part", "recipes", "conv-fashion"])
def test_a_claim_of_a_published_run_is_found_from_its_networks_alone(run):
    levels, layers = read_judged(REPOSITORY / "docs/results" / run)
    judged = judge(levels, layers).set_index(["experiment", "id"])
    behind = networks_behind(levels, layers)
    assert len(behind.merge(levels, on=NETWORK)) == len(behind)
    replicates = behind.groupby(["judged", "id"])["replicate"].nunique()
    conclusive = judged[judged["n"] > 0]
    assert replicates[conclusive.index].to_dict() == conclusive["n"].to_dict()
    assert not set(replicates.index) & set(judged.index[judged["verdict"] == "not run"])
    for place, networks in list(behind.groupby(["judged", "id"]))[::5]:
        dense = levels[levels["experiment"].isin([place[0], *networks["experiment"]]) & (levels["arm"] == "dense")]
        alone = pd.concat([levels.merge(networks[NETWORK]), dense]).drop_duplicates(NETWORK, ignore_index=True)
        again = judge(alone, layers).set_index(["experiment", "id"]).loc[place]
        pd.testing.assert_series_equal(
            again[["ours", "n", "note"]], judged.loc[place, ["ours", "n", "note"]], check_exact=True
        )
