"""Where an arm's starting weights come from. Each kind makes them; its own code is what an edit of it repeats."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lottery.arms.operations import random_signs, rewind
from lottery.arrays import Arrays
from lottery.networks import Network
from lottery.randomness import Purpose
from lottery.settings import Initialisation


@dataclass(frozen=True)
class Ingredients:
    """What the starting weights of one network are made of.

    checkpoint: float32 [*shape] of every parameter that survivors are set back to, empty for a start that has none;
    mask: uint8 [*shape] of every weight, empty where all are trained; random: the generator of a purpose; first:
    whether these are the dense network's own initial weights, or those of a narrower one.
    """

    checkpoint: Arrays
    mask: Arrays
    network: Network
    initialisation: Initialisation
    random: Callable[[Purpose], np.random.Generator]
    first: bool = False

    def fresh(self) -> Arrays:
        """Fresh weights, without the mask."""
        purpose: Purpose = "initialisation" if self.first else "reinitialisation"
        return self.network.initial(self.random(purpose), self.initialisation)


@dataclass(frozen=True)
class Rewound:
    """The weights of the network that the mask comes from, at an earlier iteration of its dense training.

    at: the iteration; left out, that of the arm whose mask it is, or the experiment's `rewind_iteration`.
    """

    at: int | None = None
    samples = False

    def weights(self, made: Ingredients) -> Arrays:
        return rewind(made.checkpoint, made.mask)

    def __str__(self) -> str:
        return "the initial weights" if not self.at else f"the weights of iteration {self.at}"


@dataclass(frozen=True)
class Continued:
    """The weights that the mask was pruned from: training goes on."""

    samples = False

    def weights(self, made: Ingredients) -> Arrays:
        return rewind(made.checkpoint, made.mask)

    def __str__(self) -> str:
        return "the weights that it was pruned from"


@dataclass(frozen=True)
class Fresh:
    """A fresh sample of the initial weights."""

    samples = True

    def weights(self, made: Ingredients) -> Arrays:
        return rewind(made.fresh(), made.mask)

    def __str__(self) -> str:
        return "fresh weights"


@dataclass(frozen=True)
class SameSign:
    """A fresh sample, each weight with the sign of its value at the rewind point (Zhou et al., 1905.01067)."""

    samples = True

    def weights(self, made: Ingredients) -> Arrays:
        fresh = made.fresh()
        signed = {name: np.copysign(fresh[name], made.checkpoint[name]) for name in made.network.weight_names()}
        return rewind(fresh | signed, made.mask)

    def __str__(self) -> str:
        return "fresh weights with the ticket's signs"


@dataclass(frozen=True)
class OwnValues:
    """Values drawn, with replacement, from those of the layer's survivors at the rewind point."""

    samples = True

    def weights(self, made: Ingredients) -> Arrays:
        start = rewind(made.checkpoint, made.mask)
        random = made.random("own values")
        for name, kept in made.mask.items():
            survivors = start[name][kept > 0]
            start[name][kept > 0] = random.choice(survivors, survivors.size)
        return start

    def __str__(self) -> str:
        return "weights drawn from the ticket's own"


@dataclass(frozen=True)
class Noisy:
    """The weights at the rewind point with normal noise added.

    deviations: the noise's standard deviation, in those of each layer's initial weights.
    """

    deviations: float
    samples = True

    def weights(self, made: Ingredients) -> Arrays:
        noisy, random = dict(made.checkpoint), made.random("noise")
        for layer in made.network.layers:
            name, deviation = layer.weight_name, self.deviations * layer.deviation(made.initialisation)
            noise = random.standard_normal(noisy[name].shape, dtype=np.float32)
            noisy[name] = noisy[name] + np.float32(deviation) * noise
        return rewind(noisy, made.mask)

    def __str__(self) -> str:
        return f"noise of {self.deviations:g} standard deviations added"


@dataclass(frozen=True)
class TurnedSigns:
    """The weights at the rewind point, each with its sign turned: all magnitudes stay, no sign does."""

    samples = False

    def weights(self, made: Ingredients) -> Arrays:
        turned = {name: -made.checkpoint[name] for name in made.network.weight_names()}
        return rewind(made.checkpoint | turned, made.mask)

    def __str__(self) -> str:
        return "the ticket's weights with all signs turned"


@dataclass(frozen=True)
class RandomSigns:
    """The weights at the rewind point, each with a random sign: all magnitudes stay, half of the signs do."""

    samples = True

    def weights(self, made: Ingredients) -> Arrays:
        random = made.random("signs")
        magnitudes = {name: np.abs(made.checkpoint[name]) for name in made.network.weight_names()}
        signed = {name: np.copysign(values, random_signs(random, values)) for name, values in magnitudes.items()}
        return rewind(made.checkpoint | signed, made.mask)

    def __str__(self) -> str:
        return "the ticket's magnitudes with random signs"


@dataclass(frozen=True)
class Constant:
    """One magnitude for each layer, the standard deviation that its initial weights are drawn with, and the signs of
    the weights at the rewind point, or random ones (Zhou et al., 1905.01067, section 4: `constant`).
    """

    signs: Literal["the ticket's", "random"] = "the ticket's"

    @property
    def samples(self) -> bool:
        return self.signs == "random"

    def weights(self, made: Ingredients) -> Arrays:
        constant = dict(made.checkpoint)
        random = made.random("signs") if self.samples else None
        for layer in made.network.layers:
            values = made.checkpoint[layer.weight_name]
            signs = random_signs(random, values) if random else values
            deviation = np.full_like(values, layer.deviation(made.initialisation))
            constant[layer.weight_name] = np.copysign(deviation, signs)
        return rewind(constant, made.mask)

    def __str__(self) -> str:
        return f"one magnitude for each layer, with {self.signs} signs"


@dataclass(frozen=True)
class ShuffledValues:
    """The survivors' weights at the rewind point, shuffled among the layer's survivors: each value stays in its layer.

    signs: `shuffled` with the values, or `the ticket's`, where magnitudes alone are shuffled (Zhou et al., 1905.01067,
    section 4: `reshuffle`).
    """

    signs: Literal["shuffled", "the ticket's"] = "shuffled"
    samples = True

    def weights(self, made: Ingredients) -> Arrays:
        start, random = rewind(made.checkpoint, made.mask), made.random("shuffled values")
        for name, kept in made.mask.items():
            survivors = start[name][kept > 0]
            values = random.permutation(survivors)
            start[name][kept > 0] = values if self.signs == "shuffled" else np.copysign(values, survivors)
        return start

    def __str__(self) -> str:
        whose = "magnitudes" if self.signs == "the ticket's" else "weights"
        return f"the ticket's {whose} shuffled in each layer"


@dataclass(frozen=True)
class Retrained:
    """What is set back to iteration `at` for the rest of the training: the weights, the schedule, both or neither.

    weights: those of the dense network at that iteration, else those that the mask was pruned from, after their
    training. schedule: that of the recipe from that iteration on, else the rate of its end all the time. Renda et al.
    (2003.02389), section 2: both are weight rewinding, the schedule alone learning-rate rewinding, neither fine-tuning.
    """

    at: int
    weights_back: bool
    schedule_back: bool
    samples = False

    def weights(self, made: Ingredients) -> Arrays:
        return rewind(made.checkpoint, made.mask)

    def __str__(self) -> str:
        weights = f"the weights of iteration {self.at}" if self.weights_back else "the weights that it was pruned from"
        return f"{weights}, {'the schedule' if self.schedule_back else 'the last rate'} from iteration {self.at}"


Start = (
    Rewound
    | Continued
    | Fresh
    | SameSign
    | OwnValues
    | Noisy
    | TurnedSigns
    | RandomSigns
    | Constant
    | ShuffledValues
    | Retrained
)
