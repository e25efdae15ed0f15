"""Claims about the error on the line between two trained networks: one basin, and stability to the noise of training.

2 points are what Frankle et al. (1912.05671, section 2) count as no barrier. LeNet-300-100 on MNIST, and ResNet-8 in
`claims_rewinding`.
"""

from functools import partial

from lottery.analysis import claim
from lottery.analysis.barriers import column_of
from lottery.analysis.claim import WORSE, Range, Subject
from lottery.analysis.measures import DownTo
from lottery.analysis.measures_lines import Barrier, whole

LENET, SMALLEST = "lenet-300-100", DownTo(0.028)

CONNECTED, APART = Range(below=2), Range(above=5)


def where(*pairs: str) -> Subject:
    """LeNet, by whatever recipe, where the run has measured these pairs."""
    return Subject(LENET, "mnist", scope=None, tells=tuple(map(column_of, pairs)))


Claim = partial(claim.Claim, family="follow-ups")

RELEARNT, LEVELS, STABLE = "arXiv 2010.03533", "arXiv 2210.03044", "arXiv 1912.05671, s. 3 and 4"
GREATEST = "at the size where the mean barrier is greatest"

LINES = [
    Claim(
        "BA1a",
        "From a ticket to the pruned solution that it comes from error rises by less than 2 points, at every size from"
        " 80% to 2.9%",
        RELEARNT,
        Barrier("pruned-solution", SMALLEST),
        CONNECTED,
        note=GREATEST,
        subject=where("pruned-solution"),
    ),
    Claim(
        "BA1b",
        "So it does on training images",
        RELEARNT,
        Barrier("pruned-solution", SMALLEST, part="train"),
        CONNECTED,
        note=GREATEST,
        subject=where("pruned-solution"),
    ),
    Claim(
        "BA2",
        "From a ticket to that of the level before error rises by less than 2 points, at every size from 80% to 2.9%",
        LEVELS,
        Barrier("levels", SMALLEST),
        CONNECTED,
        note=GREATEST,
        subject=where("levels"),
    ),
    Claim(
        "BA3",
        "From the ticket's mask reinitialised to the pruned solution error rises by more than 5 points, at every size"
        " from 80% to 2.9%",
        RELEARNT,
        Barrier("reinit-and-pruned-solution", SMALLEST, least=True),
        APART,
        note="at the size where the mean barrier is least",
        subject=where("reinit-and-pruned-solution"),
    ),
    Claim(
        "ST1",
        "Dense networks are stable from the start: between two of the same initial weights error rises by less than 2"
        " points",
        STABLE,
        whole("dense-twins"),
        CONNECTED,
        subject=where("dense-twins"),
    ),
    Claim(
        "ST2a",
        "Tickets of 21.1% are stable from the start",
        STABLE,
        Barrier("ticket-twins", 0.211),
        CONNECTED,
        subject=where("ticket-twins"),
    ),
    Claim(
        "ST2b",
        "Tickets of 3.6% are stable from the start",
        STABLE,
        Barrier("ticket-twins", 0.036),
        CONNECTED,
        subject=where("ticket-twins", "reinit-twins"),
    ),
    Claim(
        "ST3a",
        "Tickets of 3.6% are more stable than their masks reinitialised",
        STABLE,
        Barrier("ticket-twins", 0.036, minus="reinit-twins"),
        WORSE,
        note="difference of barriers",
        subject=where("ticket-twins", "reinit-twins"),
    ),
    Claim(
        "ST3b",
        "Tickets of 3.6% are more stable than as many weights at random places",
        STABLE,
        Barrier("ticket-twins", 0.036, minus="random-twins"),
        WORSE,
        note="difference of barriers",
        subject=where("ticket-twins", "random-twins"),
    ),
    Claim(
        "ST4",
        "Dense networks that part at iteration 2,000 are more stable than those that part at the start",
        STABLE,
        whole("dense-twins-at-2000", minus="dense-twins"),
        WORSE,
        note="difference of barriers",
        subject=where("dense-twins-at-2000", "dense-twins"),
    ),
]
