"""Pairs of trained networks between which the error is measured along a line: the table of them, and their files.

A further row repeats nothing: it is a text of the job that measures it.
"""

from dataclasses import dataclass

from lottery.arms.lineage import arm
from lottery.arms.places import DENSE, Place
from lottery.arms.rows import LATE_POINTS
from lottery.errors import LotteryError, suggest


@dataclass(frozen=True)
class End:
    """The weights at one end of a line: those that an arm's training ends with.

    before: at the level before, for the first level the dense network's. pruned_by: the arm whose mask of the pair's
    level removes weights of them: with the level before, the pruned solution that a ticket comes from.
    """

    arm: str
    before: bool = False
    pruned_by: str = ""

    def place(self, at: Place) -> Place:
        """Where they were trained, for a pair at a place."""
        if self.before and at.level == 1:
            return at.at(DENSE, 0)
        return at.at(self.arm, 0 if arm(self.arm).whole else at.level - self.before)

    def mask(self, at: Place) -> Place | None:
        """Whose mask removes weights of them."""
        return at.at(self.pruned_by, at.level) if self.pruned_by else None


@dataclass(frozen=True)
class Pair:
    """Two networks of a replicate. The pair's place, arm and level, is that of `one`."""

    name: str
    one: End
    other: End

    @property
    def ends(self) -> tuple[End, End]:
        return self.one, self.other


def tickets(arm_name: str, named: str) -> list[Pair]:
    """The pairs of an arm that is pruned again and again: with its level before, and with what it was pruned from."""
    return [
        Pair(f"levels{named}", End(arm_name), End(arm_name, before=True)),
        Pair(f"pruned-solution{named}", End(arm_name), End(arm_name, before=True, pruned_by=arm_name)),
    ]


def twins(name: str, arm_name: str, twin: str) -> Pair:
    """Two trainings from the same weights with other batches (Frankle et al., 1912.05671, section 2)."""
    return Pair(name, End(twin), End(arm_name))


PAIRS = {
    pair.name: pair
    for pair in [
        *tickets("iterative", ""),
        Pair(
            "reinit-and-pruned-solution",
            End("iterative-reinit"),
            End("iterative", before=True, pruned_by="iterative"),
        ),
        twins("dense-twins", DENSE, "dense-twin"),
        twins("ticket-twins", "iterative", "iterative-twin"),
        twins("one-shot-twins", "one-shot", "one-shot-twin"),
        twins("reinit-twins", "iterative-reinit", "iterative-reinit-twin"),
        twins("random-twins", "random", "random-twin"),
        *(
            pair
            for k in LATE_POINTS
            for pair in [
                *tickets(f"iterative-at-{k}", f"-at-{k}"),
                twins(f"dense-twins-at-{k}", f"dense-at-{k}", f"dense-twin-at-{k}"),
                twins(f"ticket-twins-at-{k}", f"iterative-at-{k}", f"iterative-at-{k}-twin"),
                twins(f"reinit-twins-at-{k}", f"reinit-at-{k}", f"reinit-at-{k}-twin"),
                twins(f"random-twins-at-{k}", f"random-at-{k}", f"random-at-{k}-twin"),
            ]
        ),
    ]
}


def pair_of(name: str) -> Pair:
    """The pair of this name. Raises LotteryError for an unknown one."""
    if name not in PAIRS:
        raise LotteryError(f"unknown pair {name!r}{suggest(name, PAIRS)}")
    return PAIRS[name]


def files_of_ends(pair: Pair, at: Place) -> list[str]:
    """The files below `results/<run>` that a pair at a place is measured from."""
    trained = [f"{end.place(at).folder}/trained.safetensors" for end in pair.ends]
    masks = [
        f"{place.folder}/mask.safetensors"
        for end in pair.ends
        for place in (end.place(at), end.mask(at))
        if place and arm(place.arm).masked
    ]
    return list(dict.fromkeys([*trained, *masks]))
