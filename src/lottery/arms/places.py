"""Where a training stands in a run, and who is trained there."""

import re
from dataclasses import dataclass, replace

from lottery.errors import LotteryError

DENSE = "dense"
"""The arm of the unpruned network, at level 0."""


@dataclass(frozen=True)
class Member:
    """One network of a training job."""

    replicate: int
    draw: int

    def __str__(self) -> str:
        return f"replicate{self.replicate}-draw{self.draw}"


@dataclass(frozen=True)
class Replicates:
    """Replicates first, ..., last, trained by one job."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"r{self.first}-{self.last}"

    def __len__(self) -> int:
        return self.last + 1 - self.first

    @classmethod
    def parse(cls, text: str) -> "Replicates":
        """The replicates of a folder name such as `r0-2`. Raises ValueError for another text."""
        first, last = map(int, text.removeprefix("r").split("-"))
        if last < first:
            raise ValueError(f"{text} ends before it begins")
        return cls(first, last)

    def members(self, draws: int = 1) -> list[Member]:
        """All draws of the first replicate, then of the next: the order of the leading array axis."""
        return [Member(replicate, draw) for replicate in range(self.first, self.last + 1) for draw in range(draws)]

    def index(self, member: Member) -> int:
        """Where a member's replicate stands in arrays that have one entry for each replicate."""
        return member.replicate - self.first


FOLDER = re.compile(r"([a-z0-9-]+)/(r[0-9]+-[0-9]+)/([a-z0-9.-]+)/level([0-9]+)")


@dataclass(frozen=True)
class Place:
    """Where a training job stands in a run: some replicates of an experiment, in an arm at a level."""

    experiment: str
    replicates: Replicates
    arm: str
    level: int

    @property
    def folder(self) -> str:
        """Its folder below `results/<run>`."""
        return f"{self.experiment}/{self.replicates}/{self.arm}/level{self.level}"

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The place of a folder. Raises LotteryError for a text of another form."""
        match = FOLDER.fullmatch(text.strip("/"))
        try:
            if match:
                return cls(match[1], Replicates.parse(match[2]), match[3], int(match[4]))
        except ValueError:
            pass
        raise LotteryError(f"{text!r} is no place of a run, such as lenet-mnist/r0-2/iterative/level3")

    def at(self, arm: str, level: int) -> "Place":
        """The same replicates in another arm or at another level."""
        return replace(self, arm=arm, level=level)

    def __str__(self) -> str:
        return self.folder
