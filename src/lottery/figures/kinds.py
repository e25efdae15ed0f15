"""What figures show, as values: the kinds of pictures that rows of the catalog hold, each drawn by one function.

Light to import: the functions stand in `drawing`. Sizes are in percent of weights remaining, as the paper prints them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from lottery.errors import LotteryError
from lottery.figures.looks import LOOKS

Details = Literal["curves", "distributions", "overlaps", "pixels"]

Line: TypeAlias = tuple[str, float]
"""An arm and a size."""


@dataclass(frozen=True)
class Curves:
    """Which rows of curves.csv a picture shows: of some lines or of all networks, up to an iteration.

    tested: only those with a test accuracy.
    """

    lines: frozenset[Line] | None = None
    until: float = math.inf
    tested: bool = False


@dataclass(frozen=True)
class Picture:
    """A kind of picture. details: the table that it shows beside levels.csv; curves: what of curves.csv."""

    details: ClassVar[Details] = "curves"

    @property
    def curves(self) -> Curves | None:
        return None


@dataclass(frozen=True)
class OfArms(Picture):
    """A line for each arm. Raises LotteryError for an arm that has no look."""

    arms: tuple[str, ...]

    def __post_init__(self) -> None:
        for arm in self.arms:
            if arm not in LOOKS:
                raise LotteryError(f"figures: the arm {arm} is drawn without a look; add a row to LOOKS in looks.py")


@dataclass(frozen=True)
class BySize(OfArms):
    """Measures, which are columns of levels.csv or speed.csv, against the weights remaining: a row of panels for each
    experiment.

    ticks: sizes to print, those of Figures 1 and 4 when absent. cut: whether axes are cut to the paper's windows where
    lines leave them downwards. above: the size that all shown ones exceed.
    """

    measures: tuple[str, ...]
    log: bool = True
    ticks: Sequence[float] | None = None
    cut: bool = True
    above: float = 0


@dataclass(frozen=True)
class ByWeights(OfArms):
    """Test accuracy at early stop against the number of weights: a panel for each experiment."""


@dataclass(frozen=True)
class Panel:
    """Lines of one panel: arms, and what they are called there."""

    title: str
    lines: Mapping[str, str]


@dataclass(frozen=True)
class ArmPanels(Picture):
    """A column of levels.csv against the weights remaining: a row of panels for each experiment."""

    measure: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class ByWidth(Picture):
    """Test accuracy of networks that are never trained: of one network against the weights remaining, in panels; of
    several widths of it, all pruned to `size`, against the dense network's number of weights.
    """

    panels: tuple[Panel, ...]
    by_width: Panel
    size: float


@dataclass(frozen=True)
class ByNoise(Picture):
    """Accuracy and generalisation gap of an arm's networks by their number of weights and the share of wrong labels."""

    arm: str


@dataclass(frozen=True)
class Recovered(Picture):
    """The share of what the ticket has over `versus` that other arms recover, against the weights remaining."""

    versus: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Barriers(Picture):
    """How much error rises on the lines between pairs of networks, on test and on training images, against the weights
    remaining of the first; pairs, and what they are called.
    """

    pairs: Mapping[str, str]


@dataclass(frozen=True)
class ByRewindPoint(Picture):
    """Test accuracy, and beside it how much error rises between twins, against the iteration that arms are rewound to.

    lines: labels, and an arm of iteration 0, of others, its twins and theirs, with `*` for the iteration.
    """

    lines: Mapping[str, tuple[str, str, str, str]]


@dataclass(frozen=True)
class BarrierAndGain(Picture):
    """A point for each experiment: how much error rises between twins of a pair, and what its tickets of a size gain
    over `versus`.
    """

    pair: str
    size: float
    versus: str


@dataclass(frozen=True)
class OverlapsOnTheWay(Picture):
    """Overlaps of masks over chance along training, and how far masks are from earlier ones, layer by layer."""

    details: ClassVar[Details] = "overlaps"


@dataclass(frozen=True)
class WhatIsSelected(Picture):
    """Which weights tickets keep: signs, movement, and overlaps with other masks at the end, layer by layer."""

    details: ClassVar[Details] = "overlaps"


@dataclass(frozen=True)
class AlongTraining(Picture):
    """A column of curves.csv along training up to an iteration, panel by panel with its lines.

    window: what vertical axes span where curves end in it.
    """

    measure: str
    label: str
    until: int
    window: tuple[float, float]
    panels: tuple[tuple[Line, ...], ...]

    @property
    def curves(self) -> Curves:
        return Curves(frozenset(line for panel in self.panels for line in panel), self.until)


@dataclass(frozen=True)
class AtMoments(Picture):
    """Test accuracy at moments of training, which the paper trains for `length` iterations, and sizes to print."""

    iterations: tuple[int, ...]
    length: int
    ticks: Sequence[float]

    @property
    def curves(self) -> Curves:
        return Curves(tested=True)


@dataclass(frozen=True)
class ByDropout(Picture):
    """Measures of tickets trained with dropout and without, and sizes to print."""

    measures: tuple[str, ...]
    ticks: Sequence[float]


@dataclass(frozen=True)
class ByValue(Picture):
    """A line for each value of a column of levels.csv, of networks against their number of weights.

    paper: the values of the paper's figure.
    """

    column: str
    paper: Sequence[str | float]


@dataclass(frozen=True)
class Histograms(Picture):
    """Distributions of a quantity of distributions.csv, layer by layer."""

    details: ClassVar[Details] = "distributions"
    quantity: str


@dataclass(frozen=True)
class KeptPixels(Picture):
    """Images of which pixels tickets read, from pixels.csv: a row for each experiment, an image for each size."""

    details: ClassVar[Details] = "pixels"


@dataclass(frozen=True)
class Effects(Picture):
    """What recipes differ in, with intervals."""
