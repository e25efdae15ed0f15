"""Whole networks: evaluation, and stretches of updates, each one call of compiled code.

Activations are feature-major in tiles of 64 images: unit i of a tile is one vector at offset 64 * i. Everything here
runs without Python and without its lock. Sums have a fixed order, so equal inputs give equal bytes.
"""

# mypy: disable-error-code="no-untyped-def"

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lottery.training.sparse.images import Pixels, ask_for, place_images
from lottery.training.sparse.machine import flush_denormals, set_mode
from lottery.training.sparse.pixel_layer import keep_deltas, pixel_forward, pixel_update, sort_by_pixel
from lottery.training.sparse.sparse_layer import (
    bias_gradient,
    sparse_forward,
    sparse_input_gradient,
    sparse_weight_gradient,
)
from lottery.training.sparse.update import update
from lottery.training.sparse.vectors import WIDTH


class Source(NamedTuple):
    """Images in the form that a network's first layer reads; the other form is empty."""

    label: NDArray  # int64 [images]
    pixels: Pixels  # for a layer by pixel
    columns: NDArray  # uint8 [images, pixels], for a sparse layer
    slot: NDArray  # int32 [pixels], where a pixel's vector stands; those that no weight looks at share the last place
    scale: np.floating  # what a byte is multiplied by
    offsets: NDArray  # int64 [64], room for a tile's places in `columns`


@njit(cache=True, nogil=True, error_model="numpy")
def cross_entropy(outputs, labels, rows, first, deltas, share):
    """Summed loss and right answers of one tile; `deltas` gets the gradient times `share`, 0 beyond the last image."""
    classes, count = outputs.size // WIDTH, rows.size - first
    loss, correct = 0.0, 0
    for lane in range(WIDTH):
        if lane >= count:
            for unit in range(classes):
                deltas[WIDTH * unit + lane] = 0
            continue
        label, best = labels[rows[first + lane]], 0
        for unit in range(1, classes):
            if outputs[WIDTH * unit + lane] > outputs[WIDTH * best + lane]:
                best = unit
        top = outputs[WIDTH * best + lane]
        total = outputs.dtype.type(0)
        for unit in range(classes):
            power = math.exp(outputs[WIDTH * unit + lane] - top)
            deltas[WIDTH * unit + lane] = power
            total += power
        loss += math.log(total) - (outputs[WIDTH * label + lane] - top)
        correct += best == label
        for unit in range(classes):
            deltas[WIDTH * unit + lane] = share * (deltas[WIDTH * unit + lane] / total - (unit == label))
    return loss, correct


@njit(cache=True, nogil=True)
def forward(pixel_layer, layers, images, rows, first, values):
    """The outputs of a tile, the images listed from rows[first] on: values[l] gets what layer l receives."""
    if pixel_layer.blocks:
        pixel_forward(pixel_layer, images.pixels, rows, first, values[1])
    else:
        place_images(images.columns, rows, first, images.slot, images.scale, images.offsets, values[0])
        sparse_forward(layers[0], values[0], values[1], True)
    for index in range(1, len(layers)):
        sparse_forward(layers[index], values[index], values[index + 1], index < len(layers) - 1)


@njit(cache=True, nogil=True)
def evaluate(pixel_layer, layers, images, rows, values, deltas):
    """Summed loss and number of right answers over the images in `rows`."""
    mode = flush_denormals()
    loss, correct, last = 0.0, 0, len(layers)
    nothing = deltas[0].dtype.type(0)
    for first in range(0, rows.size, WIDTH):
        forward(pixel_layer, layers, images, rows, first, values)
        tile_loss, tile_correct = cross_entropy(values[last], images.label, rows, first, deltas[last], nothing)
        loss += tile_loss
        correct += tile_correct
    set_mode(mode)
    return loss, correct


@njit(cache=True, nogil=True)
def advance(pixel_layer, layers, images, batches, values, deltas, flat, rule):
    """One update for each row of `batches`; the sum of the batches' mean losses.

    values[l]: what layer l receives, values[-1] the network's outputs; deltas: the gradients of both.
    flat: (weights, gradients, first, second moments, gradients summed over tiles) of all sparse layers, of which the
    layers hold views.
    """
    mode = flush_denormals()
    last = len(layers)
    loss = 0.0
    for step in range(batches.shape[0]):
        rows = batches[step]
        if images.columns.size and step + 1 < batches.shape[0]:
            ask_for(images.columns, batches[step + 1])
        share = deltas[0].dtype.type(1 / rows.size)
        for first in range(0, rows.size, WIDTH):
            forward(pixel_layer, layers, images, rows, first, values)
            tile_loss, _ = cross_entropy(values[last], images.label, rows, first, deltas[last], share)
            loss += tile_loss / rows.size
            for index in range(last - 1, 0, -1):
                sparse_weight_gradient(layers[index], values[index], deltas[index + 1])
                sparse_input_gradient(layers[index], deltas[index + 1], values[index], deltas[index])
            if pixel_layer.blocks:
                bias_gradient(layers[0], deltas[1])
                keep_deltas(pixel_layer, first // WIDTH, deltas[1])
            else:
                sparse_weight_gradient(layers[0], values[0], deltas[1])
            if rows.size > WIDTH:
                add_up(flat[1], flat[4], first == 0)
        if pixel_layer.blocks:
            sort_by_pixel(images.pixels, rows, pixel_layer.batch, pixel_layer.pixels)
            pixel_update(pixel_layer, (rows.size + WIDTH - 1) // WIDTH, rule, step)
        update(flat[0], flat[4] if rows.size > WIDTH else flat[1], flat[2], flat[3], rule, step)
        if pixel_layer.blocks:
            pixel_layer.bias[: layers[0].bias.size] = layers[0].bias
    set_mode(mode)
    return loss


@njit(cache=True, nogil=True)
def add_up(gradient, total, fresh):
    """Add a tile's gradients to the batch's, which the first tile makes `fresh`."""
    for place in range(gradient.size):
        total[place] = gradient[place] if fresh else total[place] + gradient[place]
