"""What the `torch` engine's networks make of images: the forward pass of all members side by side."""

from collections.abc import Iterable, Mapping

import torch
from numpy.typing import NDArray
from torch import Generator, Tensor
from torch.nn import functional

from lottery.networks import Layer, Network, Normalization, Residual, Step
from lottery.settings import Training

RECORDED = 0.1
"""Share of a batch in the running mean and variance, torch's default; torch's small constant is 1e-5 as well."""


def channels_last(values: Tensor) -> Tensor:
    """Kernels of convolutions, [members, outputs, inputs, k, k], with `inputs` innermost in memory: half the time of a
    CPU, and what the tensor cores of a GPU read. Other arrays as they are.
    """
    return values.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3) if values.ndim == 5 else values


class TorchNetwork:
    """Parameters of the members, and what they make of images.

    Rows of numbers are [members, numbers, images], images [images, members * channels, height, width]: the members'
    channels lie beside one another, and convolutions have a group of channels for each member.
    """

    def __init__(
        self, network: Network, start: Mapping[str, NDArray], recipe: Training, moments: tuple[Tensor, Tensor]
    ) -> None:
        """start: float32 [members, *shape] of every parameter and running statistic; moments: mean and standard
        deviation [inputs] of `bytes / 255` that standardised images are scaled by.
        """
        self.network, self.recipe = network, recipe
        self.dtype = getattr(torch, recipe.precision)
        self.mean, self.deviation = (each.to(self.dtype) for each in moments)
        self.members = len(next(iter(start.values())))
        arrays = {name: self.resident(values) for name, values in start.items()}
        self.statistics = {name: arrays.pop(name) for name in network.statistics}
        self.weights = {name: values.requires_grad_() for name, values in arrays.items()}

    def resident(self, values: NDArray) -> Tensor:
        """An array of the members on the recipe's device."""
        return channels_last(torch.tensor(values, dtype=self.dtype, device=self.recipe.device))

    def logits(self, pixels: Tensor, noise: list[Generator] | None = None) -> Tensor:
        """Outputs [members, images, classes] before the softmax.

        pixels: uint8 [members, images, inputs], or [1, images, inputs] where all members see the same; noise: the
        members' generators of dropout while training, None in evaluation.
        """
        values = self.scaled(pixels).expand(self.members, -1, -1)
        if len(self.network.image_shape) == 3:
            values = values.view(*values.shape[:2], *self.network.image_shape).transpose(0, 1).flatten(1, 2)
            values = values.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.recipe.device, torch.bfloat16, enabled=self.recipe.autocast):
            return self.through(self.network.steps, values, noise).transpose(1, 2).to(self.dtype)

    def scaled(self, pixels: Tensor) -> Tensor:
        """What networks see of images, as the recipe says."""
        values, scaling = pixels.to(self.dtype), self.recipe.input_scaling
        if scaling == "bytes":
            return values
        if scaling == "image-norm":
            norm = values.norm(dim=2, keepdim=True)
            return values.div_(torch.where(norm == 0, 1, norm))
        if scaling == "image-standardised":
            values.sub_(values.mean(dim=2, keepdim=True))
            deviation = values.square().mean(dim=2, keepdim=True).sqrt_()
            return values.div_(deviation.clamp_(min=values.shape[2] ** -0.5))
        values.div_(255)
        if scaling == "standardised":
            values.sub_(self.mean).div_(self.deviation)
        return values

    def through(self, steps: Iterable[Step], values: Tensor, noise: list[Generator] | None) -> Tensor:
        """What is left of `values` after these steps."""
        for step in steps:
            match step:
                case Layer():
                    values = self.layer(step, values)
                case Normalization():
                    values = self.normalized(step, values, training=noise is not None)
                case Residual():
                    values = self.through(step.body, values, noise) + self.through(step.shortcut, values, noise)
                case "relu":
                    values = functional.relu(values)
                case "max-pool":
                    values = functional.max_pool2d(values, 2)
                case "average-pool":
                    values = values.mean((2, 3), keepdim=True)
                case "flatten" if values.ndim == 4:
                    values = values.reshape(len(values), self.members, -1).permute(1, 2, 0)
                case "flatten":
                    values = values.transpose(1, 2)
                case "dropout" if noise and self.recipe.dropout:
                    values = values * self.kept(values, noise)
        return values

    def layer(self, layer: Layer, values: Tensor) -> Tensor:
        weight, bias = self.weights[layer.weight_name], self.weights.get(layer.bias_name)
        if layer.kernel:
            return functional.conv2d(
                values,
                weight.flatten(0, 1),
                None if bias is None else bias.flatten(),
                stride=layer.stride,
                padding=layer.kernel // 2,
                groups=self.members,
            )
        return torch.bmm(weight, values) if bias is None else torch.baddbmm(bias.unsqueeze(2), weight, values)

    def normalized(self, step: Normalization, values: Tensor, *, training: bool) -> Tensor:
        """Channels normalised; training records their mean and variance."""
        mean, variance = (self.statistics[name].flatten() for name in step.statistics)
        weight, bias = (self.weights[f"{step.name}.{name}"].flatten() for name in ("weight", "bias"))
        return functional.batch_norm(values, mean, variance, weight, bias, training, RECORDED)

    def kept(self, values: Tensor, noise: list[Generator]) -> Tensor:
        """0 for what a member's dropout takes, else 1 / (1 - rate)."""
        rate = self.recipe.dropout
        drawn = [torch.rand(values.shape[1:], generator=each, device=values.device) for each in noise]
        return (torch.stack(drawn) >= rate).to(values.dtype) / (1 - rate)
