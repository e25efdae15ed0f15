"""How soon a network is good, by its validation curve: made-up curves whose answers are known."""

import numpy as np
import pandas as pd
import pytest
from test_claims import made_up_levels

from lottery.analysis.claims import judge
from lottery.analysis.experiment import NotReached, TrainedExperiment
from lottery.analysis.measures import QualityRatio
from lottery.analysis.speed import DECIMALS, measure_speed, read_levels, smoothed_early_stop, with_speed
from lottery.analysis.tables import CURVES, NETWORK, SPEED, read_table, write_table

GRID = np.arange(0, 5001, 100)


def curve(losses, arm: str, level: int = 0, replicate: int = 0, iterations=GRID) -> pd.DataFrame:
    rows = pd.DataFrame({"iteration": iterations, "validation_loss": losses}, columns=CURVES)
    rows["validation_accuracy"] = 1 - rows["validation_loss"]
    return rows.assign(experiment="e", arm=arm, level=level, replicate=replicate, draw=0)


def levels_of(curves: pd.DataFrame) -> pd.DataFrame:
    best = curves.loc[curves.groupby(NETWORK)["validation_loss"].idxmin(), [*NETWORK, "validation_loss"]]
    return best.rename(columns={"validation_loss": "validation_loss_at_early_stop"}).reset_index(drop=True)


def valley(least_at: float, depth: float) -> np.ndarray:
    return depth + ((GRID - least_at) / 5000) ** 2


def test_time_to_the_dense_networks_quality_is_that_of_its_own_replicate():
    tables = [
        curve(valley(3000, 0.1), "dense"),
        curve(valley(2000, 0.1), "dense", replicate=1),
        curve(valley(1500, 0.05), "iterative", 1),
        curve(valley(1500, 0.2), "iterative", 1, replicate=1),
    ]
    curves = pd.concat(tables, ignore_index=True)
    found = measure_speed(levels_of(curves), curves).set_index(["arm", "replicate"])
    # The dense network itself has its quality at its early stop.
    assert found.loc[("dense", 0), "iterations_to_dense_quality"] == 3000
    assert found.loc[("dense", 1), "iterations_to_dense_quality"] == 2000
    # 0.05 + d^2 <= 0.1: within 1,118 iterations of the least.
    assert found.loc[("iterative", 0), "iterations_to_dense_quality"] == 400
    assert pd.isna(found.loc[("iterative", 1), "iterations_to_dense_quality"])
    assert (found["known_until"] == 5000).all()


def test_a_published_curve_tells_what_the_whole_one_tells():
    random = np.random.default_rng(0)
    tables = [
        curve(valley(3000, 0.1) + random.normal(0, 1e-5, len(GRID)), arm, level, replicate)
        for replicate in range(20)
        for arm, level in (("dense", 0), ("iterative", 1))
    ]
    curves = pd.concat(tables, ignore_index=True)
    levels = levels_of(curves)
    published = curves.assign(validation_loss=curves["validation_loss"].round(DECIMALS))
    pd.testing.assert_frame_equal(measure_speed(levels, published), measure_speed(levels, curves))


def test_a_curve_that_is_known_in_part_says_so():
    tables = [curve(valley(3000, 0.1), "dense"), curve(valley(1500, 0.2), "iterative", 1)]
    curves = pd.concat(tables, ignore_index=True)
    part = measure_speed(levels_of(curves), curves[curves["iteration"] <= 2000]).set_index("arm")
    assert part.loc["dense", "last_validation_accuracy"] == pytest.approx(0.9 - 0.2**2)
    assert (part["known_until"] == 2000).all()
    assert part["iterations_to_dense_quality"].isna().all()


@pytest.mark.parametrize("seed", range(5))
def test_the_smoothed_early_stop_is_the_middle_of_the_least_mean_of_nine(seed):
    losses = valley(2500, 0.1) + np.random.default_rng(seed).normal(0, 0.05, len(GRID))
    rolled = pd.Series(losses, GRID).rolling(9, center=True).mean()
    assert smoothed_early_stop(GRID, losses) == rolled.idxmin()
    assert abs(smoothed_early_stop(GRID, losses) - 2500) < 1500
    spike = valley(2500, 0.1)
    spike[45] = 0.0
    assert abs(smoothed_early_stop(GRID, spike) - 2500) <= 500, "one low loss is not an early stop"


def test_too_short_a_curve_has_no_smoothed_early_stop():
    assert smoothed_early_stop(GRID[:8], valley(300, 0.1)[:8]) is None
    assert smoothed_early_stop(GRID[::10], valley(300, 0.1)[::10]) is None, "a point each 1,000 iterations"
    assert smoothed_early_stop(GRID[:9], valley(300, 0.1)[:9]) == 400


def test_tables_without_speed_are_read_with_what_their_curves_tell(tmp_path):
    levels = made_up_levels(tickets_win=True).assign(validation_loss_at_early_stop=0.1)
    write_table(tmp_path / "levels.csv", levels)
    assert read_levels(tmp_path)["known_until"].isna().all()
    dense = curve(valley(3000, 0.1), "dense").assign(experiment="lenet-mnist")
    write_table(tmp_path / "curves.csv", dense)
    read = read_levels(tmp_path).set_index(["arm", "replicate", "draw", "level"])
    assert read.loc[("dense", 0, 0, 0), "smoothed_early_stop_iteration"] == 3000
    assert read["known_until"].count() == 1
    speed = measure_speed(levels, dense)
    write_table(tmp_path / "speed.csv", speed.assign(known_until=7))
    assert read_levels(tmp_path)["known_until"].max() == 7, "a table that is there is not made anew"
    assert list(read_table(tmp_path / "speed.csv", SPEED)) == SPEED


def with_times(**times: float | None) -> pd.DataFrame:
    """Made-up levels in which networks of an arm take so long to the dense network's quality; None: never."""
    levels = made_up_levels(tickets_win=True)
    speed = levels[NETWORK].assign(known_until=50_000, smoothed_early_stop_iteration=4000)
    noise = 1 + 0.01 * np.random.default_rng(0).normal(size=len(speed))
    taken = levels["arm"].map({"dense": 5000.0, **{arm.replace("_", "-"): time for arm, time in times.items()}})
    speed = speed.assign(iterations_to_dense_quality=(taken * noise).round(), last_validation_accuracy=0.98)
    return with_speed(levels, speed[SPEED])


def test_tickets_that_are_sooner_as_good_as_the_dense_network():
    judged = judge(with_times(iterative=1500.0, iterative_reinit=9000.0)).set_index("id")
    assert judged.loc["S1b", "verdict"] == "replicated"
    assert judged.loc["S1b", "ours"] == pytest.approx(0.3, rel=0.05)
    assert judged.loc["S2", "ours"] == pytest.approx(6, rel=0.05)
    assert (judged.loc[["S1a", "S1b", "S1c", "S2", "S3a", "S4"], "family"] == "ours").all()


def test_what_is_never_reached_counts_as_a_bound():
    """Never as sooner than it is: "reinitialised later" can be told, "a ticket that never arrives is sooner" cannot."""
    judged = judge(with_times(iterative=1500.0, iterative_reinit=None)).set_index("id")
    assert judged.loc["S2", ["verdict", "bound"]].tolist() == ["replicated", "at least"]
    assert "6 of 9 networks did not reach it" in judged.loc["S2", "note"]
    levels = with_times(iterative=None, iterative_reinit=9000.0)
    judged = judge(levels).set_index("id")
    assert judged.loc["S1b", ["verdict", "bound"]].tolist() == ["not replicated", "at least"], "it is later"
    assert judged.loc["S2", ["verdict", "bound"]].tolist() == ["not replicated", "at most"], "reinitialised is sooner"
    early = levels["known_until"].where(levels["arm"] != "iterative", 3000)
    cut = judge(levels.assign(known_until=early)).set_index("id")
    assert cut.loc["S1b", ["verdict", "n"]].tolist() == ["inconclusive", 0], "sooner than known is not known"
    ours = TrainedExperiment(with_times(iterative=None, iterative_reinit=None))
    with pytest.raises(NotReached, match="9 of 9 networks"):
        QualityRatio("iterative-reinit", 0.211, versus="iterative").found(ours)
