"""The paper's claims and the verdicts on them; the other modules named `claims_...` hold the claims' rows.

A claim says that a quantity lies in a range. Where our estimate lies in the range or outside beyond doubt, by a test
corrected for the number of claims that the run judges, the verdict is `replicated` or `not replicated`; otherwise it is
`inconclusive` (also with one replicate, which has no spread), and `not run` when the run did not train what the claim
speaks of. See docs/statistics.md.
"""

import math
from collections.abc import Iterator
from typing import TypeAlias

import pandas as pd

from lottery.analysis.claim import Claim, joined
from lottery.analysis.claims_appendix import APPENDIX
from lottery.analysis.claims_before_training import BEFORE_TRAINING
from lottery.analysis.claims_conv import CONV
from lottery.analysis.claims_deep import DEEP
from lottery.analysis.claims_hyperparameters import HYPERPARAMETERS
from lottery.analysis.claims_lenet import LENET
from lottery.analysis.claims_noise import NOISE
from lottery.analysis.claims_untrained import UNTRAINED
from lottery.analysis.claims_weights import WEIGHTS
from lottery.analysis.experiment import NotRun, TrainedExperiment
from lottery.analysis.measures import usable
from lottery.analysis.statistics import SIGNIFICANCE, corrected, mean_estimate, ratio_estimate
from lottery.analysis.tables import NETWORK

COLUMNS = ["id", "claim", "experiment", "weights_remaining", "paper", "ours", "ci_low", "ci_high", "n", "verdict"]
COLUMNS += ["note", "unit", "rule", "p", "p_corrected", "effect_size"]
"""p: of our estimate lying where it lies, in the range or outside. effect_size: Hedges' g, from no difference."""

NETWORKS = ["id", "judged", *NETWORK, "weights_remaining"]
"""Columns of `networks_behind`; judged: the experiment of the claim's row, `experiment` that of the network."""

CLAIMS = [*LENET, *APPENDIX, *WEIGHTS, *HYPERPARAMETERS, *CONV, *DEEP, *BEFORE_TRAINING, *UNTRAINED, *NOISE]


def judge(levels: pd.DataFrame, layers: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row for each claim and each experiment it speaks of, columns COLUMNS.

    levels: the table levels.csv; layers: layers.csv, without which claims about tickets' weights are not run.
    """
    rows = [row(claim, ours, experiments) for claim, ours, experiments in spoken_of(levels, layers)]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["p_corrected"] = corrected(table["p"])
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
        try:
            places = claim.measure.places(*compared(claim, ours, experiments))
        except NotRun:
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
    experiments = [
        TrainedExperiment(table, None if layers is None else layers[layers["experiment"] == name])
        for name, table in levels.groupby("experiment", sort=False)
    ]
    for ours in experiments:
        yield from ((claim, ours, experiments) for claim in CLAIMS if claim.subject.includes(ours))


def row(claim: Claim, ours: TrainedExperiment, experiments: Experiments) -> dict[str, object]:
    """One line of claims.csv: a claim by one of a run's experiments, its verdict that of the estimate alone."""
    elsewhere = f"in the paper on {claim.subject.dataset}" * (ours.dataset != claim.subject.dataset)
    note = joined(claim.note, elsewhere)
    known: dict[str, object] = {
        "id": claim.id,
        "claim": f"{claim.text} ({claim.where})",
        "experiment": ours.name,
        "weights_remaining": claim.weights_remaining,
        "paper": claim.paper,
        "note": note,
        "unit": claim.unit,
        "rule": str(claim.rule),
    }
    try:
        found = claim.measure.found(*compared(claim, ours, experiments))
        numbers = usable(found.numbers, ratios=claim.unit == "ratio")
    except NotRun as reason:
        return known | {"n": 0, "verdict": reason.verdict, "note": joined(note, str(reason))}
    estimate = (ratio_estimate if claim.unit == "ratio" else mean_estimate)(numbers)
    return known | {
        "ours": estimate.mean,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "n": estimate.n,
        "verdict": "replicated" if claim.rule.holds(estimate) else "not replicated",
        "note": joined(note, *dict.fromkeys(found.remarks)),
        "p": claim.rule.p(estimate),
        "effect_size": math.nan if claim.unit.startswith("%") else estimate.effect_size,
    }


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
