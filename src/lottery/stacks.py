"""A stack of networks, trained by one job: who its members are, and how masks and starting weights are made for all."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lottery import tickets
from lottery.arrays import Arrays, of_member, stack
from lottery.networks import GLOROT, Network
from lottery.pruning.allocation import Counts
from lottery.randomness import Purpose, Seed
from lottery.settings import Initialisation, Section
from lottery.tickets import Arm


class ExperimentKey(Section):
    """What tells one experiment's random numbers and dataset from another's."""

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
        """The stack of a folder name such as `r0-2`. Raises ValueError for another text."""
        first, last = map(int, text.removeprefix("r").split("-"))
        if last < first:
            raise ValueError(f"{text} ends before it begins")
        return cls(first, last)

    def members(self, draws: int = 1) -> list[Member]:
        """All draws of the first replicate, then of the next: the order of the leading array axis."""
        return [Member(replicate, draw) for replicate in range(self.first, self.last + 1) for draw in range(draws)]

    def place(self, member: Member) -> int:
        """Where a member's replicate stands in arrays that have one entry for each replicate."""
        return member.replicate - self.first


def initialize(
    stack_: Stack, key: ExperimentKey, network: Network, level: int, initialisation: Initialisation = GLOROT
) -> Arrays:
    """Initial weights of every replicate."""
    return stack(
        [
            network.initial(key.of_replicate(member.replicate).generator("initialisation", level=level), initialisation)
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


def control(
    stack_: Stack,
    key: ExperimentKey,
    network: Network,
    row: Arm,
    level: int,
    draws: int,
    ticket: Mapping[str, NDArray],
    checkpoint: Mapping[str, NDArray],
    initialisation: Initialisation = GLOROT,
) -> tuple[Arrays, Arrays]:
    """Masks and starting weights of every draw of an arm that takes or imitates the masks of tickets.

    checkpoint: what the tickets' survivors are set back to.
    """
    masks, starts = [], []
    for member in stack_.members(draws):
        place, seed = stack_.place(member), key.of_replicate(member.replicate)
        mask, initial = of_member(ticket, place), of_member(checkpoint, place)

        def random(purpose: Purpose, seed: Seed = seed, draw: int = member.draw) -> np.random.Generator:
            return seed.generator(purpose, level=level, draw=draw)

        if row.mask == "random":
            mask = tickets.random_mask(mask, random("random mask"))
        match row.start:
            case "reinitialised":
                start = tickets.rewind(network.initial(random("reinitialisation"), initialisation), mask)
            case "own values":
                start = tickets.own_values(initial, mask, random("own values"))
            case "noisy":
                deviations = {
                    layer.weight_name: row.noise * layer.deviation(initialisation) for layer in network.layers
                }
                start = tickets.with_noise(initial, mask, deviations, random("noise"))
            case _:
                start = tickets.rewind(initial, mask)
        masks.append(mask)
        starts.append(start)
    return stack(masks), stack(starts)
