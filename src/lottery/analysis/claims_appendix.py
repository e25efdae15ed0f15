"""The paper's claims about LeNet-300-100 on MNIST in Appendices B to F, but those about the ticket's weights."""

from dataclasses import replace

from lottery.analysis.claim import AS_ACCURATE, BETTER, EARLIER, LATER, WORSE
from lottery.analysis.claims_lenet import SGD, Claim
from lottery.analysis.experiment import FINAL, ON_VALIDATION, TRAIN_FINAL
from lottery.analysis.measures import Between, Gain, StopRatio

APPENDIX = [
    Claim(
        "B1",
        "Tickets set back after every pruning have a higher validation accuracy at early stop than those set back once,"
        " from 21.1% down",
        "App. B, Fig. 9",
        Gain("iterative", Between(0.212, 0), column=ON_VALIDATION, versus="continued"),
        BETTER,
        note="mean over the sizes trained",
    ),
    Claim(
        "B2",
        "They reach their early stop sooner, from 21.1% down",
        "App. B, Fig. 9",
        StopRatio("iterative", Between(0.212, 0), versus="continued"),
        EARLIER,
        note="mean over the sizes trained",
    ),
    Claim(
        "L7c",
        "From 3.6% down training accuracy at the end is higher for tickets than for the same masks reinitialised",
        "App. D, Fig. 12",
        Gain("iterative", Between(0.036, 0), column=TRAIN_FINAL, versus="iterative-reinit"),
        BETTER,
        needs_iterations=50_000,
        note="mean over the sizes trained",
    ),
    Claim(
        "L13",
        "The 21.1% ticket reinitialised reaches its early stop later than the dense network",
        "s. 2: 2.51 x 0.62",
        StopRatio("iterative-reinit", 0.211),
        LATER,
        paper=1.56,
    ),
    Claim(
        "E1",
        "Tickets reinitialised end more accurate than random sparse networks, from 51.3% down",
        "App. E, Fig. 14",
        Gain("iterative-reinit", Between(0.513, 0), column=FINAL, versus="random"),
        BETTER,
        needs_iterations=50_000,
        note="mean over the sizes trained",
    ),
    Claim(
        "F3",
        "Reinitialised from the ticket's own initial values the 21.1% ticket is less accurate at early stop",
        "App. F.3, Fig. 17",
        Gain("own-values", 0.211, versus="iterative"),
        WORSE,
    ),
    Claim(
        "F4",
        "Pruned by initial magnitude networks are less accurate at early stop than tickets reinitialised, from 51.3%"
        " down",
        "App. F.4, Fig. 18",
        Gain("initial-magnitude", Between(0.513, 0), versus="iterative-reinit"),
        WORSE,
        note="mean over the sizes trained",
    ),
    Claim(
        "F7a",
        "With noise of 0.5 standard deviations on its initial weights the 21.1% ticket is as accurate at early stop",
        "App. F.7, Fig. 25",
        Gain("noise-0.5", 0.211, versus="iterative"),
        AS_ACCURATE,
        paper=0.0,
        comparable=False,
        note="within 0.2 points",
    ),
    Claim(
        "F7b",
        "With noise of 3 standard deviations tickets are more accurate at early stop than reinitialised, from 51.3%"
        " down",
        "App. F.7, Fig. 25",
        Gain("noise-3", Between(0.513, 0), versus="iterative-reinit"),
        BETTER,
        note="mean over the sizes trained",
    ),
]
APPENDIX += [replace(claim, subject=SGD) for claim in APPENDIX if claim.id in ("F3", "F4")]
