"""The error of the networks on the straight line between the weights of two trained ones.

Frankle et al. (1912.05671, section 2): where the greatest error on the line exceeds the mean of the errors at its ends
by nothing (less than 2 points, to them), the two are linearly connected. They do not say how statistics of batch
normalisation are handled; here they are computed anew at every point, its ends too, on the training images measured.
"""

import csv
import io
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lottery.arms.operations import rewind
from lottery.arms.pairs import End
from lottery.arrays import Arrays, of_member, stack, write_text
from lottery.arrays.weights import read_parameters
from lottery.datasets.images import Chosen, Part, Split, read_splits
from lottery.networks import Network
from lottery.runs.files import mask
from lottery.runs.lines import Line
from lottery.settings import Training
from lottery.training import cards
from lottery.training.engines import engine_of
from lottery.training.job import dataset_file

COLUMNS = ["replicate", "draw", "share", "train_loss", "train_error", "test_loss", "test_error"]
"""Of a line's file. share: how far from `one` to the other network, 0 to 1; errors are fractions, losses in nats."""

MEASURED: tuple[Part, ...] = ("train", "test")

DIGITS = 9
"""Of an error: more than images can tell, so that 1 less an accuracy is the number it is."""


def interpolate(line: Line, run: Path) -> None:
    """Measure the networks on a line of each member, and write the table of them. run: the folder `results/<run>`."""
    points = np.linspace(0, 1, line.job.experiment.interpolation.points)
    shared = line.job.experiment.trainings_per_card
    with cards.own_card(cards.lock_folder(), shared) if line.job.training.device == "cuda" else nullcontext():
        measured = measure(line, run, dataset_file(run, line.job), [points] * len(line.job.members))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for member, errors in zip(line.job.members, measured, strict=True):
        table.writerows([member.replicate, member.draw, *map(float, row)] for row in errors)
    write_text(line.job.path(run, line.file), text.getvalue())


def measure(line: Line, run: Path, dataset: Path, shares: list[NDArray]) -> list[NDArray]:
    """For each member, float64 [points, columns from `share` on] at its shares of the line.

    run: the folder `results/<run>`; dataset: the prepared images.
    """
    job, network, recipe = line.job, line.job.network, line.job.training
    engine = engine_of(network, recipe)
    engine.one_thread()
    ones, others = (ends(line, end, run) for end in line.pair.ends)
    replicates = [member.replicate for member in job.replicates.members()]
    splits = read_splits(dataset, recipe, job.settings.seed, replicates, job.data.image_shape, job.data.classes)
    images = engine.resident([some(split, job.experiment.interpolation.images) for split in splits], recipe)
    found = []
    for index, (one, other) in enumerate(zip(ones, others, strict=True)):
        own = images[job.replicates.index(job.members[index])]
        found.append(errors_along(network, one, other, shares[index], own, recipe))
    return found


def ends(line: Line, end: End, run: Path) -> list[Arrays]:
    """The weights at an end of the line, for each member of the pair's `one`: float32 [*shape] of every parameter."""
    job = line.job.at(end.place(line.job.place))
    trained = read_parameters(job.path(run, "trained"), job.network, len(job.members))
    pruned_by = end.mask(line.job.place)
    masks = mask(run, line.job.at(pruned_by)) if pruned_by else None
    found = []
    for index, member in enumerate(line.job.members):
        own = index if len(job.members) == len(line.job.members) else job.replicates.index(member)
        weights = of_member(trained, own)
        found.append(rewind(weights, of_member(masks, job.replicates.index(member))) if masks else weights)
    return found


def some(split: Split, count: int | None) -> Split:
    """The same with so many training and test images, evenly spaced among them; all where no number is given."""

    def evenly(images: Chosen) -> Chosen:
        if count is None:
            return images
        places = np.arange(count) * len(images) // count
        told = None if images.told is None else images.told[places]
        return replace(images, rows=images.rows[places], told=told)

    return replace(split, train=evenly(split.train), test=evenly(split.test))


def errors_along(
    network: Network,
    one: Mapping[str, NDArray],
    other: Mapping[str, NDArray],
    shares: NDArray,
    images: Mapping[Part, Any],
    recipe: Training,
) -> NDArray:
    """float64 [points, 5]: the share, and loss and error on training and on test images.

    one, other: float32 [*shape] of every parameter; images: as an engine keeps them.
    """
    kept = {name: ((one[name] != 0) | (other[name] != 0)).astype(np.uint8) for name in network.weight_names()}
    made = engine_of(network, recipe).Engine(network, stack([dict(one)]), stack([kept]), [images], recipe)
    rows = []
    for share in shares:
        weights = on_the_line(one, other, float(share))
        if network.statistics:
            from lottery.training.normalization import with_statistics_anew

            weights = with_statistics_anew(network, weights, images["train"], recipe)
        made.load(stack([weights]))
        measured = [float(value[0]) for part in MEASURED for value in made.evaluate(part)]
        wrong = [round(1 - accuracy, DIGITS) for accuracy in measured[1::2]]
        rows.append([share, measured[0], wrong[0], measured[2], wrong[1]])
    return np.array(rows)


def on_the_line(one: Mapping[str, NDArray], other: Mapping[str, NDArray], share: float) -> Arrays:
    """(1 - share) x one + share x other, float32 [*shape] of every parameter; the ends bit for bit."""
    if share in (0, 1):
        return dict(other if share else one)
    return {
        name: (values + share * (other[name].astype(float) - values)).astype(np.float32) for name, values in one.items()
    }
