"""What of a finished run goes into the repository as evidence: its tables, figures and verdicts, and what made them."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from lottery.analysis.claims import judge
from lottery.analysis.claims_text import as_markdown
from lottery.analysis.experiment import nearest_size
from lottery.analysis.tables import CURVES, LEVELS, read_judged, read_summary, read_table, write_table
from lottery.arrays import read_bytes, write_text
from lottery.errors import LotteryError
from lottery.figures.catalog import figures_of_run
from lottery.figures.drawing import details_of, draw, entry_of, read_details
from lottery.figures.kinds import Line
from lottery.runs.jobs import Job
from lottery.runs.listing import described, trainings
from lottery.runs.reading import parsed_json, read_finished_run

DECIMALS = 5
"""Of the losses and accuracies in the published curves; a curve in a figure is some hundred dots high."""


def publish(run: Path, folder: Path) -> None:
    """Write the evidence of a finished run into a folder: small files only.

    levels.csv, layers.csv and settings.json as the run has them, and distributions.csv where a figure draws it;
    curves.csv with what its figures draw of it, rounded; verdicts and figures (SVG and PNG) made from these tables;
    machine.json, which tells what made the run. Raises LotteryError when the run is not complete.
    """
    tables = run / "tables"
    settings = read_finished_run(tables / "settings.json")
    levels = read_table(tables / "levels.csv", LEVELS)
    names = figures_of_run(settings)
    copied = ["levels.csv", "settings.json"] + ["layers.csv"] * bool(described(settings))
    copied += ["distributions.csv"] * any(details_of(name) == "distributions" for name in names)
    for name in copied:
        read_bytes(tables / name)
    curves = drawn_curves(levels, read_table(tables / "curves.csv", CURVES), names).round(DECIMALS)
    made = made_by(run, trainings(settings))
    folder.mkdir(parents=True, exist_ok=True)
    for name in copied:
        shutil.copyfile(tables / name, folder / name)
    write_table(folder / "curves.csv", curves)
    conclude(folder, names, made)


def conclude(folder: Path, figures: list[str], made: dict[str, Any]) -> None:
    """Make the verdicts and these figures of a folder from the tables in it, and write down what made the run."""
    levels, layers = read_judged(folder)
    verdicts = judge(levels, layers)
    write_table(folder / "claims.csv", verdicts)
    write_text(folder / "claims.md", as_markdown(verdicts))
    for name in figures:
        draw(name, levels, read_details(folder, name), [folder / f"{name}.svg", folder / f"{name}.png"])
    write_text(folder / "machine.json", json.dumps(made, indent=1) + "\n")


def drawn_curves(levels: pd.DataFrame, curves: pd.DataFrame, figures: list[str]) -> pd.DataFrame:
    """The rows of curves.csv that these figures draw."""
    place = ["experiment", "arm", "level"]
    sizes = 100 * levels.groupby(place)["weights_remaining"].first()
    kept = pd.Series(False, index=curves.index)
    for wanted in filter(None, (entry_of(name).picture.curves for name in figures)):
        drawn = curves["iteration"] <= wanted.until
        if wanted.tested:
            drawn &= curves["test_accuracy"].notna()
        if wanted.lines:
            drawn &= pd.MultiIndex.from_frame(curves[place]).isin(of_lines(sizes, wanted.lines))
        kept |= drawn
    return curves[kept]


def of_lines(sizes: pd.Series, lines: frozenset[Line]) -> list[tuple[str, str, int]]:
    """Experiments, arms and levels that count as of these lines; sizes: by all of them, in percent."""
    return [
        place
        for (_, arm), table in sizes.groupby(level=["experiment", "arm"])
        for name, percent in lines
        if name == arm
        for place in table.index[table == nearest_size(table, percent)]
    ]


MAKERS = ("git_commit", "processor", "card", "engine")
"""What machine.json counts the training jobs of, where their summaries name it."""


def made_by(run: Path, jobs: Iterable[Job]) -> dict[str, Any]:
    """Networks and hours of jobs of a run, and the commits, processors, engines and versions that summaries name."""
    networks, hours = 0, 0.0
    told: dict[str, Counter] = {key: Counter() for key in MAKERS}
    versions: dict[str, set[str]] = {}
    for job in jobs:
        path = job.path(run, "summary.json")
        summary = read_summary(path.parent)
        networks += len(summary.members)
        hours += sum(member.train_seconds for member in summary.members) / 3600
        content = parsed_json(read_bytes(path))
        for key, counter in told.items():
            counter[str(content.get(key))] += 1
        for name, version in content.get("versions", {}).items():
            versions.setdefault(name, set()).add(version)
    if not networks:
        raise LotteryError(f"{run}: has no trained network")
    return {
        "networks": networks,
        "core_hours_of_training": round(hours, 2),
        **{key: dict(counter) for key, counter in told.items() if set(counter) != {"None"}},
        "versions": {name: sorted(found) for name, found in sorted(versions.items())},
    }
