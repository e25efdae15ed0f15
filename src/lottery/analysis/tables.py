"""The tables of a run: `levels.csv`, one row for each trained network, `curves.csv`, their histories, and two more."""

import io
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TypeVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lottery.arms.places import DENSE, Place
from lottery.arrays import read_bytes, reason, write_text
from lottery.errors import LotteryError, printable
from lottery.settings import Settings, Training
from lottery.settings.columns import LATER, RECIPE, recipe_columns

LEVELS = ["experiment", "arm", "replicate", "draw", "level", "weights", "weights_remaining", "early_stop_iteration"]
LEVELS += ["validation_loss_at_early_stop", "validation_accuracy_at_early_stop", "test_accuracy_at_early_stop"]
LEVELS += ["train_accuracy_at_early_stop", "test_accuracy_final", "train_accuracy_final", "train_seconds", "dataset"]
LEVELS += ["network", "diverged_iteration", *(name for name in RECIPE if name not in LATER)]
"""Columns of levels.csv. weights_remaining, accuracies and dropout are fractions, iterations numbers of updates. What a
training that diverged did not reach is empty, and diverged_iteration is empty for all others. Columns LATER
follow where an experiment has another value than their default.
"""

COUNTS = ["early_stop_iteration", "diverged_iteration"]
"""Columns of whole numbers that may be empty."""

NETWORK = ["experiment", "arm", "level", "replicate", "draw"]
"""Columns that name a trained network, in both tables."""

CURVES = ["experiment", "arm", "level", "replicate", "draw", "iteration", "validation_loss", "validation_accuracy"]
CURVES += ["test_accuracy", "train_loss"]
"""Columns of curves.csv: losses in nats, accuracies as fractions, empty where not measured."""

HISTORY = [column for column in CURVES if column not in ("experiment", "arm", "level")]
"""Columns of history.csv."""

WEIGHTS = [*NETWORK, "layer", "weights"]
"""Columns of weights.csv: how many weights each layer of each network keeps."""

ITERATIONS = ["iterations_to_dense_quality", "smoothed_early_stop_iteration", "known_until"]
"""Those of speed.csv that are whole numbers, and may be empty."""

SPEED = [*NETWORK, *ITERATIONS, "last_validation_accuracy"]
"""Columns of speed.csv: of a network's validation curve.

iterations_to_dense_quality: the first iteration whose loss is at or below the least of its replicate's dense network;
empty where no iteration up to known_until is. smoothed_early_stop_iteration: the middle of the 900 iterations whose
mean loss is least; empty where fewer are known. known_until: the last iteration of the curve;
last_validation_accuracy: the accuracy there, a fraction.
"""

LAYERS = ["experiment", "replicate", "level", "weights_remaining", "layer", "weights", "near_zero", "positive"]
LAYERS += ["movement_ratio", "grew", "grew_rest", "incoming_sd", "incoming_sd_by_chance", "outgoing_sd"]
LAYERS += ["outgoing_sd_by_chance"]
"""Columns of layers.csv: which weights are in the iterative tickets. Level 0 is the dense network, layers count from 1.

near_zero, positive: shares of the kept weights whose initial value is nearer to 0 than half the standard deviation of
the layer's initial values, and above 0. movement_ratio: how far the kept weights move while the dense network trains
(mean of |trained - initial|), over how far the others do. grew, grew_rest: shares of the kept and of the other weights
that are further from 0 after the dense network's training than before. incoming_sd, outgoing_sd: standard deviation
over units of the share kept of a unit's links, into it and out of it, that are this layer's weights; ..._by_chance:
what it would be if as many were kept at random. Empty where there are no others, movement_ratio also where these do not
move.
"""

DISTRIBUTIONS = ["experiment", "quantity", "level", "weights_remaining", "layer", "kept", "low", "high", "density"]
"""Columns of distributions.csv: histograms over all replicates. kept: 1 of the kept weights, 0 of the others. density
is empty where there is none: no weights, or all of one value.
"""

PIXELS = ["experiment", "level", "row", "column", "kept"]
"""Columns of pixels.csv: of the iterative tickets of networks whose first layer sees a whole image, the share of each
pixel's links to the units of that layer that are kept, mean over channels and replicates. row, column: of the pixel,
from 0 at the upper left.
"""

OF_TICKETS = {"layers": LAYERS, "distributions": DISTRIBUTIONS, "pixels": PIXELS}
"""The tables that tell which weights are in tickets, and their columns."""

BARRIERS = ["experiment", "pair", "arm", "level", "replicate", "draw", "weights_remaining"]
BARRIERS += ["train_barrier", "test_barrier", "train_error", "train_error_other", "test_error", "test_error_other"]
"""Columns of barriers.csv: how error rises on the line between two trained networks, fractions. arm, level, draw: of
the first of the pair. barrier: the greatest error on the line less the mean of those at its ends; error, error_other:
those at the ends. Empty where one of the two trainings diverged.
"""

OVERLAPS = ["experiment", "level", "quantity", "of", "replicate", "draw", "other", "iteration", "layer"]
OVERLAPS += ["value", "by_chance", "over_chance"]
"""Columns of overlaps.csv: how alike masks of a level are, layer by layer, and which weights they keep.

of: the arm of the mask; that of a whole network is what pruning it at once at this iteration, by magnitude, would give.
value: the share of its weights that another mask keeps too: that at the `end of training`, by `initial magnitude`, of
the `same start` with other batches, of `another start` (replicate `other`), `mask of` another arm. by_chance: that
mask's share of all weights; over_chance: the former over the latter. `early-bird distance`: the greatest share of
entries in which the mask differs from those of the four snapshots before, at equal distances; `early bird`: the first
iteration, as a share of training, at which that is at most 0.1; 1 where there is none. `sign kept`, `movement`: the
share of the mask's weights that have the sign of their initial value at the end, and how far they move; by_chance: of
all others. `neighbouring pixels`: over_chance alone (`lottery.analysis.overlaps.neighbours`).
"""

TEXTS = {"experiment", "arm", "dataset", "network", "quantity", "pair", "of"}
TEXTS |= {name for name, column in RECIPE.items() if column.kind is str}
"""Columns that hold text."""


Count = Annotated[int, Field(ge=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class TrainedNetwork(BaseModel):
    """What `summary.json` says of one member. A training that diverged has no early stop and no accuracies."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)

    replicate: Count
    draw: Count
    weights: Count
    early_stop_iteration: Count | None
    validation_loss_at_early_stop: NotNegative | None
    validation_accuracy_at_early_stop: Share | None
    test_accuracy_at_early_stop: Share | None
    train_accuracy_at_early_stop: Share | None
    test_accuracy_final: Share | None
    train_accuracy_final: Share | None
    diverged_iteration: Count | None
    train_seconds: NotNegative
    weights_by_layer: dict[str, int] = {}


class Summary(BaseModel):
    """What tables take from `summary.json`."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    experiment: str
    arm: str
    level: Count
    dataset: str
    network: str
    seed: int
    training: Training
    first_iteration: Count = 0
    last_iteration: Count | None = None
    extensions: dict[str, str] = {}
    members: Annotated[list[TrainedNetwork], Field(min_length=1)]
    sha256: dict[str, str]
    git_commit: str | None = None
    code: dict[str, str] = {}
    depends_on: dict[str, str] = {}
    engine: str | None = None
    device: str = "cpu"
    processor: str = ""
    versions: dict[str, str] = {}

    @property
    def end(self) -> int:
        """The iteration at which training ends."""
        return self.training.iterations if self.last_iteration is None else self.last_iteration


def collect_levels(folders: list[Path], settings: Settings) -> pd.DataFrame:
    """One row for each network trained in these folders, columns LEVELS, in the order of the folders.

    settings: those of the run. Raises LotteryError for an experiment that is not among them, and for a summary of
    another training than its folder is named for.
    """
    rows = []
    for folder in folders:
        summary = read_summary(folder)
        check_place(folder, summary, settings.seed)
        job = summary.model_dump(include={"experiment", "arm", "level", "dataset", "network"})
        if summary.experiment not in settings.experiments:
            told = f"experiment {summary.experiment!r} is none of the run's: {', '.join(settings.experiments)}"
            raise LotteryError(f"{folder / 'summary.json'}: {told}")
        job |= recipe_columns(settings.experiments[summary.experiment])
        rows += [job | member.model_dump(exclude={"weights_by_layer"}) for member in summary.members]
    table = pd.DataFrame(rows)
    dense = table[table["arm"] == DENSE].groupby("experiment")["weights"].first()
    missing = set(table["experiment"]) - set(dense.index)
    if missing:
        raise LotteryError(f"{', '.join(sorted(missing))}: no dense network, so weights remaining cannot be told")
    table["weights_remaining"] = table["weights"] / table["experiment"].map(dense)
    table[COUNTS] = table[COUNTS].astype("Int64")
    return with_later_columns(table[LEVELS], settings)


def with_later_columns(levels: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Rows of levels.csv with those of the columns LATER in which an experiment differs from the default."""
    recipes = {name: recipe_columns(settings.experiments[name]) for name in levels["experiment"].unique()}
    for column, usual in LATER.items():
        if any(recipe[column] != usual for recipe in recipes.values()):
            levels = levels.assign(
                **{column: levels["experiment"].map({name: each[column] for name, each in recipes.items()})}
            )
    return levels


def collect_weights(folders: list[Path]) -> pd.DataFrame:
    """How many weights the layers of all networks keep, columns WEIGHTS; of summaries that tell it."""
    rows = [
        [summary.experiment, summary.arm, summary.level, member.replicate, member.draw, layer, kept]
        for summary in map(read_summary, folders)
        for member in summary.members
        for layer, kept in member.weights_by_layer.items()
    ]
    return pd.DataFrame(rows, columns=WEIGHTS)


def collect_curves(folders: list[Path]) -> pd.DataFrame:
    """All histories below one another, columns CURVES. Raises LotteryError for one that is not that of its summary."""
    histories = []
    for folder in folders:
        summary = read_summary(folder)
        history = read_table(folder / "history.csv", HISTORY)
        check_history(folder / "history.csv", history, summary)
        names = {name: getattr(summary, name) for name in ("experiment", "arm", "level")}
        histories.append(history.assign(**names))
    return pd.concat(histories, ignore_index=True)[CURVES]


def check_place(folder: Path, summary: Summary, seed: int) -> None:
    """Raise LotteryError unless a summary is of the run's seed and of the networks that its folder is named for."""
    told = {name: getattr(summary, name) for name in ("experiment", "arm", "level", "seed")}
    told["replicates and draws"] = members = [(member.replicate, member.draw) for member in summary.members]
    replicates, draws = sorted({replicate for replicate, _ in members}), max(draw for _, draw in members) + 1
    expected: dict[str, object] = {"seed": seed}
    with suppress(LotteryError):  # a folder of another name, which tells nothing
        place = Place.parse("/".join(folder.parts[-4:]))
        replicates = [member.replicate for member in place.replicates.members()]
        expected |= {"experiment": place.experiment, "arm": place.arm, "level": place.level}
    expected["replicates and draws"] = [(replicate, draw) for replicate in replicates for draw in range(draws)]
    for name, right in expected.items():
        if told[name] != right:
            raise LotteryError(f"{folder / 'summary.json'}: {name} {told[name]!r}, expected {right!r}")


def check_history(path: Path, history: pd.DataFrame, summary: Summary) -> None:
    """Raise LotteryError unless a history has each member's points of the evaluation grid, each once.

    Of a training that diverged, it has those from the first one on that were reached.
    """
    recipe = summary.training
    grid = list(range(summary.first_iteration, summary.end + 1, recipe.validation_every))
    found = {who: rows["iteration"].tolist() for who, rows in history.groupby(["replicate", "draw"], sort=False)}
    for member in summary.members:
        reached = found.pop((member.replicate, member.draw), [])
        if reached != (grid if member.diverged_iteration is None else grid[: len(reached)]):
            raise LotteryError(
                f"{path}: replicate {member.replicate}, draw {member.draw}: its {len(reached)} iterations are not"
                f" {grid[0]} to {grid[-1]} in steps of {recipe.validation_every}, each once"
            )
    if found:
        (replicate, draw), *_ = found
        raise LotteryError(f"{path}: replicate {replicate}, draw {draw} is none of summary.json's")
    for column in ("validation_accuracy", "test_accuracy"):
        wrong = history.loc[(history[column] < 0) | (history[column] > 1), column]
        if len(wrong):
            raise LotteryError(f"{path}: {column} {wrong.iloc[0]}, expected a fraction from 0 to 1")


def read_summary(folder: Path) -> Summary:
    """What a training job says of itself. Raises LotteryError naming the file and what in it is wrong."""
    return read_checked(folder / "summary.json", Summary)


Content = TypeVar("Content", bound=BaseModel)


def read_checked(path: Path, kind: type[Content]) -> Content:
    """What a file of JSON holds. Raises LotteryError naming the file and what in it is wrong."""
    try:
        return kind.model_validate_json(read_bytes(path))
    except ValidationError as error:
        problem = error.errors()[0]
        place = printable(".".join(map(str, problem["loc"])))
        raise LotteryError(f"{path}: {': '.join(filter(None, [place, problem['msg']]))}") from error


def read_table(path: Path, columns: list[str]) -> pd.DataFrame:
    """A table written by `write_table`, with at least these columns; those not in TEXTS hold numbers.

    Raises LotteryError naming the file when it cannot be read or is no such table.
    """
    try:
        # Names such as "nan" or "1" are names.
        texts = dict.fromkeys(TEXTS, str)
        table = pd.read_csv(io.BytesIO(read_bytes(path)), dtype=texts, keep_default_na=False, na_values=[""])
    except (ValueError, OverflowError) as error:
        raise LotteryError(f"{path}: is not a table of comma-separated values: {reason(error)}") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise LotteryError(f"{path}: the column {missing[0]} is missing; expected: {', '.join(columns)}")
    for column in columns:
        if len(table) and column not in TEXTS and not pd.api.types.is_numeric_dtype(table[column]):
            raise LotteryError(f"{path}: the column {column} must hold numbers alone")
    return table


def columns_of(name: str) -> list[str]:
    """The columns of a table of this file name, without its ending."""
    return {
        **OF_TICKETS,
        "levels": LEVELS,
        "curves": CURVES,
        "speed": SPEED,
        "weights": WEIGHTS,
        "barriers": BARRIERS,
        "overlaps": OVERLAPS,
    }[name]


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, whole or not at all; numbers are written so that reading gives them back exactly."""
    write_text(path, as_csv(table))


def as_csv(table: pd.DataFrame) -> str:
    """A table as CSV with a head."""
    return table.to_csv(index=False, lineterminator="\n")
