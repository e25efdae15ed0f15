"""The masks and starting weights of all networks of a job, from arrays with one entry for each replicate."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from lottery.arms.masks import Imitated, Pruned
from lottery.arms.matching import in_order, matched_units
from lottery.arms.operations import prune, scores_of_weights
from lottery.arms.places import DENSE, Member
from lottery.arms.starts import Ingredients
from lottery.arrays import Arrays, of_member, stack
from lottery.pruning.criteria import CRITERIA
from lottery.randomness import Purpose
from lottery.runs.jobs import Job


def pruned_masks(
    job: Job,
    scored: Mapping[str, NDArray],
    initial: Mapping[str, NDArray] | None,
    survivors: Mapping[str, NDArray] | None,
) -> Arrays:
    """The smaller mask of every replicate, uint8 [replicates, *shape].

    scored: the weights that are scored, or the scores where a file holds them; initial: the initial weights, of a
    criterion that compares; survivors: the masks to shrink, None when all survive.
    """
    arm_mask = job.arm.mask
    assert isinstance(arm_mask, Pruned)
    score, masks = CRITERIA[arm_mask.scores].score, []
    for member in job.replicates.members():
        index = job.replicates.index(member)
        scores, mask = of_member(scored, index), of_member(survivors, index) if survivors else None
        if score:
            before = of_member(initial, index) if initial else scores
            random = job.seed(member).generator("random scores", level=job.place.level)
            scores = scores_of_weights(score, scores, before, mask, job.network.weight_names(), random)
        kept_first = {name: -values for name, values in scores.items()} if arm_mask.inverted else scores
        masks.append(prune(kept_first, mask, job.counts))
    return stack(masks)


def imitated_masks(
    job: Job,
    ticket: Mapping[str, NDArray],
    matched: tuple[Mapping[str, NDArray], Mapping[str, NDArray]] | None = None,
) -> Arrays:
    """The masks of every member of an arm that takes or imitates those of tickets, uint8 [members, *shape].

    ticket: [replicates, *shape]; matched: the weights of two networks whose units are matched, float32 [replicates,
    *shape] each, the experiment's own and the ticket's.
    """
    mask = job.arm.mask
    assert isinstance(mask, Imitated)
    made = []
    for member in job.members:
        index = job.replicates.index(member)
        theirs = of_member(ticket, index)
        if matched:
            ours, others = (of_member(each, index) for each in matched)
            orders = matched_units(ours, others, job.network)
            theirs = in_order(theirs, orders, job.network)
        made.append(dict(mask.of(theirs, generators(job, member)("random mask"))))
    return stack(made)


def starts(job: Job, checkpoint: Mapping[str, NDArray] | None, masks: Mapping[str, NDArray] | None) -> Arrays:
    """The starting weights of every member, float32 [members, *shape].

    checkpoint: what survivors are set back to, [replicates, *shape]; masks: [members, *shape], None for whole networks.
    """
    made = []
    for index, member in enumerate(job.members):
        ingredients = Ingredients(
            of_member(checkpoint, job.replicates.index(member)) if checkpoint else {},
            of_member(masks, index) if masks else {},
            job.network,
            job.experiment.initialisation,
            generators(job, member),
            first=job.arm.name == DENSE or bool(job.arm.as_small_as),
        )
        made.append(job.arm.start.weights(ingredients))
    return stack(made)


def generators(job: Job, member: Member) -> Callable[[Purpose], np.random.Generator]:
    """The generators of a member's masks and starts."""
    return lambda purpose: job.seed(member).generator(purpose, level=job.place.level, draw=member.draw)
