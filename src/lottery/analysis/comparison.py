"""Two runs of the same seeds side by side: does what changed between them matter?"""

import numpy as np
import pandas as pd

from lottery.analysis.statistics import CONFIDENCE, mean_estimate
from lottery.analysis.tables import NETWORK
from lottery.errors import LotteryError

MEASURES = {
    "early_stop_iteration": ("early-stop iteration", 1.0),
    "test_accuracy_at_early_stop": ("test accuracy at early stop (%)", 100.0),
    "test_accuracy_final": ("test accuracy at the end (%)", 100.0),
}
"""Columns of levels.csv that are compared: their names for reading, and a factor."""


def compare(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """One row for each size and measure: both means, the mean difference of paired replicates with its 95% interval, p.

    first, second: the tables levels.csv of both runs. Networks of the same name share initial weights, images and
    batches; draws are averaged within their replicate. Raises LotteryError when the runs have no network in common.
    """
    both = first.merge(second, on=NETWORK, suffixes=("_first", "_second"))
    if both.empty:
        raise LotteryError("the runs have no network in common")
    rows = []
    for (arm, level), table in both.groupby(["arm", "level"], sort=False):
        replicates = table.groupby(["experiment", "replicate"]).mean(numeric_only=True)
        for column, (name, factor) in MEASURES.items():
            ours, theirs = (factor * replicates[f"{column}_{which}"] for which in ("first", "second"))
            difference = mean_estimate(theirs - ours)
            p = 2 * min(difference.p_above(0), difference.p_below(0))
            rows.append(
                {
                    "arm": arm,
                    "level": level,
                    "weights remaining": f"{100 * table['weights_remaining_first'].mean():.1f}%",
                    "measure": name,
                    "first": ours.mean(),
                    "second": theirs.mean(),
                    "difference": difference.mean,
                    "low": difference.low,
                    "high": difference.high,
                    "p": p if (theirs != ours).any() else np.nan,
                    "n": difference.n,
                }
            )
    return pd.DataFrame(rows)


def as_markdown(comparison: pd.DataFrame) -> str:
    """The comparison for reading, with what to expect of so many p values when nothing differs."""
    count, small = len(comparison), int((comparison["p"] < 1 - CONFIDENCE).sum())
    table = comparison.to_markdown(index=False, floatfmt=".4g")
    return (
        f"{table}\n\nDifference: second less first, mean over n paired replicates, with its 95% interval (Student's t)."
        f" Of {count} comparisons {small} have p < 0.05; where nothing differs, one in twenty is expected"
        f" ({count / 20:.1f} of {count}). The smallest p, corrected for {count} comparisons (Bonferroni), is"
        f" {np.minimum(1.0, count * comparison['p'].min()):.2g}.\n"
    )
