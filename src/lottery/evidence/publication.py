"""What of a finished run goes into the repository as evidence: its tables, figures and verdicts, and what made them."""

import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from lottery.analysis.claims_text import as_markdown
from lottery.analysis.experiment import nearest_size
from lottery.analysis.speed import DECIMALS, measure_speed
from lottery.analysis.tables import CURVES, LEVELS, read_summary, read_table, write_table
from lottery.arrays import read_bytes, write_text
from lottery.errors import LotteryError
from lottery.evidence.repeats import judge_published
from lottery.figures.catalog import figures_of_run
from lottery.figures.drawing import PUBLISHED, details_of, draw_several, entry_of
from lottery.figures.kinds import Line
from lottery.runs.jobs import Job
from lottery.runs.lines import lines
from lottery.runs.listing import compared_files, described, trainings
from lottery.runs.reading import parsed_json, read_finished_run

DRAWN = ("distributions", "pixels")
"""Tables for figures alone."""


def publish(run: Path, folder: Path) -> None:
    """Write the evidence of a finished run into a folder: small files only.

    levels.csv, layers.csv and settings.json as the run has them, and the tables DRAWN where a figure draws them;
    curves.csv with what its figures draw of it, rounded, and speed.csv by all of it; verdicts and figures (SVG and PNG)
    made from these tables; machine.json, which tells what made the run. Raises LotteryError when the run is not
    complete.
    """
    tables = run / "tables"
    settings = read_finished_run(tables / "settings.json")
    levels = read_table(tables / "levels.csv", LEVELS)
    names = figures_of_run(settings)
    copied = ["levels.csv", "settings.json"] + ["layers.csv"] * bool(described(settings))
    copied += ["barriers.csv"] * bool(lines(settings)) + ["overlaps.csv"] * bool(compared_files(settings))
    copied += [f"{table}.csv" for table in DRAWN if any(details_of(name) == table for name in names)]
    for name in copied:
        read_bytes(tables / name)
    curves = read_table(tables / "curves.csv", CURVES)
    speed, curves = measure_speed(levels, curves), drawn_curves(levels, curves, names).round(DECIMALS)
    made = made_by(run, trainings(settings))
    folder.mkdir(parents=True, exist_ok=True)
    for name in copied:
        shutil.copyfile(tables / name, folder / name)
    write_table(folder / "curves.csv", curves)
    write_table(folder / "speed.csv", speed)
    conclude(folder, names, made)


def conclude(
    tables: Path, figures: list[str], made: dict[str, Any], folder: Path | None = None, parts: Collection[Path] = ()
) -> None:
    """Make the verdicts and these figures of a folder from the tables in it, and write down what made the run.

    folder: where it is to be in the end, beside other published runs, if elsewhere; parts: what it is joined of.
    """
    conclude_claims(tables, folder, parts)
    draw_several(tables, tables, figures, PUBLISHED)
    write_text(tables / "machine.json", json.dumps(made, indent=1) + "\n")


def conclude_claims(tables: Path, folder: Path | None = None, parts: Collection[Path] = ()) -> None:
    """Write the verdicts on a published run beside the tables that they are made from; the rest as of `conclude`."""
    verdicts, left = judge_published(folder or tables, tables, parts)
    write_table(tables / "claims.csv", verdicts)
    write_text(tables / "claims.md", as_markdown(verdicts, left))


def figures_of_published(folder: Path) -> list[str]:
    """The figures of a published run: those of its settings but such as draw a table that it was published before."""
    names = figures_of_run(read_finished_run(folder / "settings.json"))
    return [name for name in names if details_of(name) != "pixels" or (folder / "pixels.csv").exists()]


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
