"""Bias, 2 x 2 max-pooling and rectification of a convolution's outputs on a GPU, in one pass over them each way.

As PyTorch's own kernels these are six passes, and take as long as the convolution.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
"""Numbers of one program."""


@triton.jit
def places(block, columns, CHANNELS: tl.constexpr, POOLED: tl.constexpr, BLOCK: tl.constexpr):
    """Where outputs of a block lie, their channels, and the first of the inputs that each is made of.

    columns: those of the outputs.
    """
    place = block * BLOCK + tl.arange(0, BLOCK)
    channel = place % CHANNELS
    if POOLED:
        pixel = place // CHANNELS
        column, line = pixel % columns, pixel // columns
        first = (2 * line * 2 * columns + 2 * column) * CHANNELS + channel
    else:
        first = place
    return place, channel, first


@triton.jit
def forward(inputs, biases, outputs, size, columns, CHANNELS: tl.constexpr, POOLED: tl.constexpr, BLOCK: tl.constexpr):
    place, channel, first = places(tl.program_id(0), columns, CHANNELS, POOLED, BLOCK)
    inside = place < size
    most = tl.load(inputs + first, mask=inside, other=0.0).to(tl.float32)
    if POOLED:
        line = 2 * columns * CHANNELS
        for step in tl.static_range(1, 4):
            other = first + (step % 2) * CHANNELS + (step // 2) * line
            value = tl.load(inputs + other, mask=inside, other=0.0).to(tl.float32)
            most = tl.where((value > most) | (value != value), value, most)
    most += tl.load(biases + channel, mask=inside, other=0.0)
    most = tl.where(most < 0.0, 0.0, most)
    tl.store(outputs + place, most.to(outputs.dtype.element_ty), mask=inside)


@triton.jit
def backward(
    inputs,
    outputs,
    gradients,
    to_inputs,
    to_biases,
    size,
    columns,
    CHANNELS: tl.constexpr,
    POOLED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The gradient of each output goes to the first of its largest inputs; the sums of a block's go to `to_biases`."""
    place, _, first = places(tl.program_id(0), columns, CHANNELS, POOLED, BLOCK)
    inside = place < size
    seen = tl.load(outputs + place, mask=inside, other=0.0).to(tl.float32)
    gradient = tl.load(gradients + place, mask=inside, other=0.0).to(tl.float32)
    gradient = tl.where(seen > 0.0, gradient, 0.0)
    kind = to_inputs.dtype.element_ty
    if POOLED:
        line = 2 * columns * CHANNELS
        most = tl.load(inputs + first, mask=inside, other=0.0).to(tl.float32)
        which = tl.zeros([BLOCK], tl.int32)
        for step in tl.static_range(1, 4):
            other = first + (step % 2) * CHANNELS + (step // 2) * line
            value = tl.load(inputs + other, mask=inside, other=0.0).to(tl.float32)
            which = tl.where(value > most, step, which)
            most = tl.where(value > most, value, most)
        for step in tl.static_range(4):
            other = first + (step % 2) * CHANNELS + (step // 2) * line
            tl.store(to_inputs + other, tl.where(which == step, gradient, 0.0).to(kind), mask=inside)
    else:
        tl.store(to_inputs + first, gradient.to(kind), mask=inside)
    sums = tl.sum(tl.reshape(gradient, [BLOCK // CHANNELS, CHANNELS]), axis=0)
    tl.store(to_biases + tl.program_id(0) * CHANNELS + tl.arange(0, CHANNELS), sums)


class Rectified(torch.autograd.Function):
    """inputs: [images, channels, height, width], channels innermost in memory; biases: float32 [channels]."""

    @staticmethod
    def forward(context: Any, inputs: Tensor, biases: Tensor, pooled: bool) -> Tensor:
        images, channels, height, width = inputs.shape
        size = (images, channels, height // 2, width // 2) if pooled else inputs.shape
        outputs = torch.empty(size, dtype=inputs.dtype, device=inputs.device, memory_format=torch.channels_last)
        arguments = (outputs.numel(), size[3], channels, pooled, BLOCK)
        forward[(triton.cdiv(outputs.numel(), BLOCK),)](inputs, biases, outputs, *arguments)
        context.save_for_backward(inputs if pooled else None, outputs)
        context.arguments, context.shape = arguments, inputs.shape
        return outputs

    @staticmethod
    def backward(context: Any, gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        inputs, outputs = context.saved_tensors
        gradients = gradients.contiguous(memory_format=torch.channels_last)
        to_inputs = torch.empty(
            context.shape, dtype=gradients.dtype, device=gradients.device, memory_format=torch.channels_last
        )
        blocks, channels = triton.cdiv(outputs.numel(), BLOCK), context.shape[1]
        to_biases = torch.empty(blocks, channels, device=gradients.device)
        given = outputs if inputs is None else inputs
        backward[(blocks,)](given, outputs, gradients, to_inputs, to_biases, *context.arguments)
        return to_inputs, to_biases.sum(0), None


def can_be_rectified(channels: int, height: int, width: int, *, pooled: bool) -> bool:
    """Whether outputs of so many channels and this size can be taken here."""
    return channels & (channels - 1) == 0 and channels <= BLOCK and not (pooled and (height % 2 or width % 2))


def rectified(inputs: Tensor, biases: Tensor, *, pooled: bool) -> Tensor:
    """`relu(max_pool2d(inputs, 2) + biases)`, or without the pooling."""
    inputs = inputs.contiguous(memory_format=torch.channels_last)
    return Rectified.apply(inputs, biases, pooled)
