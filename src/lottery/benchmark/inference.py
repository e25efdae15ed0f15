"""What a prediction costs, for each size of a run's tickets: how long, in what file, with how much memory.

The contenders take turns in one process, on images that are in memory; those of PyTorch and ONNX get them as float32
made before, the runtime as bytes. Medians and quartiles are told, and what a call costs that computes next to nothing.
"""

import gzip
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lottery.arms.places import DENSE
from lottery.arrays import read_arrays
from lottery.benchmark.contenders import DENSE_CONTENDERS, Contender, Predict, Prepared, contenders, quantised
from lottery.errors import LotteryError
from lottery.networks import build
from lottery.runs.listing import DESCRIBED_ARM, levels_of
from lottery.settings import Settings
from lottery.tickets.compact_file import write_compact
from lottery.tickets.export import Chosen, export
from lottery.tickets.file import TicketFile
from lottery.tickets.formats import Order, compact_ticket, write
from lottery.tickets.steps import as_data
from lottery.training.job import processor

BATCHES = (1, 100, 1_000)
"""Images of a call."""

SECONDS = 0.02
"""About how long one measurement takes: short calls are repeated in it."""

PAUSE = 0.05
"""Seconds before a turn of several threads: those of the contender before spin for a while."""

STARTS = 3
"""How often each contender is started by itself."""


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
