"""Which file each mask, start and score is made from: the one answer that rules, the plan and verification ask for."""

from dataclasses import dataclass, replace
from typing import Literal

from lottery.arms.arm import Arm
from lottery.arms.masks import Imitated, Pruned, Whole
from lottery.arms.places import DENSE, Place
from lottery.arms.rows import ARMS
from lottery.arms.starts import Fresh
from lottery.errors import LotteryError, suggest
from lottery.pruning.criteria import CRITERIA
from lottery.settings import Experiment

File = Literal["start", "mask", "trained", "early-stop", "snapshots", "scores"]

Maker = Literal["initialize", "prune", "rewind", "make-control", "train", "score"]
"""The verbs that write these files."""


def arm(name: str) -> Arm:
    """The arm of this name. Raises LotteryError for an unknown one."""
    if name not in ARMS:
        raise LotteryError(f"arm: unknown arm {name!r}{suggest(name, ARMS)}")
    return ARMS[name]


@dataclass(frozen=True)
class Weights:
    """The weights of a training at its start, at its end (`trained`), or at an iteration between."""

    place: Place
    moment: Literal["start", "trained"] | int

    @property
    def file(self) -> File:
        """The file that holds them."""
        return "snapshots" if isinstance(self.moment, int) else self.moment


@dataclass(frozen=True)
class Inputs:
    """What a place's mask and starting weights are made from; None where there is no such thing.

    scored: the weights that its pruning scores, or that its mask is learnt on; initial: the initial weights that the
    criterion compares them with; survivors: whose mask the pruning shrinks; ticket: whose mask it takes or imitates;
    checkpoint: the weights that survivors are set back to; matched: the trained dense networks, the experiment's own
    and the ticket's, whose units are matched.
    """

    scored: Weights | None = None
    initial: Weights | None = None
    survivors: Place | None = None
    ticket: Place | None = None
    checkpoint: Weights | None = None
    matched: tuple[Weights, Weights] | None = None


def made_from(place: Place, experiment: Experiment) -> Inputs:
    """What a place's mask and start are made from, in this experiment. Raises LotteryError for an unknown arm."""
    row = arm(place.arm)
    mask, dense = row.mask, place.at(DENSE, 0)
    inputs = Inputs()
    if isinstance(mask, Pruned):
        first = place.level == 1 or mask.of != "the level before"
        before = place.at(mask.whole, 0) if first else place.at(place.arm, place.level - 1)
        inputs = Inputs(
            scored=Weights(before, "start" if mask.of == "the initial weights" else "trained"),
            initial=Weights(dense, "start") if CRITERIA[mask.scores].compares else None,
            survivors=None if first else before,
        )
    elif isinstance(mask, Imitated):
        origin = replace(place, experiment=from_experiment(experiment, row)) if row.transferred else place
        inputs, theirs = Inputs(ticket=origin.at(mask.arm, place.level)), origin.at(DENSE, 0)
        if row.aligned:
            inputs = replace(inputs, matched=(Weights(dense, "trained"), Weights(theirs, "trained")))
        if row.transfers_start:
            dense = theirs
    if isinstance(row.start, Fresh):
        return inputs
    if row.continues:
        return replace(inputs, checkpoint=inputs.scored)
    checkpoint = Weights(dense, rewound_to(row, experiment) or "start")
    if row.criterion and CRITERIA[row.criterion].learnt:
        inputs = replace(inputs, scored=checkpoint)
    return replace(inputs, checkpoint=checkpoint)


def from_experiment(experiment: Experiment, row: Arm) -> str:
    """The experiment whose tickets an arm takes. Raises LotteryError where the settings do not have the arm."""
    for chosen in experiment.arms:
        if chosen.arm == row.name:
            return chosen.from_experiment
    raise LotteryError(f"arm {row.name}: the settings do not say whose tickets it takes (from_experiment)")


def rewound_to(row: Arm, experiment: Experiment) -> int:
    """The iteration at which an arm's networks start, and with them their schedule.

    A control starts where the ticket does that it is compared with; a fresh dense network at 0.
    """
    at: int | None = getattr(row.start, "at", None)
    if at is not None:
        return at
    if isinstance(row.mask, Imitated):
        return rewound_to(arm(row.mask.arm), experiment)
    return 0 if isinstance(row.mask, Whole) and isinstance(row.start, Fresh) else experiment.rewind_iteration


def trained_to(row: Arm, experiment: Experiment) -> int:
    """The iteration at which an arm's networks end: that at which they start, where they are never trained."""
    return experiment.training.iterations if row.trained else rewound_to(row, experiment)


def maker(place: Place, file: File) -> Maker:
    """The verb that writes a file of a place."""
    row = arm(place.arm)
    if file in ("trained", "early-stop", "snapshots"):
        return "train"
    if file == "scores":
        return "score"
    if isinstance(row.mask, Imitated):
        return "make-control"
    if file == "mask":
        return "prune"
    return "initialize" if isinstance(row.mask, Whole) and isinstance(row.start, Fresh) else "rewind"


def makers(place: Place) -> list[Maker]:
    """The verbs that make the files of a place, in their order."""
    asked: dict[File, bool] = {"scores": needs_scores(place), "mask": arm(place.arm).masked}
    files: list[File] = [*(file for file, needed in asked.items() if needed), "start", "trained"]
    return list(dict.fromkeys(maker(place, file) for file in files))


def files_read(place: Place, verb: str, experiment: Experiment) -> list[tuple[Place, File]]:
    """The files of places that a verb reads to make those of a place."""
    inputs, masked = made_from(place, experiment), arm(place.arm).masked
    scores = [(place, "scores")] if verb == "prune" and needs_scores(place) else weights_file(inputs.scored)
    survivors = mask_file(inputs.survivors)
    checkpoint, matched = weights_file(inputs.checkpoint), inputs.matched or ()
    read: dict[str, list[tuple[Place, File]]] = {
        "initialize": [],
        "score": [*scores, *survivors],
        "prune": [*scores, *weights_file(inputs.initial), *survivors],
        "rewind": [*checkpoint, *mask_file(place if masked else None)],
        "make-control": [*checkpoint, *mask_file(inputs.ticket), *(weights_file(each)[0] for each in matched)],
        "train": [(place, "start"), *mask_file(place if masked else None)],
    }
    return read[verb]


def weights_file(weights: Weights | None) -> list[tuple[Place, File]]:
    return [(weights.place, weights.file)] if weights else []


def mask_file(place: Place | None) -> list[tuple[Place, File]]:
    return [(place, "mask")] if place else []


def needs_scores(place: Place) -> bool:
    """Whether a place's pruning reads its scores from a file, which a job of its own writes."""
    criterion = arm(place.arm).criterion
    return bool(criterion) and CRITERIA[criterion].in_file


def snapshots_of(place: Place, experiment: Experiment) -> list[int]:
    """The iterations at which a place's training writes its weights: those that the settings name, and of the dense
    network those that tickets are rewound to.
    """
    named = {k for chosen in experiment.arms if chosen.arm == place.arm for k in chosen.snapshots}
    if place.arm == DENSE:
        # Arms of a user's file that was not loaded for this job have no rewind point of their own (`Job.extensions`).
        rows = [ARMS[chosen.arm] for chosen in experiment.arms if chosen.arm in ARMS]
        named |= {experiment.rewind_iteration, *(rewound_to(row, experiment) for row in rows)} - {0}
    return sorted(named)
