"""The table overlaps.csv: how alike masks are, against chance, when they are settled, and which weights they keep.

Everything is told from files that a run has: masks, weights before and after training, and snapshots on the way, of
which it is told which mask they would give if the network were pruned at once there, by magnitude.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lottery.analysis.tables import OVERLAPS
from lottery.arms.operations import prune
from lottery.arms.places import DENSE, Place, Replicates
from lottery.arrays import Arrays, of_member
from lottery.arrays.weights import read_mask, read_parameters, read_snapshot
from lottery.networks import Network
from lottery.pruning.allocation import Counts, ladder
from lottery.runs.jobs import Job, network_of
from lottery.runs.listing import DESCRIBED_ARM, TWIN, arms_with_masks, groups_of, whole_arms
from lottery.settings import Settings

SETTLED, LOOKS_BACK = 0.1, 4
"""An early-bird ticket (You et al., 1909.11957): the masks of the last 4 epochs each differ from the newest in at most
this share of their entries. Here of all entries of the layer, and of snapshots at equal distances."""

Mask = Mapping[str, NDArray]
"""uint8 [*shape] of every weight."""

Row = dict[str, object]

SAME, ANOTHER = "same start", "another start"


@dataclass(frozen=True)
class Course:
    """One training of a whole network: its weights by iteration, float32 [*shape] of every parameter.

    draw: -1 of the dense network's own, else that of a twin with other batches.
    """

    replicate: int
    draw: int
    weights: dict[int, Arrays]

    @property
    def dense(self) -> bool:
        """Whether it is the dense network's own, not a twin's."""
        return self.draw < 0

    @property
    def end(self) -> int:
        return max(self.weights)

    def mask(self, iteration: int, counts: Counts) -> Arrays:
        """What pruning at once by magnitude would leave at an iteration."""
        scores = {name: np.abs(self.weights[iteration][name]) for group in counts for name in group}
        return prune(scores, None, counts)


def compare_masks(run: Path, settings: Settings) -> pd.DataFrame:
    """The table overlaps.csv of a run. Raises LotteryError naming a file that is not as it should be.

    run: the folder `results/<run>`.
    """
    rows: list[Row] = []
    for name in settings.run_experiments:
        experiment = settings.experiments[name]
        for level in experiment.compared_masks:
            own = [*rows_of(run, name, settings, level)]
            rows += [{"experiment": name, "level": level, **row} for row in own]
    return pd.DataFrame(rows, columns=OVERLAPS)


def rows_of(run: Path, name: str, settings: Settings, level: int) -> Iterator[Row]:
    """The rows of an experiment's masks of a level."""
    experiment = settings.experiments[name]
    network = network_of(experiment)
    counts = ladder(network, experiment.pruning, level)
    courses = [each for group in groups_of(experiment) for each in read_courses(run, name, settings, group)]
    yield from along_training(network, counts, courses)
    masks = {
        arm_name: {
            replicate: mask
            for group in groups_of(experiment)
            for replicate, mask in read_masks(run, name, settings, group, arm_name, level)
        }
        for arm_name in arms_with_masks(experiment, level)
    }
    for arm_name, by_replicate in masks.items():
        yield from between_arms(network, masks, arm_name)
        for replicate, mask in by_replicate.items():
            for other, theirs in by_replicate.items():
                if other != replicate:
                    told = {"quantity": ANOTHER, "of": arm_name, "iteration": experiment.training.iterations}
                    yield from overlap(network, mask, theirs, {**told, "replicate": replicate, "other": other})
    for course in courses:
        kept = masks.get(DESCRIBED_ARM, {}).get(course.replicate)
        if kept and course.dense:
            yield from kept_weights(network, kept, course)


def along_training(network: Network, counts: Counts, courses: list[Course]) -> Iterator[Row]:
    """How alike the masks are that trainings would give at each of their snapshots."""
    found = [(course, {at: course.mask(at, counts) for at in course.weights}) for course in courses]
    starts = {course.replicate: masks for course, masks in found if course.dense}
    for course, masks in found:
        final, initial = masks[course.end], masks[0]
        for iteration, mask in masks.items():
            known: Row = {"replicate": course.replicate, "draw": max(course.draw, 0), "iteration": iteration}
            known["of"] = DENSE if course.dense else TWIN
            yield from overlap(network, mask, final, {**known, "quantity": "end of training"})
            yield from overlap(network, mask, initial, {**known, "quantity": "initial magnitude"})
            if not course.dense and iteration in starts[course.replicate]:
                yield from overlap(network, mask, starts[course.replicate][iteration], {**known, "quantity": SAME})
            for other, theirs in starts.items() if course.dense else ():
                if other != course.replicate and iteration in theirs:
                    yield from overlap(network, mask, theirs[iteration], {**known, "quantity": ANOTHER, "other": other})
        if course.dense:
            yield from early_bird(network, masks, course)


def early_bird(network: Network, masks: Mapping[int, Mask], course: Course) -> Iterator[Row]:
    """By snapshot how far its mask is from those before it, and when all of these were near for the first time."""
    grid = equal_steps(sorted(masks))
    found: dict[str, float] = {}
    for place, iteration in enumerate(grid):
        before = grid[max(0, place - LOOKS_BACK) : place]
        for name in network.weight_names():
            far = max((float((masks[iteration][name] != masks[each][name]).mean()) for each in before), default=np.nan)
            if len(before) == LOOKS_BACK and far <= SETTLED:
                found.setdefault(name, iteration / course.end)
            told = {"quantity": "early-bird distance", "of": DENSE, "iteration": iteration, "value": far}
            yield {"replicate": course.replicate, "draw": 0, "layer": layer_of(network, name), **told}
    for name in network.weight_names():
        told = {"quantity": "early bird", "of": DENSE, "iteration": course.end, "value": found.get(name, 1.0)}
        yield {"replicate": course.replicate, "draw": 0, "layer": layer_of(network, name), **told}


def equal_steps(iterations: list[int]) -> list[int]:
    """The longest row of iterations from 0 to the last one at equal distances."""
    steps = sorted({iteration for iteration in iterations if iteration and iterations[-1] % iteration == 0})
    for step in steps:
        row = list(range(0, iterations[-1] + 1, step))
        if set(row) <= set(iterations):
            return row
    return [0, iterations[-1]]


def between_arms(network: Network, masks: Mapping[str, Mapping[int, Mask]], of: str) -> Iterator[Row]:
    """How alike an arm's masks are to those of each other arm, of the same replicate."""
    for other, by_replicate in masks.items():
        if other == of:
            continue
        for replicate, mask in masks[of].items():
            told = {"quantity": f"mask of {other}", "of": of, "replicate": replicate, "draw": 0}
            yield from overlap(network, mask, by_replicate[replicate], told)


def overlap(network: Network, one: Mask, other: Mask, told: Row) -> Iterator[Row]:
    """By layer: the share of one mask's weights that the other keeps, and what it would be by chance: the other's share
    of all weights.
    """
    for name in network.weight_names():
        kept = one[name] > 0
        share = float(other[name][kept].mean()) if kept.any() else np.nan
        chance = float(other[name].mean())
        values = {"value": share, "by_chance": chance, "over_chance": share / chance if chance else np.nan}
        yield {"draw": 0, **told, "layer": layer_of(network, name), **values}


def kept_weights(network: Network, mask: Mask, course: Course) -> Iterator[Row]:
    """Of the tickets' and of the other weights: how many keep their sign while the dense network trains, how far they
    move; and whether neighbouring pixels' weights survive together.
    """
    initial, trained = course.weights[0], course.weights[course.end]
    for name in network.weight_names():
        kept = mask[name] > 0
        same = np.sign(initial[name]) == np.sign(trained[name])
        moved = np.abs(trained[name] - initial[name])
        known = {"replicate": course.replicate, "draw": 0, "of": DESCRIBED_ARM, "layer": layer_of(network, name)}
        for quantity, values in (("sign kept", same), ("movement", moved)):
            inside, outside = (float(values[part].mean()) if part.any() else np.nan for part in (kept, ~kept))
            numbers = {"value": inside, "by_chance": outside, "over_chance": inside / outside if outside else np.nan}
            yield {**known, "quantity": quantity, "iteration": course.end, **numbers}
    first = network.layers[0]
    sides = int(np.sqrt(first.inputs))
    if not first.kernel and sides**2 == first.inputs:
        together = neighbours(mask[first.weight_name] > 0, sides)
        told = {"quantity": "neighbouring pixels", "of": DESCRIBED_ARM, "iteration": course.end, "layer": 1}
        yield {"replicate": course.replicate, "draw": 0, **told, "over_chance": together}


def neighbours(kept: NDArray, sides: int) -> float:
    """How much likelier units keep two neighbouring pixels together than any two pixels, each against how often the
    pixels are kept by themselves: 1 where being neighbours tells nothing (after Pellegrini & Biroli, 2104.13343).

    kept: bool [units, sides * sides]. That some pixels, and some units, keep more links than others cancels.
    """
    kept = kept.astype(float)
    rates = kept.mean(axis=0)
    place = np.arange(sides * sides).reshape(sides, sides)
    pairs = [(place[:, :-1], place[:, 1:]), (place[:-1], place[1:])]
    one, other = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    beside = (kept[:, one] * kept[:, other]).mean(axis=0).sum() / (rates[one] * rates[other]).sum()
    links = kept.sum(axis=1)
    all_pairs = (links**2 - links).mean() / (rates.sum() ** 2 - (rates**2).sum())
    return float(beside / all_pairs)


def layer_of(network: Network, name: str) -> int:
    """A layer's number, from 1."""
    return network.weight_names().index(name) + 1


def read_courses(run: Path, name: str, settings: Settings, group: Replicates) -> Iterator[Course]:
    """The trainings of whole networks of a group of replicates: dense (draw -1), and twins with other batches."""
    experiment, network = settings.experiments[name], network_of(settings.experiments[name])
    for arm_name in whole_arms(experiment):
        job = Job(settings, Place(name, group, arm_name, 0))
        count = len(job.members)
        moments = {0: read_parameters(job.path(run, "start"), network, count)}
        for iteration in job.snapshots:
            moments[iteration] = read_snapshot(job.path(run, "snapshots"), iteration, network, count)
        moments[job.training.iterations] = read_parameters(job.path(run, "trained"), network, count)
        for index, member in enumerate(job.members):
            draw = -1 if arm_name == DENSE else member.draw
            weights = {iteration: of_member(arrays, index) for iteration, arrays in moments.items()}
            yield Course(member.replicate, draw, weights)


def read_masks(
    run: Path, name: str, settings: Settings, group: Replicates, arm_name: str, level: int
) -> Iterator[tuple[int, Arrays]]:
    """The masks of an arm, by replicate."""
    job = Job(settings, Place(name, group, arm_name, level))
    masks = read_mask(job.path(run, "mask"), job.network, len(job.members))
    for index, member in enumerate(job.members):
        if member.draw == 0:
            yield member.replicate, of_member(masks, index)
