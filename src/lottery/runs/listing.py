"""The training jobs of a run."""

import math

from lottery.arms.lineage import arm
from lottery.arms.places import DENSE, Place, Replicates
from lottery.runs.jobs import Job, network_of
from lottery.settings import Experiment, Settings

DESCRIBED_ARM = "iterative"
"""The tables tell which weights are in the tickets of this arm."""


def groups_of(experiment: Experiment) -> list[Replicates]:
    """The replicates counted off in groups of `replicates_per_job`; the last one may be smaller."""
    size = experiment.replicates_per_job
    return [
        Replicates(first, min(first + size, experiment.replicates) - 1)
        for first in range(0, experiment.replicates, size)
    ]


def levels_of(experiment: Experiment, arm_name: str) -> list[int]:
    """The levels at which an arm is trained; none of an arm that only finds masks for others."""
    row = arm(arm_name)
    chosen = next((settings.levels for settings in experiment.arms if settings.arm == arm_name), [])
    if arm_name == DENSE or (chosen == "all" and row.whole):
        return [0]
    if chosen != "all":
        return chosen
    if arm(row.levels_of).linear:
        return list(range(1, math.ceil(1 / experiment.pruning.linear_step - 1e-9)))
    return list(range(1, experiment.levels + 1))


def trainings(settings: Settings) -> list[Job]:
    """All training jobs that the results of a run are collected from."""
    return [
        Job(settings, Place(name, replicates, arm_name, level))
        for name in settings.run_experiments
        for experiment in [settings.experiments[name]]
        for replicates in groups_of(experiment)
        for arm_name in dict.fromkeys([DENSE, *(chosen.arm for chosen in experiment.arms)])
        for level in levels_of(experiment, arm_name)
    ]


TWIN = "dense-twin"
"""The arm of the dense network's starts with other batches."""


def whole_arms(experiment: Experiment) -> list[str]:
    """The arms of whole networks whose masks on the way are compared."""
    return [DENSE, *(TWIN for chosen in experiment.arms if chosen.arm == TWIN)]


def arms_with_masks(experiment: Experiment, level: int) -> list[str]:
    """The arms that find masks of their own and are trained at a level."""
    return [
        chosen.arm
        for chosen in experiment.arms
        if arm(chosen.arm).criterion and level in levels_of(experiment, chosen.arm)
    ]


def compared_files(settings: Settings) -> list[str]:
    """The files below `results/<run>` that tell how alike masks are."""
    return [
        f"{place.folder}/{file}.safetensors"
        for name in settings.run_experiments
        for experiment in [settings.experiments[name]]
        if experiment.compared_masks
        for group in groups_of(experiment)
        for place, file in [
            *((Place(name, group, arm_name, 0), file) for arm_name in whole_arms(experiment) for file in OF_A_COURSE),
            *(
                (Place(name, group, arm_name, level), "mask")
                for level in experiment.compared_masks
                for arm_name in arms_with_masks(experiment, level)
            ),
        ]
    ]


OF_A_COURSE = ("start", "snapshots", "trained")


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
        f"{place.folder}/{file}.safetensors"
        for name in described(settings)
        for experiment in [settings.experiments[name]]
        for replicates in groups_of(experiment)
        for dense in [Place(name, replicates, DENSE, 0)]
        for place, file in [
            (dense, "start"),
            (dense, "trained"),
            *((dense.at(DESCRIBED_ARM, level), "mask") for level in levels_of(experiment, DESCRIBED_ARM)),
        ]
    ]
