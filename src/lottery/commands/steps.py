"""The steps of a run. Each reads the run's settings and writes the files of its place; `train` takes a ticket too."""

import os
from pathlib import Path
from typing import Annotated, Literal

from lottery.arms.places import Place
from lottery.commands.options import At, Run, SettingsFile, Told
from lottery.commands.tickets import MomentOption, train_file
from lottery.errors import LotteryError
from lottery.runs import steps
from lottery.runs.reading import add_datasets_of, read_job, read_line

Origin = Literal["start", "weights"]


def prepare_dataset(
    dataset: Annotated[str, Told("its name")],
    *,
    output: Annotated[Path, Told("file to write")],
    resources: Annotated[Path, Told("folder of the repository's own datasets")] = Path("resources"),
    downloads: Annotated[Path, Told("folder of raw files downloaded earlier and now")],
    mirror: Annotated[Path | None, Told("folder of raw files to look in; default: $LOTTERY_DATA")] = None,
    settings: Annotated[Path | None, Told("settings of a run, whose folders of images can be named", "FILE")] = None,
) -> None:
    """Find or download the raw files of a dataset, verify them and write them as one file of arrays."""
    from lottery.datasets.images import prepare
    from lottery.datasets.raw import Places

    if settings:
        add_datasets_of(settings)
    named = mirror or (Path(os.environ["LOTTERY_DATA"]) if os.environ.get("LOTTERY_DATA") else None)
    prepare(dataset, Places(resources, named and named.expanduser(), downloads), output)


def describe_images(
    folder: Annotated[Path, Told("folder with a sub-folder for each class, or with train and test of these")],
    *,
    test_share: Annotated[float | None, Told("share of each class to set aside, where there is no test")] = None,
) -> None:
    """Print the entry of a configuration that makes a folder of images a dataset."""
    from lottery.datasets.image_folder import described, entry

    print(entry(described(folder, test_share)))


def initialize(run: Run, place: At, *, settings: SettingsFile = None) -> None:
    """Draw the initial weights of a dense network."""
    steps.initialize(read_job(run, place, settings), run)


def score(run: Run, place: At, *, settings: SettingsFile = None) -> None:
    """Score weights by what images tell of them, for the pruning that reads these scores."""
    from lottery.training.scores import score as score_place

    score_place(read_job(run, place, settings), run)


def prune(run: Run, place: At, *, settings: SettingsFile = None) -> None:
    """Remove the weights of smallest score from a mask, or from the dense network."""
    steps.prune(read_job(run, place, settings), run)


def rewind(run: Run, place: At, *, settings: SettingsFile = None) -> None:
    """Set the survivors of a mask back to a checkpoint and everything else that can be pruned to 0."""
    steps.rewind(read_job(run, place, settings), run)


def make_control(run: Run, place: At, *, settings: SettingsFile = None) -> None:
    """Make a network that differs from a ticket in one thing: its weights, or where they are."""
    steps.make_control(read_job(run, place, settings), run)


def train(
    run: Annotated[Path, Told("folder of the run: results/<run>; or the file of a ticket", "RUN")],
    place: Annotated[Place | None, Told("folder below it, such as lenet-mnist/r0-2/iterative/level3", "PLACE")] = None,
    *,
    settings: SettingsFile = None,
    threads: Annotated[int, Told("networks of a run trained at once")] = 1,
    dataset: Annotated[
        Path | None, Told("for a ticket: the prepared dataset, results/data/<dataset>.safetensors")
    ] = None,
    output: Annotated[Path | None, Told("for a ticket: the file to write")] = None,
    origin: Annotated[
        Origin, Told("what a ticket's training begins from: its start, or its trained weights")
    ] = "start",
    moment: MomentOption = "final",
    iterations: Annotated[int | None, Told("for a ticket: other than its recipe's")] = None,
    learning_rate: Annotated[float | None, Told("for a ticket: other than its recipe's")] = None,
) -> None:
    """Train the networks of a place from their starting weights; or a ticket, from its file, on a prepared dataset."""
    if place is None:
        changes = {"iterations": iterations, "learning_rate": learning_rate}
        train_file(run, dataset, output, origin, moment, changes)
        return
    if dataset or output:
        raise LotteryError(f"{run}: --dataset and --output are for the file of a ticket; a run knows both")
    from lottery.training.job import run_job

    run_job(read_job(run, place, settings), run, threads)


def interpolate(
    run: Run,
    place: At,
    pair: Annotated[str, Told("of networks, the first of them of this place, such as dense-twins", "PAIR")],
    *,
    settings: SettingsFile = None,
) -> None:
    """Measure the error of the networks on the line between the weights of two trained ones."""
    from lottery.training.interpolation import interpolate as interpolate_line

    interpolate_line(read_line(run, place, pair, settings), run)
