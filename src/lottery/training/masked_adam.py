"""Adam's update of a large array of weights on a GPU, its mask applied on the way: every number is read once.

PyTorch's fused kernel gives each piece of 65,536 numbers to one of the GPU's processors, of which half then have none
where a network has 4 million weights in one layer, as Conv-2.
"""

import math

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
"""Numbers of one program."""


@triton.jit
def update(
    weights,
    gradients,
    masks,
    first,
    second,
    steps,
    rates,
    decay,
    size,
    MASKED: tl.constexpr,
    BETA1: tl.constexpr,
    BETA2: tl.constexpr,
    LOG_BETA1: tl.constexpr,
    LOG_BETA2: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """A block of the update, in the order of PyTorch's own; sums and powers of one number in float64."""
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = place < size
    step, rate = tl.load(steps).to(tl.float64), tl.load(rates).to(tl.float64)
    length = (rate / (1.0 - tl.exp(step * LOG_BETA1))).to(tl.float32)
    root = tl.sqrt(1.0 - tl.exp(step * LOG_BETA2)).to(tl.float32)
    weight = tl.load(weights + place, mask=inside, other=0.0)
    gradient = tl.load(gradients + place, mask=inside, other=0.0)
    if MASKED:
        gradient = gradient * tl.load(masks + place, mask=inside, other=0).to(tl.float32)
    gradient += decay * weight
    mean = tl.load(first + place, mask=inside, other=0.0) * BETA1 + (1.0 - BETA1) * gradient
    square = tl.load(second + place, mask=inside, other=0.0) * BETA2 + (1.0 - BETA2) * gradient * gradient
    tl.store(first + place, mean, mask=inside)
    tl.store(second + place, square, mask=inside)
    tl.store(weights + place, weight - length * mean / (tl.sqrt(square) / root + 1e-8), mask=inside)


def masked_adam(
    weight: Tensor,
    gradient: Tensor,
    mask: Tensor | None,
    first: Tensor,
    second: Tensor,
    steps: Tensor,
    rate: Tensor,
    decay: float,
) -> None:
    """One update, in place. All arrays are float32 with the same order in memory, the mask uint8; steps: updates made,
    this one among them; rate: the step size; decay: this times each weight is added to its gradient.
    """
    betas = 0.9, 0.999
    update[(triton.cdiv(weight.numel(), BLOCK),)](
        weight,
        gradient,
        gradient if mask is None else mask,
        first,
        second,
        steps,
        rate,
        decay,
        weight.numel(),
        mask is not None,
        *betas,
        *map(math.log, betas),
        BLOCK,
    )
