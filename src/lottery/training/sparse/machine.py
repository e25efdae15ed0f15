"""What the kernels want of memory and processor: cache lines, prefetching, numbers too small to be worth their time."""

import platform
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

Codegen = Callable[[Any, ir.IRBuilder, Any, Any], ir.Value]
Typed = tuple[Any, Codegen]

FLUSH = 0x8040
"""Bits of an x86 processor's MXCSR register: take numbers too small for full precision as 0, and write 0 for them."""

X86 = platform.machine().lower() in ("x86_64", "amd64")


LINE = 64
"""Bytes of a cache line."""


def zeros(count: int, dtype: type[np.floating]) -> NDArray:
    """Zeros from the start of a cache line on: a vector that straddles two lines is slower to read."""
    size = count * np.dtype(dtype).itemsize
    bytes_ = np.zeros(size + LINE, np.uint8)
    start = -bytes_.ctypes.data % LINE
    return bytes_[start : start + size].view(dtype)


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


@intrinsic
def flush_denormals(typing: Any) -> Typed:
    """Let this thread treat denormal numbers (in float32 those below 1.2e-38) as 0; returns the mode of before.

    A pixel that is seldom lit leaves moments that fade into them, and x86 processors are many times slower with
    such numbers. Other processors are left as they are.
    """

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        number = ir.IntType(32)
        if not X86:
            return number(0)
        mode = cgutils.alloca_once(builder, number)
        _mode_register(builder, "stmxcsr", mode)
        before = builder.load(mode)
        builder.store(builder.or_(before, number(FLUSH)), mode)
        _mode_register(builder, "ldmxcsr", mode)
        return before

    return types.uint32(), generate


@intrinsic
def set_mode(typing: Any, mode: types.Integer) -> Typed:
    """Go back to the mode that `flush_denormals` returned."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        if X86:
            place = cgutils.alloca_once(builder, ir.IntType(32))
            builder.store(arguments[0], place)
            _mode_register(builder, "ldmxcsr", place)
        return context.get_dummy_value()

    return types.void(types.uint32), generate


def _mode_register(builder: ir.IRBuilder, operation: str, place: ir.Value) -> None:
    """Store the register to `place` or load it from there."""
    bytes_ = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(ir.VoidType(), [bytes_]), f"llvm.x86.sse.{operation}"
    )
    builder.call(function, [builder.bitcast(place, bytes_)])
