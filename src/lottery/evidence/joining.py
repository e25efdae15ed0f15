"""Finished runs, or parts of one run trained on several machines, put together into one published run."""

import itertools
import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from lottery.analysis.pixels import shown_sizes
from lottery.analysis.speed import DECIMALS, read_speed
from lottery.analysis.tables import (
    COUNTS,
    ITERATIONS,
    LEVELS,
    NETWORK,
    columns_of,
    read_checked,
    read_table,
    with_later_columns,
    write_table,
)
from lottery.analysis.ticket_weights import QUANTITIES, sizes_of
from lottery.arrays import reason, write_text
from lottery.errors import LotteryError, printable
from lottery.evidence.publication import MAKERS, conclude, drawn_curves, made_by
from lottery.figures.catalog import figures_of_run
from lottery.figures.drawing import details_of
from lottery.runs.dependence import INDIFFERENT
from lottery.runs.jobs import Job, network_of
from lottery.runs.lines import lines
from lottery.runs.listing import DESCRIBED_ARM, compared_files, described, levels_of, trainings
from lottery.runs.reading import read_finished_run, read_run
from lottery.settings import NAME, Experiment, Settings

FREE = {"replicates", "replicates_per_job", *INDIFFERENT}
"""Keys of an experiment that parts may differ in: they change no result of a replicate."""

OPTIONAL = {"layers", "distributions", "pixels"}
"""Tables that not every run has."""

KEYS = {
    "levels": NETWORK,
    "curves": [*NETWORK, "iteration"],
    "speed": NETWORK,
    "layers": ["experiment", "level", "layer", "replicate"],
    "distributions": ["experiment", "quantity", "level", "layer", "kept", "low"],
    "pixels": ["experiment", "level", "row", "column"],
}
"""Columns that name a row of each table."""


@dataclass(frozen=True)
class Part:
    """A finished run (`results/<run>`), or a published one (`docs/results/<run>`)."""

    folder: Path
    tables: Path
    settings: Settings
    levels: pd.DataFrame

    def replicates(self, experiment: str) -> list[int]:
        """The replicates of an experiment that were trained here."""
        return sorted(self.levels.loc[self.levels["experiment"] == experiment, "replicate"].unique().tolist())


class Made(BaseModel):
    """What `machine.json` tells: networks, jobs by what made them, versions of each package."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    networks: int
    git_commit: dict[str, int] = {}
    processor: dict[str, int] = {}
    card: dict[str, int] = {}
    engine: dict[str, int] = {}
    versions: dict[str, list[str]] = {}


Row = tuple[Any, ...]
"""The values of the columns KEYS of a table, all or the first of them."""


def join(
    folders: Sequence[Path], output: Path, order: Sequence[str] | None = None, figures: list[str] | None = None
) -> None:
    """Publish finished runs, or parts of one, as one run, named as the folder that it is written to.

    Tables are put together in the order that a single run gives; verdicts and figures are made anew, as `publish` does,
    before anything is written. order: of the experiments, that of the parts when absent. figures: those to draw, those
    of the parts when absent.

    Raises LotteryError when settings differ, a row is in two parts, or in none, and for runs that compare networks.
    """
    parts = [read_part(folder) for folder in folders]
    levels = rows_of(parts, "levels")
    settings = joined_settings(parts, levels, output, order, figures)
    if lines(settings) or compared_files(settings):
        raise LotteryError(
            "joining does not carry barriers.csv and overlaps.csv, which tell of pairs of networks across parts: train"
            " such a run as one, and `lottery publish` it"
        )
    names = figures_of_run(settings)
    levels = with_later_columns(in_order(levels, "levels", networks(settings)), settings)
    curves = joined_curves(parts, levels, names)
    speed = pd.concat([read_speed(part.tables, part.levels).assign(part=str(part.folder)) for part in parts])
    known = set(rows_by(speed, NETWORK))
    tables = {"levels": levels, "curves": curves}
    if known:  # parts without curves tell of none
        speed = in_order(speed, "speed", [row for row in networks(settings) if row in known])
        # Whole numbers, also where one is missing in a part.
        tables["speed"] = speed.astype(dict.fromkeys(ITERATIONS, "Float64")).astype(dict.fromkeys(ITERATIONS, "Int64"))
    if described(settings):
        tables["layers"] = in_order(rows_of(parts, "layers"), "layers", ticket_layers(settings))
        for name, its_order in OF_ALL_REPLICATES.items():
            if drawn := [figure for figure in names if details_of(figure) == name]:
                tables[name] = joined_of_all(parts, settings, tables["layers"], name, its_order, drawn)
    made = joined_made(parts, levels)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as beside:
            aside = Path(beside) / output.name
            for name, table in tables.items():
                write_table(aside / f"{name}.csv", table)
            write_text(aside / "settings.json", settings.model_dump_json(indent=1) + "\n")
            conclude(aside, names, made, output, folders)
            if not output.exists():
                aside.rename(output)
                return
            for path in sorted(aside.iterdir()):
                path.replace(output / path.name)
    except OSError as error:
        raise LotteryError(f"{output}: cannot be written: {reason(error)}") from error


def read_part(folder: Path) -> Part:
    """A part's settings and networks. Raises LotteryError when it is no run, or its table speaks of another one."""
    tables = next((place for place in (folder / "tables", folder) if (place / "settings.json").exists()), None)
    if tables is None:
        raise LotteryError(
            f"{folder}: is neither a finished run nor a published one: no tables/settings.json, no settings.json"
        )
    settings, levels = read_finished_run(tables / "settings.json"), read_table(tables / "levels.csv", LEVELS)
    if unknown := set(levels["experiment"]) - set(settings.run_experiments):
        told = f"experiment {min(unknown)!r} is none of its run's: {', '.join(settings.run_experiments)}"
        raise LotteryError(f"{tables / 'levels.csv'}: {told}")
    return Part(folder, tables, settings, levels)


def joined_settings(
    parts: Sequence[Part],
    levels: pd.DataFrame,
    output: Path,
    order: Sequence[str] | None = None,
    figures: list[str] | None = None,
) -> Settings:
    """The settings of one run of everything that the parts ran: the first part's, with as many replicates as there are.

    Raises LotteryError with one line for each key that parts differ in though results depend on it.
    """
    check_equal(parts)
    name = output.resolve().name
    if not re.fullmatch(NAME, name):
        raise LotteryError(
            f"{output}: the run is named as its folder, which must be of the form lenet-mnist (a-z, 0-9, -)"
        )
    ran = in_all(part.settings.run_experiments for part in parts)
    if order is not None and sorted(order) != sorted(ran):
        raise LotteryError(f"--experiments: must name each experiment of the parts, once: {', '.join(ran)}")
    experiments: dict[str, Experiment] = {}
    for part in parts:
        experiments = part.settings.experiments | experiments
    for part in reversed(parts):
        experiments |= {each: part.settings.experiments[each] for each in part.settings.run_experiments}
    for each in ran:
        asked = [part.settings.experiments[each].replicates for part in parts if each in part.settings.run_experiments]
        replicates = max(*asked, levels.loc[levels["experiment"] == each, "replicate"].nunique())
        experiments[each] = experiments[each].model_copy(update={"replicates": replicates})
    if figures is None and not any(part.settings.figures == "all" for part in parts):
        figures = in_all(part.settings.figures for part in parts)
    first = parts[0].settings
    return read_run(
        first.model_dump(mode="json")
        | {
            "run": name,
            "extensions": in_all(part.settings.extensions for part in parts),
            "run_experiments": list(order or ran),
            "experiments": {each: experiments[each].model_dump(mode="json") for each in sorted(experiments)},
            "figures": "all" if figures is None else figures,
        }
    )


def in_all(lists: Iterable[Iterable[str]]) -> list[str]:
    """What stands in any of the lists, each once, in their order."""
    return list(dict.fromkeys(itertools.chain.from_iterable(lists)))


def check_equal(parts: Sequence[Part]) -> None:
    """Raise LotteryError with a line for each key that a part has another value of than the first with this key."""
    wrong = []
    for part in parts:
        seed, expected_seed = ({"seed": each.settings.seed} for each in (part, parts[0]))
        compared: list[tuple[Part, str, dict[str, Any], dict[str, Any]]] = [(parts[0], "", seed, expected_seed)]
        for name in part.settings.run_experiments:
            other = next(each for each in parts if name in each.settings.run_experiments)
            ours, theirs = (recipe_values(each.settings.experiments[name]) for each in (part, other))
            compared.append((other, f"experiments.{name}", ours, theirs))
        for other, place, ours, theirs in compared:
            for key in dict.fromkeys([*ours, *theirs]):
                if ours.get(key) != theirs.get(key):
                    found, expected = (json.dumps(each[key]) if key in each else "absent" for each in (ours, theirs))
                    wrong.append(f"{part.folder}: {place}{key} is {found}, in {other.folder} it is {expected}")
    if wrong:
        raise LotteryError("\n".join(wrong))


def recipe_values(experiment: Experiment) -> dict[str, Any]:
    """What the results of an experiment's replicates depend on: values by key, such as `.training.learning_rate`."""
    sections = experiment.model_dump(mode="json", exclude=FREE)
    return flat(sections | {"arms": {arm.pop("arm"): arm for arm in sections["arms"]}})


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values within values, by the keys that lead to them, each after a dot."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        within = flat(value) if isinstance(value, dict) else {"": value}
        found |= {f".{key}{deeper}": each for deeper, each in within.items()}
    return found


def rows_of(parts: Sequence[Part], name: str) -> pd.DataFrame:
    """All parts' rows of a table below one another, each with its part's folder in the column `part`.

    Raises LotteryError for a row that is there twice.
    """
    columns = columns_of(name)
    tables = [
        read_table(path, columns)[columns].assign(part=str(part.folder))
        for part in parts
        for path in [part.tables / f"{name}.csv"]
        if name not in OPTIONAL or path.exists()
    ]
    # Without rows a column has no type, and would take that of the others away.
    filled = [table for table in tables if len(table)] or [pd.DataFrame(columns=[*columns, "part"])]
    table = pd.concat(filled, ignore_index=True)
    twice = table[table.duplicated(KEYS[name])]
    if len(twice):
        row = tuple(twice[KEYS[name]].iloc[0])
        where = table.loc[[each == row for each in rows_by(table, KEYS[name])], "part"].unique()
        raise LotteryError(f"{name}.csv: {in_words(name, row)} is there twice: in {' and in '.join(where)}")
    return table


def in_words(name: str, row: Row) -> str:
    """A row of a table, by the values of its columns KEYS."""
    return ", ".join(f"{column} {printable(str(value))}" for column, value in zip(KEYS[name], row, strict=False))


def in_order(table: pd.DataFrame, name: str, expected: Sequence[Row]) -> pd.DataFrame:
    """A table's rows in the order of what they should be.

    expected: for the first of the columns KEYS; rows alike in these stay in their order. Raises LotteryError for the
    first that is missing and the first that should not be there.
    """
    place = {row: number for number, row in enumerate(expected)}
    rows = rows_by(table, KEYS[name][: len(expected[0])])
    if missing := place.keys() - set(rows):
        first = min(missing, key=place.__getitem__)
        raise LotteryError(f"{name}.csv: no part has {in_words(name, first)}, which the settings ask for")
    for row, folder in zip(rows, table["part"], strict=True):
        if row not in place:
            raise LotteryError(f"{folder}: {name}.csv: {in_words(name, row)} is not among what the settings ask for")
    order = table.assign(place=[place[row] for row in rows]).sort_values("place", kind="stable")[columns_of(name)]
    return order.astype({column: "Int64" for column in COUNTS if column in order})


def rows_by(table: pd.DataFrame, columns: list[str]) -> list[Row]:
    """The values of these columns, row by row."""
    return [*table[columns].itertuples(index=False, name=None)]


def networks(settings: Settings) -> list[Row]:
    """The networks of a run in the order of levels.csv, by the columns NETWORK."""
    return [
        (job.place.experiment, job.place.arm, job.place.level, member.replicate, member.draw)
        for job in trainings(settings)
        for member in job.members
    ]


def ticket_layers(settings: Settings) -> list[Row]:
    """The rows of layers.csv of a run, in their order."""
    return [
        (name, level, layer, replicate)
        for name in described(settings)
        for experiment in [settings.experiments[name]]
        for level in [0, *levels_of(experiment, DESCRIBED_ARM)]
        for layer in range(1, len(network_of(experiment).weight_names()) + 1)
        for replicate in range(experiment.replicates)
    ]


def joined_curves(parts: Sequence[Part], levels: pd.DataFrame, figures: list[str]) -> pd.DataFrame:
    """What these figures draw of the curves, rounded, in the order of the networks.

    Raises LotteryError when a part has none of a network that they draw: a published one has what its own figures drew.
    """
    curves = rows_of(parts, "curves").sort_values("iteration")
    trained, known = rows_by(levels, NETWORK), set(rows_by(curves, NETWORK))
    a_point_each = levels[NETWORK].assign(iteration=0, test_accuracy=0.0)
    for row in rows_by(drawn_curves(levels, a_point_each, figures), NETWORK):
        if row not in known:
            told = f"no part has {in_words('curves', row)}, which figures draw"
            raise LotteryError(f"curves.csv: {told}; --figures may name others than {', '.join(figures)}")
    if known:
        curves = in_order(curves, "curves", [row for row in trained if row in known])
    return drawn_curves(levels, curves[columns_of("curves")], figures).round(DECIMALS)


def histograms_of(experiment: str, levels: Mapping[float, int]) -> list[Row]:
    """The histograms of an experiment, in their order; levels: by percent of weights remaining."""
    return [(experiment, quantity, levels[size]) for quantity in QUANTITIES for size in sizes_of(quantity, levels)]


def images_of(experiment: str, levels: Mapping[float, int]) -> list[Row]:
    """The images of an experiment's masks, in their order; levels: by percent of weights remaining."""
    return [(experiment, levels[size]) for size in shown_sizes(levels)]


Order = tuple[Callable[[str, Mapping[float, int]], list[Row]], dict[str, bool]]
"""The first of the columns KEYS of an experiment's rows, in their order; and by which columns they ascend in these."""

OF_ALL_REPLICATES: dict[str, Order] = {
    "distributions": (histograms_of, {"layer": True, "kept": False, "low": True}),
    "pixels": (images_of, {"row": True, "column": True}),
}
"""Tables of numbers over all replicates of an experiment, from which no table tells those of more."""


def joined_of_all(
    parts: Sequence[Part], settings: Settings, layers: pd.DataFrame, table: str, order: Order, figures: list[str]
) -> pd.DataFrame:
    """A table of numbers over all replicates, in the order of a single run.

    layers: the joined table; figures: those that draw it. Raises LotteryError when a part's are of some replicates
    alone, or when there are none.
    """
    way_out = f"--figures may name others than {', '.join(figures)}"
    rows = rows_of(parts, table)
    for part in parts:
        own = rows.loc[rows["part"] == str(part.folder), "experiment"]
        for name in own.unique():
            found = part.replicates(name)
            if len(found) < settings.experiments[name].replicates:
                some = ", ".join(map(str, found))
                raise LotteryError(
                    f"{part.folder}: {table}.csv: experiment {name}: tells of its replicates {some} alone,"
                    f" from which no table tells those of all; {way_out}"
                )
    expected, (rows_expected, ascending) = list[Row](), order
    for name in described(settings):
        ticket = layers[(layers["experiment"] == name) & (layers["replicate"] == 0)]
        levels = dict(zip(100 * ticket["weights_remaining"], ticket["level"], strict=True))
        expected += rows_expected(name, levels)
    try:
        return in_order(rows.sort_values([*ascending], ascending=[*ascending.values()]), table, expected)
    except LotteryError as error:
        raise LotteryError(f"{error}; {way_out}") from None


def joined_made(parts: Sequence[Part], levels: pd.DataFrame) -> dict[str, Any]:
    """What machine.json tells of the joined run: networks and hours of all, and what the parts' own tell.

    Raises LotteryError when a part's tells of another number of networks than the part has.
    """
    made = []
    for part in parts:
        of_run = part.tables != part.folder
        told = (
            Made.model_validate(made_by(part.folder, jobs_of(part)))
            if of_run
            else read_checked(part.folder / "machine.json", Made)
        )
        if told.networks != len(part.levels):
            raise LotteryError(
                f"{part.folder}: {told.networks} networks by {'its summaries' if of_run else 'machine.json'},"
                f" {len(part.levels)} in levels.csv"
            )
        made.append(told)
    counted = {key: sum((Counter(getattr(told, key)) for told in made), Counter()) for key in MAKERS}
    packages = sorted({name for told in made for name in told.versions})
    return {
        "networks": len(levels),
        "core_hours_of_training": round(levels["train_seconds"].sum() / 3600, 2),
        **{key: dict(counter) for key, counter in counted.items() if counter},
        "versions": {
            name: sorted({each for told in made for each in told.versions.get(name, [])}) for name in packages
        },
    }


def jobs_of(part: Part) -> list[Job]:
    """The trainings that a part's networks come from."""
    trained = set(rows_by(part.levels, NETWORK[:4]))
    return [
        job
        for job in trainings(part.settings)
        if any(
            (job.place.experiment, job.place.arm, job.place.level, member.replicate) in trained
            for member in job.members
        )
    ]
