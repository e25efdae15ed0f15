"""A layer that stores its kept weights and nothing else."""

# mypy: disable-error-code="no-untyped-def"

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lottery.training.sparse.vectors import (
    GROUP,
    WIDTH,
    at,
    dot,
    fill,
    load,
    multiply_add,
    store,
    store_dots,
    where_positive,
)


class SparseLayer(NamedTuple):
    """A layer's kept weights, by block of input units and within it by output unit.

    The vectors of a block's inputs fit the innermost cache together. Output unit i's weights to block b stand at
    start[outputs * b + i], ..., start[outputs * b + i + 1] - 1. `by_input` lists the same weights by input unit, for
    the gradient of the layer before.
    """

    blocks: int
    start: NDArray  # int64 [blocks * outputs + 1]
    column: NDArray  # int32 [kept], the input unit
    weight: NDArray  # float [kept]
    gradient: NDArray  # float [kept]
    bias: NDArray  # float [outputs]
    bias_gradient: NDArray  # float [outputs]
    input_start: NDArray  # int64 [inputs + 1]
    by_input: NDArray  # int32 [kept], places in `weight`
    row: NDArray  # int32 [kept], the output unit of each place in `by_input`


Places = tuple[NDArray, NDArray]
"""Rows and columns of kept weights in a layer's matrix [outputs, inputs]."""


def sparse_layer(kept: NDArray, numbers: NDArray, gradients: NDArray) -> tuple[SparseLayer, Places]:
    """A layer with the kept weights of `kept` [outputs, inputs], and where they stand in its matrix, in its order.

    `numbers` and `gradients` hold first the weights, then the biases; the layer's arrays are views of them.
    """
    row, column = np.nonzero(kept)
    count, (outputs, inputs) = len(row), kept.shape
    width = block_width(outputs, inputs, count)
    # Without any input there is one block all the same: its outputs are the biases.
    block, blocks = column // width, max(1, -(-inputs // width))
    order = np.lexsort((column, row, block))
    row, column, block = row[order], column[order], block[order]
    by_input = np.argsort(column, kind="stable")
    layer = SparseLayer(
        blocks=blocks,
        start=_starts(outputs * block + row, outputs * blocks),
        column=column.astype(np.int32),
        weight=numbers[:count],
        gradient=gradients[:count],
        bias=numbers[count:],
        bias_gradient=gradients[count:],
        input_start=_starts(column, inputs),
        by_input=by_input.astype(np.int32),
        row=row[by_input].astype(np.int32),
    )
    return layer, (row, column)


def block_width(outputs: int, inputs: int, kept: int) -> int:
    """Input units in a block: few enough for the cache, many enough that an output unit has some weights in each."""
    for_cache, for_work = 112, math.ceil(12 * outputs * inputs / max(kept, 1))
    return max(1, min(inputs, max(for_cache, for_work)))


def _starts(units: NDArray, count: int) -> NDArray:
    """Where each unit's weights begin in a list sorted by unit, and where the last one's end."""
    return np.concatenate([[0], np.cumsum(np.bincount(units, minlength=count))]).astype(np.int64)


@njit(cache=True, nogil=True)
def sparse_forward(layer, inputs, outputs, rectify):
    """One tile's W inputs + b, negative numbers set to 0 if `rectify`."""
    units = layer.bias.size
    for block in range(layer.blocks):
        for unit in range(units):
            total = fill(layer.bias[unit]) if block == 0 else load(outputs, WIDTH * unit)
            for place in range(layer.start[units * block + unit], layer.start[units * block + unit + 1]):
                values = load(inputs, WIDTH * at(layer.column, place))
                total = multiply_add(at(layer.weight, place), values, total)
            if rectify and block == layer.blocks - 1:
                total = where_positive(total, total)
            store(outputs, WIDTH * unit, total)


@njit(cache=True, nogil=True)
def sparse_weight_gradient(layer, inputs, deltas):
    """Gradients of kept weights and of biases from one tile."""
    units = layer.bias.size
    bias_gradient(layer, deltas)
    for block in range(layer.blocks):
        for unit in range(units):
            delta = load(deltas, WIDTH * unit)
            place, end = layer.start[units * block + unit], layer.start[units * block + unit + 1]
            while place + GROUP <= end:
                store_dots(layer.gradient, place, delta, inputs, layer.column)
                place += GROUP
            while place < end:
                layer.gradient[place] = dot(delta, load(inputs, WIDTH * at(layer.column, place)))
                place += 1


@njit(cache=True, nogil=True)
def bias_gradient(layer, deltas):
    """Gradients of biases from one tile."""
    one = fill(deltas.dtype.type(1))
    for unit in range(layer.bias.size):
        layer.bias_gradient[unit] = dot(load(deltas, WIDTH * unit), one)


@njit(cache=True, nogil=True)
def sparse_input_gradient(layer, deltas, inputs, input_deltas):
    """One tile's W' deltas, 0 where the input was not positive (the ReLU before it)."""
    for unit in range(layer.input_start.size - 1):
        total = fill(deltas.dtype.type(0))
        for place in range(layer.input_start[unit], layer.input_start[unit + 1]):
            weight = at(layer.weight, at(layer.by_input, place))
            total = multiply_add(weight, load(deltas, WIDTH * at(layer.row, place)), total)
        store(input_deltas, WIDTH * unit, where_positive(load(inputs, WIDTH * unit), total))
