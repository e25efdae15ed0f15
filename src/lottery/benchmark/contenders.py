"""Ways to predict with a ticket, each with the file that it reads: what `bench-inference` compares."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lottery.tickets.compact_file import read_compact
from lottery.tickets.file import TicketFile
from lottery.tickets.ticket import Ticket

COMPILERS = ("g++", "clang++")
"""One of them `torch.compile` needs."""

Predict = Callable[[Any], object]


@dataclass(frozen=True)
class Prepared:
    """A contender that has loaded a ticket: what it is called with, from uint8 images, and the call."""

    shown: Callable[[NDArray], Any]
    call: Predict


@dataclass(frozen=True)
class Contender:
    """One way to predict: the format of its file, what loads it for so many threads, and a program that does so alone.

    program: Python that reads the file named `FILE` and predicts for images of the shape SHAPE, with nothing prepared.
    """

    format: str
    half: bool
    prepare: Callable[[Path, TicketFile, int], Prepared]
    program: str
    needs: str = ""
    """What the network must be, or the machine must have: "chain", "compiler", or nothing."""


def as_floats(images: NDArray) -> NDArray:
    return images.astype(np.float32) / np.float32(255)


def tensor_of(images: NDArray) -> Any:
    import torch

    return torch.from_numpy(as_floats(images))


def module_of(ticket: TicketFile, threads: int) -> Any:
    import torch

    torch.set_num_threads(threads)
    return Ticket(ticket).to_torch(masked=False)


def without_gradients(module: Any, threads: int) -> Predict:
    import torch

    def call(images: Any) -> object:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            return module(images)

    return call


def prepare_torch(_: Path, ticket: TicketFile, threads: int) -> Prepared:
    return Prepared(tensor_of, without_gradients(module_of(ticket, threads), threads))


COMPILED: dict[tuple[str, int], tuple[Any, Any]] = {}
"""Modules and what `torch.compile` made of them, by network and threads: compiling takes longer than measuring."""


def prepare_compiled(_: Path, ticket: TicketFile, threads: int) -> Prepared:
    import torch

    module = module_of(ticket, threads)
    original, compiled = COMPILED.setdefault((repr(ticket.network), threads), (module, torch.compile(module)))
    original.load_state_dict(module.state_dict())
    return Prepared(tensor_of, without_gradients(compiled, threads))


def prepare_torch_csr(_: Path, ticket: TicketFile, threads: int) -> Prepared:
    """A chain of products of compressed rows, images as columns; written as PyTorch's documentation has them."""
    import warnings

    import torch

    warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
    layers = [
        (
            torch.tensor(ticket.weights[layer.weight_name]).to_sparse_csr(),
            torch.tensor(ticket.weights[layer.bias_name])[:, None],
        )
        for layer in ticket.network.layers
    ]

    def chain(images: Any) -> object:
        values = images.flatten(1).T
        for number, (weight, bias) in enumerate(layers):
            values = weight @ (values.relu() if number else values) + bias
        return values.T

    return Prepared(tensor_of, without_gradients(chain, threads))


def prepare_onnx(path: Path, _: TicketFile, threads: int) -> Prepared:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Prepared(as_floats, lambda images: session.run(None, {"images": images}))


def prepare_int8(path: Path, ticket: TicketFile, threads: int) -> Prepared:
    """Weights in eight bits, numbers between layers quantised as they come: one call of onnxruntime's own tool."""
    return prepare_onnx(quantised(path), ticket, threads)


def quantised(path: Path) -> Path:
    """The model with weights of eight bits, beside the one it is made of."""
    import logging

    from onnxruntime.quantization import QuantType, quantize_dynamic

    made = path.with_name(f"{path.name}-int8")
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(path, made, weight_type=QuantType.QInt8)
    finally:
        logging.disable(logging.NOTSET)
    return made


def prepare_runtime(path: Path, _: TicketFile, threads: int) -> Prepared:
    ticket = read_compact(path)
    runtime = ticket.runtime
    assert runtime
    one = ticket.predict_one

    def call(images: NDArray) -> object:
        return one(images[0]) if len(images) == 1 else ticket.predict(images, threads=threads)

    return Prepared(lambda images: images, call)


ONNX_PROGRAM = """
import numpy, onnxruntime
session = onnxruntime.InferenceSession(FILE)
session.run(None, {"images": numpy.zeros((1, *SHAPE), numpy.float32)})
"""

TORCH_PROGRAM = """
import math, torch, safetensors.torch
arrays = safetensors.torch.load_file(FILE)
with torch.inference_mode():
    values = torch.zeros(1, math.prod(SHAPE))
    for name in ("fc1", "fc2", "output"):
        values = torch.nn.functional.linear(values, arrays[name + ".weight"], arrays[name + ".bias"]).relu()
"""

RUNTIME_PROGRAM = """
import numpy, lottery
lottery.load_ticket(FILE).predict(numpy.zeros((1, *SHAPE), numpy.uint8))
"""

CONTENDERS: dict[str, Contender] = {
    "torch": Contender("pytorch", False, prepare_torch, TORCH_PROGRAM),
    "torch.compile": Contender("pytorch", False, prepare_compiled, "", "compiler"),
    "torch CSR": Contender("csr", False, prepare_torch_csr, "", "chain"),
    "onnxruntime": Contender("onnx", False, prepare_onnx, ONNX_PROGRAM),
    "onnxruntime int8": Contender("onnx", False, prepare_int8, ONNX_PROGRAM),
    "onnxruntime, compact": Contender("onnx-compact", False, prepare_onnx, ONNX_PROGRAM),
    "runtime": Contender("compact", False, prepare_runtime, RUNTIME_PROGRAM, "chain"),
    "runtime, float16": Contender("compact", True, prepare_runtime, RUNTIME_PROGRAM, "chain"),
}
"""By name. The last two differ in their files alone."""

DENSE_CONTENDERS = ("torch", "torch.compile", "onnxruntime")
"""Those that compute all weights, in float32."""


def contenders(ticket: TicketFile) -> dict[str, Contender]:
    """Those that take a ticket's network, on this machine."""
    plain = ticket.network.fully_connected and ticket.description.training.input_scaling == "unit"
    missing = set() if plain else {"chain"}
    missing |= set() if any(map(shutil.which, COMPILERS)) else {"compiler"}
    return {name: each for name, each in CONTENDERS.items() if each.needs not in missing}
