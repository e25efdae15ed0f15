"""A ticket in memory, as `lottery.load_ticket` gives it."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike, NDArray

from lottery.tickets.file import Description, TicketFile, read_ticket
from lottery.tickets.images import as_rows

if TYPE_CHECKING:
    from lottery.tickets.torch_module import TicketModule


class Ticket:
    """One network of a run: its mask, its weights, and those that it can be trained from again.

    weights, start: float32 arrays [*shape] of every parameter by name, after training and at the rewind point; mask:
    uint8 [*shape] of every layer's weights, 1 where they are kept. description: where it comes from and how well it
    does. The arrays are read-only.
    """

    def __init__(self, file: TicketFile) -> None:
        self.description: Description = file.description
        self.network = file.network
        self.moments = file.moments
        self.weights, self.mask, self.start = map(read_only, (file.weights, file.mask, file.start))

    @classmethod
    def read(cls, path: Path) -> "Ticket":
        """Raises LotteryError naming the file."""
        return cls(read_ticket(path))

    @property
    def class_names(self) -> list[str]:
        return self.description.class_names

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width) or (channels, height, width) of the images that it takes."""
        return tuple(self.description.image_shape)

    @property
    def weights_remaining(self) -> float:
        """Share of the layers' weights that are kept."""
        return sum(int(kept.sum()) for kept in self.mask.values()) / self.network.weights

    def predict(self, images: ArrayLike) -> NDArray:
        """The class of each image, int64 [images]: a place in `class_names`.

        images: uint8 [images, *image_shape], or floats of that shape from 0 to 1, which are bytes / 255; the input
        scaling that the network was trained with is done here. Raises LotteryError for anything else.
        """
        return self.logits(images).argmax(1)

    def logits(self, images: ArrayLike) -> NDArray:
        """The outputs before the softmax, float32 [images, classes]; images as for `predict`."""
        from lottery.tickets.torch_module import logits_of

        rows = as_rows(images, self.image_shape)
        return logits_of(self._module, rows, self.image_shape, len(self.class_names))

    @cached_property
    def _module(self) -> "TicketModule":
        return self.to_torch(masked=False)

    def to_torch(self, *, masked: bool = True) -> "TicketModule":
        """A `torch.nn.Module` with the trained weights, in evaluation mode.

        It takes images bytes / 255, float32 [images, *image_shape], and gives the outputs before the softmax. masked:
        pruned weights stay 0 while it is trained (`torch.nn.utils.parametrize`).
        """
        from lottery.tickets.torch_module import Scaling, to_torch

        recipe = self.description.training
        return to_torch(
            self.network.steps,
            self.network.image_shape,
            Scaling(recipe.input_scaling, self.moments),
            self.weights,
            self.mask if masked else {},
            {},
            recipe.dropout,
        )


def read_only(arrays: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Views of arrays that cannot be written to."""
    found = {name: values.view() for name, values in arrays.items()}
    for values in found.values():
        values.flags.writeable = False
    return found
