"""What a training iteration costs, engine by engine and size by size, against a plain masked PyTorch loop.

Everything is timed in one process on one thread, the contestants taking turns, and medians are told.
"""

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from lottery.arms.operations import prune, rewind
from lottery.arrays import Arrays, of_member, stack
from lottery.benchmark.plain_loop import PlainLoop
from lottery.datasets.batches import shuffled_batches
from lottery.datasets.images import read_splits
from lottery.networks import build
from lottery.pruning.allocation import ladder, remaining
from lottery.randomness import Seed
from lottery.settings import Pruning, Training
from lottery.training import sparse_engine, torch_engine
from lottery.training.engines import Engine, Stretch
from lottery.training.job import processor

LEVELS = range(21)
"""The series: 100% down to 1.2% of LeNet's weights."""

TOLD = [0, 3, 7, 12, 15, 20]
"""The levels of the table: 100, 51, 21, 7, 3.6 and 1.2%."""

NETWORK = "lenet-300-100"

TRAINING = Training(test_every=500)
"""The paper's recipe: validation every 100 iterations; the engines take the curve of test accuracy every 500."""


@dataclass(frozen=True)
class Contestant:
    """One way to train a ticket, and how often it takes test accuracy (iterations)."""

    name: str
    advance: Callable[[NDArray], object]
    evaluate: Callable[..., object]
    test_every: int


def advance_of(engine: Engine) -> Callable[[NDArray], object]:
    """An engine's updates with batches, int64 [members, updates, batch_size]."""
    return lambda batches: engine.advance(Stretch(batches, [TRAINING.learning_rate] * batches.shape[1]))


class Setting:
    """What every contestant works on: LeNet on MNIST, and tickets found in a briefly trained dense network."""

    def __init__(self, dataset: Path) -> None:
        torch_engine.one_thread()
        (self.split,) = read_splits(dataset, TRAINING, 0, [0])
        self.network = build(NETWORK, (28, 28), 10)
        seed = Seed(0, "benchmark", 0)
        self.initial = self.network.initial(seed.generator("initialisation"))
        self.batches = shuffled_batches(
            len(self.split.train), TRAINING.batch_size, lambda epoch: seed.generator("batches", epoch=epoch)
        )
        self.torch_images = torch_engine.resident([self.split], TRAINING)
        self.sparse_images = sparse_engine.resident([self.split], TRAINING)
        dense = sparse_engine.Engine(self.network, stack([self.initial]), None, self.sparse_images, TRAINING)
        advance_of(dense)(self.batches(0, 1000)[None])
        self.trained = of_member(dense.parameters(), 0)

    def ticket(self, level: int) -> tuple[Arrays, Arrays | None]:
        """Start and mask of a one-shot ticket, or of the dense network at level 0."""
        if not level:
            return self.initial, None
        scores = {name: np.abs(self.trained[name]) for name in self.network.weight_names()}
        mask = prune(scores, None, ladder(self.network, Pruning(), level))
        return rewind(self.initial, mask), mask


def run(setting: Setting, repeats: int) -> pd.DataFrame:
    """Milliseconds of an iteration for every level and contestant; one row for each."""
    split, network, batches = setting.split, setting.network, setting.batches
    engines = {
        "torch": (torch_engine.Engine, setting.torch_images),
        "sparse": (sparse_engine.Engine, setting.sparse_images),
    }
    rows = []
    for level in LEVELS:
        counts = ladder(network, Pruning(), level)
        start, mask = setting.ticket(level)
        plain = PlainLoop(NETWORK, (1, 28, 28), start, mask, split, TRAINING, torch_engine.SLICE)

        def advance(batches: NDArray, plain: PlainLoop = plain) -> float:
            return plain.advance(torch.tensor(batches[0]))

        contestants = [Contestant("plain", advance, plain.evaluate, TRAINING.validation_every)]
        for name, (engine, images) in engines.items():
            made = engine(network, stack([start]), stack([mask]) if mask else None, images, TRAINING)
            contestants.append(Contestant(name, advance_of(made), made.evaluate, TRAINING.test_every))
        times: dict[str, list[tuple[float, float, float]]] = {contestant.name: [] for contestant in contestants}
        for repeat in range(repeats + 1):
            stretch = batches(100 * repeat, 100 * (repeat + 1))[None]
            for contestant in contestants:
                measured = (
                    seconds(contestant.advance, stretch) / stretch.shape[1],
                    seconds(contestant.evaluate, "validation") / TRAINING.validation_every,
                    seconds(contestant.evaluate, "test") / contestant.test_every,
                )
                if repeat:  # the first time warms up
                    times[contestant.name].append(measured)
        for contestant in contestants:
            training, validation, test = np.median(times[contestant.name], axis=0) * 1e3
            rows.append(
                (level, remaining(network, counts), sum(counts.values()), contestant.name, training, validation + test)
            )
    return pd.DataFrame(
        rows, columns=["level", "weights_remaining", "weights", "engine", "training_ms", "evaluation_ms"]
    )


def seconds(work: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def peak_gflops() -> float:
    """What a large matrix product reaches on one thread, in 10^9 multiplications and additions a second."""
    size = 1536
    matrix = torch.rand(size, size)
    return 2 * size**3 / min(seconds(torch.mm, matrix, matrix) for _ in range(7)) / 1e9


def as_markdown(table: pd.DataFrame) -> str:
    """The table for reading: each engine's cost, and how many times less it is than the plain loop's."""
    wide = table.set_index(["level", "engine"])
    inputs = build(NETWORK, (28, 28), 10).layers[0].weights / 266_200
    peak = peak_gflops()
    lines = []
    for level in TOLD:
        row = wide.loc[level]
        both = row["training_ms"] + row["evaluation_ms"]
        # Forward and weight gradient of every weight, input gradient of those beyond the first layer; 60 images.
        operations = 2 * 60 * row.loc["sparse", "weights"] * (2 + (1 - inputs))
        line = {"weights remaining": f"{100 * row.loc['sparse', 'weights_remaining']:.1f}%"}
        for engine in ("plain", "torch", "sparse"):
            line[f"{engine}, training only (ms)"] = f"{row.loc[engine, 'training_ms']:.3f}"
            line[f"{engine}, with evaluation (ms)"] = f"{both[engine]:.3f}"
        line["torch ratio"] = f"{both['plain'] / both['torch']:.1f}x"
        line["sparse ratio, training only"] = (
            f"{row.loc['plain', 'training_ms'] / row.loc['sparse', 'training_ms']:.1f}x"
        )
        line["sparse ratio"] = f"{both['plain'] / both['sparse']:.1f}x"
        line["sparse GFLOP/s"] = f"{operations / row.loc['sparse', 'training_ms'] / 1e6:.0f}"
        lines.append(line)
    total = table.assign(both=table["training_ms"] + table["evaluation_ms"]).groupby("engine")["both"].sum()
    series = ", ".join(f"{engine} {total[engine]:.1f} ms" for engine in ("plain", "torch", "sparse"))
    return (
        "# Cost of a training iteration\n\n"
        "LeNet-300-100 on MNIST, batch 60, Adam, one thread; medians of interleaved repeats. Evaluation: the plain loop"
        " takes validation and test every 100 iterations, the engines validation every 100 and test every 500. Ratios:"
        " how many times cheaper than the plain loop, evaluation included unless said otherwise.\n\n"
        f"{pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)}\n\n"
        f"One iteration at each of the {len(LEVELS)} levels from 100% to 1.2%, evaluation included: {series}; sparse is"
        f" {total['plain'] / total['sparse']:.1f}x, torch {total['plain'] / total['torch']:.1f}x cheaper than plain.\n"
        f"A large matrix product reaches {peak:.0f} GFLOP/s on this thread. GFLOP/s count the operations of all kept"
        " weights; where the sparse engine skips zero pixels instead (down to 41%), it does fewer.\n\n"
        f"Machine: {processor()}, {platform.system()}, Python {platform.python_version()}, torch {torch.__version__}.\n"
    )
