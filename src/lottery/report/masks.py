"""What the report's mask explorer shows: masks as packed bits, and how alike they are from level to level."""

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lottery.arms.lineage import arm
from lottery.arms.masks import Borrowed
from lottery.arms.places import Place
from lottery.arrays.weights import read_mask
from lottery.datasets.catalog import source
from lottery.networks import Network
from lottery.runs.jobs import Job, network_of
from lottery.runs.listing import groups_of, levels_of
from lottery.settings import Experiment, Settings

MOST_BYTES = 5_000_000
"""Of all masks in a page, as text: half of what the page may weigh."""

Masks = dict[str, NDArray]
"""bool [replicates, *shape] of every layer's weights."""


def explorer(run: Path, settings: Settings, most_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """The experiments of fully connected networks, with their masks and what is told of them, ready for JSON.

    run: the folder `results/<run>`. `left_out` says in words what is missing: masks that the run let go, and those of
    the last replicates where all would be more than `most_bytes`. Raises LotteryError naming a file that is not as it
    should be.
    """
    room, experiments, left_out = most_bytes, [], []
    for name in settings.run_experiments:
        experiment = settings.experiments[name]
        network = network_of(experiment)
        if not network.fully_connected:
            continue
        arms = []
        for arm_name in arms_with_own_masks(experiment):
            read = dict(read_levels_of(run, settings, name, arm_name))
            if missing := [level for level in levels_of(experiment, arm_name) if level not in read]:
                left_out.append(f"{name}: {arm_name} at level {in_words(missing)}, of which the run keeps no masks")
            told = [*levels_told(network, read)]
            for replicate in range(experiment.replicates):
                packed = [packed_bits(network, masks, replicate) for masks in read.values()]
                room -= sum(map(len, packed))
                if room < 0:
                    late = [*range(replicate, experiment.replicates)]
                    left_out.append(f"{name}: {arm_name}, replicate {in_words(late)}, for want of room in this page")
                    break
                for level, text in zip(told, packed, strict=True):
                    level["masks"].append(text)
            room = max(room, 0)
            if told and told[0]["masks"]:
                arms.append({"name": arm_name, "levels": told})
        if arms:
            layers = [{"name": each.name, "outputs": each.outputs, "inputs": each.inputs} for each in network.layers]
            shape = source(experiment.dataset).image_shape
            experiments.append({"name": name, "image_shape": [*shape], "layers": layers, "arms": arms})
    return {"experiments": experiments, "left_out": left_out}


def arms_with_own_masks(experiment: Experiment) -> list[str]:
    """The arms of an experiment that have masks which no other arm of it has."""
    names = [chosen.arm for chosen in experiment.arms]
    rows = [arm(name) for name in names]
    return [row.name for row in rows if row.masked and not (type(row.mask) is Borrowed and row.mask.arm in names)]


def read_levels_of(run: Path, settings: Settings, name: str, arm_name: str) -> Iterator[tuple[int, Masks]]:
    """The masks of an arm by level, of several draws the first; none of a level whose files were let go."""
    experiment = settings.experiments[name]
    for level in levels_of(experiment, arm_name):
        jobs = [Job(settings, Place(name, group, arm_name, level)) for group in groups_of(experiment)]
        if all(job.path(run, "mask").exists() for job in jobs):
            parts = [read_mask(job.path(run, "mask"), job.network, len(job.members)) for job in jobs]
            draws = jobs[0].draws
            names = jobs[0].network.weight_names()
            yield level, {each: np.concatenate([part[each][::draws] for part in parts]) > 0 for each in names}


def levels_told(network: Network, read: Mapping[int, Masks]) -> Iterator[dict[str, Any]]:
    """By level what is told of each layer's masks, means over replicates; `masks` is empty."""
    before: tuple[int, Masks | None] = (0, None)
    for level, masks in read.items():
        earlier: Masks = before[1] or {}
        layers = [layer_told(masks[each], earlier.get(each)) for each in network.weight_names()]
        kept = sum(float(masks[each].sum() / len(masks[each])) for each in network.weight_names()) / network.weights
        yield {"level": level, "before": before[0], "remaining": kept, "layers": layers, "masks": []}
        before = level, masks


def layer_told(kept: NDArray, before: NDArray | None) -> dict[str, float | None]:
    """Of a layer's masks: weights kept; the share of the level before's that stayed; and the share of one replicate's
    that another keeps too, with what both would be by chance, the share of all that are kept. Means over replicates.

    kept, before: bool [replicates, outputs, inputs]; before of the dense network is None: all. An overlap of one
    replicate, and a share of no weights, is None.
    """
    flat = kept.reshape(len(kept), -1)
    earlier = np.ones_like(flat) if before is None else before.reshape(len(before), -1)
    stayed = mean_of_shares((flat & earlier).sum(1), earlier.sum(1))
    pairs = [(one, other) for one in range(len(flat)) for other in range(len(flat)) if one != other]
    shared = np.array([(flat[one] & flat[other]).sum() for one, other in pairs])
    overlap = mean_of_shares(shared, np.array([flat[one].sum() for one, _ in pairs]))
    return {"kept": float(flat.sum(1).mean()), "stayed": stayed, "overlap": overlap, "by_chance": float(flat.mean())}


def mean_of_shares(part: NDArray, whole: NDArray) -> float | None:
    """The mean of part / whole where there is a whole."""
    there = whole > 0
    return float((part[there] / whole[there]).mean()) if there.any() else None


def packed_bits(network: Network, masks: Masks, replicate: int) -> str:
    """One replicate's masks of all layers, one after the other: a bit for each weight, the first the highest of its
    byte, compressed (zlib) and written in base64.
    """
    bits = np.concatenate([masks[each][replicate].ravel() for each in network.weight_names()])
    return base64.b64encode(zlib.compress(np.packbits(bits).tobytes(), 9)).decode()


def in_words(numbers: Sequence[int]) -> str:
    """Numbers that rise, as `3`, or `3 to 7`, or `3, 6, 9`."""
    if len(numbers) > 1 and list(numbers) == [*range(numbers[0], numbers[-1] + 1)]:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))
