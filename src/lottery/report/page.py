"""A finished run as one page of HTML that works from the disk."""

import base64
import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lottery.analysis.claims import judge, networks_behind
from lottery.analysis.claims_text import TO_JUDGE, VERDICTS, in_full, remarks
from lottery.analysis.speed import read_judged
from lottery.arrays import read_bytes, write_text
from lottery.errors import LotteryError
from lottery.evidence.publication import made_by
from lottery.figures.catalog import figures_of_run
from lottery.figures.drawing import entry_of
from lottery.report.graph import graph_of
from lottery.report.libraries import FOLDER, LIBRARIES, texts
from lottery.report.masks import explorer, in_words
from lottery.runs.jobs import network_of
from lottery.runs.listing import levels_of, trainings
from lottery.runs.reading import read_finished_run
from lottery.settings import Settings
from lottery.settings.columns import recipe_columns

FIRST = ("figure-speed", "figure4a")
"""The picture on top: the first of these that the run draws, or else its first figure."""

MOST_OF_A_TABLE = 1_000_000
"""Bytes of a table that the page holds; a larger one is named."""

TABLES = {
    "levels.csv": "one row for each trained network: accuracies, early stop, recipe",
    "curves.csv": "losses and accuracies along every training",
    "speed.csv": "how soon each network is as good as the dense one",
    "weights.csv": "how many weights each layer of each network keeps",
    "layers.csv": "which weights are in the tickets, layer by layer",
    "distributions.csv": "histograms of the tickets' weights and links",
    "pixels.csv": "which pixels the tickets read",
    "barriers.csv": "how much error rises on the line between two networks",
    "overlaps.csv": "how alike masks are",
    "structure.csv": "what pruning leaves of each layer: units, multiplications",
    "claims.csv": "every claim with its numbers and verdict",
    "settings.json": "the settings that the tables are of",
}
"""What the tables of a run tell, in the order in which they are listed."""


def write_report(run: Path, output: Path) -> None:
    """Write the page of a finished run.

    run: the folder `results/<run>`. Equal runs give equal bytes. Raises LotteryError naming a table, a figure or an
    array that is missing or not as it should be.
    """
    write_text(output, page_of(run))


def page_of(run: Path) -> str:
    """The page of a finished run, as HTML; everything that comes from its files is escaped."""
    tables = run / "tables"
    settings = read_finished_run(tables / "settings.json")
    levels, layers = read_judged(tables)
    claims = judge(levels, layers)
    told = claims_told(claims, networks_behind(levels, layers))
    figures = [figure_told(run, name, told) for name in figures_of_run(settings)]
    scripts = [*texts(".js"), (FOLDER.parent / "page.js").read_text()]
    environment = Environment(
        loader=FileSystemLoader(FOLDER.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        run=settings.run,
        seed=settings.seed,
        totals=totals(claims),
        families=by_family(claims),
        picture=next(
            (each for name in (*FIRST, *(f.name for f in figures)) for each in figures if each.name == name), None
        ),
        experiments=experiments_told(settings, levels),
        made=made_by(run, trainings(settings)),
        claims=told,
        remarks=[*remarks(claims, {}), TO_JUDGE],
        several=len(settings.run_experiments) > 1,
        verdicts=VERDICTS,
        figures=figures,
        masks=explorer(run, settings),
        tables=tables_told(tables),
        recipe=recipes(settings),
        settings=settings.model_dump_json(indent=1),
        times=times(levels),
        steps=seconds_of_steps(run),
        graph=graph_of(settings),
        libraries=LIBRARIES,
        licences=[(each.name, (FOLDER / each.licence).read_text()) for each in LIBRARIES],
        styles=[Markup(text) for text in [*texts(".css"), (FOLDER.parent / "page.css").read_text()]],  # noqa: S704
        scripts=[Markup(text) for text in scripts],  # noqa: S704
        hashes=[sha256_of(text) for text in scripts],
    )


def sha256_of(script: str) -> str:
    """The hash by which a page's policy allows a script that stands in it."""
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def data_address(content: bytes, kind: str) -> str:
    """A file's content as an address of its own."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def totals(claims: pd.DataFrame) -> list[tuple[str, int]]:
    """How many claims have each verdict."""
    counts = claims["verdict"].value_counts()
    return [(verdict, int(counts.get(verdict, 0))) for verdict in VERDICTS]


def by_family(claims: pd.DataFrame) -> list[tuple[str, list[int]]]:
    """The same family by family, in the order of the verdicts."""
    return [
        (str(family), [count for _, count in totals(rows)]) for family, rows in claims.groupby("family", sort=False)
    ]


@dataclass(frozen=True)
class ClaimTold:
    """A claim for reading, and the numbers that its columns are sorted by (NaN sorts last).

    networks: in words, those that the verdict rests on; count: how many they are. figures: the numbers of the paper's
    figures that its statement names.
    """

    texts: dict[str, str]
    numbers: dict[str, float]
    networks: list[str]
    count: int
    figures: frozenset[str]


def claims_told(claims: pd.DataFrame, networks: pd.DataFrame) -> list[ClaimTold]:
    """The claims of a run with the networks behind each."""
    behind = dict(list(networks.groupby(["id", "judged"], sort=False)))
    found = []
    for row, text in zip(claims.to_dict("records"), in_full(claims).to_dict("records"), strict=True):
        rows = behind.get((row["id"], row["experiment"]), networks[:0])
        numbers = {column: as_number(row[column]) for column in ("paper", "ours", "n", "p_corrected")}
        named = networks_in_words(rows, row["experiment"])
        found.append(ClaimTold(text, numbers, named, len(rows), frozenset(figures_named(row["claim"]))))
    return found


def as_number(value: object) -> float:
    """A cell of a table that may be empty: NaN then."""
    return float(value) if isinstance(value, int | float) else math.nan


def networks_in_words(rows: pd.DataFrame, experiment: str) -> list[str]:
    """Arm by arm and level by level which networks rows of `networks_behind` are.

    experiment: that of the claim, which need not be named.
    """
    lines = []
    for (name, arm, level), group in rows.groupby(["experiment", "arm", "level"], sort=False):
        size = f"{100 * group['weights_remaining'].iloc[0]:.3g}%"
        replicates = sorted(int(each) for each in group["replicate"].unique())
        draws = len(set(group["draw"]))
        several = f", {draws} draws" if draws > 1 else ""
        elsewhere = f"{name}: " if name != experiment else ""
        word = "replicates" if len(replicates) > 1 else "replicate"
        lines.append(f"{elsewhere}{arm}, level {level} ({size}), {word} {in_words(replicates)}{several}")
    return lines


FIGURES_NAMED = re.compile(r"\bFigs?\. (\d+[a-c]?(?:(?:, | and )\d+[a-c]?)*)")


def figures_named(claim: str) -> list[str]:
    """The numbers of the paper's figures in a claim's text, such as `21` and `23` of `(App. F.6, Figs. 21 and 23)`."""
    return [number for found in FIGURES_NAMED.findall(claim) for number in re.findall(r"\d+[a-c]?", found)]


@dataclass(frozen=True)
class FigureTold:
    """A figure of the run. address: its picture; claims: what is judged of the paper's figure of this number."""

    name: str
    title: str
    caption: str
    address: str
    tables: list[str]
    claims: list[ClaimTold]


def figure_told(run: Path, name: str, claims: Iterable[ClaimTold]) -> FigureTold:
    """A figure with what the catalog says of it. Raises LotteryError where it is not drawn."""
    entry, path = entry_of(name), run / "figures" / f"{name}.svg"
    if not path.exists():
        raise LotteryError(f"{path}: is missing; `lottery plot {run} {name}` draws it from the tables")
    number = name.removeprefix("figure")
    own = [claim for claim in claims if number in claim.figures and claim.texts["verdict"] != "not run"]
    tables = ["levels.csv", f"{entry.details}.csv"]
    return FigureTold(name, entry.title, entry.caption, data_address(read_bytes(path), "image/svg+xml"), tables, own)


def experiments_told(settings: Settings, levels: pd.DataFrame) -> list[dict[str, Any]]:
    """What was run, experiment by experiment."""
    found = []
    for name in settings.run_experiments:
        experiment, own = settings.experiments[name], levels[levels["experiment"] == name]
        arms = [arm.arm for arm in experiment.arms if levels_of(experiment, arm.arm)]
        found.append(
            {
                "name": name,
                "network": experiment.network,
                "dataset": experiment.dataset,
                "replicates": experiment.replicates,
                "iterations": experiment.training.iterations,
                "networks": len(own),
                "weights": network_of(experiment).weights,
                "least": float(100 * own["weights_remaining"].min()),
                "arms": ["dense", *arms],
            }
        )
    return found


def recipes(settings: Settings) -> list[tuple[str, list[str]]]:
    """Row by row a column of the recipe, and its value in each experiment."""
    columns = {name: told_of(settings, name) for name in settings.run_experiments}
    names = dict.fromkeys(key for told in columns.values() for key in told)
    return [(key.replace("_", " "), [columns[name].get(key, "") for name in columns]) for key in names]


def told_of(settings: Settings, name: str) -> dict[str, str]:
    """An experiment's recipe and sizes, as text."""
    experiment = settings.experiments[name]
    told: dict[str, object] = {
        "network": experiment.network,
        "dataset": experiment.dataset,
        **recipe_columns(experiment),
        "levels": experiment.levels,
        "replicates": experiment.replicates,
        "seed_name": experiment.seed_name or name,
    }
    return {key: str(value) for key, value in told.items()}


@dataclass(frozen=True)
class TableTold:
    """A table of the run. address: its content, empty where it is too large to be in the page."""

    name: str
    tells: str
    size: int
    address: str


def tables_told(folder: Path) -> list[TableTold]:
    """The tables that a run has."""
    found = []
    for name, tells in TABLES.items():
        if (folder / name).exists():
            content = read_bytes(folder / name)
            kind = "application/json" if name.endswith(".json") else "text/csv"
            address = data_address(content, kind) if len(content) <= MOST_OF_A_TABLE else ""
            found.append(TableTold(name, tells, len(content), address))
    return found


def times(levels: pd.DataFrame) -> list[tuple[str, str, int, float]]:
    """By experiment and arm: networks, and minutes that their trainings took on a core or a card."""
    groups = levels.groupby(["experiment", "arm"], sort=False)["train_seconds"]
    return [(str(name), str(arm), len(each), float(each.sum()) / 60) for (name, arm), each in groups]


def seconds_of_steps(run: Path) -> list[tuple[str, int, float]]:
    """By kind of step: how many jobs Snakemake ran, and the minutes that they took; empty where it left no times."""
    found: dict[str, list[float]] = {}
    for path in sorted((run / "benchmarks").rglob("*.tsv")):
        verb = path.relative_to(run / "benchmarks").parts[0].removesuffix(".tsv")
        for second in seconds_in(path):
            found.setdefault(verb, []).append(second)
    return [(verb, len(seconds), sum(seconds) / 60) for verb, seconds in found.items()]


def seconds_in(path: Path) -> Sequence[float]:
    """The first column of a file of Snakemake's times; nothing where it holds none."""
    lines = read_bytes(path).decode(errors="replace").splitlines()
    if not lines or not lines[0].startswith("s\t"):
        return []
    first = [line.split("\t")[0] for line in lines[1:]]
    return [float(text) for text in first if re.fullmatch(r"\d+(\.\d+)?", text)]
