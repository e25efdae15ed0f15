"""What a figure is: its name, what it needs, what its caption says. Light to import: it draws nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from lottery.figures import kinds, selection
from lottery.figures.looks import LOOKS
from lottery.figures.selection import Selection, Trained


def family_of(network: str) -> str:
    """The family of a network, by its name: `lenet`, `conv`, `vgg` or `resnet`."""
    return network.partition("-")[0]


@dataclass(frozen=True)
class Figure:
    """One figure, of networks of one family.

    It shows experiments that train at least one arm of each group in `needs`, and of these the selection.
    """

    name: str
    title: str
    picture: kinds.Picture
    caption: str
    needs: tuple[frozenset[str], ...] = (frozenset({"iterative"}),)
    family: str = "lenet"
    selection: Selection = field(default_factory=selection.All)

    @property
    def details(self) -> kinds.Details:
        """The table that it draws beside levels.csv."""
        return self.picture.details

    @property
    def told(self) -> str:
        """All that the figure depends on beside its tables and the code that draws."""
        groups = [sorted(group) for group in self.needs]  # Python orders a set anew in each process
        told = (self.name, self.title, self.picture, self.caption, groups, self.family, self.selection)
        return repr((*told, [LOOKS[arm] for arm in self.arms]))

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that it draws by their looks."""
        return self.picture.arms if isinstance(self.picture, kinds.OfArms) else ()

    def shown(self, trained: Sequence[Trained]) -> list[str]:
        """Names of those experiments of a run that the figure shows."""
        able = [
            each
            for each in trained
            if family_of(each.network) == self.family and all(group & set(each.arms) for group in self.needs)
        ]
        return [each.experiment for each in self.selection.of(able)]

    @property
    def needed(self) -> str:
        """What `shown` asks for, in words."""
        arms = " and ".join(f"the arm {' or '.join(sorted(group))}" for group in self.needs)
        return f"{arms} of a {self.family} network{self.selection}"


def any_of(*arms: str) -> frozenset[str]:
    return frozenset(arms)
