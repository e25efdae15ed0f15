"""The paper's claims about hyperparameters of LeNet on MNIST, Appendix G; both measures from the validation set."""

from collections.abc import Sequence
from typing import TypeVar

from lottery.analysis.appendix_g import INITIALISATIONS, LEARNING_RATES, LENET, NARROWER, WIDER
from lottery.analysis.claim import BETTER, EARLIER, LATER, WORSE, Claim, Range, Recipe, Subject
from lottery.analysis.claims_lenet import ADAM, PAPER
from lottery.analysis.experiment import ON_VALIDATION
from lottery.analysis.measures import Between, Gain, GainByWeights, Stop, StopRatio
from lottery.arms.places import DENSE

MNIST = "mnist"

T = TypeVar("T")

PLAIN_SGD: Recipe = {**PAPER, "optimizer": "sgd", "momentum": 0.0}
MOMENTUM: Recipe = {**PAPER, "optimizer": "sgd", "momentum": 0.9}

OTHER_RECIPES = Subject(LENET, MNIST, scope=None, recipe={"momentum": 0.0, "dense_rate": 0.2}, other_than=PAPER)

SIMILAR = Range(above=-0.2, below=0.2)
NOT_BELOW = Range(above=-0.2)
WITHIN = "within 0.2 points"


def others(values: Sequence[T], *known: T) -> tuple[T, ...]:
    """The paper's other values of a hyperparameter."""
    return tuple(value for value in values if value not in known)


def but(**values: str | float | tuple[str | float, ...]) -> Subject:
    """The paper's recipe but for these values."""
    return Subject(LENET, MNIST, recipe={**PAPER, **values})


HYPERPARAMETERS = [
    Claim(
        "G1a",
        "Whatever the learning rate and the initialisation, the 21.1% ticket is more accurate than the dense network",
        "App. G.2, G.3, G.5",
        Gain("iterative", 0.211, column=ON_VALIDATION),
        BETTER,
        subject=OTHER_RECIPES,
    ),
    Claim(
        "G1b",
        "It reaches its early stop sooner",
        "App. G.2, G.3, G.5",
        StopRatio("iterative", 0.211),
        EARLIER,
        subject=OTHER_RECIPES,
    ),
    Claim(
        "G2a",
        "At the lowest and the highest rate of Adam the dense network does not reach its early stop in training",
        "App. G.2, Fig. 26",
        Stop(DENSE, 1),
        Range(above=95),
        needs_iterations=50_000,
        note="not in the first 95% of it",
        subject=but(learning_rate=(0.000025, 0.0064)),
    ),
    Claim(
        "G2b",
        "With Adam's rates from 0.0002 to 0.002 the dense network is about as accurate",
        "App. G.2, Fig. 26",
        Gain(DENSE, 1, column=ON_VALIDATION, elsewhere=True),
        SIMILAR,
        note=WITHIN,
        subject=but(learning_rate=(0.0002, 0.0008, 0.002)),
        versus=ADAM,
    ),
    Claim(
        "G2c",
        "With other rates of Adam than 0.0012 and 0.002 the dense network reaches its early stop later",
        "App. G.2, Fig. 26",
        StopRatio(DENSE, 1, elsewhere=True),
        LATER,
        subject=but(learning_rate=others(LEARNING_RATES["adam", 0.0], 0.0012, 0.002)),
        versus=ADAM,
    ),
    Claim(
        "G3a",
        "With rates of 0.4 and 0.8 stochastic gradient descent reaches its early stop about as soon as Adam",
        "App. G.3, Fig. 27",
        StopRatio(DENSE, 1, elsewhere=True),
        Range(above=0.8, below=1.25),
        paper=1.0,
        comparable=False,
        note="the dense network, within a quarter",
        subject=Subject(LENET, MNIST, recipe={**PLAIN_SGD, "learning_rate": (0.4, 0.8)}),
        versus=ADAM,
    ),
    Claim(
        "G3b",
        "With these rates tickets of 1.0% still reach their early stop as soon as the dense network",
        "App. G.3, Fig. 27",
        StopRatio("iterative", 0.0096),
        Range(below=1.1),
        paper=1.0,
        comparable=False,
        note="at most a tenth later",
        subject=Subject(LENET, MNIST, recipe={**PLAIN_SGD, "learning_rate": (0.4, 0.8)}),
    ),
    Claim(
        "G3c",
        "Of all rates with momentum, 0.025 gives the most accurate dense network",
        "App. G.3, Fig. 28",
        Gain(DENSE, 1, column=ON_VALIDATION, elsewhere=True),
        WORSE,
        note="another rate, compared with 0.025",
        subject=Subject(LENET, MNIST, recipe={**MOMENTUM, "learning_rate": others(LEARNING_RATES["sgd", 0.9], 0.025)}),
        versus=Subject(LENET, MNIST, recipe={**MOMENTUM, "learning_rate": 0.025}),
    ),
    Claim(
        "G3d",
        "With momentum and a rate of 0.025 accuracy never improves with pruning",
        "App. G.3, Fig. 28",
        Gain("iterative", Between(1, 0.1), column=ON_VALIDATION),
        Range(below=0.1),
        note="mean from 80% to 10.8%, not more than 0.1 points",
        subject=Subject(LENET, MNIST, recipe={**MOMENTUM, "learning_rate": 0.025}),
    ),
    Claim(
        "G4a",
        "Pruned by 40% or more at a time tickets are less accurate than pruned by 20%",
        "App. G.4, Fig. 29",
        GainByWeights("iterative", 60_000, 2_500),
        WORSE,
        note="at as many weights, mean from 22% to 1%",
        subject=but(dense_rate=(0.4, 0.6, 0.8)),
        versus=ADAM,
    ),
    Claim(
        "G4b",
        "Pruned by 10% at a time they are as accurate as pruned by 20%",
        "App. G.4, Fig. 29",
        GainByWeights("iterative", 60_000, 2_500),
        NOT_BELOW,
        note=f"at as many weights, mean from 22% to 1%, {WITHIN} or more accurate",
        subject=but(dense_rate=0.1),
        versus=ADAM,
    ),
    Claim(
        "G5a",
        "From a normal distribution of width 0.1 tickets are about as accurate as from Glorot's",
        "App. G.5, Fig. 30",
        GainByWeights("iterative", 215_000, 9_000),
        SIMILAR,
        paper=0.0,
        comparable=False,
        note=f"mean from 80% to 3.6%, {WITHIN}",
        subject=but(initialisation="normal 0.1"),
        versus=ADAM,
    ),
    Claim(
        "G5b",
        "From normal distributions of other widths they are less accurate",
        "App. G.5, Fig. 30",
        GainByWeights("iterative", 215_000, 9_000),
        WORSE,
        note="mean from 80% to 3.6%",
        subject=but(initialisation=others(INITIALISATIONS, "glorot-normal", "normal 0.1")),
        versus=ADAM,
    ),
    Claim(
        "G6a",
        "Tickets of narrower networks are less accurate than as large ones of LeNet-300-100",
        "App. G.6, Fig. 31",
        GainByWeights("iterative", 215_000, 2_500),
        WORSE,
        note="mean over the sizes of both",
        subject=Subject(tuple(NARROWER), MNIST, recipe=PAPER),
        versus=ADAM,
    ),
    Claim(
        "G6b",
        "Tickets of wider networks are more accurate than as large ones of LeNet-300-100",
        "App. G.6, Fig. 31",
        GainByWeights("iterative", 215_000, 2_500),
        BETTER,
        note="mean over the sizes of both",
        subject=Subject(tuple(WIDER), MNIST, recipe=PAPER),
        versus=ADAM,
    ),
    Claim(
        "G6c",
        "Whatever the widths, tickets of 9,000 to 15,000 weights are as accurate as their dense network",
        "App. G.6, Fig. 31",
        Gain("iterative", Between(15_000, 9_000, "weights"), column=ON_VALIDATION),
        NOT_BELOW,
        paper=0.0,
        comparable=False,
        note=f"{WITHIN} or more accurate",
        subject=Subject((*NARROWER, *WIDER), MNIST, recipe=PAPER),
    ),
    Claim(
        "G6d",
        "Tickets of 4,500 to 9,000 weights are less accurate",
        "App. G.6, Fig. 31",
        Gain("iterative", Between(9_000, 4_500, "weights"), column=ON_VALIDATION),
        WORSE,
        subject=Subject((*NARROWER, *WIDER), MNIST, recipe=PAPER),
    ),
]
"""A claim about several values of a hyperparameter is judged for each of them that a run trains."""
