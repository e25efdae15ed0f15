"""Every network as one would write it in PyTorch: the yardstick's models, which know nothing of `lottery.networks`.

Tests compare the engines with them. Their arrays come in the order of those of `lottery.networks`.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

CONVOLUTIONS = {"conv-2": [64], "conv-4": [64, 128], "conv-6": [64, 128, 256]}
"""Channels of each pair of convolutions (paper, Fig. 2)."""

LAST_GROUPS = {"vgg-16": 3, "vgg-19": 4}
"""Convolutions in each of the last three groups of VGG (paper, App. I)."""

BLOCKS = {"resnet-8": 1, "resnet-20": 3}
"""Blocks of each of the three widths of a residual network."""


def plain_network(name: str, image_shape: tuple[int, int, int], classes: int = 10) -> nn.Module:
    """The module of this name for images [images, channels, height, width]; its outputs are [images, classes]."""
    if name in CONVOLUTIONS:
        return convolutional(CONVOLUTIONS[name], image_shape, classes)
    if name in LAST_GROUPS:
        return vgg(LAST_GROUPS[name], image_shape[0], classes)
    if name in BLOCKS:
        return residual(BLOCKS[name], image_shape[0], classes)
    return lenet([int(width) for width in name.split("-")[1:]], math.prod(image_shape), classes)


def lenet(hidden: Sequence[int], inputs: int, classes: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, classes))


def convolutional(groups: Sequence[int], image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    channels, height, width = image_shape
    layers: list[nn.Module] = []
    for outputs in groups:
        for inputs in (channels, outputs):
            layers += [nn.Conv2d(inputs, outputs, 3, padding="same"), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        channels, height, width = outputs, height // 2, width // 2
    layers += [nn.Flatten(), nn.Linear(channels * height * width, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(256, classes))


class Block(nn.Module):
    """A block of He et al.'s residual network."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, values: Tensor) -> Tensor:
        within = self.bn2(self.conv2(self.bn1(self.conv1(values)).relu()))
        return (within + self.shortcut(values)).relu()


def residual(count: int, channels: int, classes: int) -> nn.Module:
    """count: blocks of each of the three widths."""
    widths = [16] + [16] * count + [32] * count + [64] * count
    blocks = [Block(inputs, outputs, 2 if inputs != outputs else 1) for inputs, outputs in pairwise(widths)]
    stem = [nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, classes))


def vgg(last_groups: int, channels: int, classes: int, narrower: int = 1) -> nn.Module:
    """narrower: by how much the widths are divided."""
    layers: list[nn.Module] = []
    for full_width, count in [(64, 2), (128, 2), (256, last_groups), (512, last_groups), (512, last_groups)]:
        width = full_width // narrower
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    layers[-1] = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, classes))


def arrays_of(model: nn.Module) -> list[Tensor]:
    """Parameters and running statistics."""
    return [values for name, values in model.state_dict().items() if "num_batches" not in name]
