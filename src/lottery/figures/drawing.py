"""Draws a figure of the catalog into files."""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from lottery.analysis.barriers import pairs_told
from lottery.analysis.speed import read_levels
from lottery.analysis.tables import columns_of, read_table
from lottery.arms.places import DENSE
from lottery.arrays import replacing
from lottery.errors import LotteryError, suggest
from lottery.figures import (
    along_training,
    arm_panels,
    by_size,
    choices,
    dropout,
    hyperparameters,
    kinds,
    lines,
    moments,
    noise,
    overlaps,
    pixels,
    recovered,
    ticket_weights,
    untrained,
)
from lottery.figures.catalog import CATALOG
from lottery.figures.figure import Figure as Entry
from lottery.figures.selection import Trained
from lottery.figures.style import use_style
from lottery.settings.columns import recipe_of

FORMATS, PUBLISHED = ("pdf", "svg", "png"), ("svg", "png")
"""Of a run's figures and of published ones, in the order that they are drawn in: each moves a figure's parts a little.
"""

DRAWN_BY: dict[type[kinds.Picture], Callable[[Any, pd.DataFrame, pd.DataFrame], Figure]] = {
    kinds.AlongTraining: along_training.curves_of_sizes,
    kinds.ArmPanels: arm_panels.panels_of_arms,
    kinds.BarrierAndGain: lines.barrier_and_gain,
    kinds.Barriers: lines.barriers_by_size,
    kinds.ByRewindPoint: lines.by_rewind_point,
    kinds.OverlapsOnTheWay: overlaps.overlaps_on_the_way,
    kinds.Recovered: recovered.recovered,
    kinds.WhatIsSelected: overlaps.what_is_selected,
    kinds.AtMoments: moments.accuracy_by_size,
    kinds.ByNoise: noise.tickets_by_noise,
    kinds.ByDropout: dropout.tickets_by_dropout,
    kinds.BySize: by_size.measures_by_size,
    kinds.ByValue: hyperparameters.by_value,
    kinds.ByWidth: untrained.untrained_accuracy,
    kinds.ByWeights: by_size.accuracy_by_weights,
    kinds.Effects: choices.choices,
    kinds.Histograms: ticket_weights.histograms,
    kinds.KeptPixels: pixels.kept_pixels,
}
"""From levels.csv and the further table to a figure, by the kind of picture."""


def draw(name: str, levels: pd.DataFrame, details: pd.DataFrame, outputs: list[Path]) -> None:
    """Draw the figure of this name into files, whose endings choose the format.

    levels: the table levels.csv, with the columns of speed.csv; details: the further table that the catalog names.
    """
    entry = entry_of(name)
    shown = entry.shown(trained_in(levels, details))
    if not shown:
        raise LotteryError(f"{name}: needs {entry.needed}, which this run does not train")
    levels = levels[levels["experiment"].isin(shown)]
    details = details[details["experiment"].isin(shown)]
    start_drawing()
    save(drawn(name, levels, details), outputs)


def draw_several(tables: Path, pictures: Path, names: Sequence[str], formats: Sequence[str], threads: int = 1) -> None:
    """Draw figures of a run, so many at a time.

    tables, pictures: folders. Raises LotteryError for the first figure that cannot be drawn; the others are drawn.
    """
    levels = read_levels(tables)
    jobs = [(name, levels, tables, [pictures / f"{name}.{suffix}" for suffix in formats]) for name in names]
    if threads == 1:
        for job in jobs:
            draw_from(*job)
        return
    with ProcessPoolExecutor(threads, multiprocessing.get_context("fork")) as pool:
        for done in [pool.submit(draw_from, *job) for job in jobs]:
            done.result()


def draw_from(name: str, levels: pd.DataFrame, tables: Path, outputs: list[Path]) -> None:
    """Draw a figure with the further table of a folder."""
    draw(name, levels, read_details(tables, name), outputs)


def drawn(name: str, levels: pd.DataFrame, details: pd.DataFrame) -> Figure:
    """The figure of this name, of all experiments of two tables."""
    picture = entry_of(name).picture
    return DRAWN_BY[type(picture)](picture, levels, details)


def entry_of(name: str) -> Entry:
    """The figure's entry in the catalog. Raises LotteryError for an unknown one."""
    if name not in CATALOG:
        raise LotteryError(f"figure: unknown figure {name!r}{suggest(name, CATALOG)}")
    return CATALOG[name]


def details_of(name: str) -> str:
    """The table that a figure draws beside levels.csv."""
    return entry_of(name).details


def read_details(tables: Path, figure: str) -> pd.DataFrame:
    """The table that a figure draws beside levels.csv, from a folder of tables."""
    name = details_of(figure)
    return read_table(tables / f"{name}.csv", columns_of(name))


def trained_in(levels: pd.DataFrame, details: pd.DataFrame) -> list[Trained]:
    """The experiments of levels.csv; details: the further table of a figure, which may tell how alike masks are."""
    compared = set(details["experiment"]) if "over_chance" in details else set()
    arms = levels.groupby("experiment")["arm"].unique()
    dense = levels[levels["arm"] == DENSE].drop_duplicates("experiment")
    return [
        Trained(
            row["experiment"],
            row["network"],
            row["dataset"],
            recipe_of(row),
            list(arms[row["experiment"]]),
            frozenset([*pairs_told(levels[levels["experiment"] == row["experiment"]]), *told]),
        )
        for row in dense.to_dict("records")
        for told in [["overlaps"] if row["experiment"] in compared else []]
    ]


def start_drawing() -> None:
    """Set matplotlib to draw into files, in the project's style."""
    mpl.use("agg")
    use_style()


def save(figure: Figure, outputs: list[Path]) -> None:
    """Write a figure into files, each whole or not at all, and close it; equal figures give equal bytes."""
    for output in outputs:
        undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(output.suffix)
        with replacing(output) as aside:
            figure.savefig(aside, metadata=undated)
    plt.close(figure)
