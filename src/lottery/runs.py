"""What a run consists of: settings whose names are known, and the trainings that they ask for."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lottery.datasets.sources import source
from lottery.errors import LotteryError
from lottery.networks import Network, build, narrowed
from lottery.pruning.allocation import Counts, dense_counts
from lottery.settings import ArmSettings, Experiment, Settings, read_settings
from lottery.stacks import Stack
from lottery.tickets import arm

DENSE = "dense"
"""The arm of the unpruned network, at level 0."""


@dataclass(frozen=True)
class StackTraining:
    """One training job: a stack of an arm's networks at a level, named by its folder below `results/<run>`."""

    experiment: str
    stack: Stack
    arm: str
    level: int

    @property
    def folder(self) -> str:
        return f"{self.experiment}/{self.stack}/{self.arm}/level{self.level}"


def read_run(config: Mapping[str, Any]) -> Settings:
    """The settings of a run, with every name in them known and every level possible.

    Raises LotteryError with one line per wrong key.
    """
    settings = read_settings(config)
    wrong = [
        f"config: experiments.{name}.{problem}"
        for name, experiment in settings.experiments.items()
        for problem in problems(experiment)
    ]
    if wrong:
        raise LotteryError("\n".join(wrong))
    return settings


def problems(experiment: Experiment) -> list[str]:
    """What an experiment names that is unknown, or asks for that cannot be; each begins with its key."""
    try:
        network = network_of(experiment)
    except LotteryError as error:
        return [str(error)]
    images = source(experiment.dataset).training_images
    found = []
    if experiment.training.validation_images >= images:
        asked = experiment.training.validation_images
        found.append(f"training.validation_images: {asked} of {images} training images leave none to train on")
    arms: dict[str, str] = {}  # what is wrong with several arms is told of the first
    for index, settings in enumerate(experiment.arms):
        try:
            check_arm(experiment, settings, network)
        except LotteryError as error:
            arms.setdefault(str(error), f"arms.{index}.{error}")
    return [*found, *arms.values()]


def check_arm(experiment: Experiment, settings: ArmSettings, network: Network) -> None:
    """Raise LotteryError, beginning with the key, when an arm is unknown or one of its levels cannot be."""
    row = arm(settings.arm)
    if settings.draws > 1 and not row.samples:
        raise LotteryError(f"draws: {row.name} does not sample, so draws must be 1, not {settings.draws}")
    levels = levels_of(experiment, row.name)
    if not levels:
        raise LotteryError(f"levels: linear_step {experiment.pruning.linear_step} allows no level")
    deepest = max(levels)
    if not row.linear and deepest > experiment.levels:
        raise LotteryError(
            f"levels: {row.name} at level {deepest} is beyond the experiment's {experiment.levels} levels;"
            " name lower ones, or `all`"
        )
    try:
        before, after = (row.counts(network, experiment.pruning, level) for level in (deepest - 1, deepest))
    except LotteryError as error:
        raise LotteryError(f"levels: {error}") from None
    for layer, kept in after.items():
        if kept == 0 or kept == before[layer] < dense_counts(network)[layer]:
            raise LotteryError(
                f"levels: level {deepest} would leave {kept} of the {before[layer]} weights that {layer} has one level"
                " before: too few to prune further"
            )


def network_of(experiment: Experiment) -> Network:
    """The experiment's dense network."""
    data = source(experiment.dataset)
    return build(experiment.network, data.inputs, data.classes)


def network_name_at(experiment: Experiment, arm_name: str, level: int) -> str:
    """The name of the network that an arm trains at a level: a narrower one for arms without a mask."""
    if arm_name == DENSE or arm(arm_name).mask != "none":
        return experiment.network
    data = source(experiment.dataset)
    weights = sum(counts_at(experiment, arm_name, level).values())
    return narrowed(experiment.network, data.inputs, data.classes, weights)


def counts_at(experiment: Experiment, arm_name: str, level: int) -> Counts:
    """Weights kept in each layer of an arm's mask at a level."""
    network = network_of(experiment)
    return dense_counts(network) if arm_name == DENSE else arm(arm_name).counts(network, experiment.pruning, level)


def stacks(experiment: Experiment) -> list[Stack]:
    """The replicates counted off in stacks of `replicates_per_job`; the last one may be smaller."""
    size = experiment.replicates_per_job
    return [
        Stack(first, min(first + size, experiment.replicates) - 1) for first in range(0, experiment.replicates, size)
    ]


def levels_of(experiment: Experiment, arm_name: str) -> list[int]:
    """The levels at which an arm is trained."""
    row = arm(arm_name)
    chosen = next(settings.levels for settings in experiment.arms if settings.arm == arm_name)
    if chosen != "all":
        return chosen
    if not row.linear:
        return list(range(1, experiment.levels + 1))
    return list(range(1, math.ceil(1 / experiment.pruning.linear_step - 1e-9)))


def draws_of(experiment: Experiment, arm_name: str) -> int:
    """Samples for each ticket of an arm."""
    return next((settings.draws for settings in experiment.arms if settings.arm == arm_name), 1)


def trainings(settings: Settings) -> list[StackTraining]:
    """All training jobs that the results of a run are collected from."""
    return [
        StackTraining(name, stack, arm_name, level)
        for name in settings.run_experiments
        for experiment in [settings.experiments[name]]
        for stack in stacks(experiment)
        for arm_name, levels in [
            (DENSE, [0]),
            *((chosen.arm, levels_of(experiment, chosen.arm)) for chosen in experiment.arms),
        ]
        for level in levels
    ]
