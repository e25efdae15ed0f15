"""Which of a run's experiments a figure shows: small rules to choose from, each with its words for an error."""

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Trained:
    """What of an experiment decides which figures show it; recipe: its columns of `levels.csv`; tells: the pairs of
    networks that lines are measured between, and `overlaps` where masks are compared.
    """

    experiment: str
    network: str
    dataset: str
    recipe: Mapping[str, str | float]
    arms: Collection[str]
    tells: frozenset[str] = frozenset()


class Selection(Protocol):
    """Some of a run's experiments; its text goes on a sentence about a network."""

    def of(self, trained: Sequence[Trained]) -> list[Trained]:
        """Those experiments, in the order given."""
        ...


@dataclass(frozen=True)
class All:
    """Every experiment."""

    def of(self, trained: Sequence[Trained]) -> list[Trained]:
        return list(trained)

    def __str__(self) -> str:
        return ""


@dataclass(frozen=True)
class With:
    """Those with these values in columns of the recipe."""

    recipe: Mapping[str, str | float]

    def of(self, trained: Sequence[Trained]) -> list[Trained]:
        return [each for each in trained if all(each.recipe[name] == value for name, value in self.recipe.items())]

    def __str__(self) -> str:
        return "".join(f" with {name.replace('_', ' ')} {value}" for name, value in self.recipe.items())


@dataclass(frozen=True)
class WithoutDropout:
    """Those trained without dropout."""

    def of(self, trained: Sequence[Trained]) -> list[Trained]:
        return [each for each in trained if not each.recipe["dropout"]]

    def __str__(self) -> str:
        return " without dropout"


@dataclass(frozen=True)
class WithAndWithoutDropout:
    """Those whose network is trained on their dataset with dropout and without."""

    def of(self, trained: Sequence[Trained]) -> list[Trained]:
        def kind(each: Trained) -> Hashable:
            return each.network, each.dataset

        with_it, without = (
            {kind(each) for each in trained if bool(each.recipe["dropout"]) == has} for has in (True, False)
        )
        return [each for each in trained if kind(each) in with_it & without]

    def __str__(self) -> str:
        return " with dropout and without"


@dataclass(frozen=True)
class WithWrongLabels:
    """Those whose network is trained on their dataset with wrong labels too."""

    def of(self, trained: Sequence[Trained]) -> list[Trained]:
        misled = {(each.network, each.dataset) for each in trained if each.recipe["label_noise"]}
        return [each for each in trained if (each.network, each.dataset) in misled]

    def __str__(self) -> str:
        return " with wrong labels"


@dataclass(frozen=True)
class Telling:
    """Those that tell one of these: of lines between pairs of networks, or how alike masks are."""

    names: tuple[str, ...]

    def of(self, trained: Sequence[Trained]) -> list[Trained]:
        return [each for each in trained if each.tells & set(self.names)]

    def __str__(self) -> str:
        return f" that tells {' or '.join(self.names)}"


@dataclass(frozen=True)
class Several:
    """Those whose network is trained on their dataset with other recipes as well."""

    def of(self, trained: Sequence[Trained]) -> list[Trained]:
        return alternatives(trained, ((each.network, each.dataset) for each in trained))

    def __str__(self) -> str:
        return " with several recipes"


@dataclass(frozen=True)
class Varying:
    """Those that differ from another one in a single thing: `network`, or a column of the recipe.

    where: values that other columns must have.
    """

    column: str
    where: Mapping[str, str | float] = field(default_factory=dict)

    def of(self, trained: Sequence[Trained]) -> list[Trained]:
        able = With(self.where).of(trained)
        return alternatives(able, (tuple(self.rest(each).items()) for each in able))

    def rest(self, each: Trained) -> dict[str, str | float]:
        """All but what varies."""
        described = {"network": each.network, "dataset": each.dataset, **each.recipe}
        return {name: value for name, value in described.items() if name != self.column}

    def __str__(self) -> str:
        where = "".join(f", {name.replace('_', ' ')} {value}" for name, value in self.where.items())
        return f" with several values of {self.column.replace('_', ' ')}{where}"


def alternatives(trained: Iterable[Trained], kinds: Iterable[Hashable]) -> list[Trained]:
    """Those of whose kind there is more than one."""
    groups: dict[Hashable, list[Trained]] = defaultdict(list)
    for each, kind in zip(trained, kinds, strict=True):
        groups[kind].append(each)
    return [each for group in groups.values() if len(group) > 1 for each in group]
