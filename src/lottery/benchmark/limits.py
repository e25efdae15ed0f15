"""What bounds an iteration of the sparse engine: its kernels one by one, beside what the processor can do at most.

A product reads one vector of 64 numbers for each weight, or for each pair of a non-zero pixel and a block of 64 units,
and makes 64 multiplications and additions of it. Its roof is the longer of both times, with the rates measured here.
"""

# mypy: disable-error-code="no-untyped-def"

import math
import time
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from lottery.benchmark.cost import TRAINING, Setting, seconds
from lottery.training.sparse.images import place_images
from lottery.training.sparse.machine import flush_denormals, set_mode, zeros
from lottery.training.sparse.network import SparseNetwork
from lottery.training.sparse.passes import cross_entropy
from lottery.training.sparse.pixel_layer import keep_deltas, pixel_forward, pixel_update, sort_by_pixel
from lottery.training.sparse.sparse_layer import sparse_forward, sparse_input_gradient, sparse_weight_gradient
from lottery.training.sparse.update import update
from lottery.training.sparse.vectors import WIDTH, dot, fill, load, multiply_add

LEVELS = {0: "100%", 7: "21.1%"}
"""The dense network, first layer by pixel, and a ticket, all by weight."""

READS = WIDTH // 16
"""Reads of 64 bytes in a float32 vector."""


class Ceilings(NamedTuple):
    """What one thread of this processor does at most."""

    reads: float  # reads from the innermost cache, of up to 64 bytes each, per nanosecond
    gflops: float  # multiplications and additions in registers, per nanosecond
    adam: float  # nanoseconds for one weight's Adam, everything in the cache


@njit(nogil=True)
def read_vectors(array):
    """Read all of `array`, adding to four sums that do not wait for one another."""
    one, nothing = array.dtype.type(1), fill(array.dtype.type(0))
    a, b, c, d = nothing, nothing, nothing, nothing
    for place in range(0, array.size, 4 * WIDTH):
        a = multiply_add(one, load(array, place), a)
        b = multiply_add(one, load(array, place + WIDTH), b)
        c = multiply_add(one, load(array, place + 2 * WIDTH), c)
        d = multiply_add(one, load(array, place + 3 * WIDTH), d)
    array[0] = dot(a, b) + dot(c, d)


@njit(nogil=True)
def multiply_in_registers(array, times):
    """Four sums of vectors that stay in registers, each `times` times as long."""
    factor, vector = array[1], load(array, 0)
    a, b, c, d = vector, vector, vector, vector
    for _ in range(times):
        a = multiply_add(factor, vector, a)
        b = multiply_add(factor, vector, b)
        c = multiply_add(factor, vector, c)
        d = multiply_add(factor, vector, d)
    array[0] = dot(a, b) + dot(c, d)


@njit(nogil=True)
def change(array):
    """Read and write all of `array`."""
    for place in range(array.size):
        array[place] += array.dtype.type(1)


def nanoseconds(kernel: Any, *arguments: Any, rounds: int = 200, repeats: int = 9) -> float:
    """The time of one call from compiled code, the median of some series of `rounds` calls."""

    @njit(nogil=True)
    def series(rounds, arguments):
        mode = flush_denormals()
        for _ in range(rounds):
            kernel(*arguments)
        set_mode(mode)

    times = []
    for _ in range(repeats + 1):  # the first compiles
        began = time.perf_counter_ns()
        series(rounds, arguments)
        times.append((time.perf_counter_ns() - began) / rounds)
    return float(np.median(times[1:]))


def ceilings(network: SparseNetwork) -> Ceilings:
    """Measured in arrays of 28 KB and, for Adam, with the network's own update rule."""
    near, times = zeros(7168, np.float32), 1000
    few = [zeros(1024, np.float32) for _ in range(4)]
    return Ceilings(
        reads=near.size * READS / WIDTH / nanoseconds(read_vectors, near),
        gflops=4 * times * 2 * WIDTH / nanoseconds(multiply_in_registers, near, times),
        adam=nanoseconds(update, *few, network.rule(1), 0) / few[0].size,
    )


def run(setting: Setting) -> tuple[Ceilings, pd.DataFrame]:
    """The ceilings, and one row for each level and step of an update, in microseconds: as measured, and at its roof."""
    rows: list[tuple[int, str, float, float]] = []
    networks = {
        level: SparseNetwork(setting.network, *setting.ticket(level), setting.sparse_images[0], TRAINING)
        for level in LEVELS
    }
    limits = ceilings(networks[0])
    for level, network in networks.items():
        network.advance(setting.batches(0, 200))
        rows += [(level, *step) for step in steps(network, network.rows["train"][setting.batches(200, 201)[0]], limits)]
        whole = seconds(network.advance, setting.batches(200, 1200)) * 1e3
        rows.append((level, "whole iteration", whole, math.nan))
    return limits, pd.DataFrame(rows, columns=["level", "step", "measured", "roof"])


def steps(of: SparseNetwork, batch: NDArray, limits: Ceilings) -> list[tuple[str, float, float]]:
    """Each step of one update: its name, its microseconds and its roof. What is no product counts as it is.

    batch: rows of the images in the batch.
    """
    source, layers, pixels, flat, rule = of.sources["train"], of.layers, of.pixel_layer, of.flat, of.rule(1)
    values, deltas = of.values, of.deltas  # noqa: PD011 (no table)

    def product(vectors: int, singles: int) -> float:
        """The roof of reading so many vectors, each with some single numbers, and multiplying and adding them."""
        return max(vectors * (READS + singles) / limits.reads, vectors * 2 * WIDTH / limits.gflops) / 1e3

    def adam(weights: int) -> float:
        """Four numbers of each weight are read and three written, unless arithmetic takes longer."""
        moved = nanoseconds(change, zeros(4 * weights, np.float32)) * 7 / 8
        return max(moved, weights * limits.adam) / 1e3

    def microseconds(*call: Any) -> float:
        return nanoseconds(*call) / 1e3

    loss = microseconds(cross_entropy, values[-1], source.label, batch, 0, deltas[-1], of.dtype(1 / len(batch)))
    if pixels.blocks:
        pairs = int(np.diff(source.pixels.start)[batch].sum()) * pixels.blocks
        found = [
            (
                "forward, first layer",
                microseconds(pixel_forward, pixels, source.pixels, batch, 0, values[1]),
                product(pairs, 3),
            ),
            (
                "weight gradient and Adam, first layer",
                microseconds(pixel_update, pixels, 1, rule, 0),
                product(pairs, 2) + adam(pixels.weight.size),
            ),
        ]
        others = microseconds(keep_deltas, pixels, 0, deltas[1])
        others += microseconds(sort_by_pixel, source.pixels, batch, pixels.batch, pixels.pixels)
    else:
        first, kept = layers[0], layers[0].weight.size
        found = [
            ("forward, first layer", microseconds(sparse_forward, first, values[0], values[1], True), product(kept, 2)),
            (
                "weight gradient, first layer",
                microseconds(sparse_weight_gradient, first, values[0], deltas[1]),
                product(kept, 1),
            ),
        ]
        place = (source.columns, batch, 0, source.slot, source.scale, source.offsets, values[0])
        others = microseconds(place_images, *place)
    later, roof = 0.0, 0.0
    for index in range(1, len(layers)):
        layer, kept = layers[index], layers[index].weight.size
        later += microseconds(sparse_forward, layer, values[index], values[index + 1], index < len(layers) - 1)
        later += microseconds(sparse_weight_gradient, layer, values[index], deltas[index + 1])
        later += microseconds(sparse_input_gradient, layer, deltas[index + 1], values[index], deltas[index])
        roof += product(kept, 2) + product(kept, 1) + product(kept, 3)
    return [
        *found,
        ("layers beyond the first, three products", later, roof),
        ("Adam, what is stored by weight", microseconds(update, *flat[:4], rule, 0), adam(flat[0].size)),
        ("images, sorting, loss", others + loss, others + loss),
    ]


def as_markdown(limits: Ceilings, table: pd.DataFrame) -> str:
    """The ceilings in words and the steps as a table."""
    wide = table.pivot_table(index="step", columns="level", values=["measured", "roof"], sort=False)
    lines = []
    for step, row in wide.iterrows():
        line = {"microseconds": step}
        for level in LEVELS:
            line[f"{LEVELS[level]}, measured"] = row.get(("measured", level), math.nan)
            line[f"{LEVELS[level]}, at its roof"] = row.get(("roof", level), math.nan)
        lines.append(line)
    shown = pd.DataFrame(lines).set_index("microseconds")
    total = shown.drop(index="whole iteration").sum()
    shown = pd.concat([shown.drop(index="whole iteration"), total.to_frame("sum").T, shown.loc[["whole iteration"]]])
    return (
        "## What limits the sparse engine\n\n"
        f"One thread: {limits.reads:.1f} reads from the innermost cache in a nanosecond, of up to 64 bytes each (a"
        f" vector takes {READS}); {limits.gflops:.0f} GFLOP/s in registers; Adam for a weight in {limits.adam:.2f} ns"
        " within the cache.\n\n"
        f"{shown.map(lambda number: '' if math.isnan(number) else f'{number:.0f}').to_markdown()}\n"
    )
