"""The figures: their names, what they need, what their captions say. Light to import: it draws nothing."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One figure. It is drawn when the run trains at least one arm of each group in `needs`."""

    name: str
    title: str
    module: str
    function: str
    caption: str
    needs: tuple[frozenset[str], ...]


def any_of(*arms: str) -> frozenset[str]:
    return frozenset(arms)


ONE_SHOT = any_of("one-shot", "one-shot-linear")

CATALOG = {
    figure.name: figure
    for figure in [
        Figure(
            "figure1",
            "Figure 1: winning tickets and random sparse networks",
            "figure1",
            "figure1",
            "Early-stop iteration (left) and test accuracy at it (right) of winning tickets (iterative pruning, weights"
            " rewound) and of networks with as many weights at random places. As the paper's Figure 1, LeNet.",
            (any_of("iterative"), any_of("random")),
        ),
        Figure(
            "figure3",
            "Figure 3: test accuracy while tickets train",
            "figure3",
            "figure3",
            "Test accuracy on the way through training, by percent of weights remaining. Left: the larger tickets;"
            " centre: the smaller; right: two tickets and their masks reinitialised. As the paper's Figure 3.",
            (any_of("iterative"),),
        ),
        Figure(
            "figure4a",
            "Figure 4a: early stop of iterative and one-shot tickets",
            "figure4",
            "figure4a",
            "Early-stop iteration, and test and training accuracy at it, of tickets found by iterative and by one-shot"
            " pruning and of the same masks reinitialised. As the paper's Figure 4a.",
            (any_of("iterative"),),
        ),
        Figure(
            "figure4b",
            "Figure 4b: accuracy at the end of training",
            "figure4",
            "figure4b",
            "Test accuracy after the last iteration, arms as in Figure 4a. As the paper's Figure 4b.",
            (any_of("iterative"),),
        ),
        Figure(
            "figure4c",
            "Figure 4c: one-shot tickets on a linear axis",
            "figure4",
            "figure4c",
            "Early-stop iteration and test accuracy at it of one-shot tickets and of the same masks reinitialised."
            " As the paper's Figure 4c.",
            (ONE_SHOT,),
        ),
        Figure(
            "figure-size",
            "Accuracy against weight count: tickets and small dense networks",
            "size",
            "size",
            "Test accuracy at early stop against the number of weights, of tickets and of dense networks narrowed until"
            " they have about as many weights. Not in the paper: would a small network have done as well?",
            (any_of("iterative"), any_of("small-dense")),
        ),
    ]
}


def figures_of(arms: Collection[str]) -> list[Figure]:
    """The figures that can be drawn when these arms are trained."""
    return [figure for figure in CATALOG.values() if all(group & set(arms) for group in figure.needs)]
