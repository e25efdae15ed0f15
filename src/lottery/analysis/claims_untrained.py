"""Claims about networks whose weights are never trained, only masked (Zhou et al., 1905.01067; Ramanujan et al.,
1911.13299): LeNet on MNIST. Accuracies are of the test images.

Margins come from what the follow-ups report, of longer trainings: 40% for masks of largest weights, 86% for the best
mask that training leaves, 95% for one that is learnt.
"""

from functools import partial

from lottery.analysis.claim import BETTER, WORSE, Claim, Range, Subject
from lottery.analysis.experiment import FINAL
from lottery.analysis.measures import Accuracy, Between, Gain, Measure
from lottery.arms.places import DENSE

ZHOU, RAMANUJAN = "arXiv 1905.01067", "arXiv 1911.13299"

HALF, THIRD, SMALL = 0.513, 0.33, 0.029
"""Sizes: of the learnt masks at all widths, in the middle of the range, and the smallest."""

follow_up = partial(Claim, family="follow-ups", comparable=False)

MIDDLE = Between(HALF + 0.01, SMALL)

WIDER = "lenet-900-300"


def subject(*arms: str, network: str = "lenet-300-100") -> Subject:
    """LeNet pruned layer by layer, where these arms are run."""
    return Subject(network, "mnist", trains=arms)


def claim(id_: str, text: str, where: str, measure: Measure, rule: Range, *arms: str, **more: object) -> Claim:
    return follow_up(id_, text, where, measure, rule, subject=subject(*arms), **more)  # type: ignore[arg-type]


UNTRAINED = [
    claim(
        "U1a",
        "A ticket's mask on initial weights that are never trained is right about more than 40% of the images, from"
        " 51.3% to 2.9% of the weights",
        ZHOU,
        Accuracy("iterative-untrained", MIDDLE),
        Range(above=40),
        "iterative-untrained",
        note="mean over the sizes run",
        paper=40.0,
    ),
    claim(
        "U1b",
        "A random mask of these sizes is right about fewer than 20%",
        "ours",
        Accuracy("random-untrained", MIDDLE),
        Range(below=20),
        "random-untrained",
        note="mean over the sizes run; chance is 10%",
    ),
    claim(
        "U2",
        "Never trained, weights that kept their sign make better masks than the largest ones",
        ZHOU,
        Gain("one-shot-same-sign-untrained", MIDDLE, column=FINAL, versus="one-shot-untrained"),
        BETTER,
        "one-shot-same-sign-untrained",
        "one-shot-untrained",
        note="mean over the sizes run",
    ),
    claim(
        "U3",
        "Never trained, one magnitude in each layer is better than the initial weights under the same masks of weights"
        " that kept their sign",
        ZHOU,
        Gain("one-shot-same-sign-constant-untrained", MIDDLE, column=FINAL, versus="one-shot-same-sign-untrained"),
        BETTER,
        "one-shot-same-sign-constant-untrained",
        "one-shot-same-sign-untrained",
        note="mean over the sizes run",
        paper=7.0,
    ),
    claim(
        "U4",
        "With the signs that training keeps and one magnitude in each layer, networks of a third of the weights that"
        " are never trained are right about more than 80%",
        ZHOU,
        Accuracy("one-shot-same-sign-constant-untrained", THIRD),
        Range(above=80),
        "one-shot-same-sign-constant-untrained",
        paper=86.3,
    ),
    claim(
        "U5a",
        "A learnt supermask of half of the weights, never trained, is right about more than 90%",
        ZHOU,
        Accuracy("supermask-untrained", HALF),
        Range(above=90),
        "supermask-untrained",
        paper=95.3,
    ),
    claim(
        "U5b",
        "It is less accurate than the trained dense network",
        ZHOU,
        Gain("supermask-untrained", HALF, column=FINAL, versus=DENSE),
        WORSE,
        "supermask-untrained",
        paper=-2.4,
    ),
    claim(
        "U6",
        "Edge-popup finds masks of half of the weights that are right about more than 90%, never trained",
        RAMANUJAN,
        Accuracy("edge-popup-untrained", HALF),
        Range(above=90),
        "edge-popup-untrained",
        note="the follow-up's networks are larger; its margin here is that of U5a",
    ),
    claim(
        "U7",
        "Learnt masks are more accurate than those that training leaves, from 51.3% to 16.9%",
        ZHOU,
        Gain("supermask-untrained", Between(HALF + 0.01, 0.1), column=FINAL, versus="iterative-untrained"),
        BETTER,
        "supermask-untrained",
        "iterative-untrained",
        note="mean over the sizes run",
        paper=16.0,
    ),
    *(
        follow_up(
            f"U8{letter}",
            f"The wider the network, the better masks {name} finds: {network} is less accurate than {WIDER}, at half of"
            " their weights",
            where,
            Gain(arm, HALF, column=FINAL, versus=arm, elsewhere=True),
            WORSE,
            subject=subject(arm, network=network),
            versus=subject(arm, network=WIDER),
        )
        for letter, arm, name, network, where in (
            ("a", "supermask-untrained", "learning supermasks", "lenet-300-100", ZHOU),
            ("b", "supermask-untrained", "learning supermasks", "lenet-75-25", ZHOU),
            ("c", "edge-popup-untrained", "edge-popup", "lenet-300-100", RAMANUJAN),
            ("d", "edge-popup-untrained", "edge-popup", "lenet-75-25", RAMANUJAN),
        )
    ),
]
