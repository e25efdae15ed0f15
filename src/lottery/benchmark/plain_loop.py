"""The yardstick of both benchmarks: the masked training loop that one would write in PyTorch."""

from collections.abc import Mapping

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lottery.arrays import Arrays
from lottery.benchmark.plain_networks import arrays_of, plain_network
from lottery.datasets.batches import MARGIN
from lottery.datasets.images import Chosen, Split
from lottery.settings import Training


class PlainLoop:
    """A module in torch's default memory format, torch.optim's fused optimiser, weights times the mask after each step.

    It is no straw man: images lie on the device as numbers in [0, 1], batches are drawn and augmented there, and
    nothing is read back before the end of a stretch. It knows no schedule and no dropout.
    """

    def __init__(
        self,
        name: str,
        image_shape: tuple[int, int, int],
        start: Arrays,
        mask: Mapping[str, NDArray] | None,
        split: Split,
        recipe: Training,
        evaluated: int,
    ) -> None:
        """start: float32 [*shape] of every array; mask: uint8 [*shape] of every weight, None when dense.

        evaluated: images evaluated at once.
        """
        self.recipe, self.evaluated = recipe, evaluated
        device, dtype = recipe.device, getattr(torch, recipe.precision)
        self.model = plain_network(name, image_shape).to(device, dtype)
        for values, initial in zip(arrays_of(self.model), start.values(), strict=True):
            values.copy_(torch.tensor(initial))
        names = [each for each in start if "running" not in each]
        self.masked = [
            (parameter, torch.tensor(mask[each], dtype=dtype, device=device))
            for parameter, each in zip(self.model.parameters(), names, strict=True)
            if mask and each in mask
        ]
        parameters, rate, decay = self.model.parameters(), recipe.learning_rate, recipe.weight_decay
        self.optimizer: torch.optim.Optimizer
        if recipe.optimizer == "adam":
            self.optimizer = torch.optim.Adam(parameters, rate, weight_decay=decay, fused=True)
        else:
            self.optimizer = torch.optim.SGD(parameters, rate, recipe.momentum, weight_decay=decay, fused=True)

        def resident(images: Chosen) -> tuple[Tensor, Tensor]:
            pixels = torch.tensor(images.pixels, device=device).to(dtype) / 255
            return pixels.view(-1, *image_shape), torch.tensor(images.labels, device=device)

        self.parts = {
            "train": resident(split.train),
            "validation": resident(split.validation),
            "test": resident(split.test),
        }
        self.random = torch.Generator(device).manual_seed(0)

    def train(self, updates: int) -> float:
        """So many updates with batches of its own; the mean loss. Every image comes once before any comes again."""
        count, wanted = len(self.parts["train"][1]), updates * self.recipe.batch_size
        epochs = [
            torch.randperm(count, generator=self.random, device=self.random.device) for _ in range(-(-wanted // count))
        ]
        return self.advance(torch.cat(epochs)[:wanted].view(updates, -1))

    def advance(self, batches: Tensor) -> float:
        """One update with each of the batches, int64 [updates, batch_size], on the device; the mean loss."""
        images, labels = self.parts["train"]
        total = torch.zeros((), dtype=images.dtype, device=images.device)
        self.model.train()
        for batch in batches:
            seen = images[batch]
            if self.recipe.augmentation == "flip-and-crop":
                seen = flip_and_crop(seen, self.random)
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(seen), labels[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            with torch.no_grad():
                for parameter, kept in self.masked:
                    parameter.mul_(kept)
            total += loss.detach()
        return total.item() / len(batches)

    @torch.no_grad()
    def evaluate(self, part: str) -> tuple[float, float]:
        """Mean cross-entropy and accuracy on one part of the images."""
        images, labels = self.parts[part]
        loss, correct = torch.zeros((), device=images.device), torch.zeros((), device=images.device)
        self.model.eval()
        for seen, expected in zip(*(torch.split(each, self.evaluated) for each in (images, labels)), strict=True):
            logits = self.model(seen)
            loss += nn.functional.cross_entropy(logits, expected, reduction="sum")
            correct += (logits.argmax(1) == expected).sum()
        return loss.item() / len(labels), correct.item() / len(labels)


def flip_and_crop(images: Tensor, random: torch.Generator) -> Tensor:
    """Half of the images mirrored, and of each a part of its own size cut out of it with a margin of zeros.

    images: [images, channels, height, width].
    """
    count, channels, height, width = images.shape
    device = images.device
    mirrored = torch.rand(count, 1, 1, 1, generator=random, device=device) < 0.5
    padded = nn.functional.pad(torch.where(mirrored, images.flip(3), images), (MARGIN,) * 4)
    top, left = torch.randint(2 * MARGIN + 1, (2, count, 1), generator=random, device=device)
    rows, columns = top + torch.arange(height, device=device), left + torch.arange(width, device=device)
    place = torch.arange(count, device=device)[:, None, None, None]
    channel = torch.arange(channels, device=device)[:, None, None]
    return padded[place, channel, rows[:, None, :, None], columns[:, None, None, :]]
