"""The reference engine: PyTorch, dense arrays under a mask, one thread for each member.

Sums run in the same order however many members or threads a job has, so its results are the same bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lottery.arrays import Arrays
from lottery.datasets.images import Images, Split
from lottery.errors import LotteryError
from lottery.networks import Network
from lottery.settings import Training
from lottery.training.loop import Part

PACKAGES = ("torch",)

SLICE = 1_000
"""Images evaluated at once: large enough to be quick, small enough to stay in the cache."""


@dataclass(frozen=True)
class TorchImages:
    """pixels: uint8 [images, inputs]; labels: int64 [images]."""

    pixels: Tensor
    labels: Tensor

    @classmethod
    def of(cls, images: Images, device: str) -> "TorchImages":
        return cls(torch.tensor(images.pixels, device=device), torch.tensor(images.labels, device=device))


def resident(split: Split, recipe: Training) -> dict[Part, TorchImages]:
    """The images as tensors on the recipe's device, made once and shared by all members of a job."""
    if recipe.device == "cuda" and not torch.cuda.is_available():
        raise LotteryError("device: cuda was asked for, but PyTorch finds no GPU here; use device: cpu")
    return {
        "train": TorchImages.of(split.train, recipe.device),
        "validation": TorchImages.of(split.validation, recipe.device),
        "test": TorchImages.of(split.test, recipe.device),
    }


def one_thread() -> None:
    """Let the calling thread compute alone: how sums are split would otherwise depend on the number of cores.

    Numbers below 1.2e-38 count as 0 there: moments of weights that are seldom used fade into them, and x86
    processors are many times slower with such numbers.
    """
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


class Engine:
    """One network in training."""

    def __init__(
        self,
        network: Network,
        start: Mapping[str, NDArray],
        mask: Mapping[str, NDArray] | None,
        images: Mapping[Part, TorchImages],
        recipe: Training,
    ) -> None:
        """start: float32 [*shape] of every parameter; mask: uint8 [*shape] of every weight, None when dense."""
        self.network = network
        self.images = images
        self.dtype = getattr(torch, recipe.precision)
        kind = {"dtype": self.dtype, "device": recipe.device}
        self.weights = {name: torch.tensor(values, **kind).requires_grad_() for name, values in start.items()}
        self.mask = {name: torch.tensor(kept, **kind) for name, kept in (mask or {}).items()}
        self.update = (Adam if recipe.optimizer == "adam" else Momentum)(list(self.weights.values()), recipe)

    def logits(self, pixels: Tensor) -> Tensor:
        """The network's outputs [images, classes] before the softmax, for images of bytes; it sees `bytes / 255`."""
        values = pixels.to(self.dtype).div_(255)
        for layer in self.network.layers:
            values = functional.linear(values, self.weights[layer.weight_name], self.weights[layer.bias_name])
            if layer.role != "output":
                values = functional.relu(values)
        return values

    def advance(self, batches: NDArray) -> float:
        pixels, labels = self.images["train"].pixels, self.images["train"].labels
        total = torch.zeros((), dtype=torch.float64, device=pixels.device)
        for batch in torch.tensor(batches, device=pixels.device):
            logits = self.logits(pixels.index_select(0, batch))
            loss = functional.cross_entropy(logits, labels.index_select(0, batch))
            gradients = torch.autograd.grad(loss, list(self.weights.values()))
            for name, gradient in zip(self.weights, gradients, strict=True):
                if name in self.mask:
                    # A pruned weight sees no gradient, so its moments stay 0 and no update ever moves it from 0.
                    gradient.mul_(self.mask[name])
            self.update(gradients)
            total += loss.detach()
        return float(total) / len(batches)

    @torch.no_grad()
    def evaluate(self, part: Part) -> tuple[float, float]:
        images = self.images[part]
        loss = torch.zeros((), dtype=torch.float64, device=images.labels.device)
        correct = torch.zeros((), dtype=torch.int64, device=images.labels.device)
        for first in range(0, len(images.labels), SLICE):
            labels = images.labels[first : first + SLICE]
            logits = self.logits(images.pixels[first : first + SLICE])
            loss += functional.cross_entropy(logits, labels, reduction="sum")
            correct += (logits.argmax(dim=1) == labels).sum()
        return float(loss) / len(images.labels), int(correct) / len(images.labels)

    def parameters(self) -> Arrays:
        return {name: weight.detach().float().cpu().numpy().copy() for name, weight in self.weights.items()}

    @torch.no_grad()
    def load(self, parameters: Arrays) -> None:
        for name, values in parameters.items():
            self.weights[name].copy_(torch.tensor(values))


# The optimisers call PyTorch's fused kernels themselves: the classes of torch.optim import the compiler with them,
# which takes longer than a short training. A test compares them with those classes.


class Adam:
    """Adam with the usual constants (0.9, 0.999, 1e-8), in one pass over the weights."""

    def __init__(self, weights: list[Tensor], recipe: Training) -> None:
        self.weights = weights
        self.rate = recipe.learning_rate
        self.first = [torch.zeros_like(weight) for weight in weights]
        self.second = [torch.zeros_like(weight) for weight in weights]
        self.steps = [torch.zeros((), device=weight.device) for weight in weights]

    @torch.no_grad()
    def __call__(self, gradients: tuple[Tensor, ...]) -> None:
        for step in self.steps:
            step += 1
        torch._fused_adam_(
            self.weights,
            list(gradients),
            self.first,
            self.second,
            [],
            self.steps,
            lr=self.rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


class Momentum:
    """Stochastic gradient descent, with momentum unless it is 0, in one pass over the weights."""

    def __init__(self, weights: list[Tensor], recipe: Training) -> None:
        self.weights = weights
        self.rate = recipe.learning_rate
        self.momentum = recipe.momentum
        self.velocity = [torch.zeros_like(weight) for weight in weights]

    @torch.no_grad()
    def __call__(self, gradients: tuple[Tensor, ...]) -> None:
        torch._fused_sgd_(
            self.weights,
            list(gradients),
            self.velocity if self.momentum else [],
            lr=self.rate,
            momentum=self.momentum,
            weight_decay=0.0,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )
