"""The formats that a network of a run can be written in."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lottery.arrays import Arrays, write_arrays, write_bytes
from lottery.datasets.images import Split
from lottery.errors import LotteryError
from lottery.tickets.compact_file import CompactDescription, CompactTicket, read_compact, write_compact
from lottery.tickets.compaction import compact
from lottery.tickets.file import TicketFile, write_ticket
from lottery.tickets.steps import as_data


@dataclass(frozen=True)
class Order:
    """What is to be written: where, whether weights are halved to float16, and what gives the images to measure on."""

    path: Path
    half: bool
    images: Callable[[], Split]


def write(ticket: TicketFile, form: str, order: Order) -> float:
    """Write a ticket in a format, a row of FORMATS; the test accuracy of what is written.

    Raises LotteryError where weights of that format cannot be halved.
    """
    if order.half and form not in ("csr", "compact"):
        raise LotteryError(f"--half is for the formats csr and compact, not for {form}")
    measured = FORMATS[form](ticket, order)
    return ticket.description.test_accuracy if measured is None else measured


def write_whole(ticket: TicketFile, order: Order) -> None:
    """A ticket, with all that it can be trained again from."""
    write_ticket(order.path, ticket)


def write_state_dict(ticket: TicketFile, order: Order) -> None:
    """The weights alone, float32, by the names that a PyTorch module with these layers has for them."""
    write_arrays(order.path, ticket.weights, {"format": "pt", "ticket": ticket.description.model_dump_json()})


def write_csr(ticket: TicketFile, order: Order) -> None:
    """Each layer's weights as SciPy and PyTorch have compressed sparse rows, indices in as few bytes as hold them.

    `<name>.crow_indices`, `<name>.col_indices`, `<name>.values`; a convolution [outputs, inputs, k, k] as a matrix
    [outputs, inputs * k * k]. All else as it is.
    """
    arrays: Arrays = {}
    for name, values in ticket.weights.items():
        if name not in ticket.mask:
            arrays[name] = values
            continue
        matrix = values.reshape(len(values), -1)
        row, column = np.nonzero(matrix)
        ends = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(matrix)))])
        arrays[f"{name}.crow_indices"] = ends.astype(np.min_scalar_type(len(row)))
        arrays[f"{name}.col_indices"] = column.astype(np.min_scalar_type(matrix.shape[1] - 1))
        arrays[f"{name}.values"] = halved(name, matrix[row, column]) if order.half else matrix[row, column]
    write_arrays(order.path, arrays, {"format": "csr", "ticket": ticket.description.model_dump_json()})


def halved(name: str, values: np.ndarray) -> np.ndarray:
    """Numbers as float16. Raises LotteryError for those that it cannot hold."""
    with np.errstate(over="ignore"):
        found = values.astype(np.float16)
    if not np.isfinite(found).all():
        raise LotteryError(f"{name} holds weights too large for float16; leave out --half")
    return found


def write_onnx(ticket: TicketFile, order: Order) -> None:
    """The network as it is, zeros and all, as an ONNX model."""
    from lottery.tickets.onnx_graph import model_of

    told = ticket.description
    model = model_of(
        ticket.network.steps,
        ticket.network.image_shape,
        tuple(told.image_shape),
        told.training.input_scaling,
        ticket.moments,
        ticket.weights,
        {"ticket": told.model_dump_json()},
    )
    write_bytes(order.path, model)


def write_compact_onnx(ticket: TicketFile, order: Order) -> None:
    """The smaller network as an ONNX model."""
    from lottery.tickets.onnx_graph import model_of

    told = ticket.description
    made = compact(ticket.network, ticket.weights, told.training.input_scaling, ticket.moments)
    texts = {"ticket": told.model_dump_json()}
    shape = tuple(told.image_shape)
    write_bytes(order.path, model_of(made.steps, made.seen, shape, made.scaling, made.moments, made.arrays, texts))


def compact_ticket(ticket: TicketFile) -> CompactTicket:
    """A ticket made smaller, in memory, its accuracy not yet measured."""
    told = ticket.description
    made = compact(ticket.network, ticket.weights, told.training.input_scaling, ticket.moments)
    description = CompactDescription(
        network=told.network,
        steps=as_data(made.steps),
        seen=list(made.seen),
        image_shape=told.image_shape,
        class_names=told.class_names,
        scaling=made.scaling,
        dataset=told.dataset,
        seed=told.seed,
        test_images=told.training.test_images,
        test_accuracy=None,
        ticket_accuracy=told.test_accuracy,
        weights=sum(int(kept.sum()) for kept in ticket.mask.values()),
        source=f"{told.run}: {told.experiment}/{told.arm}/level{told.level}, replicate {told.replicate},"
        f" draw {told.draw}, {told.moment} weights",
    )
    return CompactTicket(description, made.arrays, made.moments)


def write_compacted(ticket: TicketFile, order: Order) -> float:
    """The smaller network in few bytes, for use alone; its accuracy is measured from the file and told in it."""
    small = compact_ticket(ticket)
    write_compact(order.path, small, half=order.half)
    written = read_compact(order.path)
    test = order.images().test
    shape = (-1, *small.image_shape)
    accuracy = float((written.predict(test.pixels.reshape(shape)) == test.labels).mean())
    small.description = replace(small.description, test_accuracy=accuracy)
    write_compact(order.path, small, half=order.half)
    return accuracy


FORMATS: dict[str, Callable[[TicketFile, Order], float | None]] = {
    "ticket": write_whole,
    "pytorch": write_state_dict,
    "onnx": write_onnx,
    "onnx-compact": write_compact_onnx,
    "csr": write_csr,
    "compact": write_compacted,
}
"""From a ticket and an order to a file, and the accuracy of this where it may differ from the ticket's."""
