"""The trained networks of one experiment by arm and size, a fraction of weights remaining, as claims ask for them.

Comparisons are paired by replicate. A ticket and the controls of its level see the same batches, and all arms but the
reinitialised and the small dense ones start from the replicate's own initialisation; the dense network, at level 0, has
batches of its own. Draws are averaged within their replicate first, so n counts replicates. Replicates of
two experiments are paired by number: on one dataset the pair has the same validation images.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from lottery.arms.arm import Arm
from lottery.arms.masks import Imitated, Pruned
from lottery.arms.places import DENSE
from lottery.arms.rows import ARMS
from lottery.runs.listing import DESCRIBED_ARM
from lottery.settings.columns import recipe_of

EARLY_STOP, SMOOTHED_STOP = "early_stop_iteration", "smoothed_early_stop_iteration"
TO_QUALITY, KNOWN_UNTIL = "iterations_to_dense_quality", "known_until"
LAST_ON_VALIDATION = "last_validation_accuracy"
AT_EARLY_STOP, FINAL = "test_accuracy_at_early_stop", "test_accuracy_final"
ON_VALIDATION, TRAIN_FINAL = "validation_accuracy_at_early_stop", "train_accuracy_final"

TOLERANCE = 0.05
"""How far (relative) a trained level may lie from a size that the paper prints, to count as that size: levels are 20%
apart, and the paper prints 1.85% as 1.9%."""

STEP = 1.3
"""How many times the size that a range ends at the smallest size trained in it may be, for the range to count as
trained: a level has at least 80% of the weights of the one before, so the next smaller one would lie beyond the end."""


def twin(row: Arm) -> str:
    """The arm that differs from one of linear steps in its steps alone; empty where there is no such arm."""
    mask = row.mask
    if isinstance(mask, Imitated):
        of = twin(ARMS[mask.arm])
        mask = replace(mask, arm=of or mask.arm)
    elif isinstance(mask, Pruned):
        mask = replace(mask, linear=False)
    if mask == row.mask:
        return ""
    return next((other.name for other in ARMS.values() if other == replace(row, name=other.name, mask=mask)), "")


TWINS = {row.name: other for row in ARMS.values() if (other := twin(row))}
"""Arms of linear steps, and the arms that they count as where both kinds of steps are one."""

UNMASKED = {row.name for row in ARMS.values() if row.as_small_as}
"""Arms that have about as many weights as the tickets of their level, and count as of that size."""


class NotRun(Exception):  # noqa: N818 - the name of a verdict
    """The run did not train what a claim speaks of."""

    verdict = "not run"


class NotReached(NotRun):
    """Trainings ended before what a claim speaks of happened."""

    verdict = "inconclusive"


class NotFinite(NotRun):
    """Trainings that a claim speaks of diverged; a mean over the others would flatter the arm."""

    verdict = "inconclusive"


def nearest_size(sizes: Iterable[float], printed: float) -> float | None:
    """The size nearest to one that the paper prints, in the same unit; None when none counts as that size."""
    near = min(sizes, key=lambda size: abs(size - printed), default=None)
    return None if near is None or abs(near - printed) > TOLERANCE * printed else near


@dataclass(frozen=True)
class Place:
    """An arm's networks of one size: their rows of levels.csv."""

    arm: str
    size: float
    rows: pd.DataFrame

    def values(self, column: str) -> pd.Series:
        """A column's mean for each replicate. Raises NotFinite when one of the networks diverged, NotRun when the
        column is told of none.
        """
        self.check_converged()
        if column not in self.rows or self.rows[column].isna().all():
            raise NotRun(f"the tables tell no {column.replace('_', ' ')} of {self}")
        return self.rows.groupby("replicate")[column].mean()

    def to_quality(self) -> tuple[pd.Series, pd.Series]:
        """For each replicate, iterations to the dense network's quality, mean over draws, and how many of its networks
        did not reach it: these count as if they had at the end of what is known of them, which is too soon.

        Raises as `values` does.
        """
        self.check_converged()
        if KNOWN_UNTIL not in self.rows or self.rows[KNOWN_UNTIL].isna().any():
            raise NotRun(f"the tables tell no validation curves of {self}")
        iterations = self.rows[TO_QUALITY].astype(float)
        by_replicate = self.rows["replicate"]
        known = iterations.fillna(self.rows[KNOWN_UNTIL].astype(float)).groupby(by_replicate).mean()
        return known, iterations.isna().groupby(by_replicate).sum()

    def validation_at_end(self) -> pd.Series:
        """The validation accuracy at the end of training, mean for each replicate. Raises as `values` does, and NotRun
        where the tables' curves end before.
        """
        values = self.values(LAST_ON_VALIDATION)
        if (self.rows[KNOWN_UNTIL] < self.rows["iterations"]).any():
            raise NotRun(f"the tables tell no validation accuracy at the end of {self}")
        return values

    def check_converged(self) -> None:
        """Raise NotFinite when one of the networks diverged."""
        diverged = int(self.rows["diverged_iteration"].notna().sum())
        if diverged:
            raise NotFinite(f"{diverged} of {len(self.rows)} networks of {self} diverged")

    def __str__(self) -> str:
        return f"{self.arm} at {100 * self.size:.3g}%"

    @property
    def late(self) -> pd.Series:
        """Of each network, whether it had not reached its early stop: validation loss was least at the very end."""
        return self.rows[EARLY_STOP] >= self.rows["iterations"]

    @property
    def reached(self) -> bool:
        """Whether most replicates had reached it. Raises NotFinite as `values` does."""
        return bool(self.values(EARLY_STOP).median() < self.rows["iterations"].min())


class TrainedExperiment:
    """One experiment's networks, by arm and size."""

    def __init__(self, levels: pd.DataFrame, layers: pd.DataFrame | None = None) -> None:
        """levels: the rows of one experiment. layers: those of the table of its tickets' weights, if it has one."""
        dense = levels[levels["arm"] == DENSE].iloc[0]
        self.name, self.network, self.dataset = (str(dense[column]) for column in ("experiment", "network", "dataset"))
        self.recipe: dict[str, Any] = recipe_of(dense.to_dict())
        self.iterations = int(levels["iterations"].min())
        self.layers, self.levels = layers, levels
        sizes, unmasked = levels["weights_remaining"], levels["arm"].isin(UNMASKED)
        tickets = sizes[~unmasked & ~levels["arm"].isin(TWINS)].groupby(levels["level"]).first()
        sizes = sizes.where(~unmasked, levels["level"].map(tickets)).round(8)
        # Both kinds of steps of a one-shot arm are sizes of one arm here, though no figure draws a line through both.
        self.rows = dict(iter(levels.groupby([levels["arm"].replace(TWINS), sizes])))
        """The rows of every arm and size."""

    def tells(self, column: str) -> bool:
        """Whether the tables have numbers in a column, of networks or of their layers."""
        tables = [self.levels] if self.layers is None else [self.levels, self.layers]
        return any(column in table and bool(table[column].notna().any()) for table in tables)

    def restricted(self, places: Collection[tuple[str, float]]) -> "TrainedExperiment":
        """The same experiment with these arms and sizes (to six decimals) alone, and its dense network."""
        kept = [key for key in self.rows if (key[0], round(key[1], 6)) in places or key[0] == DENSE]
        rows = pd.concat([self.rows[key] for key in kept]).index
        return TrainedExperiment(self.levels[self.levels.index.isin(rows)], self.layers)

    def sizes(self, arm: str) -> list[float]:
        """Sizes at which an arm was trained, largest first."""
        return sorted((size for name, size in self.rows if name == arm), reverse=True)

    def at(self, arm: str, size: float) -> Place:
        """An arm's networks of a size, or of that nearest to it. Raises NotRun when none counts as of that size."""
        near = nearest_size(self.sizes(arm), size)
        if near is None:
            raise NotRun(f"{arm} was not trained at {100 * size:.3g}%")
        return Place(arm, near, self.rows[arm, near])

    def by_weights(self, arm: str) -> dict[int, Place]:
        """An arm's networks by their number of weights. Raises NotRun when there are none."""
        places = [self.at(arm, size) for size in self.sizes(arm)]
        if not places:
            raise NotRun(f"{arm} was not trained in {self.name}")
        return {int(place.rows["weights"].iloc[0]): place for place in places}

    def sizes_between(self, high: float, low: float, arm: str, versus: str, *, whole: bool = False) -> list[float]:
        """The sizes in a range that both arms were trained at; the dense network counts as of every size.

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
            raise NotRun(f"{both} were not trained at two sizes or more from {100 * high:g}% to {100 * low:g}%")
        if whole and common[-1] > STEP * low:
            raise NotRun(f"{arm} was trained to {100 * common[-1]:.3g}% only, not to {100 * low:g}%")
        return common

    def ticket_layer(self, layer: int, size: float) -> pd.DataFrame:
        """The rows of layers.csv of a layer of the ticket of this size, by replicate.

        Raises NotRun when the run has no such ticket, or no such table.
        """
        if self.layers is None or self.layers.empty:
            raise NotRun("the run tells nothing of its tickets' weights")
        near = nearest_size(self.layers["weights_remaining"], size)
        if near is None:
            raise NotRun(f"{DESCRIBED_ARM} was not trained at {100 * size:.3g}%")
        chosen = (self.layers["weights_remaining"] == near) & (self.layers["layer"] == layer)
        return self.layers[chosen].set_index("replicate")
