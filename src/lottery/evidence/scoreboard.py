"""What the published runs found, for reading: rows of claims, of runs and of figures, and what has no evidence yet."""

import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import yaml

from lottery.analysis.claims import CLAIMS
from lottery.analysis.claims_general import GENERAL
from lottery.analysis.claims_text import VERDICTS, for_a_terminal
from lottery.analysis.tables import LEVELS, read_table
from lottery.arrays import read_bytes
from lottery.errors import LotteryError
from lottery.figures.catalog import CATALOG
from lottery.runs.reading import parsed_json, read_finished_run

FAMILIES = {
    "paper": "The paper: trained networks",
    "weights": "The paper: which weights are in a ticket",
    "ours": "Ours",
    "follow-ups": "Articles that followed",
}
"""Headings of the scoreboard, by family of claims."""

NOT_RUN = "not run"

HEAD = ["id", "statement", "paper", "ours (95% interval)", "n", "verdict", "run", "other runs"]


def scoreboard(published: Path) -> str:
    """The claims as Markdown: totals, and a table for each family. published: the folder of runs, docs/results.

    The rows of a claim are those of one run (`telling`), one for each experiment that it judges the claim on; a claim
    that no run judges has one row.
    """
    judged = judged_claims(published)
    tables: dict[str, list[list[str]]] = {family: [] for family in FAMILIES}
    for claim in {claim.id: claim for claim in [*CLAIMS, *GENERAL]}.values():
        rows = judged[judged["id"] == claim.id]
        unknown = [claim.id, f"{claim.text} ({claim.where})", "", "", "", NOT_RUN, "", ""]
        told = rows_of_claim(rows) if len(rows) else [unknown]
        tables[claim.family] += told
    verdicts = {family: [row[HEAD.index("verdict")] for row in rows] for family, rows in tables.items()}
    totals = [[FAMILIES[family], *(str(found.count(each)) for each in VERDICTS)] for family, found in verdicts.items()]
    parts = [table(["", *VERDICTS], totals)]
    parts += [f"## {FAMILIES[family]}\n\n{table(HEAD, rows)}" for family, rows in tables.items()]
    return "\n\n".join(parts)


def judged_claims(published: Path) -> pd.DataFrame:
    """All rows of claims.csv that have a verdict, with the run and for how long its experiments train."""
    tables = []
    for path in sorted(published.glob("*/claims.csv")):
        claims = pd.read_csv(path, keep_default_na=False, na_values=[""])
        trained = read_table(path.parent / "levels.csv", LEVELS).groupby("experiment")["iterations"].max()
        tables.append(claims.assign(run=path.parent.name, iterations=claims["experiment"].map(trained)))
    if not tables:
        raise LotteryError(f"{published}: no run is published there")
    judged = pd.concat(tables, ignore_index=True)
    return judged[judged["verdict"] != NOT_RUN]


def rows_of_claim(rows: pd.DataFrame) -> list[list[str]]:
    """The lines of a claim: those of the run that tells of it, with the verdicts of the others beside the first."""
    run = telling(rows)
    told, others = rows[rows["run"] == run], rows[rows["run"] != run]
    beside = "; ".join(f"{name}: {in_words(found['verdict'])}" for name, found in others.groupby("run"))
    lines: list[list[str]] = []
    for experiment, (_, row) in zip(told["experiment"], for_a_terminal(told).iterrows(), strict=True):
        several = f", `{experiment}`" * (len(told) > 1)
        where = f"[{run}](results/{run}/claims.md){several}"
        seen = [row[name] for name in ("id", "claim", "paper", "ours (95% interval)", "n", "verdict")]
        lines.append([*seen, where, "" if lines else beside])
    return lines


def telling(rows: pd.DataFrame) -> str:
    """The run that tells of a claim, whatever it found: of those with an estimate the one that trains longest, of these
    with most replicates, of these on most experiments, and then the first by name.
    """
    measured = rows[rows["n"] > 0] if (rows["n"] > 0).any() else rows
    ranks = {
        run: (-found["iterations"].max(), -found["n"].max(), -len(found), str(run))
        for run, found in measured.groupby("run")
    }
    return str(min(ranks, key=lambda run: ranks[run]))


def in_words(verdicts: pd.Series) -> str:
    """How often there is each verdict; the verdict alone where there is one."""
    counts = verdicts.value_counts()
    if len(verdicts) == 1:
        return str(verdicts.iloc[0])
    return ", ".join(f"{counts[each]} {each}" for each in VERDICTS if each in counts)


def runs(published: Path, configurations: Path) -> str:
    """The published runs as Markdown, and the configurations of runs that are not published."""
    folders = sorted(path.parent for path in published.glob("*/levels.csv"))
    head = ["run", "what it is", "datasets", "networks", "iterations", "n", "trained", "core-hours", "on"]
    parts = [table(head, [row_of_run(folder) for folder in folders])]
    missing = [
        [f"`config/{path.name}`", first_sentence(path)]
        for path in sorted(configurations.glob("*.yaml"))
        if yaml.safe_load(path.read_text())["run"] not in {folder.name for folder in folders}
    ]
    if missing:
        parts += ["## Declared, without published evidence", table(["configuration", "what it is"], missing)]
    return "\n\n".join(parts)


def row_of_run(folder: Path) -> list[str]:
    """A published run in a line."""
    settings, levels = read_finished_run(folder / "settings.json"), read_table(folder / "levels.csv", LEVELS)
    experiments = [settings.experiments[name] for name in settings.run_experiments]
    made = folder / "machine.json"
    machine = parsed_json(read_bytes(made)) if made.exists() else {}
    on = [re.sub(r"\((R|TM)\)| Processor.*", "", name) for name in machine.get("card", machine.get("processor", ()))]
    page = folder / "README.md"
    what = page.read_text().splitlines()[0].removeprefix("# ") if page.exists() else ""
    return [
        f"[{folder.name}](results/{folder.name}/{page.name if what else 'claims.md'})",
        what,
        ", ".join(dict.fromkeys(each.dataset for each in experiments)),
        several(each.network for each in experiments),
        " to ".join(
            dict.fromkeys(f"{pick(each.training.iterations for each in experiments):,}" for pick in (min, max))
        ),
        " to ".join(dict.fromkeys(str(pick(each.replicates for each in experiments)) for pick in (min, max))),
        f"{len(levels):,}",
        f"{levels['train_seconds'].sum() / 3600:.2f}",
        ", ".join(on) or "not recorded",
    ]


def figures(published: Path) -> str:
    """All figures as Markdown: by title, with the target that draws each, and where it was published."""
    rows = []
    for name, figure in CATALOG.items():
        drawn = sorted(published.glob(f"*/{name}.png"))
        links = ", ".join(f"[{path.parent.name}](results/{path.parent.name}/{path.name})" for path in drawn)
        rows.append([figure.title, f"`{name.replace('-', '_')}`", figure.caption, links])
    return table(["figure", "target", "what it shows", "published"], rows)


def several(names: Iterable[str]) -> str:
    """Different names; only how many where they are more than three."""
    found = list(dict.fromkeys(names))
    return ", ".join(found) if len(found) <= 3 else f"{len(found)}, {found[0]} among them"


def first_sentence(path: Path) -> str:
    """What a configuration says of itself first."""
    said = path.read_text().split("#   ")[0]
    comment = [text.removeprefix("# ") for text in said.splitlines() if re.match(r"# (?!yaml-)", text)]
    return re.split(r"(?<=[.?])\s", " ".join(comment))[0]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
