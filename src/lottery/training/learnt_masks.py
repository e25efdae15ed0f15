"""Masks that are learnt while the weights stay as they are: Zhou et al.'s supermasks, and edge-popup.

Each weight has a score; an update draws a mask from the scores, and moves each score along the gradient that its entry
of the mask has, straight through the choice. The scores are learnt on the batches of the recipe, for as many updates.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from lottery.arrays import Arrays
from lottery.datasets.images import Part
from lottery.errors import LotteryError
from lottery.networks import Network
from lottery.pruning.allocation import Counts
from lottery.settings import Training
from lottery.training.loop import MemberData
from lottery.training.torch_engine import Engine, TorchImages, cut_out


@dataclass(frozen=True)
class Drawn:
    """A mask, and what its gradient is multiplied by to be that of the scores; both [weights], of a group of layers."""

    mask: Tensor
    slope: Tensor


@dataclass(frozen=True)
class Learner:
    """A way to learn scores, by stochastic gradient descent with momentum.

    first: the scores at first, from the number of inputs of each weight's unit, [weights], the share of the weights to
    keep and a generator; draw: from scores, the number of weights to keep and a generator to a mask; kept: from the
    learnt scores to what is largest for the weights that are kept in the end. cosine: whether the rate falls to 0 along
    half a cosine.
    """

    first: Callable[[Tensor, float, Generator], Tensor]
    draw: Callable[[Tensor, int, Generator], Drawn]
    kept: Callable[[Tensor], Tensor]
    rate: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    cosine: bool = False

    def rate_at(self, update: int, updates: int) -> float:
        """The step size of an update, counted from 0."""
        return self.rate * (0.5 * (1 + math.cos(math.pi * update / updates)) if self.cosine else 1.0)


def all_alike(inputs: Tensor, share: float, _: Generator) -> Tensor:
    """Every weight is there with the probability that so many are kept."""
    return torch.full_like(inputs, math.log(share / (1 - share)))


def drawn_at_random(scores: Tensor, _: int, random: Generator) -> Drawn:
    """Each weight by itself, with the probability sigmoid(score)."""
    probabilities = torch.sigmoid(scores)
    drawn = torch.rand(scores.shape, generator=random, device=scores.device) < probabilities
    return Drawn(drawn.to(scores.dtype), probabilities * (1 - probabilities))


def uniform(inputs: Tensor, _: float, random: Generator) -> Tensor:
    """Uniform up to 1 / sqrt(inputs of the unit), PyTorch's own for a layer's weights."""
    drawn = torch.rand(inputs.shape, generator=random, device=inputs.device, dtype=inputs.dtype)
    return (2 * drawn - 1) / inputs.sqrt()


def largest(scores: Tensor, count: int, _: Generator) -> Drawn:
    """The weights of the largest |score|."""
    sizes = scores.abs()
    least = sizes.kthvalue(len(sizes) - count + 1).values if count else math.inf
    return Drawn((sizes >= least).to(scores.dtype), scores.sign())


SUPERMASK = Learner(all_alike, drawn_at_random, torch.clone, rate=100.0)
"""Zhou et al. (1905.01067): masks are drawn at random while scores are learnt, with their rate and momentum. They start
from a probability of a half and draw masks to the end; here it starts from the share of the weights that is kept in the
end, and then the most probable weights stay, exactly so many.
"""

EDGE_POPUP = Learner(uniform, largest, torch.abs, rate=0.1, weight_decay=1e-4, cosine=True)
"""Ramanujan et al. (1911.13299), with the scores' distribution, rate, momentum and weight decay of their code for small
networks.
"""


def learnt_scores(
    learner: Learner,
    network: Network,
    weights: Arrays,
    images: Mapping[Part, TorchImages],
    data: MemberData,
    recipe: Training,
    counts: Counts,
    seed: int,
) -> Arrays:
    """Scores of which the largest are the weights to keep, float32 [1, *shape] of every weight array.

    weights: float32 [1, *shape] of every parameter, which stay as they are; data: the batches; recipe: whose number of
    updates, batch size, images and dropout are those of the learning; counts: how many weights of each group are kept.
    Raises LotteryError where the scores stop being numbers.
    """
    plain = recipe.model_copy(update={"graphs": False, "compile": False})
    engine = Engine(network, weights, None, [images], plain)
    with engine.in_stream():
        random = Generator(recipe.device).manual_seed(seed)
        fixed = {name: engine.networks.weights[name].detach().clone() for name in network.weight_names()}
        fan_in = {
            layer.weight_name: torch.full_like(fixed[layer.weight_name], math.prod(layer.shape[1:])).flatten()
            for layer in network.layers
        }
        sizes = {group: sum(fixed[name].numel() for name in group) for group in counts}
        scores = {
            group: learner.first(torch.cat([fan_in[name] for name in group]), count / sizes[group], random)
            for group, count in counts.items()
            if count < sizes[group]
        }
        momenta = {group: torch.zeros_like(each) for group, each in scores.items()}
        for update in range(recipe.iterations):
            drawn = {group: learner.draw(each, counts[group], random) for group, each in scores.items()}
            masks = {
                name: part for group, each in drawn.items() for name, part in parts(each.mask, group, fixed).items()
            }
            shown = {name: (fixed[name] * mask).requires_grad_() for name, mask in masks.items()}
            engine.networks.weights.update(shown)
            gradients = dict(
                zip(shown, torch.autograd.grad(loss(engine, data, update), list(shown.values())), strict=True)
            )
            rate = learner.rate_at(update, recipe.iterations)
            for group, each in scores.items():
                of_mask = torch.cat([(gradients[name] * fixed[name]).flatten() for name in group])
                step = of_mask * drawn[group].slope + learner.weight_decay * each
                momenta[group].mul_(learner.momentum).add_(step)
                each.sub_(rate * momenta[group])
        found = {
            name: part.float().cpu().numpy().copy(order="C")
            for group, each in scores.items()
            for name, part in parts(learner.kept(each), group, fixed).items()
        }
    if not all(np.isfinite(values).all() for values in found.values()):
        raise LotteryError("the scores of the mask stopped being numbers while they were learnt")
    return {name: found.get(name, np.ones(fixed[name].shape, np.float32)) for name in network.weight_names()}


def loss(engine: Engine, data: MemberData, update: int) -> Tensor:
    """The mean loss of an update's batch."""
    train, device = engine.images["train"], engine.recipe.device
    batch = train.rows.gather(1, torch.tensor(data.batches(update, update + 1), device=device))
    pixels = train.pixels[batch.flatten()]
    if data.views:
        views = torch.tensor(data.views(update, update + 1)[0], device=device)
        pixels = cut_out(pixels.view(-1, *engine.networks.network.image_shape), views)
    if data.noise:
        engine.noise[0].manual_seed(data.noise(update))
    return engine.losses(pixels.reshape(*batch.shape, -1), train.labels_at(batch)).mean()


def parts(values: Tensor, group: tuple[str, ...], like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Values [weights] of a group of weight arrays as these arrays, of the shapes of `like`."""
    split = torch.split(values, [like[name].numel() for name in group])
    return {name: part.view(like[name].shape) for name, part in zip(group, split, strict=True)}
