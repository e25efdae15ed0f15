"""How many weights stay at each level: of each layer, or of all layers that compete with one another."""

import math

from lottery.errors import LotteryError, suggest
from lottery.networks import Layer, Network
from lottery.settings import Pruning

Group = tuple[str, ...]
"""Names of the weight arrays that compete: the largest scores of all of them stay."""

Counts = dict[Group, int]
"""Weights kept by each group. Every weight array is in one group."""


def groups(network: Network, pruning: Pruning) -> dict[Group, float]:
    """The groups of a network's weight arrays, and the share that one pruning removes from each.

    With `scope: layer` each layer is a group of its own (paper, section 2), with `scope: global` all are one but those
    excluded (section 4, App. I).
    """
    alone = [layer for layer in network.layers if pruning.scope == "layer" or excluded(layer, pruning)]
    together = tuple(layer.weight_name for layer in network.layers if layer not in alone)
    shares = {(layer.weight_name,): share(layer, pruning) for layer in alone}
    return shares | ({together: pruning.global_rate} if together else {})


def share(layer: Layer, pruning: Pruning) -> float:
    """The share that one pruning removes from a layer that is a group of its own."""
    of_role = {
        "conv": pruning.conv_rate,
        "shortcut": pruning.conv_rate,
        "dense": pruning.dense_rate,
        "output": pruning.output_rate,
    }
    return 0.0 if excluded(layer, pruning) else of_role[layer.role]


def excluded(layer: Layer, pruning: Pruning) -> bool:
    """Whether the recipe never prunes a layer."""
    return layer.role in pruning.excluded_layers or layer.name in pruning.excluded_layers


def check_excluded(network: Network, pruning: Pruning) -> None:
    """Raise LotteryError, beginning with the key, for an excluded layer that is not there, or when all are excluded."""
    known = {layer.role for layer in network.layers} | {layer.name for layer in network.layers}
    for name in pruning.excluded_layers:
        if name not in known:
            raise LotteryError(f"excluded_layers: no layer is called {name!r}{suggest(name, known)}")
    if all(excluded(layer, pruning) for layer in network.layers):
        raise LotteryError("excluded_layers: no layer is left to prune")


def dense_counts(network: Network, pruning: Pruning) -> Counts:
    """All weights of each group."""
    sizes = {layer.weight_name: layer.weights for layer in network.layers}
    return {group: sum(sizes[name] for name in group) for group in groups(network, pruning)}


def removed(count: int, rate: float) -> int:
    """The number nearest to `rate * count`, a half rounded up."""
    return math.floor(rate * count + 0.5)


def ladder(network: Network, pruning: Pruning, level: int) -> Counts:
    """Weights kept after `level` prunings, each of which takes its share of what the last one left (section 1.3)."""
    rates = groups(network, pruning)
    counts = dense_counts(network, pruning)
    for _ in range(level):
        counts = {group: count - removed(count, rates[group]) for group, count in counts.items()}
    return counts


def linear_ladder(network: Network, pruning: Pruning, level: int) -> Counts:
    """Weights kept when one pruning takes `level` times `linear_step` of each hidden layer (axis of Figure 4c).

    A group of another rate gives in proportion of its rate, one with all layers `linear_step` itself. Raises
    LotteryError when nothing would be left.
    """
    amount, rates = level * pruning.linear_step, groups(network, pruning)
    full = pruning.dense_rate if pruning.scope == "layer" else pruning.global_rate
    shares = {group: amount * rate / full for group, rate in rates.items()}
    if max(shares.values()) >= 1:
        raise LotteryError(f"linear level {level}: {level} x {pruning.linear_step} of a layer leaves no weight")
    return {group: count - removed(count, shares[group]) for group, count in dense_counts(network, pruning).items()}


def remaining(network: Network, counts: Counts) -> float:
    """The fraction of weights remaining, in [0, 1]."""
    return sum(counts.values()) / network.weights
