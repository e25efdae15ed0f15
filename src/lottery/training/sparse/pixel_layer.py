"""A first layer stored by input pixel, for weights too dense to be worth skipping: the images' zeros are skipped."""

# mypy: disable-error-code="no-untyped-def"

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lottery.training.sparse.machine import prefetch, zeros
from lottery.training.sparse.update import keep, update
from lottery.training.sparse.vectors import WIDTH, at, fill, load, multiply_add, store, where_positive

TOGETHER = 32
"""Pixels whose weights are updated together, while their gradients are still in the innermost cache."""


AHEAD = 4
"""How many images ahead their first pixels are asked for: a batch's images lie anywhere in memory."""


class Batch(NamedTuple):
    """The non-zero pixels of a batch's images, in tiles of 64 images, those of a tile sorted by pixel.

    Pixel p of tile t stands at start[(pixels + 1) * t + p], ..., start[(pixels + 1) * t + p + 1] - 1.
    """

    start: NDArray  # int64 [tiles * (pixels + 1)]
    lane: NDArray  # uint8 [batch * pixels], the image's place in its tile
    value: NDArray  # float [batch * pixels]


class PixelLayer(NamedTuple):
    """A first layer by input pixel.

    Its units come in blocks of 64, padded. Block b holds, pixel after pixel, the weights of one pixel to its 64 units:
    one vector at 64 * (pixels * b + p). All arrays are empty when the layer is not in use.
    """

    blocks: int
    pixels: int
    weight: NDArray  # float [blocks * pixels * 64]
    mask: NDArray  # float [blocks * pixels * 64], or empty when no weight is pruned
    first: NDArray  # float [blocks * pixels * 64], the optimiser's first moment
    second: NDArray  # float [blocks * pixels * 64], the second
    bias: NDArray  # float [blocks * 64]
    values: NDArray  # float [64 * 64], one block's values of a tile, image by image
    deltas: NDArray  # float [tiles * blocks * 64 * 64], a batch's gradients, in each block image by image
    gradient: NDArray  # float [TOGETHER * 64]
    batch: Batch


def pixel_layer(kept: NDArray, batch_size: int, two_moments: bool, dtype: type[np.floating]) -> PixelLayer:
    """A layer for the weights `kept` [outputs, pixels], all still 0."""
    outputs, pixels = kept.shape
    blocks, tiles = blocks_of(outputs), -(-batch_size // WIDTH)
    size = WIDTH * pixels * blocks
    layer = PixelLayer(
        blocks=blocks,
        pixels=pixels,
        weight=zeros(size, dtype),
        mask=zeros(0 if kept.all() else size, dtype),
        first=zeros(size, dtype),
        second=zeros(size if two_moments else 0, dtype),
        bias=zeros(WIDTH * blocks, dtype),
        values=zeros(WIDTH * WIDTH, dtype),
        deltas=zeros(WIDTH * WIDTH * blocks * tiles, dtype),
        gradient=zeros(WIDTH * TOGETHER, dtype),
        batch=Batch(
            start=np.zeros(tiles * (pixels + 1), np.int64),
            lane=np.zeros(batch_size * pixels, np.uint8),
            value=zeros(batch_size * pixels, dtype),
        ),
    )
    if layer.mask.size:
        layer.mask[:] = by_pixel(kept)
    return layer


def no_pixel_layer(dtype: type[np.floating]) -> PixelLayer:
    """What stands for the pixel layer of a network whose first layer is a sparse one."""
    return pixel_layer(np.ones((0, 0), bool), 0, False, dtype)


def blocks_of(units: int) -> int:
    """Blocks of 64 that hold so many units."""
    return -(-units // WIDTH)


def by_pixel(weights: NDArray) -> NDArray:
    """Weights [outputs, pixels] as a pixel layer holds them."""
    outputs, pixels = weights.shape
    padded = np.zeros((blocks_of(outputs) * WIDTH, pixels), weights.dtype)
    padded[:outputs] = weights
    return padded.reshape(-1, WIDTH, pixels).transpose(0, 2, 1).ravel()


def by_unit(weights: NDArray, outputs: int, pixels: int) -> NDArray:
    """The inverse of `by_pixel`."""
    return weights.reshape(-1, pixels, WIDTH).transpose(0, 2, 1).reshape(-1, pixels)[:outputs]


@njit(cache=True, nogil=True)
def pixel_forward(layer, images, rows, first, outputs):
    """relu(W pixels + b) of a tile, the images listed from rows[first] on, walking only the pixels that are not 0."""
    units, count = outputs.size // WIDTH, min(WIDTH, rows.size - first)
    for block in range(layer.blocks):
        bias = load(layer.bias, WIDTH * block)
        for lane in range(count):
            image = rows[first + lane]
            if block == 0 and first + lane + AHEAD < rows.size:
                coming = images.start[rows[first + lane + AHEAD]]
                prefetch(images.pixel, coming)
                prefetch(images.byte, coming)
            total = bias
            for place in range(images.start[image], images.start[image + 1]):
                weights = load(layer.weight, WIDTH * (layer.pixels * block + at(images.pixel, place)))
                total = multiply_add(at(images.number, at(images.byte, place)), weights, total)
            store(layer.values, WIDTH * lane, where_positive(total, total))
        for unit in range(WIDTH * block, min(units, WIDTH * (block + 1))):
            for lane in range(WIDTH):
                outputs[WIDTH * unit + lane] = layer.values[WIDTH * (lane - block) + unit]


@njit(cache=True, nogil=True)
def sort_by_pixel(images, rows, batch, pixels):
    """List a batch's pixels by pixel instead of by image, tile by tile."""
    base = 0
    for tile in range((rows.size + WIDTH - 1) // WIDTH):
        first, last = WIDTH * tile, min(WIDTH * (tile + 1), rows.size)
        start = batch.start[(pixels + 1) * tile : (pixels + 1) * (tile + 1)]
        start[:] = 0
        for image in rows[first:last]:
            for place in range(images.start[image], images.start[image + 1]):
                start[at(images.pixel, place) + 1] += 1
        start[0] = base
        for pixel in range(pixels):
            start[pixel + 1] += start[pixel]
        # Each start moves on while its pixel's images are written, and ends where the next pixel's started.
        for lane in range(last - first):
            image = rows[first + lane]
            for place in range(images.start[image], images.start[image + 1]):
                pixel = at(images.pixel, place)
                here = start[pixel]
                batch.lane[here] = lane
                batch.value[here] = at(images.number, at(images.byte, place))
                start[pixel] = here + 1
        for pixel in range(pixels, 0, -1):
            start[pixel] = start[pixel - 1]
        start[0] = base
        base = start[pixels]


@njit(cache=True, nogil=True)
def keep_deltas(layer, tile, deltas):
    """Lay one tile's gradients [units * 64] out image by image."""
    for unit in range(deltas.size // WIDTH):
        block = unit // WIDTH
        here = WIDTH * (WIDTH * (layer.blocks * tile + block) - block) + unit
        for lane in range(WIDTH):
            layer.deltas[here + WIDTH * lane] = deltas[WIDTH * unit + lane]


@njit(cache=True, nogil=True)
def pixel_update(layer, tiles, rule, step):
    """Gradients of the weights from a whole batch of `tiles` tiles, and their update."""
    batch = layer.batch
    for block in range(layer.blocks):
        for first_pixel in range(0, layer.pixels, TOGETHER):
            last_pixel = min(first_pixel + TOGETHER, layer.pixels)
            for pixel in range(first_pixel, last_pixel):
                total = fill(layer.gradient.dtype.type(0))
                for tile in range(tiles):
                    first, lanes = (layer.pixels + 1) * tile + pixel, WIDTH * (layer.blocks * tile + block)
                    for place in range(batch.start[first], batch.start[first + 1]):
                        deltas = load(layer.deltas, WIDTH * (lanes + at(batch.lane, place)))
                        total = multiply_add(at(batch.value, place), deltas, total)
                store(layer.gradient, WIDTH * (pixel - first_pixel), total)
            here = slice(WIDTH * (layer.pixels * block + first_pixel), WIDTH * (layer.pixels * block + last_pixel))
            gradient = layer.gradient[: here.stop - here.start]
            if layer.mask.size:
                keep(gradient, layer.mask[here])
            update(layer.weight[here], gradient, layer.first[here], layer.second[here], rule, step)
