"""What claims measure: values that name arms, sizes and columns, and find one number for each replicate.

A measure is of an experiment's networks, `elsewhere` beside those of a second one. It names the networks that it is
taken from (`places`), and raises NotRun, or a kind of it, where the run has none, or has them without an outcome.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol, TypeAlias

import numpy as np
import pandas as pd
from scipy.stats import norm

from lottery.analysis.experiment import (
    AT_EARLY_STOP,
    EARLY_STOP,
    FINAL,
    KNOWN_UNTIL,
    ON_VALIDATION,
    NotFinite,
    NotReached,
    NotRun,
    Place,
    TrainedExperiment,
)
from lottery.arms.places import DENSE
from lottery.runs.listing import DESCRIBED_ARM

MOST_IMAGES = 100_000
"""That accuracies are shares of."""


@dataclass(frozen=True)
class Finding:
    """numbers: float, indexed by replicate. remarks: what a note must tell beside them.

    bound: the truth is "at least" or "at most" these numbers, where some of what they are made of was not reached.
    images: half the width, in the numbers' unit, of the 95% interval that a choice of as many other test images would
    give at most (`image_error`); NaN where no test accuracy is compared.
    """

    numbers: pd.Series
    remarks: tuple[str, ...] = ()
    bound: Literal["", "at least", "at most"] = ""
    images: float = math.nan


def usable(numbers: pd.Series, *, ratios: bool = False) -> pd.Series:
    """One number for each replicate, as it is.

    Raises NotRun when there is none, NotFinite when a replicate's is no number (or for ratios, whose logarithms are
    averaged, not above 0): a mean over the others would flatter what is measured.
    """
    if numbers.empty:
        raise NotRun("no replicate has all that is compared")
    lost = ~np.isfinite(numbers.to_numpy(float)) | (ratios & (numbers.to_numpy(float) <= 0))
    if lost.any():
        what = "ratio above 0" if ratios else "number"
        raise NotFinite(f"{int(lost.sum())} of {len(numbers)} replicates have no {what}")
    return numbers


def over(above: pd.Series, below: pd.Series) -> pd.Series:
    """Ratios of the replicates that both have. Raises as `usable` does."""
    above, below = above.align(below, join="inner")
    return usable(above / below, ratios=True)


class Measure(Protocol):
    """One number for each replicate, in a unit, of some places; size: the one that it is of, if it is of one alone."""

    @property
    def unit(self) -> str: ...

    @property
    def size(self) -> float | None: ...

    def places(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> list[Place]: ...

    def found(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> Finding: ...


@dataclass(frozen=True)
class Between:
    """All sizes from one to another, two or more; in numbers of weights where `unit` says so."""

    high: float
    low: float
    unit: Literal["weights remaining", "weights"] = "weights remaining"


@dataclass(frozen=True)
class DownTo:
    """Every size of at least `low`: what is least of all of them counts."""

    low: float


Sizes: TypeAlias = float | Between | DownTo


@dataclass(frozen=True)
class OfSizes:
    """What is measured of an arm at a size, or at several of those that it was trained at."""

    arm: str
    sizes: Sizes

    @property
    def size(self) -> float | None:
        return None if isinstance(self.sizes, Between | DownTo) else self.sizes

    def trained(self, ours: TrainedExperiment, versus: str = DENSE) -> list[float]:
        """The sizes that were trained; a single one as it was asked for."""
        match self.sizes:
            case Between(high, low, unit):
                whole = 1 if unit == "weights remaining" else int(ours.at(DENSE, 1).rows["weights"].iloc[0])
                return ours.sizes_between(high / whole, low / whole, self.arm, versus)
            case DownTo(low):
                return ours.sizes_between(1, low, self.arm, DENSE, whole=True)
            case size:
                return [size]


@dataclass(frozen=True, kw_only=True)
class Accuracy(OfSizes):
    """Percent of images right, mean over several sizes, or each replicate's least."""

    column: str = FINAL
    unit = "% accuracy"

    def places(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> list[Place]:
        return [ours.at(self.arm, size) for size in self.trained(ours)]

    def found(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> Finding:
        places = self.places(ours)
        values = pd.concat([place.values(self.column) for place in places], axis=1)
        numbers = 100 * (values.min(axis=1) if isinstance(self.sizes, DownTo) else values.mean(axis=1))
        return Finding(numbers, images=mean_image_error(self.column, [(place,) for place in places]))


@dataclass(frozen=True)
class Stop:
    """The early-stop iteration."""

    arm: str
    size: float
    unit: Literal["% of training", "thousands of iterations"] = "% of training"

    def places(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> list[Place]:
        return [ours.at(self.arm, self.size)]

    def found(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> Finding:
        (place,) = self.places(ours)
        stops = place.values(EARLY_STOP)
        return Finding(100 * stops / ours.iterations if self.unit == "% of training" else stops / 1000)


@dataclass(frozen=True, kw_only=True)
class Paired(OfSizes):
    """A comparison with another arm at the same size, or at `versus_size`; the dense network has one size.

    elsewhere: the other arm is that of the second experiment.
    """

    versus: str = DENSE
    versus_size: float | None = None
    elsewhere: bool = False

    def pairs(self, ours: TrainedExperiment, other: TrainedExperiment | None) -> list[tuple[Place, Place]]:
        theirs = second(other) if self.elsewhere else ours
        return [
            (ours.at(self.arm, size), theirs.at(self.versus, 1 if self.versus == DENSE else self.versus_size or size))
            for size in self.trained(ours, self.versus)
        ]

    def places(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> list[Place]:
        return [place for pair in self.pairs(ours, other) for place in pair]


@dataclass(frozen=True, kw_only=True)
class Gain(Paired):
    """Points of accuracy by which an arm exceeds the other.

    Of several sizes the mean, or the gain at that size where its mean over replicates is least: what holds there by its
    interval holds at every one of them, or nearly so.
    """

    column: str = AT_EARLY_STOP
    unit = "points"

    def found(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> Finding:
        pairs = {pair[0].size: pair for pair in self.pairs(ours, other)}
        gains = {size: self.gain(*pair) for size, pair in pairs.items()}
        if isinstance(self.sizes, DownTo):
            least = min(gains, key=lambda size: gains[size].mean())
            images = mean_image_error(self.column, [pairs[least]])
            return Finding(gains[least], (f"least at {100 * least:.3g}%",), images=images)
        numbers = pd.concat(gains.values(), axis=1).mean(axis=1)
        images = mean_image_error(self.column, pairs.values())
        return Finding(numbers, compared_with(other) * self.elsewhere, images=images)

    def gain(self, ours: Place, theirs: Place) -> pd.Series:
        if self.column.endswith("at_early_stop"):
            check_reached((ours, theirs), all if self.elsewhere else any)
        return (100 * (ours.values(self.column) - theirs.values(self.column))).dropna()


@dataclass(frozen=True, kw_only=True)
class StopRatio(Paired):
    """Early-stop iteration of an arm over that of the other, below 1 where the first is sooner; the geometric mean of
    several sizes.

    equal: the ratio is asked for itself, not for its direction, so both sides must have reached their early stop.
    column: the early stop of the paper, or the smoothed one.
    """

    equal: bool = False
    column: str = EARLY_STOP
    unit = "ratio"

    def found(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> Finding:
        pairs = self.pairs(ours, other)
        mean = geometric_mean([self.ratio(*pair) for pair in pairs])
        late = [unreached(pair[:1] if self.elsewhere else pair) for pair in pairs]
        return Finding(mean, (*compared_with(other) * self.elsewhere, *late))

    def ratio(self, ours: Place, theirs: Place) -> pd.Series:
        # The second experiment's early stop is what ours is measured by, so that must have been reached.
        check_reached((theirs,) if self.elsewhere else (ours, theirs), all if self.equal else any)
        return over(ours.values(self.column), theirs.values(self.column))


@dataclass(frozen=True, kw_only=True)
class QualityRatio(Paired):
    """Iterations that an arm takes to the dense network's quality over those that the other takes; below 1 where the
    first is sooner; the geometric mean of several sizes.

    The dense network's quality is the least validation loss of the replicate's dense network, which itself takes until
    its early stop, if it has one in training. Of what is never reached the end is known alone: what is compared then is
    at least so much, or at most.
    """

    unit = "ratio"

    def found(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> Finding:
        ratios, missed, networks = [], [0, 0], 0
        pairs = self.pairs(ours, other)
        for pair in pairs:
            (mine, mine_missed), (theirs, theirs_missed) = (place.to_quality() for place in pair)
            ratios.append(over(mine, theirs))
            missed[0] += int(mine_missed.sum())
            missed[1] += int(theirs_missed.sum())
            networks += sum(len(place.rows) for place in pair)
        if all(missed):
            raise NotReached(f"{sum(missed)} of {networks} networks did not reach the dense network's quality")
        told = (f"{sum(missed)} of {networks} networks did not reach it, and count as if they had at the end",)
        cut = max(place.rows["iterations"].max() - place.rows[KNOWN_UNTIL].min() for pair in pairs for place in pair)
        known = f"curves are known to iteration {int(pairs[0][0].rows[KNOWN_UNTIL].min())}" if cut > 0 else ""
        bound: Literal["", "at least", "at most"] = "at least" if missed[0] else "at most" if missed[1] else ""
        return Finding(geometric_mean(ratios), (*told * any(missed), known), bound)


@dataclass(frozen=True)
class GainByWeights:
    """Points of accuracy by which an arm exceeds the same arm of the second experiment with as many weights.

    high, low: numbers of weights. Mean over the sizes of our networks in this range that lie between two sizes of the
    other's; its accuracy there is the one on the line between the two, over the logarithm of the number of weights.
    """

    arm: str
    high: float
    low: float
    column: str = ON_VALIDATION
    unit = "points"
    size = None

    def places(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> list[Place]:
        return [place for *places, _ in self.triples(ours, other) for place in places]

    def triples(
        self, ours: TrainedExperiment, other: TrainedExperiment | None
    ) -> list[tuple[Place, Place, Place, float]]:
        """Our networks of a size, the other's with as many weights or more and or fewer, and the former's share.

        Raises NotRun when there are fewer than two such sizes.
        """
        mine, theirs = ours.by_weights(self.arm), second(other).by_weights(self.arm)
        shared = [count for count in mine if max(self.low, min(theirs)) <= count <= min(self.high, max(theirs))]
        if len(shared) < 2:
            raise NotRun(f"{ours.name} and {second(other).name} have fewer than two sizes of tickets in common")
        found = []
        for count in shared:
            above, below = min(each for each in theirs if each >= count), max(each for each in theirs if each <= count)
            share = math.log(count / below) / math.log(above / below) if above > below else 0.0
            found.append((mine[count], theirs[above], theirs[below], share))
        return found

    def found(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> Finding:
        triples = self.triples(ours, other)
        gains = [
            mine.values(self.column) - (share * larger.values(self.column) + (1 - share) * smaller.values(self.column))
            for mine, larger, smaller, share in triples
        ]
        images = mean_image_error(self.column, [(mine, larger) for mine, larger, _, _ in triples])
        return Finding((100 * pd.concat(gains, axis=1).mean(axis=1)).dropna(), compared_with(other), images=images)


@dataclass(frozen=True)
class LayerShare:
    """A column of layers.csv, of a layer of the ticket of a size, in percent of its weights; layers count from 1.

    minus: another column, which it exceeds by so many points.
    """

    column: str
    layer: int
    size: float
    minus: str = ""

    @property
    def unit(self) -> str:
        return "points" if self.minus else "% of weights"

    def places(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> list[Place]:
        return described(ours, self.size)

    def found(self, ours: TrainedExperiment, _: TrainedExperiment | None = None) -> Finding:
        rows = ours.ticket_layer(self.layer, self.size)
        return Finding(100 * (rows[self.column] - rows[self.minus] if self.minus else rows[self.column]))


@dataclass(frozen=True)
class LayerRatio:
    """A column that is a ratio itself, or one over another column of another layer, or over itself elsewhere."""

    column: str
    layer: int
    size: float
    over: tuple[str, int] | None = None
    elsewhere: bool = False
    unit = "ratio"

    def places(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> list[Place]:
        return described(ours, self.size) + (described(second(other), self.size) if self.elsewhere else [])

    def found(self, ours: TrainedExperiment, other: TrainedExperiment | None = None) -> Finding:
        values = ours.ticket_layer(self.layer, self.size)[self.column]
        if self.elsewhere:
            theirs = second(other).ticket_layer(self.layer, self.size)[self.column]
            return Finding(over(values, theirs), compared_with(other))
        if self.over:
            column, layer = self.over
            return Finding(values / ours.ticket_layer(layer, self.size)[column])
        return Finding(values)


def geometric_mean(ratios: Sequence[pd.Series]) -> pd.Series:
    """Of each replicate's ratios. One ratio is told as it is: the exponential of its logarithm would differ in the last
    digit.
    """
    return ratios[0] if len(ratios) == 1 else np.exp(np.log(pd.concat(ratios, axis=1)).mean(axis=1))


def mean_image_error(column: str, compared: Iterable[Sequence[Place]]) -> float:
    """`image_error` in points, mean over what is compared at each size: its errors are at worst the same ones.

    NaN for other accuracies: each replicate has validation images of its own, so its spread tells of them.
    """
    if not column.startswith("test_"):
        return math.nan
    return float(np.mean([100 * image_error(*(place.rows[column] for place in places)) for places in compared]))


def image_error(*accuracies: pd.Series) -> float:
    """Half the width of the 95% interval of an accuracy, or at most of a difference of two, over choices of images.

    accuracies: fractions of the same images, of one arm's networks or two arms'. Which images each network has wrong is
    not in the tables. Of two the bound is that of networks that are never wrong on the same image, whose difference has
    the variance (e1 + e2 - (e1 - e2)^2) / images with errors e1 and e2; networks that agree on most images have far
    less. No replicates make it smaller: they are measured on the same images. NaN where accuracies are no shares of a
    number of images.
    """
    images = images_behind(pd.concat(accuracies))
    if images > MOST_IMAGES:
        return math.nan
    errors = [1 - float(each.mean()) for each in accuracies]
    variance = sum(errors) - (errors[0] - sum(errors[1:])) ** 2
    return float(norm.ppf(0.975)) * math.sqrt(max(variance, 0.0) / images)


def images_behind(accuracies: pd.Series) -> int:
    """The number of images that accuracies are shares of: the least that makes whole numbers of all of them.

    Beyond MOST_IMAGES for numbers that are no shares of so few.
    """
    shares = {value: Fraction(value).limit_denominator(MOST_IMAGES) for value in accuracies.dropna().unique()}
    if any(abs(float(share) - value) > 1e-12 for value, share in shares.items()):
        return MOST_IMAGES + 1
    return math.lcm(*(share.denominator for share in shares.values()))


def described(experiment: TrainedExperiment, size: float) -> list[Place]:
    """The tickets that layers.csv tells of, and the dense networks in whose training their weights move."""
    told = experiment.ticket_layer(1, size)["weights_remaining"].iloc[0]
    return [experiment.at(DESCRIBED_ARM, told), experiment.at(DENSE, 1)]


def check_reached(places: Iterable[Place], enough: Callable[[Iterable[bool]], bool]) -> None:
    """Raise NotReached when networks had not reached their early stop.

    enough: any when one place that has is, since the direction of a comparison with networks that still improve can be
    told, or all.
    """
    if not enough([place.reached for place in places]):
        raise NotReached("validation loss still falls at the end of training")


def unreached(places: Iterable[Place]) -> str:
    """For a note: how many networks had not reached their early stop; empty when all had."""
    late = pd.concat([place.late for place in places])
    return f"in {late.sum()} of {len(late)} networks validation loss still fell at the end" if late.any() else ""


def second(other: TrainedExperiment | None) -> TrainedExperiment:
    """The second experiment of a measure that needs one."""
    if other is None:
        raise ValueError("a claim that compares two experiments must name the second")
    return other


def compared_with(other: TrainedExperiment | None) -> tuple[str, ...]:
    """The remark that names the second experiment, if there is one."""
    return (f"compared with {other.name}",) if other else ()
