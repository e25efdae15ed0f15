"""The paper's claims about which weights are in a ticket, Appendix F: LeNet on MNIST, with Adam and with SGD."""

from functools import partial

from lottery.analysis import claim
from lottery.analysis.claim import BETTER, EARLIER, LATER, Range, Subject
from lottery.analysis.claims_lenet import ADAM, SGD
from lottery.analysis.measures import LayerRatio, LayerShare

Claim = partial(claim.Claim, family="weights")

TICKET = 16.88 / 100
"""Weights remaining at which claims about a ticket's weights are judged: the size of Figures 19 and 20."""

NAMES = {1: "first hidden layer", 2: "second hidden layer", 3: "output layer"}

NORMAL = 38.3
"""Percent of a normal distribution within half a standard deviation of 0."""

WHERE = ("App. F.1, Fig. 15", "App. F.2, Fig. 16")

SPREAD = "standard deviation over units of the share of links kept"


def two_modes(id_: str, subject: Subject, layer: int) -> claim.Claim:
    """The initial values of the ticket's weights in a layer have two modes, one on each side of 0."""
    return Claim(
        id_,
        f"The ticket's initial weights have two modes: {NAMES[layer]}",
        WHERE[subject is SGD],
        LayerShare("near_zero", layer, TICKET),
        Range(below=NORMAL / 2),
        note="within half a standard deviation of 0; less than half of the initialiser's",
        subject=subject,
    )


def signs(id_: str, subject: Subject, layer: int, *, positive: bool) -> claim.Claim:
    """More of them have one sign."""
    more, fewer = ("positive", "negative") if positive else ("negative", "positive")
    return Claim(
        id_,
        f"More of them are {more} than {fewer}: {NAMES[layer]}",
        WHERE[subject is SGD],
        LayerShare("positive", layer, TICKET),
        Range(above=50) if positive else Range(below=50),
        subject=subject,
    )


def moves_further(id_: str, layer: int) -> claim.Claim:
    """Weights of the ticket move further than others while the dense network trains."""
    return Claim(
        id_,
        f"Weights of the ticket move further than others while the dense network trains: {NAMES[layer]}",
        "App. F.5, Fig. 19",
        LayerRatio("movement_ratio", layer, TICKET),
        LATER,
        subject=ADAM,
    )


def moves_outwards(id_: str, layer: int) -> claim.Claim:
    """They move away from 0 more often."""
    return Claim(
        id_,
        f"Weights of the ticket move away from 0 more often than others: {NAMES[layer]}",
        "App. F.5, Fig. 20",
        LayerShare("grew", layer, TICKET, minus="grew_rest"),
        BETTER,
        subject=ADAM,
    )


def milder_with_sgd(id_: str, layer: int) -> claim.Claim:
    """Outgoing links are spread less unevenly with stochastic gradient descent; into this layer."""
    return Claim(
        id_,
        f"With SGD outgoing links are spread less unevenly over units than with Adam: {NAMES[layer - 1]}",
        "App. F.6, Figs. 23 and 24",
        LayerRatio("outgoing_sd", layer, TICKET, elsewhere=True),
        EARLIER,
        note=SPREAD,
        subject=SGD,
        versus=ADAM,
    )


WEIGHTS = [
    Claim(
        "F1a",
        "The ticket's initial weights keep the initialiser's shape: first hidden layer",
        WHERE[0],
        LayerShare("near_zero", 1, TICKET),
        Range(above=0.8 * NORMAL, below=1.25 * NORMAL),
        note="within half a standard deviation of 0; the same as of the initialiser within a quarter",
        subject=ADAM,
    ),
    two_modes("F1b", ADAM, 2),
    two_modes("F1c", ADAM, 3),
    signs("F1d", ADAM, 2, positive=True),
    signs("F1e", ADAM, 3, positive=False),
    two_modes("F2a", SGD, 1),
    two_modes("F2b", SGD, 2),
    two_modes("F2c", SGD, 3),
    signs("F2d", SGD, 1, positive=False),
    signs("F2e", SGD, 2, positive=True),
    signs("F2f", SGD, 3, positive=True),
    *(moves_further(f"F5{letter}", layer) for layer, letter in zip(NAMES, "abc", strict=True)),
    *(moves_outwards(f"F5{letter}", layer) for layer, letter in zip(NAMES, "def", strict=True)),
    Claim(
        "F6a",
        "Units of the first hidden layer differ more in how many outgoing links the ticket keeps than in incoming ones",
        "App. F.6, Figs. 21 and 23",
        LayerRatio("outgoing_sd", 2, TICKET, over=("incoming_sd", 1)),
        LATER,
        note=SPREAD,
        subject=ADAM,
    ),
    Claim(
        "F6b",
        "So do units of the second hidden layer",
        "App. F.6, Figs. 21 and 23",
        LayerRatio("outgoing_sd", 3, TICKET, over=("incoming_sd", 2)),
        LATER,
        note=SPREAD,
        subject=ADAM,
    ),
    milder_with_sgd("F6c", 2),
    milder_with_sgd("F6d", 3),
]
