"""The paper's claims about LeNet-300-100 on MNIST in its appendices."""

from functools import partial

from lottery.analysis import claim
from lottery.analysis.claim import AS_ACCURATE, BETTER, EARLIER, LATER, WORSE, Range, Subject
from lottery.analysis.claims_lenet import PAPER
from lottery.analysis.measures import FINAL

Claim = partial(claim.Claim, subject=Subject("lenet-300-100", "mnist", recipe=PAPER))

TICKET = 16.88
"""Percent of weights remaining at which claims about a ticket's weights are judged: the size of Figures 19 and 20."""

NAMES = {1: "first hidden layer", 2: "second hidden layer", 3: "output layer"}

NORMAL = 38.3
"""Percent of a normal distribution within half a standard deviation of 0."""

SAME_SHAPE = Range(above=0.8 * NORMAL, below=1.25 * NORMAL)
BIMODAL = Range(below=NORMAL / 2)
BIMODAL_NOTE = "within half a standard deviation of 0; less than half of the initialiser's"


def initial_weights(id_: str, text: str, layer: int, column: str, rule: Range, note: str = "") -> claim.Claim:
    """A share of the ticket's weights in a layer, by their initial values: a column of layers.csv."""
    return Claim(
        id_,
        text,
        "App. F.1, Fig. 15",
        lambda c: 100 * c.of_layer(layer, TICKET, column),
        "% of weights",
        rule,
        weights_remaining=TICKET / 100,
        note=note,
    )


def moves_further(layer: int, id_: str) -> claim.Claim:
    """Weights of the ticket move further than others while the dense network trains."""
    return Claim(
        id_,
        f"Weights of the ticket move further than others while the dense network trains: {NAMES[layer]}",
        "App. F.5, Fig. 19",
        lambda c: c.of_layer(layer, TICKET, "movement_ratio"),
        "ratio",
        LATER,
        weights_remaining=TICKET / 100,
    )


def moves_outwards(layer: int, id_: str) -> claim.Claim:
    """They move away from 0 more often."""
    return Claim(
        id_,
        f"Weights of the ticket move away from 0 more often than others: {NAMES[layer]}",
        "App. F.5, Fig. 20",
        lambda c: 100 * (c.of_layer(layer, TICKET, "grew") - c.of_layer(layer, TICKET, "grew_rest")),
        "points",
        BETTER,
        weights_remaining=TICKET / 100,
    )


APPENDIX = [
    Claim(
        "B1",
        "Tickets set back after every pruning have a higher validation accuracy at early stop than those set back once,"
        " from 21.1% down",
        "App. B, Fig. 9",
        lambda c: c.accuracy_gain_between(
            "iterative", 21.2, 0, "validation_accuracy_at_early_stop", versus="continued"
        ),
        "points",
        BETTER,
        note="mean over the sizes trained",
    ),
    Claim(
        "B2",
        "They reach their early stop sooner, from 21.1% down",
        "App. B, Fig. 9",
        lambda c: c.early_stop_ratio_between("iterative", 21.2, 0, versus="continued"),
        "ratio",
        EARLIER,
        note="mean over the sizes trained",
    ),
    Claim(
        "L7c",
        "From 3.6% down training accuracy at the end is higher for tickets than for the same masks reinitialised",
        "App. D, Fig. 12",
        lambda c: c.accuracy_gain_between("iterative", 3.6, 0, "train_accuracy_final", versus="iterative-reinit"),
        "points",
        BETTER,
        needs_iterations=50_000,
        note="mean over the sizes trained",
    ),
    Claim(
        "L13",
        "The 21.1% ticket reinitialised reaches its early stop later than the dense network",
        "s. 2: 2.51 x 0.62",
        lambda c: c.early_stop_ratio("iterative-reinit", 21.1),
        "ratio",
        LATER,
        paper=1.56,
        weights_remaining=0.211,
    ),
    Claim(
        "E1",
        "Tickets reinitialised end more accurate than random sparse networks, from 51.3% down",
        "App. E, Fig. 14",
        lambda c: c.accuracy_gain_between("iterative-reinit", 51.3, 0, FINAL, versus="random"),
        "points",
        BETTER,
        needs_iterations=50_000,
        note="mean over the sizes trained",
    ),
    Claim(
        "F3",
        "Reinitialised from the ticket's own initial values the 21.1% ticket is less accurate at early stop",
        "App. F.3, Fig. 17",
        lambda c: c.accuracy_gain("own-values", 21.1, versus="iterative"),
        "points",
        WORSE,
        weights_remaining=0.211,
    ),
    Claim(
        "F4",
        "Pruned by initial magnitude networks are less accurate at early stop than tickets reinitialised, from 51.3%"
        " down",
        "App. F.4, Fig. 18",
        lambda c: c.accuracy_gain_between("initial-magnitude", 51.3, 0, versus="iterative-reinit"),
        "points",
        WORSE,
        note="mean over the sizes trained",
    ),
    Claim(
        "F7a",
        "With noise of 0.5 standard deviations on its initial weights the 21.1% ticket is as accurate at early stop",
        "App. F.7, Fig. 25",
        lambda c: c.accuracy_gain("noise-0.5", 21.1, versus="iterative"),
        "points",
        AS_ACCURATE,
        paper=0.0,
        weights_remaining=0.211,
        note="within 0.2 points",
    ),
    Claim(
        "F7b",
        "With noise of 3 standard deviations tickets are more accurate at early stop than reinitialised, from 51.3%"
        " down",
        "App. F.7, Fig. 25",
        lambda c: c.accuracy_gain_between("noise-3", 51.3, 0, versus="iterative-reinit"),
        "points",
        BETTER,
        note="mean over the sizes trained",
    ),
    initial_weights(
        "F1a",
        "The ticket's initial weights keep the initialiser's shape in the first hidden layer",
        1,
        "near_zero",
        SAME_SHAPE,
        "within half a standard deviation of 0; the same as of the initialiser within a quarter",
    ),
    initial_weights("F1b", "They have two modes in the second hidden layer", 2, "near_zero", BIMODAL, BIMODAL_NOTE),
    initial_weights("F1c", "They have two modes in the output layer", 3, "near_zero", BIMODAL, BIMODAL_NOTE),
    initial_weights(
        "F1d", "More of them are positive than negative in the second hidden layer", 2, "positive", Range(above=50)
    ),
    initial_weights(
        "F1e", "More of them are negative than positive in the output layer", 3, "positive", Range(below=50)
    ),
    *(moves_further(layer, f"F5{letter}") for layer, letter in zip(NAMES, "abc", strict=True)),
    *(moves_outwards(layer, f"F5{letter}") for layer, letter in zip(NAMES, "def", strict=True)),
    Claim(
        "F6a",
        "Units of the first hidden layer differ more in how many outgoing links the ticket keeps than in incoming ones",
        "App. F.6, Figs. 21 and 23",
        lambda c: c.of_layer(2, TICKET, "outgoing_sd") / c.of_layer(1, TICKET, "incoming_sd"),
        "ratio",
        LATER,
        weights_remaining=TICKET / 100,
        note="standard deviation over units of the share of links kept",
    ),
    Claim(
        "F6b",
        "So do units of the second hidden layer",
        "App. F.6, Figs. 21 and 23",
        lambda c: c.of_layer(3, TICKET, "outgoing_sd") / c.of_layer(2, TICKET, "incoming_sd"),
        "ratio",
        LATER,
        weights_remaining=TICKET / 100,
        note="standard deviation over units of the share of links kept",
    ),
]
