"""The runtime's compiled kernels, kept as object code, so that using them needs llvmlite alone.

Importing Numba takes longer than a first prediction may. The code is made by Numba once for each processor, of the
package's own source, and kept in the package's `__pycache__`, or where NUMBA_CACHE_DIR says, under a name made from
that source. A file of it that is damaged is named in the log and made anew.
"""

import ctypes
import hashlib
import json
import logging
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numpy as np
from llvmlite import binding as llvm

from lottery.arrays import read_arrays_with_texts, write_arrays
from lottery.errors import LotteryError

log = logging.getLogger(__name__)

HERE = Path(__file__).parent

SOURCES = (
    HERE / "kernels.py",
    *(HERE.parent / "training" / "sparse" / f"{name}.py" for name in ("machine", "transpose", "vectors")),
)

Kernel = Any
"""A function of ctypes: (plan, images, stride, count, scale, room, logits, classes), addresses and numbers."""

ARGUMENTS = (
    *(ctypes.c_void_p, ctypes.c_void_p),
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_float, ctypes.c_int64),
    *(ctypes.c_void_p, ctypes.c_void_p),
)
"""Of compiled code: room for a result and for an error, of which the kernels have none, then their own."""

NOTHING = np.zeros(2, np.int64)

RESULT, ERROR = NOTHING.ctypes.data, NOTHING.ctypes.data + 8
"""The first two arguments of every call."""

LIVING: list[Any] = []
"""What holds the code in memory."""

Code = dict[str, tuple[str, bytes]]
"""By kernel: its symbol, and object code that has it."""


@cache
def kernels() -> Mapping[str, Kernel]:
    """The kernels by name, ready to be called; they let other threads run meanwhile."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    code = stored_code()
    for _, content in code.values():
        engine.add_object_file(llvm.ObjectFileRef.from_data(content))
    engine.finalize_object()
    LIVING.append(engine)
    prototype = ctypes.CFUNCTYPE(ctypes.c_int32, *ARGUMENTS)
    return {name: prototype(engine.get_function_address(symbol)) for name, (symbol, _) in code.items()}


def stored_code() -> Code:
    """The object code, made anew where there is none that fits, or it is damaged."""
    path, key = place()
    if path.exists():
        try:
            return read(path, key)
        except LotteryError as error:
            log.warning("%s; the kernels are compiled anew", error)
    from lottery.tickets.kernels import compiled

    code = compiled()
    try:
        write(path, key, code)
    except LotteryError as error:
        log.warning("compiled kernels are not kept: %s", error)
    return code


def place() -> tuple[Path, str]:
    """The file that holds this processor's code, and the key that stands in it: of sources, compiler and processor."""
    features = llvm.get_host_cpu_features().flatten()
    machine = "\n".join([llvmlite.__version__, llvm.get_default_triple(), llvm.get_host_cpu_name(), features])
    digest = hashlib.sha256(machine.encode())
    for source in SOURCES:
        digest.update(source.read_bytes())
    key = digest.hexdigest()
    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or HERE / "__pycache__")
    return folder / f"runtime-{key[:16]}.safetensors", key


def write(path: Path, key: str, code: Code) -> None:
    arrays = {name: np.frombuffer(content, np.uint8) for name, (_, content) in code.items()}
    symbols = {name: symbol for name, (symbol, _) in code.items()}
    sums = {name: hashlib.sha256(content).hexdigest() for name, (_, content) in code.items()}
    write_arrays(path, arrays, {"key": key, "symbols": json.dumps(symbols), "sha256": json.dumps(sums)})


def read(path: Path, key: str) -> Code:
    """The code in a file. Raises LotteryError where it is not whole, or of other sources or another processor."""
    arrays, texts = read_arrays_with_texts(path)
    try:
        symbols, sums = json.loads(texts["symbols"]), json.loads(texts["sha256"])
        code = {name: (str(symbols[name]), arrays[name].tobytes()) for name in sums}
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise LotteryError(f"{path}: is not a file of compiled kernels ({type(error).__name__})") from None
    damaged = [name for name, (_, content) in code.items() if hashlib.sha256(content).hexdigest() != sums[name]]
    if texts.get("key") != key or damaged or not code:
        raise LotteryError(f"{path}: is damaged, or of another processor")
    return code
