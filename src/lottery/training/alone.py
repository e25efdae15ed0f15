"""What a network is trained on, and its training in memory, without files."""

from functools import partial

import numpy as np

from lottery.arrays import Arrays, stack
from lottery.datasets.batches import random_views, shuffled_batches
from lottery.datasets.images import Split
from lottery.networks import Network
from lottery.randomness import Purpose, Seed
from lottery.settings import Training
from lottery.training.engines import engine_of
from lottery.training.loop import Course, MemberData, Record


def data_of(seed: Seed, recipe: Training, level: int, images: int, own: int | None = None) -> MemberData:
    """What a network of a replicate is trained on; images: how many train it.

    At a level all arms have the same, and no two levels do; own: the draw of an arm with batches of its own, which has
    others for each draw.
    """

    def random(shared: Purpose, of_draw: Purpose, epoch: int) -> np.random.Generator:
        if own is None:
            return seed.generator(shared, level=level, epoch=epoch)
        return seed.generator(of_draw, level=level, draw=own, epoch=epoch)

    augmented, noisy = recipe.augmentation != "none", recipe.dropout > 0
    views, dropout = partial(random, "views", "own views"), partial(random, "dropout", "own dropout")
    return MemberData(
        shuffled_batches(images, recipe.batch_size, partial(random, "batches", "own batches")),
        random_views(images, recipe.batch_size, views) if augmented else None,
        (lambda iteration: int(dropout(iteration).integers(2**63))) if noisy else None,
    )


def train(
    network: Network, start: Arrays, mask: Arrays | None, images: Split, recipe: Training, seed: Seed, level: int
) -> Record:
    """Train one network from its start, float32 [*shape] of every parameter, under its mask, uint8 [*shape] of every
    weight, None when dense: what the workflow's job of that level does. Raises Diverged where the recipe wants that.
    """
    engine = engine_of(network, recipe)
    engine.one_thread()
    made = engine.Engine(
        network, stack([start]), stack([mask]) if mask else None, engine.resident([images], recipe), recipe
    )
    course = Course(made, [data_of(seed, recipe, level, len(images.train))], recipe)
    while not course.finished:
        course.advance()
    course.measure()
    (record,) = course.records
    return record
