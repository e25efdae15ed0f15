"""Scores that a job writes to a file, since they need gradients; |w dL/dw| is here, what removing a weight changes of
the loss to first order, the others in modules of their own.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from numpy.typing import NDArray

from lottery.arms.masks import Pruned
from lottery.arms.places import Member
from lottery.arrays import Arrays, of_member, stack, write_arrays
from lottery.datasets.images import Part, read_splits
from lottery.networks import Network
from lottery.pruning.criteria import CRITERIA, Scorer
from lottery.runs import making
from lottery.runs.files import survivors, weights
from lottery.runs.jobs import Job
from lottery.settings import Training
from lottery.training import cards, torch_engine
from lottery.training.before_training import gradient_flow, synaptic_flow
from lottery.training.job import data_of_member, dataset_file
from lottery.training.learnt_masks import EDGE_POPUP, SUPERMASK, Learner, learnt_scores
from lottery.training.loop import MemberData
from lottery.training.torch_engine import Engine, TorchImages

SCORED_IMAGES = 1_000
"""Training images that scores are computed on, chosen anew for each replicate and level; all where there are fewer."""


@dataclass(frozen=True)
class Scored:
    """What a scorer is given: one network of a job, that of `replicate`.

    weights: float32 [1, *shape] of every parameter; mask: uint8 [1, *shape] of the survivors, None when all survive;
    images: those of the replicate; rows: places among its training images that are enough to score on.
    """

    job: Job
    replicate: int
    weights: Arrays
    mask: Arrays | None
    images: Mapping[Part, TorchImages]
    rows: NDArray

    @property
    def recipe(self) -> Training:
        return self.job.training

    @property
    def member(self) -> Member:
        return Member(self.replicate, 0)

    @property
    def data(self) -> MemberData:
        """The batches that the pruned network would be trained on."""
        return data_of_member(self.job, self.member, self.images["train"].rows.shape[1])

    @property
    def inverted(self) -> bool:
        return isinstance(self.job.arm.mask, Pruned) and self.job.arm.mask.inverted


SCORERS: dict[Scorer, Callable[[Scored], Arrays]] = {
    "sensitivity": lambda it: sensitivity(it.job.network, it.weights, it.mask, it.images, it.rows, it.recipe),
    "gradient-flow": lambda it: gradient_flow(it.job.network, it.weights, it.mask, it.images, it.rows, it.recipe),
    "synaptic-flow": lambda it: synaptic_flow(
        it.job.network, it.weights, it.mask, it.job.counts, it.recipe, inverted=it.inverted
    ),
    "supermask": lambda it: learnt(SUPERMASK, it),
    "edge-popup": lambda it: learnt(EDGE_POPUP, it),
}
"""From a network to the scores of its weights, float32 [1, *shape]."""


def learnt(learner: Learner, it: Scored) -> Arrays:
    """Scores that are learnt on a replicate's batches."""
    seed = int(it.job.seed(it.member).generator("learnt masks", level=it.job.place.level).integers(2**63))
    network, counts = it.job.network, it.job.counts
    return learnt_scores(learner, network, it.weights, it.images, it.data, it.recipe, counts, seed)


def score(job: Job, run: Path) -> None:
    """Write the scores that a job's pruning reads, on a card of its own where the recipe wants one.

    run: the folder `results/<run>`.
    """
    shared = job.experiment.trainings_per_card
    with cards.own_card(cards.lock_folder(), shared) if job.training.device == "cuda" else nullcontext():
        write_arrays(job.path(run, "scores"), scores_in_file(job, run))


def scores_in_file(job: Job, run: Path) -> Arrays:
    """The scores of all weights that a job's pruning scores, float32 [replicates, *shape]; 0 for those pruned before.

    run: the folder `results/<run>`.
    """
    recipe, replicates = job.training, job.replicates.members()
    criterion = CRITERIA[job.arm.criterion]
    scored, masks = weights(run, job, job.inputs.scored), survivors(run, job)
    assert scored
    assert criterion.scorer
    if criterion.learnt:
        scored = making.starts(job, scored, None)
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
        own = slice(index, index + 1)
        mask = of_member(masks, own) if masks else None
        given = Scored(job, member.replicate, of_member(scored, own), mask, images[index], rows)
        found.append(of_member(SCORERS[criterion.scorer](given), 0))
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
            engine.networks.logits(train.pixels[chosen], []).flatten(0, 1), train.labels_at(chosen).flatten()
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
