"""Draws a figure of the catalog into files."""

import importlib
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from lottery.arrays import replacing
from lottery.errors import LotteryError
from lottery.figures.catalog import CATALOG
from lottery.settings import suggest


def draw(name: str, levels: pd.DataFrame, curves: pd.DataFrame, outputs: list[Path]) -> None:
    """Draw the figure of this name from levels.csv and curves.csv into files, whose endings choose the format."""
    if name not in CATALOG:
        raise LotteryError(f"figure: unknown figure {name!r}{suggest(name, CATALOG)}")
    entry = CATALOG[name]
    for group in entry.needs:
        trained = set(levels.loc[levels["arm"].isin(group), "experiment"])
        if not trained:
            raise LotteryError(f"{name}: needs the arm {' or '.join(sorted(group))}, which this run does not train")
        levels = levels[levels["experiment"].isin(trained)]
    curves = curves[curves["experiment"].isin(set(levels["experiment"]))]
    start_drawing()
    save(getattr(importlib.import_module(f"lottery.figures.{entry.module}"), entry.function)(levels, curves), outputs)


def start_drawing() -> None:
    """Set matplotlib to draw into files, in the project's style."""
    mpl.use("agg")
    from lottery.figures.style import use_style

    use_style()


def save(figure: Figure, outputs: list[Path]) -> None:
    """Write a figure into files, each whole or not at all; equal figures give equal bytes."""
    for output in outputs:
        undated = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}.get(output.suffix)
        with replacing(output) as aside:
            figure.savefig(aside, metadata=undated)
