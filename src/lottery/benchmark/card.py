"""A GPU checked in some minutes: what it is, speeds, sharing, repeatability, and trainings of given runs on it.

Every part writes what it found as soon as it is known, so that nothing is lost when the time is up. On a machine
without a GPU all of it can be rehearsed on the CPU.
"""

import json
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from lottery.analysis.tables import write_table
from lottery.arms.places import DENSE, Place
from lottery.arrays import read_arrays, write_text
from lottery.benchmark import sharing, throughput
from lottery.errors import LotteryError
from lottery.evidence.tables import check_tables
from lottery.evidence.verification import Evaluated, Verification, evaluated_images
from lottery.evidence.wrong import Wrong
from lottery.planning.execution import Execution, finished_part, write_tables
from lottery.runs.jobs import Job
from lottery.runs.listing import groups_of, trainings
from lottery.runs.reading import read_finished_run
from lottery.runs.steps import initialize
from lottery.settings import Settings
from lottery.training.job import processor, train_members

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Check:
    """What is to be checked, and where the results go.

    runs: settings of the runs to train, the first of which lends its first experiment to `repeats`; datasets: folder of
    prepared datasets; output: the results' folder; until: when all must be done, by time.monotonic(); at_once:
    trainings side by side; tests: folder of the tests marked `gpu`, if they are to run.
    """

    device: throughput.Device
    runs: Sequence[Settings]
    datasets: Path
    output: Path
    until: float
    networks: Sequence[str] = ("conv-2", "resnet-20")
    repeats: int = 3
    seconds: float = 0.2
    processes: Sequence[int] = (1, 4)
    at_once: int = 4
    tests: Path | None = None

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()


def check(what: Check, parts: Sequence[str]) -> None:
    """Do these parts, and write `card.json` after each: the card's name, what each part took and whether it failed.

    A part that fails is told in a line, and the next one begins. Raises LotteryError at the end when one has failed.
    """
    doing: dict[str, Callable[[Check], None]] = {
        "tests": run_tests,
        "speeds": measure_speeds,
        "sharing": measure_sharing,
        "repeats": check_repeats,
        "trainings": run_trainings,
        "verification": verify_runs,
    }
    took: dict[str, dict[str, Any]] = {}
    for part in parts:
        began, failure = time.monotonic(), None
        if what.left <= 0:
            failure = "no time was left"
        else:
            try:
                doing[part](what)
            except (LotteryError, RuntimeError, OSError, subprocess.SubprocessError) as error:
                failure = str(error)
                log.warning("%s: %s", part, failure)
        took[part] = {"seconds": round(time.monotonic() - began, 1), "failure": failure}
        log.info("%s: %.1f s, %.0f s are left", part, time.monotonic() - began, what.left)
        told = {"machine": machine(what.device), "parts": took}
        write_text(what.output / "card.json", json.dumps(told, indent=1) + "\n")
    failed = [part for part, each in took.items() if each["failure"]]
    if failed:
        raise LotteryError(f"failed: {', '.join(failed)}; see {what.output / 'card.json'}")


def machine(device: throughput.Device) -> dict[str, Any]:
    """What was checked."""
    told: dict[str, Any] = {"processor": processor(), "cores": os.cpu_count(), "torch": torch.__version__}
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        told |= {"card": properties.name, "memory_mb": properties.total_memory // 10**6}
        told |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}  # type: ignore[no-untyped-call]
    return told


def run_tests(what: Check) -> None:
    """The tests marked `gpu`; what they say goes to tests.txt."""
    if what.tests is None:
        return
    options = ["-p", "no:cacheprovider", "-o", "addopts=-ra", "-m", "gpu"]
    command = [sys.executable, "-m", "pytest", *options, str(what.tests)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=max(what.left, 1))
    write_text(what.output / "tests.txt", done.stdout + done.stderr)
    if done.returncode:
        raise LotteryError(f"tests: {(done.stdout.strip().splitlines() or ['said nothing'])[-1]}")


def measure_speeds(what: Check) -> None:
    """`bench-networks`: networks.csv and networks.md, written anew after each network."""
    tables: list[pd.DataFrame] = []
    for name in what.networks:
        tables.append(throughput.run([name], what.device, what.repeats, what.seconds))
        table = pd.concat(tables, ignore_index=True)
        write_table(what.output / "networks.csv", table)
        write_text(what.output / "networks.md", throughput.as_markdown(table, what.device, what.repeats))


def measure_sharing(what: Check) -> None:
    """Processes that share the card: sharing.csv."""
    table = sharing.run(what.networks[0], what.device, what.processes, 5 * what.seconds, what.output / "mps")
    write_table(what.output / "sharing.csv", table)


def check_repeats(what: Check) -> None:
    """The dense networks of the first run's first experiment, trained again and in other ways: repeats.json tells which
    have the same bytes, and how far a CPU's weights are off after some updates. Raises LotteryError where bytes differ.
    """
    found: dict[str, Any] = {}
    ways = {"first": {}, "again": {}, "kernel by kernel": {"graphs": False}}
    sums = {}
    for way, changes in ways.items():
        folder = short(what, way.replace(" ", "-"), 5, changes)
        sums[way] = json.loads((folder / "summary.json").read_text())["sha256"]
    for way in ("again", "kernel by kernel"):
        found[f"{way}: same bytes"] = sums[way] == sums["first"]
    if what.device == "cuda":
        here, there = (short(what, f"{device}-alone", 1, {"device": device}) for device in ("cpu", "cuda"))
        found["largest difference from a CPU, of each array's largest change"] = difference(here, there)
    write_text(what.output / "repeats.json", json.dumps(found, indent=1) + "\n")
    if not all(value for name, value in found.items() if name.endswith("same bytes")):
        raise LotteryError(f"{what.output / 'repeats.json'}: a training repeated has other bytes")


def short(what: Check, name: str, stretches: int, changes: dict[str, Any]) -> Path:
    """The folder of one dense network trained for some short stretches."""
    settings = what.runs[0]
    experiment = settings.run_experiments[0]
    every = 20
    changes = {
        "validation_every": every,
        "test_every": every,
        "iterations": stretches * every,
        "rate_drops": [],
    } | changes
    own = settings.experiments[experiment]
    own = own.model_copy(update={"training": own.training.model_copy(update=changes)})
    settings = settings.model_copy(update={"experiments": {experiment: own}})
    run = run_folder(what, "repeats", name)
    job = Job(settings, Place(experiment, groups_of(own)[0], DENSE, 0))
    initialize(job, run)
    train_members(job, run, own.threads_per_job)
    return run / job.place.folder


def run_folder(what: Check, *names: str) -> Path:
    """A folder for a run, beside which the prepared datasets are."""
    run = what.output.joinpath(*names)
    run.parent.mkdir(parents=True, exist_ok=True)
    data = run.parent / "data"
    if not data.exists():
        data.symlink_to(what.datasets.resolve())
    return run


def difference(one: Path, other: Path) -> float:
    """The largest difference of a number in their trained weights, over how far numbers of its array moved at most."""
    start, first, second = (
        read_arrays(folder / f"{file}.safetensors")
        for folder, file in ((one, "start"), (one, "trained"), (other, "trained"))
    )
    return max(
        float(np.abs(first[name] - second[name]).max() / np.abs(first[name] - start[name]).max()) for name in start
    )


def run_trainings(what: Check) -> None:
    """What trainings of the runs there is time for, in folders of their names, with tables of what is whole.

    Some time is left for `verification`.
    """
    for settings in what.runs:
        run = run_folder(what, settings.run)
        try:
            with workers(what) as pool:
                left = Execution(settings, run).go(pool, what.at_once, time.monotonic() + 0.93 * what.left)
            log.info("%s: %d tasks are left", settings.run, len(left))
        finally:
            write_tables(finished_part(settings, run), run)


@contextmanager
def workers(what: Check) -> Iterator[Executor]:
    """What trains side by side: processes that share the card through MPS; threads where there is none."""
    if what.device == "cuda" and shutil.which(sharing.CONTROL):
        context = multiprocessing.get_context("spawn")
        with (
            sharing.mps(what.output / "mps"),
            ProcessPoolExecutor(what.at_once, context, initializer=tell_progress) as pool,
        ):
            yield pool
    else:
        with ThreadPoolExecutor(what.at_once) as pool:
            yield pool


def tell_progress() -> None:
    """Let a process that was started for trainings write its log as this one does."""
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", level="WARNING")


def verify_runs(what: Check) -> None:
    """What `lottery verify` finds, with as many workers as train; what there is no time for is left out. What was
    checked stands in verification.txt. Raises LotteryError where something is wrong.
    """
    lines, wrong = [], []
    for settings in what.runs:
        run = what.output / settings.run
        if not (run / "tables" / "settings.json").exists():
            continue
        whole = read_finished_run(run / "tables" / "settings.json")
        jobs = trainings(whole)
        with workers(what) as pool:
            checks = [pool.submit(checked, run, job, what.datasets, what.until) for job in jobs]
            found = [check.result() for check in checks]
        wrong += [line for line in found if line]
        done = sum(line is not None for line in found)
        try:
            check_tables(run, whole)
        except (Wrong, LotteryError) as problem:
            wrong.append(str(problem))
        lines.append(f"{run.name}: tables and {done} of {len(jobs)} trainings checked (masks, starts, accuracies)")
    write_text(what.output / "verification.txt", "\n".join([*lines, f"{len(wrong)} files are wrong", *wrong]) + "\n")
    if wrong:
        raise LotteryError(f"{what.output / 'verification.txt'}: {len(wrong)} files are wrong, the first: {wrong[0]}")


def checked(run: Path, job: Job, datasets: Path, until: float) -> str | None:
    """What is wrong with a training's files; empty where nothing is, None where there was no time to look."""
    if time.monotonic() > until:
        return None
    try:
        Verification(run, job, images_of(job.settings.model_dump_json(), job.place.experiment, datasets)).check()
    except (Wrong, LotteryError) as problem:
        return str(problem)
    return ""


@lru_cache(maxsize=2)
def images_of(settings: str, experiment: str, datasets: Path) -> Evaluated:
    """The images of an experiment, read once in a process."""
    return evaluated_images(Settings.model_validate_json(settings), experiment, datasets)
