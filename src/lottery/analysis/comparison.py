"""Two experiments side by side: do they differ by more than their replicates scatter?"""

import pandas as pd
from scipy import stats

from lottery.analysis.statistics import CONFIDENCE
from lottery.errors import LotteryError

MEASURES = {
    "early_stop_iteration": ("early-stop iteration", 1.0),
    "test_accuracy_at_early_stop": ("test accuracy at early stop (%)", 100.0),
    "test_accuracy_final": ("test accuracy at the end (%)", 100.0),
}
"""Columns of levels.csv that are compared: their names for reading, and a factor."""


def compare(levels: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """One row for each size and measure: both means, their difference with its 95% interval (Welch), and p.

    The experiments have different seeds, so their replicates are not paired. Raises LotteryError when one is missing.
    """
    missing = {first, second} - set(levels["experiment"])
    if missing:
        raise LotteryError(f"the table holds no experiment {', '.join(sorted(missing))}")
    rows = []
    for (arm, level), table in levels.groupby(["arm", "level"], sort=False):
        for column, (name, factor) in MEASURES.items():
            ours, theirs = (factor * table.loc[table["experiment"] == which, column] for which in (first, second))
            if min(len(ours), len(theirs)) < 2:
                continue
            test = stats.ttest_ind(theirs, ours, equal_var=False)
            interval = test.confidence_interval(CONFIDENCE)
            rows.append(
                {
                    "arm": arm,
                    "level": level,
                    "weights remaining": f"{100 * table['weights_remaining'].mean():.1f}%",
                    "measure": name,
                    first: ours.mean(),
                    second: theirs.mean(),
                    "difference": theirs.mean() - ours.mean(),
                    "low": interval.low,
                    "high": interval.high,
                    "p": test.pvalue,
                    "n": f"{len(ours)} and {len(theirs)}",
                }
            )
    return pd.DataFrame(rows)


def as_markdown(comparison: pd.DataFrame) -> str:
    """The comparison for reading, with what to expect of so many p values when nothing differs."""
    count, small = len(comparison), int((comparison["p"] < 1 - CONFIDENCE).sum())
    table = comparison.to_markdown(index=False, floatfmt=".4g")
    return (
        f"{table}\n\nOf {count} comparisons {small} have p < 0.05; where nothing differs, one in twenty is expected"
        f" ({count / 20:.1f} of {count}).\n"
    )
