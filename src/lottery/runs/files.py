"""The files that a job's masks and starts are made from, read and checked. run: always the folder `results/<run>`."""

from pathlib import Path

from lottery.arms.lineage import Weights
from lottery.arrays import Arrays, of_member
from lottery.arrays.weights import read_mask, read_parameters, read_scores, read_snapshot
from lottery.runs.jobs import Job


def weights(run: Path, job: Job, which: Weights | None) -> Arrays | None:
    """Weights that lineage names, float32 [replicates, *shape], of several draws the first; None where it has none."""
    if which is None:
        return None
    other = job.at(which.place)
    path, members = other.path(run, which.file), len(other.members)
    if isinstance(which.moment, int):
        arrays = read_snapshot(path, which.moment, other.network, members)
    else:
        arrays = read_parameters(path, other.network, members)
    return of_member(arrays, slice(None, None, other.draws))


def mask(run: Path, job: Job) -> Arrays:
    """A job's own masks, uint8 [members, *shape]."""
    return read_mask(job.path(run, "mask"), job.network, len(job.members))


def survivors(run: Path, job: Job) -> Arrays | None:
    """The masks that a job's pruning shrinks; None when it starts from the dense network."""
    return mask(run, job.at(job.inputs.survivors)) if job.inputs.survivors else None


def ticket(run: Path, job: Job) -> Arrays:
    """The masks that a control takes or imitates, uint8 [replicates, *shape]."""
    assert job.inputs.ticket
    return mask(run, job.at(job.inputs.ticket))


def matched(run: Path, job: Job) -> tuple[Arrays, Arrays] | None:
    """The weights of the networks whose units are matched, float32 [replicates, *shape] each; None where none are."""
    if job.inputs.matched is None:
        return None
    ours, theirs = (weights(run, job, each) for each in job.inputs.matched)
    assert ours
    assert theirs
    return ours, theirs


def scores(run: Path, job: Job) -> Arrays:
    """The scores that a job's pruning reads, float32 [replicates, *shape] of every weight."""
    return read_scores(job.path(run, "scores"), job.network, len(job.replicates))
