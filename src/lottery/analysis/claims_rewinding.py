"""Claims about late rewinding on colour images (1903.01611, 1912.05671), and about what else can be set back after a
pruning (Renda et al., 2003.02389): ResNet-8 on CIFAR-10 and LeNet-300-100 on MNIST with a falling rate.

Accuracies are those at the end of training, of test images. Of ResNet-8 a fifth of the convolutions' weights is left.
"""

from functools import partial

from lottery.analysis import claim
from lottery.analysis.barriers import column_of
from lottery.analysis.claim import AS_ACCURATE, BETTER, WORSE, Range, Subject
from lottery.analysis.claims_deep import NO_BETTER
from lottery.analysis.experiment import FINAL
from lottery.analysis.measures import Between, Gain
from lottery.analysis.measures_lines import Barrier

Claim = partial(claim.Claim, family="follow-ups")

FIFTH = 0.233
"""Of all weights, when a fifth of those that are pruned is left: shortcuts and the output are not."""

Exceeds = partial(Gain, column=FINAL)


def resnet(rate: float, *arms: str, tells: tuple[str, ...] = ()) -> Subject:
    return Subject("resnet-8", "cifar-10", scope="global", recipe={"learning_rate": rate}, trains=arms, tells=tells)


def lenet(*arms: str) -> Subject:
    return Subject("lenet-300-100", "mnist", recipe={"optimizer": "sgd", "momentum": 0.9}, trains=arms)


LATE, STABLE, RENDA = "arXiv 1903.01611, s. 4", "arXiv 1912.05671, s. 4", "arXiv 2003.02389, s. 4"
SIZES = Between(0.45, 0.1)
OVER_SIZES = "mean over the sizes from 41% to 11%"

REWINDING = [
    Claim(
        "LR1",
        "At rate 0.1 tickets of the initialisation are no more accurate than as many weights at random places",
        LATE,
        Exceeds("iterative", FIFTH, versus="random"),
        NO_BETTER,
        note="no more accurate: by less than 0.2 points",
        subject=resnet(0.1, "iterative", "random"),
    ),
    Claim(
        "LR2",
        "At rate 0.1 tickets rewound to iteration 300 are more accurate than random ones of that iteration",
        LATE,
        Exceeds("iterative-at-300", FIFTH, versus="random-at-300"),
        BETTER,
        subject=resnet(0.1, "iterative-at-300", "random-at-300"),
    ),
    Claim(
        "LR3",
        "At rate 0.1 tickets rewound to iteration 300 are more accurate than those of the initialisation",
        LATE,
        Exceeds("iterative-at-300", FIFTH, versus="iterative"),
        BETTER,
        subject=resnet(0.1, "iterative-at-300", "iterative"),
    ),
    Claim(
        "LR4",
        "At rate 0.01 tickets of the initialisation already are more accurate than as many weights at random places",
        LATE,
        Exceeds("iterative", FIFTH, versus="random"),
        BETTER,
        subject=resnet(0.01, "iterative", "random"),
    ),
    Claim(
        "LR5",
        "At rate 0.1 tickets of the initialisation are not stable: between two error rises by more than 2 points",
        STABLE,
        Barrier("ticket-twins", FIFTH),
        Range(above=2),
        subject=resnet(0.1, tells=(column_of("ticket-twins"),)),
    ),
    Claim(
        "LR6",
        "At rate 0.1 tickets rewound to iteration 300 are more stable than those of the initialisation",
        STABLE,
        Barrier("ticket-twins-at-300", FIFTH, minus="ticket-twins"),
        WORSE,
        note="difference of barriers",
        subject=resnet(0.1, tells=(column_of("ticket-twins"), column_of("ticket-twins-at-300"))),
    ),
    Claim(
        "LR7",
        "At rate 0.01 tickets of the initialisation are stable",
        STABLE,
        Barrier("ticket-twins", FIFTH),
        Range(below=2),
        subject=resnet(0.01, tells=(column_of("ticket-twins"),)),
    ),
    *(
        Claim(
            f"RW1{letter}",
            f"Setting the rate back to iteration {k} is as good as setting the weights back too",
            RENDA,
            Exceeds(f"learning-rate-rewinding-at-{k}", sizes, versus=f"iterative-at-{k}"),
            AS_ACCURATE,
            note=f"as accurate: within 0.2 points{more}",
            subject=subject(f"learning-rate-rewinding-at-{k}", f"iterative-at-{k}"),
        )
        for letter, k, subject, sizes, more in (
            ("a", 500, lenet, SIZES, f"; {OVER_SIZES}"),
            ("b", 2000, lenet, SIZES, f"; {OVER_SIZES}"),
            ("c", 1000, partial(resnet, 0.1), FIFTH, ""),
        )
    ),
    *(
        Claim(
            f"RW2{letter}",
            f"Setting the rate back to iteration {k} is better than fine-tuning for as long",
            RENDA,
            Exceeds(f"learning-rate-rewinding-at-{k}", sizes, versus=f"fine-tuning-at-{k}"),
            BETTER,
            note=more,
            subject=subject(f"learning-rate-rewinding-at-{k}", f"fine-tuning-at-{k}"),
        )
        for letter, k, subject, sizes, more in (
            ("a", 500, lenet, SIZES, OVER_SIZES),
            ("b", 2000, lenet, SIZES, OVER_SIZES),
            ("c", 1000, partial(resnet, 0.1), FIFTH, ""),
        )
    ),
    *(
        Claim(
            f"RW3{letter}",
            f"Setting weights and rate back to iteration {k} is better than fine-tuning for as long",
            RENDA,
            Exceeds(f"iterative-at-{k}", sizes, versus=f"fine-tuning-at-{k}"),
            BETTER,
            note=more,
            subject=subject(f"iterative-at-{k}", f"fine-tuning-at-{k}"),
        )
        for letter, k, subject, sizes, more in (
            ("a", 500, lenet, SIZES, OVER_SIZES),
            ("b", 2000, lenet, SIZES, OVER_SIZES),
            ("c", 1000, partial(resnet, 0.1), FIFTH, ""),
        )
    ),
]
