"""The sparse engine: fully connected networks on a CPU, at a cost that follows the number of weights kept.

Gradients, moments and updates exist for kept weights only. `docs/sparse-engine.md` explains the layout.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.datasets.images import Images, Split
from lottery.networks import Layer, Network, build
from lottery.settings import Training
from lottery.training import kernels
from lottery.training.kernels import ImageRows, PixelLayer, Rule, SparseLayer
from lottery.training.loop import Part
from lottery.training.vectors import WIDTH

PACKAGES = ("numba",)

Places = tuple[NDArray, NDArray]
"""Rows and columns of kept weights in a layer's matrix [outputs, inputs]."""

# What one update of the first layer costs with each kernel, in nanoseconds, measured once on an AVX-512 machine. Only
# their ratio matters. They are constants, not timings, since another kernel means another order of sums: on one machine
# as on another, equal settings must choose alike.
SPARSE_COST = 3.6
"""For each kept weight: forward, gradient and update."""
PIXEL_COST = 5.2
"""For each non-zero pixel of a batch and each 64 units."""
SLOT_COST = 0.25
"""For each weight of the dense layer, pruned or not: its update."""


def image_rows(images: Images, dtype: type[np.floating]) -> ImageRows:
    """The images by their non-zero pixels, bytes divided by 255."""
    bytes_ = np.ascontiguousarray(images.pixels)
    groups = bytes_.view(np.uint64) if bytes_.shape[1] % 8 == 0 else bytes_
    count = int(np.count_nonzero(bytes_))
    start = np.zeros(len(images.labels) + 1, np.int64)
    pixel, byte = np.empty(count, np.uint16), np.empty(count, np.uint8)
    kernels.list_pixels(bytes_, groups, start, pixel, byte)
    return ImageRows(start, pixel, byte, np.arange(256, dtype=dtype) / dtype(255), images.labels)


def resident(split: Split, recipe: Training) -> dict[Part, ImageRows]:
    """The images as the kernels want them, made once and shared by all members of a job."""
    dtype = precision(recipe)
    return {
        "train": image_rows(split.train, dtype),
        "validation": image_rows(split.validation, dtype),
        "test": image_rows(split.test, dtype),
    }


def one_thread() -> None:
    """Kernels compute on the calling thread alone."""


def precision(recipe: Training) -> type[np.floating]:
    """The type of all numbers."""
    return np.float64 if recipe.precision == "float64" else np.float32


def pixels_are_cheaper(layer: Layer, kept: int, batch_size: int, images: ImageRows) -> bool:
    """Whether a first layer is trained faster by skipping the images' zeros than by skipping its own."""
    nonzero = batch_size * images.pixel.size / len(images.label)
    by_pixel = blocks_of(layer) * (PIXEL_COST * nonzero + SLOT_COST * layer.inputs * WIDTH)
    return by_pixel < SPARSE_COST * kept


def blocks_of(layer: Layer) -> int:
    """Blocks of 64 that hold a layer's units."""
    return -(-layer.outputs // WIDTH)


class Engine:
    """One network in training."""

    def __init__(
        self,
        network: Network,
        start: Mapping[str, NDArray],
        mask: Mapping[str, NDArray] | None,
        images: Mapping[Part, ImageRows],
        recipe: Training,
        *,
        by_pixel: bool | None = None,
    ) -> None:
        """start: float32 [*shape] of every parameter; mask: uint8 [*shape] of every weight, None when dense.

        `by_pixel` chooses the first layer's kernel; left out, the cheaper one.
        """
        self.network, self.images, self.recipe = network, images, recipe
        dtype = self.dtype = precision(recipe)
        self.steps = 0
        self.kept = {
            layer.weight_name: np.ones((layer.outputs, layer.inputs), bool)
            if mask is None
            else mask[layer.weight_name].astype(bool)
            for layer in network.layers
        }
        first = network.layers[0]
        if by_pixel is None:
            count = int(self.kept[first.weight_name].sum())
            by_pixel = pixels_are_cheaper(first, count, recipe.batch_size, images["train"])
        self.by_pixel = by_pixel
        self.pixel_layer = self._pixel_layer(first) if by_pixel else _no_pixel_layer(dtype)
        # The kept weights and the biases of all layers one after another, so that one pass updates them all.
        sizes = [
            (0 if by_pixel and index == 0 else int(self.kept[layer.weight_name].sum()), layer.outputs)
            for index, layer in enumerate(network.layers)
        ]
        self.flat = tuple(np.zeros(sum(map(sum, sizes)), dtype) for _ in range(4))
        used = self.kept[first.weight_name].any(axis=0) & (not by_pixel)
        self.slot = np.where(used, np.cumsum(used) - 1, -1).astype(np.int32)
        layers, self.places, offset = [], [], 0
        for index, (layer, (weights, biases)) in enumerate(zip(network.layers, sizes, strict=True)):
            kept = self.kept[layer.weight_name]
            if index == 0:
                kept = kept[:, used]
            arrays, (row, column) = _sparse_layer(kept, self.flat, offset, weights, biases)
            layers.append(arrays)
            self.places.append((row, np.flatnonzero(used)[column] if index == 0 else column))
            offset += weights + biases
        self.layers = tuple(layers)
        units = [int(used.sum()), *(layer.outputs for layer in network.layers)]
        self.values, self.deltas = (tuple(np.zeros(WIDTH * count, dtype) for count in units) for _ in range(2))
        self.load(dict(start))

    def _pixel_layer(self, layer: Layer) -> PixelLayer:
        blocks, batch = blocks_of(layer), self.recipe.batch_size
        kept = self.kept[layer.weight_name]
        size = blocks * layer.inputs * WIDTH
        nothing = np.zeros(0, self.dtype)
        return PixelLayer(
            blocks=blocks,
            weight=np.zeros(size, self.dtype),
            mask=nothing if kept.all() else self._by_pixel(layer, kept),
            first=np.zeros(size, self.dtype),
            second=np.zeros(size if self.recipe.optimizer == "adam" else 0, self.dtype),
            bias=np.zeros(blocks * WIDTH, self.dtype),
            values=np.zeros(WIDTH * WIDTH, self.dtype),
            deltas=np.zeros(blocks * batch * WIDTH, self.dtype),
            pixel_start=np.zeros(layer.inputs + 1, np.int64),
            image=np.zeros(batch * layer.inputs, np.int32),
            value=np.zeros(batch * layer.inputs, self.dtype),
            gradient=np.zeros(layer.inputs * WIDTH, self.dtype),
        )

    def _by_pixel(self, layer: Layer, weights: NDArray) -> NDArray:
        """Weights [outputs, inputs] as flat [blocks, inputs, 64]."""
        blocks = blocks_of(layer)
        rows = np.zeros((blocks * WIDTH, layer.inputs), self.dtype)
        rows[: layer.outputs] = weights
        return rows.reshape(blocks, WIDTH, layer.inputs).transpose(0, 2, 1).ravel()

    def _by_unit(self, layer: Layer, weights: NDArray) -> NDArray:
        """The inverse of `_by_pixel`."""
        rows = weights.reshape(-1, layer.inputs, WIDTH).transpose(0, 2, 1).reshape(-1, layer.inputs)
        return rows[: layer.outputs]

    def advance(self, batches: NDArray) -> float:
        rule = self._rule(len(batches))
        self.steps += len(batches)
        loss = kernels.advance(
            self.pixel_layer,
            self.layers,
            self.slot,
            self.images["train"],
            np.ascontiguousarray(batches, np.int64),
            self.values,
            self.deltas,
            self.flat,
            rule,
        )
        return float(loss) / len(batches)

    def _rule(self, count: int) -> Rule:
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
        images = self.images[part]
        count = len(images.label)
        loss, correct = kernels.evaluate(
            self.pixel_layer, self.layers, self.slot, images, np.arange(count), self.values, self.deltas
        )
        return float(loss) / count, int(correct) / count

    def parameters(self) -> Arrays:
        parameters: Arrays = {}
        for index, (layer, arrays) in enumerate(zip(self.network.layers, self.layers, strict=True)):
            weights = np.zeros((layer.outputs, layer.inputs), np.float32)
            if self.by_pixel and index == 0:
                weights[:] = self._by_unit(layer, self.pixel_layer.weight)
            else:
                weights[self.places[index]] = arrays.weight
            parameters[layer.weight_name] = weights
            parameters[layer.bias_name] = arrays.bias.astype(np.float32)
        return parameters

    def load(self, parameters: Arrays) -> None:
        for index, (layer, arrays) in enumerate(zip(self.network.layers, self.layers, strict=True)):
            weights = parameters[layer.weight_name]
            if self.by_pixel and index == 0:
                kept = np.where(self.kept[layer.weight_name], weights, 0)
                self.pixel_layer.weight[:] = self._by_pixel(layer, kept)
                self.pixel_layer.bias[: layer.outputs] = parameters[layer.bias_name]
            else:
                arrays.weight[:] = weights[self.places[index]]
            arrays.bias[:] = parameters[layer.bias_name]


def compile_kernels() -> None:
    """Use every kernel once on a network of LeNet's depth. What Numba compiles it keeps beside the source."""
    recipe = Training(batch_size=2)
    network = build("lenet-2-2", 8, 2)
    images = Images(np.ones((2, 8), np.uint8), np.zeros(2, np.int64))
    parts = resident(Split(images, images, images), recipe)
    engine = Engine(network, network.initial(np.random.default_rng(0)), None, parts, recipe)
    engine.advance(np.array([[0, 1]]))
    engine.evaluate("test")


def _no_pixel_layer(dtype: type[np.floating]) -> PixelLayer:
    """The first layer is a sparse one."""
    nothing = np.zeros(0, dtype)
    return PixelLayer(
        blocks=0,
        weight=nothing,
        mask=nothing,
        first=nothing,
        second=nothing,
        bias=nothing,
        values=nothing,
        deltas=nothing,
        pixel_start=np.zeros(1, np.int64),
        image=np.zeros(0, np.int32),
        value=nothing,
        gradient=nothing,
    )


def _sparse_layer(kept: NDArray, flat: Any, offset: int, weights: int, biases: int) -> tuple[SparseLayer, Places]:
    """A layer with the kept weights of `kept` [outputs, inputs], its numbers being views of the flat arrays.

    Also returns where the kept weights stand in the layer's matrix, in the layer's order.
    """
    if not weights:
        kept = np.zeros_like(kept)
    row, column = np.nonzero(kept)
    width = block_width(kept.shape, len(row))
    block = column // width
    order = np.lexsort((column, row, block))
    row, column, block = row[order], column[order], block[order]
    by_input = np.argsort(column, kind="stable")
    middle, end = offset + weights, offset + weights + biases
    blocks = -(-kept.shape[1] // width)
    layer = SparseLayer(
        blocks=blocks,
        start=_starts(kept.shape[0] * block + row, kept.shape[0] * blocks),
        column=column.astype(np.int32),
        weight=flat[0][offset:middle],
        gradient=flat[1][offset:middle],
        bias=flat[0][middle:end],
        bias_gradient=flat[1][middle:end],
        input_start=_starts(column, kept.shape[1]),
        by_input=by_input.astype(np.int32),
        row=row[by_input].astype(np.int32),
    )
    return layer, (row, column)


def block_width(shape: tuple[int, ...], kept: int) -> int:
    """Input units in a block: few enough for the cache, many enough that an output unit has some weights in each."""
    outputs, inputs = shape
    for_cache, for_work = 112, math.ceil(12 * outputs * inputs / max(kept, 1))
    return max(1, min(inputs, max(for_cache, for_work)))


def _starts(units: NDArray, count: int) -> NDArray:
    """Where each unit's weights begin in a list sorted by unit, and where the last one's end."""
    return np.concatenate([[0], np.cumsum(np.bincount(units, minlength=count))]).astype(np.int64)
