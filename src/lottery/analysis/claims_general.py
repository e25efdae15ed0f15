"""The hypothesis in general: statements about experiments that no claim of the paper speaks of, such as one's own."""

from functools import partial

from lottery.analysis import claim
from lottery.analysis.claim import AS_ACCURATE, BETTER, EARLIER, LATER, Anything
from lottery.analysis.measures import Between, Gain, QualityRatio, StopRatio

SIZES = Between(0.9, 0.1)
"""Fractions of weights remaining, where the paper's networks have tickets; the statements are means over them."""

Claim = partial(claim.Claim, subject=Anything(), family="ours", note="mean over the sizes trained from 90% to 10%")

GENERAL = [
    Claim(
        "T1",
        "Tickets are as accurate as the dense network at early stop, or more",
        "cf. abstract",
        Gain("iterative", SIZES),
        AS_ACCURATE,
        note="as accurate: within 0.2 points; mean over the sizes trained from 90% to 10%",
    ),
    Claim(
        "T2",
        "Tickets reach the dense network's least validation loss sooner than it does",
        "cf. abstract",
        QualityRatio("iterative", SIZES),
        EARLIER,
    ),
    Claim(
        "T3",
        "Tickets reach their early stop sooner than the dense network",
        "cf. abstract",
        StopRatio("iterative", SIZES),
        EARLIER,
    ),
    Claim(
        "T4",
        "Tickets are more accurate at early stop than when they are reinitialised",
        "cf. s. 1",
        Gain("iterative", SIZES, versus="iterative-reinit"),
        BETTER,
    ),
    Claim(
        "T5",
        "Tickets reach the dense network's least validation loss sooner than when they are reinitialised",
        "cf. s. 1",
        QualityRatio("iterative-reinit", SIZES, versus="iterative"),
        LATER,
    ),
    Claim(
        "T6",
        "Tickets are more accurate at early stop than networks with as many weights at random places",
        "cf. s. 1, Fig. 1",
        Gain("iterative", SIZES, versus="random"),
        BETTER,
    ),
    Claim(
        "T7",
        "Tickets reach the dense network's least validation loss sooner than such networks",
        "cf. s. 1, Fig. 1",
        QualityRatio("random", SIZES, versus="iterative"),
        LATER,
    ),
]
