"""Claims about pruning before training (Frankle et al., 2009.08576): what its methods keep, and what of it matters.

All prune globally and train as their experiment does; accuracies are of the test images at the end of training, means
over sizes from 21% to 2% of the weights. The follow-up has none of these networks and datasets.
"""

from functools import partial

from lottery.analysis.claim import AS_ACCURATE, BETTER, WORSE, Claim, Range, Subject
from lottery.analysis.experiment import FINAL
from lottery.analysis.measures import Between, Gain

follow_up = partial(Claim, family="follow-ups")

SMALL = Between(0.22, 0.02)

METHODS = {"snip": "SNIP", "grasp": "GraSP", "synflow": "SynFlow", "initial-magnitude": "Magnitude before training"}

AFTER = "one-shot"
"""Magnitude pruning after training, at once, weights set back to the initialisation."""

SOURCE = "arXiv 2009.08576"


def subject(*arms: str) -> Subject:
    """LeNet on MNIST and Conv-2 on Fashion-MNIST, pruned globally, where these arms are trained."""
    return Subject(
        ("lenet-300-100", "conv-2"), "mnist", also=("fashion-mnist", "cifar-10"), scope="global", trains=arms
    )


def claim(id_: str, text: str, arm: str, versus: str, rule: Range, note: str = "") -> Claim:
    measure = Gain(arm, SMALL, column=FINAL, versus=versus)
    return follow_up(id_, text, SOURCE, measure, rule, note=note, subject=subject(arm, versus))


def claims_of(letter: str, method: str, name: str) -> list[Claim]:
    """What is claimed of one method."""
    return [
        claim(f"PB1{letter}", f"{name} is more accurate than random pruning", method, "initial-random", BETTER),
        claim(f"PB2{letter}", f"{name} is less accurate than magnitude pruning after training", method, AFTER, WORSE),
        claim(
            f"PB3{letter}",
            f"{name}: masks shuffled within their layers are as accurate or more",
            f"{method}-shuffled",
            method,
            AS_ACCURATE,
            "within 0.2 points",
        ),
        claim(
            f"PB4{letter}",
            f"{name}: fresh weights under the same masks are as accurate or more",
            f"{method}-reinit",
            method,
            AS_ACCURATE,
            "within 0.2 points",
        ),
    ]


BEFORE_TRAINING = [
    *(
        each
        for letter, (method, name) in zip("abcd", METHODS.items(), strict=True)
        for each in claims_of(letter, method, name)
    ),
    claim("PB5a", "SNIP is more accurate than with its scores inverted", "snip", "snip-inverted", BETTER),
    claim("PB5c", "SynFlow is more accurate than with its scores inverted", "synflow", "synflow-inverted", BETTER),
    claim(
        "PB6a",
        "Magnitude pruning after training loses accuracy when its masks are shuffled within their layers",
        f"{AFTER}-shuffled",
        AFTER,
        WORSE,
    ),
    claim(
        "PB6b",
        "Magnitude pruning after training loses accuracy with fresh weights under its masks",
        f"{AFTER}-reinit",
        AFTER,
        WORSE,
    ),
]
