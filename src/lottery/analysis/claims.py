"""The paper's claims, each with the measure that speaks to it and the rule of its verdict, in one table.

A claim says that a quantity lies in a range. Its verdict is `replicated` when the whole 95% interval of our estimate
lies inside the range, `not replicated` when the whole interval lies outside, `inconclusive` otherwise (also with one
replicate, which has no interval), and `not run` when the run did not train what the claim speaks of.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from lottery.analysis.measures import Comparison, Measured, NotRun
from lottery.analysis.statistics import Estimate, mean_estimate, ratio_estimate

COLUMNS = ["id", "claim", "experiment", "weights_remaining", "paper", "ours", "ci_low", "ci_high", "n", "verdict"]
COLUMNS += ["note", "unit", "rule"]


@dataclass(frozen=True)
class Range:
    """The values for which a claim holds, both bounds excluded."""

    above: float = -math.inf
    below: float = math.inf

    def verdict(self, estimate: Estimate) -> str:
        """The verdict on an estimate, by its interval."""
        if math.isnan(estimate.low):
            return "inconclusive"
        if self.above < estimate.low and estimate.high < self.below:
            return "replicated"
        if estimate.high <= self.above or estimate.low >= self.below:
            return "not replicated"
        return "inconclusive"

    def __str__(self) -> str:
        bounds = [f"> {self.above:g}"] * (self.above > -math.inf) + [f"< {self.below:g}"] * (self.below < math.inf)
        return " and ".join(bounds)


@dataclass(frozen=True)
class Claim:
    """One claim: what the paper says and where, its number, our measure in the same unit, the verdict's rule."""

    id: str
    text: str
    where: str
    measure: Callable[[Comparison], Measured]
    unit: str
    rule: Range
    paper: float | None = None
    weights_remaining: float | None = None
    needs_iterations: int = 0
    note: str = ""
    subject: tuple[str, str] = field(default=("lenet-300-100", "mnist"))


EARLIER, LATER = Range(below=1), Range(above=1)
BETTER, WORSE = Range(above=0), Range(below=0)

CLAIMS = [
    Claim(
        "A1",
        "A ticket of less than 20% of the network's size is as accurate as the dense network",
        "abstract: less than 10-20%",
        lambda c: c.accuracy_gain("iterative", 16.9),
        "points",
        Range(above=-0.2),
        paper=0.0,
        weights_remaining=0.169,
        note="at early stop, at the largest size below 20%; as accurate: within 0.2 points, as a matching network in"
        " arXiv 1912.05671",
    ),
    Claim(
        "L1a",
        "The 51.3% ticket reaches its early stop sooner than the dense network",
        "s. 2, Fig. 3",
        lambda c: c.early_stop_ratio("iterative", 51.3),
        "ratio",
        EARLIER,
        weights_remaining=0.513,
    ),
    Claim(
        "L1b",
        "The 51.3% ticket is more accurate than the dense network at early stop",
        "s. 2, Fig. 3",
        lambda c: c.accuracy_gain("iterative", 51.3),
        "points",
        BETTER,
        weights_remaining=0.513,
    ),
    Claim(
        "L1c",
        "The 51.3% ticket reaches its early stop later than the 21.1% ticket",
        "s. 2, Fig. 3",
        lambda c: c.early_stop_ratio("iterative", 51.3, versus="iterative", versus_percent=21.1),
        "ratio",
        LATER,
        weights_remaining=0.513,
    ),
    Claim(
        "L2",
        "The 21.1% ticket reaches its early stop sooner than the dense network",
        "s. 2, Fig. 4a",
        lambda c: c.early_stop_ratio("iterative", 21.1),
        "ratio",
        EARLIER,
        paper=0.62,
        weights_remaining=0.211,
    ),
    Claim(
        "L3a",
        "Below 21.1% learning slows: the 3.6% ticket reaches its early stop later than the 21.1% ticket",
        "s. 2, Fig. 4a",
        lambda c: c.early_stop_ratio("iterative", 3.6, versus="iterative", versus_percent=21.1),
        "ratio",
        LATER,
        weights_remaining=0.036,
    ),
    Claim(
        "L3b",
        "The 3.6% ticket is back at the dense network's early-stop time",
        "s. 2, Fig. 4a",
        lambda c: c.early_stop_ratio("iterative", 3.6, equal=True),
        "ratio",
        Range(above=0.8, below=1.25),
        paper=1.0,
        weights_remaining=0.036,
        note="equal within a quarter",
    ),
    Claim(
        "L4",
        "The 13.5% ticket is more than 0.3 points more accurate than the dense network at early stop",
        "s. 2, Fig. 4a",
        lambda c: c.accuracy_gain("iterative", 13.5),
        "points",
        Range(above=0.3),
        paper=0.3,
        weights_remaining=0.135,
    ),
    Claim(
        "L5",
        "The 3.6% ticket is back at the dense network's accuracy at early stop",
        "s. 2, Fig. 4a",
        lambda c: c.accuracy_gain("iterative", 3.6),
        "points",
        Range(above=-0.2, below=0.2),
        paper=0.0,
        weights_remaining=0.036,
        note="equal within 0.2 points, the width of a matching network in arXiv 1912.05671",
    ),
    Claim(
        "L6",
        "After 50,000 iterations tickets are still more accurate than the dense network",
        "s. 2, Fig. 4b",
        lambda c: c.accuracy_gain_between("iterative", 51.3, 7.0, "test_accuracy_final"),
        "points",
        BETTER,
        paper=0.35,
        needs_iterations=50_000,
        note="the paper's number is the largest of all sizes, ours the mean from 51.3% to 7.0%",
    ),
    Claim(
        "L7a",
        "After 50,000 iterations training accuracy is 100% for tickets of at least 5%",
        "s. 2, App. D",
        lambda c: c.least_train_accuracy("iterative", 5),
        "% accuracy",
        Range(above=99.9),
        paper=100,
        needs_iterations=50_000,
    ),
    Claim(
        "L7b",
        "After 50,000 iterations training accuracy is about 100% for tickets of at least 2%",
        "Fig. 4 caption",
        lambda c: c.least_train_accuracy("iterative", 2),
        "% accuracy",
        Range(above=99),
        paper=100,
        needs_iterations=50_000,
    ),
    Claim(
        "L8a",
        "Reinitialised, the 21.1% ticket is less accurate than the dense network at early stop",
        "s. 2, Fig. 4a",
        lambda c: c.accuracy_gain("iterative-reinit", 21.1),
        "points",
        WORSE,
        weights_remaining=0.211,
    ),
    Claim(
        "L8b",
        "The 2.9% ticket is less accurate than the dense network at early stop",
        "s. 2, Fig. 4a",
        lambda c: c.accuracy_gain("iterative", 2.9),
        "points",
        WORSE,
        weights_remaining=0.029,
    ),
    Claim(
        "L9a",
        "The 21.1% ticket reaches its early stop sooner than when it is reinitialised",
        "s. 2, Fig. 4a",
        lambda c: c.early_stop_ratio("iterative-reinit", 21.1, versus="iterative", versus_percent=21.1),
        "ratio",
        LATER,
        paper=2.51,
        weights_remaining=0.211,
    ),
    Claim(
        "L9b",
        "The 21.1% ticket is more accurate at early stop than when it is reinitialised",
        "s. 2, Fig. 4a",
        lambda c: c.accuracy_gain("iterative", 21.1, versus="iterative-reinit"),
        "points",
        BETTER,
        paper=0.5,
        weights_remaining=0.211,
    ),
    Claim(
        "L10",
        "One-shot tickets from 67.5% to 17.6% reach their early stop sooner than the dense network",
        "s. 2, Fig. 4c",
        lambda c: c.early_stop_ratio_between("one-shot", 67.5, 17.6),
        "ratio",
        EARLIER,
        note="mean over the sizes trained",
    ),
    Claim(
        "L11",
        "One-shot tickets from 95.0% to 5.17% are more accurate than the dense network at early stop",
        "s. 2, Fig. 4c",
        lambda c: c.accuracy_gain_between("one-shot", 95.0, 5.17),
        "points",
        BETTER,
        note="mean over the sizes trained",
    ),
    Claim(
        "L12",
        "At small sizes iterative tickets are more accurate at early stop than one-shot tickets",
        "s. 2, Fig. 4a",
        lambda c: c.accuracy_gain_between("iterative", 10, 0, versus="one-shot"),
        "points",
        BETTER,
        note="mean over the sizes of at most 10% that both arms trained",
    ),
    Claim(
        "SDa",
        "A ticket of 21.1% is more accurate at early stop than a small dense network of as many weights",
        "cf. App. G.6",
        lambda c: c.accuracy_gain("iterative", 21.1, versus="small-dense"),
        "points",
        BETTER,
        weights_remaining=0.211,
        note="the paper compares tickets of wider and narrower networks",
    ),
    Claim(
        "SDb",
        "A ticket of 7.0% is more accurate at early stop than a small dense network of as many weights",
        "cf. App. G.6",
        lambda c: c.accuracy_gain("iterative", 7.0, versus="small-dense"),
        "points",
        BETTER,
        weights_remaining=0.07,
        note="the paper compares tickets of wider and narrower networks",
    ),
]


def judge(levels: pd.DataFrame) -> pd.DataFrame:
    """One row for each claim and each experiment it speaks of, columns COLUMNS, from the table `levels.csv`."""
    rows = []
    for name, table in levels.groupby("experiment", sort=False):
        comparison = Comparison(table)
        rows += [row(claim, str(name), comparison) for claim in CLAIMS if claim.subject == comparison.subject]
    return pd.DataFrame(rows, columns=COLUMNS)


def row(claim: Claim, experiment: str, comparison: Comparison) -> dict[str, object]:
    """One line of claims.csv."""
    known: dict[str, object] = {
        "id": claim.id,
        "claim": f"{claim.text} ({claim.where})",
        "experiment": experiment,
        "weights_remaining": claim.weights_remaining,
        "paper": claim.paper,
        "note": claim.note,
        "unit": claim.unit,
        "rule": str(claim.rule),
    }
    try:
        if comparison.iterations < claim.needs_iterations:
            raise NotRun(f"needs {claim.needs_iterations} iterations, this run trains {comparison.iterations}")
        comparison.remarks.clear()
        measured = claim.measure(comparison)
    except NotRun as reason:
        return known | {"n": 0, "verdict": reason.verdict, "note": joined(claim.note, str(reason))}
    estimate = (ratio_estimate if claim.unit == "ratio" else mean_estimate)(measured)
    return known | {
        "ours": estimate.mean,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "n": estimate.n,
        "verdict": claim.rule.verdict(estimate),
        "note": joined(claim.note, *dict.fromkeys(comparison.remarks)),
    }


def joined(*remarks: str) -> str:
    """The remarks that there are, as one note."""
    return "; ".join(filter(None, remarks))
