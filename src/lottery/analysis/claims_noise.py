"""Claims about tickets of networks that some of the training labels mislead: LeNet on MNIST in three widths, labels of
validation and test images being right. Accuracies are those at the end of training, where networks have learnt most of
the wrong labels that they can.
"""

from collections.abc import Iterator
from functools import partial

from lottery.analysis.claim import BETTER, WORSE, Claim, Range, Subject
from lottery.analysis.experiment import FINAL
from lottery.analysis.measures import Between, Gain
from lottery.analysis.peaks import PeakGain, PeakRatio

follow_up = partial(Claim, family="follow-ups")

WIDTHS = ("lenet-100-33", "lenet-300-100", "lenet-900-300")
MIDDLE = "lenet-300-100"
SHARES = {"a": 0.2, "b": 0.4}

SPARSE_DOUBLE_DESCENT, UNDER_LABEL_NOISE, REGULARISATION = "arXiv 2206.08684", "arXiv 2306.12190", "arXiv 2210.13738"

CHOSEN = "the size is that of most validation images right at the end, replicate by replicate"


def subject(network: str, share: float) -> Subject:
    """A width of LeNet with this share of wrong labels."""
    return Subject(network, "mnist", noise=True, recipe={"label_noise": share})


def claims_of(number: int, network: str, letter: str, share: float) -> Iterator[Claim]:
    """What is claimed of one width with one share of wrong labels."""
    own, told = subject(network, share), f"{100 * share:g}% of the labels wrong"
    yield follow_up(
        f"N1{letter}{number}",
        f"With {told} the best ticket is more accurate than the dense network",
        f"{SPARSE_DOUBLE_DESCENT}, {UNDER_LABEL_NOISE}",
        PeakGain("iterative"),
        BETTER,
        note=CHOSEN,
        subject=own,
    )
    yield follow_up(
        f"N2{letter}{number}",
        f"With {told} it fits the wrong labels less: a smaller gap of training less test accuracy",
        REGULARISATION,
        PeakGain("iterative", of="gap"),
        WORSE,
        note=CHOSEN,
        subject=own,
    )
    yield follow_up(
        f"N3{letter}{number}",
        f"With {told} tickets of half of the weights or more are less accurate than the dense network",
        SPARSE_DOUBLE_DESCENT,
        Gain("iterative", Between(0.85, 0.5), column=FINAL),
        WORSE,
        note="mean over the sizes trained",
        subject=own,
    )
    if network != MIDDLE:
        yield follow_up(
            f"N4{letter}{number}",
            f"With {told} the best ticket has as many weights as that of {MIDDLE}",
            UNDER_LABEL_NOISE,
            PeakRatio("iterative"),
            Range(above=0.5, below=2),
            note="as many: within a factor of 2",
            subject=own,
            versus=subject(MIDDLE, share),
        )


NOISE = [
    claim
    for letter, share in SHARES.items()
    for number, network in enumerate(WIDTHS, start=1)
    for claim in claims_of(number, network, letter, share)
]
