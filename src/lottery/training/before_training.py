"""Scores of weights that were never trained: gradient flow (GraSP) and synaptic flow (SynFlow), both in float64.

What Frankle et al. (2009.08576) compare; their third, SNIP, is `scores.sensitivity` of untrained weights.
"""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from lottery.arms.operations import prune
from lottery.arrays import Arrays, of_member, stack
from lottery.datasets.images import Part
from lottery.networks import Network
from lottery.pruning.allocation import Counts
from lottery.settings import Training
from lottery.training.torch_engine import Engine, TorchImages
from lottery.training.torch_network import TorchNetwork

TEMPERATURE = 200
"""What outputs are divided by before GraSP's cross-entropy, as in its authors' code."""

AT_ONCE = 100
"""Images whose part of the gradient flow is computed at once; their sum is that of all."""

STEPS = 100
"""Prunings of SynFlow, each of the same share of what is left (Tanaka et al., algorithm 1)."""

PLAIN = {"precision": "float64", "autocast": False, "tf32": False, "compile": False, "graphs": False}
"""Changes of a recipe that let PyTorch compute exactly what the formulas say."""


def gradient_flow(
    network: Network,
    weights: Arrays,
    mask: Arrays | None,
    images: Mapping[Part, TorchImages],
    rows: NDArray,
    recipe: Training,
) -> Arrays:
    """GraSP's score with the other sign, so that the largest stay: w (Hg) of every weight, float32 [1, *shape].

    g and H are gradient and Hessian, by the prunable weights that are left, of the mean cross-entropy of the training
    images at `rows`, outputs divided by TEMPERATURE. To first order, setting a weight to 0 changes |g|^2 by -2 w (Hg)
    (Wang et al., 2002.07376). weights: float32 [1, *shape] of every parameter; mask: uint8 [1, *shape], None when all
    survive.
    """
    engine = Engine(network, weights, mask, [images], recipe.model_copy(update=PLAIN))
    with engine.in_stream():
        train = engine.images["train"]
        parameters = [engine.networks.weights[name] for name in network.weight_names()]

        def loss(part: NDArray) -> torch.Tensor:
            chosen = train.rows[:, torch.tensor(part, device=train.rows.device)]
            outputs = engine.networks.logits(train.pixels[chosen], []).flatten(0, 1) / TEMPERATURE
            total = torch.nn.functional.cross_entropy(outputs, train.labels_at(chosen).flatten(), reduction="sum")
            return total / len(rows)

        parts = [rows[first : first + AT_ONCE] for first in range(0, len(rows), AT_ONCE)]
        gradient = [torch.zeros_like(each) for each in parameters]
        for part in parts:
            for total, each in zip(gradient, torch.autograd.grad(loss(part), parameters), strict=True):
                total += each
        for total, kept in zip(gradient, engine.masks, strict=bool(mask)):
            total *= kept
        products = [torch.zeros_like(each) for each in parameters]
        for part in parts:
            own = torch.autograd.grad(loss(part), parameters, create_graph=True)
            along = torch.stack([(fixed * each).sum() for fixed, each in zip(gradient, own, strict=True)]).sum()
            for total, each in zip(products, torch.autograd.grad(along, parameters), strict=True):
                total += each
        scores = (each.detach() * product for each, product in zip(parameters, products, strict=True))
        arrays = (each.float().cpu().numpy().copy(order="C") for each in scores)
        return dict(zip(network.weight_names(), arrays, strict=True))


def synaptic_flow(
    network: Network, weights: Arrays, mask: Arrays | None, counts: Counts, recipe: Training, *, inverted: bool = False
) -> Arrays:
    """Scores whose largest are the weights that SynFlow keeps (of an inverted pruning the smallest), float32
    [1, *shape].

    In STEPS prunings, each of which leaves the same share of the weights that it finds, those of least flow go. One
    that is there at the last has its share of the flow as its score, in [0, 1]; one that went before has -1, or 2
    where the largest go. weights: float32 [1, *shape] of every parameter; mask: uint8 [1, *shape], None when all
    survive; counts: weights to be kept in the end.
    """
    names = network.weight_names()
    left = of_member(mask, 0) if mask else {name: np.ones(weights[name].shape[1:], np.uint8) for name in names}
    sizes = {group: sum(int(left[name].sum()) for name in group) for group in counts}
    for step in range(1, STEPS + 1):
        shares = of_member(shares_of_flow(network, weights, stack([left]), recipe), 0)
        if step < STEPS:
            kept = {group: on_the_way(sizes[group], count, step) for group, count in counts.items()}
            left = prune({name: -each for name, each in shares.items()} if inverted else shares, left, kept)
    gone = 2.0 if inverted else -1.0
    return stack([{name: np.where(left[name], shares[name], gone).astype(np.float32) for name in names}])


def on_the_way(size: int, count: int, step: int) -> int:
    """Weights left of `size` after so many of STEPS prunings of equal shares, of which the last leaves `count`."""
    return math.floor(size * (count / size) ** (step / STEPS) + 0.5)


def shares_of_flow(network: Network, weights: Arrays, mask: Arrays, recipe: Training) -> Arrays:
    """The share of the flow from inputs to outputs that goes through each weight: |w| dR/d|w| / R, float64 [1, *shape].

    R is the sum of the outputs for an input of ones when every parameter is its absolute value (Tanaka et al.,
    2006.05467). Without biases the shares of a layer add up to 1, as what flows through each layer is all of R. They
    are 0 where no path is left. Batch normalisation is as in evaluation. weights: float32 [1, *shape] of every
    parameter; mask: uint8 [1, *shape] of every weight.
    """
    plain = recipe.model_copy(update=PLAIN | {"input_scaling": "unit", "dropout": 0.0})
    sized = {name: np.abs(values) * mask.get(name, 1) for name, values in weights.items()}
    inputs = math.prod(network.image_shape)
    moments = torch.zeros(inputs, device=plain.device), torch.ones(inputs, device=plain.device)
    networks = TorchNetwork(network, sized, plain, moments)
    white = torch.full((1, 1, inputs), 255, dtype=torch.uint8, device=plain.device)  # 1 as `unit` scales it
    flow = networks.logits(white).sum()
    parameters = [networks.weights[name] for name in network.weight_names()]
    gradients = torch.autograd.grad(flow, parameters)
    total = float(flow.detach()) or 1.0
    return {
        name: (parameter * gradient / total).detach().cpu().numpy().copy(order="C")
        for name, parameter, gradient in zip(network.weight_names(), parameters, gradients, strict=True)
    }
