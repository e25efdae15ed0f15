"""The paper's claims and the verdicts on them; the other modules named `claims_...` hold the claims' rows.

A claim says that a quantity lies in a range. Where our estimate lies in the range or outside beyond doubt, by a test
corrected for the number of claims of its family that the run judges, the verdict is `replicated` or `not replicated`;
otherwise it is `inconclusive` (also with one replicate, which has no spread), and `not run` when the run did not train
what the claim speaks of. An experiment that no claim of the paper speaks of is judged by the general statements. See
docs/statistics.md.
"""

import math
from collections.abc import Callable, Collection, Iterator
from typing import TypeAlias

import pandas as pd

from lottery.analysis.claim import Claim, joined
from lottery.analysis.claims_appendix import APPENDIX
from lottery.analysis.claims_before_training import BEFORE_TRAINING
from lottery.analysis.claims_conv import CONV
from lottery.analysis.claims_deep import DEEP
from lottery.analysis.claims_general import GENERAL
from lottery.analysis.claims_hyperparameters import HYPERPARAMETERS
from lottery.analysis.claims_lenet import LENET
from lottery.analysis.claims_lines import LINES
from lottery.analysis.claims_noise import NOISE
from lottery.analysis.claims_rewinding import REWINDING
from lottery.analysis.claims_selection import SELECTION
from lottery.analysis.claims_signs import SIGNS
from lottery.analysis.claims_speed import SPEED
from lottery.analysis.claims_transfer import TRANSFER
from lottery.analysis.claims_untrained import UNTRAINED
from lottery.analysis.claims_weights import WEIGHTS
from lottery.analysis.experiment import NotReached, NotRun, Place, TrainedExperiment
from lottery.analysis.measures import Finding, usable
from lottery.analysis.statistics import SIGNIFICANCE, Estimate, corrected, mean_estimate, ratio_estimate
from lottery.analysis.tables import NETWORK

COLUMNS = ["id", "claim", "experiment", "weights_remaining", "paper", "ours", "ci_low", "ci_high", "n", "verdict"]
COLUMNS += ["note", "unit", "rule", "p", "p_corrected", "effect_size", "family", "p_any_dependence", "p_same_as_paper"]
COLUMNS += ["images", "bound"]
"""p: of our estimate lying where it lies, in the range or outside. effect_size: Hedges' g, from no difference.
p_corrected, p_any_dependence: corrected within the family, after Benjamini and Hochberg, which decides, and after
Benjamini and Yekutieli. p_same_as_paper: of our mean and the paper's measured number being of the same truth. images:
half the width of the 95% interval that another choice of test images would give at most. bound: "at least" or "at
most" where ours is no more than that.
"""

NETWORKS = ["id", "judged", *NETWORK, "weights_remaining"]
"""Columns of `networks_behind`; judged: the experiment of the claim's row, `experiment` that of the network."""

CLAIMS = [
    *LENET,
    *APPENDIX,
    *WEIGHTS,
    *HYPERPARAMETERS,
    *CONV,
    *DEEP,
    *SPEED,
    *BEFORE_TRAINING,
    *UNTRAINED,
    *NOISE,
    *LINES,
    *SIGNS,
    *TRANSFER,
    *SELECTION,
    *REWINDING,
]


def judge(
    levels: pd.DataFrame, layers: pd.DataFrame | None = None, elsewhere: Collection[tuple[str, str]] = ()
) -> pd.DataFrame:
    """One row for each claim and each experiment it speaks of, columns COLUMNS.

    levels: the table levels.csv, with the columns of speed.csv beside its own (`lottery.analysis.speed.read_levels`),
    without which claims about these are not run; layers: layers.csv, without which claims about tickets' weights are
    not run; elsewhere: ids and experiments of rows that are left out, since another run judges them.
    """
    rows = [
        row(claim, ours, experiments)
        for claim, ours, experiments in spoken_of(levels, layers)
        if (claim.id, ours.name) not in elsewhere
    ]
    return with_verdicts(pd.DataFrame(rows, columns=COLUMNS))


def with_verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its p corrected family by family, and its verdicts by these."""
    if table.empty:
        return table
    for column, any_dependence in (("p_corrected", False), ("p_any_dependence", True)):
        families = table.groupby("family")["p"]
        table[column] = families.transform(lambda p, way=any_dependence: corrected(p, any_dependence=way))
    undecided = ~(table["p_corrected"] < SIGNIFICANCE) & (table["n"] > 0)
    table.loc[undecided, "verdict"] = "inconclusive"
    return table


def networks_behind(levels: pd.DataFrame, layers: pd.DataFrame | None = None) -> pd.DataFrame:
    """The trained networks that each row of `judge` is found from, columns NETWORKS; none for a claim that is not run.

    They are of replicates that all its sizes and arms have. A claim whose networks diverged or did not reach what it
    speaks of names them too.
    """
    tables = [pd.DataFrame(columns=NETWORKS)]
    for claim, ours, experiments in spoken_of(levels, layers):
        places: list[Place] = []
        try:
            both = compared(claim, ours, experiments)
            places = claim.measure.places(*both)
            claim.measure.found(*both)
        except NotRun as error:
            if error.verdict == NotRun.verdict:
                continue
        if not places:
            continue
        shared = set.intersection(*(set(place.rows["replicate"]) for place in places))
        rows = pd.concat([place.rows for place in places]).drop_duplicates(NETWORK)
        tables.append(rows[rows["replicate"].isin(shared)].assign(id=claim.id, judged=ours.name)[NETWORKS])
    return pd.concat(tables[1:] or tables, ignore_index=True)


Experiments: TypeAlias = list[TrainedExperiment]


def spoken_of(
    levels: pd.DataFrame, layers: pd.DataFrame | None
) -> Iterator[tuple[Claim, TrainedExperiment, Experiments]]:
    """Each experiment of a run with each claim that speaks of it, and all of the run's experiments."""
    experiments = experiments_of(levels, layers)
    for ours in experiments:
        yield from ((claim, ours, experiments) for claim in speaking_of(ours))


def experiments_of(levels: pd.DataFrame, layers: pd.DataFrame | None) -> Experiments:
    """The experiments of a run's tables."""
    return [
        TrainedExperiment(table, None if layers is None else layers[layers["experiment"] == name])
        for name, table in levels.groupby("experiment", sort=False)
    ]


def speaking_of(ours: TrainedExperiment) -> list[Claim]:
    """The claims that an experiment is judged by: the paper's and ours of its recipe, or else the general ones."""
    return [claim for claim in CLAIMS if claim.subject.includes(ours)] or GENERAL


def row(claim: Claim, ours: TrainedExperiment, experiments: Experiments) -> dict[str, object]:
    """One line of claims.csv: a claim by one of a run's experiments, its verdict that of the estimate alone."""
    return row_of(claim, ours, lambda: claim.measure.found(*compared(claim, ours, experiments)))


def row_of(claim: Claim, ours: TrainedExperiment, find: Callable[[], Finding]) -> dict[str, object]:
    """One line of claims.csv, of what is found for a claim, which may raise NotRun."""
    on_another = bool(claim.subject.dataset) and ours.dataset != claim.subject.dataset
    note = joined(claim.note, f"in the paper on {claim.subject.dataset}" * on_another)
    known: dict[str, object] = {
        "id": claim.id,
        "claim": f"{claim.text} ({claim.where})",
        "experiment": ours.name,
        "weights_remaining": claim.weights_remaining,
        "paper": claim.paper,
        "note": note,
        "unit": claim.unit,
        "rule": str(claim.rule),
        "family": claim.family,
        "bound": "",
    }
    try:
        found = find()
        numbers = usable(found.numbers, ratios=claim.unit == "ratio")
        estimate = (ratio_estimate if claim.unit == "ratio" else mean_estimate)(numbers)
        check_bound(claim, found, estimate)
    except NotRun as reason:
        return known | {"n": 0, "verdict": reason.verdict, "note": joined(note, str(reason))}
    alike = claim.paper is not None and claim.comparable and not on_another and not found.bound
    return known | {
        "ours": estimate.mean,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "n": estimate.n,
        "verdict": "replicated" if claim.rule.holds(estimate) else "not replicated",
        "note": joined(note, *dict.fromkeys(found.remarks)),
        "p": claim.rule.p(estimate),
        "effect_size": math.nan if claim.unit.startswith("%") else estimate.effect_size,
        "p_same_as_paper": estimate.p_same(claim.paper, claim.trials) if alike and claim.paper else math.nan,
        "images": found.images,
        "bound": found.bound,
    }


def check_bound(claim: Claim, found: Finding, estimate: Estimate) -> None:
    """Raise NotReached where the estimate is a bound alone, and the truth beyond it may lie elsewhere than it does."""
    above = claim.rule.below == math.inf if claim.rule.holds(estimate) else estimate.mean >= claim.rule.below
    below = claim.rule.above == -math.inf if claim.rule.holds(estimate) else estimate.mean <= claim.rule.above
    if (found.bound == "at least" and not above) or (found.bound == "at most" and not below):
        raise NotReached(joined(f"{found.bound} {estimate.mean:.3g}", *found.remarks))


def compared(
    claim: Claim, ours: TrainedExperiment, experiments: Experiments
) -> tuple[TrainedExperiment, TrainedExperiment | None]:
    """An experiment and the one that a claim compares it with, the first of a run's that fits; None for other claims.

    Raises NotRun when the run has none, or trains for less long than the claim speaks of.
    """
    if ours.iterations < claim.needs_iterations:
        raise NotRun(f"needs {claim.needs_iterations} iterations, this run trains {ours.iterations}")
    if claim.versus is None:
        return ours, None
    for other in experiments:
        if claim.versus.includes(other) and other.dataset == ours.dataset:
            return ours, other
    raise NotRun(f"this run has no experiment to compare with: {claim.versus}")
