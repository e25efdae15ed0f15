"""Claims about convolutional, VGG and residual networks: verdicts on made-up tables with known answers."""

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from conftest import experiment

from lottery.analysis.claims import CLAIMS, judge
from lottery.analysis.claims_general import GENERAL
from lottery.analysis.experiment import AT_EARLY_STOP, FINAL, ON_VALIDATION, NotRun, TrainedExperiment
from lottery.analysis.measures import Gain
from lottery.analysis.tables import LEVELS
from lottery.arms.places import DENSE
from lottery.networks import build
from lottery.pruning.allocation import ladder, remaining
from lottery.settings import Experiment, Pruning
from lottery.settings.columns import recipe_columns

CONV = {"conv-2": (22, 0.1), "conv-4": (26, 0.1), "conv-6": (26, 0.15)}
"""Levels, and the share that a pruning removes of a convolution."""

EXPERIMENT = Experiment.model_validate(experiment())
"""Its recipe stands where a test names no other."""

LENGTH = {"conv-2": 20_000, "conv-4": 25_000, "conv-6": 30_000, "vgg-19": 112_480, "resnet-20": 30_000}


def sizes(network: str) -> list[float]:
    """Weights remaining at levels 0, 1, ..., a fraction."""
    if network in CONV:
        levels, rate = CONV[network]
        built = build(network, (3, 32, 32), 10)
        return [remaining(built, ladder(built, Pruning(conv_rate=rate), level)) for level in range(levels + 1)]
    # Of all convolutions together 20% go; the rest is never pruned (paper, App. I).
    levels, never = {"vgg-19": (32, 5_120 / 20_024_000), "resnet-20": (14, 3_200 / 270_896)}[network]
    return [(1 - never) * 0.8**level + never for level in range(levels + 1)]


Answers = Callable[[float], tuple[float, float]]
"""From weights remaining to the early-stop iteration and the accuracy of a ticket, or of one reinitialised."""


def table(
    network: str, ticket: Answers, reinit: Answers, *, name: str = "", dataset: str = "cifar-10", **recipe: object
) -> pd.DataFrame:
    """The rows of one experiment with three replicates; all accuracies are the same but for a little noise."""
    random = np.random.default_rng(0)
    rows = []
    for level, size in enumerate(sizes(network)):
        for arm, answers in {"iterative": ticket, "iterative-reinit": reinit}.items() if level else [("dense", ticket)]:
            for replicate in range(3):
                stop, accuracy = answers(size)
                accuracy += random.normal(0, 0.0002)
                rows.append(
                    dict.fromkeys(LEVELS, 0.0)
                    | {
                        "experiment": name or network,
                        "arm": arm,
                        "replicate": replicate,
                        "level": level,
                        "weights_remaining": size,
                        "early_stop_iteration": round(stop * (1 + random.normal(0, 0.01))),
                        AT_EARLY_STOP: accuracy,
                        FINAL: accuracy,
                        "train_accuracy_final": 1.0,
                        "dataset": dataset,
                        "network": network,
                        "diverged_iteration": math.nan,
                    }
                    | recipe_columns(EXPERIMENT)
                    | {"pruning_scope": "layer" if network in CONV else "global", "iterations": LENGTH[network]}
                    | recipe
                )
    return pd.DataFrame(rows, columns=LEVELS)


def conv(network: str, *, tickets_win: bool, base: float = 0.7, **more: object) -> pd.DataFrame:
    """A convolutional network whose tickets are quicker and better, all of them, or slower and worse."""
    sign = 1 if tickets_win else -1

    def ticket(size: float) -> tuple[float, float]:
        return (2500, base) if size == 1 else (2500 * 3**-sign, base + 0.03 * sign)

    def reinit(size: float) -> tuple[float, float]:
        return 2500 * 2**sign, base + 0.01 * sign

    return table(network, ticket, reinit, **more)


def deep(
    network: str, base: float, tickets: float, reinit: float, *, below: float = 1.0, **more: object
) -> pd.DataFrame:
    """A network whose tickets gain so much accuracy, and so much reinitialised, at sizes below a limit."""
    return table(
        network,
        lambda size: (1000, base + tickets * (size < below)),
        lambda size: (1000, base + reinit * (size < below)),
        **more,
    )


def verdicts(levels: pd.DataFrame, experiment: str) -> dict[str, str]:
    judged = judge(levels)
    return judged[judged["experiment"] == experiment].set_index("id")["verdict"].to_dict()


PLAIN = {"K1", "K2", "K3", "K4", "K5", "K6a", "K6b", "K6c", "K6d"}


def claims_without_dropout(network: str) -> set[str]:
    return PLAIN - {"K5"} if network == "conv-6" else PLAIN


@pytest.mark.parametrize("network", CONV)
def test_convolutional_tickets_that_win(network):
    found = verdicts(conv(network, tickets_win=True), network)
    assert found == dict.fromkeys(claims_without_dropout(network), "replicated") | {"E2": "not run"}


@pytest.mark.parametrize("network", CONV)
def test_convolutional_tickets_that_lose(network):
    levels = conv(network, tickets_win=False).assign(train_accuracy_final=0.97)
    found = verdicts(levels, network)
    assert found == dict.fromkeys(claims_without_dropout(network), "not replicated") | {"E2": "not run"}


@pytest.mark.parametrize(("points", "verdict"), [(0.1, "replicated"), (-0.5, "not replicated")])
def test_random_places_beside_reinitialised_tickets(points, verdict):
    levels = conv("conv-4", tickets_win=True)
    random = levels[levels["arm"] == "iterative-reinit"].assign(arm="random")
    random[FINAL] += points / 100
    row = judge(pd.concat([levels, random])).set_index("id").loc["E2"]
    assert row["verdict"] == verdict
    assert row["ours"] == pytest.approx(points, abs=0.05)


@pytest.mark.parametrize("win", [True, False])
def test_learning_rates_of_conv_2(win):
    """Each rate has its own claims, and no other rate has them."""
    verdict = "replicated" if win else "not replicated"
    for rate, claims in ((2e-4, {"H1", "H3"}), (4e-4, {"H2"}), (8e-4, set())):
        levels = conv("conv-2", tickets_win=win, optimizer="adam", learning_rate=rate)
        levels[ON_VALIDATION] = levels[AT_EARLY_STOP]
        found = {name: told for name, told in verdicts(levels, "conv-2").items() if name.startswith("H")}
        assert found == dict.fromkeys(claims, verdict)


def test_sizes_are_those_nearest_to_the_papers():
    """Conv-6 keeps a little more here than in the paper after as many prunings: 15.29 and 26.61%."""
    levels = conv("conv-6", tickets_win=True)
    exact = 100 * levels["weights_remaining"]
    for percent, level in ((15.1, 10), (26.4, 7)):
        levels.loc[(levels["level"] == level) & (levels["arm"] == "iterative"), [AT_EARLY_STOP]] = percent
        assert (TrainedExperiment(levels).at("iterative", percent / 100).values(AT_EARLY_STOP) == percent).all()
        assert 0.1 < exact[levels["level"] == level].iloc[0] - percent < 0.3


def test_numbers_of_claims_about_convolutional_networks():
    judged = judge(conv("conv-4", tickets_win=True)).set_index("id")
    assert judged.loc["K1", "ours"] == pytest.approx(1 / 3, rel=0.03)
    assert judged.loc["K1", "paper"] == pytest.approx(1 / 3.5, abs=1e-3)
    assert judged.loc["K2", "ours"] == pytest.approx(3.0, abs=0.1)
    assert judged.loc["K5", "ours"] == pytest.approx(1.0, abs=0.1)
    assert judged.loc["K6a", "ours"] == pytest.approx(6.0, rel=0.03)
    assert judged.loc["K6d", "ours"] == pytest.approx(2.0, abs=0.1)


def test_one_small_ticket_that_is_worse_refutes_all_tickets():
    levels = conv("conv-2", tickets_win=True)
    levels.loc[(levels["arm"] == "iterative") & (levels["level"] == 15), AT_EARLY_STOP] -= 0.05
    row = judge(levels).set_index("id").loc["K3"]
    assert row["verdict"] == "not replicated"
    assert "least at 3.68%" in row["note"]


def test_a_claim_about_all_sizes_needs_the_small_ones():
    levels = conv("conv-2", tickets_win=True)
    judged = judge(levels[levels["level"] <= 14]).set_index("id")
    for claim in ("K3", "K4"):
        assert judged.loc[claim, "verdict"] == "not run"
        assert "iterative was trained to 4.57% only, not to 2%" in judged.loc[claim, "note"]


def test_fashion_mnist_is_judged_by_the_same_claims_and_told():
    """The levels of config/conv-fashion.yaml."""
    levels = conv("conv-2", tickets_win=True, dataset="fashion-mnist").assign(iterations=1000)
    levels["early_stop_iteration"] //= 10
    reinit = (levels["arm"] != "iterative-reinit") | levels["level"].isin([3, 6, 9, 12, 14])
    judged = judge(levels[(levels["level"] <= 14) & reinit]).set_index("id")
    assert set(judged.index) == {*PLAIN, "E2"}
    assert (judged.drop(index=["K3", "K4", "E2"])["verdict"] == "replicated").all()
    assert (judged.loc[["K3", "K4", "E2"], "verdict"] == "not run").all()
    assert judged["note"].str.contains("in the paper on cifar-10").all()
    assert not judge(conv("conv-2", tickets_win=True))["note"].str.contains("cifar").any()
    assert set(judge(conv("conv-2", tickets_win=True, dataset="mnist"))["id"]) == {claim.id for claim in GENERAL}


@pytest.mark.parametrize("network", CONV)
def test_dropout(network):
    plain = conv(network, tickets_win=True)
    good = conv(network, tickets_win=True, base=0.72, name="dropout", dropout=0.5)
    bad = conv(network, tickets_win=False, base=0.69, name="dropout", dropout=0.5)
    claims = {"D1", "D2"} if network == "conv-2" else {"D1", "D2", "D3", "D4"}
    assert verdicts(pd.concat([plain, good]), "dropout") == dict.fromkeys(claims, "replicated")
    assert verdicts(pd.concat([bad, plain]), "dropout") == dict.fromkeys(claims, "not replicated")
    row = judge(pd.concat([plain, good])).set_index(["experiment", "id"]).loc[("dropout", "D1")]
    assert row["ours"] == pytest.approx(2.0, abs=0.1)
    assert row["note"] == f"compared with {network}"


def test_dropout_does_not_reach_the_claims_without_it():
    plain = conv("conv-2", tickets_win=True)
    dropout = conv("conv-2", tickets_win=False, base=0.2, name="dropout", dropout=0.5)
    both = judge(pd.concat([plain, dropout]))
    alone = judge(plain).drop(columns=["p_corrected", "p_any_dependence"])
    together = both[both["experiment"] == "conv-2"].drop(columns=["p_corrected", "p_any_dependence"])
    pd.testing.assert_frame_equal(together, alone, check_dtype=False)
    assert set(both.loc[both["experiment"] == "dropout", "id"]) == {"D1", "D2"}


def test_a_comparison_without_its_second_experiment_is_not_run():
    alone = conv("conv-2", tickets_win=True, name="dropout", dropout=0.5)
    elsewhere = conv("conv-2", tickets_win=True, dataset="fashion-mnist")
    smaller = conv("conv-4", tickets_win=True)
    for levels in (alone, pd.concat([alone, elsewhere, smaller])):
        judged = judge(levels).set_index(["experiment", "id"]).loc["dropout"]
        assert judged.loc["D1", ["n", "verdict"]].tolist() == [0, "not run"]
        assert "no experiment to compare with: conv-2, no dropout" in judged.loc["D1", "note"]
        assert judged.loc["D2", "verdict"] == "replicated"


FAST = {"learning_rate": 0.1, "warmup_iterations": 0}
SLOW = {"learning_rate": 0.01, "warmup_iterations": 0}
VGG_WARM = {"learning_rate": 0.1, "warmup_iterations": 10_000}
RESNET_WARM = {"learning_rate": 0.03, "warmup_iterations": 20_000}


def test_vgg_as_the_paper_says():
    levels = pd.concat(
        [
            deep("vgg-19", 0.915, -0.010, -0.010, below=0.2, name="fast", **FAST),
            deep("vgg-19", 0.920, -0.005, -0.030, below=0.2, name="slow", **SLOW),
            deep("vgg-19", 0.925, 0.003, -0.020, below=0.2, name="warm", **VGG_WARM),
        ]
    )
    assert verdicts(levels, "fast") == dict.fromkeys(["V1a", "V1b", "V6"], "replicated")
    assert verdicts(levels, "slow") == dict.fromkeys(["V2", "V6"], "replicated")
    assert verdicts(levels, "warm") == dict.fromkeys(["V3", "V4", "V6"], "replicated")
    judged = judge(levels).set_index("id")
    assert judged.loc["V3", "ours"] == pytest.approx(1.0, abs=0.1)
    assert judged.loc["V3", "note"] == "compared with fast"
    assert judged.loc["V4", "ours"] == pytest.approx(0.3, abs=0.1)


def test_vgg_the_other_way_round():
    levels = pd.concat(
        [
            deep("vgg-19", 0.925, 0.010, -0.010, name="fast", **FAST),
            deep("vgg-19", 0.920, -0.015, -0.030, name="slow", **SLOW),
            deep("vgg-19", 0.915, -0.003, -0.020, name="warm", **VGG_WARM),
        ]
    )
    for name, claims in {"fast": ["V1a", "V1b", "V6"], "slow": ["V2", "V6"], "warm": ["V3", "V4", "V6"]}.items():
        assert verdicts(levels, name) == dict.fromkeys(claims, "not replicated")
    alone = levels[levels["experiment"] == "warm"]
    assert verdicts(alone, "warm")["V3"] == "not run"


def test_layerwise_pruning_has_a_claim_of_its_own():
    whole = deep("vgg-19", 0.925, 0.003, -0.02, below=0.2, name="warm", **VGG_WARM)
    for gain, verdict in ((0.003, "replicated"), (-0.003, "not replicated")):
        each = deep("vgg-19", 0.92, gain, -0.02, below=0.2, name="layers", **VGG_WARM, pruning_scope="layer")
        both = pd.concat([each, whole])
        assert verdicts(both, "layers") == {"V5": verdict}
        assert "V5" not in verdicts(both, "warm")


def test_late_rewinding_is_no_evidence_about_the_paper():
    rewound_late = deep("vgg-19", 0.925, 0.003, 0, **VGG_WARM).assign(rewind_iteration=100)
    assert set(judge(rewound_late)["id"]) == {claim.id for claim in GENERAL}


def test_resnet_as_the_paper_says():
    levels = pd.concat(
        [
            deep("resnet-20", 0.905, -0.010, -0.010, name="fast", **FAST),
            deep("resnet-20", 0.890, 0.005, -0.020, name="slow", **SLOW),
            deep("resnet-20", 0.903, 0.002, -0.020, name="warm", **RESNET_WARM),
            deep("resnet-20", 0.905, -0.010, -0.020, name="fast-warm", **VGG_WARM),
        ]
    )
    assert verdicts(levels, "fast") == dict.fromkeys(["R2", "R5a", "R5b"], "replicated")
    assert verdicts(levels, "slow") == {"R1": "replicated"}
    assert verdicts(levels, "warm") == dict.fromkeys(["R3", "R4"], "replicated")
    assert verdicts(levels, "fast-warm") == {"R5a": "replicated"}
    judged = judge(levels).set_index("id")
    assert judged.loc["R1", "ours"] == pytest.approx(89.5, abs=0.1)
    assert judged.loc["R3", "ours"] == pytest.approx(90.5, abs=0.1)


def test_resnet_the_other_way_round():
    levels = pd.concat(
        [
            deep("resnet-20", 0.88, 0.01, -0.01, name="fast", **FAST),
            deep("resnet-20", 0.87, 0.005, -0.02, name="slow", **SLOW),
            deep("resnet-20", 0.88, -0.01, -0.02, name="warm", **RESNET_WARM),
        ]
    )
    for name, claims in {"fast": ["R2", "R5a", "R5b"], "slow": ["R1"], "warm": ["R3", "R4"]}.items():
        assert verdicts(levels, name) == dict.fromkeys(claims, "not replicated")


def test_accuracies_as_such_are_of_the_papers_length():
    levels = deep("resnet-20", 0.7, 0.01, 0, name="warm", **RESNET_WARM).assign(iterations=2000)
    assert verdicts(levels, "warm") == {"R3": "not run", "R4": "replicated"}


def test_accuracy_at_the_end_is_what_counts_for_deep_networks():
    levels = deep("vgg-19", 0.925, 0.003, 0, name="warm", **VGG_WARM)
    levels[AT_EARLY_STOP] = 0.1
    assert verdicts(levels, "warm")["V4"] == "replicated"


def test_a_comparison_of_two_needs_both_early_stops():
    gain, plain = Gain(DENSE, 1, elsewhere=True), TrainedExperiment(conv("conv-2", tickets_win=True))
    with pytest.raises(ValueError, match="must name the second"):
        gain.found(plain)
    late = conv("conv-2", tickets_win=True, name="dropout", dropout=0.5)
    late.loc[late["arm"] == "dense", "early_stop_iteration"] = 20_000
    with pytest.raises(NotRun, match="still falls at the end"):
        gain.found(plain, TrainedExperiment(late))


def test_a_claim_has_one_row_for_each_of_its_subjects():
    assert len({(claim.id, str(claim.subject)) for claim in CLAIMS}) == len(CLAIMS)
