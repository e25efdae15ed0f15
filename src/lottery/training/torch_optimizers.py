"""Update rules of the `torch` engine.

They call PyTorch's fused kernels themselves: the classes of torch.optim import the compiler with them, which takes
longer than a short training. A test compares them with those classes. Weight decay is added to the gradient, as there.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lottery.settings import Training
from lottery.training.own_kernels import own_kernels


class Adam:
    """Adam with the usual constants (0.9, 0.999, 1e-8), in one pass over the weights.

    On a GPU, arrays of LARGE size are taken one by one; their masks are applied here.
    """

    LARGE = 2**20

    def __init__(self, weights: list[Tensor], recipe: Training, masks: Sequence[Tensor | None]) -> None:
        """masks: 0 or 1 [*shape] for each array, None where nothing is pruned."""
        self.weights = weights
        self.weight_decay = recipe.weight_decay
        self.large = [place for place, weight in enumerate(weights) if weight.numel() >= self.LARGE]
        if not own_kernels(recipe):
            self.large = []
        self.others = [place for place in range(len(weights)) if place not in self.large]
        self.masks = {place: mask.to(torch.uint8) for place in self.large if (mask := masks[place]) is not None}
        self.first = [torch.zeros_like(weight) for weight in weights]
        self.second = [torch.zeros_like(weight) for weight in weights]
        self.steps = torch.zeros((), device=weights[0].device)
        self.state = {"first": self.first, "second": self.second, "steps": [self.steps]}

    @torch.no_grad()
    def __call__(self, gradients: list[Tensor], rate: float | Tensor) -> None:
        self.steps += 1
        for place in self.large:
            from lottery.training.masked_adam import masked_adam

            assert isinstance(rate, Tensor)
            moments = self.first[place], self.second[place]
            arrays = self.weights[place], gradients[place], self.masks.get(place), *moments
            masked_adam(*arrays, self.steps, rate, self.weight_decay)
        weights, gradients, first, second = (
            [arrays[place] for place in self.others] for arrays in (self.weights, gradients, self.first, self.second)
        )
        torch._fused_adam_(
            weights,
            gradients,
            first,
            second,
            [],
            [self.steps] * len(weights),
            lr=rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=self.weight_decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )


class Momentum:
    """Stochastic gradient descent, with momentum unless it is 0, in one pass over the weights."""

    def __init__(self, weights: list[Tensor], recipe: Training, masks: Sequence[Tensor | None]) -> None:  # noqa: ARG002
        self.weights = weights
        self.masks: dict[int, Tensor] = {}
        self.weight_decay = recipe.weight_decay
        self.momentum = recipe.momentum
        self.velocity = [torch.zeros_like(weight) for weight in weights] if self.momentum else []
        self.state = {"velocity": self.velocity}

    @torch.no_grad()
    def __call__(self, gradients: list[Tensor], rate: float | Tensor) -> None:
        torch._fused_sgd_(
            self.weights,
            gradients,
            self.velocity,
            lr=rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            dampening=0.0,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )
