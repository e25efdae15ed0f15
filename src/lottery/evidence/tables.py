"""Are tables and figures what a run's other files give? They are made anew, and compared byte for byte."""

import tempfile
from pathlib import Path

import pandas as pd

from lottery.analysis.barriers import collect_barriers
from lottery.analysis.claims import judge
from lottery.analysis.claims_text import as_html, as_markdown
from lottery.analysis.overlaps import compare_masks
from lottery.analysis.speed import measure_speed, read_judged, read_levels
from lottery.analysis.tables import as_csv, collect_curves, collect_levels, collect_weights
from lottery.analysis.ticket_weights import describe
from lottery.arrays import read_bytes
from lottery.evidence.wrong import Wrong
from lottery.figures.catalog import figures_of_run
from lottery.figures.drawing import FORMATS, draw, read_details
from lottery.runs.listing import described, trainings
from lottery.settings import Settings


def check_tables(run: Path, settings: Settings) -> None:
    """The tables are those of the summaries and histories, the claims those of the tables, and figures as well.

    A run that was asked for less has no claims, or not all figures; what it has is checked.
    """
    tables = run / "tables"
    check_texts(run, "collect", settings)
    if described(settings) and (tables / "layers.csv").exists():
        check_texts(run, "describe-tickets", settings)
    for table, verb in (("barriers", "collect-barriers"), ("overlaps", "compare-masks")):
        if (tables / f"{table}.csv").exists():
            check_texts(run, verb, settings)
    if (tables / "claims.csv").exists():
        check_texts(run, "judge-claims", settings)
    levels = read_levels(tables)
    for name in figures_of_run(settings):
        check_figure(run, name, levels)


def check_texts(run: Path, verb: str, settings: Settings) -> None:
    """The tables that a verb writes are, line by line, what the run's other files give."""
    tables = run / "tables"
    for name, text in texts_of(run, verb, settings).items():
        lines, found = text.splitlines(), read_bytes(tables / name).decode(errors="replace").splitlines()
        if found != lines:
            differing = next((i for i, pair in enumerate(zip(found, lines, strict=False)) if pair[0] != pair[1]), None)
            place = len(found) if differing is None else differing
            raise Wrong(tables / name, f"line {place + 1} is not what the run's other files give")


def texts_of(run: Path, verb: str, settings: Settings) -> dict[str, str]:
    """The tables that a verb writes, made anew, by their names."""
    if verb == "judge-claims":
        claims = judge(*read_judged(run / "tables"))
        return {"claims.csv": as_csv(claims), "claims.md": as_markdown(claims), "claims.html": as_html(claims)}
    if verb == "describe-tickets":
        told = {f"{name}.csv": as_csv(table) for name, table in describe(run, settings).items()}
        if not (run / "tables/pixels.csv").exists():  # a run that was described before there was one
            del told["pixels.csv"]
        return told
    if verb == "collect-barriers":
        return {"barriers.csv": as_csv(collect_barriers(run, settings))}
    if verb == "compare-masks":
        return {"overlaps.csv": as_csv(compare_masks(run, settings))}
    folders = [run / job.place.folder for job in trainings(settings)]
    levels, curves = collect_levels(folders, settings), collect_curves(folders)
    collected = {"levels.csv": levels, "curves.csv": curves, "weights.csv": collect_weights(folders)}
    if (run / "tables/speed.csv").exists():  # not of a run that was collected before there was one
        collected["speed.csv"] = measure_speed(levels, curves)
    return {name: as_csv(table) for name, table in collected.items()}


def check_figure(run: Path, name: str, levels: pd.DataFrame) -> None:
    """The files of a figure that there are, are what is drawn from the tables."""
    there = [path for suffix in FORMATS if (path := run / "figures" / f"{name}.{suffix}").exists()]
    if not there:
        return
    with tempfile.TemporaryDirectory() as folder:
        made = {suffix: Path(folder, f"{name}.{suffix}") for suffix in FORMATS}
        draw(name, levels, read_details(run / "tables", name), list(made.values()))
        for path in there:
            if path.read_bytes() != made[path.suffix[1:]].read_bytes():
                raise Wrong(path, "is not what this code draws from the tables")
