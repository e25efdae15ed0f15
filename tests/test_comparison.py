"""Two experiments side by side, on made-up data with known answers."""

import numpy as np
import pandas as pd
import pytest

from lottery.analysis.comparison import as_markdown, compare
from lottery.errors import LotteryError


def made_up(shift: float, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    values = {
        name: random.normal(0, 1, 20) + np.where(np.arange(20) < 10, 0, shift)
        for name in ("early_stop_iteration", "test_accuracy_at_early_stop", "test_accuracy_final")
    }
    names = ["a"] * 10 + ["b"] * 10
    return pd.DataFrame({"experiment": names, "arm": "dense", "level": 0, "weights_remaining": 1.0} | values)


def test_a_difference_is_seen_and_its_interval_holds_it():
    table = compare(made_up(3, 0), "a", "b").set_index("measure")
    row = table.loc["early-stop iteration"]
    assert row["low"] < 3 < row["high"]
    assert row["p"] < 0.001
    assert row["n"] == "10 and 10"
    assert 100 < table.loc["test accuracy at the end (%)", "difference"] < 500, "in points"


def test_equal_experiments_differ_one_time_in_twenty():
    small = [(compare(made_up(0, seed), "a", "b")["p"] < 0.05).mean() for seed in range(150)]
    assert 0.02 < np.mean(small) < 0.09


def test_page_counts_small_p_values():
    assert "Of 3 comparisons 3 have p < 0.05" in as_markdown(compare(made_up(3, 0), "a", "b"))


def test_missing_experiment_is_named():
    with pytest.raises(LotteryError, match="no experiment c"):
        compare(made_up(0, 0), "a", "c")
