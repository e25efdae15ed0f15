"""How many weights each layer keeps at each level."""

import math

from lottery.errors import LotteryError
from lottery.networks import Network
from lottery.settings import Pruning

Counts = dict[str, int]
"""Weights kept, by the name of the weight array."""


def rates(network: Network, pruning: Pruning) -> dict[str, float]:
    """The share that one pruning removes from each layer's weights, by the name of the weight array."""
    of_role = {"dense": pruning.dense_rate, "output": pruning.output_rate}
    return {layer.weight_name: of_role[layer.role] for layer in network.layers}


def dense_counts(network: Network) -> Counts:
    """All weights of each layer."""
    return {layer.weight_name: layer.weights for layer in network.layers}


def removed(count: int, rate: float) -> int:
    """The number nearest to `rate * count`, a half rounded up."""
    return math.floor(rate * count + 0.5)


def ladder(network: Network, pruning: Pruning, level: int) -> Counts:
    """Weights kept after `level` prunings, each of which takes its share of what the last one left (section 1.3)."""
    share = rates(network, pruning)
    counts = dense_counts(network)
    for _ in range(level):
        counts = {name: count - removed(count, share[name]) for name, count in counts.items()}
    return counts


def linear_ladder(network: Network, pruning: Pruning, level: int) -> Counts:
    """Weights kept when one pruning takes `level` times `linear_step` of each hidden layer (axis of Figure 4c).

    The output layer gives in proportion of its rate. Raises LotteryError when nothing would be left.
    """
    amount = level * pruning.linear_step
    share = {name: amount * rate / pruning.dense_rate for name, rate in rates(network, pruning).items()}
    if max(share.values()) >= 1:
        raise LotteryError(f"linear level {level}: {level} x {pruning.linear_step} of a layer leaves no weight")
    return {name: count - removed(count, share[name]) for name, count in dense_counts(network).items()}


def remaining(network: Network, counts: Counts) -> float:
    """The fraction of weights remaining, in [0, 1]."""
    return sum(counts.values()) / network.weights
