"""The verdicts on a finished run, written beside its tables."""

from pathlib import Path

from lottery.analysis.claims import judge
from lottery.analysis.claims_text import as_html, as_markdown
from lottery.analysis.speed import read_judged
from lottery.analysis.tables import write_table
from lottery.arrays import write_text


def judge_run(run: Path) -> None:
    """Write claims.csv, claims.md and claims.html of `results/<run>`. Raises LotteryError naming a wrong table."""
    tables = run / "tables"
    verdicts = judge(*read_judged(tables))
    write_table(tables / "claims.csv", verdicts)
    write_text(tables / "claims.md", as_markdown(verdicts))
    write_text(tables / "claims.html", as_html(verdicts))
