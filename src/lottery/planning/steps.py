"""The steps of a run, from nothing to its figures, and which steps each one waits for."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from lottery.figures.catalog import figures_of_run
from lottery.runs import DENSE, DESCRIBED_ARM, REWIND_POINT, StackTraining, described, trainings
from lottery.settings import Settings
from lottery.tickets import ARMS, Arm


@dataclass(frozen=True)
class Step:
    """One job: a verb of the package and what it makes: files of a stack, or a dataset or figure of some name."""

    verb: str
    place: StackTraining | None = None
    name: str = ""

    @property
    def training(self) -> StackTraining | None:
        """What it trains, if it does."""
        return self.place if self.verb == "train" else None


Steps = dict[Step, list[Step]]
"""Steps and those that each waits for, which come before it."""


def steps_of(settings: Settings) -> Steps:
    """All steps of a run, whether or not some of its results are there already."""
    trained = [Step("train", place) for place in trainings(settings)]
    steps: Steps = {}

    def add(step: Step) -> None:
        if step in steps:
            return
        waits_for = list(before(step, settings))
        for earlier in waits_for:
            add(earlier)
        steps[step] = waits_for

    for step in trained:
        add(step)
    collect = Step("collect")
    steps[collect] = trained
    tables = [collect]
    if described(settings):
        describe = Step("describe-tickets")
        steps[describe] = [
            step
            for step in steps
            if step.place and step.place.experiment in described(settings) and step.place.arm in (DENSE, DESCRIBED_ARM)
        ]
        tables.append(describe)
    steps[Step("judge-claims")] = tables
    return steps | {Step("plot", name=figure): tables for figure in figures_of_run(settings)}


def before(step: Step, settings: Settings) -> Iterator[Step]:
    """The steps whose files a step of a stack reads."""
    place = step.place
    if not place:
        return
    dense, row = replace(place, arm=DENSE, level=0), ARMS.get(place.arm)
    match step.verb:
        case "train":
            yield Step("prepare-dataset", name=settings.experiments[place.experiment].dataset)
            yield starting(place, row)
        case "prune":
            yield scored(place, row)
        case "rewind":
            assert row
            yield scored(place, row) if row.start == "continued" else rewind_point(dense, settings)
            yield Step("prune", place)
        case "make-control":
            assert row
            yield from [Step("prune", replace(place, arm=row.of)), rewind_point(dense, settings)]


def scored(place: StackTraining, row: Arm | None) -> Step:
    """The step that writes the weights that a pruning scores; for the first one they are the dense network's."""
    dense = replace(place, arm=DENSE, level=0)
    if row and row.mask == "pruned untrained":
        return Step("initialize", dense)
    at_once = place.level == 1 or (row and row.mask == "pruned at once")
    return Step("train", dense if at_once else replace(place, level=place.level - 1))


def rewind_point(dense: StackTraining, settings: Settings) -> Step:
    """The step that writes the weights that survivors are set back to."""
    if settings.experiments[dense.experiment].rewind_iteration:
        return Step("train", replace(dense, arm=REWIND_POINT))
    return Step("initialize", dense)


def starting(place: StackTraining, row: Arm | None) -> Step:
    """The step that writes the starting weights of a training, after or together with its mask; row: None if dense."""
    if place.arm == REWIND_POINT:
        return Step("initialize", replace(place, arm=DENSE))
    if row is None or row.mask == "none":
        return Step("initialize", place)
    return Step("make-control" if row.of else "rewind", place)
