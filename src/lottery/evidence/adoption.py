"""A run that was moved here, or of which files are gone: what of it is what today's code makes with its settings.

All is looked at in the order in which it is made. Datasets, masks, starts and scores need no training: they are
compared with what they are made from, and made again where they differ or are gone. A training is known by its
summary.json: the code and the settings that made it, and the checksums of what it read and wrote. Tables and figures
are made anew and compared. What is right is recorded, and what is not is left for Snakemake to make again.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import cast

from lottery.analysis.speed import read_levels
from lottery.analysis.tables import read_summary
from lottery.arms.lineage import File, Maker, files_read
from lottery.arms.pairs import PAIRS
from lottery.arms.places import Place
from lottery.arrays import read_bytes
from lottery.code import REPOSITORY, of_verb
from lottery.datasets.catalog import source
from lottery.datasets.images import check_prepared, prepare
from lottery.datasets.raw import Places
from lottery.errors import LotteryError
from lottery.evidence.records import Records, is_held
from lottery.evidence.tables import check_figure, check_texts
from lottery.evidence.verification import Verification, check_line
from lottery.evidence.wrong import Wrong
from lottery.planning.tasks import Task, files_of, tasks_of
from lottery.pruning.criteria import CRITERIA
from lottery.runs import dependence
from lottery.runs.files import mask, scores
from lottery.runs.jobs import Job
from lottery.runs.keeping import LET_GO, kept_file, of_described
from lottery.runs.lines import Line
from lottery.runs.listing import compared_files, described_files
from lottery.runs.reading import read_finished_run, read_settings_of
from lottery.runs.steps import STEPS
from lottery.settings import Settings


class State(Enum):
    """Of a task: its files are right; some are not, or are gone; it was not done yet."""

    RIGHT = "right"
    STALE = "stale"
    ABSENT = "absent"


def adopt(run: Path, file: Path | None = None) -> "Adoption":
    """Look at a run, make again what takes no training, record what is right, and mark the rest as to be made again.

    run: the folder `results/<run>`; file: of its settings, `settings.json` there when absent. Raises LotteryError when
    it cannot be read, when Snakemake runs there, and when a dataset cannot be had.
    """
    file = file or run / "settings.json"
    settings = read_settings_of(run, file)
    path = Path.cwd() / run  # not resolved: `results` may be a link to another disk
    folder = path.parents[1]
    if path != folder / "results" / settings.run:
        raise LotteryError(f"{run}: is not the folder results/{settings.run}, which its settings name")
    if is_held(folder):
        raise LotteryError(f"{folder}: Snakemake runs in this folder; wait until it is done")
    found = Adoption(run, settings)
    found.look()
    records = Records(folder)
    # Snakemake makes nothing again whose inputs were let go and that is there.
    for table in found.made_from_what_was_let_go():
        table.unlink()
    records.forget(found.named(found.in_state(State.STALE)))
    records.take(found.named(found.last_right(), one_each=True), file)
    return found


class Adoption:
    """What was found of a run. made: files that were made again; wrong: a line for each task that is stale for itself,
    and not for what it is made from.
    """

    def __init__(self, run: Path, settings: Settings) -> None:
        self.run, self.settings = run, settings
        self.tasks = tasks_of(settings)
        self.following: dict[Task, list[Task]] = defaultdict(list)
        for task, earlier in self.tasks.items():
            for each in earlier:
                self.following[each].append(task)
        self.states: dict[Task, State] = {}
        self.made: list[Path] = []
        self.wrong: list[str] = []

    def look(self) -> None:
        """Find the state of each task, after those that it waits for."""
        for task, earlier in self.tasks.items():
            if any(self.states[each] is not State.RIGHT for each in earlier):
                self.states[task] = State.STALE if self.there(task) else State.ABSENT
            elif task.verb in MADE_AT_ONCE:
                self.states[task] = self.made_right(task)
            elif not self.there(task):
                self.states[task] = State.ABSENT
            else:
                self.states[task] = self.checked(task, CHECKS[task.verb])

    def there(self, task: Task) -> list[str]:
        """The files of a task that there are, below the run's folder."""
        return [file for file in files_of(task) if (self.run / file).exists()]

    def made_from_what_was_let_go(self) -> list[Path]:
        """Tables that are stale, and tell of weights that are gone."""
        gone = any(not (self.run / file).exists() for file in described_files(self.settings))
        stale = [task for task in self.in_state(State.STALE) if task.verb == "describe-tickets" and gone]
        return [self.run / file for task in stale for file in self.there(task)]

    def in_state(self, state: State) -> list[Task]:
        return [task for task, its in self.states.items() if its is state]

    def last_right(self) -> list[Task]:
        """Tasks that are right, and from which nothing right is made."""
        right = self.in_state(State.RIGHT)
        before_right = {earlier for task in right for earlier in self.tasks[task]}
        return [task for task in right if task not in before_right]

    def named(self, tasks: Iterable[Task], one_each: bool = False) -> list[str]:
        """The files of tasks that there are, as Snakemake names them."""
        files = (self.there(task)[: 1 if one_each else None] for task in tasks)
        return [os.path.normpath(f"results/{self.settings.run}/{file}") for each in files for file in each]

    def checked(self, task: Task, check: Callable[["Adoption", Task], None]) -> State:
        try:
            check(self, task)
        except (Wrong, LotteryError) as problem:
            self.wrong.append(str(problem))
            return State.STALE
        return State.RIGHT

    def made_right(self, task: Task) -> State:
        """The state of a task that takes no training: its files are made again where they are not right."""
        followed = any(self.there(each) for each in self.following[task])
        if not followed and not self.there(task):
            return State.ABSENT
        if self.inputs_gone(task):
            return self.checked(task, check_let_go if task.verb == "interpolate" else check_told)
        wanted = [file for file in files_of(task) if (self.run / file).exists() or self.kept(task, file)]
        try:
            if set(wanted) - set(self.there(task)):
                raise LotteryError("files are gone")
            if wanted:
                CHECKS[task.verb](self, task)
        except (Wrong, LotteryError):
            try:
                make(self, task)
            except LotteryError as problem:
                if task.verb == "prepare-dataset":
                    raise
                self.wrong.append(str(problem))  # such as a GPU that is not there
                return State.STALE
            self.made += [self.run / file for file in wanted]
        return State.RIGHT

    def kept(self, task: Task, file: str) -> bool:
        """Whether a finished run keeps a file of a task."""
        return not task.place or kept_file(self.settings, task.place, Path(file).stem, self.settings.keep)

    def inputs_gone(self, task: Task) -> bool:
        """Whether something that a task reads was let go."""
        if not task.place:
            return False
        if task.verb == "interpolate":
            read: list[tuple[Place, File]] = [(job.place, "trained") for job in line_of(self, task).jobs()]
        else:
            read = files_read(task.place, task.verb, self.job(task).experiment)
        return not all(self.job(task).at(place).path(self.run, file).exists() for place, file in read)

    def job(self, task: Task) -> Job:
        assert task.place
        return Job(self.settings, task.place)

    def verification(self, task: Task) -> Verification:
        """The checks of a task's place."""
        return Verification(self.run, self.job(task), None)

    def dataset(self, task: Task) -> Path:
        return self.run.parent / "data" / f"{task.name}.safetensors"


def check_dataset(found: Adoption, task: Task) -> None:
    check_prepared(found.dataset(task), source(task.name))


def check_scores(found: Adoption, task: Task) -> None:
    """Scores are those that the images give; those that are learnt, as long as a training takes, are those told of."""
    if CRITERIA[found.job(task).arm.criterion].learnt:
        check_told(found, task)
    else:
        found.verification(task).check_scores(scores(found.run, found.job(task)))


def check_errors_along(found: Adoption, task: Task) -> None:
    """Errors on the line between two networks are what their weights give at its worst point."""
    check_line(found.run, line_of(found, task), found.run.parent / "data")


def line_of(found: Adoption, task: Task) -> Line:
    return Line(found.job(task), PAIRS[task.name])


def check_arrays_of_place(found: Adoption, task: Task) -> None:
    """Masks and starts are what they are made of now."""
    verification, job = found.verification(task), found.job(task)
    own = mask(found.run, job) if job.arm.masked else {}
    files = {Path(file).stem for file in files_of(task)}
    if "mask" in files:
        verification.check_mask(own)
    if "start" in files:
        verification.check_start(verification.parameters("start.safetensors"), own)


def check_training(found: Adoption, task: Task) -> None:
    """The summary is of this code and these settings, and the files are those that it speaks of."""
    verification = found.verification(task)
    summary = read_summary(verification.folder)
    verification.check_summary(summary)
    check_told(found, task)


def check_told(found: Adoption, task: Task) -> None:
    """By a training's summary, its place's files of a verb were made by this code with these settings."""
    verification, verb = found.verification(task), cast(Maker, task.verb)
    summary, path = read_summary(verification.folder), verification.folder / "summary.json"
    if summary.code.get(verb) != of_verb(verb):
        told = "was made by other code" if verb in summary.code else "does not say by which code it was made"
        raise Wrong(path, f"{told} than this of `lottery {verb}`" if verb in summary.code else told)
    if summary.depends_on.get(verb) != dependence.depends_on(found.job(task), verb):
        raise Wrong(path, f"was made by `lottery {verb}` with other settings than those of the run")
    let_go = [name for name in summary.sha256 if not found.kept(task, name)]
    verification.check_checksums(summary, let_go)


def check_tables(found: Adoption, task: Task) -> None:
    tables = found.run / "tables"
    if task.verb == "collect":
        told = read_finished_run(tables / "settings.json")
        if dependence.of_results(told) != dependence.of_results(found.settings):
            raise Wrong(tables / "settings.json", "tells of other settings than those of the run")
    check_whole(found, task)
    read = {"describe-tickets": described_files, "compare-masks": compared_files}.get(task.verb)
    if read and any(not (found.run / file).exists() for file in read(found.settings)):
        check_let_go(found, task)
    else:
        check_texts(found.run, task.verb, found.settings)


def check_let_go(found: Adoption, _: Task) -> None:
    """What tells of weights that were let go is what was written down before they were."""
    let_go = found.run / LET_GO
    if read_bytes(let_go) != of_described(found.run, found.settings).encode():
        raise Wrong(let_go, "tells of other tables, code or settings; the weights that tables told of were let go")


def check_picture(found: Adoption, task: Task) -> None:
    check_whole(found, task)
    levels = read_levels(found.run / "tables")
    for name in task.name.split():
        check_figure(found.run, name, levels)


def check_whole(found: Adoption, task: Task) -> None:
    """Raise LotteryError unless all files of a task are there."""
    for file in set(files_of(task)) - set(found.there(task)):
        raise Wrong(found.run / file, "is gone")


CHECKS: dict[str, Callable[[Adoption, Task], None]] = {
    "prepare-dataset": check_dataset,
    **dict.fromkeys(STEPS, check_arrays_of_place),
    "score": check_scores,
    "train": check_training,
    "interpolate": check_errors_along,
    **dict.fromkeys(("collect", "describe-tickets", "collect-barriers", "compare-masks", "judge-claims"), check_tables),
    "plot": check_picture,
}
"""By verb: raises Wrong or LotteryError, naming the file, unless what a task made is right, given that all it waits for
is.
"""

MADE_AT_ONCE = {"prepare-dataset", "score", "interpolate", *STEPS}


def make(found: Adoption, task: Task) -> None:
    """Make the files of a task that takes no training. Raises LotteryError when a dataset cannot be had."""
    if task.verb == "prepare-dataset":
        named = found.settings.data_mirror or os.environ.get("LOTTERY_DATA")
        places = Places(
            REPOSITORY / "resources", Path(named).expanduser() if named else None, found.run.parent / "data/raw"
        )
        prepare(task.name, places, found.dataset(task))
    elif task.verb == "score":
        from lottery.training.scores import score

        score(found.job(task), found.run)
    elif task.verb == "interpolate":
        from lottery.training.interpolation import interpolate

        interpolate(line_of(found, task), found.run)
    else:
        STEPS[task.verb](found.job(task), found.run)
