"""How soon tickets are good, by two measures of ours beside the paper's early stop: LeNet-300-100 on MNIST.

They were seen on published curves of five replicates before they were declared (docs/statistics.md).
"""

from functools import partial

from lottery.analysis import claim
from lottery.analysis.claim import EARLIER, LATER
from lottery.analysis.claims_lenet import ADAM
from lottery.analysis.experiment import SMOOTHED_STOP
from lottery.analysis.measures import QualityRatio, StopRatio

Claim = partial(claim.Claim, subject=ADAM, family="ours")

QUALITY, SMOOTHED = "cf. s. 2, Fig. 11", "cf. s. 2, Fig. 4a"

SIZES = {"a": 0.513, "b": 0.211, "c": 0.07}

SPEED = [
    *(
        Claim(
            f"S1{letter}",
            f"The {100 * size:.1f}% ticket reaches the dense network's least validation loss sooner than that does",
            QUALITY,
            QualityRatio("iterative", size),
            EARLIER,
        )
        for letter, size in SIZES.items()
    ),
    Claim(
        "S2",
        "The 21.1% ticket reaches the dense network's least validation loss sooner than when it is reinitialised",
        QUALITY,
        QualityRatio("iterative-reinit", 0.211, versus="iterative"),
        LATER,
    ),
    *(
        Claim(
            f"S3{letter}",
            f"The {100 * size:.1f}% ticket reaches its smoothed early stop sooner than the dense network",
            SMOOTHED,
            StopRatio("iterative", size, column=SMOOTHED_STOP),
            EARLIER,
            note="over 900 iterations",
        )
        for letter, size in SIZES.items()
    ),
    Claim(
        "S4",
        "The 21.1% ticket reaches its smoothed early stop sooner than when it is reinitialised",
        SMOOTHED,
        StopRatio("iterative-reinit", 0.211, versus="iterative", column=SMOOTHED_STOP),
        LATER,
        note="over 900 iterations",
    ),
]
