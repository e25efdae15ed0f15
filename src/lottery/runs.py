"""What a run consists of: settings whose names are known, and the trainings that they ask for."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lottery import extensions
from lottery.arrays import read_bytes
from lottery.datasets.images import check_counts
from lottery.datasets.sources import source
from lottery.errors import LotteryError
from lottery.networks import Network, build, narrowed
from lottery.pruning.allocation import Counts, check_excluded, dense_counts
from lottery.settings import ArmSettings, Experiment, Settings, Training
from lottery.settings_reading import read_settings
from lottery.stacks import Stack
from lottery.tickets import arm

DENSE = "dense"
"""The arm of the unpruned network, at level 0."""

REWIND_POINT = "rewind-point"
"""The same training of the dense network, ended at the rewind iteration: what late rewinding sets survivors back to."""


DESCRIBED_ARM = "iterative"
"""The arm of whose tickets the tables tell which weights are in them."""


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
    """The settings of a run, with every name in them known, from its extensions too, and every level possible.

    Raises LotteryError with one line per wrong key.
    """
    settings = read_settings(config)
    try:
        extensions.load(settings.extensions)
    except LotteryError as error:
        raise LotteryError(f"config: extensions: {error}") from None
    wrong = [
        f"config: experiments.{name}.{problem}"
        for name, experiment in settings.experiments.items()
        for problem in problems(experiment)
    ]
    if wrong:
        raise LotteryError("\n".join(wrong))
    return settings


def parsed_json(text: str | bytes) -> Any:
    """What a text of JSON holds. Raises LotteryError when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LotteryError(f"is not JSON: {error}") from None


def read_finished_run(path: Path) -> Settings:
    """The settings that the results of a finished run were collected with. Raises LotteryError naming the file.

    Its extensions must have been loaded: a run that somebody hands on does not get its code run by being looked at.
    """
    content = read_bytes(path)
    try:
        values = parsed_json(content)
        for name in read_settings(values).extensions:
            if Path(name).resolve() not in extensions.LOADED:
                raise LotteryError(f"extensions: the run needs {name}; to run that file, name it: --extension {name}")
        return read_run(values)
    except LotteryError as error:
        raise LotteryError(f"{path}: {str(error).splitlines()[0]}") from None


def problems(experiment: Experiment) -> list[str]:
    """What an experiment names that is unknown, or asks for that cannot be; each begins with its key."""
    try:
        network = network_of(experiment)
    except LotteryError as error:
        return [str(error)]
    data = source(experiment.dataset)
    found = []
    if experiment.training.engine == "sparse" and not network.fully_connected:
        found.append(f"training.engine: sparse trains fully connected networks, which {experiment.network} is not")
    if experiment.training.augmentation != "none" and len(network.image_shape) != 3:
        found.append(f"training.augmentation: {experiment.network} sees rows of numbers, not images")
    try:
        check_excluded(network, experiment.pruning)
    except LotteryError as error:
        found.append(f"pruning.{error}")
        return found
    try:
        check_counts(experiment.training, data.training_images, data.test_images)
    except LotteryError as error:
        found.append(f"training.{error}")
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
    if row.mask == "none":
        network_name_at(experiment, row.name, deepest)
    try:
        before, after = (row.counts(network, experiment.pruning, level) for level in (deepest - 1, deepest))
    except LotteryError as error:
        raise LotteryError(f"levels: {error}") from None
    dense = dense_counts(network, experiment.pruning)
    for group, kept in after.items():
        if kept == 0 or kept == before[group] < dense[group]:
            raise LotteryError(
                f"levels: level {deepest} would leave {kept} of the {before[group]} weights that {' and '.join(group)}"
                " had one level before: too few to prune further"
            )


def network_of(experiment: Experiment) -> Network:
    """The experiment's dense network."""
    data = source(experiment.dataset)
    return build(experiment.network, data.image_shape, data.classes)


def network_name_at(experiment: Experiment, arm_name: str, level: int) -> str:
    """The name of the network that an arm trains at a level: a narrower one for arms without a mask."""
    if arm_name in (DENSE, REWIND_POINT) or not unpruned(arm_name):
        return experiment.network
    data = source(experiment.dataset)
    weights = sum(counts_at(experiment, arm_name, level).values())
    return narrowed(experiment.network, data.image_shape, data.classes, weights)


def counts_at(experiment: Experiment, arm_name: str, level: int) -> Counts:
    """Weights kept in each group of layers of an arm's mask at a level."""
    network, pruning = network_of(experiment), experiment.pruning
    if arm_name in (DENSE, REWIND_POINT):
        return dense_counts(network, pruning)
    return arm(arm_name).counts(network, pruning, level)


def unpruned(arm_name: str) -> bool:
    """Whether an arm trains without a mask, from its own initial weights."""
    return arm_name in (DENSE, REWIND_POINT) or arm(arm_name).mask == "none"


def first_iteration(experiment: Experiment, arm_name: str) -> int:
    """Where an arm's training and its schedule begin: what has a mask, a control as well, at the rewind iteration."""
    return 0 if unpruned(arm_name) else experiment.rewind_iteration


def recipe_of(experiment: Experiment, arm_name: str) -> Training:
    """An arm's recipe: the experiment's, ended early for the rewind point."""
    if arm_name == REWIND_POINT:
        return experiment.training.model_copy(update={"iterations": experiment.rewind_iteration})
    return experiment.training


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


def rewind_points(settings: Settings) -> list[StackTraining]:
    """The training jobs whose weights late rewinding goes back to."""
    return [
        StackTraining(name, stack, REWIND_POINT, 0)
        for name in settings.run_experiments
        if settings.experiments[name].rewind_iteration
        for stack in stacks(settings.experiments[name])
    ]


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


def described(settings: Settings) -> list[str]:
    """The experiments of whose tickets the tables tell which weights are in them: fully connected networks."""
    return [
        name
        for name in settings.run_experiments
        for experiment in [settings.experiments[name]]
        if network_of(experiment).fully_connected and any(arm.arm == DESCRIBED_ARM for arm in experiment.arms)
    ]


def described_files(settings: Settings) -> list[str]:
    """The files below `results/<run>` that this is told from."""
    return [
        f"{StackTraining(name, stack, arm_name, level).folder}/{file}"
        for name in described(settings)
        for experiment in [settings.experiments[name]]
        for stack in stacks(experiment)
        for arm_name, level, file in [
            (DENSE, 0, "start.safetensors"),
            (DENSE, 0, "trained.safetensors"),
            *((DESCRIBED_ARM, level, "mask.safetensors") for level in levels_of(experiment, DESCRIBED_ARM)),
        ]
    ]
