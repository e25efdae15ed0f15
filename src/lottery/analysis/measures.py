"""What claims compare: one number for each replicate, from the rows of an experiment in `levels.csv`.

Comparisons are paired by replicate. A ticket and the controls of its level see the same batches, and all arms but the
reinitialised and the small dense ones start from the replicate's own initialisation; the dense network, at level 0, has
batches of its own. Draws are averaged within their replicate first, so n counts replicates. Replicates of
two experiments are paired by number: on one dataset the pair has the same validation images.
"""

import math
from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from lottery.recipe import RECIPE
from lottery.runs import DENSE

Measured: TypeAlias = pd.Series
"""float, indexed by replicate."""

EARLY_STOP = "early_stop_iteration"
AT_EARLY_STOP, FINAL = "test_accuracy_at_early_stop", "test_accuracy_final"
ON_VALIDATION = "validation_accuracy_at_early_stop"

TOLERANCE = 0.05
"""How far (relative) a trained level may lie from a size that the paper prints, to count as that size: levels are 20%
apart, and the paper prints 1.85% as 1.9%."""

STEP = 1.3
"""How many times the size that a range ends at the smallest size trained in it may be, for the range to count as
trained: a level has at least 80% of the weights of the one before, so the next smaller one would lie beyond the end."""


class NotRun(Exception):  # noqa: N818 - the name of a verdict
    """The run did not train what a claim speaks of."""

    verdict = "not run"


class NotReached(NotRun):
    """Trainings ended before what a claim speaks of happened."""

    verdict = "inconclusive"


def nearest_size(sizes: Iterable[float], percent: float) -> float | None:
    """The size nearest to one that the paper prints; None when none counts as that size."""
    near = min(sizes, key=lambda size: abs(size - percent), default=None)
    return None if near is None or abs(near - percent) > TOLERANCE * percent else near


class NotFinite(NotRun):
    """Trainings that a claim speaks of diverged; a mean over the others would flatter the arm."""

    verdict = "inconclusive"


def usable(measured: Measured, *, ratios: bool = False) -> Measured:
    """One number for each replicate, as it is.

    Raises NotRun when there is none, NotFinite when a replicate's is no number (or for ratios, whose logarithms are
    averaged, not above 0): a mean over the others would flatter what is measured.
    """
    if measured.empty:
        raise NotRun("no replicate has all that is compared")
    lost = ~np.isfinite(measured.to_numpy(float)) | (ratios & (measured.to_numpy(float) <= 0))
    if lost.any():
        what = "ratio above 0" if ratios else "number"
        raise NotFinite(f"{int(lost.sum())} of {len(measured)} replicates have no {what}")
    return measured


def over(above: Measured, below: Measured) -> Measured:
    """Ratios of the replicates that both have. Raises as `usable` does."""
    above, below = above.align(below, join="inner")
    return usable(above / below, ratios=True)


class Comparison:
    """One experiment's networks, to be compared with each other. Sizes are in percent of weights remaining."""

    def __init__(self, levels: pd.DataFrame, layers: pd.DataFrame | None = None) -> None:
        """levels: the rows of one experiment. layers: those of the table of its tickets' weights, if it has one."""
        dense = levels[levels["arm"] == DENSE].iloc[0]
        self.experiment, self.network, self.dataset = (
            str(dense[column]) for column in ("experiment", "network", "dataset")
        )
        self.recipe: dict[str, Any] = dense[list(RECIPE)].to_dict()
        self.iterations = int(levels["iterations"].min())
        percent = 100 * levels["weights_remaining"]
        # A small dense network has about as many weights as the ticket of its level and counts as of that size.
        ticket = percent[levels["arm"] == "iterative"].groupby(levels["level"]).first()
        percent = percent.where(levels["arm"] != "small-dense", levels["level"].map(ticket))
        # Both kinds of steps of a one-shot arm are sizes of one arm here, though no figure draws a line through both.
        arms = levels["arm"].str.replace("one-shot-linear", "one-shot")
        networks = levels.assign(arm=arms, percent=percent.round(6))
        self.networks = dict(iter(networks.groupby(["arm", "percent"])))
        """The rows of every arm and size."""
        self.layers = layers
        self.remarks: list[str] = []
        self.other: Comparison | None = None
        """The second experiment of a claim that compares two."""

    def sizes(self, arm: str) -> list[float]:
        """Percent of weights remaining at which an arm was trained, largest first."""
        return sorted((percent for name, percent in self.networks if name == arm), reverse=True)

    def values(self, arm: str, percent: float, column: str) -> Measured:
        """A column's value for each replicate. Raises as `trained_at` does."""
        return self.trained_at(arm, percent).groupby("replicate")[column].mean()

    def trained_at(self, arm: str, percent: float) -> pd.DataFrame:
        """The rows of an arm's networks of one size.

        Raises NotRun when the arm was not trained at this size, NotFinite when one of its networks there diverged.
        """
        near = nearest_size(self.sizes(arm), percent)
        if near is None:
            raise NotRun(f"{arm} was not trained at {percent:.3g}%")
        chosen = self.networks[arm, near]
        diverged = int(chosen["diverged_iteration"].notna().sum())
        if diverged:
            raise NotFinite(f"{diverged} of {len(chosen)} networks of {arm} at {near:.3g}% diverged")
        return chosen

    def check_reached(self, *places: tuple[str, float], all_of_them: bool = False) -> None:
        """Raise NotReached when networks had not reached their early stop: validation loss was least at the very end.

        places: arms and sizes. A place has not reached it when most of its replicates have not. By default one place
        that has is enough: the direction of a comparison with networks that still improve can be told.
        """
        stops = [self.values(arm, percent, EARLY_STOP).median() for arm, percent in places]
        if (max if all_of_them else min)(stops) >= self.iterations:
            raise NotReached("validation loss still falls at the end of training")

    def unreached(self, *places: tuple[str, float]) -> str:
        """For a note: how many networks had not reached their early stop; empty when all had."""
        stops = pd.concat([self.trained_at(arm, percent)[EARLY_STOP] for arm, percent in places])
        late = int((stops >= self.iterations).sum())
        return f"in {late} of {len(stops)} networks validation loss still fell at the end" if late else ""

    def early_stop_ratio(
        self, arm: str, percent: float, versus: str = DENSE, versus_percent: float = 100, *, equal: bool = False
    ) -> Measured:
        """Early-stop iteration of an arm over that of another; below 1 where the first is sooner.

        `equal`: the ratio is asked for itself, not for its direction, so both sides must have reached their early stop.
        """
        places = (arm, percent), (versus, versus_percent)
        self.check_reached(*places, all_of_them=equal)
        self.remarks.append(self.unreached(*places))
        return over(*(self.values(*place, EARLY_STOP) for place in places))

    def accuracy_gain(self, arm: str, percent: float, column: str = AT_EARLY_STOP, versus: str = DENSE) -> Measured:
        """Points of accuracy by which an arm exceeds another of the same size, or the dense network."""
        places = (arm, percent), (versus, 100 if versus == DENSE else percent)
        if column.endswith("at_early_stop"):
            self.check_reached(*places)
        return (100 * (self.values(*places[0], column) - self.values(*places[1], column))).dropna()

    def accuracy_gain_between(
        self, arm: str, high: float, low: float, column: str = AT_EARLY_STOP, versus: str = DENSE
    ) -> Measured:
        """Mean of `accuracy_gain` over the sizes from `high` to `low` that both arms were trained at."""
        gains = [self.accuracy_gain(arm, size, column, versus) for size in self._sizes(arm, high, low, versus)]
        return pd.concat(gains, axis=1).mean(axis=1)

    def early_stop_ratio_between(self, arm: str, high: float, low: float, versus: str = DENSE) -> Measured:
        """Geometric mean of `early_stop_ratio` to another arm of the same size, or the dense network, over the sizes
        from `high` to `low` that both were trained at.
        """
        ratios = [
            self.early_stop_ratio(arm, size, versus, 100 if versus == DENSE else size)
            for size in self._sizes(arm, high, low, versus)
        ]
        return np.exp(np.log(pd.concat(ratios, axis=1)).mean(axis=1))

    def least_accuracy_gain(self, arm: str, low: float, column: str = AT_EARLY_STOP) -> Measured:
        """`accuracy_gain` over the dense network at that size of at least `low` where its mean is least.

        What holds at this size by its interval holds at every one of them, or nearly so.
        """
        gains = {size: self.accuracy_gain(arm, size, column) for size in self._sizes(arm, 100, low, DENSE, whole=True)}
        least = min(gains, key=lambda size: gains[size].mean())
        self.remarks.append(f"least at {least:.3g}%")
        return gains[least]

    def accuracy_mean_between(self, arm: str, high: float, low: float) -> Measured:
        """Percent of test images right at the end, mean over the sizes from `high` to `low`."""
        values = [self.values(arm, size, FINAL) for size in self._sizes(arm, high, low, DENSE)]
        return 100 * pd.concat(values, axis=1).mean(axis=1)

    def accuracy(self, arm: str, percent: float) -> Measured:
        """Percent of test images right at the end."""
        return 100 * self.values(arm, percent, FINAL)

    def dense_gain_over_other(self, column: str = AT_EARLY_STOP) -> Measured:
        """Points of accuracy by which the dense network exceeds that of the other experiment."""
        other = self._second()
        if column != FINAL:
            for experiment in (self, other):
                experiment.check_reached((DENSE, 100))
        return (100 * (self.values(DENSE, 100, column) - other.values(DENSE, 100, column))).dropna()

    def dense_early_stop_over_other(self) -> Measured:
        """Early-stop iteration of the dense network over that of the other experiment, which must have reached it."""
        other = self._second()
        other.check_reached((DENSE, 100))
        self.remarks.append(self.unreached((DENSE, 100)))
        return over(self.values(DENSE, 100, EARLY_STOP), other.values(DENSE, 100, EARLY_STOP))

    def ticket_gain_over_other(self, high: float, low: float, column: str = ON_VALIDATION) -> Measured:
        """Points of accuracy by which tickets exceed tickets of the other experiment with as many weights.

        high, low: numbers of weights. Mean over the sizes of our tickets in this range that lie between two sizes of
        the other's; its accuracy there is the one on the line between the two, over the logarithm of the number of
        weights. Raises NotRun when there are fewer than two such sizes.
        """
        other = self._second()
        ours, theirs = self._tickets_by_weights(), other._tickets_by_weights()
        shared = [count for count in ours if max(low, min(theirs)) <= count <= min(high, max(theirs))]
        if len(shared) < 2:
            raise NotRun(f"{self.experiment} and {other.experiment} have fewer than two sizes of tickets in common")
        gains = []
        for count in shared:
            above, below = min(each for each in theirs if each >= count), max(each for each in theirs if each <= count)
            share = math.log(count / below) / math.log(above / below) if above > below else 0.0
            larger, smaller = (other.values("iterative", theirs[each], column) for each in (above, below))
            gains.append(self.values("iterative", ours[count], column) - (share * larger + (1 - share) * smaller))
        return (100 * pd.concat(gains, axis=1).mean(axis=1)).dropna()

    def percent_of(self, weights: float) -> float:
        """What percent of the dense network's weights a number of weights is."""
        return 100 * weights / int(self.networks[DENSE, 100.0]["weights"].iloc[0])

    def early_stop_in_training(self, arm: str, percent: float) -> Measured:
        """Percent of the training that had passed at early stop."""
        return 100 * self.values(arm, percent, EARLY_STOP) / self.iterations

    def _second(self) -> "Comparison":
        """The second experiment, which the remarks then name."""
        if self.other is None:
            raise ValueError("a claim that compares two experiments must name the second")
        self.remarks.append(f"compared with {self.other.experiment}")
        return self.other

    def _tickets_by_weights(self) -> dict[int, float]:
        """Sizes of the iterative tickets by their number of weights. Raises NotRun when there are none."""
        sizes = self.sizes("iterative")
        if not sizes:
            raise NotRun(f"iterative was not trained in {self.experiment}")
        return {int(self.networks["iterative", size]["weights"].iloc[0]): size for size in sizes}

    def least_train_accuracy(self, arm: str, low: float) -> Measured:
        """Percent of training images right at the end, at the worst of the sizes of at least `low`."""
        sizes = self._sizes(arm, 100, low, DENSE, whole=True)
        return 100 * pd.concat([self.values(arm, size, "train_accuracy_final") for size in sizes], axis=1).min(axis=1)

    def of_layer(self, layer: int, percent: float, column: str) -> Measured:
        """A column of layers.csv for each replicate, of the iterative ticket of this size; layers count from 1.

        Raises NotRun when the run has no such ticket, or no such table.
        """
        if self.layers is None or self.layers.empty:
            raise NotRun("the run tells nothing of its tickets' weights")
        sizes = 100 * self.layers["weights_remaining"]
        near = nearest_size(sizes, percent)
        if near is None:
            raise NotRun(f"iterative was not trained at {percent:.3g}%")
        return self.layers[(sizes == near) & (self.layers["layer"] == layer)].set_index("replicate")[column]

    def of_layer_over_other(self, layer: int, percent: float, column: str) -> Measured:
        """`of_layer` over that of the other experiment."""
        return over(self.of_layer(layer, percent, column), self._second().of_layer(layer, percent, column))

    def _sizes(self, arm: str, high: float, low: float, versus: str, *, whole: bool = False) -> list[float]:
        """The sizes in a range that both arms were trained at.

        Raises NotRun when there are fewer than two, and where the `whole` range is asked for, when they end before it.
        """
        others = self.sizes(versus)
        common = [
            size
            for size in self.sizes(arm)
            if low <= size <= high and (versus == DENSE or nearest_size(others, size) is not None)
        ]
        if len(common) < 2:
            both = arm if versus == DENSE else f"{arm} and {versus}"
            raise NotRun(f"{both} were not trained at two sizes or more from {high:g}% to {low:g}%")
        if whole and common[-1] > STEP * low:
            raise NotRun(f"{arm} was trained to {common[-1]:.3g}% only, not to {low:g}%")
        return common
