"""Scores of weights that need images: |w dL/dw|, what removing a weight changes of the loss, to first order."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch
from numpy.typing import NDArray

from lottery.arrays import Arrays, of_member, stack, write_arrays
from lottery.datasets.images import Part, read_splits
from lottery.networks import Network
from lottery.runs.files import survivors, weights
from lottery.runs.jobs import Job
from lottery.settings import Training
from lottery.training import cards, torch_engine
from lottery.training.job import dataset_file
from lottery.training.torch_engine import Engine, TorchImages

SCORED_IMAGES = 1_000
"""Training images that scores are computed on, chosen anew for each replicate and level; all where there are fewer."""


def score(job: Job, run: Path) -> None:
    """Write the scores that a job's pruning reads, on a card of its own where the recipe wants one.

    run: the folder `results/<run>`.
    """
    shared = job.experiment.trainings_per_card
    with cards.own_card(cards.lock_folder(), shared) if job.training.device == "cuda" else nullcontext():
        write_arrays(job.path(run, "scores"), gradient_scores(job, run))


def gradient_scores(job: Job, run: Path) -> Arrays:
    """The scores of all weights that a job's pruning scores, float32 [replicates, *shape]; 0 for those pruned before.

    run: the folder `results/<run>`.
    """
    recipe, replicates = job.training, job.replicates.members()
    scored, masks = weights(run, job, job.inputs.scored), survivors(run, job)
    assert scored
    torch_engine.one_thread()
    splits = read_splits(
        dataset_file(run, job),
        recipe,
        job.settings.seed,
        [member.replicate for member in replicates],
        job.data.image_shape,
        job.data.classes,
    )
    images = torch_engine.resident(splits, recipe)
    found = []
    for index, member in enumerate(replicates):
        random = job.seed(member).generator("scored images", level=job.place.level)
        rows = random.permutation(len(splits[index].train))[:SCORED_IMAGES]
        mask = of_member(masks, slice(index, index + 1)) if masks else None
        own = of_member(scored, slice(index, index + 1))
        found.append(of_member(sensitivity(job.network, own, mask, images[index], rows, recipe), 0))
    return stack(found)


def sensitivity(
    network: Network,
    weights: Arrays,
    mask: Arrays | None,
    images: Mapping[Part, TorchImages],
    rows: NDArray,
    recipe: Training,
) -> Arrays:
    """|w dL/dw| of every weight of one network, float32 [1, *shape], L the mean cross-entropy of the training images at
    `rows`, as the recipe scales them, without dropout or augmentation; batches are normalised by their own statistics.

    weights: float32 [1, *shape] of every parameter; mask: uint8 [1, *shape], None when all survive.
    """
    engine = Engine(network, weights, mask, [images], recipe)
    with engine.in_stream():
        train = engine.images["train"]
        chosen = train.rows[:, torch.tensor(rows, device=train.rows.device)]
        losses = torch.nn.functional.cross_entropy(
            engine.networks.logits(train.pixels[chosen], []).flatten(0, 1), train.labels[chosen].flatten()
        )
        parameters = [engine.networks.weights[name] for name in network.weight_names()]
        gradients = torch.autograd.grad(losses, parameters)
        return scores_of(network, parameters, gradients)


def scores_of(network: Network, parameters: Sequence[torch.Tensor], gradients: Sequence[torch.Tensor]) -> Arrays:
    """|weight x gradient| of every weight array, float32 [1, *shape]."""
    return {
        name: (parameter * gradient).detach().abs().float().cpu().numpy().copy(order="C")
        for name, parameter, gradient in zip(network.weight_names(), parameters, gradients, strict=True)
    }
