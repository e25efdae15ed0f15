"""The table of claims for reading: Markdown beside the tables, HTML for the report."""

import math

import pandas as pd

HEADINGS = ["claim", "weights remaining", "paper", "ours (95% interval)", "n", "p", "effect size", "verdict"]
HEADINGS += ["holds if", "note"]

NUMBERS = ["weights_remaining", "paper", "p_corrected", "effect_size"]

INTRODUCTION = (
    "Each line compares a statement of Frankle & Carbin (ICLR 2019), or one that is ours (SDa, SDb), with this run."
    " `ours` is a mean over n paired replicates (of ratios the geometric mean) with its 95% interval (Student's t). A"
    " claim is replicated when our estimate lies where the claim holds, not replicated when it lies elsewhere, both"
    " with p < 0.05 (t test, corrected for the number of claims after Benjamini and Hochberg), inconclusive otherwise."
    " The effect size is Hedges' g, the difference in standard deviations of the replicates' differences."
)


def as_markdown(claims: pd.DataFrame) -> str:
    """The claims as a page of Markdown."""
    return f"# Claims\n\n{INTRODUCTION}\n\n{for_reading(claims).to_markdown(index=False)}\n"


def as_html(claims: pd.DataFrame) -> str:
    """The claims as a page of HTML, everything from the table escaped."""
    style = (
        "body{font:15px/1.4 sans-serif;margin:2em;max-width:75em}table{border-collapse:collapse}"
        "td,th{padding:.35em .6em;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}"
    )
    table = for_reading(claims).to_html(index=False, escape=True, border=0)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Claims</title><style>{style}</style>'
        f"<h1>Claims</h1><p>{INTRODUCTION.replace('&', '&amp;').replace('`', '')}</p>{table}</html>\n"
    )


def for_reading(claims: pd.DataFrame) -> pd.DataFrame:
    """The columns that a reader wants, as text."""
    lines = [
        {
            "id": claim.id,
            "claim": claim.claim,
            "weights remaining": _text(100 * claim.weights_remaining, "%"),
            "paper": _text(claim.paper, _sign(claim.unit)),
            "ours (95% interval)": _text(claim.ours, _sign(claim.unit)) + _interval(claim.ci_low, claim.ci_high),
            "n": str(claim.n),
            "p": _p(claim.p_corrected),
            "effect size": _text(claim.effect_size),
            "verdict": claim.verdict,
            "holds if": claim.rule,
            "note": claim.note,
        }
        for claim in claims.fillna({"note": ""}).astype(dict.fromkeys(NUMBERS, float)).itertuples()
    ]
    table = pd.DataFrame(lines, columns=["id", *HEADINGS], dtype=str)
    if len(claims["experiment"].unique()) > 1:
        table.insert(0, "experiment", claims["experiment"].to_numpy())
    return table


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) else f" ({_text(low)} to {_text(high)})"


def _sign(unit: str) -> str:
    return {"ratio": "x", "points": " points"}.get(unit, "%")


def _text(number: float, sign: str = "") -> str:
    return "" if math.isnan(number) else f"{number:.3g}{sign}"


def _p(number: float) -> str:
    return "< 0.001" if number < 0.001 else _text(number)
