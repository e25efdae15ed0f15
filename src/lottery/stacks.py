"""A stack of networks, trained by one job: who its members are, and how masks and starting weights are made for all."""

from collections.abc import Mapping
from dataclasses import dataclass

from numpy.typing import NDArray

from lottery import tickets
from lottery.arrays import Arrays, of_member, stack
from lottery.networks import Network
from lottery.pruning.allocation import Counts
from lottery.randomness import Seed
from lottery.settings import Section


class ExperimentKey(Section):
    """What tells one experiment's random numbers and images from another's."""

    experiment: str
    seed: int
    dataset: str

    def of_replicate(self, replicate: int) -> Seed:
        """The seed of one replicate."""
        return Seed(self.seed, self.experiment, replicate)


@dataclass(frozen=True)
class Member:
    """One network of a stack."""

    replicate: int
    draw: int

    def __str__(self) -> str:
        return f"replicate{self.replicate}-draw{self.draw}"


@dataclass(frozen=True)
class Stack:
    """Replicates first, ..., last, trained by one job."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"r{self.first}-{self.last}"

    @classmethod
    def parse(cls, text: str) -> "Stack":
        """The stack of a folder name such as `r0-2`."""
        first, last = text.removeprefix("r").split("-")
        return cls(int(first), int(last))

    def members(self, draws: int = 1) -> list[Member]:
        """All draws of the first replicate, then of the next: the order of the leading array axis."""
        return [Member(replicate, draw) for replicate in range(self.first, self.last + 1) for draw in range(draws)]

    def place(self, member: Member) -> int:
        """Where a member's replicate stands in arrays that have one entry for each replicate."""
        return member.replicate - self.first


def initialize(stack_: Stack, key: ExperimentKey, network: Network, level: int) -> Arrays:
    """Initial weights of every replicate."""
    return stack(
        [
            network.initial(key.of_replicate(member.replicate).generator("initialisation", level=level))
            for member in stack_.members()
        ]
    )


def prune(
    stack_: Stack, trained: Mapping[str, NDArray], survivors: Mapping[str, NDArray] | None, counts: Counts
) -> Arrays:
    """The smaller mask of every replicate."""
    return stack(
        [
            tickets.prune(of_member(trained, place), of_member(survivors, place) if survivors else None, counts)
            for place in map(stack_.place, stack_.members())
        ]
    )


def reinitialize(
    stack_: Stack, key: ExperimentKey, network: Network, level: int, draws: int, ticket: Mapping[str, NDArray]
) -> tuple[Arrays, Arrays]:
    """The tickets' masks, once for every draw, and freshly drawn weights under them."""
    masks, starts = [], []
    for member in stack_.members(draws):
        random = key.of_replicate(member.replicate).generator("reinitialisation", level=level, draw=member.draw)
        masks.append(of_member(ticket, stack_.place(member)))
        starts.append(tickets.rewind(network.initial(random), masks[-1]))
    return stack(masks), stack(starts)


def randomize_mask(
    stack_: Stack,
    key: ExperimentKey,
    level: int,
    draws: int,
    ticket: Mapping[str, NDArray],
    checkpoint: Mapping[str, NDArray],
) -> tuple[Arrays, Arrays]:
    """Masks with as many weights in each layer as the tickets', at random places, and rewound weights under them."""
    masks, starts = [], []
    for member in stack_.members(draws):
        random = key.of_replicate(member.replicate).generator("random mask", level=level, draw=member.draw)
        place = stack_.place(member)
        masks.append(tickets.random_mask(of_member(ticket, place), random))
        starts.append(tickets.rewind(of_member(checkpoint, place), masks[-1]))
    return stack(masks), stack(starts)
