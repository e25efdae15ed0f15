"""From images as rows of bytes to tiles of vectors, 16 pixels of 64 images at a time."""

# mypy: disable-error-code="no-untyped-def"

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from lottery.training.sparse.machine import Typed
from lottery.training.sparse.vectors import CHECKED, WIDTH, in_all_lanes, lane_numbers, load

COLUMNS = 16
"""Pixels taken together: what a register of SSE holds of one image."""


@intrinsic
def place_columns_unchecked(
    typing: Any,
    inputs: types.Array,
    slot: types.Array,
    column: types.Integer,
    bytes_: types.Array,
    offsets: types.Array,
    scale: types.Float,
) -> Typed:
    """inputs[64 * slot[column + k] + lane] = scale * bytes_[offsets[lane] + column + k], for k below 16, all lanes."""
    size = inputs.dtype.bitwidth // 8

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        data = {
            name: context.make_array(signature.args[index])(context, builder, arguments[index]).data
            for name, index in {"inputs": 0, "slot": 1, "bytes": 3, "offsets": 4}.items()
        }
        column = arguments[2]
        row_of_bytes = ir.VectorType(ir.IntType(8), COLUMNS)
        numbers = ir.VectorType(context.get_value_type(inputs.dtype), COLUMNS)
        scales = in_all_lanes(builder, numbers, arguments[5])
        vectors = []
        for k in range(COLUMNS):
            unit = builder.load(builder.gep(data["slot"], [builder.add(column, column.type(k))]))
            offset = builder.mul(builder.sext(unit, column.type), column.type(WIDTH))
            vectors.append(builder.bitcast(builder.gep(data["inputs"], [offset]), numbers.as_pointer()))
        for part in range(WIDTH // COLUMNS):
            rows = []
            for lane in range(COLUMNS * part, COLUMNS * (part + 1)):
                offset = builder.load(builder.gep(data["offsets"], [column.type(lane)]))
                address = builder.gep(data["bytes"], [builder.add(offset, column)])
                rows.append(builder.load(builder.bitcast(address, row_of_bytes.as_pointer()), align=1))
            for vector, lanes in zip(vectors, _transposed(builder, rows), strict=True):
                values = builder.fmul(builder.uitofp(lanes, numbers), scales)
                builder.store(values, builder.gep(vector, [ir.Constant(ir.IntType(32), part)]), align=size)
        return context.get_dummy_value()

    return types.void(inputs, slot, column, bytes_, offsets, scale), generate


@njit(forceinline=True)
def place_columns(inputs, slot, column, bytes_, offsets, scale):
    """inputs[64 * slot[column + k] + lane] = scale * bytes_[offsets[lane] + column + k], for k below 16, all lanes."""
    if CHECKED:
        for here in range(column, column + COLUMNS):
            load(inputs, WIDTH * slot[here])
            for lane in range(WIDTH):
                bytes_[offsets[lane] + here]
    place_columns_unchecked(inputs, slot, column, bytes_, offsets, scale)


def _transposed(builder: ir.IRBuilder, rows: list[ir.Value]) -> list[ir.Value]:
    """A square of bytes, rows and columns exchanged: four rounds of interleaving each row with the one half-way on."""
    count = len(rows)
    half = count // 2
    for _ in range(half.bit_length()):
        mixed = []
        for upper, lower in zip(rows[:half], rows[half:], strict=True):
            for start in (0, half):
                lanes = [place for i in range(start, start + half) for place in (i, count + i)]
                mixed.append(builder.shuffle_vector(upper, lower, lane_numbers(lanes)))
        rows = mixed
    return rows
