"""A number type for compiled code: 64 floats side by side, one for each image of a tile.

Kernels written with it read like scalar code, and the compiler keeps the 64 numbers in registers (4 with AVX-512, 8
with AVX, 16 with SSE), which it does not do for small arrays. `Vector` is made of LLVM's own vectors, so it works on
every processor that Numba knows.
"""

# mypy: disable-error-code="no-untyped-def"

from typing import Any

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from lottery.training.sparse.machine import Typed

WIDTH = 64
"""Numbers in a vector."""

GROUP = 4
"""Dot products that are taken together: folding their sums together takes half the work of folding each alone."""

CHECKED = bool(config.BOUNDSCHECK)
"""Whether every access is compared with the array's size first (environment variable NUMBA_BOUNDSCHECK=1)."""


class Vector(types.Type):
    """64 numbers of one floating-point type."""

    def __init__(self, scalar: types.Float) -> None:
        self.scalar = scalar
        super().__init__(name=f"Vector({scalar})")


VECTORS = {scalar: Vector(scalar) for scalar in (types.float32, types.float64)}


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    """In the machine a Vector is an LLVM vector."""

    def __init__(self, manager: Any, vector: Vector) -> None:
        scalar = ir.FloatType() if vector.scalar == types.float32 else ir.DoubleType()
        super().__init__(manager, vector, ir.VectorType(scalar, WIDTH))


@intrinsic
def load_unchecked(typing: Any, array: types.Array, offset: types.Integer) -> Typed:
    """array[offset : offset + 64]"""
    vector = VECTORS[array.dtype]

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.load(_address(context, builder, signature, arguments), align=array.dtype.bitwidth // 8)

    return vector(array, offset), generate


@intrinsic
def store_unchecked(typing: Any, array: types.Array, offset: types.Integer, vector: Vector) -> Typed:
    """array[offset : offset + 64] = vector"""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        address = _address(context, builder, signature, arguments)
        builder.store(arguments[2], address, align=array.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(array, offset, vector), generate


@intrinsic
def at_unchecked(typing: Any, array: types.Array, place: types.Integer) -> Typed:
    """array[place]"""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load(builder.gep(data, [arguments[1]]), align=array.dtype.bitwidth // 8)

    return array.dtype(array, place), generate


@njit
def at(array, place):
    """array[place] for place >= 0, without the time that Python's negative places take."""
    if CHECKED and place < 0:
        raise IndexError("number read outside its array")
    return array[place] if CHECKED else at_unchecked(array, np.int64(place))


@njit
def load(array, offset):
    """array[offset : offset + 64]"""
    if CHECKED and (offset < 0 or offset + WIDTH > array.size):
        raise IndexError("vector read outside its array")
    return load_unchecked(array, offset)


@njit
def store(array, offset, vector):
    """array[offset : offset + 64] = vector"""
    if CHECKED and (offset < 0 or offset + WIDTH > array.size):
        raise IndexError("vector written outside its array")
    store_unchecked(array, offset, vector)


@njit(forceinline=True)
def store_dots(target, place, left, array, units):
    """target[place + k] = `left` times vector number units[place + k] of `array`, a dot product, for k below GROUP."""
    if CHECKED:
        for here in range(place, place + GROUP):
            target[here] = 0
            load(array, WIDTH * units[here])
    store_dots_unchecked(target, place, left, array, units)


@intrinsic
def fill(typing: Any, scalar: types.Float) -> Typed:
    """The vector of 64 times the same number."""
    vector = VECTORS[scalar]

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return in_all_lanes(builder, context.get_value_type(vector), arguments[0])

    return vector(scalar), generate


@intrinsic
def multiply_add(typing: Any, scalar: types.Float, vector: Vector, onto: Vector) -> Typed:
    """The vector scalar * vector + onto, in one operation where the processor has it."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        factor = in_all_lanes(builder, context.get_value_type(vector), arguments[0])
        return _multiply_add(builder, factor, arguments[1], arguments[2])

    return onto(scalar, vector, onto), generate


@intrinsic
def where_positive(typing: Any, condition: Vector, vector: Vector) -> Typed:
    """The vector's numbers where the condition's are above 0, and 0 elsewhere."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        zero = ir.Constant(context.get_value_type(vector), None)
        return builder.select(builder.fcmp_ordered(">", arguments[0], zero), arguments[1], zero)

    return vector(condition, vector), generate


@intrinsic
def dot(typing: Any, left: Vector, right: Vector) -> Typed:
    """The sum of the 64 products, always added in the same order."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        total = _halved(builder, builder.fmul(arguments[0], arguments[1]), 1)
        return builder.extract_element(total, ir.Constant(ir.IntType(32), 0))

    return left.scalar(left, right), generate


@intrinsic
def store_dots_unchecked(
    typing: Any, target: types.Array, place: types.Integer, left: Vector, array: types.Array, units: types.Array
) -> Typed:
    """target[place + k] = `left` times vector number units[place + k] of `array`, a dot product, for k below GROUP."""
    size = array.dtype.bitwidth // 8

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        data = {
            name: context.make_array(signature.args[index])(context, builder, arguments[index]).data
            for name, index in {"target": 0, "array": 3, "units": 4}.items()
        }
        place = arguments[1]
        quarter = ir.VectorType(context.get_value_type(array.dtype), WIDTH // 4)
        parts = [_part(builder, arguments[2], quarter.count * index, quarter.count) for index in range(4)]

        def sums(first: int, count: int) -> ir.Value:
            """16 partial sums: lane i belongs to product first + i % count."""
            if count > 1:
                half = count // 2
                return _fold(builder, sums(first, half), sums(first + half, half), half)
            unit = builder.load(builder.gep(data["units"], [builder.add(place, place.type(first))]))
            offset = builder.mul(builder.sext(unit, place.type), place.type(WIDTH))
            address = builder.bitcast(builder.gep(data["array"], [offset]), quarter.as_pointer())
            vectors = [
                builder.load(builder.gep(address, [ir.Constant(ir.IntType(32), index)]), align=size)
                for index in range(4)
            ]
            total = builder.fmul(parts[0], vectors[0])
            for part, vector in zip(parts[1:], vectors[1:], strict=True):
                total = _multiply_add(builder, part, vector, total)
            return total

        total = _halved(builder, sums(0, GROUP), GROUP)
        address = builder.bitcast(builder.gep(data["target"], [place]), total.type.as_pointer())
        builder.store(total, address, align=size)
        return context.get_dummy_value()

    return types.void(target, place, left, array, units), generate


def _address(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    kind = context.get_value_type(VECTORS[signature.args[0].dtype])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), kind.as_pointer())


def in_all_lanes(builder: ir.IRBuilder, kind: ir.VectorType, scalar: ir.Value) -> ir.Value:
    """The vector of this kind with the same number in every lane."""
    undefined = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, undefined, lane_numbers([0] * kind.count))


def lane_numbers(lanes: list[int]) -> ir.Constant:
    """Which lanes a shuffle takes."""
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)


def _multiply_add(builder: ir.IRBuilder, left: ir.Value, right: ir.Value, onto: ir.Value) -> ir.Value:
    kind = onto.type
    name = f"llvm.fmuladd.v{kind.count}f{64 if kind.element == ir.DoubleType() else 32}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
    return builder.call(function, [left, right, onto])


def _fold(builder: ir.IRBuilder, left: ir.Value, right: ir.Value, width: int) -> ir.Value:
    """Add neighbouring `width` lanes; the sums of `left` and of `right` take turns in the result."""
    count = left.type.count

    def pick(there: int) -> ir.Value:
        """Lanes of `left` and `right` in turns; `there` = 1 takes from each the neighbours of what 0 takes."""
        lanes = [i ^ (width * there) for i in range(count)]
        lanes = [lane if i & width == 0 else count + lane for i, lane in enumerate(lanes)]
        return builder.shuffle_vector(left, right, lane_numbers(lanes))

    return builder.fadd(pick(0), pick(1))


def _halved(builder: ir.IRBuilder, vector: ir.Value, count: int) -> ir.Value:
    """Halves are added until `count` lanes are left."""
    while vector.type.count > count:
        half = vector.type.count // 2
        vector = builder.fadd(_part(builder, vector, 0, half), _part(builder, vector, half, half))
    return vector


def _part(builder: ir.IRBuilder, vector: ir.Value, first: int, count: int) -> ir.Value:
    places = lane_numbers(list(range(first, first + count)))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), places)
