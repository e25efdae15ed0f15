"""An arm: one way to obtain (mask, starting weights) at a level."""

from dataclasses import dataclass
from typing import Literal

from lottery.arms.masks import Aligned, Imitated, Mask, Moved, Pruned, Transferred, Whole
from lottery.arms.starts import Constant, Continued, Fresh, OwnValues, Retrained, Rewound, ShuffledValues, Start
from lottery.errors import LotteryError
from lottery.pruning.criteria import CRITERIA


@dataclass(frozen=True)
class Arm:
    """One row of the table of arms.

    batches: `shared`, the batches, views and dropout that all arms of a replicate have at a level; `own`, others for
    each draw, all else equal. trained: whether its networks are trained; else they are measured as they start. Raises
    LotteryError for a mask and a start that mean nothing together.
    """

    name: str
    mask: Mask
    start: Start
    batches: Literal["shared", "own"] = "shared"
    trained: bool = True

    def __post_init__(self) -> None:
        wrong = ""
        if self.continues and not isinstance(self.mask, Pruned):
            wrong = "only a pruned mask has weights that it was pruned from, to continue with"
        if self.as_small_as and not isinstance(self.start, Fresh):
            wrong = "a narrower network has no weights but fresh ones"
        if isinstance(self.mask, Whole) and isinstance(self.start, OwnValues | ShuffledValues):
            wrong = "a whole network has no survivors to draw values from"
        if not self.trained and isinstance(self.mask, Pruned) and self.mask.of == "the level before":
            wrong = "networks that are never trained leave no trained weights to prune"
        if self.criterion in CRITERIA and CRITERIA[self.criterion].learnt and not self.of_initial_weights:
            wrong = "a mask that is learnt is one of the initial weights"
        if wrong:
            raise LotteryError(f"arm {self.name}: {wrong}")

    @property
    def samples(self) -> bool:
        """Whether the arm draws anew, so that it can have several draws for each replicate."""
        drawn = isinstance(self.mask, Imitated) and (self.mask.samples or self.start.samples)
        return drawn or (self.batches == "own" and not isinstance(self.mask, Pruned))

    @property
    def masked(self) -> bool:
        """Whether its networks have a mask."""
        return not isinstance(self.mask, Whole)

    @property
    def criterion(self) -> str:
        """The criterion that its masks are pruned by; empty where they are not pruned."""
        return self.mask.scores if isinstance(self.mask, Pruned) else ""

    @property
    def of_initial_weights(self) -> bool:
        """Whether its masks are pruned by scores of weights before any training, and the start is none but these."""
        untouched = isinstance(self.start, Rewound | Constant)
        return isinstance(self.mask, Pruned) and self.mask.of == "the initial weights" and untouched

    @property
    def linear(self) -> bool:
        """Whether its levels are equal steps of the dense network."""
        return isinstance(self.mask, Pruned) and self.mask.linear

    @property
    def as_small_as(self) -> str:
        """Of a dense network that is narrowed: the arm than whose ticket it is not larger."""
        return self.mask.as_small_as if isinstance(self.mask, Whole) else ""

    @property
    def whole(self) -> bool:
        """Whether it trains all weights of the network, at level 0 alone."""
        return not (self.masked or self.as_small_as)

    @property
    def levels_of(self) -> str:
        """The arm that decides how many weights are left at a level: itself, or the one that it imitates."""
        if isinstance(self.mask, Imitated):
            return self.mask.arm
        return self.as_small_as or self.name

    @property
    def named_arms(self) -> tuple[str, ...]:
        """Other arms that it names."""
        return tuple(name for name in (self.levels_of,) if name != self.name)

    @property
    def continues(self) -> bool:
        """Whether its weights are those that its mask was pruned from."""
        start = self.start
        return isinstance(start, Continued) or (isinstance(start, Retrained) and not start.weights_back)

    @property
    def transferred(self) -> bool:
        """Whether its masks are another experiment's."""
        return isinstance(self.mask, Transferred)

    @property
    def transfers_start(self) -> bool:
        """Whether its weights are another experiment's too."""
        return self.transferred and not isinstance(self.mask, Moved)

    @property
    def aligned(self) -> bool:
        """Whether units of its masks are matched with the experiment's own."""
        return isinstance(self.mask, Aligned)

    @property
    def difference(self) -> str:
        """Of a control: what tells it from the arm whose mask it takes or imitates."""
        parts = [str(self.mask)] * isinstance(self.mask, Imitated)
        parts += [str(self.start)] if not (isinstance(self.mask, Imitated) and self.mask.samples) else []
        parts += ["batches of its own"] * (self.batches == "own") + ["never trained"] * (not self.trained)
        return ", ".join(parts)
