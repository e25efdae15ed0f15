"""Is a finished run what it says it is? Everything is recomputed from its files: masks, starts, accuracies, tables."""

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

from lottery import stacks
from lottery.analysis.claims import judge
from lottery.analysis.tables import (
    HISTORY,
    Summary,
    collect_curves,
    collect_levels,
    read_judged,
    read_summary,
    read_table,
)
from lottery.analysis.ticket_weights import describe
from lottery.arrays import Arrays, read_bytes
from lottery.datasets.images import Part, check_prepared, read_splits
from lottery.datasets.sources import source
from lottery.errors import LotteryError
from lottery.extensions import LOADED, needed
from lottery.networks import Network, build
from lottery.runs import (
    DENSE,
    REWIND_POINT,
    StackTraining,
    counts_at,
    described,
    draws_of,
    first_iteration,
    network_name_at,
    network_of,
    read_finished_run,
    recipe_of,
    rewind_points,
    trainings,
    unpruned,
)
from lottery.settings import Experiment, Settings
from lottery.stacks import ExperimentKey
from lottery.tickets import arm, rewind
from lottery.training.job import engine_of
from lottery.weights import read_mask, read_parameters

log = logging.getLogger(__name__)

ROUNDING = 2
"""Images that another processor may put into another class: two outputs are equal there but for rounding."""


class Wrong(Exception):  # noqa: N818 - a finding
    """A file that is not what it should be: its path, and what is wrong with it."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")


def verify(run: Path, datasets: Path) -> Iterator[str]:
    """One line for each file of a finished run that is wrong: its path and what was found.

    Where the images of an experiment cannot be read, all but the accuracies of its networks is checked.

    run: the folder `results/<run>`; datasets: the folder of prepared datasets. Raises LotteryError when there is no
    such run.
    """
    settings = read_finished_run(run / "tables" / "settings.json")
    jobs = sorted([*rewind_points(settings), *trainings(settings)], key=attrgetter("experiment"))
    unread: set[str] = set()
    experiment, images = None, None
    for number, job in enumerate(jobs, start=1):
        log.info("%d of %d: %s", number, len(jobs), job.folder)
        if job.experiment != experiment:
            experiment, images = job.experiment, None
            try:
                images = evaluated_images(settings, experiment, datasets)
            except LotteryError as problem:
                if str(problem) not in unread:
                    unread.add(str(problem))
                    yield str(problem)
        try:
            Verification(run, settings, job, images).check()
        except (Wrong, LotteryError) as problem:
            yield str(problem)
    try:
        check_tables(run, settings)
    except (Wrong, LotteryError) as problem:
        yield str(problem)


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
    resident = engine_of(chosen.training, network_of(chosen)).resident(splits, chosen.training)
    return Evaluated({part: len(images) for part, images in splits[0].parts.items()}, resident)


class Verification:
    """One training job's files, and all that they are made of."""

    def __init__(self, run: Path, settings: Settings, job: StackTraining, images: Evaluated | None) -> None:
        self.run, self.job, self.images = run, job, images
        self.folder = run / job.folder
        self.experiment: Experiment = settings.experiments[job.experiment]
        self.key = ExperimentKey(experiment=job.experiment, seed=settings.seed, dataset=self.experiment.dataset)
        self.draws = draws_of(self.experiment, job.arm)
        self.members = job.stack.members(self.draws)
        self.network = self.network_at(job.arm, job.level)
        self.recipe = recipe_of(self.experiment, job.arm)
        self.masked = not unpruned(job.arm)
        used = needed(settings.extensions, self.experiment.network, self.experiment.dataset)
        self.extensions = {str(Path(path)): LOADED[Path(path).resolve()].sha256 for path in used}

    def network_at(self, arm_name: str, level: int) -> Network:
        data = source(self.experiment.dataset)
        return build(network_name_at(self.experiment, arm_name, level), data.image_shape, data.classes)

    def check(self) -> None:
        """Raise Wrong for the first thing that is wrong."""
        summary = read_summary(self.folder)
        self.check_summary(summary)
        for name, sha256 in summary.sha256.items():
            if hashlib.sha256(read_bytes(self.path(name))).hexdigest() != sha256:
                raise Wrong(self.path(name), "is not the file that summary.json speaks of (SHA-256)")
        start = self.parameters("start.safetensors")
        mask = read_mask(self.folder / "mask.safetensors", self.network, len(self.members)) if self.masked else {}
        if self.masked:
            self.check_mask(mask)
        self.check_start(start, mask)
        trained = self.parameters("trained.safetensors")
        for name, kept in mask.items():
            if trained[name][kept == 0].any():
                raise Wrong(self.folder / "trained.safetensors", f"{name} has pruned weights that are not 0")
        self.check_history(summary)
        if self.images:
            self.check_accuracies(summary, trained, mask, self.images)

    def path(self, name: str) -> Path:
        """A file of this job; the training up to the rewind iteration starts from the dense network's."""
        shared = self.job.arm == REWIND_POINT and name == "start.safetensors"
        return (self.run / replace(self.job, arm=DENSE).folder if shared else self.folder) / name

    def parameters(self, name: str) -> Arrays:
        return read_parameters(self.path(name), self.network, len(self.members))

    def check_summary(self, summary: Summary) -> None:
        """It speaks of this job, and of the weights that the mask keeps."""
        kept = self.network.weights
        if self.masked:
            kept = sum(counts_at(self.experiment, self.job.arm, self.job.level).values())
        expected = {
            "experiment": self.job.experiment,
            "arm": self.job.arm,
            "level": self.job.level,
            "seed": self.key.seed,
            "dataset": self.experiment.dataset,
            "network": network_name_at(self.experiment, self.job.arm, self.job.level),
            "training": self.recipe,
            "first_iteration": first_iteration(self.experiment, self.job.arm),
            "extensions": self.extensions,
            "members": [(member.replicate, member.draw, kept) for member in self.members],
        }
        found = {name: getattr(summary, name) for name in expected}
        found["members"] = [(member.replicate, member.draw, member.weights) for member in summary.members]
        for name, value in expected.items():
            if found[name] != value:
                raise Wrong(
                    self.folder / "summary.json",
                    f"{name} is {found[name]}, tables/settings.json and the files it names ask for {value}",
                )

    def check_mask(self, mask: Arrays) -> None:
        """Nested and exact: what pruning, or the ticket that a control shares or imitates, gives."""
        row, level, stack = arm(self.job.arm), self.job.level, self.job.stack
        counts = counts_at(self.experiment, self.job.arm, level)
        if row.of:
            (expected, _), of = self.control(), f"{row.of} at level {level}"
        else:
            before, level_before = self.scored()
            survivors = self.other_mask(before, level_before) if before != DENSE else None
            expected = stacks.prune(stack, self.scored_weights(), survivors, counts)
            of = f"the pruning of {before} at level {level_before}"
        for group, count in counts.items():
            kept_by = [mask[name].reshape(len(self.members), -1).sum(axis=1, dtype=np.int64) for name in group]
            per_member = np.sum(kept_by, axis=0)
            if (per_member != count).any():
                told = f"{', '.join(group)} keeps {per_member.tolist()} weights, not {count}"
                raise Wrong(self.folder / "mask.safetensors", told)
        for name, kept in mask.items():
            differing = int((kept != expected[name]).sum())
            if differing:
                raise Wrong(self.folder / "mask.safetensors", f"{differing} entries of {name} are not those of {of}")

    def scored(self) -> tuple[str, int]:
        """The arm and level whose weights this job's mask was pruned from."""
        row, level = arm(self.job.arm), self.job.level
        return (row.name, level - 1) if row.mask == "pruned step by step" and level > 1 else (DENSE, 0)

    def scored_weights(self) -> Arrays:
        untrained = arm(self.job.arm).mask == "pruned untrained"
        return self.other_parameters(*self.scored(), "start.safetensors" if untrained else "trained.safetensors")

    def control(self) -> tuple[Arrays, Arrays]:
        """Mask and start of an arm that takes or imitates the mask of another."""
        row, level = arm(self.job.arm), self.job.level
        ticket = self.other_mask(row.of, level)
        made_from = (row, level, self.draws, ticket, self.rewind_point(), self.experiment.initialisation)
        return stacks.control(self.job.stack, self.key, self.network, *made_from)

    def check_start(self, start: Arrays, mask: Arrays) -> None:
        """Bit for bit the mask times its source."""
        row = arm(self.job.arm) if self.masked else None
        if row is None:
            drawn = (self.job.stack, self.key, self.network, self.job.level, self.experiment.initialisation)
            kind, expected = "initialised", stacks.initialize(*drawn)
        elif row.of:
            kind, (_, expected) = row.start, self.control()
        else:
            source_ = self.scored_weights() if row.start == "continued" else self.rewind_point()
            kind, expected = row.start, rewind(source_, mask)
        for name, values in start.items():
            differing = int((values.view(np.uint32) != expected[name].view(np.uint32)).sum())
            if differing:
                raise Wrong(self.folder / "start.safetensors", f"{differing} numbers of {name} are not {kind} ones")

    def check_history(self, summary: Summary) -> None:
        """The early stop is the first least validation loss of the history."""
        path, recipe = self.folder / "history.csv", self.recipe
        first = first_iteration(self.experiment, self.job.arm)
        history = read_table(path, HISTORY)
        for member in summary.members:
            rows = history[(history["replicate"] == member.replicate) & (history["draw"] == member.draw)]
            if member.diverged_iteration is not None:
                continue
            if rows["iteration"].tolist() != list(range(first, recipe.iterations + 1, recipe.validation_every)):
                raise Wrong(path, f"replicate {member.replicate}, draw {member.draw} is not on the evaluation grid")
            best = rows.loc[rows["validation_loss"].idxmin()]
            told = (
                member.early_stop_iteration,
                member.validation_loss_at_early_stop,
                member.validation_accuracy_at_early_stop,
            )
            found = tuple(best[["iteration", "validation_loss", "validation_accuracy"]])
            if told != found:
                raise Wrong(path, f"iteration, loss and accuracy of the least validation loss are {found}, not {told}")

    def check_accuracies(self, summary: Summary, trained: Arrays, mask: Arrays, images: Evaluated) -> None:
        """The accuracies told are those of the weights, and the validation images those of each replicate."""
        engine, recipe = engine_of(self.recipe, self.network), self.recipe
        engine.one_thread()
        resident = [images.resident[member.replicate] for member in self.members]
        evaluated = engine.Engine(self.network, trained, mask or None, resident, recipe)
        history = read_table(self.folder / "history.csv", HISTORY)
        validation = history.groupby(["replicate", "draw"])["validation_accuracy"].last()
        for part, count in images.count.items():
            path = self.folder / ("history.csv" if part == "validation" else "summary.json")
            _, accuracies = evaluated.evaluate(part)
            for member, accuracy in zip(summary.members, accuracies.tolist(), strict=True):
                if member.diverged_iteration is not None:
                    continue
                who = member.replicate, member.draw
                told = validation[who] if part == "validation" else getattr(member, f"{part}_accuracy_final")
                if told is None or abs(told - accuracy) * count > ROUNDING:
                    raise Wrong(
                        path,
                        f"replicate {member.replicate}, draw {member.draw}: {part} accuracy is told as {told},"
                        f" trained.safetensors has {accuracy} (with the images that this code chooses; the run is of"
                        f" commit {summary.git_commit})",
                    )

    def other_parameters(self, arm_name: str, level: int, name: str) -> Arrays:
        """The parameters of the same replicates in another training."""
        path = self.run / StackTraining(self.job.experiment, self.job.stack, arm_name, level).folder / name
        return read_parameters(path, self.network_at(arm_name, level), self.replicates())

    def rewind_point(self) -> Arrays:
        """What survivors are set back to."""
        if self.experiment.rewind_iteration:
            return self.other_parameters(REWIND_POINT, 0, "trained.safetensors")
        return self.other_parameters(DENSE, 0, "start.safetensors")

    def other_mask(self, arm_name: str, level: int) -> Arrays:
        path = self.run / StackTraining(self.job.experiment, self.job.stack, arm_name, level).folder
        return read_mask(path / "mask.safetensors", self.network_at(arm_name, level), self.replicates())

    def replicates(self) -> int:
        return len(self.job.stack.members())


def check_tables(run: Path, settings: Settings) -> None:
    """The tables are those of the summaries and histories, and the claims those of the tables."""
    tables, folders = run / "tables", [run / job.folder for job in trainings(settings)]
    levels = collect_levels(folders, settings)
    expected = {
        "levels.csv": levels,
        "curves.csv": collect_curves(folders),
    }
    if described(settings):
        expected["layers.csv"], expected["distributions.csv"] = describe(run, settings)
    expected["claims.csv"] = judge(*read_judged(tables))
    for name, table in expected.items():
        lines = table.to_csv(index=False, lineterminator="\n").splitlines()
        found = read_bytes(tables / name).decode(errors="replace").splitlines()
        if found != lines:
            differing = next((i for i, pair in enumerate(zip(found, lines, strict=False)) if pair[0] != pair[1]), None)
            place = len(found) if differing is None else differing
            raise Wrong(tables / name, f"line {place + 1} is not what the run's other files give")
