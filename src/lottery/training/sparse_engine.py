"""The sparse engine: fully connected networks on a CPU, at a cost that follows the number of weights kept.

`docs/sparse-engine.md` explains the layout; the kernels are in `training/sparse/`.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays, of_member, stack
from lottery.datasets.images import Images, Part, Split, in_form
from lottery.networks import Network, build
from lottery.settings import Training
from lottery.training.engines import Stretch
from lottery.training.sparse.images import Forms, SparseImages
from lottery.training.sparse.network import SparseNetwork, precision

PACKAGES = ("numba",)


def resident(splits: Iterable[Split], recipe: Training) -> list[dict[Part, SparseImages]]:
    """The images of each split, in forms that are made when an engine asks for them, once for all splits."""
    return in_form(
        splits,
        lambda images: Forms(images, precision(recipe)),
        lambda forms, chosen: SparseImages(forms, chosen.rows, chosen.all_labels),
    )


def one_thread() -> None:
    """Kernels compute on the calling thread alone."""


def together(_: Training, __: Network) -> bool:
    """Members share nothing but the images, so each is trained by itself, on whichever thread is free."""
    return False


class Engine:
    """Networks in training, one after the other."""

    def __init__(
        self,
        network: Network,
        start: Mapping[str, NDArray],
        mask: Mapping[str, NDArray] | None,
        images: Sequence[Mapping[Part, SparseImages]],
        recipe: Training,
        *,
        first_by_pixel: bool | None = None,
    ) -> None:
        """start: float32 [members, *shape] of every parameter; mask: uint8 [members, *shape] of every weight, None when
        dense; images: those of each member. `first_by_pixel` chooses the first layer's kernel; left out, the cheaper
        one.
        """
        self.networks = [
            SparseNetwork(
                network,
                of_member(start, index),
                of_member(mask, index) if mask is not None else None,
                own,
                recipe,
                first_by_pixel=first_by_pixel,
            )
            for index, own in enumerate(images)
        ]

    def advance(self, stretch: Stretch) -> NDArray:
        return np.array([each.advance(own) for each, own in zip(self.networks, stretch.batches, strict=True)])

    def evaluate(self, part: Part) -> tuple[NDArray, NDArray]:
        loss, accuracy = zip(*(each.evaluate(part) for each in self.networks), strict=True)
        return np.array(loss), np.array(accuracy)

    def parameters(self) -> Arrays:
        return stack([each.parameters() for each in self.networks])

    def load(self, parameters: Arrays) -> None:
        for index, each in enumerate(self.networks):
            each.load(of_member(parameters, index))

    def state(self) -> Arrays:
        return {f"{index}.{name}": values for index, each in enumerate(self.networks) for name, values in each.state()}

    def restore(self, state: Arrays) -> None:
        for index, each in enumerate(self.networks):
            for name, values in each.state():
                values[:] = state[f"{index}.{name}"]


def compile_kernels() -> None:
    """Use every kernel once on a network of LeNet's depth. What Numba compiles it keeps beside the source."""
    recipe = Training(batch_size=2)
    network = build("lenet-2-2", (8,), 2)
    images = Images(np.ones((2, 8), np.uint8), np.zeros(2, np.int64)).all()
    parts = resident([Split(images, images, images)], recipe)
    engine = Engine(network, stack([network.initial(np.random.default_rng(0))]), None, parts, recipe)
    engine.advance(Stretch(np.array([[[0, 1]]]), [recipe.learning_rate]))
    engine.evaluate("test")
