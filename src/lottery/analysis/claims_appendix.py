"""The paper's claims about LeNet-300-100 on MNIST in Appendices B to F, but those about the ticket's weights."""

from dataclasses import replace

from lottery.analysis.claim import AS_ACCURATE, BETTER, EARLIER, LATER, WORSE
from lottery.analysis.claims_lenet import SGD, Claim
from lottery.analysis.measures import FINAL, ON_VALIDATION

APPENDIX = [
    Claim(
        "B1",
        "Tickets set back after every pruning have a higher validation accuracy at early stop than those set back once,"
        " from 21.1% down",
        "App. B, Fig. 9",
        lambda c: c.accuracy_gain_between("iterative", 21.2, 0, ON_VALIDATION, versus="continued"),
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
]
APPENDIX += [replace(claim, subject=SGD) for claim in APPENDIX if claim.id in ("F3", "F4")]
