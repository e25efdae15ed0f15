"""The steps of a run done without Snakemake, several at a time: the same files in the same places.

For machines that have a GPU for minutes. What is not begun before the time is up is left out, and `finished_part`
tells what is whole, so that it can be collected, judged and verified as a run of its own.
"""

import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

from lottery import stacks, tickets
from lottery.analysis.claims import judge
from lottery.analysis.claims_text import as_markdown
from lottery.analysis.tables import collect_curves, collect_levels, read_judged, write_table
from lottery.analysis.ticket_weights import describe
from lottery.arrays import write_arrays, write_text
from lottery.datasets.sources import source
from lottery.errors import LotteryError
from lottery.networks import Network, build
from lottery.planning.steps import Step, steps_of
from lottery.runs import (
    DENSE,
    REWIND_POINT,
    StackTraining,
    described,
    draws_of,
    first_iteration,
    levels_of,
    network_name_at,
    recipe_of,
    trainings,
)
from lottery.runs import (
    stacks as stacks_of,
)
from lottery.settings import ArmSettings, Experiment, Settings
from lottery.stacks import ExperimentKey
from lottery.tickets import ARMS
from lottery.training.job import Job, JobFiles, train_members
from lottery.weights import read_mask, read_parameters

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """One stack at one level of one arm, and its files."""

    settings: Settings
    run: Path
    job: StackTraining

    @property
    def experiment(self) -> Experiment:
        return self.settings.experiments[self.job.experiment]

    @property
    def key(self) -> ExperimentKey:
        return ExperimentKey(experiment=self.job.experiment, seed=self.settings.seed, dataset=self.experiment.dataset)

    @property
    def network(self) -> Network:
        data = source(self.experiment.dataset)
        name = network_name_at(self.experiment, self.job.arm, self.job.level)
        return build(name, data.image_shape, data.classes)

    @property
    def draws(self) -> int:
        return draws_of(self.experiment, self.job.arm)

    @property
    def replicates(self) -> int:
        return len(self.job.stack.members())

    def at(self, arm: str, level: int) -> "Place":
        """The same stack in another training."""
        return replace(self, job=replace(self.job, arm=arm, level=level))

    def file(self, name: str) -> Path:
        """`name` without its ending."""
        return self.run / self.job.folder / f"{name}.safetensors"

    def scored(self) -> Path:
        """The weights that this place's mask is pruned by."""
        row, level = ARMS[self.job.arm], self.job.level
        if row.mask == "pruned untrained":
            return self.at(DENSE, 0).file("start")
        if row.mask == "pruned at once" or level == 1:
            return self.at(DENSE, 0).file("trained")
        return self.at(self.job.arm, level - 1).file("trained")

    def rewind_point(self) -> Path:
        """The weights that survivors are set back to."""
        if self.experiment.rewind_iteration:
            return self.at(REWIND_POINT, 0).file("trained")
        return self.at(DENSE, 0).file("start")


def initialize(place: Place) -> None:
    job, experiment = place.job, place.experiment
    drawn = stacks.initialize(job.stack, place.key, place.network, job.level, experiment.initialisation)
    write_arrays(place.file("start"), drawn)


def prune(place: Place) -> None:
    network, row, level = place.network, tickets.arm(place.job.arm), place.job.level
    survivors = None
    if row.mask == "pruned step by step" and level > 1:
        survivors = read_mask(place.at(row.name, level - 1).file("mask"), network, place.replicates)
    counts = row.counts(network, place.experiment.pruning, level)
    scored = read_parameters(place.scored(), network, place.replicates)
    write_arrays(place.file("mask"), stacks.prune(place.job.stack, scored, survivors, counts))


def rewind(place: Place) -> None:
    source_ = place.scored() if ARMS[place.job.arm].start == "continued" else place.rewind_point()
    checkpoint = read_parameters(source_, place.network, place.replicates)
    mask = read_mask(place.file("mask"), place.network, place.replicates)
    write_arrays(place.file("start"), tickets.rewind(checkpoint, mask))


def make_control(place: Place) -> None:
    network, row, level = place.network, tickets.arm(place.job.arm), place.job.level
    ticket = read_mask(place.at(row.of, level).file("mask"), network, place.replicates)
    checkpoint = read_parameters(place.rewind_point(), network, place.replicates)
    which = (row, level, place.draws, ticket, checkpoint, place.experiment.initialisation)
    mask, start = stacks.control(place.job.stack, place.key, network, *which)
    write_arrays(place.file("mask"), mask)
    write_arrays(place.file("start"), start)


MAKERS: dict[str, Callable[[Place], None]] = {
    "initialize": initialize,
    "prune": prune,
    "rewind": rewind,
    "make-control": make_control,
}
"""What a step of each verb does, trainings and those of the whole run apart."""


def train(place: Place, datasets: Path) -> None:
    experiment, job = place.experiment, place.job
    members = job.stack.members(place.draws)
    first = first_iteration(experiment, job.arm)
    name = network_name_at(experiment, job.arm, job.level)
    recipe = recipe_of(experiment, job.arm)
    masked = job.arm in ARMS and ARMS[job.arm].mask != "none"
    folder = place.run / job.folder
    files = JobFiles(
        datasets / f"{experiment.dataset}.safetensors",
        place.file("start") if job.arm != REWIND_POINT else place.at(DENSE, 0).file("start"),
        place.file("mask") if masked else None,
        place.file("trained"),
        folder / "history.csv",
        folder / "summary.json",
        place.run / "checkpoints",
    )
    train_members(
        Job(place.key, name, recipe, job.arm, job.level, members, first),
        files,
        experiment.threads_per_job,
        experiment.checkpoint_seconds,
    )


class Execution:
    """Steps of a run, each begun when those before it are done, those of low levels first."""

    def __init__(self, settings: Settings, run: Path, datasets: Path) -> None:
        """run: the folder `results/<run>`; datasets: that of prepared datasets. What is there already is not redone."""
        self.settings, self.run, self.datasets = settings, run, datasets
        order = {name: number for number, name in enumerate(settings.run_experiments)}
        steps = {step: [each for each in before if each.place] for step, before in steps_of(settings).items()}
        self.waiting = {step: set(before) for step, before in steps.items() if step.place}
        self.rank = {
            step: (order[step.place.experiment], step.place.level, number)
            for number, step in enumerate(self.waiting)
            if step.place
        }
        self.longest: dict[str, float] = {}
        """Seconds of the longest training of each experiment."""

    def go(self, pool: Executor, at_once: int, deadline: float) -> list[Step]:
        """Do the steps in `pool`, `at_once` at a time; what would end after `deadline`, by time.monotonic(), is not
        begun.

        Returns the steps that are left. An error is raised at once; what runs in the pool then goes on to its end.
        """
        running: dict[Future[float], Step] = {}
        while True:
            ready = sorted((step for step, before in self.waiting.items() if not before), key=self.rank.__getitem__)
            for step in [step for step in ready if self.in_time(step, deadline)][: at_once - len(running)]:
                del self.waiting[step]
                running[pool.submit(do, step, self.settings, self.run, self.datasets)] = step
            if not running:
                return list(self.waiting)
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                step, seconds = running.pop(done), done.result()
                if step.training:
                    name = step.training.experiment
                    self.longest[name] = max(self.longest.get(name, 0.0), seconds)
                for before in self.waiting.values():
                    before.discard(step)

    def in_time(self, step: Step, deadline: float) -> bool:
        """Whether a step that begins now will be done in time, as far as is known."""
        assert step.place
        return time.monotonic() + self.longest.get(step.place.experiment, 0.0) < deadline


def do(step: Step, settings: Settings, run: Path, datasets: Path) -> float:
    """Do a step of a stack, unless its files are there; the seconds that it took."""
    assert step.place
    place, began = Place(settings, run, step.place), time.monotonic()
    if step.training:
        if not (run / step.place.folder / "summary.json").exists():
            train(place, datasets)
    elif not place.file("mask" if step.verb == "prune" else "start").exists():
        MAKERS[step.verb](place)
    return time.monotonic() - began


def finished_part(settings: Settings, run: Path) -> Settings:
    """The settings of as much of a run as is whole: for each experiment the levels that every stack has reached.

    Raises LotteryError when no experiment has its dense networks.
    """

    def whole(name: str, arm: str, levels: Iterable[int]) -> list[int]:
        of = stacks_of(settings.experiments[name])
        folders = {level: [StackTraining(name, each, arm, level).folder for each in of] for level in levels}
        return [lvl for lvl, all_ in folders.items() if all((run / each / "summary.json").exists() for each in all_)]

    experiments = {}
    for name in settings.run_experiments:
        experiment = settings.experiments[name]
        if not whole(name, DENSE, [0]):
            continue
        reached = {arm.arm: whole(name, arm.arm, levels_of(experiment, arm.arm)) for arm in experiment.arms}
        arms = [
            ArmSettings(arm=arm.arm, levels=reached[arm.arm], draws=arm.draws)
            for arm in experiment.arms
            if reached[arm.arm]
        ]
        deepest = max((max(levels) for levels in reached.values() if levels), default=1)
        experiments[name] = experiment.model_copy(update={"arms": arms, "levels": deepest})
    if not experiments:
        raise LotteryError(f"{run}: no experiment has all of its dense networks")
    return settings.model_copy(update={"run_experiments": list(experiments), "experiments": experiments})


def write_tables(settings: Settings, run: Path) -> None:
    """Collect and judge a run that is whole, as the verbs `collect` and `judge-claims` do."""
    folders, tables = [run / job.folder for job in trainings(settings)], run / "tables"
    write_table(tables / "levels.csv", collect_levels(folders, settings))
    write_table(tables / "curves.csv", collect_curves(folders))
    write_text(tables / "settings.json", settings.model_dump_json(indent=1) + "\n")
    if described(settings):
        layers, distributions = describe(run, settings)
        write_table(tables / "layers.csv", layers)
        write_table(tables / "distributions.csv", distributions)
    verdicts = judge(*read_judged(tables))
    write_table(tables / "claims.csv", verdicts)
    write_text(tables / "claims.md", as_markdown(verdicts))
