"""Networks made smaller without a change of what they compute.

Batch normalisation is folded into the convolution before it. A unit (or channel) whose weights to all that follows are
gone is dropped; so is one that is the same for every image, and its number goes into the biases that follow. What is
dropped leaves other units without outputs, and so on, until nothing changes. Of the numbers that a dense layer is
given, those that it never reads are not picked up. Sums are made in float64 and written as float32, so outputs differ
by rounding.

A constant channel that is not 0 stays where a padded convolution follows, since it is 0 in the margin: a bias cannot
stand for it. Several such channels become one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.networks import Layer, Network, Normalization, Residual
from lottery.networks.steps import Step
from lottery.tickets.steps import SMALL, CompactStep, Select

Moments = tuple[NDArray, NDArray]
"""Mean and standard deviation [numbers of an image]."""


@dataclass(frozen=True)
class Compact:
    """A compacted network.

    steps: its layers, narrower, and selections; seen: the shape that the first step receives; arrays: float32 by name,
    and the places of selections, int64; left: units (channels) that each layer of the network still makes, by name;
    scaling: the input scaling that is left to be done, and moments, where it needs them.
    """

    steps: tuple[CompactStep, ...]
    seen: tuple[int, ...]
    arrays: Arrays
    left: dict[str, int]
    scaling: str
    moments: Moments | None


def compact(
    network: Network, weights: Mapping[str, NDArray], scaling: str = "unit", moments: Moments | None = None
) -> Compact:
    """The network with these weights, float32 [*shape] by name, made smaller.

    scaling: the recipe's input scaling; moments: of standardised images. A fully connected network takes it into its
    first layer, where it is the same for all images.
    """
    arrays = {name: values.astype(np.float64) for name, values in weights.items()}
    steps = folded(network.steps, arrays)
    if network.fully_connected and scaling in ("bytes", "standardised"):
        first = network.layers[0]
        weight = arrays[first.weight_name]
        mean, deviation = (each.astype(np.float64) for each in moments or (np.zeros(1), np.full(1, 1 / 255)))
        arrays[first.weight_name] = weight / deviation
        arrays[first.bias_name] -= weight @ np.broadcast_to(mean / deviation, first.inputs)
        scaling, moments = "unit", None
    graph = Graph(arrays, steps, network.image_shape[0])
    while graph.drop() or graph.merge():
        pass
    made: Arrays = {}
    narrow = graph.narrowed(steps, made)
    left = {layer.name: len(made[layer.weight_name]) for layer in network.layers}
    picked = tuple(picking(narrow, made))
    found = {name: values if name.endswith(".places") else values.astype(np.float32) for name, values in made.items()}
    return Compact(picked, network.image_shape, found, left, scaling, moments)


def folded(steps: Iterable[Step], arrays: Arrays) -> tuple[Step, ...]:
    """Steps without dropout, and without normalisations that follow a layer, whose arrays are changed."""
    made: list[Step] = []
    for step in steps:
        before = made[-1] if made else None
        if step == "dropout":
            continue
        if isinstance(step, Residual):
            made.append(Residual(folded(step.body, arrays), folded(step.shortcut, arrays)))
        elif isinstance(step, Normalization) and isinstance(before, Layer) and before.outputs == step.channels:
            factor, offset = affine(step, arrays)
            weight = arrays[before.weight_name]
            arrays[before.weight_name] = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
            arrays[before.bias_name] = factor * arrays.get(before.bias_name, np.zeros(before.outputs)) + offset
            made[-1] = replace(before, has_bias=True)
        else:
            made.append(step)
    return tuple(made)


def affine(step: Normalization, arrays: Mapping[str, NDArray]) -> tuple[NDArray, NDArray]:
    """Factor and offset [channels] of a normalisation in evaluation."""
    mean, variance = (arrays[name] for name in step.statistics)
    factor = arrays[f"{step.name}.weight"] / np.sqrt(variance + SMALL)
    return factor, arrays[f"{step.name}.bias"] - mean * factor


@dataclass(frozen=True)
class Tensor:
    """What goes from one step to the next: the group of its units, and its number among all tensors."""

    group: "Group"
    number: int


@dataclass(frozen=True)
class Reader:
    """A layer that reads a tensor."""

    layer: Layer
    tensor: int

    @property
    def padded(self) -> bool:
        """Whether it reads zeros around images."""
        return self.layer.kernel > 1


@dataclass(eq=False)
class Group:
    """Units that are there, or dropped, together: of tensors that are made of one another unit by unit, or added.

    fixed: whether all are needed: those of the images and of the outputs. joined: the group that this one is part of.
    """

    units: int
    fixed: bool = False
    writers: list[Layer] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)
    joined: "Group | None" = None
    kept: NDArray = field(init=False)

    def __post_init__(self) -> None:
        self.kept = np.ones(self.units, bool)

    @property
    def whole(self) -> "Group":
        return self.joined.whole if self.joined else self

    def join(self, other: "Group") -> None:
        """Make both groups one."""
        own, other = self.whole, other.whole
        if own is not other:
            own.fixed |= other.fixed
            own.writers += other.writers
            own.readers += other.readers
            other.joined = own


Constants = tuple[NDArray, NDArray]
"""Of a tensor's units: whether each is the same for all images and at all places, and what it then is."""


class Graph:
    """Which units depend on which, and what each is where it is the same for all images."""

    def __init__(self, arrays: Arrays, steps: Iterable[Step], seen: int) -> None:
        """arrays: float64, changed in place; seen: units of the images."""
        self.arrays = arrays
        self.groups: list[Group] = []
        self.constants_of: list[Callable[[list[Constants]], Constants]] = []
        """For each tensor, what follows from the constants of those before."""
        self.around: dict[str, tuple[Group, Group]] = {}
        """What a layer or normalisation reads and writes, by its name."""
        images = self.tensor(self.group(seen, fixed=True), lambda _: (np.zeros(seen, bool), np.zeros(seen)))
        self.through(steps, images).group.whole.fixed = True

    def group(self, units: int, *, fixed: bool = False) -> Group:
        self.groups.append(Group(units, fixed))
        return self.groups[-1]

    def tensor(self, group: Group, constants: Callable[[list[Constants]], Constants]) -> Tensor:
        self.constants_of.append(constants)
        return Tensor(group, len(self.constants_of) - 1)

    def through(self, steps: Iterable[Step], read: Tensor) -> Tensor:
        """The tensor that steps make of another."""
        for step in steps:
            read = self.after(step, read)
        return read

    def after(self, step: Step, read: Tensor) -> Tensor:
        number = read.number
        match step:
            case Layer():
                made = self.group(step.outputs)
                made.writers.append(step)
                read.group.whole.readers.append(Reader(step, number))
                self.around[step.name] = read.group, made
                return self.tensor(made, lambda _: self.constants_of_layer(step))
            case Normalization():
                self.around[step.name] = read.group, read.group

                def moved(known: list[Constants]) -> Constants:
                    factor, offset = affine(step, self.arrays)
                    return known[number][0], known[number][1] * factor + offset

                return self.tensor(read.group, moved)
            case Residual():
                body, beside = self.through(step.body, read), self.through(step.shortcut, read)
                body.group.join(beside.group)
                first, second = body.number, beside.number
                return self.tensor(
                    body.group, lambda known: (known[first][0] & known[second][0], known[first][1] + known[second][1])
                )
            case "relu":
                return self.tensor(read.group, lambda known: (known[number][0], np.maximum(known[number][1], 0)))
        return read

    def constants_of_layer(self, layer: Layer) -> Constants:
        """Units without weights are their biases."""
        weight = self.arrays[layer.weight_name]
        return np.count_nonzero(weight.reshape(len(weight), -1), axis=1) == 0, self.bias(layer)

    def bias(self, layer: Layer) -> NDArray:
        """A layer's biases, which are given to it where it has none."""
        return self.arrays.setdefault(layer.bias_name, np.zeros(layer.outputs))

    def constants(self) -> list[Constants]:
        """Those of all tensors."""
        known: list[Constants] = []
        for each in self.constants_of:
            known.append(each(known))
        return known

    def by_unit(self, layer: Layer, group: Group) -> NDArray:
        """A view of a layer's weights, [outputs, units of the group that it reads, numbers of each]."""
        weight = self.arrays[layer.weight_name]
        return weight.reshape(len(weight), group.units, -1)

    def free_groups(self) -> Iterable[Group]:
        return (each for each in self.groups if each.joined is None and not each.fixed)

    def drop(self) -> bool:
        """Drop the units that nothing reads, and those whose constant can go into biases; whether there were any."""
        known, found = self.constants(), False
        for group in self.free_groups():
            going = group.kept.copy()
            for reader in group.readers:
                read = self.by_unit(reader.layer, group).any((0, 2))
                same, number = known[reader.tensor]
                going &= ~read | (same & ((number == 0) | (not reader.padded)))
            if not going.any():
                continue
            found = True
            for reader in group.readers:
                weight = self.by_unit(reader.layer, group)
                self.bias(reader.layer)[:] += weight[:, going].sum(2) @ known[reader.tensor][1][going]
                weight[:, going] = 0
            for layer in group.writers:
                self.arrays[layer.weight_name][going] = 0
                self.bias(layer)[going] = 0
            group.kept &= ~going
        return found

    def merge(self) -> bool:
        """Let one constant unit stand for several, where padded convolutions read them; whether there were any."""
        known, found = self.constants(), False
        for group in self.free_groups():
            same, least = group.kept.copy(), np.full(group.units, np.inf)
            for reader in group.readers:
                same &= known[reader.tensor][0]
                least = np.minimum(least, np.abs(known[reader.tensor][1]))
            units = np.flatnonzero(same)
            if len(units) < 2:
                continue
            stays = units[least[units].argmax()]
            if not least[stays]:
                continue
            found = True
            others = units[units != stays]
            for reader in group.readers:
                weight, number = self.by_unit(reader.layer, group), known[reader.tensor][1]
                weight[:, stays] += np.tensordot(weight[:, others], number[others] / number[stays], (1, 0))
                weight[:, others] = 0
        return found

    def narrowed(self, steps: Iterable[Step], made: Arrays) -> tuple[Step, ...]:
        """The steps with the units that are left, and their arrays, put into `made`."""
        return tuple(self.narrow(step, made) for step in steps)

    def narrow(self, step: Step, made: Arrays) -> Step:
        if isinstance(step, Residual):
            return Residual(self.narrowed(step.body, made), self.narrowed(step.shortcut, made))
        if isinstance(step, Normalization):
            kept = at_least_one(self.around[step.name][0].whole.kept)
            made |= {name: self.arrays[name][kept] for name in step.shapes()}
            return replace(step, channels=int(kept.sum()))
        if isinstance(step, Layer):
            read, written = (each.whole for each in self.around[step.name])
            columns, rows = at_least_one(read.kept), at_least_one(written.kept)
            weight = self.by_unit(step, read)[rows][:, columns]
            inputs = int(columns.sum()) * (1 if step.kernel else weight.shape[2])
            narrow = replace(step, inputs=inputs, outputs=int(rows.sum()), has_bias=True)
            made[step.weight_name] = weight.reshape(narrow.shape)
            made[step.bias_name] = self.bias(step)[rows]
            return narrow
        return step


def at_least_one(kept: NDArray) -> NDArray:
    """A layer keeps one unit, even where nothing reads it."""
    if kept.any():
        return kept
    return np.arange(len(kept)) == 0


def picking(steps: Iterable[Step], arrays: Arrays) -> Iterable[CompactStep]:
    """The steps with a selection before each dense layer that does not read all that it is given."""
    for step in steps:
        if isinstance(step, Layer) and not step.kernel:
            read = at_least_one(np.count_nonzero(arrays[step.weight_name], axis=0) > 0)
            if not read.all():
                places = np.flatnonzero(read)
                chosen = Select(f"{step.name}-read", step.inputs, len(places))
                arrays[chosen.places_name] = places
                arrays[step.weight_name] = arrays[step.weight_name][:, places]
                yield chosen
                yield replace(step, inputs=len(places))
                continue
        yield step
