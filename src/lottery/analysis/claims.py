"""The paper's claims and the verdicts on them; the other modules named `claims_...` hold the claims' rows.

A claim says that a quantity lies in a range. Where our estimate lies in the range or outside beyond doubt, by a test
corrected for the number of claims that the run judges, the verdict is `replicated` or `not replicated`; otherwise it is
`inconclusive` (also with one replicate, which has no spread), and `not run` when the run did not train what the claim
speaks of. See docs/statistics.md.
"""

import math

import pandas as pd

from lottery.analysis.claim import Claim, joined
from lottery.analysis.claims_appendix import APPENDIX
from lottery.analysis.claims_conv import CONV
from lottery.analysis.claims_deep import DEEP
from lottery.analysis.claims_hyperparameters import HYPERPARAMETERS
from lottery.analysis.claims_lenet import LENET
from lottery.analysis.claims_weights import WEIGHTS
from lottery.analysis.measures import Comparison, NotRun, usable
from lottery.analysis.statistics import SIGNIFICANCE, corrected, mean_estimate, ratio_estimate

COLUMNS = ["id", "claim", "experiment", "weights_remaining", "paper", "ours", "ci_low", "ci_high", "n", "verdict"]
COLUMNS += ["note", "unit", "rule", "p", "p_corrected", "effect_size"]
"""p: of our estimate lying where it lies, in the range or outside. effect_size: Hedges' g, from no difference."""

CLAIMS = [*LENET, *APPENDIX, *WEIGHTS, *HYPERPARAMETERS, *CONV, *DEEP]


def judge(levels: pd.DataFrame, layers: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row for each claim and each experiment it speaks of, columns COLUMNS.

    levels: the table levels.csv; layers: layers.csv, without which claims about tickets' weights are not run.
    """
    experiments = [
        Comparison(table, None if layers is None else layers[layers["experiment"] == name])
        for name, table in levels.groupby("experiment", sort=False)
    ]
    rows = [
        row(claim, comparison, experiments)
        for comparison in experiments
        for claim in CLAIMS
        if claim.subject.includes(comparison)
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    table["p_corrected"] = corrected(table["p"])
    undecided = ~(table["p_corrected"] < SIGNIFICANCE) & (table["n"] > 0)
    table.loc[undecided, "verdict"] = "inconclusive"
    return table


def row(claim: Claim, comparison: Comparison, experiments: list[Comparison]) -> dict[str, object]:
    """One line of claims.csv: a claim by one of a run's experiments, its verdict that of the estimate alone."""
    elsewhere = f"in the paper on {claim.subject.dataset}" * (comparison.dataset != claim.subject.dataset)
    note = joined(claim.note, elsewhere)
    known: dict[str, object] = {
        "id": claim.id,
        "claim": f"{claim.text} ({claim.where})",
        "experiment": comparison.experiment,
        "weights_remaining": claim.weights_remaining,
        "paper": claim.paper,
        "note": note,
        "unit": claim.unit,
        "rule": str(claim.rule),
    }
    try:
        if comparison.iterations < claim.needs_iterations:
            raise NotRun(f"needs {claim.needs_iterations} iterations, this run trains {comparison.iterations}")
        comparison.remarks.clear()
        comparison.other = second_experiment(claim, comparison, experiments)
        measured = usable(claim.measure(comparison), ratios=claim.unit == "ratio")
    except NotRun as reason:
        return known | {"n": 0, "verdict": reason.verdict, "note": joined(note, str(reason))}
    estimate = (ratio_estimate if claim.unit == "ratio" else mean_estimate)(measured)
    return known | {
        "ours": estimate.mean,
        "ci_low": estimate.low,
        "ci_high": estimate.high,
        "n": estimate.n,
        "verdict": "replicated" if claim.rule.holds(estimate) else "not replicated",
        "note": joined(note, *dict.fromkeys(comparison.remarks)),
        "p": claim.rule.p(estimate),
        "effect_size": math.nan if claim.unit.startswith("%") else estimate.effect_size,
    }


def second_experiment(claim: Claim, first: Comparison, experiments: list[Comparison]) -> Comparison | None:
    """The experiment that a claim compares another one with, the first of a run's that fits; None for other claims.

    Raises NotRun when the run has none.
    """
    if claim.versus is None:
        return None
    for other in experiments:
        if claim.versus.includes(other) and other.dataset == first.dataset:
            return other
    raise NotRun(f"this run has no experiment to compare with: {claim.versus}")
