"""The table of claims for reading: a page of Markdown that fits a terminal, a page of HTML with all of it."""

import html
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lottery.analysis.statistics import SIGNIFICANCE, corrected

VERDICTS = ["replicated", "not replicated", "inconclusive", "not run"]

TO_JUDGE = (
    "Each line compares a statement of Frankle & Carbin (ICLR 2019), of an article that followed it, or one that is"
    " ours (S, SD, T), with this run. Ours is a mean over n paired replicates (of ratios the geometric mean) with its"
    " 95% interval (Student's t). A claim is replicated when our estimate lies where the claim holds, not replicated"
    " when it lies elsewhere, both with p < 0.05 (two-sided t test, corrected after Benjamini and Hochberg for the"
    " claims of its family: the paper's on trained networks, the paper's on which weights are in a ticket, the"
    " follow-ups', ours), inconclusive otherwise. Agrees: no when p < 0.05, not corrected, that the paper's number, a"
    " mean of five with our spread, is of another truth than ours."
)

Left = Mapping[str, Sequence[tuple[str, str]]]
"""By run, ids and experiments of rows that are judged there."""


def as_markdown(claims: pd.DataFrame, left: Left | None = None) -> str:
    """The claims as a page of Markdown: totals, the judged ones, why some are not replicated, and what is not run.

    left: rows that other runs judge.
    """
    judged = claims[claims["verdict"] != "not run"]
    several = len(claims["experiment"].unique()) > 1
    parts = [f"# Claims\n\n**{totals(claims)}.**", *remarks(claims, left or {}), TO_JUDGE]
    for experiment, rows in judged.groupby("experiment", sort=False):
        parts += [f"## {experiment}"] * several + [unpadded(for_a_terminal(rows))]
    refuted = judged[judged["verdict"] == "not replicated"]
    if len(refuted):
        parts += ["## Why not replicated", "\n".join(f"- {why(row, several)}" for row in refuted.itertuples())]
    if len(judged) < len(claims):
        parts += ["## Not run", "\n".join(f"- {line}" for line in not_run(claims, several))]
    parts += ["All columns, notes among them, are in `claims.csv`."]
    return "\n\n".join(parts) + "\n"


def as_html(claims: pd.DataFrame) -> str:
    """The claims as a page of HTML, everything from the table escaped."""
    style = (
        "body{font:15px/1.4 sans-serif;margin:2em;max-width:90em}table{border-collapse:collapse}"
        "td,th{padding:.35em .6em;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}"
    )
    told = "".join(f"<p>{html.escape(text)}</p>" for text in (*remarks(claims, {}), TO_JUDGE))
    table = in_full(claims).to_html(index=False, escape=True, border=0)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Claims</title><style>{style}</style>'
        f"<h1>Claims</h1><p><b>{html.escape(totals(claims))}.</b></p>{told}{table}</html>\n"
    )


def totals(claims: pd.DataFrame) -> str:
    """How many claims have each verdict."""
    counts = claims["verdict"].value_counts()
    return ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)


def remarks(claims: pd.DataFrame, left: Left) -> list[str]:
    """What is to be known of the totals: other ways to test, the test images, and rows that other runs judge."""
    told = []
    decided = int((claims["p_corrected"] < SIGNIFICANCE).sum())
    if decided:
        stand = int((claims["p_any_dependence"] < SIGNIFICANCE).sum())
        one_sided = claims.groupby("family")["p"].transform(lambda p: corrected(p / 2))
        more = int((one_sided < SIGNIFICANCE).sum()) - decided
        told.append(
            f"Of {decided} claims with a verdict {stand} keep it when corrected for tests that depend on each other in"
            f" any way (Benjamini and Yekutieli). Tested on one side alone {more} more would have one."
        )
    if claims["images"].notna().any():
        least, most = (_number(each) for each in (claims["images"].min(), claims["images"].max()))
        told.append(
            "All replicates are measured on the same test images, which the intervals do not tell of: were no two"
            f" networks wrong on the same image, another choice of them would move accuracies by up to {least} to"
            f" {most} points (95%), claim by claim; networks that are wrong on the same images move together."
        )
    for run, rows in left.items():
        ids = ", ".join(dict.fromkeys(id_ for id_, _ in rows))
        told.append(
            f"{len(rows)} claims rest on networks that {run} has too, with others, and are judged there: {ids}."
        )
    return told


def for_a_terminal(claims: pd.DataFrame) -> pd.DataFrame:
    """The few columns that a reader wants first, the widest one last."""
    lines = [
        {
            "verdict": claim.verdict,
            "id": claim.id,
            "paper": _printed(claim.paper, claim.unit),
            "agrees": _agrees(claim.p_same_as_paper),
            "ours (95% interval)": estimate(claim),
            "n": str(claim.n),
            "p": _p(claim.p_corrected),
            "claim": claim.claim,
        }
        for claim in claims.itertuples()
    ]
    return pd.DataFrame(lines, dtype=str)


def unpadded(table: pd.DataFrame) -> str:
    """A table of Markdown whose last column is as wide as its text in each line."""
    lines = table.to_markdown(index=False, disable_numparse=True).splitlines()
    return "\n".join(
        re.sub("(:-+|-+|(?<= ) +)[|]$", lambda end: ":-|" if "-" in end[1] else "|", line) for line in lines
    )


def in_full(claims: pd.DataFrame) -> pd.DataFrame:
    """All that is known of each claim, as text."""
    known = claims.fillna({"note": ""})
    lines = [
        {
            "experiment": claim.experiment,
            "id": claim.id,
            "verdict": claim.verdict,
            "claim": claim.claim,
            "weights remaining": _value(100 * _float(claim.weights_remaining), "%"),
            "paper": _printed(claim.paper, claim.unit),
            "agrees": _agrees(claim.p_same_as_paper),
            "ours (95% interval)": estimate(claim),
            "n": str(claim.n),
            "p": _p(claim.p_corrected),
            "p, any dependence": _p(claim.p_any_dependence),
            "effect size": _number(claim.effect_size),
            "test images, at most": _number(claim.images),
            "family": claim.family,
            "holds if": claim.rule,
            "note": claim.note,
        }
        for claim in known.itertuples()
    ]
    return pd.DataFrame(lines, dtype=str)


def why(claim: Any, several: bool) -> str:
    """Why a claim, a row of the table, is not replicated, in a line."""
    where = f" ({claim.experiment})" * several
    note = f" ({claim.note})" if isinstance(claim.note, str) and claim.note else ""
    return (
        f"{claim.id}{where} holds if {claim.rule}; ours is {estimate(claim)}, which lies outside with"
        f" p {_p(claim.p_corrected, equals='= ')} after correction{note}."
    )


def not_run(claims: pd.DataFrame, several: bool) -> list[str]:
    """By reason, which claims were not run."""
    lines: dict[str, list[str]] = {}
    for claim in claims[claims["verdict"] == "not run"].itertuples():
        lines.setdefault(claim.note.split("; ")[-1], []).append(
            f"{claim.id} ({claim.experiment})" if several else claim.id
        )
    return [f"{', '.join(ids)}: {reason}" for reason, ids in lines.items()]


def estimate(claim: Any) -> str:
    """Our number with its interval; claim: a row of the table."""
    low, high = _float(claim.ci_low), _float(claim.ci_high)
    bound = f"{claim.bound} " if isinstance(claim.bound, str) and claim.bound else ""
    value = bound + _value(claim.ours, claim.unit)
    if math.isnan(low):
        return value
    return f"{value}, all alike" if low == high else f"{value} ({_number(low)} to {_number(high)})"


def _value(number: float | None, unit: str) -> str:
    return "" if math.isnan(_float(number)) else f"{_number(number)}{_sign(unit)}"


def _printed(number: float | None, unit: str) -> str:
    return "" if math.isnan(_float(number)) else f"{_float(number):g}{_sign(unit)}"


def _sign(unit: str) -> str:
    return {"ratio": "x", "points": " points", "thousands of iterations": "K"}.get(unit, "%")


def _number(number: float | None) -> str:
    """To two decimals; with three digits that tell something where these are not enough, or too many."""
    value = _float(number)
    if math.isnan(value):
        return ""
    return (
        f"{value:.2f}"
        if value == 0 or 0.005 <= abs(value) < 1000
        else f"{value:.1g}"
        if abs(value) < 1
        else f"{value:.3g}"
    )


def _agrees(p: float) -> str:
    return "" if math.isnan(_float(p)) else "yes" if p >= SIGNIFICANCE else "no"


def _p(number: float, equals: str = "") -> str:
    value = _float(number)
    return "" if math.isnan(value) else "< 0.001" if value < 0.001 else f"{equals}{value:.2g}"


def _float(number: float | None) -> float:
    return math.nan if number is None else float(number)
