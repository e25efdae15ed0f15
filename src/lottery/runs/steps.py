"""The steps that make masks and starting weights: each reads the files that its place's are made from, and writes them.

run: always the folder `results/<run>`.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from lottery.arms.lineage import needs_scores
from lottery.arrays import Arrays, write_arrays
from lottery.runs import making
from lottery.runs.files import mask, matched, scores, survivors, ticket, weights
from lottery.runs.jobs import Job

log = logging.getLogger(__name__)


def initialize(job: Job, run: Path) -> None:
    """Draw the initial weights of a dense network."""
    write_arrays(job.path(run, "start"), making.starts(job, None, None))


def prune(job: Job, run: Path) -> None:
    """Remove the weights of smallest score from a mask, or from the dense network."""
    scored = scores(run, job) if needs_scores(job.place) else weights(run, job, job.inputs.scored)
    assert scored
    made = making.pruned_masks(job, scored, weights(run, job, job.inputs.initial), survivors(run, job))
    write_arrays(job.path(run, "mask"), made)
    warn_of_thin_layers(job, made)


def warn_of_thin_layers(job: Job, masks: Arrays) -> None:
    """A line in the log for each layer that keeps fewer weights than it has units: nothing much goes through it."""
    for layer in job.network.layers:
        kept = masks[layer.weight_name].reshape(len(masks[layer.weight_name]), -1).sum(axis=1, dtype=int)
        if (thin := int(kept.min())) < layer.outputs:
            told = "no weight" if not thin else f"{thin} of its {layer.weights} weights"
            log.warning("%s keeps %s, with %d units: %s", layer.name, told, layer.outputs, job.place)


def rewind(job: Job, run: Path) -> None:
    """Set the survivors of a mask back to a checkpoint and everything else that can be pruned to 0."""
    own = mask(run, job) if job.arm.masked else None
    write_arrays(job.path(run, "start"), making.starts(job, weights(run, job, job.inputs.checkpoint), own))


def make_control(job: Job, run: Path) -> None:
    """Make a network that differs from a ticket in one thing: its weights, or where they are."""
    masks = making.imitated_masks(job, ticket(run, job), matched(run, job))
    starts = making.starts(job, weights(run, job, job.inputs.checkpoint), masks)
    write_arrays(job.path(run, "mask"), masks)
    write_arrays(job.path(run, "start"), starts)


STEPS: dict[str, Callable[[Job, Path], None]] = {
    "initialize": initialize,
    "prune": prune,
    "rewind": rewind,
    "make-control": make_control,
}
"""By verb."""
