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
from lottery.analysis.measures import nearest_size
from lottery.analysis.tables import CURVES, LEVELS, columns_of, read_judged, read_summary, read_table, write_table
from lottery.arrays import read_bytes, write_text
from lottery.errors import LotteryError
from lottery.figures.along_training import PANELS, PAPER_ITERATIONS
from lottery.figures.catalog import figures_of_run
from lottery.figures.drawing import details_of, draw
from lottery.runs import StackTraining, described, parsed_json, read_finished_run, trainings

ALONG_TRAINING = {"figure3", "figure11"}
"""Figures that draw the curves of a few sizes."""

AT_MOMENTS = {"figure7", "figure8"}
"""Figures that draw the test accuracy of all networks at moments of training."""

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


def read_details(tables: Path, figure: str) -> pd.DataFrame:
    """The table that a figure draws beside levels.csv, from a folder of tables."""
    name = details_of(figure)
    return read_table(tables / f"{name}.csv", columns_of(name))


def drawn_curves(levels: pd.DataFrame, curves: pd.DataFrame, figures: list[str]) -> pd.DataFrame:
    """The rows of curves.csv that these figures draw, and of them those with a test accuracy where only that counts."""
    place = ["experiment", "arm", "level"]
    sizes = levels.assign(percent=100 * levels["weights_remaining"]).groupby(place)["percent"].first().reset_index()
    kept = pd.Series(False, index=curves.index)
    if ALONG_TRAINING & set(figures):
        wanted = {line for panel in PANELS for line in panel}
        for (experiment, arm), table in sizes.groupby(["experiment", "arm"]):
            near = [nearest_size(table["percent"], percent) for name, percent in wanted if name == arm]
            chosen = table.loc[table["percent"].isin([size for size in near if size is not None]), "level"]
            kept |= (curves["experiment"] == experiment) & (curves["arm"] == arm) & curves["level"].isin(chosen)
        kept &= curves["iteration"] <= max(PAPER_ITERATIONS.values())
    if AT_MOMENTS & set(figures):
        kept |= curves["test_accuracy"].notna()
    return curves[kept]


MAKERS = ("git_commit", "processor", "card", "engine")
"""What machine.json counts the training jobs of, where their summaries name it."""


def made_by(run: Path, jobs: Iterable[StackTraining]) -> dict[str, Any]:
    """Networks and hours of jobs of a run, and the commits, processors, engines and versions that summaries name."""
    networks, hours = 0, 0.0
    told: dict[str, Counter] = {key: Counter() for key in MAKERS}
    versions: dict[str, set[str]] = {}
    for job in jobs:
        path = run / job.folder / "summary.json"
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
