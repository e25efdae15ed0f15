"""What a prediction costs, for each size of a run's tickets: how long, in what file, with how much memory.

The contenders take turns in one process, on images that are in memory; those of PyTorch and ONNX get them as float32
made before, the runtime as bytes. Medians and quartiles are told, and what a call costs that computes next to nothing.
"""

import gzip
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lottery.arms.places import DENSE
from lottery.arrays import read_arrays
from lottery.errors import LotteryError
from lottery.networks import build
from lottery.runs.listing import DESCRIBED_ARM, levels_of
from lottery.settings import Settings
from lottery.tickets.compact_file import read_compact, write_compact
from lottery.tickets.export import Chosen, export
from lottery.tickets.file import TicketFile
from lottery.tickets.formats import Order, compact_ticket, write
from lottery.tickets.steps import as_data
from lottery.tickets.ticket import Ticket
from lottery.training.job import processor

BATCHES = (1, 100, 1_000)
"""Images of a call."""

SECONDS = 0.02
"""About how long one measurement takes: short calls are repeated in it."""

PAUSE = 0.05
"""Seconds before a turn of several threads: those of the contender before spin for a while."""

STARTS = 3
"""How often each contender is started by itself."""

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


@dataclass(frozen=True)
class Plan:
    """What is measured: an experiment of a finished run, one replicate, some levels, with so many repeats."""

    run: Path
    settings: Settings
    experiment: str
    replicate: int
    levels: list[int]
    repeats: int
    datasets: Path


def levels_measured(settings: Settings, experiment: str, most: int) -> list[int]:
    """The dense network, and as many of the iterative tickets, the smallest among them."""
    levels = levels_of(settings.experiments[experiment], DESCRIBED_ARM)
    if not levels:
        raise LotteryError(f"{experiment}: has no networks of the arm {DESCRIBED_ARM}")
    chosen = np.unique(np.linspace(0, len(levels) - 1, min(most, len(levels))).round().astype(int))
    return [0, *(levels[index] for index in chosen)]


def run(plan: Plan, threads: tuple[int, ...] = (1, os.cpu_count() or 1)) -> pd.DataFrame:
    """A row for each level, contender, number of threads and batch. Times are microseconds for an image."""
    images = read_arrays(plan.datasets / f"{plan.settings.experiments[plan.experiment].dataset}.safetensors")[
        "test_images"
    ]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for level in plan.levels:
            chosen = Chosen(plan.experiment, DESCRIBED_ARM if level else DENSE, level, plan.replicate, 0)
            ticket = export(plan.run, plan.settings, chosen, "final", plan.datasets)
            started = level in (plan.levels[0], plan.levels[-1])
            rows += measured(ticket, level, images, plan.repeats, sorted(set(threads)), Path(folder), started=started)
    return pd.DataFrame(rows)


def measured(
    ticket: TicketFile, level: int, images: NDArray, repeats: int, threads: list[int], folder: Path, *, started: bool
) -> Iterator[dict[str, Any]]:
    """The rows of one ticket. started: whether each contender is started by itself, which takes most of the time."""
    known = contenders(ticket)
    files = {
        name: file_of(ticket, each, folder / f"level{level}-{name.replace(' ', '-')}") for name, each in known.items()
    }
    alone = {
        name: alone_of(ticket, each, name, files[name]) if started else (np.nan, np.nan) for name, each in known.items()
    }
    empty = {name: overhead(ticket, each, images, folder) for name, each in known.items() if each.needs != "compiler"}
    remaining = sum(int(kept.sum()) for kept in ticket.mask.values()) / ticket.network.weights
    timed = [name for name in known if name != "runtime, float16"]
    for count in threads:
        prepared = {name: known[name].prepare(files[name], ticket, count) for name in timed}
        pause = PAUSE if count > 1 else 0.0
        for batch in BATCHES:
            if batch == 1 and count > 1:
                continue
            times = taking_turns(prepared, images, batch, repeats, pause)
            for name in known:
                each = times[name if name in times else "runtime"]
                low, middle, high = np.percentile(each, [25, 50, 75]) / batch * 1e6
                shown = files[name] if "int8" not in name else quantised(files[name])
                yield {
                    "level": level,
                    "weights_remaining": remaining,
                    "contender": name,
                    "threads": count,
                    "batch": batch,
                    "microseconds": middle,
                    "low": low,
                    "high": high,
                    "file_bytes": shown.stat().st_size,
                    "gzip_bytes": len(gzip.compress(shown.read_bytes())),
                    "start_seconds": alone[name][0],
                    "peak_megabytes": alone[name][1],
                    "call_microseconds": empty.get(name, np.nan),
                }


def file_of(ticket: TicketFile, contender: Contender, path: Path) -> Path:
    """A contender's file; of a compacted ticket without its accuracy, which needs no images then."""
    if contender.format == "compact":
        write_compact(path, compact_ticket(ticket), half=contender.half)
    else:
        write(ticket, contender.format, Order(path, contender.half, no_images))
    return path


def no_images() -> Any:
    raise LotteryError("no images are measured on here")


def taking_turns(
    prepared: dict[str, Prepared], images: NDArray, batch: int, repeats: int, pause: float = 0.0
) -> dict[str, list[float]]:
    """Seconds of a call, `repeats` measurements of each contender, one after the other in each round.

    pause: seconds before each turn, after which it warms up again.
    """
    groups = [images[first : first + batch] for first in range(0, min(20 * batch, len(images) - batch + 1), batch)]
    shown = {name: [each.shown(group) for group in groups] for name, each in prepared.items()}
    times: dict[str, list[float]] = {name: [] for name in prepared}
    calls = {name: calls_in(each.call, shown[name]) for name, each in prepared.items()}
    for _ in range(repeats):
        for name, each in prepared.items():
            given, count = shown[name], calls[name]
            if pause:
                time.sleep(pause)
                for warm in given[:3]:
                    each.call(warm)
            began = time.perf_counter()
            for number in range(count):
                each.call(given[number % len(given)])
            times[name].append((time.perf_counter() - began) / count)
    return times


def calls_in(call: Predict, shown: list[Any]) -> int:
    """How many calls take about SECONDS, after some that warm up."""
    for given in shown[:3]:
        call(given)
    began = time.perf_counter()
    for given in shown:
        call(given)
    return max(len(shown), int(SECONDS * len(shown) / (time.perf_counter() - began)))


def overhead(ticket: TicketFile, contender: Contender, images: NDArray, folder: Path) -> float:
    """Microseconds of a call with one image and a network of the same images that has one unit in each layer: what is
    not computing. NaN for networks that have no such relative.
    """
    told = ticket.description
    if not ticket.network.fully_connected:
        return float("nan")
    network = build("lenet-1-1", tuple(told.image_shape), len(told.class_names))
    weights = {name: np.zeros(shape, np.float32) for name, shape in network.shapes().items()}
    weights["fc1.weight"][0, 0] = weights["fc2.weight"][0, 0] = 1
    weights["output.weight"][:, 0] = np.arange(1, len(told.class_names) + 1)
    mask = {name: (weights[name] != 0).astype(np.uint8) for name in network.weight_names()}
    description = told.model_copy(update={"steps": as_data(network.steps), "network": "lenet-1-1"})
    small = TicketFile(description=description, network=network, weights=weights, mask=mask, start=weights)
    path = file_of(small, contender, folder / "empty")
    times = taking_turns({"": contender.prepare(path, small, 1)}, images, 1, 3)
    return float(np.median(times[""])) * 1e6


def alone_of(ticket: TicketFile, contender: Contender, name: str, path: Path) -> tuple[float, float]:
    """Seconds from the first import to the first prediction in a process of its own, and the most memory of it, MB."""
    if not contender.program or not ticket.network.fully_connected:
        return float("nan"), float("nan")
    file = quantised(path) if "int8" in name else path
    program = (
        "import time\nbegan = time.perf_counter()\n"
        f"FILE, SHAPE = {str(file)!r}, {tuple(ticket.description.image_shape)}\n"
        f"{contender.program}\nseconds = time.perf_counter() - began\n"
        # Not `getrusage`, in which a process begins with the most memory of the one that started it.
        "(peak,) = (line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM'))\n"
        "print(seconds, int(peak) / 1024)\n"
    )
    found = []
    for _ in range(STARTS):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        if done.returncode:
            raise LotteryError(f"{name}: does not start by itself: {done.stderr.strip().splitlines()[-1]}")
        found.append([float(each) for each in done.stdout.split()])
    seconds, megabytes = np.median(found, axis=0)
    return float(seconds), float(megabytes)


def break_even(table: pd.DataFrame, batch: int, threads: int = 1) -> float | None:
    """The largest share of weights remaining from which on down the runtime, or where there is none the compact ONNX
    model, is at least as fast as the best dense contender; None where it is at no size.
    """
    rows = table[(table["batch"] == batch) & (table["threads"] == threads)]
    wide = rows.pivot_table(index="weights_remaining", columns="contender", values="microseconds").sort_index()
    best = wide[[name for name in DENSE_CONTENDERS if name in wide]].min(axis=1)
    own = wide["runtime"] if "runtime" in wide else wide["onnxruntime, compact"]
    found = None
    for remaining, faster in (own <= best).items():
        if not faster:
            break
        found = float(remaining)
    return found


def as_markdown(table: pd.DataFrame, plan: Plan) -> str:
    """The tables for reading."""
    network, dataset = (getattr(plan.settings.experiments[plan.experiment], key) for key in ("network", "dataset"))
    parts = [f"# What a prediction costs\n\n{network} on {dataset}, tickets of the run {plan.settings.run}.\n"]
    for (threads, batch), rows in table.groupby(["threads", "batch"]):
        title = f"\n## {batch} image{'s' * (batch > 1)} a call, {threads} thread{'s' * (threads > 1)}\n\n"
        lines = [
            {"weights remaining": f"{100 * remaining:.1f}%"}
            | {
                row["contender"]: spread_of(row)
                for row in own.to_dict("records")
                if row["contender"] != "runtime, float16"
            }
            for remaining, own in sorted(rows.groupby("weights_remaining"), reverse=True)
        ]
        even = break_even(table, batch, threads)
        told = "at no size measured" if even is None else f"from {100 * even:.1f}% of the weights on down"
        parts.append(f"{title}Microseconds for an image, median (quartiles).\n\n{markdown(lines)}\n\n")
        parts.append(f"No slower than the best dense contender in float32: {told}.\n")
    one = table[(table["threads"] == table["threads"].min()) & (table["batch"] == table["batch"].min())]
    for title, column, form in (
        ("Bytes of the file", "file_bytes", "{:,.0f}"),
        ("Bytes of what gzip makes of it", "gzip_bytes", "{:,.0f}"),
        ("Seconds from the first import to the first prediction, in a process of its own", "start_seconds", "{:.2f}"),
        ("Peak memory of that process, MB", "peak_megabytes", "{:.0f}"),
        ("Microseconds of a call whose network has one unit in each layer", "call_microseconds", "{:.1f}"),
    ):
        wide = one.pivot_table(index="weights_remaining", columns="contender", values=column, sort=False)
        lines = [
            {"weights remaining": f"{100 * float(remaining):.1f}%"}
            | {str(name): "" if np.isnan(value) else form.format(value) for name, value in row.items()}
            for remaining, row in wide.dropna(how="all").sort_index(ascending=False).iterrows()
        ]
        if len(wide):
            parts.append(f"\n## {title}\n\n{markdown(lines)}\n")
    parts.append(f"\n{machine()}\n")
    return "".join(parts)


def spread_of(row: dict[str, Any]) -> str:
    return f"{row['microseconds']:.3g} ({row['low']:.3g} to {row['high']:.3g})"


def markdown(lines: list[dict[str, str]]) -> str:
    return str(pd.DataFrame(lines).fillna("").to_markdown(index=False, disable_numparse=True))


def machine() -> str:
    """What was measured on, and with which versions."""
    import onnxruntime
    import torch

    versions = f"Python {platform.python_version()}, torch {torch.__version__}, onnxruntime {onnxruntime.__version__}"
    return f"{processor()}, {os.cpu_count()} cores, {versions}."
