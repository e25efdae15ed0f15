"""The lines between trained networks along which a run measures the error."""

from dataclasses import dataclass

from lottery.arms.lineage import arm
from lottery.arms.pairs import PAIRS, End, Pair, pair_of
from lottery.arms.places import Place
from lottery.errors import LotteryError
from lottery.pruning.allocation import remaining
from lottery.runs.jobs import Job
from lottery.runs.listing import groups_of, levels_of
from lottery.settings import Experiment, Settings


@dataclass(frozen=True)
class Line:
    """A pair of networks, and the job that trains `one` of them, beside whose files its own lies."""

    job: Job
    pair: Pair

    @property
    def file(self) -> str:
        return line_file(self.pair.name)

    def jobs(self) -> list[Job]:
        """The jobs that train the two networks."""
        return [self.job.at(end.place(self.job.place)) for end in self.pair.ends]

    @property
    def size(self) -> float:
        """The fraction of weights remaining of `one`."""
        return remaining(self.job.network, self.job.counts)


def line_file(pair: str) -> str:
    """The file of a pair, in the folder of the training of `one` of it."""
    return f"line-{pair}.csv"


def lines(settings: Settings) -> list[Line]:
    """All lines of a run."""
    return [
        Line(Job(settings, Place(name, replicates, PAIRS[pair].one.arm, level)), PAIRS[pair])
        for name in settings.run_experiments
        for experiment in [settings.experiments[name]]
        for pair in experiment.interpolation.pairs
        for replicates in groups_of(experiment)
        for level in levels_of_pair(experiment, PAIRS[pair])
    ]


def levels_of_pair(experiment: Experiment, pair: Pair) -> list[int]:
    """The levels at which an experiment trains both networks of a pair."""
    return [
        level for level in levels_of(experiment, pair.one.arm) if all(has(experiment, end, level) for end in pair.ends)
    ]


def has(experiment: Experiment, end: End, level: int) -> bool:
    """Whether an experiment has the weights of an end at a level of the pair, and the mask that removes some."""
    trained = levels_of(experiment, end.arm)
    if end.before:
        # An arm pruned again and again is trained at every level before its last one.
        return bool(trained) and 1 <= level <= max(trained)
    masked = not end.pruned_by or level in levels_of(experiment, end.pruned_by)
    return (0 if arm(end.arm).whole else level) in trained and masked


def check_lines(experiment: Experiment, training_images: int, test_images: int) -> None:
    """Raise LotteryError, beginning with the key, for a line that cannot be measured.

    training_images, test_images: how many the experiment has.
    """
    for name in experiment.interpolation.pairs:
        try:
            pair = pair_of(name)
        except LotteryError as error:
            raise LotteryError(f"pairs: {error}") from None
        if not levels_of_pair(experiment, pair):
            names = " and ".join(dict.fromkeys(end.arm for end in pair.ends))
            raise LotteryError(f"pairs: {name} needs {names}, trained at the same levels")
        draws = {chosen.arm: chosen.draws for chosen in experiment.arms}
        one, other = (draws.get(end.arm, 1) for end in pair.ends)
        if other not in (1, one):
            told = f"{pair.other.arm} has {other} draws, {pair.one.arm} {one}"
            raise LotteryError(f"pairs: {name}: {told}; they must have as many, or {pair.other.arm} one")
    asked = experiment.interpolation.images
    if asked and asked > min(training_images, test_images):
        told = f"{training_images} images train and {test_images} test"
        raise LotteryError(f"images: {asked} are asked for, {told}")
