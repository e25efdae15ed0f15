"""One network in training: which kernels it uses, and the arrays that they share."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.datasets.images import Part
from lottery.networks import Layer, Network
from lottery.settings import Training
from lottery.training.sparse import passes
from lottery.training.sparse.images import SparseImages, no_columns, no_pixels
from lottery.training.sparse.machine import zeros
from lottery.training.sparse.passes import Source
from lottery.training.sparse.pixel_layer import blocks_of, by_pixel, by_unit, no_pixel_layer, pixel_layer
from lottery.training.sparse.sparse_layer import sparse_layer
from lottery.training.sparse.transpose import COLUMNS
from lottery.training.sparse.update import Rule
from lottery.training.sparse.vectors import WIDTH

# What one update of the first layer costs with each kernel, in nanoseconds, measured once on an AVX-512 machine. Only
# their ratio matters. They are constants, not timings, since another kernel means another order of sums: on one machine
# as on another, equal settings must choose alike.
SPARSE_COST = 3.9
"""For each kept weight: forward, gradient and update."""
PIXEL_COST = 3.6
"""For each non-zero pixel of a batch and each 64 units."""
SLOT_COST = 0.8
"""For each weight of the dense layer, pruned or not: its update."""


def precision(recipe: Training) -> type[np.floating]:
    """The type of all numbers."""
    return np.float64 if recipe.precision == "float64" else np.float32


def pixels_are_cheaper(layer: Layer, kept: int, batch_size: int, lit: float) -> bool:
    """Whether a first layer is trained faster by skipping zero pixels, all but `lit` an image, than zero weights."""
    weights = PIXEL_COST * batch_size * lit + SLOT_COST * layer.inputs * WIDTH
    return blocks_of(layer.outputs) * weights < SPARSE_COST * kept


class SparseNetwork:
    """One fully connected network in training; gradients, moments and updates exist for kept weights only."""

    def __init__(
        self,
        network: Network,
        start: Mapping[str, NDArray],
        mask: Mapping[str, NDArray] | None,
        images: Mapping[Part, SparseImages],
        recipe: Training,
        *,
        first_by_pixel: bool | None = None,
    ) -> None:
        """start: float32 [*shape] of every parameter; mask: uint8 [*shape] of every weight, None when dense.

        `first_by_pixel` chooses the first layer's kernel; left out, the cheaper one.
        """
        self.network, self.recipe = network, recipe
        dtype = self.dtype = precision(recipe)
        self.steps = np.zeros(1, np.int64)
        self.kept = {
            layer.weight_name: np.ones((layer.outputs, layer.inputs), bool)
            if mask is None
            else mask[layer.weight_name].astype(bool)
            for layer in network.layers
        }
        first = network.layers[0]
        kept = self.kept[first.weight_name]
        if first_by_pixel is None:
            lit = images["train"].forms.lit
            first_by_pixel = pixels_are_cheaper(first, int(kept.sum()), recipe.batch_size, lit)
        self.first_by_pixel = first_by_pixel
        if first_by_pixel:
            self.pixel_layer = pixel_layer(kept, recipe.batch_size, recipe.optimizer == "adam", dtype)
        else:
            self.pixel_layer = no_pixel_layer(dtype)
        used = np.any(kept, axis=0) & np.bool_(not first_by_pixel)
        self.sources = self._sources(images, used)
        self.rows = {part: each.rows for part, each in images.items()}
        # What the sparse layers hold, by layer; a first layer by pixel leaves them its biases alone.
        held = [self.kept[layer.weight_name] for layer in network.layers]
        held[0] = np.zeros_like(kept) if first_by_pixel else kept
        # The kept weights and the biases of all layers one after another, so that one pass updates them all.
        sizes = [int(matrix.sum()) + len(matrix) for matrix in held]
        self.flat = tuple(zeros(sum(sizes), dtype) for _ in range(5))
        ends = np.cumsum(sizes)
        layers, self.places = [], []
        for matrix, begin, end in zip(held, ends - sizes, ends, strict=True):
            columns = np.flatnonzero(used) if matrix is held[0] else np.arange(matrix.shape[1])
            arrays, (row, column) = sparse_layer(matrix[:, columns], self.flat[0][begin:end], self.flat[1][begin:end])
            layers.append(arrays)
            self.places.append((row, columns[column]))
        self.layers = tuple(layers)
        # The inputs have one vector more, for pixels that no weight looks at.
        units = [int(used.sum()) + 1, *(layer.outputs for layer in network.layers)]
        self.values, self.deltas = (tuple(zeros(WIDTH * count, dtype) for count in units) for _ in range(2))
        self.load(dict(start))

    def _sources(self, images: Mapping[Part, SparseImages], used: NDArray) -> dict[Part, Source]:
        """All parts of the images in the form that the first layer reads, which sees the pixels in `used`."""
        padding = np.zeros(-len(used) % COLUMNS, bool)
        used = np.concatenate([used, padding])
        slot = np.where(used, np.cumsum(used) - 1, used.sum()).astype(np.int32)
        sources = {}
        for part, (forms, _, label) in images.items():
            sources[part] = Source(
                label=label,
                pixels=forms.pixels if self.first_by_pixel else no_pixels(self.dtype),
                columns=no_columns() if self.first_by_pixel else forms.columns,
                slot=slot,
                scale=forms.scale,
                offsets=np.zeros(WIDTH, np.int64),
            )
        return sources

    def advance(self, batches: NDArray) -> float:
        rule = self.rule(len(batches))
        self.steps += len(batches)
        loss = passes.advance(
            self.pixel_layer,
            self.layers,
            self.sources["train"],
            np.ascontiguousarray(self.rows["train"][batches]),
            self.values,
            self.deltas,
            self.flat,
            rule,
        )
        return float(loss) / len(batches)

    def rule(self, count: int) -> Rule:
        """The update rule for the next `count` steps."""
        adam = self.recipe.optimizer == "adam"
        number, steps = self.dtype, self.steps + 1 + np.arange(count)
        beta1, beta2 = (0.9, 0.999) if adam else (self.recipe.momentum, 0.0)
        rate = self.recipe.learning_rate / (1 - beta1**steps if adam else np.ones(count))
        return Rule(
            adam=adam,
            keep_first=number(beta1),
            add_first=number(1 - beta1),
            keep_second=number(beta2),
            add_second=number(1 - beta2),
            epsilon=number(1e-8),
            rate=rate.astype(number),
            scale=(1 / np.sqrt(1 - beta2**steps)).astype(number),
        )

    def evaluate(self, part: Part) -> tuple[float, float]:
        rows = self.rows[part]
        loss, correct = passes.evaluate(
            self.pixel_layer, self.layers, self.sources[part], rows, self.values, self.deltas
        )
        return float(loss) / len(rows), int(correct) / len(rows)

    def parameters(self) -> Arrays:
        parameters: Arrays = {}
        for index, (layer, arrays) in enumerate(zip(self.network.layers, self.layers, strict=True)):
            weights = np.zeros((layer.outputs, layer.inputs), np.float32)
            if self.first_by_pixel and index == 0:
                weights[:] = by_unit(self.pixel_layer.weight, layer.outputs, layer.inputs)
            else:
                weights[self.places[index]] = arrays.weight
            parameters[layer.weight_name] = weights
            parameters[layer.bias_name] = arrays.bias.astype(np.float32)
        return parameters

    def state(self) -> Iterator[tuple[str, NDArray]]:
        """The arrays that change in training, by name; not copies, so writing to them restores a state."""
        yield "steps", self.steps
        yield from zip(("weight", "first", "second"), (self.flat[0], *self.flat[2:4]), strict=True)
        for name in ("weight", "first", "second", "bias"):
            yield f"pixel.{name}", getattr(self.pixel_layer, name)

    def load(self, parameters: Arrays) -> None:
        for index, (layer, arrays) in enumerate(zip(self.network.layers, self.layers, strict=True)):
            weights = parameters[layer.weight_name]
            if self.first_by_pixel and index == 0:
                self.pixel_layer.weight[:] = by_pixel(np.where(self.kept[layer.weight_name], weights, 0))
                self.pixel_layer.bias[: layer.outputs] = parameters[layer.bias_name]
            else:
                arrays.weight[:] = weights[self.places[index]]
            arrays.bias[:] = parameters[layer.bias_name]
