"""The paper's claims about LeNet-300-100 on MNIST (section 2, Figures 3 and 4), and two of small dense networks."""

from functools import partial

from lottery.analysis import claim
from lottery.analysis.claim import BETTER, EARLIER, LATER, WORSE, Range, Recipe, Subject
from lottery.analysis.experiment import FINAL, TRAIN_FINAL
from lottery.analysis.measures import Accuracy, Between, DownTo, Gain, StopRatio

PAPER: Recipe = {
    "optimizer": "adam",
    "learning_rate": 0.0012,
    "batch_size": 60,
    "initialisation": "glorot-normal",
    "dense_rate": 0.2,
}
"""The recipe of the paper's Figures 3 and 4; it does not say how inputs are scaled."""

ADAM = Subject("lenet-300-100", "mnist", recipe=PAPER)
SGD = Subject("lenet-300-100", "mnist", recipe={**PAPER, "optimizer": "sgd", "learning_rate": 0.8, "momentum": 0.0})
"""The same with stochastic gradient descent, as in the paper's Appendix F."""

Claim = partial(claim.Claim, subject=ADAM)

LENET = [
    Claim(
        "A1",
        "A ticket of less than 20% of the network's size is as accurate as the dense network",
        "abstract: less than 10-20%",
        Gain("iterative", 0.169),
        Range(above=-0.2),
        paper=0.0,
        comparable=False,
        note="at early stop, at the largest size below 20%; as accurate: within 0.2 points, as a matching network in"
        " arXiv 1912.05671",
    ),
    Claim(
        "L1a",
        "The 51.3% ticket reaches its early stop sooner than the dense network",
        "s. 2, Fig. 3",
        StopRatio("iterative", 0.513),
        EARLIER,
    ),
    Claim(
        "L1b",
        "The 51.3% ticket is more accurate than the dense network at early stop",
        "s. 2, Fig. 3",
        Gain("iterative", 0.513),
        BETTER,
    ),
    Claim(
        "L1c",
        "The 51.3% ticket reaches its early stop later than the 21.1% ticket",
        "s. 2, Fig. 3",
        StopRatio("iterative", 0.513, versus="iterative", versus_size=0.211),
        LATER,
    ),
    Claim(
        "L2",
        "The 21.1% ticket reaches its early stop sooner than the dense network",
        "s. 2, Fig. 4a",
        StopRatio("iterative", 0.211),
        EARLIER,
        paper=0.62,
    ),
    Claim(
        "L3a",
        "Below 21.1% learning slows: the 3.6% ticket reaches its early stop later than the 21.1% ticket",
        "s. 2, Fig. 4a",
        StopRatio("iterative", 0.036, versus="iterative", versus_size=0.211),
        LATER,
    ),
    Claim(
        "L3b",
        "The 3.6% ticket is back at the dense network's early-stop time",
        "s. 2, Fig. 4a",
        StopRatio("iterative", 0.036, equal=True),
        Range(above=0.8, below=1.25),
        paper=1.0,
        comparable=False,
        note="equal within a quarter",
    ),
    Claim(
        "L4",
        "The 13.5% ticket is more accurate than the dense network at early stop",
        "s. 2, Fig. 4a",
        Gain("iterative", 0.135),
        BETTER,
        paper=0.3,
        note="the paper: by more than 0.3 points",
    ),
    Claim(
        "L5",
        "The 3.6% ticket is back at the dense network's accuracy at early stop",
        "s. 2, Fig. 4a",
        Gain("iterative", 0.036),
        Range(above=-0.2, below=0.2),
        paper=0.0,
        comparable=False,
        note="equal within 0.2 points, the width of a matching network in arXiv 1912.05671",
    ),
    Claim(
        "L6",
        "After 50,000 iterations tickets are still more accurate than the dense network",
        "s. 2, Fig. 4b",
        Gain("iterative", Between(0.514, 0.069), column=FINAL),
        BETTER,
        paper=0.35,
        needs_iterations=50_000,
        comparable=False,
        note="the paper's number is the largest of all sizes, ours the mean from 51.3% to 7.0%",
    ),
    Claim(
        "L7a",
        "After 50,000 iterations training accuracy is 100% for tickets of at least 5%",
        "s. 2, App. D",
        Accuracy("iterative", DownTo(0.05), column=TRAIN_FINAL),
        Range(above=99.9),
        paper=100,
        needs_iterations=50_000,
        note="at each replicate's worst size",
    ),
    Claim(
        "L7b",
        "After 50,000 iterations training accuracy is about 100% for tickets of at least 2%",
        "Fig. 4 caption",
        Accuracy("iterative", DownTo(0.02), column=TRAIN_FINAL),
        Range(above=99),
        paper=100,
        needs_iterations=50_000,
        note="at each replicate's worst size",
    ),
    Claim(
        "L8a",
        "Reinitialised, the 21.1% ticket is less accurate than the dense network at early stop",
        "s. 2, Fig. 4a",
        Gain("iterative-reinit", 0.211),
        WORSE,
    ),
    Claim(
        "L8b",
        "The 2.9% ticket is less accurate than the dense network at early stop",
        "s. 2, Fig. 4a",
        Gain("iterative", 0.029),
        WORSE,
    ),
    Claim(
        "L9a",
        "The 21.1% ticket reaches its early stop sooner than when it is reinitialised",
        "s. 2, Fig. 4a",
        StopRatio("iterative-reinit", 0.211, versus="iterative"),
        LATER,
        paper=2.51,
    ),
    Claim(
        "L9b",
        "The 21.1% ticket is more accurate at early stop than when it is reinitialised",
        "s. 2, Fig. 4a",
        Gain("iterative", 0.211, versus="iterative-reinit"),
        BETTER,
        paper=0.5,
    ),
    Claim(
        "L10",
        "One-shot tickets from 67.5% to 17.6% reach their early stop sooner than the dense network",
        "s. 2, Fig. 4c",
        StopRatio("one-shot", Between(0.676, 0.176)),
        EARLIER,
        note="mean over the sizes trained",
    ),
    Claim(
        "L11",
        "One-shot tickets from 95.0% to 5.17% are more accurate than the dense network at early stop",
        "s. 2, Fig. 4c",
        Gain("one-shot", Between(0.951, 0.0517)),
        BETTER,
        note="mean over the sizes trained",
    ),
    Claim(
        "L12",
        "At small sizes iterative tickets are more accurate at early stop than one-shot tickets",
        "s. 2, Fig. 4a",
        Gain("iterative", Between(0.1, 0), versus="one-shot"),
        BETTER,
        note="mean over the sizes of at most 10% that both arms trained",
    ),
    Claim(
        "SDa",
        "A ticket of 21.1% is more accurate at early stop than a small dense network of as many weights",
        "cf. App. G.6",
        Gain("iterative", 0.211, versus="small-dense"),
        BETTER,
        note="the paper compares tickets of wider and narrower networks",
        family="ours",
    ),
    Claim(
        "SDb",
        "A ticket of 7.0% is more accurate at early stop than a small dense network of as many weights",
        "cf. App. G.6",
        Gain("iterative", 0.07, versus="small-dense"),
        BETTER,
        note="the paper compares tickets of wider and narrower networks",
        family="ours",
    ),
]
