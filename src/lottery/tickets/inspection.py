"""What a ticket's file says of itself, for reading."""

import numpy as np

from lottery.tickets.compact_file import CompactTicket
from lottery.tickets.file import Description, Spread
from lottery.tickets.loading import AnyTicket
from lottery.tickets.steps import kept_multiplications, steps_of
from lottery.tickets.ticket import Ticket


def as_text(ticket: AnyTicket, size: int) -> str:
    """A ticket in some lines, with a table of its layers. size: bytes of its file."""
    return whole_as_text(ticket, size) if isinstance(ticket, Ticket) else compact_as_text(ticket, size)


def compact_as_text(ticket: CompactTicket, size: int) -> str:
    """A compacted ticket in some lines."""
    told = ticket.description
    kept = {name: int(np.count_nonzero(values)) for name, values in ticket.weights.items() if values.ndim > 1}
    products = kept_multiplications(steps_of(told.steps), tuple(told.seen), kept)
    lines = [
        f"{told.network} on {told.dataset}, made smaller: {sum(kept.values()):,} of the ticket's {told.weights:,}"
        f" weights, {size:,} bytes",
        f"from        {told.source}",
        f"images      {' x '.join(map(str, told.image_shape))}; classes: {', '.join(told.class_names)}",
        f"accuracy    test {told.test_accuracy or 0:.2%}; of the ticket {told.ticket_accuracy:.2%}",
        "",
        f"{'layer':32}{'shape':>24}{'weights':>12}{'multiplications':>17}",
    ]
    for name, count in kept.items():
        shape = " x ".join(map(str, ticket.weights[name].shape))
        lines.append(f"{name.removesuffix('.weight'):32}{shape:>24}{count:12,}{products[name]:17,}")
    return "\n".join(lines)


def whole_as_text(ticket: Ticket, size: int) -> str:
    """A ticket in some lines, with a table of its layers."""
    told = ticket.description
    kept = {name: int(mask.sum()) for name, mask in ticket.mask.items()}
    total = sum(kept.values())
    rewound = f"iteration {told.first_iteration}" if told.first_iteration else "the initialisation"
    lines = [
        f"{told.network} on {told.dataset}: {total:,} of {ticket.network.weights:,} weights"
        f" ({total / ticket.network.weights:.1%}), {size:,} bytes",
        f"from        run {told.run}, {told.experiment}, {told.arm}, level {told.level}, replicate {told.replicate},"
        f" draw {told.draw}",
        f"weights     {told.moment} of its training, iteration {told.iteration}; start: {rewound}",
        f"images      {' x '.join(map(str, told.image_shape))}, input scaling {told.training.input_scaling};"
        f" classes: {', '.join(told.class_names)}",
        f"accuracy    test {told.test_accuracy:.2%}, training {told.train_accuracy:.2%}{over(told.test_accuracies)}",
        f"recipe      {in_words(told)}",
        f"made with   engine {told.engine}, " + ", ".join(f"{name} {number}" for name, number in told.versions.items()),
        *(f"data        {name}  sha256 {digest}" for name, digest in told.dataset_sha256.items()),
        *(f"parent      {name}  sha256 {digest}" for name, digest in told.parents.items()),
        "",
        *layers(ticket, kept),
    ]
    return "\n".join(lines)


def over(spread: Spread | None) -> str:
    """Of accuracies over replicates."""
    if not spread:
        return ""
    sd = "" if spread.sd is None else f", sd {spread.sd:.2%}"
    extent = f"{spread.least:.2%} to {spread.most:.2%}"
    return f"; test over {spread.replicates} replicates: mean {spread.mean:.2%}{sd}, {extent}"


def in_words(told: Description) -> str:
    """The recipe's keys that differ from their defaults, and the most important ones."""
    recipe = told.training
    shown = {name: getattr(recipe, name) for name in ("optimizer", "learning_rate", "batch_size", "iterations")}
    shown |= recipe.model_dump(mode="json", exclude_defaults=True)
    return ", ".join(f"{name} {value}" for name, value in shown.items())


def layers(ticket: Ticket, kept: dict[str, int]) -> list[str]:
    """A line for each layer: weights kept, and multiplications for one image."""
    products = kept_multiplications(ticket.network.steps, ticket.network.image_shape, kept)
    lines = [f"{'layer':24}{'kept':>12}{'of':>12}{'share':>9}{'multiplications':>17}"]
    for layer in ticket.network.layers:
        name = layer.weight_name
        share = kept[name] / layer.weights
        lines.append(f"{layer.name:24}{kept[name]:12,}{layer.weights:12,}{share:9.2%}{products[name]:17,}")
    total, dense = sum(products.values()), ticket.network.multiplications
    lines.append(f"{'all':24}{sum(kept.values()):12,}{ticket.network.weights:12,}{'':9}{total:17,} of {dense:,}")
    return lines
