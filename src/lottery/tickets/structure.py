"""What pruning leaves of the networks of a run, of any kind, layer by layer: weights, units, multiplications."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from lottery.arrays import Arrays, of_member
from lottery.networks import Network
from lottery.runs import files
from lottery.runs.jobs import Job
from lottery.tickets.compaction import compact
from lottery.tickets.steps import kept_multiplications

STRUCTURE = ["experiment", "arm", "level", "replicate", "draw", "layer", "weights", "weights_remaining"]
STRUCTURE += ["units", "units_without_inputs", "units_left", "multiplications", "multiplications_remaining"]
"""Columns of structure.csv, a row for each layer of each network with a mask.

weights: kept; units: outputs of a layer, of a convolution its channels. units_without_inputs: those that keep no
weight; units_left: those that still see the image and are seen by the outputs, at least one. multiplications: for one
image, of the weights that are kept. ..._remaining: shares of the dense layer's.
"""


def describe(run: Path, jobs: list[Job]) -> pd.DataFrame:
    """The table structure.csv of these jobs. run: the folder `results/<run>`."""
    rows = []
    for job in jobs:
        if not job.arm.masked:
            continue
        masks = files.mask(run, job)
        names = {"experiment": job.place.experiment, "arm": job.place.arm, "level": job.place.level}
        for index, member in enumerate(job.members):
            who = names | {"replicate": member.replicate, "draw": member.draw}
            rows += [who | row for row in layers(job.network, of_member(masks, index))]
    return pd.DataFrame(rows, columns=STRUCTURE)


def layers(network: Network, mask: Arrays) -> Iterator[dict[str, object]]:
    """The rows of one network. mask: uint8 [*shape] of every layer's weights."""
    left = living(network, mask)
    kept = {name: int(values.sum()) for name, values in mask.items()}
    dense = {layer.weight_name: layer.weights for layer in network.layers}
    found, whole = (kept_multiplications(network.steps, network.image_shape, each) for each in (kept, dense))
    for layer in network.layers:
        name = layer.weight_name
        silent = int((~mask[name].reshape(layer.outputs, -1).any(1)).sum())
        yield {
            "layer": layer.name,
            "weights": kept[name],
            "weights_remaining": kept[name] / layer.weights,
            "units": layer.outputs,
            "units_without_inputs": silent,
            "units_left": left[layer.name],
            "multiplications": found[name],
            "multiplications_remaining": found[name] / whole[name],
        }


def living(network: Network, mask: Arrays) -> dict[str, int]:
    """Units of each layer that see the image and are seen by the outputs, by the name of the layer.

    What compaction leaves of a network whose weights are the mask and whose biases are 0.
    """
    arrays = {name: np.zeros(shape, np.float32) for name, shape in network.shapes().items()}
    for name in arrays:
        if name.endswith(("running_var", ".weight")):
            arrays[name] = np.ones(arrays[name].shape, np.float32)
    return compact(network, arrays | {name: kept.astype(np.float32) for name, kept in mask.items()}).left
