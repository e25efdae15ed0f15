"""How fast several processes are that share a GPU, each with one network, with and without CUDA's MPS.

Without MPS a GPU works for one process at a time, in turns; with it, for all at once.
"""

import multiprocessing
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lottery.benchmark import throughput
from lottery.errors import LotteryError
from lottery.training.torch_engine import one_thread, round_products

CONTROL = "nvidia-cuda-mps-control"

COLUMNS = ["network", "loop", "processes", "mps", "training_images_per_second"]
"""Of the table: images a second of all processes together."""

LOOPS = ("torch, TF32", "torch, autocast")
"""The engine's variants that are measured, as in `throughput.VARIANTS`."""

PATIENCE = 120.0
"""Seconds for processes to be ready, or to answer."""


def run(name: str, device: throughput.Device, counts: Sequence[int], seconds: float, folder: Path) -> pd.DataFrame:
    """One row for each number of processes, as in COLUMNS, those with MPS after the others; without it, where this
    machine has none.

    seconds: how long each is measured; folder: for what MPS keeps. Raises LotteryError where a process fails.
    """
    variants = {loop: changes for loop, changes in throughput.VARIANTS[device].items() if loop in LOOPS}
    asked = [(name, loop, count) for loop in variants for count in counts]

    def rates(shared: bool) -> list[list[Any]]:
        return [[*who, shared, rate(name, device, variants[who[1]], who[2], seconds)] for who in asked]

    rows = rates(False)
    if device == "cuda" and shutil.which(CONTROL):
        with mps(folder):
            rows += rates(True)
    return pd.DataFrame(rows, columns=COLUMNS)


@contextmanager
def mps(folder: Path) -> Iterator[None]:
    """Let processes that start meanwhile share the GPU through a server of their own."""
    places = {f"CUDA_MPS_{kind}_DIRECTORY": str(folder / kind.lower()) for kind in ("PIPE", "LOG")}
    for place in places.values():
        Path(place).mkdir(parents=True, exist_ok=True)
    os.environ.update(places)
    try:
        started = subprocess.run([CONTROL, "-d"], capture_output=True, text=True, timeout=PATIENCE)
        if started.returncode:
            raise LotteryError(f"{CONTROL} -d: {(started.stderr or started.stdout).strip()}")
        try:
            yield
        finally:
            subprocess.run([CONTROL], input="quit\n", capture_output=True, text=True, timeout=PATIENCE)
    finally:
        for name in places:
            del os.environ[name]


def rate(name: str, device: throughput.Device, changes: dict[str, Any], count: int, seconds: float) -> float:
    """Images a second that so many processes train together, by the paper's recipe with these changes."""
    context = multiprocessing.get_context("spawn")
    ends = [context.Pipe() for _ in range(count)]
    processes = [
        context.Process(target=work, args=(there, name, device, changes, seconds), daemon=True) for _, there in ends
    ]
    try:
        for process in processes:
            process.start()
        for here, there in ends:
            there.close()  # so that a process that dies is noticed
            answer(here)
        for here, _ in ends:
            here.send("go")
        return sum(answer(here) for here, _ in ends)
    finally:
        for process in processes:
            process.kill()
            process.join()


def answer(end: Connection) -> float:
    """What a process says next."""
    try:
        if end.poll(PATIENCE):
            return float(end.recv())
    except EOFError:
        raise LotteryError("a process that shares the GPU has died") from None
    raise LotteryError(f"a process that shares the GPU did not answer in {PATIENCE:.0f} s")


def work(end: Connection, name: str, device: throughput.Device, changes: dict[str, Any], seconds: float) -> None:
    """One of the processes: says 0 when it is ready, waits, trains, says how many images a second that were."""
    recipe = throughput.RECIPES[name].model_copy(update={"device": device, **changes})
    round_products(to_tf32=recipe.tf32)
    one_thread()
    network, start, mask, splits = throughput.made_up(name, np.random.default_rng(0), device)
    loop = throughput.EngineLoop(network, start, mask, splits[:1], recipe)
    stretch = recipe.validation_every if device == "cuda" else 1
    loop.train(stretch)
    end.send(0.0)
    end.recv()
    began, updates = time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        loop.train(stretch)
        updates += stretch
    throughput.synchronize(device)
    end.send(updates * recipe.batch_size / (time.perf_counter() - began))
