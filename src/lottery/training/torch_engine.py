"""The reference engine: PyTorch, dense arrays under a mask.

On a CPU sums run in the same order however many members or threads a job has, so its results are the same bytes.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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

    pixels: uint8 [all, inputs]; labels: int64 [all]; rows: int64 [members, images], or [1, images] where all members
    see the same.
    """

    pixels: Tensor
    labels: Tensor
    rows: Tensor


def resident(splits: Iterable[Split], recipe: Training) -> list[dict[Part, TorchImages]]:
    """The images of each split as tensors on the recipe's device, made once for all splits."""
    if recipe.device == "cuda":
        if not torch.cuda.is_available():
            raise LotteryError("device: cuda was asked for, but PyTorch finds no GPU here; use device: cpu")
        # By itself PyTorch rounds what convolutions multiply to 10 bits (TF32), which is not what `precision` says.
        torch.backends.cudnn.allow_tf32 = False
        if recipe.deterministic:
            repeat_exactly()
    if recipe.compile and recipe.device == "cpu" and not any(map(shutil.which, COMPILERS)):
        raise LotteryError(f"compile: true needs a C++ compiler ({' or '.join(COMPILERS)}); none is on the PATH")
    tensor = partial(torch.tensor, device=recipe.device)
    return in_form(
        splits,
        lambda images: (tensor(images.pixels), tensor(images.labels)),
        lambda tensors, rows: TorchImages(*tensors, tensor(rows)[None]),
    )


def repeat_exactly() -> None:
    """Let PyTorch use only kernels that give the same bytes every time, in this process."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first matrix product starts
    torch.use_deterministic_algorithms(True)
    # Else every new tensor is filled with NaN before its kernel fills it; nothing here reads what was not written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def together(recipe: Training, network: Network) -> bool:
    """Whether a job's members are trained together.

    A GPU works on all of them in about the time that one takes, most of which is spent starting kernels; one network of
    convolutions fills it alone. On a CPU three together take 0.8 times as long for each, but their products add in an
    order that depends on how many they are, and there a member's bytes must not depend on its companions.
    """
    return recipe.device == "cuda" and network.fully_connected


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


def compiled(losses: Callable[[Tensor, Tensor], Tensor], recipe: Training) -> Callable[[Tensor, Tensor], Tensor]:
    """`torch.compile`; on a GPU as CUDA graphs, which start all kernels of an update at once."""
    if recipe.device == "cpu":
        return torch.compile(losses)
    graphed = torch.compile(losses, mode="reduce-overhead")

    def begin(pixels: Tensor, labels: Tensor) -> Tensor:
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]  # the last update's outputs may be written over
        return graphed(pixels, labels)

    return begin


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
    pixels, labels = images[0].pixels, images[0].labels
    if any(each.pixels is not pixels for each in images):
        raise ValueError("the members' images must be rows of the same tensors")
    rows = torch.cat([each.rows for each in images])
    return TorchImages(pixels, labels, rows[:1] if bool((rows == rows[:1]).all()) else rows)


class Engine:
    """Networks in training side by side, every product one batched product of all members."""

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
        self.images = {part: of_all_members([each[part] for each in images]) for part in images[0]}
        self.networks = TorchNetwork(network, start, recipe, moments(self.images["train"].pixels, network, recipe))
        self.mask = {name: self.networks.resident(kept) for name, kept in (mask or {}).items()}
        self.update = (Adam if recipe.optimizer == "adam" else Momentum)(list(self.networks.weights.values()), recipe)
        self.noise = [torch.Generator(recipe.device) for _ in range(self.networks.members)]
        self.training_losses = compiled(self.losses, recipe) if recipe.compile else self.losses

    def losses(self, pixels: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy [members, images] of images that train, as for `logits`; labels: int64 [members, images]."""
        logits = self.networks.logits(pixels, self.noise)
        return functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)

    def advance(self, stretch: Stretch) -> NDArray:
        images, device = self.images["train"], self.recipe.device
        weights = list(self.networks.weights.values())
        masked = [index for index, name in enumerate(self.networks.weights) if name in self.mask]
        masks = [self.mask[name] for name in self.networks.weights if name in self.mask]
        for generator, seed in zip(self.noise, stretch.noise or [], strict=bool(stretch.noise)):
            generator.manual_seed(seed)
        places = torch.tensor(stretch.batches, device=device)
        indices = images.rows.expand(len(places), -1).gather(1, places.flatten(1)).view_as(places)
        seen = torch.tensor(stretch.views, device=device) if stretch.views is not None else None
        total = torch.zeros(len(indices), dtype=torch.float64, device=device)
        share = torch.full_like(indices[:, 0], 1 / indices.shape[2], dtype=self.networks.dtype)
        for number, rate in enumerate(stretch.rates):
            batch = indices[:, number]
            pixels = images.pixels.index_select(0, batch.flatten())
            if seen is not None:
                pixels = cut_out(pixels.view(-1, *self.networks.network.image_shape), seen[:, number].flatten(0, 1))
            losses = self.training_losses(pixels.reshape(*batch.shape, -1), images.labels[batch])
            gradients = [
                # The fused optimisers take for granted that gradients lie in memory as weights do.
                gradient if gradient.stride() == weight.stride() else torch.empty_like(weight).copy_(gradient)
                for weight, gradient in zip(weights, torch.autograd.grad(losses, weights, share), strict=True)
            ]
            if masks:
                # A pruned weight sees no gradient, so its moments stay 0 and no update ever moves it from 0.
                torch._foreach_mul_([gradients[index] for index in masked], masks)
            self.update(gradients, rate)
            total += losses.detach().sum(1)
        return (total / indices[0].numel()).cpu().numpy()

    @torch.no_grad()
    def evaluate(self, part: Part) -> tuple[NDArray, NDArray]:
        images, members = self.images[part], self.networks.members
        loss = torch.zeros(members, dtype=torch.float64, device=images.labels.device)
        correct = torch.zeros(members, dtype=torch.int64, device=images.labels.device)
        size = slice_size(self.networks.network, self.recipe.device)
        for shown in torch.split(images.rows, size, dim=1):
            labels = images.labels[shown]
            logits = self.networks.logits(images.pixels[shown])
            chosen = logits.gather(2, labels.expand(members, -1).unsqueeze(2)).squeeze(2)
            loss += (logits.logsumexp(2) - chosen).sum(1)
            correct += (logits.argmax(2) == labels).sum(1)
        count = images.rows.shape[1]
        return loss.cpu().numpy() / count, correct.cpu().numpy() / count

    def parameters(self) -> Arrays:
        arrays = self.networks.weights | self.networks.statistics
        return {name: values.detach().float().cpu().numpy().copy(order="C") for name, values in arrays.items()}

    @torch.no_grad()
    def load(self, parameters: Arrays) -> None:
        for name, values in (self.networks.weights | self.networks.statistics).items():
            values.copy_(torch.tensor(parameters[name]))

    def state(self) -> Arrays:
        return {name: values.detach().cpu().numpy() for name, values in self.changing()}

    @torch.no_grad()
    def restore(self, state: Arrays) -> None:
        for name, values in self.changing():
            values.copy_(torch.from_numpy(state[name]))

    def changing(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that change in training, by name. Dropout is seeded anew for each stretch."""
        yield from (self.networks.weights | self.networks.statistics).items()
        for kind, tensors in self.update.state.items():
            yield from ((f"{kind}.{number}", values) for number, values in enumerate(tensors))
