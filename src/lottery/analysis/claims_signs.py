"""Claims about what of a ticket's weights matters, and whether its mask serves another start: LeNet-300-100 on MNIST.

Accuracies are those at the end of training, of test images, means over the sizes from 17% to 2.9%, at which there is an
advantage to recover. Half of the ticket's advantage over its mask reinitialised is the margin.
"""

from functools import partial

from lottery.analysis import claim
from lottery.analysis.claim import BETTER, WORSE, Range, Subject
from lottery.analysis.experiment import FINAL
from lottery.analysis.measures import Between, Gain
from lottery.analysis.measures_lines import Beyond

SIZES = Between(0.18, 0.028)

SUBJECT = Subject("lenet-300-100", "mnist", trains=("signs-turned", "iterative-same-sign"))
MOVED = Subject("lenet-300-100", "mnist", trains=("moved", "aligned"))

ZHOU, ALIGNED = "arXiv 1905.01067, s. 4", "arXiv 2505.05143"

Claim = partial(claim.Claim, family="follow-ups", subject=SUBJECT, note="mean over the sizes from 17% to 2.9%")

KEEPING = {
    "a": ("iterative-same-sign", "Fresh weights with the ticket's signs"),
    "b": ("constant", "One magnitude for each layer with the ticket's signs"),
    "c": ("values-shuffled-same-sign", "The ticket's magnitudes shuffled in each layer, its signs in place,"),
}
LOSING = {
    "a": ("signs-random", "The ticket's magnitudes with random signs"),
    "b": ("signs-turned", "The ticket's weights with all signs turned"),
    "c": ("constant-random-signs", "One magnitude for each layer with random signs"),
    "d": ("values-shuffled", "The ticket's weights shuffled in each layer"),
}

SIGNS = [
    *(
        Claim(
            f"SG1{letter}",
            f"{what} recover at least half of what the ticket has over its mask reinitialised",
            ZHOU,
            Beyond(arm, SIZES),
            BETTER,
        )
        for letter, (arm, what) in KEEPING.items()
    ),
    *(
        Claim(
            f"SG2{letter}",
            f"{what} recover less than half of it",
            f"cf. {ZHOU}" if arm == "signs-turned" else ZHOU,
            Beyond(arm, SIZES),
            WORSE,
        )
        for letter, (arm, what) in LOSING.items()
    ),
    Claim(
        "SG3",
        "A ticket's mask serves another start badly: it recovers less than half of the ticket's advantage",
        ALIGNED,
        Beyond("moved", SIZES),
        WORSE,
        subject=MOVED,
    ),
    Claim(
        "SG4a",
        "A ticket's mask serves another start better when its units are matched",
        ALIGNED,
        Gain("aligned", SIZES, versus="moved", column=FINAL),
        BETTER,
        subject=MOVED,
    ),
    Claim(
        "SG4b",
        "With its units matched it comes within 0.2 points of the start's own ticket",
        ALIGNED,
        Gain("aligned", SIZES, column=FINAL, versus="iterative"),
        Range(above=-0.2),
        subject=MOVED,
    ),
]
