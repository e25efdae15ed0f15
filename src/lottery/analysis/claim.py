"""What a claim is: which experiments it speaks of, what it measures, and in which range it holds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar

from lottery.analysis.experiment import TrainedExperiment
from lottery.analysis.measures import Measure
from lottery.analysis.statistics import Estimate


@dataclass(frozen=True)
class Range:
    """The values for which a claim holds, both bounds excluded."""

    above: float = -math.inf
    below: float = math.inf

    def holds(self, estimate: Estimate) -> bool:
        """Whether the estimate itself lies in the range."""
        return self.above < estimate.mean < self.below

    def p(self, estimate: Estimate) -> float:
        """The two-sided p of the estimate lying where it lies, in the range or outside: below 0.05 when all of its 95%
        interval lies there too.

        To lie in a range is to lie above one bound and below the other, each tested by itself (Schuirmann 1987). NaN
        for one replicate.
        """
        bounds = [(self.above, estimate.p_above, estimate.p_below), (self.below, estimate.p_below, estimate.p_above)]
        finite = [(inside(bound), outside(bound)) for bound, inside, outside in bounds if math.isfinite(bound)]
        if self.holds(estimate):
            one_sided = max(inside for inside, _ in finite)
        else:
            one_sided = min(outside for _, outside in finite)
        return min(2 * one_sided, 1.0)

    def __str__(self) -> str:
        bounds = [f"> {self.above:g}"] * (self.above > -math.inf) + [f"< {self.below:g}"] * (self.below < math.inf)
        return " and ".join(bounds)


EARLIER, LATER = Range(below=1), Range(above=1)
BETTER, WORSE = Range(above=0), Range(below=0)
AS_ACCURATE = Range(above=-0.2)
"""As accurate or better: within 0.2 points, the width of a matching network in arXiv 1912.05671."""


T = TypeVar("T")

Recipe: TypeAlias = Mapping[str, str | float | tuple[str | float, ...]]
"""Values, one or several, that columns of levels.csv may have; see `lottery.settings.columns`."""


@dataclass(frozen=True)
class Subject:
    """The experiments that a claim speaks of: a network on a dataset, with a recipe.

    network: a name, or several. dataset: the paper's. also: others on which the same statement is judged. warmup and
    dropout say whether there is any, noise whether some labels are wrong; a warmup or scope of None may be any. recipe:
    values that other columns of the recipe must have, one or several; what it does not name may be anything.
    other_than: a recipe that the claim does not speak of. trains: arms that an experiment must train for the claim to
    speak of it; tells: columns that its tables must have. Survivors go back to the initialisation, as in the paper.
    """

    network: str | tuple[str, ...]
    dataset: str
    also: tuple[str, ...] = ()
    warmup: bool | None = None
    dropout: bool = False
    noise: bool = False
    scope: Literal["layer", "global"] | None = "layer"
    recipe: Recipe = field(default_factory=dict)
    other_than: Recipe | None = None
    trains: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()

    def includes(self, experiment: TrainedExperiment) -> bool:
        """Whether the claim speaks of this experiment."""
        found = experiment.recipe
        return (
            experiment.network in several(self.network)
            and experiment.dataset in (self.dataset, *self.also)
            and self.warmup in (None, found["warmup_iterations"] > 0)
            and self.dropout == (found["dropout"] > 0)
            and self.noise == (found["label_noise"] > 0)
            and self.scope in (None, found["pruning_scope"])
            and found["rewind_iteration"] == 0
            and follows(found, self.recipe)
            and not (self.other_than and follows(found, self.other_than))
            and all(experiment.sizes(arm) for arm in self.trains)
            and all(map(experiment.tells, self.tells))
        )

    def __str__(self) -> str:
        network = " or ".join(several(self.network))
        recipe = [
            f"{column.replace('_', ' ')} {' or '.join(map(str, several(value)))}"
            for column, value in self.recipe.items()
        ]
        warmup = [] if self.warmup is None else ["warmup" if self.warmup else "no warmup"]
        scope = [f"{self.scope} pruning"] * (self.scope not in (None, "layer"))
        return ", ".join([network, *recipe, *warmup, "dropout" if self.dropout else "no dropout", *scope])


def several(value: T | tuple[T, ...]) -> tuple[T, ...]:
    """One value or several, as several."""
    return value if isinstance(value, tuple) else (value,)


def follows(found: Mapping[str, str | float], recipe: Recipe) -> bool:
    """Whether the columns of an experiment have the values of a recipe."""
    return all(found[column] in several(value) for column, value in recipe.items())


@dataclass(frozen=True)
class Anything:
    """Every experiment, whatever its network, dataset and recipe."""

    dataset = ""

    def includes(self, _: TrainedExperiment) -> bool:
        return True


Family = Literal["paper", "weights", "ours", "follow-ups"]
"""Tests that are corrected together: statements of the paper about trained networks, those about which weights are in a
ticket, statements that are ours, and those of articles that followed the paper."""


@dataclass(frozen=True)
class Claim:
    """One claim: what the paper says and where, its number, our measure in the same unit, the verdict's rule.

    versus: the second experiment, on the same dataset, of a claim that compares two. comparable: whether the paper's
    number was measured, of the same quantity as ours: not of another, and no word such as "equal"; trials: how many it
    is a mean of.
    """

    id: str
    text: str
    where: str
    measure: Measure
    rule: Range
    paper: float | None = None
    needs_iterations: int = 0
    note: str = ""
    subject: Subject | Anything = field(kw_only=True)
    versus: Subject | None = None
    family: Family = "paper"
    comparable: bool = True
    trials: int = 5

    @property
    def unit(self) -> str:
        """The unit of the paper's number and of ours."""
        return self.measure.unit

    @property
    def weights_remaining(self) -> float | None:
        """The size that the claim is about, if it is about one."""
        return self.measure.size


def joined(*remarks: str) -> str:
    """The remarks that there are, as one note."""
    return "; ".join(filter(None, remarks))
