"""The reference engine: PyTorch, dense arrays under a mask.

On a CPU sums run in the same order however many members or threads a job has, so its results are the same bytes.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lottery.arrays import Arrays
from lottery.datasets.batches import MARGIN
from lottery.datasets.images import Part, Split, in_form
from lottery.errors import LotteryError
from lottery.networks import Network
from lottery.settings import Training
from lottery.training.engines import Stretch
from lottery.training.graphs import Recorded
from lottery.training.torch_network import TorchNetwork
from lottery.training.torch_optimizers import Adam, Momentum

PACKAGES = ("torch",)

COMPILERS = ("g++", "clang++")
"""What `torch.compile` can use on a CPU."""

SLICE = 1_000
"""Images evaluated at once: large enough to be quick, small enough to stay in the cache."""

CONVOLVED_SLICE = {"cpu": 50, "cuda": 1_000}
"""The same for networks with convolutions, which hold 0.5 MB for an image of CIFAR-10."""


@dataclass(frozen=True)
class TorchImages:
    """One part of the images: those at each member's `rows`.

    pixels: uint8 [all, inputs]; labels: int64 [members, all], or [1, all] where all members have the same; rows: int64
    [members, images], or [1, images] where all members see the same.
    """

    pixels: Tensor
    labels: Tensor
    rows: Tensor

    def labels_at(self, rows: Tensor) -> Tensor:
        """Labels of images by their rows, int64 [members, images] or [1, images], as both are."""
        if len(self.labels) == 1:
            return self.labels[0][rows]
        return self.labels.gather(1, rows.expand(len(self.labels), -1))


def resident(splits: Iterable[Split], recipe: Training) -> list[dict[Part, TorchImages]]:
    """The images of each split as tensors on the recipe's device, made once for all splits."""
    if recipe.device == "cuda":
        if not torch.cuda.is_available():
            raise LotteryError("device: cuda was asked for, but PyTorch finds no GPU here; use device: cpu")
        round_products(to_tf32=recipe.tf32)
        if recipe.deterministic:
            repeat_exactly()
    if recipe.compile and recipe.device == "cpu" and not any(map(shutil.which, COMPILERS)):
        raise LotteryError(f"compile: true needs a C++ compiler ({' or '.join(COMPILERS)}); none is on the PATH")
    tensor = partial(torch.tensor, device=recipe.device)
    return in_form(
        splits,
        lambda images: (tensor(images.pixels), tensor(images.labels)[None]),
        lambda tensors, chosen: TorchImages(
            tensors[0],
            tensors[1] if chosen.told is None else tensor(chosen.all_labels)[None],
            tensor(chosen.rows)[None],
        ),
    )


def round_products(*, to_tf32: bool) -> None:
    """Let GPUs round what products multiply to 10 bits, or not: by itself PyTorch does so in convolutions alone."""
    torch.backends.cudnn.allow_tf32 = to_tf32
    torch.backends.cuda.matmul.allow_tf32 = to_tf32


def repeat_exactly() -> None:
    """Let PyTorch use only kernels that give the same bytes every time, in this process."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first matrix product starts
    torch.use_deterministic_algorithms(True)
    # Else every new tensor is filled with NaN before its kernel fills it; nothing here reads what was not written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


STACKED_WEIGHTS = 2**20
"""Weights of a network of convolutions up to which a GPU trains members as one stack."""


def together(recipe: Training, network: Network) -> bool:
    """Whether a job's members are trained together.

    A GPU works on all of them in about the time that one takes, where one leaves most of it idle: on an H200 a stack of
    five trains 2.3 times as many images of ResNet-20 as one network, of Conv-2 1.4 times, less than three networks side
    by side (docs/gpu.md). On a CPU a stack of three takes 0.8 times as long for each, but its products add in an order
    that depends on the stack's size, and there a member's bytes must not depend on its companions.
    """
    return recipe.device == "cuda" and (network.fully_connected or network.weights <= STACKED_WEIGHTS)


def one_thread() -> None:
    """Let the calling thread compute alone: how sums are split would otherwise depend on the number of cores.

    Numbers below 1.2e-38 count as 0 there: moments of weights that are seldom used fade into them, and x86
    processors are many times slower with such numbers.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def slice_size(network: Network, device: str) -> int:
    """Images evaluated at once."""
    return SLICE if network.fully_connected else CONVOLVED_SLICE[device]


def moments(pixels: Tensor, network: Network, recipe: Training) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [inputs] of `bytes / 255` over all images, the same for all numbers of a channel.

    pixels: uint8 [images, inputs]. Counted exactly; 0 and 1 where the recipe does not ask for them.
    """
    inputs, device = pixels.shape[1], pixels.device
    if recipe.input_scaling != "standardised":
        return torch.zeros(inputs, device=device), torch.ones(inputs, device=device)
    channels = network.image_shape[0] if len(network.image_shape) == 3 else 1
    values = torch.arange(256, dtype=torch.float64, device=device) / 255
    means, deviations = [], []
    for channel in pixels.view(len(pixels), channels, -1).unbind(1):
        counts = torch.bincount(channel.flatten(), minlength=256).double()
        mean = (counts * values).sum() / counts.sum()
        means.append(mean)
        deviations.append(((counts * (values - mean) ** 2).sum() / counts.sum()).sqrt())
    size = inputs // channels
    return torch.stack(means).repeat_interleave(size), torch.stack(deviations).repeat_interleave(size)


def cut_out(images: Tensor, views: Tensor) -> Tensor:
    """Images of their own size, mirrored or not, cut out of those with a margin of zeros.

    images: uint8 [images, channels, height, width]; views: uint8 [images, 3], as of `random_views`.
    """
    height, width = images.shape[2:]
    padded = functional.pad(images, (MARGIN,) * 4)
    mirrored, top, left = views.long().unbind(1)
    rows = top[:, None] + torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device).expand(len(images), -1)
    columns = left[:, None] + torch.where(mirrored[:, None] == 1, width - 1 - columns, columns)
    places = torch.arange(len(images), device=images.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[places, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def of_all_members(images: Sequence[TorchImages]) -> TorchImages:
    """One part of the images, as all members have it, from those of each."""
    pixels, labels = images[0].pixels, torch.cat([each.labels for each in images])
    if any(each.pixels is not pixels for each in images):
        raise ValueError("the members' images must be rows of the same tensors")
    rows = torch.cat([each.rows for each in images])
    labels, rows = (each[:1] if bool((each == each[:1]).all()) else each for each in (labels, rows))
    return TorchImages(pixels, labels, rows)


class Engine:
    """Networks in training side by side, every product one batched product of all members.

    On a GPU each engine has a stream of its own, so that engines in several threads share it.
    """

    def __init__(
        self,
        network: Network,
        start: Mapping[str, NDArray],
        mask: Mapping[str, NDArray] | None,
        images: Sequence[Mapping[Part, TorchImages]],
        recipe: Training,
    ) -> None:
        """start: float32 [members, *shape] of every parameter; mask: uint8 [members, *shape] of every weight, None when
        dense; images: those of each member, rows of the same tensors.
        """
        self.recipe = recipe
        self.stream = torch.cuda.Stream() if recipe.device == "cuda" else None  # type: ignore[no-untyped-call]
        with self.in_stream():
            self.images = {part: of_all_members([each[part] for each in images]) for part in images[0]}
            self.networks = TorchNetwork(network, start, recipe, moments(self.images["train"].pixels, network, recipe))
            weights, masked = self.networks.weights, mask or {}
            self.masked = [place for place, name in enumerate(weights) if name in masked]
            self.masks = [self.networks.resident(masked[name]) for name in weights if name in masked]
            self.update = (Adam if recipe.optimizer == "adam" else Momentum)(list(weights.values()), recipe)
            self.noise = [torch.Generator(recipe.device) for _ in range(self.networks.members)]
            self.training_losses = torch.compile(self.losses) if recipe.compile else self.losses
            self.recordings = Recordings(self) if self.stream and recipe.graphs else None

    def in_stream(self) -> AbstractContextManager[object]:
        """What a GPU does for this engine is in order, and not in order with what it does for others."""
        return torch.cuda.stream(self.stream) if self.stream else nullcontext()

    def losses(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy [members, images] of images that train, as for `logits`; labels: int64 [members, images]."""
        logits = self.networks.logits(pixels, self.noise)
        return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)

    def advance(self, stretch: Stretch) -> NDArray:
        with self.in_stream():
            return self.advanced(stretch)

    def advanced(self, stretch: Stretch) -> NDArray:
        """`advance`, in the engine's stream."""
        device, views = self.recipe.device, stretch.views
        for generator, seed in zip(self.noise, stretch.noise or [], strict=bool(stretch.noise)):
            generator.manual_seed(seed)
        places = torch.tensor(stretch.batches, device=device)
        indices = self.images["train"].rows.expand(len(places), -1).gather(1, places.flatten(1)).view_as(places)
        seen = torch.tensor(views, device=device) if views is not None else None
        total = torch.zeros(len(indices), dtype=torch.float64, device=device)
        # Where a GPU is, the step size is in its memory, in which what is recorded finds another one each time.
        on_device = self.recordings or self.stream
        tensors = torch.tensor(stretch.rates, dtype=torch.float32, device=device) if on_device else None
        if self.recordings and tensors is not None:
            self.recordings.advance(indices, tensors, seen, total)
        else:
            given: Sequence[float | Tensor] = stretch.rates if tensors is None else tensors.unbind()
            for number, rate in enumerate(given):
                total += self.one_update(indices[:, number], rate, None if seen is None else seen[:, number])
        return (total / indices[0].numel()).cpu().numpy()

    def one_update(self, batch: Tensor, rate: float | Tensor, views: Tensor | None) -> Tensor:
        """Update every member once; the sums of the losses, [members].

        batch: int64 [members, images], rows of all images; views: uint8 [members, images, 3].
        """
        images, weights = self.images["train"], list(self.networks.weights.values())
        pixels = images.pixels.index_select(0, batch.flatten())
        if views is not None:
            pixels = cut_out(pixels.view(-1, *self.networks.network.image_shape), views.flatten(0, 1))
        losses = self.training_losses(pixels.reshape(*batch.shape, -1), images.labels_at(batch))
        share = torch.full_like(losses, 1 / batch.shape[1])
        gradients = [
            # The fused optimisers take for granted that gradients lie in memory as weights do.
            gradient if gradient.stride() == weight.stride() else torch.empty_like(weight).copy_(gradient)
            for weight, gradient in zip(weights, torch.autograd.grad(losses, weights, share), strict=True)
        ]
        if self.masks:
            # A pruned weight sees no gradient, so its moments stay 0 and no update ever moves it from 0.
            torch._foreach_mul_([gradients[index] for index in self.masked], self.masks)
        self.update(gradients, rate)
        return losses.detach().sum(1)

    def evaluate(self, part: Part) -> tuple[NDArray, NDArray]:
        with self.in_stream():
            members, device = self.networks.members, self.recipe.device
            if self.recordings:
                loss, correct = self.recordings.evaluate(part)
            else:
                loss = torch.zeros(members, dtype=torch.float64, device=device)
                correct = torch.zeros(members, dtype=torch.int64, device=device)
                self.add_evaluation(part, loss, correct)
            count = self.images[part].rows.shape[1]
            return loss.cpu().numpy() / count, correct.cpu().numpy() / count

    @torch.no_grad()
    def add_evaluation(self, part: Part, loss: Tensor, correct: Tensor) -> None:
        """Add the sum of the losses on one part of the images to `loss`, how many are right to `correct`: [members]."""
        images, members = self.images[part], self.networks.members
        size = slice_size(self.networks.network, self.recipe.device)
        for shown in torch.split(images.rows, size, dim=1):
            labels = images.labels_at(shown)
            logits = self.networks.logits(images.pixels[shown])
            chosen = logits.gather(2, labels.expand(members, -1).unsqueeze(2)).squeeze(2)
            loss += (logits.logsumexp(2) - chosen).sum(1)
            correct += (logits.argmax(2) == labels).sum(1)

    def parameters(self) -> Arrays:
        arrays = self.networks.weights | self.networks.statistics
        with self.in_stream():
            return {name: values.detach().float().cpu().numpy().copy(order="C") for name, values in arrays.items()}

    @torch.no_grad()
    def load(self, parameters: Arrays) -> None:
        with self.in_stream():
            for name, values in (self.networks.weights | self.networks.statistics).items():
                values.copy_(torch.tensor(parameters[name]))

    def state(self) -> Arrays:
        with self.in_stream():
            return {name: values.detach().cpu().numpy() for name, values in self.changing()}

    @torch.no_grad()
    def restore(self, state: Arrays) -> None:
        with self.in_stream():
            for name, values in self.changing():
                values.copy_(torch.from_numpy(state[name]))

    def changing(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that change in training, by name. Dropout is seeded anew for each stretch."""
        yield from (self.networks.weights | self.networks.statistics).items()
        for kind, tensors in self.update.state.items():
            yield from ((f"{kind}.{number}", values) for number, values in enumerate(tensors))


class Recordings:
    """What an engine does on a GPU again and again, recorded: some updates after one another, and evaluations.

    A stretch of updates is put into memory of its own, from which recorded updates take what is next.
    """

    AT_ONCE = 10
    """Updates of the longer of two recordings: the GPU waits a little between recordings."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        members, recipe = engine.networks.members, engine.recipe
        whole = partial(torch.zeros, device=recipe.device)
        self.indices = whole(members, recipe.validation_every, recipe.batch_size, dtype=torch.int64)
        self.rates = whole(recipe.validation_every, dtype=torch.float32)
        self.views = whole(*self.indices.shape, 3, dtype=torch.uint8) if recipe.augmentation != "none" else None
        self.next = whole(1, dtype=torch.int64)
        self.total = whole(members, dtype=torch.float64)
        self.sums = whole(members, dtype=torch.float64), whole(members, dtype=torch.int64)
        noise = engine.noise if recipe.dropout else []
        record = partial(Recorded, pool=torch.cuda.graph_pool_handle())
        self.one = record(self.next_update, generators=noise)
        self.several = record(self.next_updates, generators=noise, warm_up=0)
        self.evaluations = {
            part: record(partial(engine.add_evaluation, part, *self.sums), generators=[], warm_up=1)
            for part in engine.images
        }

    def advance(self, indices: Tensor, rates: Tensor, views: Tensor | None, total: Tensor) -> None:
        """Make the updates of a stretch and add the sums of their losses to `total`.

        indices: int64 [members, updates, images]; rates: float32 [updates]; views: uint8 [..., 3]; total: [members].
        """
        length = self.indices.shape[1]
        self.total.zero_()
        for first in range(0, indices.shape[1], length):
            part = slice(first, first + length)
            updates = indices[:, part].shape[1]
            self.indices[:, :updates].copy_(indices[:, part])
            self.rates[:updates].copy_(rates[part])
            if self.views is not None and views is not None:
                self.views[:, :updates].copy_(views[:, part])
            self.next.zero_()
            while updates:
                several = updates >= self.AT_ONCE and self.one.left_to_warm_up <= 0
                (self.several if several else self.one)()
                updates -= self.AT_ONCE if several else 1
        total += self.total

    def next_updates(self) -> None:
        for _ in range(self.AT_ONCE):
            self.next_update()

    def next_update(self) -> None:
        batch, rate = self.indices.index_select(1, self.next)[:, 0], self.rates.index_select(0, self.next)[0]
        views = None if self.views is None else self.views.index_select(1, self.next)[:, 0]
        self.total += self.engine.one_update(batch, rate, views)
        self.next += 1

    def evaluate(self, part: Part) -> tuple[Tensor, Tensor]:
        """Sums of the losses on one part of the images, and how many are right: [members]."""
        for each in self.sums:
            each.zero_()
        self.evaluations[part]()
        return self.sums
