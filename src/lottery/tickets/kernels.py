"""The runtime's kernels: the forward pass of a compacted, fully connected network, for a CPU. Compiled by Numba.

They read memory by its address, so that what is compiled needs neither Numba nor Python when it is used (`compiled`).
`PLAN` says what the numbers of a plan are. Two ways through a network:

- `walk`: one image after the other, by what is not 0: pixels, and of each layer the units above 0. A layer is stored by
  input, each a row of the weights to all units, 64 units at a time.
- `tile`: 64 images at once, as in the sparse engine: each kept weight is one multiply-add of a vector of 64 images.
"""

# mypy: disable-error-code="no-untyped-def, attr-defined"

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from lottery.training.sparse.machine import Typed
from lottery.training.sparse.transpose import COLUMNS, _transposed
from lottery.training.sparse.vectors import VECTORS, WIDTH, fill, in_all_lanes, multiply_add, where_positive

PLAN = ("outputs", "blocks", "weight", "bias", "start", "column")
"""The numbers of each layer in a plan, after HEAD: counts, and addresses of arrays, the last two for `tile` alone."""

HEAD = ("layers", "pixels", "slot", "group", "read", "width")
"""Layers; numbers of an image; the addresses of int32 [pixels], where each stands in what the first layer reads, those
that it does not read at the end of it, of
uint8 [groups of 16 pixels], whether any of them is read; how many it reads; the widest layer, in whole vectors.
"""

EACH, FIRST = len(PLAN), len(HEAD)

bare = njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy")
"""Compiles a function that nothing of Python calls, and that calls nothing of it."""


def pointer_to(kind: Any) -> Any:
    """A function from an address, int64, to a pointer to numbers of this kind."""

    @intrinsic
    def pointer(typing: Any, address: types.Integer) -> Typed:
        made = types.CPointer(kind)

        def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
            return builder.inttoptr(arguments[0], context.get_value_type(made))

        return made(address), generate

    return pointer


float32s, int32s, uint16s, uint8s = map(pointer_to, (types.float32, types.int32, types.uint16, types.uint8))


@intrinsic
def vector_at(typing: Any, numbers: types.CPointer, offset: types.Integer) -> Typed:
    """numbers[offset : offset + 64]"""
    vector = VECTORS[numbers.dtype]

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.load(address_of(context, builder, vector, arguments), align=4)

    return vector(numbers, offset), generate


@intrinsic
def put_vector(typing: Any, numbers: types.CPointer, offset: types.Integer, vector: Any) -> Typed:
    """numbers[offset : offset + 64] = vector"""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        builder.store(arguments[2], address_of(context, builder, vector, arguments), align=4)
        return context.get_dummy_value()

    return types.void(numbers, offset, vector), generate


def address_of(context: Any, builder: ir.IRBuilder, vector: Any, arguments: Any) -> ir.Value:
    """Of a vector that begins at an offset of a pointer."""
    here = builder.gep(arguments[0], [arguments[1]])
    return builder.bitcast(here, context.get_value_type(vector).as_pointer())


def compressed(builder: ir.IRBuilder, vector: ir.Value, mask: ir.Value) -> ir.Value:
    """The lanes of a vector of COLUMNS numbers where the mask is set, one after another."""
    kind = vector.type
    letter = "f" if kind.element == ir.FloatType() else "i"
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(kind, [kind, mask.type, kind]),
        f"llvm.experimental.vector.compress.v{COLUMNS}{letter}32",
    )
    return builder.call(function, [vector, mask, ir.Constant(kind, ir.Undefined)])


def listed(
    builder: ir.IRBuilder, places: ir.Value, numbers: ir.Value, mask: ir.Value, lists: Any, count: ir.Value
) -> ir.Value:
    """Append places and numbers where the mask is set to two lists of `count`; how many there are then."""
    for vector, memory in zip((places, numbers), lists, strict=True):
        here = builder.bitcast(builder.gep(memory, [count]), vector.type.as_pointer())
        builder.store(compressed(builder, vector, mask), here, align=4)
    bits = builder.bitcast(mask, ir.IntType(COLUMNS))
    return builder.add(count, builder.zext(builder.ctpop(bits), count.type))


def sixteen(builder: ir.IRBuilder, element: ir.Type, memory: ir.Value, offset: ir.Value, align: int) -> ir.Value:
    """COLUMNS numbers of memory from an offset on."""
    here = builder.gep(memory, [offset])
    return builder.load(builder.bitcast(here, ir.VectorType(element, COLUMNS).as_pointer()), align=align)


@intrinsic
def list_lit(
    typing: Any,
    images: types.CPointer,
    offset: types.Integer,
    slot: types.CPointer,
    pixel: types.Integer,
    read: types.Integer,
    scale: types.Float,
    place: types.CPointer,
    number: types.CPointer,
    count: types.Integer,
) -> Typed:
    """Append the numbers of 16 pixels that are not 0 and whose slot is below `read` to a list; how many it then has."""
    floats = images.dtype == types.float32

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        memory, first, slots, pixel, read, scale, place, number, count = arguments
        row, integers = ir.VectorType(ir.FloatType(), COLUMNS), ir.VectorType(ir.IntType(32), COLUMNS)
        given = sixteen(builder, ir.FloatType() if floats else ir.IntType(8), memory, first, 4 if floats else 1)
        values = given if floats else builder.uitofp(given, row)
        places = sixteen(builder, ir.IntType(32), slots, pixel, 4)
        most = in_all_lanes(builder, integers, builder.trunc(read, ir.IntType(32)))
        lit = builder.fcmp_unordered("!=", values, ir.Constant(row, None))
        mask = builder.and_(lit, builder.icmp_signed("<", places, most))
        numbers = builder.fmul(values, in_all_lanes(builder, row, scale))
        return listed(builder, places, numbers, mask, (place, number), count)

    return types.int64(images, offset, slot, pixel, read, scale, place, number, count), generate


@intrinsic
def list_positive(
    typing: Any,
    values: types.CPointer,
    first: types.Integer,
    place: types.CPointer,
    number: types.CPointer,
    count: types.Integer,
) -> Typed:
    """Append those of the values number first, ..., first + 15 that are above 0 to a list; how many it then has."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        memory, first, place, number, count = arguments
        row, integers = ir.VectorType(ir.FloatType(), COLUMNS), ir.VectorType(ir.IntType(32), COLUMNS)
        numbers = sixteen(builder, ir.FloatType(), memory, first, 4)
        base = in_all_lanes(builder, integers, builder.trunc(first, ir.IntType(32)))
        places = builder.add(base, ir.Constant(integers, list(range(COLUMNS))))
        mask = builder.fcmp_ordered(">", numbers, ir.Constant(row, None))
        return listed(builder, places, numbers, mask, (place, number), count)

    return types.int64(values, first, place, number, count), generate


@intrinsic
def place_columns(
    typing: Any,
    values: types.CPointer,
    slot: types.CPointer,
    column: types.Integer,
    images: types.CPointer,
    offsets: types.CPointer,
    scale: types.Float,
) -> Typed:
    """values[64 * slot[column + k] + lane] = scale * images[offsets[lane] + column + k], for k below 16, all lanes."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        numbers, slots, column, bytes_, places, factor = arguments
        row_of_bytes = ir.VectorType(ir.IntType(8), COLUMNS)
        row = ir.VectorType(ir.FloatType(), COLUMNS)
        factors = in_all_lanes(builder, row, factor)
        vectors = []
        for k in range(COLUMNS):
            unit = builder.sext(builder.load(builder.gep(slots, [builder.add(column, column.type(k))])), column.type)
            here = builder.gep(numbers, [builder.mul(unit, column.type(WIDTH))])
            vectors.append(builder.bitcast(here, row.as_pointer()))
        for part in range(WIDTH // COLUMNS):
            rows = []
            for lane in range(COLUMNS * part, COLUMNS * (part + 1)):
                offset = builder.load(builder.gep(places, [column.type(lane)]))
                here = builder.gep(bytes_, [builder.add(offset, column)])
                rows.append(builder.load(builder.bitcast(here, row_of_bytes.as_pointer()), align=1))
            for vector, lanes in zip(vectors, _transposed(builder, rows), strict=True):
                made = builder.fmul(builder.uitofp(lanes, row), factors)
                builder.store(made, builder.gep(vector, [ir.Constant(ir.IntType(32), part)]), align=4)
        return context.get_dummy_value()

    return types.void(values, slot, column, images, offsets, scale), generate


@bare
def layer_of_one(plan, layer, place, number, count, values):
    """One layer of one image: `values` from the `count` inputs that are not 0, at `place`, of value `number`."""
    blocks = plan[layer + 1]
    weight, bias = float32s(plan[layer + 2]), float32s(plan[layer + 3])
    for block in range(blocks):
        total = vector_at(bias, WIDTH * block)
        for each in range(count):
            row = vector_at(weight, WIDTH * (blocks * place[each] + block))
            total = multiply_add(number[each], row, total)
        put_vector(values, WIDTH * block, total)


@bare
def walk(plan, images, stride, count, scale, room, logits, classes):
    """Logits float32 [count, outputs] and classes int64 [count] of images [count, stride].

    room: memory for a list of places and one of numbers, and for a row of values.
    """
    width, layers = plan[5], plan[0]
    slot, groups = int32s(plan[2]), plan[1] // COLUMNS
    place, number, values = int32s(room), float32s(room + 4 * width), float32s(room + 8 * width)
    last = FIRST + EACH * (layers - 1)
    outputs = plan[last]
    for image in range(count):
        found = 0
        for group in range(groups):
            pixel = COLUMNS * group
            found = list_lit(images, stride * image + pixel, slot, pixel, plan[4], scale, place, number, found)
        for layer in range(FIRST, last + 1, EACH):
            layer_of_one(plan, layer, place, number, found, values)
            if layer < last:
                found = 0
                for unit in range(0, plan[layer], COLUMNS):
                    found = list_positive(values, unit, place, number, found)
        best = 0
        for unit in range(outputs):
            logits[outputs * image + unit] = values[unit]
            if values[unit] > values[best]:
                best = unit
        classes[image] = best


@bare
def layer_of_tile(plan, layer, read, made, rectify):
    """One layer of 64 images: vectors of its units from vectors of its inputs."""
    outputs, blocks = plan[layer], plan[layer + 1]
    weight, bias = float32s(plan[layer + 2]), float32s(plan[layer + 3])
    start, column = int32s(plan[layer + 4]), uint16s(plan[layer + 5])
    for block in range(blocks):
        for unit in range(outputs):
            total = fill(bias[unit]) if block == 0 else vector_at(made, WIDTH * unit)
            for index in range(start[outputs * block + unit], start[outputs * block + unit + 1]):
                total = multiply_add(weight[index], vector_at(read, WIDTH * column[index]), total)
            if rectify and block == blocks - 1:
                total = where_positive(total, total)
            put_vector(made, WIDTH * unit, total)


@bare
def place_numbers(plan, images, stride, first, count, scale, offsets, values):
    """The numbers of 64 images as vectors, those of images that are not there 0."""
    slot = int32s(plan[2])
    for pixel in range(plan[1]):
        if slot[pixel] < plan[4]:
            for lane in range(WIDTH):
                there = first + lane < count
                value = images[stride * (first + lane) + pixel] if there else images[stride * first + pixel]
                values[WIDTH * slot[pixel] + lane] = scale * np.float32(value)


@bare
def place_bytes(plan, images, stride, first, count, scale, offsets, values):
    """The same for bytes, 16 pixels of 64 images at a time."""
    groups, slot, read = stride // COLUMNS, int32s(plan[2]), uint8s(plan[3])
    for lane in range(WIDTH):
        offsets[lane] = stride * (first + lane if first + lane < count else first)
    for group in range(groups):
        if read[group]:
            place_columns(values, slot, COLUMNS * group, images, offsets, scale)


def tiling(place):
    """The kernel `tile` of images that `place` lays out."""

    @bare
    def tile(plan, images, stride, count, scale, room, logits, classes):
        """As `walk`. room: memory for 64 places, and two rows of vectors."""
        width, layers = plan[5], plan[0]
        offsets = int64s(room)
        one, other = float32s(room + 8 * WIDTH), float32s(room + 8 * WIDTH + 4 * WIDTH * width)
        last = FIRST + EACH * (layers - 1)
        outputs = plan[last]
        for first in range(0, count, WIDTH):
            place(plan, images, stride, first, count, scale, offsets, one)
            read, made = one, other
            for layer in range(FIRST, last + 1, EACH):
                layer_of_tile(plan, layer, read, made, layer < last)
                read, made = made, read
            for lane in range(min(WIDTH, count - first)):
                best = 0
                for unit in range(outputs):
                    value = read[WIDTH * unit + lane]
                    logits[outputs * (first + lane) + unit] = value
                    if value > read[WIDTH * best + lane]:
                        best = unit
                classes[first + lane] = best

    return tile


int64s = pointer_to(types.int64)


def signature(kind: Any) -> Any:
    """Of the kernels, for images of this kind of number."""
    plan, images = types.CPointer(types.int64), types.CPointer(kind)
    return types.void(
        plan,
        images,
        *(types.int64, types.int64, types.float32, types.int64),
        types.CPointer(types.float32),
        types.CPointer(types.int64),
    )


KERNELS: dict[str, tuple[Any, Any]] = {
    "walk_bytes": (walk, signature(types.uint8)),
    "walk_floats": (walk, signature(types.float32)),
    "tile_bytes": (tiling(place_bytes), signature(types.uint8)),
    "tile_floats": (tiling(place_numbers), signature(types.float32)),
}


def compiled() -> dict[str, tuple[str, bytes]]:
    """Each kernel's symbol, and the object code that has it, made for this processor."""
    made = {}
    for name, (kernel, kind) in KERNELS.items():
        kernel.compile(kind)
        result = kernel.overloads[kind.args]
        made[name] = result.fndesc.llvm_func_name, bytes(result.library._get_compiled_object())
    return made
