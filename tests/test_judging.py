"""What verdicts rest on beside their test: families, dependence, runs with the same networks, images, power."""

import math

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from scipy import stats
from test_claims import made_up_levels

from lottery.analysis.claims import CLAIMS, COLUMNS, judge, with_verdicts
from lottery.analysis.claims_general import GENERAL
from lottery.analysis.claims_text import as_html, as_markdown
from lottery.analysis.measures import image_error, images_behind
from lottery.analysis.speed import read_levels
from lottery.analysis.statistics import corrected, mean_estimate
from lottery.analysis.tables import LEVELS, read_table, write_table
from lottery.commands.main import main
from lottery.errors import LotteryError
from lottery.evidence.pooling import pooled
from lottery.evidence.repeats import judge_published
from lottery.planning.power import Undecided, as_text, undecided

PUBLISHED = REPOSITORY / "docs/results"


def rows(p: list[float], family: str) -> pd.DataFrame:
    table = pd.DataFrame({"p": p, "family": family, "n": 5, "verdict": "replicated"}, columns=COLUMNS)
    return table.assign(id=[f"{family}{number}" for number in range(len(p))])


def test_families_lend_each_other_no_certainty():
    alone = with_verdicts(rows([0.02, 0.4], "paper"))
    beside = with_verdicts(pd.concat([rows([0.02, 0.4], "paper"), rows([1e-6] * 20, "weights")], ignore_index=True))
    assert beside["p_corrected"].tolist()[:2] == alone["p_corrected"].tolist() == pytest.approx([0.04, 0.4])
    together = with_verdicts(rows([0.04, 0.4, *[1e-6] * 20], "paper"))
    assert together["verdict"].iloc[0] == "replicated", "in one family, certain tests make room for this one"
    assert with_verdicts(rows([0.04, 0.4], "paper"))["verdict"].iloc[0] == "inconclusive"


def test_every_claim_has_its_family():
    assert {claim.id[0] for claim in CLAIMS if claim.family == "weights"} == {"F"}
    ours = {claim.id[:2] for claim in [*CLAIMS, *GENERAL] if claim.family == "ours"}
    assert ours == {"SD", *numbered("S", 4), *numbered("T", 7)}
    later = {claim.id[:2] for claim in CLAIMS if claim.family == "follow-ups"}
    assert later == {"BA", "ST", "SG", "TR", "SE", "LR", "RW", "PB", *numbered("N", 4), *numbered("U", 8)}


def numbered(letter: str, last: int) -> set[str]:
    return {f"{letter}{number}" for number in range(1, last + 1)}


def test_any_dependence_costs_the_harmonic_sum():
    p = [0.001, 0.004, 0.03, 0.5]
    assert corrected(p, any_dependence=True) == pytest.approx(
        np.minimum(1, corrected(p) * sum(1 / k for k in (1, 2, 3, 4)))
    )


def test_the_papers_number_agrees_within_the_spread_of_both_means():
    estimate = mean_estimate([0.1, 0.2, 0.3, 0.4, 0.5])
    assert estimate.p_same(0.3, 5) == pytest.approx(1)
    t = 0.2 / (estimate.sd * math.sqrt(2 / 5))
    assert estimate.p_same(0.5, 5) == pytest.approx(2 * stats.t.sf(t, 4))
    assert estimate.p_same(0.5, 5) > estimate.p_same(0.5, 1000), "a mean of many has no spread of its own"
    assert math.isnan(mean_estimate([1.0]).p_same(2, 5))


def test_only_measured_numbers_of_the_paper_are_compared():
    judged = judge(made_up_levels(tickets_win=True)).set_index("id")
    assert judged.loc[["L2", "L9a", "L9b", "L13"], "p_same_as_paper"].notna().all()
    assert judged.loc[["A1", "L3b", "L5", "L6"], "p_same_as_paper"].isna().all(), "words, or another quantity"


def test_more_accurate_than_the_dense_network_is_judged_apart_from_the_papers_number():
    row = judge(made_up_levels(tickets_win=True)).set_index("id").loc["L4"]
    assert (row["rule"], row["paper"], row["verdict"]) == ("> 0", 0.3, "replicated")


def test_images_are_counted_by_the_accuracies_that_are_shares_of_them():
    assert images_behind(pd.Series([0.9801, 0.98])) == 10_000
    assert images_behind(pd.Series([49 / 50, 0.5])) == 50


def test_the_bound_of_the_images_is_that_of_networks_that_never_err_together():
    """Simulated: two networks of 2% errors each on 10,000 images, wrong on different ones."""
    random = np.random.default_rng(0)
    ours, theirs = 1 - 0.02, 1 - 0.02
    bound = image_error(pd.Series([ours, 0.9801]), pd.Series([theirs, 0.9799]))
    which = random.multinomial(10_000, [0.02, 0.02, 0.96], size=20_000)
    differences = (which[:, 1] - which[:, 0]) / 10_000
    assert bound == pytest.approx(1.96 * differences.std(), rel=0.03)
    assert image_error(pd.Series([0.98, 0.9801])) == pytest.approx(1.96 * math.sqrt(0.98 * 0.02 / 10_000), rel=0.01)
    assert math.isnan(image_error(pd.Series([0.123456789, 0.98])))


def test_an_experiment_of_ones_own_is_judged_by_the_general_statements():
    levels = made_up_levels(tickets_win=True).replace("mnist", "fashion-mnist")
    judged = judge(levels).set_index("id")
    assert list(judged.index) == [claim.id for claim in GENERAL]
    assert judged.loc[["T1", "T3", "T4"], "verdict"].tolist() == ["replicated"] * 3
    other = judge(made_up_levels(tickets_win=False).replace("mnist", "fashion-mnist")).set_index("id")
    assert other.loc[["T1", "T3", "T4"], "verdict"].tolist() == ["not replicated"] * 3
    assert not judge(made_up_levels(tickets_win=True))["id"].str.startswith("T").any()


def published(folder, levels: pd.DataFrame):
    write_table(folder / "levels.csv", levels)
    return folder


def test_networks_of_two_runs_are_judged_where_most_are(tmp_path):
    levels = made_up_levels(tickets_win=True, replicates=5)
    many = published(tmp_path / "many", levels)
    few = published(tmp_path / "few", levels[levels["replicate"] < 3])
    twin = published(tmp_path / "twin", levels)
    table, left = judge_published(many)
    assert left == {}
    assert table["id"].tolist() == judge(levels)["id"].tolist()
    table, left = judge_published(few)
    judged = judge(levels[levels["replicate"] < 3])
    assert set(left) == {"many"}
    assert {row for row, _ in left["many"]} == set(judged.loc[judged["n"] > 0, "id"])
    assert (table["verdict"] == "not run").all()
    assert "claims rest on networks that many has too" in as_markdown(table, left)
    assert set(judge_published(twin)[1]) == {"many"}, "of two with the same networks the first by name"


def test_networks_that_differ_in_one_result_are_judged_in_both_runs(tmp_path):
    levels = made_up_levels(tickets_win=True, replicates=5)
    published(tmp_path / "many", levels)
    other = levels[levels["replicate"] < 3].assign(
        test_accuracy_final=lambda table: table["test_accuracy_final"] + 1e-9
    )
    table, left = judge_published(published(tmp_path / "few", other))
    assert left == {}
    assert "replicated" in set(table["verdict"])


def test_fifteen_replicates_of_two_runs():
    """Five and ten replicates judged as fifteen: as one table with the second run's replicates numbered on."""
    folders = [PUBLISHED / "paper-mnist", PUBLISHED / "paper-mnist-repeat"]
    found = pooled(folders).set_index("id")
    first, second = (read_levels(folder) for folder in folders)
    both = judge(pd.concat([first, second.assign(replicate=second["replicate"] + 5)], ignore_index=True)).set_index(
        "id"
    )
    for claim in ("A1", "L1a", "L1b", "L1c", "L2", "L4", "L6", "L8a", "L9a", "L13"):
        assert found.loc[claim, "n"] == 15
        assert "n = 5 + 10" in found.loc[claim, "note"]
        for column in ("ours", "ci_low", "ci_high", "p"):
            assert found.loc[claim, column] == pytest.approx(both.loc[claim, column]), (claim, column)
    assert found.loc["L3a", "n"] == 5, "the second run has no tickets so small"
    assert found.loc["SDa", "n"] == 10


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (["paper-mnist"], "name two runs or more"),
        (["paper-mnist", "paper-mnist"], "has a network that .*paper-mnist has too: the runs must be of other seeds"),
        (["paper-mnist", "paper-mnist-tenth"], r"lenet-mnist\.training\.iterations is 5000, in .* 50000"),
    ],
)
def test_what_cannot_be_pooled_is_told(folders, told, capsys, tmp_path):
    with pytest.raises(LotteryError, match=told):
        pooled([PUBLISHED / folder for folder in folders])
    arguments = ["pool", *(str(PUBLISHED / folder) for folder in folders), "--output", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith("lottery pool: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("distances", "sd", "alpha"), [((0.3,), 0.27, 0.025), ((0.1, 0.3), 0.1, 0.05), ((0.5,), 0.2, 0.006)]
)
def test_replicates_for_a_power_of_nine_in_ten(distances, sd, alpha):
    """Simulated: so many replicates decide nine of ten experiments, one fewer do not."""
    claim = Undecided("X", "e", "", distances, sd, 5, alpha, frozenset())
    random = np.random.default_rng(0)
    needed = claim.needed(sd)
    for n, enough in ((needed, True), (needed - 1, False)):
        samples = random.normal(0, sd, (40_000, n))
        mean, error = samples.mean(axis=1), samples.std(axis=1, ddof=1) / math.sqrt(n)
        passed = np.ones(len(samples), bool)
        for side, distance in zip((1, -1), distances, strict=False):
            passed &= stats.t.sf((distance + side * mean) / error, n - 1) < alpha / 2
        assert (passed.mean() > 0.9 - 0.006) if enough else (passed.mean() < 0.9 + 0.006)
    low, high = claim.range_of_sd
    assert claim.needed(low) <= needed <= claim.needed(high)


def test_a_claim_on_its_bound_is_never_decided():
    assert Undecided("X", "e", "", (0.0,), 0.1, 5, 0.05, frozenset()).needed(0.1) is None
    assert Undecided("X", "e", "", (1e-9,), 0.1, 5, 0.05, frozenset()).needed(0.1) is None


@pytest.mark.long
def test_what_would_decide_a_published_run():
    run = PUBLISHED / "paper-mnist"
    claims, costs = undecided(run)
    table = judge_published(run)[0].set_index("id")
    assert {claim.id for claim in claims} == set(table.index[table["verdict"] == "inconclusive"])
    (speed,) = [claim for claim in claims if claim.id == "L2"]
    assert speed.distances == pytest.approx([-math.log(table.loc["L2", "ours"])])
    assert {(place.arm, place.level) for place in speed.places} == {("dense", 0), ("iterative", 7)}
    # The 21.1% ticket needs the dense network and the six tickets before it.
    levels = read_table(run / "levels.csv", LEVELS)
    chain = levels[(levels["arm"] == "dense") | ((levels["arm"] == "iterative") & (levels["level"] <= 7))]
    assert costs.seconds(speed.places) == pytest.approx(chain.groupby("replicate")["train_seconds"].sum().mean())
    text = as_text(run)
    assert "| L2 " in text
    assert "What decides most claims an hour" in text


def test_what_is_no_run_has_nothing_to_decide(tmp_path, capsys):
    assert main(["plan", "--decide", str(tmp_path)]) == 1
    assert "is neither a finished run nor a published one" in capsys.readouterr().err
    assert main(["plan"]) == 1
    assert "name a run's settings" in capsys.readouterr().err


def test_the_page_begins_with_totals_and_ends_with_reasons():
    judged = judge(made_up_levels(tickets_win=False, iterations=3000))
    text = as_markdown(judged)
    counts = judged["verdict"].value_counts()
    assert text.splitlines()[2].startswith(
        f"**{counts.get('replicated', 0)} replicated, {counts['not replicated']} not"
    )
    refuted = judged[judged["verdict"] == "not replicated"]["id"]
    for id_ in refuted:
        assert f"- {id_} holds if " in text.split("## Why not replicated")[1]
    assert "- L6, L7a, L7b" in text.split("## Not run")[1]
    assert max(len(line.rpartition("|")[0].rpartition("|")[0]) for line in text.splitlines() if line[:1] == "|") < 110


def test_numbers_that_are_all_alike_have_no_interval():
    levels = made_up_levels(tickets_win=True).assign(early_stop_iteration=2000.0, iterations=50_000)
    text = as_markdown(judge(levels))
    assert "1.00x, all alike" in text
    assert "(1 to 1)" not in text
    assert "1.00 to 1.00" not in text
    assert "all alike" in as_html(judge(levels))
