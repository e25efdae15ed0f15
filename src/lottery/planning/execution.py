"""A run's tasks done without Snakemake, several at a time: the same files in the same places.

For machines that have a GPU for minutes. What is not begun before the time is up is left out, and `finished_part`
tells what is whole, so that it can be collected, judged and verified as a run of its own.
"""

import logging
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from pathlib import Path

from lottery.analysis.barriers import collect_barriers
from lottery.analysis.collecting import collect
from lottery.analysis.judging import judge_run
from lottery.analysis.overlaps import compare_masks
from lottery.analysis.tables import read_summary, write_table
from lottery.analysis.ticket_weights import describe
from lottery.arms.pairs import PAIRS
from lottery.arms.places import DENSE, Place
from lottery.errors import LotteryError
from lottery.planning.tasks import Task, tasks_of
from lottery.runs.jobs import Job
from lottery.runs.lines import Line, lines
from lottery.runs.listing import compared_files, described, groups_of, levels_of
from lottery.runs.steps import STEPS
from lottery.settings import Settings
from lottery.training.job import train_members

log = logging.getLogger(__name__)


class Execution:
    """Tasks of a run, each begun when those before it are done, those of low levels first."""

    def __init__(self, settings: Settings, run: Path) -> None:
        """run: the folder `results/<run>`; `data` beside it has the prepared datasets. What is there is not redone."""
        self.settings, self.run = settings, run
        order = {name: number for number, name in enumerate(settings.run_experiments)}
        tasks = {task: [each for each in before if each.place] for task, before in tasks_of(settings).items()}
        self.waiting = {task: set(before) for task, before in tasks.items() if task.place}
        self.rank = {
            task: (order[task.place.experiment], task.place.level, number)
            for number, task in enumerate(self.waiting)
            if task.place
        }
        self.longest: dict[str, float] = {}
        """Seconds of the longest training of each experiment."""

    def go(self, pool: Executor, at_once: int, deadline: float) -> list[Task]:
        """Do the tasks in `pool`, `at_once` at a time; what would end after `deadline`, by time.monotonic(), is not
        begun.

        Returns the tasks that are left. An error is raised at once; what runs in the pool then goes on to its end.
        """
        running: dict[Future[float], Task] = {}
        while True:
            ready = sorted((task for task, before in self.waiting.items() if not before), key=self.rank.__getitem__)
            for task in [task for task in ready if self.in_time(task, deadline)][: at_once - len(running)]:
                del self.waiting[task]
                running[pool.submit(do, task, self.settings, self.run)] = task
            if not running:
                return list(self.waiting)
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                task, seconds = running.pop(done), done.result()
                if task.training:
                    name = task.training.experiment
                    self.longest[name] = max(self.longest.get(name, 0.0), seconds)
                for before in self.waiting.values():
                    before.discard(task)

    def in_time(self, task: Task, deadline: float) -> bool:
        """Whether a task that begins now will be done in time, as far as is known."""
        assert task.place
        return time.monotonic() + self.longest.get(task.place.experiment, 0.0) < deadline


def do(task: Task, settings: Settings, run: Path) -> float:
    """Do a task of a place, unless its files are there; the seconds that it took."""
    assert task.place
    job, began = Job(settings, task.place), time.monotonic()
    if task.training:
        if not trained_already(job, run):
            train_members(job, run, job.experiment.threads_per_job)
    elif task.verb == "score":
        from lottery.training.scores import score

        if not job.path(run, "scores").exists():
            score(job, run)
    elif task.verb == "interpolate":
        from lottery.training.interpolation import interpolate

        line = Line(job, PAIRS[task.name])
        if not job.path(run, line.file).exists():
            interpolate(line, run)
    elif not job.path(run, "mask" if task.verb == "prune" else "start").exists():
        STEPS[task.verb](job, run)
    return time.monotonic() - began


def trained_already(job: Job, run: Path) -> bool:
    """Whether a place has the results of a training by these settings."""
    if not job.path(run, "summary.json").exists():
        return False
    summary = read_summary(run / job.place.folder)
    return (summary.training, summary.first_iteration) == (job.training, job.first_iteration)


def finished_part(settings: Settings, run: Path) -> Settings:
    """The settings of as much of a run as is whole: for each experiment the levels that all replicates have reached.

    Raises LotteryError when no experiment has its dense networks.
    """

    def whole(name: str, arm: str, levels: Iterable[int]) -> list[int]:
        groups = groups_of(settings.experiments[name])
        folders = {level: [Place(name, each, arm, level).folder for each in groups] for level in levels}
        return [lvl for lvl, all_ in folders.items() if all((run / each / "summary.json").exists() for each in all_)]

    experiments = {}
    for name in settings.run_experiments:
        experiment = settings.experiments[name]
        if not whole(name, DENSE, [0]):
            continue
        reached = {arm.arm: whole(name, arm.arm, levels_of(experiment, arm.arm)) for arm in experiment.arms}
        arms = [arm.model_copy(update={"levels": reached[arm.arm]}) for arm in experiment.arms if reached[arm.arm]]
        experiments[name] = experiment.model_copy(update={"arms": arms})
    if not experiments:
        raise LotteryError(f"{run}: no experiment has all of its dense networks")
    part = settings.model_copy(update={"run_experiments": list(experiments), "experiments": experiments})
    unmeasured = {
        (line.job.place.experiment, line.pair.name)
        for line in lines(part)
        if not line.job.path(run, line.file).exists()
    }
    whole_files = all((run / file).exists() for file in compared_files(part))
    for name, experiment in experiments.items():
        pairs = [pair for pair in experiment.interpolation.pairs if (name, pair) not in unmeasured]
        told = {"interpolation": experiment.interpolation.model_copy(update={"pairs": pairs})}
        experiments[name] = experiment.model_copy(update=told | ({} if whole_files else {"compared_masks": []}))
    return settings.model_copy(update={"run_experiments": list(experiments), "experiments": experiments})


def write_tables(settings: Settings, run: Path) -> None:
    """Collect and judge a run that is whole, as the verbs `collect` and `judge-claims` do."""
    collect(run, settings)
    if described(settings):
        for name, table in describe(run, settings).items():
            write_table(run / "tables" / f"{name}.csv", table)
    if lines(settings):
        write_table(run / "tables" / "barriers.csv", collect_barriers(run, settings))
    if compared_files(settings):
        write_table(run / "tables" / "overlaps.csv", compare_masks(run, settings))
    judge_run(run)
