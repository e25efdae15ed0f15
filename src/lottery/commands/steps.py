"""The steps of a run. Each reads the run's settings and writes the files of its place."""

import os
from pathlib import Path
from typing import Annotated

from lottery.arms.lineage import needs_scores
from lottery.arrays import write_arrays
from lottery.commands.options import At, Run, Told
from lottery.runs import making
from lottery.runs.files import mask, scores, survivors, ticket, weights
from lottery.runs.reading import read_job


def prepare_dataset(
    dataset: Annotated[str, Told("its name")],
    *,
    output: Annotated[Path, Told("file to write")],
    resources: Annotated[Path, Told("folder of the repository's own datasets")] = Path("resources"),
    downloads: Annotated[Path, Told("folder of raw files downloaded earlier and now")],
    mirror: Annotated[Path | None, Told("folder of raw files to look in; default: $LOTTERY_DATA")] = None,
) -> None:
    """Find or download the raw files of a dataset, verify them and write them as one file of arrays."""
    from lottery.datasets.images import prepare
    from lottery.datasets.raw import Places

    named = mirror or (Path(os.environ["LOTTERY_DATA"]) if os.environ.get("LOTTERY_DATA") else None)
    prepare(dataset, Places(resources, named and named.expanduser(), downloads), output)


def initialize(run: Run, place: At) -> None:
    """Draw the initial weights of a dense network."""
    job = read_job(run, place)
    write_arrays(job.path(run, "start"), making.starts(job, None, None))


def score(run: Run, place: At) -> None:
    """Score weights by what images tell of them, for the pruning that reads these scores."""
    from lottery.training.scores import gradient_scores

    job = read_job(run, place)
    write_arrays(job.path(run, "scores"), gradient_scores(job, run))


def prune(run: Run, place: At) -> None:
    """Remove the weights of smallest score from a mask, or from the dense network."""
    job = read_job(run, place)
    inputs = job.inputs
    scored = scores(run, job) if needs_scores(place) else weights(run, job, inputs.scored)
    assert scored
    made = making.pruned_masks(job, scored, weights(run, job, inputs.initial), survivors(run, job))
    write_arrays(job.path(run, "mask"), made)


def rewind(run: Run, place: At) -> None:
    """Set the survivors of a mask back to a checkpoint and everything else that can be pruned to 0."""
    job = read_job(run, place)
    own = mask(run, job) if job.arm.masked else None
    write_arrays(job.path(run, "start"), making.starts(job, weights(run, job, job.inputs.checkpoint), own))


def make_control(run: Run, place: At) -> None:
    """Make a network that differs from a ticket in one thing: its weights, or where they are."""
    job = read_job(run, place)
    masks = making.imitated_masks(job, ticket(run, job))
    starts = making.starts(job, weights(run, job, job.inputs.checkpoint), masks)
    write_arrays(job.path(run, "mask"), masks)
    write_arrays(job.path(run, "start"), starts)


def train(
    run: Run,
    place: At,
    *,
    threads: Annotated[int, Told("networks trained at once")] = 1,
    checkpoint_seconds: Annotated[float, Told("how often a checkpoint is written, to go on from after a kill")] = 60.0,
) -> None:
    """Train the networks of a place from their starting weights."""
    from lottery.training.job import run_job

    run_job(read_job(run, place), run, threads, checkpoint_seconds)
