"""Which weights are in a ticket (paper, Appendix F): their initial values, how far they move, which units they connect.

Of fully connected networks and tickets found by iterative pruning.
"""

import math
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lottery.analysis.experiment import nearest_size
from lottery.analysis.pixels import pixel_rows
from lottery.analysis.tables import LAYERS, OF_TICKETS
from lottery.arms.places import DENSE, Place
from lottery.arrays.weights import read_mask, read_parameters
from lottery.datasets.catalog import source
from lottery.networks import Network
from lottery.runs.jobs import Job, network_of
from lottery.runs.listing import DESCRIBED_ARM, described, groups_of, levels_of
from lottery.settings import Settings

QUANTITIES = {
    "initial": [100, 41.05, 16.88, 6.95],
    "movement": [16.88],
    "magnitude_gain": [16.88],
    "incoming": [41.05, 16.88, 6.95],
    "outgoing": [41.05, 16.88, 6.95],
}
"""What is drawn, and at which percent of weights remaining, as in the paper, or of the smallest ticket where none of
these was trained: initial values; |trained - initial| and
|trained| - |initial| of the dense network's weights; the kept shares of units' incoming and outgoing links.
"""

Weights = dict[str, NDArray]
"""[replicates, outputs, inputs] of every layer."""

MOST_BINS = 100
DIGITS = 6


def describe(run: Path, settings: Settings) -> dict[str, pd.DataFrame]:
    """The tables OF_TICKETS of a run, by name. Raises LotteryError naming a file that is not as it should.

    run: the folder `results/<run>`.
    """
    found: dict[str, list[pd.DataFrame]] = {name: [pd.DataFrame(columns=OF_TICKETS[name])] for name in OF_TICKETS}
    for experiment in described(settings):
        dense, tickets = read_tickets(run, experiment, settings)
        network, data = network_of(settings.experiments[experiment]), source(settings.experiments[experiment].dataset)
        first = {level: masks[network.weight_names()[0]] for level, masks in tickets.items()}
        own = {
            "layers": layer_rows(network, dense, tickets),
            "distributions": distribution_rows(network, dense, tickets),
            "pixels": pixel_rows(data.image_shape, first, percents_of(tickets)),
        }
        for name, rows in own.items():
            found[name].append(rows.assign(experiment=experiment))
    return {name: pd.concat(tables[1:] or tables)[OF_TICKETS[name]] for name, tables in found.items()}


def percents_of(tickets: dict[int, Weights]) -> dict[float, int]:
    """Levels by their percent of weights remaining."""
    return {100 * remaining(masks, 0): level for level, masks in tickets.items()}


class Dense:
    """The dense networks of all replicates before and after training."""

    def __init__(self, initial: Weights, trained: Weights) -> None:
        self.initial = initial
        self.movement = {name: np.abs(trained[name] - values) for name, values in initial.items()}
        self.gain = {name: np.abs(trained[name]) - np.abs(values) for name, values in initial.items()}


def read_tickets(run: Path, name: str, settings: Settings) -> tuple[Dense, dict[int, Weights]]:
    """The dense networks, and the masks (bool) of every level; level 0 keeps all."""
    experiment = settings.experiments[name]
    network, levels = network_of(experiment), levels_of(experiment, DESCRIBED_ARM)
    starts, ends, pruned = [], [], []
    for replicates in groups_of(experiment):
        dense = Job(settings, Place(name, replicates, DENSE, 0))
        tickets = {level: dense.at(dense.place.at(DESCRIBED_ARM, level)) for level in levels}
        starts.append(read_parameters(dense.path(run, "start"), network, len(replicates)))
        ends.append(read_parameters(dense.path(run, "trained"), network, len(replicates)))
        pruned.append(
            {level: read_mask(job.path(run, "mask"), network, len(replicates)) for level, job in tickets.items()}
        )

    def joined(parts: list[Weights]) -> Weights:
        return {key: np.concatenate([part[key] for part in parts]) for key in network.weight_names()}

    first = joined(starts)
    kept = {0: {key: np.ones(values.shape, bool) for key, values in first.items()}}
    for level in levels:
        masks = joined([each[level] for each in pruned])
        kept[level] = {key: values > 0 for key, values in masks.items()}
    return Dense(first, joined(ends)), kept


def layer_rows(network: Network, dense: Dense, tickets: dict[int, Weights]) -> pd.DataFrame:
    """Rows of layers.csv without the experiment."""
    rows = []
    for level, masks in tickets.items():
        for number, name in enumerate(network.weight_names(), start=1):
            for replicate, kept in enumerate(masks[name]):
                initial, movement, grew = (
                    values[name][replicate] for values in (dense.initial, dense.movement, dense.gain)
                )
                grew = grew > 0
                row = {
                    "replicate": replicate,
                    "level": level,
                    "weights_remaining": remaining(masks, replicate),
                    "layer": number,
                    "weights": int(kept.sum()),
                    "near_zero": mean(np.abs(initial[kept]) < initial.std() / 2),
                    "positive": mean(initial[kept] > 0),
                    "grew": mean(grew[kept]),
                }
                if level:
                    row |= {
                        "movement_ratio": over(mean(movement[kept]), mean(movement[~kept])),
                        "grew_rest": mean(grew[~kept]),
                        "incoming_sd": kept.mean(axis=1).std(),
                        "incoming_sd_by_chance": by_chance(kept.mean(), kept.shape[1]),
                        "outgoing_sd": kept.mean(axis=0).std(),
                        "outgoing_sd_by_chance": by_chance(kept.mean(), kept.shape[0]),
                    }
                rows.append(row)
    return pd.DataFrame(rows, columns=[column for column in LAYERS if column != "experiment"])


def distribution_rows(network: Network, dense: Dense, tickets: dict[int, Weights]) -> pd.DataFrame:
    """Rows of distributions.csv without the experiment."""
    percents = percents_of(tickets)
    histograms = []
    for quantity in QUANTITIES:
        for percent in sizes_of(quantity, percents):
            level = percents[percent]
            for number, name in enumerate(network.weight_names(), start=1):
                for kept, values, edges in samples(quantity, dense, name, tickets[level][name]):
                    known = {"quantity": quantity, "level": level, "weights_remaining": percent / 100}
                    histograms.append(histogram(values, edges).assign(**known, layer=number, kept=kept))
    return pd.concat(histograms, ignore_index=True)


def sizes_of(quantity: str, percents: Collection[float]) -> list[float]:
    """At which of the trained sizes, in percent of weights remaining, a quantity has histograms; the largest first."""
    trained = [nearest_size(percents, size) for size in QUANTITIES[quantity]]
    return [size for size in trained if size is not None] or [min(percents)]


def samples(quantity: str, dense: Dense, name: str, kept: NDArray) -> Iterator[tuple[int, NDArray, NDArray]]:
    """The numbers of a layer to make histograms of, over all replicates, and the edges of their bins."""
    if quantity == "initial":
        initial = dense.initial[name]
        yield 1, initial[kept], np.linspace(-4, 4, bins(kept.sum()) + 1) * float(initial.std(dtype=float))
    elif quantity in ("movement", "magnitude_gain"):
        values = dense.movement[name] if quantity == "movement" else dense.gain[name]
        low, high = np.quantile(values, [0.002, 0.998])
        edges = np.linspace(0.0 if quantity == "movement" else low, high, bins(kept.sum()) + 1)
        yield 1, values[kept], edges
        yield 0, values[~kept], edges
    else:
        links = 2 if quantity == "incoming" else 1
        yield 1, kept.mean(axis=links).ravel(), edges_of_shares(kept.shape[links])


def bins(count: int) -> int:
    """How many bins a histogram of so many numbers has: twice their cube root (Rice's rule), from 1 to a limit."""
    return max(1, min(MOST_BINS, math.ceil(2 * count ** (1 / 3))))


def edges_of_shares(count: int) -> NDArray:
    """Edges of at most 50 bins, or a few more, of the shares 0, 1 / count, ..., 1: as many of these in each of them."""
    in_each = max(1, round(count / 50))
    return (np.arange(0, count + 1 + in_each, in_each) - 0.5) / count


def histogram(values: NDArray, edges: NDArray) -> pd.DataFrame:
    """Densities, so that the area over all numbers, those beyond the edges too, is 1; NaN where there is no area."""
    counts, _ = np.histogram(values, edges)
    area = values.size * np.diff(edges)
    density = np.divide(counts, area, out=np.full(counts.shape, np.nan), where=area > 0)
    table = {"low": edges[:-1], "high": edges[1:], "density": density}
    return pd.DataFrame(table).map(lambda number: float(f"{number:.{DIGITS}g}"))


def mean(values: NDArray) -> float:
    """NaN for none."""
    return float(values.mean(dtype=float)) if values.size else np.nan


def over(above: float, below: float) -> float:
    """A ratio; NaN where its denominator is 0: there is none."""
    return above / below if below else np.nan


def remaining(masks: Weights, replicate: int) -> float:
    """The share of a network's weights that masks keep."""
    kept = sum(int(mask[replicate].sum()) for mask in masks.values())
    return kept / sum(mask[replicate].size for mask in masks.values())


def by_chance(share: float, links: int) -> float:
    """Standard deviation of the share of so many links that are kept, each with this probability."""
    return math.sqrt(share * (1 - share) / links)
