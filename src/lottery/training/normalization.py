"""The statistics of batch normalisation computed anew, for weights that no training has led to."""

from collections.abc import Mapping

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from lottery.arrays import Arrays, of_member, stack
from lottery.networks import Network, Normalization
from lottery.settings import Training
from lottery.training.torch_engine import TorchImages, moments
from lottery.training.torch_network import TorchNetwork


def with_statistics_anew(
    network: Network, weights: Mapping[str, NDArray], images: TorchImages, recipe: Training
) -> Arrays:
    """The parameters with the means and variances of all channels over these images: of their batches, in order, of the
    recipe's size, the mean of the means and of the unbiased variances, each of what comes of the batch normalised by
    its own; as torch's with `momentum=None`. A last batch that is not full is left out where there is another.

    weights: float32 [*shape] of every parameter of one network; images: rows [1, images].
    """
    moment = moments(images.pixels, network, recipe)
    watched = Watched(network, stack([dict(weights)]), recipe, moment)
    with torch.no_grad():
        for rows in torch.split(images.rows, recipe.batch_size, dim=1):
            if rows.shape[1] == recipe.batch_size or rows.shape[1] == images.rows.shape[1]:
                watched.logits(images.pixels[rows], [])
    found = {name: torch.stack(values).mean(0).float().cpu().numpy()[None] for name, values in watched.seen.items()}
    return dict(weights) | of_member(found, 0)


class Watched(TorchNetwork):
    """A network that notes the means and variances of every batch it sees, and changes nothing."""

    def __init__(
        self, network: Network, start: Mapping[str, NDArray], recipe: Training, moments: tuple[Tensor, Tensor]
    ) -> None:
        super().__init__(network, start, recipe, moments)
        self.seen: dict[str, list[Tensor]] = {name: [] for name in network.statistics}

    def normalized(self, step: Normalization, values: Tensor, *, training: bool) -> Tensor:  # noqa: ARG002
        # Summed in double precision: these are sums over a whole batch.
        variance, mean = torch.var_mean(values.double(), (0, 2, 3))
        for name, batch in zip(step.statistics, (mean, variance), strict=True):
            self.seen[name].append(batch)
        weight, bias = (self.weights[f"{step.name}.{name}"].flatten() for name in ("weight", "bias"))
        return functional.batch_norm(values, None, None, weight, bias, training=True)
