"""Update rules of the `torch` engine.

They call PyTorch's fused kernels themselves: the classes of torch.optim import the compiler with them, which takes
longer than a short training. A test compares them with those classes. Weight decay is added to the gradient, as there.
"""

import torch
from torch import Tensor

from lottery.settings import Training


class Adam:
    """Adam with the usual constants (0.9, 0.999, 1e-8), in one pass over the weights."""

    def __init__(self, weights: list[Tensor], recipe: Training) -> None:
        self.weights = weights
        self.weight_decay = recipe.weight_decay
        self.first = [torch.zeros_like(weight) for weight in weights]
        self.second = [torch.zeros_like(weight) for weight in weights]
        self.steps = torch.zeros((), device=weights[0].device)
        self.state = {"first": self.first, "second": self.second, "steps": [self.steps]}

    @torch.no_grad()
    def __call__(self, gradients: list[Tensor], rate: float | Tensor) -> None:
        self.steps += 1
        torch._fused_adam_(
            self.weights,
            gradients,
            self.first,
            self.second,
            [],
            [self.steps] * len(self.weights),
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

    def __init__(self, weights: list[Tensor], recipe: Training) -> None:
        self.weights = weights
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
