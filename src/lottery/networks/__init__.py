"""Networks: what they are made of (`steps`), whether these fit (`checks`), and the known ones by name (`catalog`)."""

from lottery.networks.catalog import CONVOLUTIONS, NETWORKS, build, fully_connected, known_name, narrowed, normalized
from lottery.networks.checks import check_network
from lottery.networks.steps import GLOROT, Layer, Network, Normalization, Operation, Residual, Step

__all__ = [
    "CONVOLUTIONS",
    "GLOROT",
    "NETWORKS",
    "Layer",
    "Network",
    "Normalization",
    "Operation",
    "Residual",
    "Step",
    "build",
    "check_network",
    "fully_connected",
    "known_name",
    "narrowed",
    "normalized",
]
