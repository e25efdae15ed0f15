"""Images a second of every network in training and in evaluation: the `torch` engine against a plain PyTorch loop.

Images have the shape of CIFAR-10's and are made up: no dataset is needed, and speed does not depend on what they show.
Contestants work in one process, on one thread of a CPU or on one GPU, taking turns; medians are told.
"""

import math
import platform
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
import torch

from lottery.arms.operations import rewind
from lottery.arrays import Arrays, stack
from lottery.benchmark.plain_loop import PlainLoop
from lottery.datasets.batches import random_views, shuffled_batches
from lottery.datasets.images import Chosen, Images, Split
from lottery.errors import LotteryError
from lottery.networks import Network, build
from lottery.randomness import Seed
from lottery.settings import Training
from lottery.training import torch_engine
from lottery.training.job import processor
from lottery.training.loop import Course, MemberData

Device = Literal["cpu", "cuda"]

IMAGE_SHAPE = (3, 32, 32)
CLASSES = 10

TRAINING_IMAGES = 10_000
"""Enough that a batch is gathered from more than a cache holds."""

EVALUATED_SLICES = 4
"""Images evaluated, in slices of the engine's size, which the plain loop takes as well."""

STACKED = 5
"""Members of a stack on a GPU: the paper's trials (section 2)."""

SIDE_BY_SIDE = (3, 8)
"""Networks that engines train on a GPU at the same time, each in a thread and stream of its own."""

VARIANTS: dict[Device, dict[str, dict[str, Any]]] = {
    "cpu": {"torch": {}, "torch, autocast": {"autocast": True}},
    "cuda": {
        "torch": {},
        "torch, kernel by kernel": {"graphs": False},
        "torch, TF32": {"tf32": True},
        "torch, autocast": {"autocast": True},
        "torch, any kernels": {"deterministic": False},
    },
}
"""The engine with one network, and what of the recipe it has otherwise."""

QUICKEST: dict[str, Any] = {"autocast": True}
"""The variant of which many share a GPU."""

DEEP: dict[str, Any] = {
    "optimizer": "sgd",
    "momentum": 0.9,
    "learning_rate": 0.01,
    "weight_decay": 1e-4,
    "augmentation": "flip-and-crop",
}

RECIPES = {
    "lenet-300-100": Training(engine="torch"),
    "conv-2": Training(learning_rate=2e-4),
    "conv-4": Training(learning_rate=3e-4),
    "conv-6": Training(learning_rate=3e-4),
    "resnet-8": Training(**DEEP, batch_size=128),
    "resnet-20": Training(**DEEP, batch_size=128),
    "vgg-16": Training(**DEEP, batch_size=64),
    "vgg-19": Training(**DEEP, batch_size=64),
}
"""The paper's recipes (Fig. 2, App. I), of the deep networks with the lower of its step sizes; ResNet-8
has those of ResNet-20."""

TRAINING, EVALUATION = "training_images_per_second", "evaluation_images_per_second"

COLUMNS = [
    "network",
    "batch_size",
    "loop",
    "members",
    *(f"{measure}{part}" for measure in (TRAINING, EVALUATION) for part in ("", "_lowest", "_highest", "_ratio")),
    "peak_memory_mb",
    "host_waits_of_a_stretch",
    "host_waits_of_an_update",
]
"""Of the table: medians over the repeats with their extremes, each median's ratio to the plain loop's, and what only a
GPU has: memory at its peak, images included, and how often the host waits for the GPU.
"""


class Loop(Protocol):
    """What trains and evaluates."""

    def train(self, updates: int, /) -> object: ...

    def evaluate(self, part: Literal["validation"], /) -> object: ...


class EngineLoop:
    """The engine as jobs use it: batches and views are drawn on the host for each stretch."""

    def __init__(
        self, network: Network, start: Arrays, mask: Arrays, splits: Sequence[Split], recipe: Training
    ) -> None:
        """splits: that of each member."""
        images, members = torch_engine.resident(splits, recipe), len(splits)
        engine: Any = torch_engine.Engine(network, stack([start] * members), stack([mask] * members), images, recipe)
        self.course = Course(engine, [member_data(recipe, member) for member in range(members)], recipe)
        self.evaluate = engine.evaluate
        self.reached = 0

    def train(self, updates: int) -> None:
        self.course.update(self.reached, self.reached + updates)
        self.reached += updates


class SideBySide:
    """Several loops at the same time, each in a thread of its own."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self.loops = loops
        self.threads = ThreadPoolExecutor(len(loops), initializer=torch_engine.one_thread)

    def train(self, updates: int) -> None:
        list(self.threads.map(lambda each: each.train(updates), self.loops))

    def evaluate(self, part: Literal["validation"]) -> None:
        list(self.threads.map(lambda each: each.evaluate(part), self.loops))


def member_data(recipe: Training, member: int) -> MemberData:
    """Batches and views of a member, seeded."""
    seed, of_all = Seed(0, "benchmark", member), (TRAINING_IMAGES, recipe.batch_size)
    batches = shuffled_batches(*of_all, lambda epoch: seed.generator("batches", epoch=epoch))
    if recipe.augmentation == "none":
        return MemberData(batches)
    return MemberData(batches, random_views(*of_all, lambda epoch: seed.generator("views", epoch=epoch)))


class Contestant:
    """One way to train a network, and how fast it was found to be."""

    def __init__(self, name: str, loop: Loop, recipe: Training, images: int, members: int = 1) -> None:
        """images: those of an evaluation."""
        self.name, self.loop, self.recipe, self.images, self.members = name, loop, recipe, images, members
        # Settings of the whole process, so they are set anew at each turn; the plain loop is left free.
        self.deterministic = recipe.device == "cuda" and recipe.deterministic and not isinstance(loop, PlainLoop)
        self.rates: dict[str, list[float]] = {TRAINING: [], EVALUATION: []}
        """Images a second, of all members, at each repeat."""
        self.on_gpu: dict[str, float] = {}

    def train(self, updates: int) -> None:
        """In stretches between evaluations, as long as the recipe's."""
        for first in range(0, updates, self.recipe.validation_every):
            self.loop.train(min(self.recipe.validation_every, updates - first))

    def evaluate(self, times: int) -> None:
        for _ in range(times):
            self.loop.evaluate("validation")

    def seconds(self, work: Callable[[int], None], amount: int) -> float:
        """How long so much work takes, until the GPU has done it as well."""
        torch.use_deterministic_algorithms(self.deterministic)
        torch_engine.round_products(to_tf32=self.recipe.tf32)
        synchronize(self.recipe.device)
        began = time.perf_counter()
        work(amount)
        synchronize(self.recipe.device)
        return time.perf_counter() - began

    def warm_up(self, at_least: float) -> None:
        """Find how many updates and evaluations take about so many seconds."""
        self.updates = self.amount(self.train, at_least)
        self.evaluations = self.amount(self.evaluate, at_least)

    def amount(self, work: Callable[[int], None], at_least: float) -> int:
        """How much of this work takes so many seconds; 1 at least."""
        self.seconds(work, 1)
        amount = 1
        while (taken := self.seconds(work, amount)) < at_least / 4:
            amount *= 2
        return max(1, round(amount * at_least / taken))

    def take_turn(self) -> None:
        """Measure once."""
        for measure, work, amount, images in (
            (TRAINING, self.train, self.updates, self.recipe.batch_size),
            (EVALUATION, self.evaluate, self.evaluations, self.images),
        ):
            self.rates[measure].append(amount * images * self.members / self.seconds(work, amount))


def run(
    networks: Sequence[str], device: Device, repeats: int, at_least: float, *, compiled: bool = False
) -> pd.DataFrame:
    """One row for each network and contestant, as in COLUMNS.

    at_least: seconds that a measurement is to take; it is never less than one update. compiled: whether `torch.compile`
    takes part. Raises LotteryError for a network without a recipe and for a device or compiler that is not there.
    """
    for name in networks:
        if name not in RECIPES:
            raise LotteryError(f"no recipe for a network called {name!r}; known: {', '.join(RECIPES)}")
    torch_engine.one_thread()
    if device == "cuda":
        start_gpu()
    rows: list[dict[str, Any]] = []
    try:
        for name in networks:
            entered = enter(name, device, at_least, compiled=compiled)
            for _ in range(repeats):
                for contestant in entered:
                    contestant.take_turn()
            rows += [row(name, contestant, entered[0]) for contestant in entered]
    finally:
        torch.use_deterministic_algorithms(False)
    return pd.DataFrame(rows, columns=COLUMNS)


def enter(name: str, device: Device, at_least: float, *, compiled: bool) -> list[Contestant]:
    """All contestants of one network, warmed up, the plain loop first."""
    recipe = RECIPES[name].model_copy(update={"device": device})
    network, start, mask, splits = made_up(name, np.random.default_rng(0), device)
    at_once, images = torch_engine.slice_size(network, device), len(splits[0].validation)

    def engine(members: Sequence[Split], changes: dict[str, Any]) -> EngineLoop:
        return EngineLoop(network, start, mask, members, recipe.model_copy(update=changes))

    def plain(name_: str, changes: dict[str, Any]) -> Contestant:
        own = recipe.model_copy(update=changes)
        loop = PlainLoop(name, IMAGE_SHAPE, start, mask, splits[0], own, at_once)
        return Contestant(name_, loop, own, images)

    def one(name_: str, changes: dict[str, Any]) -> Contestant:
        return Contestant(name_, engine(splits[:1], changes), recipe.model_copy(update=changes), images)

    def stacked() -> Contestant:
        own = recipe.model_copy(update=QUICKEST)
        return Contestant(f"torch, {STACKED} members", engine(splits, QUICKEST), own, images, STACKED)

    def side_by_side(count: int) -> Contestant:
        own = recipe.model_copy(update=QUICKEST)
        loops = [engine(splits[:1], QUICKEST) for _ in range(count)]
        return Contestant(f"torch, {count} side by side", SideBySide(loops), own, images, count)

    makers: list[Callable[[], Contestant]] = [partial(plain, "plain", {"tf32": device == "cuda"})]
    if device == "cuda":
        makers.append(partial(plain, "plain, float32", {}))
    makers += [partial(one, *variant) for variant in VARIANTS[device].items()]
    if compiled:
        makers.append(partial(one, "torch, compiled", {"compile": True}))
    if device == "cuda":
        makers += [stacked, *(partial(side_by_side, count) for count in SIDE_BY_SIDE)]
    return [warmed_up(make, device, at_least) for make in makers]


def made_up(name: str, random: np.random.Generator, device: Device) -> tuple[Network, Arrays, Arrays, list[Split]]:
    """A network, its start and mask, and for each of STACKED members images of its own."""
    network = build(name, IMAGE_SHAPE, CLASSES)
    images = EVALUATED_SLICES * torch_engine.slice_size(network, device)
    known, test = (made_up_images(count, random) for count in (TRAINING_IMAGES + images, 1))
    orders = [np.split(random.permutation(len(known.labels)), [TRAINING_IMAGES]) for _ in range(STACKED)]
    splits = [Split(Chosen(known, np.sort(train)), Chosen(known, np.sort(rest)), test.all()) for train, rest in orders]
    mask = {layer.weight_name: (random.random(layer.shape) < 0.5).astype(np.uint8) for layer in network.layers}
    return network, rewind(network.initial(random), mask), mask, splits


def warmed_up(make: Callable[[], Contestant], device: Device, at_least: float) -> Contestant:
    """A contestant ready to be measured; on a GPU, what it holds there and how often the host waits is known."""
    if device == "cpu":
        contestant = make()
        contestant.warm_up(at_least)
        return contestant
    torch.cuda.reset_peak_memory_stats()
    held_by_others = torch.cuda.memory_allocated()
    contestant = make()
    contestant.warm_up(at_least)
    stretch = contestant.recipe.validation_every
    one, many = (host_waits(contestant.train, updates) for updates in (1, stretch))
    contestant.on_gpu = {
        "peak_memory_mb": (torch.cuda.max_memory_allocated() - held_by_others) / 1e6,
        "host_waits_of_a_stretch": many,
        "host_waits_of_an_update": (many - one) / (stretch - 1),
    }
    return contestant


def host_waits(work: Callable[[int], object], amount: int) -> int:
    """How often the host waits for the GPU in so much work, as PyTorch's debug mode of synchronisation tells."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            work(amount)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("called a synchronizing CUDA operation" in str(each.message) for each in told)


def start_gpu() -> None:
    """Let PyTorch settle what it does once in a process: cuBLAS reads its settings and takes its memory."""
    one = made_up_images(1, np.random.default_rng(0)).all()
    pixels = torch_engine.resident([Split(one, one, one)], Training(device="cuda"))[0]["train"].pixels.float()
    pixels @ pixels.T


def synchronize(device: Device) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def made_up_images(count: int, random: np.random.Generator) -> Images:
    pixels = random.integers(256, size=(count, math.prod(IMAGE_SHAPE)), dtype=np.uint8)
    return Images(pixels, random.integers(CLASSES, size=count))


def row(name: str, contestant: Contestant, plain: Contestant) -> dict[str, Any]:
    """A line of the table."""
    line: dict[str, Any] = {"network": name, "batch_size": contestant.recipe.batch_size, "loop": contestant.name}
    line |= {"members": contestant.members} | contestant.on_gpu
    for measure, rates in contestant.rates.items():
        median = float(np.median(rates))
        line |= {measure: median, f"{measure}_lowest": min(rates), f"{measure}_highest": max(rates)}
        line[f"{measure}_ratio"] = median / float(np.median(plain.rates[measure]))
    return line


def as_markdown(table: pd.DataFrame, device: Device, repeats: int) -> str:
    """The table for reading, and what it was measured on."""
    lines = []
    for each in table.to_dict("records"):
        line = {"network": each["network"], "batch": each["batch_size"], "loop": each["loop"]}
        for word, measure in (("training", TRAINING), ("evaluation", EVALUATION)):
            spread = f"{each[f'{measure}_lowest']:,.0f} to {each[f'{measure}_highest']:,.0f}"
            line[f"{word}, images/s"] = f"{each[measure]:,.0f} ({spread})"
            line[f"{word}, times plain"] = f"{each[f'{measure}_ratio']:.2f}"
        if device == "cuda":
            line["memory, MB"] = f"{each['peak_memory_mb']:,.0f}"
            line["waits in a stretch"] = f"{each['host_waits_of_a_stretch']:.0f}"
            line["waits in an update"] = f"{each['host_waits_of_an_update']:.2f}"
        lines.append(line)
    waits = (
        f" Memory is that of a loop at its peak, its images included. Waits: how often the host waits for the GPU in a"
        f" stretch of {Training().validation_every} updates, and how many more with each more update.\n"
    )
    return (
        "# Images a second\n\n"
        f"Made-up images of CIFAR-10's shape, the paper's recipes, a mask that keeps half of the weights; medians of"
        f" {repeats} interleaved repeats, the slowest and the fastest in brackets. `plain` is a PyTorch loop with"
        " its images on the device, on a GPU with TF32. Many members, in a stack or side by side, are with autocast.\n"
        f"{waits if device == 'cuda' else ''}\n"
        f"{pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)}\n\n"
        f"Machine: {machine(device)}.\n"
    )


def machine(device: Device) -> str:
    """Everything that speed depends on."""
    threads = torch.get_num_threads()
    parts = [processor(), f"{threads} thread{'s' * (threads > 1)}", platform.system()]
    parts += [f"Python {platform.python_version()}", f"torch {torch.__version__}"]
    return ", ".join(([torch.cuda.get_device_name()] if device == "cuda" else []) + parts)
