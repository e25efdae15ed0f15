"""Matching the hidden units of two trained networks, and a mask with its units in the order so found.

Weight matching of Ainsworth et al. (2209.04836, section 3.2): of all orders of the second network's hidden units one is
sought that makes the sum of products of both networks' weights and biases as large as possible, which is least squares
between them. One layer's best order, with those of its neighbours as they are, is a linear assignment; layers take
turns until none gains. Adnan et al. (2505.05143) move masks so between starts (they match activations). Of fully
connected networks.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from lottery.arrays import Arrays
from lottery.networks import Network

MOST_ROUNDS = 100


def matched_units(ours: Mapping[str, NDArray], theirs: Mapping[str, NDArray], network: Network) -> list[NDArray]:
    """For each hidden layer int64 [units]: which unit of their network takes the place of each of ours.

    ours, theirs: float32 [*shape] of every parameter. Deterministic: it begins with the units as they are, and layers
    take turns from the first on.
    """
    layers = network.layers
    orders = [np.arange(layer.outputs) for layer in layers[:-1]]
    for _ in range(MOST_ROUNDS):
        gained = False
        for number, layer in enumerate(layers[:-1]):
            following = layers[number + 1]
            before = orders[number - 1] if number else slice(None)
            behind = orders[number + 1] if number + 1 < len(orders) else slice(None)
            alike = product(ours[layer.weight_name], theirs[layer.weight_name][:, before])
            alike += np.outer(ours[layer.bias_name], theirs[layer.bias_name])
            alike += product(ours[following.weight_name].T, theirs[following.weight_name][behind].T)
            _, best = linear_sum_assignment(alike, maximize=True)
            places = np.arange(layer.outputs)
            if alike[places, best].sum() > alike[places, orders[number]].sum() * (1 + 1e-9):
                orders[number], gained = best, True
        if not gained:
            break
    return orders


def product(ours: NDArray, theirs: NDArray) -> NDArray:
    """float64 [our units, their units]: sums of products over what both are linked to."""
    return ours.astype(float) @ theirs.astype(float).T


def in_order(mask: Mapping[str, NDArray], orders: list[NDArray], network: Network) -> Arrays:
    """A mask with its hidden units in these orders: as many weights in every layer, and the same links of each unit."""
    moved: Arrays = {}
    for number, layer in enumerate(network.layers):
        kept = mask[layer.weight_name]
        kept = kept[:, orders[number - 1]] if number else kept
        moved[layer.weight_name] = kept[orders[number]] if number < len(orders) else kept
    return moved
