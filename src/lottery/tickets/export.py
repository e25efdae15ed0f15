"""From a run's files to a ticket: one network of a training job, with all that its file tells."""

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lottery.analysis.tables import LEVELS, Summary, TrainedNetwork, read_summary, read_table
from lottery.arms.lineage import File, files_read, maker
from lottery.arms.places import DENSE, Member, Place
from lottery.arrays import Arrays, of_member
from lottery.arrays.weights import read_parameters, read_snapshot
from lottery.datasets.catalog import class_names
from lottery.datasets.images import Split, read_splits
from lottery.errors import LotteryError
from lottery.runs import files
from lottery.runs.jobs import Job
from lottery.runs.listing import DESCRIBED_ARM, groups_of, levels_of
from lottery.settings import Settings
from lottery.tickets.file import Description, Moment, Spread, TicketFile
from lottery.tickets.further import checksums
from lottery.tickets.steps import as_data
from lottery.training.job import file_digest


@dataclass(frozen=True)
class Chosen:
    """One network of a run: that of a replicate and draw in an arm at a level."""

    experiment: str
    arm: str
    level: int
    replicate: int
    draw: int

    def job(self, settings: Settings) -> Job:
        """The training job that made it. Raises LotteryError where the run has no such network."""
        if self.experiment not in settings.run_experiments:
            told = ", ".join(settings.run_experiments)
            raise LotteryError(f"no experiment of the run is called {self.experiment!r}; it has: {told}")
        experiment = settings.experiments[self.experiment]
        levels = levels_of(experiment, self.arm)
        if self.level not in levels:
            told = f"at the levels {', '.join(map(str, levels))}" if levels else "nowhere"
            raise LotteryError(f"{self.experiment}: {self.arm} is trained {told}, not at level {self.level}")
        if not self.replicate < experiment.replicates:
            told = f"0 to {experiment.replicates - 1}"
            raise LotteryError(f"{self.experiment}: its replicates are {told}; there is no replicate {self.replicate}")
        (group,) = (each for each in groups_of(experiment) if each.first <= self.replicate <= each.last)
        job = Job(settings, Place(self.experiment, group, self.arm, self.level))
        if not self.draw < job.draws:
            raise LotteryError(f"{job.place}: its draws are 0 to {job.draws - 1}; there is no draw {self.draw}")
        return job


def export(run: Path, settings: Settings, chosen: Chosen, moment: Moment, datasets: Path) -> TicketFile:
    """The ticket of one network of a run, dense networks included.

    run: the folder `results/<run>`; datasets: the folder of prepared datasets, read where the network's input scaling
    needs them. Raises LotteryError where the run has no such network, or its files are not as they should be.
    """
    job = chosen.job(settings)
    index = job.members.index(Member(chosen.replicate, chosen.draw))
    summary = read_summary(run / job.place.folder)
    told = summary.members[index]
    if told.diverged_iteration is not None:
        raise LotteryError(
            f"{job.place}: replicate {chosen.replicate} diverged, at iteration {told.diverged_iteration}"
        )
    network, count = job.network, len(job.members)
    weights, iteration = weights_at(run, job, told, moment)
    start = read_parameters(job.path(run, "start"), network, count)
    masks = files.mask(run, job) if job.arm.masked else {}
    mask = of_member(masks, index) or {layer.weight_name: np.ones(layer.shape, np.uint8) for layer in network.layers}
    ticket = TicketFile(
        description=described(run, job, chosen, moment, iteration, summary, told),
        network=network,
        weights=of_member(weights, index),
        mask=mask,
        start=of_member(start, index),
        moments=moments_of(job, datasets) if job.training.input_scaling == "standardised" else None,
    )
    for name, kept in ticket.mask.items():
        if ticket.weights[name][kept == 0].any():
            raise LotteryError(
                f"{job.place}: {name} has pruned weights that are not 0; `lottery verify {run}` says more"
            )
    return ticket


def weights_at(run: Path, job: Job, told: TrainedNetwork, moment: Moment) -> tuple[Arrays, int]:
    """float32 [members, *shape] of a training at a moment, and the iteration of this member's.

    Raises LotteryError where the run keeps no weights of its early stop.
    """
    last, stop = job.last_iteration, told.early_stop_iteration
    final = job.path(run, "trained")
    if moment == "final" or stop == last:
        return read_parameters(final, job.network, len(job.members)), last
    assert stop is not None
    kept = job.path(run, "early-stop")
    if kept.exists():
        return read_parameters(kept, job.network, len(job.members)), stop
    if stop in job.snapshots:
        return read_snapshot(job.path(run, "snapshots"), stop, job.network, len(job.members)), stop
    raise LotteryError(
        f"{job.place}: the run keeps no weights of its early stop at iteration {stop}; take --moment final, or name the"
        " iteration in the arm's `snapshots`"
    )


def described(
    run: Path, job: Job, chosen: Chosen, moment: Moment, iteration: int, summary: Summary, told: TrainedNetwork
) -> Description:
    """What a ticket's file says of it."""
    data, experiment, network = job.data, job.experiment, job.network
    final = moment == "final"
    test = told.test_accuracy_final if final else told.test_accuracy_at_early_stop
    train = told.train_accuracy_final if final else told.train_accuracy_at_early_stop
    assert test is not None
    assert train is not None
    return Description(
        run=job.settings.run,
        experiment=chosen.experiment,
        arm=chosen.arm,
        level=chosen.level,
        replicate=chosen.replicate,
        draw=chosen.draw,
        moment=moment,
        iteration=iteration,
        first_iteration=job.first_iteration,
        network=job.network_name,
        steps=as_data(network.steps),
        seen=list(network.image_shape),
        dataset=data.name,
        dataset_sha256=checksums(data),
        image_shape=list(data.image_shape),
        class_names=class_names(data),
        training=job.training,
        initialisation=experiment.initialisation,
        pruning=experiment.pruning,
        seed=job.settings.seed,
        seed_name=job.seed_name,
        batches=job.arm.batches,
        test_images=job.training.test_images or data.test_images,
        test_accuracy=test,
        train_accuracy=train,
        test_accuracies=spread(run, job, chosen, final=final),
        engine=summary.engine or "",
        processor=summary.processor,
        versions=summary.versions,
        git_commit=summary.git_commit,
        parents=parents(run, job),
    )


def spread(run: Path, job: Job, chosen: Chosen, *, final: bool) -> Spread:
    """Test accuracy over the replicates of the same arm, level and draw that did not diverge."""
    found: list[float] = []
    for replicates in groups_of(job.experiment):
        place = Place(chosen.experiment, replicates, chosen.arm, chosen.level)
        for member in read_summary(run / place.folder).members:
            accuracy = member.test_accuracy_final if final else member.test_accuracy_at_early_stop
            if member.draw == chosen.draw and accuracy is not None:
                found.append(accuracy)
    return Spread(
        replicates=len(found),
        mean=statistics.fmean(found),
        sd=statistics.stdev(found) if len(found) > 1 else None,
        least=min(found),
        most=max(found),
    )


def parents(run: Path, job: Job) -> dict[str, str]:
    """The run's files that a ticket is made from, and those that these were made from, by SHA-256."""
    place = job.place
    read: list[tuple[Place, File]] = [(place, "trained"), (place, "start")]
    read += [(place, "mask")] if job.arm.masked else []
    for verb in dict.fromkeys(maker(place, file) for _, file in read):
        read += files_read(place, verb, job.experiment)
    named = {f"{each.folder}/{file}.safetensors": job.at(each).path(run, file) for each, file in read}
    return {name: file_digest(path) for name, path in sorted(named.items()) if path.exists()}


def moments_of(job: Job, datasets: Path) -> tuple[NDArray, NDArray]:
    """Mean and standard deviation [numbers of an image], float32, by which the network's images are standardised."""
    import torch

    from lottery.training.torch_engine import moments

    split = split_of(job, datasets / f"{job.experiment.dataset}.safetensors")
    mean, deviation = moments(torch.tensor(split.train.images.pixels), job.network, job.training)
    return mean.float().numpy(), deviation.float().numpy()


def split_of(job: Job, path: Path) -> Split:
    """The images of a job's first replicate."""
    (split,) = read_splits(
        path, job.training, job.settings.seed, [job.replicates.first], job.data.image_shape, job.data.classes
    )
    return split


def best(run: Path, experiment: str) -> Chosen:
    """The best ticket of an experiment: the most accurate replicate of the smallest size that is in the mean no less
    accurate than the dense network; of the most accurate size where there is none.

    Of the arm `iterative`, judged on validation images at early stop: the test images choose nothing.
    """
    table = read_table(run / "tables" / "levels.csv", LEVELS)
    table = table[(table["experiment"] == experiment) & table["diverged_iteration"].isna()]
    measure = "validation_accuracy_at_early_stop"
    dense = table.loc[table["arm"] == DENSE, measure].mean()
    tickets: Any = table[table["arm"] == DESCRIBED_ARM]
    if tickets.empty:
        raise LotteryError(
            f"{experiment}: has no networks of the arm {DESCRIBED_ARM} that did not diverge; name a place"
        )
    means = tickets.groupby("level")[measure].mean()
    matching = means[means >= dense]
    level = int(matching.index.max()) if len(matching) else int(means.idxmax())
    row = tickets.loc[tickets.loc[tickets["level"] == level, measure].idxmax()]
    return Chosen(experiment, DESCRIBED_ARM, level, int(row["replicate"]), int(row["draw"]))
