"""A ticket as a PyTorch module whose arrays are named as in the ticket."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

from lottery.networks import Layer, Normalization, Residual
from lottery.tickets.steps import SMALL, CompactStep, Select


class Masked(nn.Module):
    """A parametrization that keeps pruned weights at 0."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, weight: Tensor) -> Tensor:
        return weight * self.mask


class Scaling(nn.Module):
    """From `bytes / 255` to what the network sees, as the recipe's `input_scaling` says; without parameters."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, scaling: str, moments: tuple[NDArray, NDArray] | None) -> None:
        """moments: mean and standard deviation [numbers of an image] of standardised images."""
        super().__init__()
        self.scaling = scaling
        if moments:
            for name, values in zip(("mean", "deviation"), moments, strict=True):
                self.register_buffer(name, torch.tensor(values), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        if self.scaling == "unit":
            return images
        values = images.flatten(1)
        match self.scaling:
            case "bytes":
                values = values * 255
            case "standardised":
                values = (values - self.mean) / self.deviation
            case "image-norm":
                norm = values.norm(dim=1, keepdim=True)
                values = values / torch.where(norm == 0, 1, norm)
            case "image-standardised":
                values = values * 255
                values = values - values.mean(dim=1, keepdim=True)
                deviation = values.square().mean(dim=1, keepdim=True).sqrt()
                values = values / deviation.clamp(min=values.shape[1] ** -0.5)
        return values.view(images.shape)


class Selected(nn.Module):
    """Of rows of numbers, those at `places`."""

    places: Tensor

    def __init__(self, places: Tensor) -> None:
        super().__init__()
        self.register_buffer("places", places, persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        return rows.index_select(1, self.places)


class TicketModule(nn.Module):
    """The steps of a network, from images `bytes / 255`, float32 [images, *image_shape], to outputs before the softmax.

    Its modules have the names of the network's layers, so its state dict has the arrays' names.
    """

    def __init__(
        self,
        steps: Iterable[CompactStep],
        seen: tuple[int, ...],
        scaling: Scaling,
        places: Mapping[str, NDArray],
        dropout: float = 0.0,
    ) -> None:
        """seen: the shape of what the first step receives; places: the arrays of selections."""
        super().__init__()
        self.scaling = scaling
        self.dropout = dropout
        self.steps = tuple(steps)
        self.seen = seen
        self.by_name: dict[str, nn.Module] = {}
        for step in each_step(self.steps):
            made: nn.Module
            match step:
                case Layer() if step.kernel:
                    made = nn.Conv2d(
                        step.inputs, step.outputs, step.kernel, step.stride, step.kernel // 2, bias=step.has_bias
                    )
                case Layer():
                    made = nn.Linear(step.inputs, step.outputs, bias=step.has_bias)
                case Normalization():
                    made = nn.BatchNorm2d(step.channels, eps=SMALL)
                case Select():
                    made = Selected(torch.tensor(places[step.places_name]))
                case _:
                    continue
            add_by_name(self, step.name, made)
            self.by_name[step.name] = made

    def forward(self, images: Tensor) -> Tensor:
        return self.through(self.steps, self.scaling(images).reshape(len(images), *self.seen))

    def through(self, steps: Iterable[CompactStep], values: Tensor) -> Tensor:
        for step in steps:
            match step:
                case Layer() | Normalization() | Select():
                    values = self.by_name[step.name](values)
                case Residual():
                    values = self.through(step.body, values) + self.through(step.shortcut, values)
                case "relu":
                    values = nn.functional.relu(values)
                case "max-pool":
                    values = nn.functional.max_pool2d(values, 2)
                case "average-pool":
                    values = values.mean((2, 3), keepdim=True)
                case "flatten":
                    values = values.flatten(1)
                case "dropout":
                    values = nn.functional.dropout(values, self.dropout, self.training)
        return values


def each_step(steps: Iterable[CompactStep]) -> Iterable[CompactStep]:
    for step in steps:
        if isinstance(step, Residual):
            yield from each_step(step.body)
            yield from each_step(step.shortcut)
        else:
            yield step


def add_by_name(module: nn.Module, name: str, added: nn.Module) -> None:
    """Add a module under a name such as `stage1.block1.conv1`, with empty modules for the parts before the last."""
    *outer, last = name.split(".")
    for part in outer:
        if part not in module._modules:
            module.add_module(part, nn.Module())
        module = module._modules[part]  # type: ignore[assignment]
    module.add_module(last, added)


def to_torch(
    steps: Iterable[CompactStep],
    seen: tuple[int, ...],
    scaling: Scaling,
    arrays: Mapping[str, NDArray],
    mask: Mapping[str, NDArray],
    places: Mapping[str, NDArray],
    dropout: float = 0.0,
) -> TicketModule:
    """The module with these arrays, in evaluation mode; with a mask, its pruned weights stay 0 while it is trained."""
    module = TicketModule(steps, seen, scaling, places, dropout)
    module.load_state_dict({name: torch.tensor(values) for name, values in arrays.items()})
    for name, kept in mask.items():
        layer = module.by_name[name.removesuffix(".weight")]
        parametrize.register_parametrization(layer, "weight", Masked(torch.tensor(kept, dtype=torch.float32)))
    return module.eval()


AT_ONCE = {True: 1_000, False: 50}
"""Images that a module is given at once, by whether they are rows."""


def logits_of(module: TicketModule, rows: NDArray, image_shape: tuple[int, ...], classes: int) -> NDArray:
    """Outputs, float32 [images, classes], of images as rows: uint8, or float32 bytes / 255."""
    found = [np.empty((0, classes), np.float32)]
    size = AT_ONCE[len(module.seen) == 1]
    with torch.no_grad():
        for first in range(0, len(rows), size):
            shown = torch.tensor(rows[first : first + size])
            values = shown.float() / 255 if shown.dtype == torch.uint8 else shown
            found.append(module(values.view(-1, *image_shape)).numpy())
    return np.concatenate(found)
