"""What claims compare: one number for each replicate, from the rows of one experiment in `levels.csv`.

Comparisons are paired: a replicate's ticket, controls and dense network share their initialisation and, at one level,
their batches. Draws are averaged within their replicate first, so n counts replicates.
"""

from collections.abc import Iterable
from typing import TypeAlias

import pandas as pd

from lottery.runs import DENSE

Measured: TypeAlias = pd.Series
"""float, indexed by replicate."""

TOLERANCE = 0.05
"""How far (relative) a trained level may lie from a size that the paper prints, to count as that size: levels are 20%
apart, and the paper prints 1.85% as 1.9%."""


class NotRun(Exception):  # noqa: N818 - the name of a verdict
    """The run did not train what a claim speaks of."""

    verdict = "not run"


class NotReached(NotRun):
    """Trainings ended before what a claim speaks of happened."""

    verdict = "inconclusive"


class Comparison:
    """One experiment's networks, to be compared with each other. Sizes are in percent of weights remaining."""

    def __init__(self, levels: pd.DataFrame) -> None:
        """levels: the rows of one experiment."""
        dense = levels[levels["arm"] == DENSE].iloc[0]
        self.subject = (str(dense["network"]), str(dense["dataset"]))
        self.iterations = int(levels["iterations"].min())
        percent = 100 * levels["weights_remaining"]
        # A small dense network has about as many weights as the ticket of its level and counts as of that size.
        ticket = percent[levels["arm"] == "iterative"].groupby(levels["level"]).first()
        percent = percent.where(levels["arm"] != "small-dense", levels["level"].map(ticket))
        # The linear steps of a one-shot arm are further sizes of the same arm.
        arms = levels["arm"].str.replace("one-shot-linear", "one-shot")
        self.levels = levels.assign(arm=arms, percent=percent.round(6))

    def sizes(self, arm: str) -> list[float]:
        """Percent of weights remaining at which an arm was trained, largest first."""
        return sorted(self.levels.loc[self.levels["arm"] == arm, "percent"].unique(), reverse=True)

    def values(self, arm: str, percent: float, column: str) -> Measured:
        """A column's value for each replicate. Raises NotRun when the arm was not trained at this size."""
        sizes = self.sizes(arm)
        near = min(sizes, key=lambda size: abs(size - percent), default=None)
        if near is None or abs(near - percent) > TOLERANCE * percent:
            raise NotRun(f"{arm} was not trained at {percent:.3g}%")
        chosen = self.levels[(self.levels["arm"] == arm) & (self.levels["percent"] == near)]
        return chosen.groupby("replicate")[column].mean()

    def early_stop_ratio(self, arm: str, percent: float, versus: str = DENSE, versus_percent: float = 100) -> Measured:
        """Early-stop iteration of an arm over that of another; below 1 where the first is sooner.

        Raises NotReached when the validation loss of most networks on both sides still fell at the end of training.
        """
        ours = self.values(arm, percent, "early_stop_iteration")
        theirs = self.values(versus, versus_percent, "early_stop_iteration")
        if min(ours.median(), theirs.median()) >= self.iterations:
            raise NotReached("validation loss still falls at the end of training on both sides")
        return (ours / theirs).dropna()

    def accuracy_gain(
        self, arm: str, percent: float, column: str = "test_accuracy_at_early_stop", versus: str = DENSE
    ) -> Measured:
        """Points of accuracy by which an arm exceeds another of the same size, or the dense network."""
        other = self.values(versus, 100 if versus == DENSE else percent, column)
        return (100 * (self.values(arm, percent, column) - other)).dropna()

    def accuracy_gain_between(
        self, arm: str, high: float, low: float, column: str = "test_accuracy_at_early_stop", versus: str = DENSE
    ) -> Measured:
        """Mean of `accuracy_gain` over the sizes from `high` to `low` that both arms were trained at."""
        return _mean(self.accuracy_gain(arm, size, column, versus) for size in self._sizes(arm, high, low, versus))

    def early_stop_ratio_between(self, arm: str, high: float, low: float) -> Measured:
        """Mean of `early_stop_ratio` to the dense network over the sizes from `high` to `low`."""
        return _mean(self.early_stop_ratio(arm, size) for size in self._sizes(arm, high, low, DENSE))

    def least_train_accuracy(self, arm: str, low: float) -> Measured:
        """Percent of training images right at the end, at the worst of the sizes of at least `low`."""
        sizes = self._sizes(arm, 100, low, DENSE)
        return 100 * pd.concat([self.values(arm, size, "train_accuracy_final") for size in sizes], axis=1).min(axis=1)

    def smallest_matching(self, arm: str) -> Measured:
        """The smallest size, in percent, at which a replicate is at least as accurate at early stop as when dense."""
        sizes = self._sizes(arm, 100, 0, DENSE)
        gains = pd.concat({size: self.accuracy_gain(arm, size) for size in sizes}, axis=1)
        return pd.Series({replicate: min([100.0, *row.index[row >= 0]]) for replicate, row in gains.iterrows()})

    def _sizes(self, arm: str, high: float, low: float, versus: str) -> list[float]:
        common = [
            size
            for size in self.sizes(arm)
            if low <= size <= high
            and (versus == DENSE or any(abs(size - other) <= TOLERANCE * size for other in self.sizes(versus)))
        ]
        if not common:
            both = arm if versus == DENSE else f"{arm} and {versus}"
            raise NotRun(f"{both} were not trained from {high:g}% to {low:g}%")
        return common


def _mean(sizes: Iterable[Measured]) -> Measured:
    """The mean over sizes, for each replicate."""
    return pd.concat(list(sizes), axis=1).mean(axis=1)
