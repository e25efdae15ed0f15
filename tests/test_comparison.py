"""Two runs side by side, on made-up data with known answers."""

import numpy as np
import pandas as pd
import pytest

from lottery.analysis.comparison import as_markdown, compare
from lottery.errors import LotteryError


def made_up(shift: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ten pairs that share most of their scatter; the second of each is shifted."""
    random = np.random.default_rng(seed)
    names = {"experiment": "x", "arm": "dense", "level": 0, "replicate": range(10), "draw": 0, "weights_remaining": 1.0}
    measures = ("early_stop_iteration", "test_accuracy_at_early_stop", "test_accuracy_final")
    shared = {name: random.normal(0, 10, 10) for name in measures}
    first, second = ({name: values + random.normal(0, 1, 10) for name, values in shared.items()} for _ in range(2))
    return pd.DataFrame(names | first), pd.DataFrame(names | {name: values + shift for name, values in second.items()})


def test_a_difference_is_seen_although_the_scatter_is_larger():
    row = compare(*made_up(3, 0)).set_index("measure").loc["early-stop iteration"]
    assert row["low"] < 3 < row["high"]
    assert row["p"] < 0.001
    assert row["n"] == 10


def test_equal_runs_differ_one_time_in_twenty():
    small = [(compare(*made_up(0, seed))["p"] < 0.05).mean() for seed in range(150)]
    assert 0.02 < np.mean(small) < 0.09


def test_draws_are_no_further_replicates():
    first, second = made_up(3, 0)
    twice = [pd.concat([table, table.assign(draw=1)]) for table in (first, second)]
    pd.testing.assert_frame_equal(compare(*twice), compare(first, second))


def test_page_counts_small_p_values():
    assert "Of 3 comparisons 3 have p < 0.05" in as_markdown(compare(*made_up(3, 0)))


def test_the_same_run_twice_has_no_p():
    first, _ = made_up(0, 0)
    table = compare(first, first)
    assert table["p"].isna().all()
    assert (table["difference"] == 0).all()


def test_runs_without_a_common_network():
    first, second = made_up(0, 0)
    with pytest.raises(LotteryError, match="no network in common"):
        compare(first, second.assign(experiment="y"))
