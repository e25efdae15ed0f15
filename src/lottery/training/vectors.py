"""A number type for compiled code: 64 floats side by side, one for each image of a tile.

Kernels written with it read like scalar code, and the compiler keeps the 64 numbers in registers (4 with AVX-512, 8
with AVX, 16 with SSE), which it does not do for small arrays. `Vector` is made of LLVM's own vectors, so it works on
every processor that Numba knows.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

WIDTH = 64
"""Numbers in a vector."""

CHECKED = bool(config.BOUNDSCHECK)
"""Whether every access is compared with the array's size first (environment variable NUMBA_BOUNDSCHECK=1)."""

Codegen = Callable[[Any, ir.IRBuilder, Any, Any], ir.Value]
Typed = tuple[Any, Codegen]


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


@njit
def load(array, offset):  # type: ignore[no-untyped-def]
    """array[offset : offset + 64]"""
    if CHECKED and (offset < 0 or offset + WIDTH > array.size):
        raise IndexError("vector read outside its array")
    return load_unchecked(array, offset)


@njit
def store(array, offset, vector):  # type: ignore[no-untyped-def]
    """array[offset : offset + 64] = vector"""
    if CHECKED and (offset < 0 or offset + WIDTH > array.size):
        raise IndexError("vector written outside its array")
    store_unchecked(array, offset, vector)


@intrinsic
def fill(typing: Any, scalar: types.Float) -> Typed:
    """The vector of 64 times the same number."""
    vector = VECTORS[scalar]

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return _fill(builder, context.get_value_type(vector), arguments[0])

    return vector(scalar), generate


@intrinsic
def multiply_add(typing: Any, scalar: types.Float, vector: Vector, onto: Vector) -> Typed:
    """The vector scalar * vector + onto, in one operation where the processor has it."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        kind = context.get_value_type(vector)
        name = f"llvm.fmuladd.v{WIDTH}f{vector.scalar.bitwidth}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
        return builder.call(function, [_fill(builder, kind, arguments[0]), arguments[1], arguments[2]])

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
        product = builder.fmul(arguments[0], arguments[1])
        # Halves are added until one is left: 64 -> 32 -> ... -> 1.
        half = WIDTH // 2
        while half >= 1:
            product = builder.fadd(_part(builder, product, 0, half), _part(builder, product, half, half))
            half //= 2
        return builder.extract_element(product, ir.Constant(ir.IntType(32), 0))

    return left.scalar(left, right), generate


@intrinsic
def prefetch(typing: Any, array: types.Array, offset: types.Integer) -> Typed:
    """Ask the memory for array[offset] and what lies beside it; without effect on any result."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        # Read, keep in all caches, data.
        builder.call(function, [address, *(ir.Constant(number, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, offset), generate


def _address(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    kind = context.get_value_type(VECTORS[signature.args[0].dtype])
    return builder.bitcast(builder.gep(array.data, [arguments[1]]), kind.as_pointer())


def _fill(builder: ir.IRBuilder, kind: ir.VectorType, scalar: ir.Value) -> ir.Value:
    undefined = ir.Constant(kind, ir.Undefined)
    one = builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH))


def _part(builder: ir.IRBuilder, vector: ir.Value, first: int, count: int) -> ir.Value:
    places = ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(first, first + count)))
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), places)
