"""The arms: one row says where an arm's mask and its starting weights come from. Rules, figures and claims read it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.errors import LotteryError, suggest
from lottery.networks import Network
from lottery.pruning.allocation import Counts, ladder, linear_ladder
from lottery.pruning.criteria import magnitude
from lottery.pruning.selection import keep_largest_of
from lottery.settings import Pruning

MaskSource = Literal["pruned step by step", "pruned at once", "pruned untrained", "of another arm", "random", "none"]
Start = Literal["rewound", "continued", "reinitialised", "own values", "noisy", "initialised"]


@dataclass(frozen=True)
class Arm:
    """One way to obtain (mask, starting weights) at a level.

    mask: `pruned step by step` removes the smallest trained magnitudes of the arm's level before, `pruned at once`
    those of the dense network, `pruned untrained` the smallest initial ones. `of another arm` is that arm's mask at the
    same level. `random` keeps as many weights in each layer as the other arm's mask, anywhere. `none`: a dense network.
    start: `rewound` is the mask times the initialisation, `continued` the mask times the weights that it was pruned
    from, `reinitialised` the mask times a fresh sample, `initialised` a fresh sample alone. `own values` draws each
    layer's weights from the initial values of those that the mask keeps there, `noisy` adds normal noise to these.
    of: the arm whose mask is taken or imitated.
    noise: its standard deviation, in those of each layer's initial weights.
    linear: levels are equal steps of the dense network instead of shares of what is left.
    """

    name: str
    mask: MaskSource
    start: Start
    of: str = ""
    noise: float = 0.0
    linear: bool = False

    @property
    def samples(self) -> bool:
        """Whether the arm draws anew, so that it can have several draws for each ticket."""
        return self.start in ("reinitialised", "own values", "noisy") or self.mask == "random"

    @property
    def difference(self) -> str:
        """Of a control: what tells it from the arm whose mask it takes or imitates."""
        starts = {
            "rewound": "the initial weights",
            "reinitialised": "fresh weights",
            "own values": "weights drawn from the ticket's own",
            "noisy": f"noise of {self.noise:g} standard deviations added",
        }
        return (
            "as many weights at random places" if self.mask == "random" else f"{self.of}'s mask, {starts[self.start]}"
        )

    def counts(self, network: Network, pruning: Pruning, level: int) -> Counts:
        """Weights kept in each group of layers at a level."""
        return (linear_ladder if self.linear else ladder)(network, pruning, level)


ARMS = {
    arm.name: arm
    for arm in [
        Arm("iterative", "pruned step by step", "rewound"),
        Arm("iterative-reinit", "of another arm", "reinitialised", of="iterative"),
        Arm("one-shot", "pruned at once", "rewound"),
        Arm("one-shot-reinit", "of another arm", "reinitialised", of="one-shot"),
        Arm("one-shot-linear", "pruned at once", "rewound", linear=True),
        Arm("one-shot-linear-reinit", "of another arm", "reinitialised", of="one-shot-linear", linear=True),
        Arm("random", "random", "rewound", of="iterative"),
        Arm("small-dense", "none", "initialised"),
        # Appendix B: prune and train on; the masks found so, rewound once at the end.
        Arm("continued-chain", "pruned step by step", "continued"),
        Arm("continued", "of another arm", "rewound", of="continued-chain"),
        # Appendices F.3, F.4 and F.7.
        Arm("own-values", "of another arm", "own values", of="iterative"),
        Arm("initial-magnitude", "pruned untrained", "rewound"),
        *(Arm(f"noise-{noise:g}", "of another arm", "noisy", of="iterative", noise=noise) for noise in (0.5, 1, 2, 3)),
    ]
}


def arm(name: str) -> Arm:
    """The arm of this name. Raises LotteryError for an unknown one."""
    if name not in ARMS:
        raise LotteryError(f"arm: unknown arm {name!r}{suggest(name, ARMS)}")
    return ARMS[name]


def prune(weights: Mapping[str, NDArray], mask: Mapping[str, NDArray] | None, counts: Counts) -> Arrays:
    """The smaller mask that keeps `counts` of each group's weights, those of largest magnitude.

    weights: trained weights [*shape]; mask: uint8 [*shape] of the survivors, None when all survive.
    """
    smaller: Arrays = {}
    for group, count in counts.items():
        scores = {name: magnitude(weights[name]) for name in group}
        kept = {name: np.ones(scores[name].shape, np.uint8) if mask is None else mask[name] for name in group}
        smaller |= keep_largest_of(scores, kept, count)
    return smaller


def rewind(checkpoint: Mapping[str, NDArray], mask: Mapping[str, NDArray]) -> Arrays:
    """Survivors at their value in `checkpoint`, bit for bit, pruned weights at +0, all other parameters untouched."""
    return {
        name: np.where(mask[name], values, np.zeros((), values.dtype)) if name in mask else values
        for name, values in checkpoint.items()
    }


def own_values(checkpoint: Mapping[str, NDArray], mask: Mapping[str, NDArray], random: np.random.Generator) -> Arrays:
    """Survivors at values drawn, with replacement, from those of their layer's survivors; the rest as in `rewind`."""
    start = rewind(checkpoint, mask)
    for name, kept in mask.items():
        survivors = start[name][kept > 0]
        start[name][kept > 0] = random.choice(survivors, survivors.size)
    return start


def with_noise(
    checkpoint: Mapping[str, NDArray],
    mask: Mapping[str, NDArray],
    deviations: Mapping[str, float],
    random: np.random.Generator,
) -> Arrays:
    """Survivors with normal noise added, of a standard deviation for each layer; the rest as in `rewind`."""
    noisy = dict(checkpoint)
    for name, deviation in deviations.items():
        noise = random.standard_normal(checkpoint[name].shape, dtype=np.float32)
        noisy[name] = checkpoint[name] + np.float32(deviation) * noise
    return rewind(noisy, mask)


def random_mask(mask: Mapping[str, NDArray], random: np.random.Generator) -> Arrays:
    """A mask with as many ones in each layer as `mask`, every placement equally likely."""
    placed = {}
    for name, layer in mask.items():
        placed[name] = np.zeros(layer.shape, np.uint8)
        placed[name].flat[random.permutation(layer.size)[: np.count_nonzero(layer)]] = 1
    return placed
