"""Measures of the size at which an arm is most accurate at the end of training, by its validation images: the test
images choose nothing.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from lottery.analysis.experiment import FINAL, TRAIN_FINAL, NotRun, Place, TrainedExperiment
from lottery.analysis.measures import Finding, compared_with, over, second
from lottery.arms.places import DENSE


def sizes_of(experiment: TrainedExperiment, arm: str) -> list[Place]:
    """An arm's networks, largest first. Raises NotRun where there are fewer than two sizes."""
    places = [experiment.at(arm, size) for size in experiment.sizes(arm)]
    if len(places) < 2:
        raise NotRun(f"{arm} was not trained at two sizes or more in {experiment.name}")
    return places


def validation_accuracies(places: list[Place]) -> pd.DataFrame:
    """Those at the end, fractions: a row for each replicate that all sizes have, a column for each place."""
    return pd.concat([place.validation_at_end() for place in places], axis=1, keys=range(len(places))).dropna()


@dataclass(frozen=True)
class PeakGain:
    """Points by which an arm exceeds the dense network at the size where it is most accurate, in test accuracy or in
    the gap between training and test accuracy.

    Each replicate's own validation images choose its size; of sizes that are equally accurate the largest.
    """

    arm: str
    of: Literal["accuracy", "gap"] = "accuracy"
    unit = "points"
    size = None

    def places(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> list[Place]:
        return [ours.at(DENSE, 1), *sizes_of(ours, self.arm)]

    def found(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> Finding:
        dense, *places = self.places(ours)
        table = validation_accuracies(places)
        chosen = dict(zip(table.index, table.to_numpy().argmax(axis=1), strict=True))
        gains = {replicate: 100 * self.gain(places[place], dense)[replicate] for replicate, place in chosen.items()}
        sizes = sorted({f"{100 * places[place].size:.3g}%" for place in chosen.values()})
        return Finding(pd.Series(gains), (f"at {', '.join(sizes)}",))

    def gain(self, ours: Place, dense: Place) -> pd.Series:
        def value(place: Place) -> pd.Series:
            accuracy = place.values(FINAL)
            return accuracy if self.of == "accuracy" else place.values(TRAIN_FINAL) - accuracy

        return value(ours) - value(dense)


@dataclass(frozen=True)
class PeakRatio:
    """The number of weights with which an arm is most accurate, over that in the second experiment, replicate by
    replicate; of sizes that are equally accurate the largest.
    """

    arm: str
    unit = "ratio"
    size = None

    def places(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> list[Place]:
        return [place for each in (ours, second(other)) for place in sizes_of(each, self.arm)]

    def found(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> Finding:
        return Finding(over(self.weights(ours), self.weights(second(other))), compared_with(other))

    def weights(self, experiment: TrainedExperiment) -> pd.Series:
        """The number of weights at the peak of each replicate."""
        places = sizes_of(experiment, self.arm)
        counts = np.array([float(place.rows["weights"].iloc[0]) for place in places])
        table = validation_accuracies(places)
        return pd.Series(counts[table.to_numpy().argmax(axis=1)], index=table.index)
