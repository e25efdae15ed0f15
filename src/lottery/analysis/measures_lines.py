"""What claims measure of lines between networks, of masks, and of controls that recover a part of a ticket's gain."""

from dataclasses import dataclass

import pandas as pd

from lottery.analysis.barriers import column_of
from lottery.analysis.experiment import FINAL, Place, TrainedExperiment
from lottery.analysis.measures import DownTo, Finding, OfSizes, Paired, Sizes, described
from lottery.arms.lineage import arm
from lottery.arms.pairs import PAIRS


@dataclass(frozen=True)
class Barrier:
    """Points by which the greatest error on the line between a pair of networks exceeds the mean of those at its ends.

    Mean over several sizes, or, down to a size, that of the size where the mean over replicates is greatest (`least`:
    least); minus: another pair, at the same sizes, of which the barrier is taken off.
    """

    pair: str
    sizes: Sizes
    part: str = "test"
    least: bool = False
    minus: str = ""
    unit = "points"

    @property
    def size(self) -> float | None:
        return OfSizes(PAIRS[self.pair].one.arm, self.sizes).size

    def places(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> list[Place]:
        return [place for pair in filter(None, (self.pair, self.minus)) for place in self.of_pair(pair, ours)]

    def of_pair(self, pair: str, ours: TrainedExperiment) -> list[Place]:
        """The first networks of a pair, at all sizes."""
        name = PAIRS[pair].one.arm
        return [ours.at(name, size) for size in OfSizes(name, self.sizes).trained(ours)]

    def found(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> Finding:
        heights = self.heights(self.pair, ours)
        if self.minus:
            others = self.heights(self.minus, ours)
            heights = {size: height - others[size] for size, height in heights.items()}
        if isinstance(self.sizes, DownTo):
            worst = (min if self.least else max)(heights, key=lambda size: heights[size].mean())
            return Finding(heights[worst], (f"{'least' if self.least else 'greatest'} at {100 * worst:.3g}%",))
        return Finding(pd.concat(heights.values(), axis=1).mean(axis=1))

    def heights(self, pair: str, ours: TrainedExperiment) -> dict[float, pd.Series]:
        """Barriers in points, by size."""
        column = column_of(pair, self.part)
        return {place.size: 100 * place.values(column) for place in self.of_pair(pair, ours)}


@dataclass(frozen=True, kw_only=True)
class Beyond(Paired):
    """Points of accuracy by which an arm exceeds a point between `versus` and the tickets: above 0 it recovers more
    than this share of what the ticket has over that arm. Mean over several sizes.
    """

    versus: str = "iterative-reinit"
    ticket: str = "iterative"
    share: float = 0.5
    column: str = FINAL
    unit = "points"

    def places(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> list[Place]:
        return [*super().places(ours, other), *(ours.at(self.ticket, size) for size in self.trained(ours, self.versus))]

    def found(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> Finding:
        beyond = []
        for own, versus in self.pairs(ours, other):
            ticket = ours.at(self.ticket, own.size).values(self.column)
            between = self.share * ticket + (1 - self.share) * versus.values(self.column)
            beyond.append(100 * (own.values(self.column) - between))
        return Finding(pd.concat(beyond, axis=1).mean(axis=1).dropna())


@dataclass(frozen=True)
class LayerValue:
    """A column of a layer of the ticket of a size, times a factor, in a unit of its own; layers count from 1."""

    column: str
    layer: int
    size: float
    unit: str = "% of training"
    factor: float = 100

    def places(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> list[Place]:
        return described(ours, self.size)

    def found(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> Finding:
        return Finding(self.factor * ours.ticket_layer(self.layer, self.size)[self.column])


def whole(pair: str, part: str = "test", minus: str = "") -> Barrier:
    """The barrier between whole networks."""
    assert all(arm(end.arm).whole for end in PAIRS[pair].ends)
    return Barrier(pair, 1.0, part, minus=minus)
