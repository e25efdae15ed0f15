"""Is a finished run what it says it is? Everything is recomputed from its files: masks, starts, accuracies, tables."""

import hashlib
import logging
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lottery.analysis.barriers import read_line
from lottery.analysis.tables import (
    HISTORY,
    Summary,
    read_summary,
    read_table,
)
from lottery.arms.lineage import needs_scores
from lottery.arms.masks import Imitated
from lottery.arrays import Arrays, read_bytes
from lottery.arrays.weights import read_parameters, read_snapshot
from lottery.datasets.catalog import source
from lottery.datasets.images import Part, check_prepared, read_splits
from lottery.errors import LotteryError
from lottery.evidence.tables import check_tables
from lottery.evidence.wrong import Wrong
from lottery.extensions import LOADED
from lottery.planning.tasks import tasks_of
from lottery.pruning.criteria import CRITERIA
from lottery.runs import making
from lottery.runs.files import mask, matched, scores, survivors, ticket, weights
from lottery.runs.jobs import Job, network_of
from lottery.runs.keeping import kept_file
from lottery.runs.lines import Line, lines
from lottery.runs.reading import read_finished_run
from lottery.settings import Settings
from lottery.training.engines import Engine, engine_name, engine_of

log = logging.getLogger(__name__)

ROUNDING = 2
"""Images that another processor may put into another class: two outputs are equal there but for rounding."""


LOSSES_APART = 1e-3
"""How far a loss may be from that computed anew, as a share of it; 1e-5 nats where it is small."""

SCORES_APART = 1e-3
"""How far scores may be from those computed anew, whose sums another processor adds in another order."""


EARLY_STOP = "early-stop.safetensors"


def verify(run: Path, datasets: Path) -> Iterator[str]:
    """One line for each file of a finished run that is wrong: its path and what was found.

    Where the images of an experiment cannot be read, all but the accuracies of its networks is checked.

    run: the folder `results/<run>`; datasets: the folder of prepared datasets. Raises LotteryError when there is no
    such run.
    """
    settings = read_finished_run(run / "tables" / "settings.json")
    jobs = [Job(settings, task.training) for task in tasks_of(settings) if task.training]
    unread: set[str] = set()
    experiment, images = None, None
    for number, job in enumerate(jobs, start=1):
        log.info("%d of %d: %s", number, len(jobs), job.place)
        if job.place.experiment != experiment:
            experiment, images = job.place.experiment, None
            try:
                images = evaluated_images(settings, experiment, datasets)
            except LotteryError as problem:
                if str(problem) not in unread:
                    unread.add(str(problem))
                    yield str(problem)
        try:
            Verification(run, job, images).check()
        except (Wrong, LotteryError) as problem:
            yield str(problem)
    yield from (
        f"{folder}: is no place of the run that its settings describe" for folder in other_places(run, settings)
    )
    for line in lines(settings):
        if line.job.path(run, line.file).exists() or (run / "tables" / "barriers.csv").exists():
            try:
                check_line(run, line, datasets)
            except (Wrong, LotteryError) as problem:
                yield str(problem)
    try:
        check_tables(run, settings)
    except (Wrong, LotteryError) as problem:
        yield str(problem)


def other_places(run: Path, settings: Settings) -> list[Path]:
    """Folders with results of trainings that are of no place of a run."""
    known = {run / task.place.folder for task in tasks_of(settings) if task.place}
    return sorted({file.parent for file in run.glob("*/r*-*/*/level*/summary.json")} - known)


@dataclass(frozen=True)
class Evaluated:
    """The images of an experiment: how many there are of each part, and as its engine reads them."""

    count: dict[Part, int]
    resident: Sequence[Mapping[Part, Any]]
    """Those of each replicate."""


def evaluated_images(settings: Settings, experiment: str, datasets: Path) -> Evaluated:
    """Read the images of an experiment."""
    chosen = settings.experiments[experiment]
    data = source(chosen.dataset)
    path = datasets / f"{chosen.dataset}.safetensors"
    check_prepared(path, data)
    replicates = range(chosen.replicates)
    splits = read_splits(path, chosen.training, settings.seed, replicates, data.image_shape, data.classes)
    resident = engine_of(network_of(chosen), chosen.training).resident(splits, chosen.training)
    return Evaluated({part: len(images) for part, images in splits[0].parts.items()}, resident)


def has_early_stop(run: Path, job: Job, summary: Summary) -> bool:
    """Whether a training's weights at early stop should be there: older code wrote none, and a finished run that does
    not keep them lets them go.
    """
    there = job.path(run, "early-stop").exists()
    kept = kept_file(job.settings, job.place, "early-stop", job.settings.keep)
    return there or (kept and EARLY_STOP in summary.sha256)


def without_early_stop(run: Path) -> str:
    """How many trainings of a finished run have no weights at early stop, by which accuracies there are recomputed;
    empty when all have them.
    """
    settings = read_finished_run(run / "tables" / "settings.json")
    jobs = [Job(settings, task.training) for task in tasks_of(settings) if task.training]
    without = sum(not has_early_stop(run, job, read_summary(run / job.place.folder)) for job in jobs)
    told = "kept no weights at early stop, so the accuracies there were not recomputed"
    return f"{without} of {len(jobs)} trainings {told}" if without else ""


class Verification:
    """One training job's files, and all that they are made of."""

    def __init__(self, run: Path, job: Job, images: Evaluated | None) -> None:
        self.run, self.job, self.images = run, job, images
        self.folder = run / job.place.folder
        used = [Path(path) for path in job.extensions]
        self.extensions = {str(path): LOADED[path.resolve()].sha256 for path in used}

    def check(self) -> None:
        """Raise Wrong for the first thing that is wrong."""
        summary = read_summary(self.folder)
        self.check_summary(summary)
        self.check_checksums(summary)
        stopped = has_early_stop(self.run, self.job, summary)
        start = self.parameters("start.safetensors")
        own = mask(self.run, self.job) if self.job.arm.masked else {}
        if own:
            self.check_mask(own)
        self.check_start(start, own)
        trained = self.parameters("trained.safetensors")
        early_stop = self.parameters(EARLY_STOP) if stopped else None
        self.check_pruned("trained.safetensors", trained, own)
        if early_stop:
            self.check_pruned(EARLY_STOP, early_stop, own)
        for iteration in self.job.snapshots:
            self.check_pruned("snapshots.safetensors", self.snapshot(iteration), own, f" at iteration {iteration}")
        self.check_history(summary)
        if self.images:
            self.check_accuracies(summary, trained, early_stop, own, self.images)

    def check_checksums(self, summary: Summary, let_go: Collection[str] = ()) -> None:
        """The files are those that the training read and wrote; let_go: names of those that may be absent."""
        stopped = has_early_stop(self.run, self.job, summary)
        checksums = {name: sha256 for name, sha256 in summary.sha256.items() if stopped or name != EARLY_STOP}
        named = {"start.safetensors", "trained.safetensors", "snapshots.safetensors", "history.csv"}
        named |= {"mask.safetensors"} if self.job.arm.masked else set()
        named |= {EARLY_STOP} if stopped else set()
        if set(checksums) != named:
            told = f"sha256 names {sorted(summary.sha256)}, expected {sorted(named)}"
            raise Wrong(self.folder / "summary.json", told)
        for name, sha256 in checksums.items():
            if name in let_go and not (self.folder / name).exists():
                continue
            if hashlib.sha256(read_bytes(self.folder / name)).hexdigest() != sha256:
                raise Wrong(self.folder / name, "is not the file that summary.json speaks of (SHA-256)")

    def parameters(self, name: str) -> Arrays:
        return read_parameters(self.folder / name, self.job.network, len(self.job.members))

    def snapshot(self, iteration: int) -> Arrays:
        return read_snapshot(self.folder / "snapshots.safetensors", iteration, self.job.network, len(self.job.members))

    def check_pruned(self, file: str, found: Arrays, own: Arrays, at: str = "") -> None:
        """Weights that the mask prunes are 0 in those of a file; at: which of the file's."""
        for name, kept in own.items():
            if found[name][kept == 0].any():
                raise Wrong(self.folder / file, f"{name} has pruned weights that are not 0{at}")

    def check_summary(self, summary: Summary) -> None:
        """It speaks of this job, and of the weights that the mask keeps."""
        job = self.job
        kept = sum(job.counts.values()) if job.arm.masked else job.network.weights
        expected = {
            "experiment": job.place.experiment,
            "arm": job.place.arm,
            "level": job.place.level,
            "seed": job.settings.seed,
            "dataset": job.experiment.dataset,
            "network": job.network_name,
            "training": job.training,
            "engine": engine_name(job.network, job.training),
            "device": job.training.device,
            "first_iteration": job.first_iteration,
            "end": job.last_iteration,
            "extensions": self.extensions,
            "members": [(member.replicate, member.draw, kept) for member in job.members],
        }
        found = {name: getattr(summary, name) for name in expected}
        found["members"] = [(member.replicate, member.draw, member.weights) for member in summary.members]
        for name, value in expected.items():
            if found[name] != value:
                raise Wrong(
                    self.folder / "summary.json",
                    f"{name} is {found[name]}, tables/settings.json and the files it names ask for {value}",
                )

    def check_mask(self, found: Arrays) -> None:
        """Nested and exact: what pruning, or the ticket that a control takes or imitates, gives."""
        job, inputs = self.job, self.job.inputs
        if isinstance(job.arm.mask, Imitated):
            assert inputs.ticket
            expected, of = (
                making.imitated_masks(job, ticket(self.run, job), matched(self.run, job)),
                f"{inputs.ticket.arm} at level {job.place.level}",
            )
        else:
            assert inputs.scored
            expected = making.pruned_masks(
                job, self.scores(), weights(self.run, job, inputs.initial), survivors(self.run, job)
            )
            of = f"the pruning of {inputs.scored.place.arm} at level {inputs.scored.place.level}"
        for group, count in job.counts.items():
            kept_by = [found[name].reshape(len(job.members), -1).sum(axis=1, dtype=np.int64) for name in group]
            per_member = np.sum(kept_by, axis=0)
            if (per_member != count).any():
                told = f"{', '.join(group)} keeps {per_member.tolist()} weights, not {count}"
                raise Wrong(self.folder / "mask.safetensors", told)
        for name, kept in found.items():
            differing = int((kept != expected[name]).sum())
            if differing:
                raise Wrong(self.folder / "mask.safetensors", f"{differing} entries of {name} are not those of {of}")

    def scores(self) -> Arrays:
        """What the pruning scores, or its scores where a file holds them, computed anew from the images if it can."""
        job = self.job
        if not needs_scores(job.place):
            scored = weights(self.run, job, job.inputs.scored)
            assert scored
            return scored
        found = scores(self.run, job)
        if self.images and not CRITERIA[job.arm.criterion].learnt:  # what is learnt would take as long again
            self.check_scores(found)
        return found

    def check_scores(self, found: Arrays) -> None:
        """Scores are those that the images give."""
        from lottery.training.scores import scores_in_file

        for name, expected in scores_in_file(self.job, self.run).items():
            least = 1e-3 * SCORES_APART * np.abs(expected).max()
            if not np.allclose(found[name], expected, rtol=SCORES_APART, atol=least):
                raise Wrong(self.folder / "scores.safetensors", f"{name} is not what the images give")

    def check_start(self, start: Arrays, own: Arrays) -> None:
        """Bit for bit what the arm makes of the checkpoint and the mask."""
        job = self.job
        expected = making.starts(job, weights(self.run, job, job.inputs.checkpoint), own or None)
        for name, values in start.items():
            differing = int((values.view(np.uint32) != expected[name].view(np.uint32)).sum())
            if differing:
                told = f"{differing} numbers of {name} are not {job.arm.start}"
                raise Wrong(self.folder / "start.safetensors", told)

    def check_history(self, summary: Summary) -> None:
        """The early stop is the first least validation loss of the history."""
        path, first, last = self.folder / "history.csv", self.job.first_iteration, self.job.last_iteration
        history = read_table(path, HISTORY)
        for member in summary.members:
            rows = history[(history["replicate"] == member.replicate) & (history["draw"] == member.draw)]
            if member.diverged_iteration is not None:
                last = rows[["iteration", "validation_loss", "train_loss"]].iloc[-1]
                if last["iteration"] != member.diverged_iteration or np.isfinite(last.to_numpy(float)[1:]).all():
                    raise Wrong(path, f"replicate {member.replicate}, draw {member.draw} did not diverge as is told")
                continue
            if rows["iteration"].tolist() != list(range(first, last + 1, self.job.training.validation_every)):
                raise Wrong(path, f"replicate {member.replicate}, draw {member.draw} is not on the evaluation grid")
            best = rows.loc[rows["validation_loss"].idxmin()]
            told = (
                member.early_stop_iteration,
                member.validation_loss_at_early_stop,
                member.validation_accuracy_at_early_stop,
            )
            found = tuple(best[["iteration", "validation_loss", "validation_accuracy"]])
            tested = best["test_accuracy"]
            if not np.isnan(tested) and tested != member.test_accuracy_at_early_stop:
                told_of = f"test accuracy at early stop is {tested}, not {member.test_accuracy_at_early_stop}"
                raise Wrong(path, f"replicate {member.replicate}, draw {member.draw}: {told_of}")
            if told != found:
                raise Wrong(path, f"iteration, loss and accuracy of the least validation loss are {found}, not {told}")

    def check_accuracies(
        self, summary: Summary, trained: Arrays, early_stop: Arrays | None, own: Arrays, images: Evaluated
    ) -> None:
        """The accuracies told are those of the weights, and the validation images those of each replicate."""
        network, recipe = self.job.network, self.job.training
        engine = engine_of(network, recipe)
        engine.one_thread()
        resident = [images.resident[member.replicate] for member in self.job.members]
        evaluated = engine.Engine(network, trained, own or None, resident, recipe)
        history = read_table(self.folder / "history.csv", HISTORY).set_index(["replicate", "draw", "iteration"])
        reached = history["validation_accuracy"].to_dict()
        for part in images.count:
            told = {
                (member.replicate, member.draw): reached.get((member.replicate, member.draw, self.job.last_iteration))
                if part == "validation"
                else getattr(member, f"{part}_accuracy_final")
                for member in summary.members
            }
            file = "history.csv" if part == "validation" else "summary.json"
            self.compare(summary, part, evaluated.evaluate(part)[1], told, file, "trained.safetensors", images)
        if early_stop:
            self.check_early_stop(summary, early_stop, evaluated, images)
        for iteration in self.job.snapshots:
            evaluated.load(self.snapshot(iteration))
            accuracies = evaluated.evaluate("validation")[1]
            told = {who: reached.get((*who, iteration)) for who in told}
            self.compare(summary, "validation", accuracies, told, "history.csv", f"the snapshot of {iteration}", images)

    def check_early_stop(self, summary: Summary, early_stop: Arrays, evaluated: Engine, images: Evaluated) -> None:
        """Loss and accuracies told of the early stop are those of the weights there."""
        evaluated.load(early_stop)
        for part in images.count:
            losses, accuracies = evaluated.evaluate(part)
            key = f"{part}_accuracy_at_early_stop"
            told = {(member.replicate, member.draw): getattr(member, key) for member in summary.members}
            self.compare(summary, part, accuracies, told, "summary.json", EARLY_STOP, images, " at early stop")
            if part != "validation":
                continue
            for member, loss in zip(summary.members, losses.tolist(), strict=True):
                known = member.validation_loss_at_early_stop
                if known is not None and not math.isclose(known, loss, rel_tol=LOSSES_APART, abs_tol=1e-5):
                    who = f"replicate {member.replicate}, draw {member.draw}"
                    raise Wrong(
                        self.folder / "summary.json",
                        f"{who}: validation loss at early stop is told as {known}, {EARLY_STOP} has {loss}",
                    )

    def compare(
        self,
        summary: Summary,
        part: Part,
        accuracies: NDArray,
        told: Mapping[tuple[int, int], float | None],
        file: str,
        weights_of: str,
        images: Evaluated,
        when: str = "",
    ) -> None:
        """Raise Wrong unless accuracies [members] are those told of each replicate and draw that did not diverge."""
        for member, accuracy in zip(summary.members, accuracies.tolist(), strict=True):
            known = told[member.replicate, member.draw]
            if member.diverged_iteration is not None:
                continue
            if known is None or abs(known - accuracy) * images.count[part] > ROUNDING:
                raise Wrong(
                    self.folder / file,
                    f"replicate {member.replicate}, draw {member.draw}: {part} accuracy{when} is told as {known},"
                    f" {weights_of} has {accuracy} (with the images that this code chooses; the run is of"
                    f" commit {summary.git_commit})",
                )


def check_line(run: Path, line: Line, datasets: Path) -> None:
    """A line's errors are those of the weights: at each member's point of greatest test error, computed anew."""
    from lottery.training.interpolation import measure

    path, told = line.job.path(run, line.file), read_line(line, run)
    members = [rows for _, rows in told.groupby(["replicate", "draw"], sort=False)]
    worst = [rows.loc[[rows["test_error"].idxmax()]] for rows in members]
    dataset = datasets / f"{line.job.experiment.dataset}.safetensors"
    found = measure(line, run, dataset, [rows["share"].to_numpy() for rows in worst])
    images = line.job.experiment.interpolation.images or source(line.job.experiment.dataset).test_images
    for rows, errors in zip(worst, found, strict=True):
        (row,) = rows.to_dict("records")
        if abs(row["test_error"] - errors[0, 4]) * images > ROUNDING:
            raise Wrong(
                path,
                f"replicate {row['replicate']}, draw {row['draw']}: at {row['share']:.3g} of the line the test error is"
                f" told as {row['test_error']}, the weights give {errors[0, 4]}",
            )
