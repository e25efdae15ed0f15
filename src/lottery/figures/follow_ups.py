"""Figures of articles that followed the paper (docs/limits.md)."""

from lottery.arms.rows import LATE_POINTS
from lottery.figures import kinds, selection
from lottery.figures.figure import Figure, any_of
from lottery.figures.kinds import ArmPanels, ByNoise, ByWidth, Panel
from lottery.figures.selection import Telling

FOUND = {
    "iterative-untrained": "iterative",
    "iterative-constant-untrained": "iterative, one magnitude",
    "one-shot-untrained": "one-shot",
    "one-shot-constant-untrained": "one-shot, one magnitude",
    "one-shot-same-sign-untrained": "same sign",
    "one-shot-same-sign-constant-untrained": "same sign, one magnitude",
}
LEARNT = {
    "supermask-untrained": "supermask",
    "supermask-constant-untrained": "supermask, one magnitude",
    "edge-popup-untrained": "edge-popup",
    "edge-popup-constant-untrained": "edge-popup, one magnitude",
}
"""Arms whose networks are never trained, and what they are called."""


def before_training(name: str, network: str, family: str) -> Figure:
    """The figure of pruning before training, of one family of networks."""
    methods = {"snip": "SNIP", "grasp": "GraSP", "synflow": "SynFlow", "initial-magnitude": "magnitude"}
    after = {"one-shot": "magnitude after training"}
    controls = {"-shuffled": "shuffled in layers", "-reinit": "fresh weights", "-inverted": "scores inverted"}

    def with_controls(arm: str, title: str) -> Panel:
        return Panel(title, {arm: "as it is", **{f"{arm}{control}": label for control, label in controls.items()}})

    return Figure(
        name,
        f"Pruning before training and after it: {network}",
        ArmPanels(
            "test_accuracy_final",
            (
                Panel("methods", {**after, **methods, "initial-random": "random"}),
                *(with_controls(arm, title) for arm, title in (methods | after).items()),
            ),
        ),
        "Test accuracy at the end of training of networks pruned before training by SNIP, GraSP, SynFlow, magnitude and"
        " at random, and after it by magnitude with weights set back; beside them each method with its mask shuffled"
        " within layers, with fresh weights, and with its scores inverted. After arXiv 2009.08576.",
        (any_of("snip", "grasp", "synflow"), any_of("initial-random")),
        family=family,
    )


POINTS = {
    "ticket": ("iterative", "iterative-at-*", "iterative-twin", "iterative-at-*-twin"),
    "mask reinitialised": (
        "iterative-reinit",
        "reinit-at-*",
        "iterative-reinit-twin",
        "reinit-at-*-twin",
    ),
    "random sparse network": ("random", "random-at-*", "random-twin", "random-at-*-twin"),
    "dense network that parts there": ("", "", "dense-twin", "dense-twin-at-*"),
}
"""Lines of figures by the rewind point: an arm of iteration 0, of later ones, and the twins of both."""

FOLLOW_UPS = [
    before_training("figure-before-training", "LeNet", "lenet"),
    Figure(
        "figure-noise",
        "Tickets of networks that wrong labels mislead",
        ByNoise("iterative"),
        "Test accuracy at the end of training (above) and the generalisation gap, training less test accuracy"
        " (below), of tickets against their number of weights, a line for each width of the network, by the share"
        " of training labels that are wrong. After arXiv 2206.08684, 2306.12190 and 2210.13738.",
        selection=selection.WithWrongLabels(),
    ),
    Figure(
        "figure-untrained",
        "Accuracy without any training of the weights",
        ByWidth(
            (
                Panel("masks found by training", FOUND | {"random-untrained": "random mask"}),
                Panel("masks that are learnt", LEARNT),
            ),
            Panel("widths, 51.3% of the weights", LEARNT),
            51.3,
        ),
        "Test accuracy of networks whose weights are never trained, only masked: initial weights, or their signs"
        " with one magnitude in each layer. Left: masks found by training the dense network; centre: masks that are"
        " learnt while the weights stay; right: the latter for five widths of the network. After arXiv 1905.01067"
        " and 1911.13299.",
        (any_of(*FOUND, *LEARNT),),
    ),
    before_training("figure-before-training-conv", "Conv-2", "conv"),
    Figure(
        "figure-basin",
        "One basin: error on the line between tickets and what they come from",
        kinds.Barriers(
            {
                "pruned-solution": "ticket and the pruned solution that it comes from",
                "levels": "tickets of successive levels",
                "reinit-and-pruned-solution": "the mask reinitialised and the pruned solution",
            }
        ),
        "The greatest error on the straight line between two trained networks less the mean of the errors at its"
        " ends, on test (left) and training images (right), by the weights remaining of the first. After arXiv"
        " 2210.03044 and 2010.03533.",
        selection=Telling(("pruned-solution", "levels")),
    ),
    *(
        Figure(
            name,
            title,
            kinds.ByRewindPoint(POINTS),
            "Test accuracy at the end of training (left), and the barrier between two trainings with other batches"
            " (right), of networks whose weights and schedule go back to an iteration. After arXiv 1903.01611 and"
            " 1912.05671.",
            family=family,
            selection=Telling(tuple(f"ticket-twins-at-{k}" for k in LATE_POINTS)),
        )
        for name, title, family in (
            ("figure-stability", "Stability to the noise of training, by the rewind point: LeNet", "lenet"),
            (
                "figure-rewinding",
                "Late rewinding on colour images, by the rewind point",
                "resnet",
            ),
        )
    ),
    Figure(
        "figure-stability-recipes",
        "Stability of a recipe against the gain of its ticket",
        kinds.BarrierAndGain("dense-twins", 21.1, "iterative-reinit"),
        "A point for each recipe: the barrier between two dense networks of the same initial weights, and by how"
        " much the ticket of about 21.1% exceeds its mask reinitialised at the end of training. After arXiv"
        " 1912.05671.",
        (any_of("dense-twin"), any_of("iterative"), any_of("iterative-reinit")),
        selection=Telling(("dense-twins",)),
    ),
    Figure(
        "figure-signs",
        "What of a ticket's weights matters",
        kinds.Recovered(
            "iterative-reinit",
            (
                Panel(
                    "signs in place",
                    {
                        "iterative-same-sign": "fresh magnitudes",
                        "constant": "one magnitude a layer",
                        "values-shuffled-same-sign": "magnitudes shuffled",
                    },
                ),
                Panel(
                    "signs not in place",
                    {
                        "signs-random": "random signs",
                        "signs-turned": "signs turned",
                        "constant-random-signs": "one magnitude, random signs",
                        "values-shuffled": "values shuffled",
                    },
                ),
                Panel("mask of another start", {"moved": "as it is", "aligned": "units matched"}),
            ),
        ),
        "How much of what the ticket has over its mask reinitialised other starting weights recover, and the mask"
        " of another start. After arXiv 1905.01067, 2002.10365, 2402.19262 and 2505.05143.",
        (any_of("iterative"), any_of("iterative-reinit"), any_of("iterative-same-sign", "constant", "moved")),
    ),
    Figure(
        "figure-transfer",
        "Tickets trained elsewhere than they were found",
        ArmPanels(
            "test_accuracy_final",
            (
                Panel(
                    "at the end of training",
                    {
                        "iterative": "the target's own ticket",
                        "transferred": "ticket found elsewhere",
                        "iterative-reinit": "own mask, fresh weights",
                        "random": "weights at random places",
                    },
                ),
            ),
        ),
        "Test accuracy at the end of training of tickets found on another dataset, or by another optimiser, beside"
        " the target's own, its masks reinitialised, and weights at random places. After arXiv 1906.02773.",
        (any_of("transferred"), any_of("iterative")),
    ),
    Figure(
        "figure-selection",
        "Is selection fixed at the start?",
        kinds.OverlapsOnTheWay(),
        "How alike the masks are that two trainings would give, over chance, along training (above), and how far a"
        " training's own mask still is from those before (below), layer by layer. After arXiv 2006.07014 and"
        " 1909.11957.",
        selection=Telling(("overlaps",)),
    ),
    Figure(
        "figure-selected",
        "Which weights are selected",
        kinds.WhatIsSelected(),
        "Signs that weights keep while the dense network trains and how far they move, in the ticket and outside"
        " (left, centre); overlaps of masks by start, batches, and criterion over chance (right). After arXiv"
        " 1905.01067 and 2104.13343.",
        selection=Telling(("overlaps",)),
    ),
    *(
        Figure(
            name,
            f"What is set back after a pruning: {network}",
            ArmPanels(
                "test_accuracy_final",
                tuple(
                    Panel(
                        f"back to iteration {k:,}",
                        {
                            f"iterative-at-{k}": "weights and rate",
                            f"learning-rate-rewinding-at-{k}": "the rate alone",
                            f"low-rate-rewinding-at-{k}": "the weights alone",
                            f"fine-tuning-at-{k}": "neither (fine-tuning)",
                        },
                    )
                    for k in points
                ),
            ),
            "Test accuracy at the end of training of networks whose weights, step size, both or neither were set"
            " back after each pruning. After arXiv 2003.02389.",
            (any_of(*(f"fine-tuning-at-{k}" for k in points)),),
            family=family,
        )
        for name, network, points, family in (
            ("figure-retraining", "LeNet with a falling rate", (500, 2000), "lenet"),
            ("figure-retraining-resnet", "ResNet-8", (1000,), "resnet"),
        )
    ),
]
