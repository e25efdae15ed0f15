"""Every random number of a run comes from here, keyed by what it is for and never from global state."""

import hashlib
import json
from dataclasses import dataclass
from typing import Literal

import numpy as np

Purpose = Literal[
    "split",
    "wrong labels",
    "initialisation",
    "batches",
    "views",
    "dropout",
    "reinitialisation",
    "random mask",
    "own values",
    "noise",
    "signs",
    "shuffled values",
    "random scores",
    "scored images",
    "learnt masks",
    "own batches",
    "own views",
    "own dropout",
]


@dataclass(frozen=True)
class Seed:
    """The part of a key that is common to one replicate: the run's root seed, the replicate, and the name of the
    experiment or the one under which experiments share their replicates.
    """

    root: int
    experiment: str
    replicate: int

    def generator(self, purpose: Purpose, *, level: int = 0, draw: int = 0, epoch: int = 0) -> np.random.Generator:
        """A generator that depends on this key alone, independent of all others."""
        return _generator(self.root, self.experiment, self.replicate, purpose, level, draw, epoch)


def split_generator(root: int, replicate: int | None) -> np.random.Generator:
    """What chooses a replicate's images, the same in all experiments; None: those that all replicates share."""
    return _generator(root, None, replicate, "split", 0, 0, 0)


def label_generator(root: int, replicate: int) -> np.random.Generator:
    """What makes labels of a replicate's training images wrong, the same in all experiments."""
    return _generator(root, None, replicate, "wrong labels", 0, 0, 0)


def _generator(*key: int | str | None) -> np.random.Generator:
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(int.from_bytes(digest))))
