"""The compiled kernels of the sparse engine. Their data layout is drawn in docs/sparse-engine.md.

Activations are feature-major in tiles of 64 images: unit i of a tile is one vector at offset 64 * i. Everything here
runs without Python and without its lock. Sums have a fixed order, so equal inputs give equal bytes.
"""

# mypy: disable-error-code="no-untyped-def"

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lottery.training.vectors import WIDTH, dot, fill, load, multiply_add, prefetch, store, where_positive

AHEAD = 4
"""How many images ahead their first pixels are asked for: a batch's images lie anywhere in memory."""


class ImageRows(NamedTuple):
    """Images by their pixels that are not 0; those of image n stand at start[n], ..., start[n + 1] - 1."""

    start: NDArray  # int64 [images + 1]
    pixel: NDArray  # uint16 [non-zero pixels]
    byte: NDArray  # uint8 [non-zero pixels]; three bytes a pixel, since reading images at random is bound by memory
    number: NDArray  # float [256], what the network sees of each byte
    label: NDArray  # int64 [images]


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


class PixelLayer(NamedTuple):
    """A first layer stored by input pixel, for weights too dense to be worth skipping: the images' zeros are skipped.

    Its units come in blocks of 64, padded. Block b holds, pixel after pixel, the weights of one pixel to its 64 units:
    one vector at 64 * (pixels * b + p). All arrays are empty when the layer is not in use.
    """

    blocks: int
    weight: NDArray  # float [blocks * pixels * 64]
    mask: NDArray  # float [blocks * pixels * 64], or empty when no weight is pruned
    first: NDArray  # float [blocks * pixels * 64], the optimiser's first moment
    second: NDArray  # float [blocks * pixels * 64], the second
    bias: NDArray  # float [blocks * 64]
    values: NDArray  # float [64 * 64], one block's values of a tile, image by image
    deltas: NDArray  # float [blocks * batch * 64], a batch's gradients, in each block image by image
    pixel_start: NDArray  # int64 [pixels + 1], a batch's non-zero pixels, sorted by pixel
    image: NDArray  # int32 [batch * pixels]
    value: NDArray  # float [batch * pixels]
    gradient: NDArray  # float [pixels * 64], of one block


class Rule(NamedTuple):
    """An update rule, its numbers in the precision of the weights."""

    adam: bool
    keep_first: np.floating  # share of the first moment that stays: beta 1, or the momentum
    add_first: np.floating  # 1 - beta 1
    keep_second: np.floating  # beta 2
    add_second: np.floating  # 1 - beta 2
    epsilon: np.floating
    rate: NDArray  # float [steps], step size, for Adam divided by the first moment's bias correction
    scale: NDArray  # float [steps], 1 / sqrt of the second moment's bias correction


@njit(cache=True, nogil=True)
def place_images(images, rows, first, count, slot, inputs):
    """Write the pixels of `count` images, listed from rows[first] on, into a cleared tile of inputs.

    `slot` says where a pixel's vector stands, -1 where no weight looks at it.
    """
    zero = fill(inputs.dtype.type(0))
    for offset in range(0, inputs.size, WIDTH):
        store(inputs, offset, zero)
    for lane in range(count):
        image = rows[first + lane]
        if first + lane + AHEAD < rows.size:
            coming = images.start[rows[first + lane + AHEAD]]
            prefetch(images.pixel, coming)
            prefetch(images.byte, coming)
        for place in range(images.start[image], images.start[image + 1]):
            here = slot[images.pixel[place]]
            if here >= 0:
                inputs[WIDTH * here + lane] = images.number[images.byte[place]]


@njit(cache=True, nogil=True)
def sparse_forward(layer, inputs, outputs, rectify):
    """One tile's W inputs + b, negative numbers set to 0 if `rectify`."""
    units = layer.bias.size
    for block in range(layer.blocks):
        for unit in range(units):
            total = fill(layer.bias[unit]) if block == 0 else load(outputs, WIDTH * unit)
            for place in range(layer.start[units * block + unit], layer.start[units * block + unit + 1]):
                total = multiply_add(layer.weight[place], load(inputs, WIDTH * layer.column[place]), total)
            if rectify and block == layer.blocks - 1:
                total = where_positive(total, total)
            store(outputs, WIDTH * unit, total)


@njit(cache=True, nogil=True)
def sparse_weight_gradient(layer, inputs, deltas, fresh):
    """Gradients of kept weights and of biases from one tile, added to those of the tiles before unless `fresh`."""
    units = layer.bias.size
    bias_gradient(layer, deltas, fresh)
    for block in range(layer.blocks):
        for unit in range(units):
            delta = load(deltas, WIDTH * unit)
            for place in range(layer.start[units * block + unit], layer.start[units * block + unit + 1]):
                slope = dot(delta, load(inputs, WIDTH * layer.column[place]))
                layer.gradient[place] = slope if fresh else layer.gradient[place] + slope


@njit(cache=True, nogil=True)
def bias_gradient(layer, deltas, fresh):
    """Gradients of biases from one tile, added to those of the tiles before unless `fresh`."""
    one = fill(deltas.dtype.type(1))
    for unit in range(layer.bias.size):
        total = dot(load(deltas, WIDTH * unit), one)
        layer.bias_gradient[unit] = total if fresh else layer.bias_gradient[unit] + total


@njit(cache=True, nogil=True)
def sparse_input_gradient(layer, deltas, inputs, input_deltas):
    """One tile's W' deltas, 0 where the input was not positive (the ReLU before it)."""
    for unit in range(layer.input_start.size - 1):
        total = fill(deltas.dtype.type(0))
        for place in range(layer.input_start[unit], layer.input_start[unit + 1]):
            total = multiply_add(layer.weight[layer.by_input[place]], load(deltas, WIDTH * layer.row[place]), total)
        store(input_deltas, WIDTH * unit, where_positive(load(inputs, WIDTH * unit), total))


@njit(cache=True, nogil=True)
def pixel_forward(layer, images, rows, first, count, outputs):
    """One tile's relu(W pixels + b), walking only the pixels that are not 0."""
    units, pixels = outputs.size // WIDTH, layer.pixel_start.size - 1
    for block in range(layer.blocks):
        for lane in range(count):
            image = rows[first + lane]
            total = load(layer.bias, WIDTH * block)
            for place in range(images.start[image], images.start[image + 1]):
                weights = load(layer.weight, WIDTH * (pixels * block + images.pixel[place]))
                total = multiply_add(images.number[images.byte[place]], weights, total)
            store(layer.values, WIDTH * lane, where_positive(total, total))
        for unit in range(WIDTH * block, min(units, WIDTH * (block + 1))):
            for lane in range(count):
                outputs[WIDTH * unit + lane] = layer.values[WIDTH * (lane - block) + unit]
            for lane in range(count, WIDTH):
                outputs[WIDTH * unit + lane] = 0


@njit(cache=True, nogil=True)
def sort_by_pixel(layer, images, rows):
    """List a batch's non-zero pixels by pixel instead of by image."""
    start = layer.pixel_start
    start[:] = 0
    for lane in range(rows.size):
        for place in range(images.start[rows[lane]], images.start[rows[lane] + 1]):
            start[images.pixel[place] + 1] += 1
    for pixel in range(start.size - 1):
        start[pixel + 1] += start[pixel]
    for lane in range(rows.size):
        for place in range(images.start[rows[lane]], images.start[rows[lane] + 1]):
            pixel = images.pixel[place]
            layer.image[start[pixel]] = lane
            layer.value[start[pixel]] = images.number[images.byte[place]]
            start[pixel] += 1
    for pixel in range(start.size - 1, 0, -1):
        start[pixel] = start[pixel - 1]
    start[0] = 0


@njit(cache=True, nogil=True)
def pixel_update(layer, rule, step):
    """Gradients of a block's weights from a whole batch, then their update while they are still in the cache."""
    pixels = layer.pixel_start.size - 1
    batch = layer.deltas.size // (WIDTH * layer.blocks)
    for block in range(layer.blocks):
        for pixel in range(pixels):
            total = fill(layer.gradient.dtype.type(0))
            for place in range(layer.pixel_start[pixel], layer.pixel_start[pixel + 1]):
                deltas = load(layer.deltas, WIDTH * (batch * block + layer.image[place]))
                total = multiply_add(layer.value[place], deltas, total)
            store(layer.gradient, WIDTH * pixel, total)
        here = slice(WIDTH * pixels * block, WIDTH * pixels * (block + 1))
        if layer.mask.size:
            keep(layer.gradient, layer.mask[here])
        update(layer.weight[here], layer.gradient, layer.first[here], layer.second[here], rule, step)


@njit(cache=True, nogil=True)
def keep(gradient, mask):
    """Set the gradients of pruned weights to 0."""
    for place in range(gradient.size):
        gradient[place] *= mask[place]


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def update(weight, gradient, first, second, rule, step):
    """One step of Adam or of momentum. A weight of 0 whose gradient is always 0 stays 0: so do its moments."""
    rate, scale = rule.rate[step], rule.scale[step]
    if rule.adam:
        for place in range(weight.size):
            slope = gradient[place]
            first[place] = rule.keep_first * first[place] + rule.add_first * slope
            second[place] = rule.keep_second * second[place] + rule.add_second * slope * slope
            weight[place] -= rate * first[place] / (math.sqrt(second[place]) * scale + rule.epsilon)
    else:
        for place in range(weight.size):
            first[place] = rule.keep_first * first[place] + gradient[place]
            weight[place] -= rate * first[place]


@njit(cache=True, nogil=True, error_model="numpy")
def cross_entropy(outputs, labels, rows, first, count, deltas, share):
    """Summed loss and right answers of one tile; `deltas` gets the gradient times `share`, 0 beyond `count`."""
    classes = outputs.size // WIDTH
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
def forward(pixel_layer, layers, slot, images, rows, first, count, values):
    """The outputs of one tile: values[l] gets what layer l receives, values[-1] the network's outputs."""
    if pixel_layer.blocks:
        pixel_forward(pixel_layer, images, rows, first, count, values[1])
    else:
        place_images(images, rows, first, count, slot, values[0])
        sparse_forward(layers[0], values[0], values[1], True)
    for index in range(1, len(layers)):
        sparse_forward(layers[index], values[index], values[index + 1], index < len(layers) - 1)


@njit(cache=True, nogil=True)
def evaluate(pixel_layer, layers, slot, images, rows, values, deltas):
    """Summed loss and number of right answers over the images in `rows`."""
    loss, correct = 0.0, 0
    for first in range(0, rows.size, WIDTH):
        count = min(WIDTH, rows.size - first)
        forward(pixel_layer, layers, slot, images, rows, first, count, values)
        tile_loss, tile_correct = cross_entropy(
            values[len(layers)], images.label, rows, first, count, deltas[len(layers)], deltas[0].dtype.type(0)
        )
        loss += tile_loss
        correct += tile_correct
    return loss, correct


@njit(cache=True, nogil=True)
def advance(pixel_layer, layers, slot, images, batches, values, deltas, flat, rule):
    """One update for each row of `batches`; the sum of the batches' mean losses.

    flat: (weights, gradients, first, second moments) of all sparse layers, of which the layers hold views.
    """
    last = len(layers)
    loss = 0.0
    for step in range(batches.shape[0]):
        rows = batches[step]
        share = deltas[0].dtype.type(1 / rows.size)
        for first in range(0, rows.size, WIDTH):
            count = min(WIDTH, rows.size - first)
            forward(pixel_layer, layers, slot, images, rows, first, count, values)
            tile_loss, _ = cross_entropy(values[last], images.label, rows, first, count, deltas[last], share)
            loss += tile_loss / rows.size
            for index in range(last - 1, 0, -1):
                sparse_weight_gradient(layers[index], values[index], deltas[index + 1], first == 0)
                sparse_input_gradient(layers[index], deltas[index + 1], values[index], deltas[index])
            if pixel_layer.blocks:
                keep_deltas(pixel_layer, layers[0], deltas[1], first, count)
            else:
                sparse_weight_gradient(layers[0], values[0], deltas[1], first == 0)
        if pixel_layer.blocks:
            sort_by_pixel(pixel_layer, images, rows)
            pixel_update(pixel_layer, rule, step)
        update(flat[0], flat[1], flat[2], flat[3], rule, step)
        if pixel_layer.blocks:
            pixel_layer.bias[: layers[0].bias.size] = layers[0].bias
    return loss


@njit(cache=True, nogil=True)
def keep_deltas(pixel_layer, layer, deltas, first, count):
    """Lay one tile's gradients out image by image, and sum those of the biases."""
    bias_gradient(layer, deltas, first == 0)
    batch = pixel_layer.deltas.size // (WIDTH * pixel_layer.blocks)
    for unit in range(layer.bias.size):
        block = unit // WIDTH
        for lane in range(count):
            pixel_layer.deltas[WIDTH * (batch * block + first + lane - block) + unit] = deltas[WIDTH * unit + lane]


@njit(cache=True, nogil=True)
def list_pixels(bytes_, groups, start, pixel, byte):
    """Fill the arrays of ImageRows from bytes [images, pixels].

    `groups` are the same bytes as larger numbers, so that most zeros are passed over many at a time.
    """
    size = bytes_.shape[1] // groups.shape[1]
    place = 0
    for image in range(bytes_.shape[0]):
        for group in range(groups.shape[1]):
            if groups[image, group]:
                for here in range(size * group, size * (group + 1)):
                    if bytes_[image, here]:
                        pixel[place] = here
                        byte[place] = bytes_[image, here]
                        place += 1
        start[image + 1] = place
