"""A compacted, fully connected network on a CPU, for one image or many. Imports neither PyTorch, pandas nor Numba."""

import ctypes
import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lottery.errors import LotteryError
from lottery.tickets.compiled import ARGUMENTS, ERROR, RESULT, Kernel, kernels

WIDTH = 64
"""Units, or images, that the kernels take at a time."""

COLUMNS = 16
"""Pixels that they take at a time."""

MOST_UNITS = 2**16
"""Of a layer, since places in it are told in two bytes."""

# What decides between the two kernels, in nanoseconds on one processor with AVX-512. Only their ratio matters, and they
# are constants, not timings: equal networks are computed alike on all machines.
ROW_COST = 2.9
"""For each input that is not 0 and each 64 units, one image at a time."""
TILE_COST = 1.7
"""For each kept weight and each 64 images at once."""
LIT = 0.2
"""Share of an image's pixels, and ACTIVE of hidden units, that are taken to be not 0."""
ACTIVE = 0.4


@dataclass(frozen=True)
class ChainLayer:
    """A dense layer: float32 weights [outputs, inputs], most of them 0, and biases [outputs]."""

    weight: NDArray
    bias: NDArray


class Runtime:
    """Layers with a ReLU between any two, and what they read of an image."""

    def __init__(self, layers: Sequence[ChainLayer], places: NDArray, pixels: int) -> None:
        """places: int64 [inputs of the first layer], which of an image's `pixels` numbers it reads.

        Raises LotteryError for a layer of more units than two bytes tell apart.
        """
        for layer in layers:
            if max(layer.weight.shape) > MOST_UNITS:
                raise LotteryError(f"a layer has {max(layer.weight.shape)} units; the runtime takes up to {MOST_UNITS}")
        self.layers, self.pixels = list(layers), pixels
        self.classes = len(layers[-1].bias)
        self.stride = pixels + -pixels % COLUMNS
        self.slot = np.full(self.stride, len(places), np.int32)
        self.slot[places] = np.arange(len(places))
        self.group_read = (self.slot.reshape(-1, COLUMNS).min(axis=1) < len(places)).astype(np.uint8)
        widest = max(len(places) + 1, *(len(layer.bias) for layer in layers))
        self.width = widest + -widest % WIDTH + WIDTH
        self.read = len(places)
        self.arrays: list[NDArray] = []
        """What the plans point at."""
        self.walk_plan, self.walk_cost = self.walking()
        self.tile_plan, self.tile_cost = self.tiling()
        self.tiles_are_cheaper = self.tile_cost < self.walk_cost
        self.rooms = threading.local()

    def address(self, array: NDArray) -> int:
        """Of an array, which is kept."""
        self.arrays.append(array)
        return int(array.ctypes.data)

    def plan(self, told: Sequence[Sequence[int]]) -> NDArray:
        """A plan of layers, for the kernels."""
        head = [len(told), self.stride, self.address(self.slot), self.address(self.group_read), self.read, self.width]
        return np.array([*head, *(number for layer in told for number in layer)], np.int64)

    def walking(self) -> tuple[NDArray, float]:
        """The plan of one image at a time, and what an image will take, in nanoseconds."""
        told, cost, share = [], 0.0, LIT
        for layer in self.layers:
            outputs, inputs = layer.weight.shape
            blocks = -(-outputs // WIDTH)
            bias, weight = aligned(WIDTH * blocks), aligned(inputs * WIDTH * blocks)
            bias[:outputs] = layer.bias
            weight.reshape(inputs, -1)[:, :outputs] = layer.weight.T
            told.append([outputs, blocks, self.address(weight), self.address(bias), 0, 0])
            cost += share * inputs * blocks * ROW_COST
            share = ACTIVE
        return self.plan(told), cost

    def tiling(self) -> tuple[NDArray, float]:
        """The plan of 64 images at a time, and what an image will take, in nanoseconds."""
        told, cost = [], 0.0
        for layer in self.layers:
            outputs, inputs = layer.weight.shape
            unit, place = np.nonzero(layer.weight)
            width = block_width(outputs, inputs, len(unit))
            block, blocks = place // width, max(1, -(-inputs // width))
            order = np.lexsort((place, unit, block))
            weight, column = layer.weight[unit, place][order], place[order].astype(np.uint16)
            start = starts(outputs * block[order] + unit[order], outputs * blocks)
            arrays = (weight, layer.bias.astype(np.float32), start, column)
            told.append([outputs, blocks, *map(self.address, arrays)])
            cost += len(unit) * TILE_COST / WIDTH
        return self.plan(told), cost

    def run(self, rows: NDArray, threads: int = 1) -> tuple[NDArray, NDArray]:
        """Logits, float32 [images, classes], and classes, int64 [images].

        rows: images as rows, uint8, or float32 bytes / 255; threads: how many compute, each on its own images; the
        results do not depend on it.
        """
        floats = rows.dtype != np.uint8
        tiles = self.tiles_are_cheaper and len(rows) > 1
        if self.stride > self.pixels:
            rows = np.pad(rows, [(0, 0), (0, self.stride - self.pixels)])
        rows = np.ascontiguousarray(rows)
        kernel = kernels()[f"{'tile' if tiles else 'walk'}_{'floats' if floats else 'bytes'}"]
        logits, classes = np.empty((len(rows), self.classes), np.float32), np.empty(len(rows), np.int64)
        plan = self.tile_plan if tiles else self.walk_plan
        if threads == 1 or len(rows) < 2 * WIDTH:
            self.run_part(kernel, plan, rows, logits, classes)
            return logits, classes
        size = -(-len(rows) // threads)
        size += -size % WIDTH
        parts = [slice(first, first + size) for first in range(0, len(rows), size)]
        list(
            pool(threads).map(lambda part: self.run_part(kernel, plan, rows[part], logits[part], classes[part]), parts)
        )
        return logits, classes

    def run_part(self, kernel: Kernel, plan: NDArray, rows: NDArray, logits: NDArray, classes: NDArray) -> None:
        if not len(rows):
            return
        scale = 1.0 if rows.dtype != np.uint8 else SCALE
        addresses = (plan.ctypes.data, rows.ctypes.data, rows.shape[1], len(rows), scale, self.room())
        kernel(RESULT, ERROR, *addresses, logits.ctypes.data, classes.ctypes.data)

    def room(self) -> int:
        """The address of this thread's memory for what lies between an image and its outputs."""
        if not hasattr(self.rooms, "array"):
            self.rooms.array = self.new_room()
        return int(self.rooms.array.ctypes.data)

    def new_room(self) -> NDArray:
        """Memory for what lies between images and their outputs, for one thread."""
        return aligned(2 * WIDTH + 2 * WIDTH * self.width)


@cache
def pool(threads: int) -> ThreadPoolExecutor:
    """So many threads, which wait for the next call: starting them takes longer than a hundred images."""
    return ThreadPoolExecutor(threads)


SCALE = float(np.float32(1 / 255))
"""What a byte is multiplied by."""


class One:
    """One image at a time, with as little before the kernel as Python allows. Not for several threads at once."""

    def __init__(self, runtime: Runtime, image_shape: tuple[int, ...]) -> None:
        self.shape = image_shape
        padded = np.zeros(runtime.stride, np.uint8)
        self.image = padded[: runtime.pixels].reshape(image_shape)
        self.logits, self.found = np.empty(runtime.classes, np.float32), ctypes.c_int64()
        self.kept = runtime, runtime.new_room()
        arrays = (runtime.walk_plan, padded, self.kept[1], self.logits)
        plan, image, room, logits = (array.ctypes.data for array in arrays)
        given: tuple[Any, ...] = (
            RESULT,
            ERROR,
            plan,
            image,
            runtime.stride,
            1,
            SCALE,
            room,
            logits,
            ctypes.addressof(self.found),
        )
        # Converted once, not at each call.
        self.arguments = tuple(kind(value) for kind, value in zip(ARGUMENTS, given, strict=True))
        self.kernel = kernels()["walk_bytes"]

    def __call__(self, image: NDArray) -> int:
        """The class of an image, uint8 [*image_shape]."""
        if image.dtype is not BYTES or image.shape != self.shape:
            raise LotteryError(f"an image is {image.dtype} {list(image.shape)}, expected uint8 {list(self.shape)}")
        self.image[...] = image
        self.kernel(*self.arguments)
        return self.found.value


BYTES = np.dtype(np.uint8)


def starts(units: NDArray, count: int) -> NDArray:
    """int32 [count + 1]: where each unit's weights begin in a list sorted by unit, and where the last one's end."""
    return np.concatenate([[0], np.cumsum(np.bincount(units, minlength=count))]).astype(np.int32)


def block_width(outputs: int, inputs: int, kept: int) -> int:
    """Inputs whose vectors are used together, as in the sparse engine: few enough for the innermost cache, many enough
    that an output unit has some weights in each block.
    """
    return max(1, min(inputs, max(112, math.ceil(12 * outputs * inputs / max(kept, 1)))))


def aligned(count: int) -> NDArray:
    """float32 zeros from the start of a cache line on."""
    bytes_ = np.zeros(4 * count + WIDTH, np.uint8)
    first = -bytes_.ctypes.data % WIDTH
    return bytes_[first : first + 4 * count].view(np.float32)
