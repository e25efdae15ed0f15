"""Claims about tickets trained elsewhere than they were found (Morcos et al., 1906.02773): on another dataset, by
another optimiser. LeNet-300-100 on MNIST and Fashion-MNIST, with Adam and with SGD.

Accuracies are those at the end of training, of test images, means over the sizes from 41% to 2.9%.
"""

from functools import partial

from lottery.analysis import claim
from lottery.analysis.claim import BETTER, WORSE, Range, Subject
from lottery.analysis.experiment import FINAL
from lottery.analysis.measures import Between, Gain

Claim = partial(
    claim.Claim,
    family="follow-ups",
    subject=Subject("lenet-300-100", "mnist", also=("fashion-mnist",), trains=("transferred",)),
    note="mean over the sizes from 41% to 2.9%",
)
Exceeds = partial(Gain, "transferred", Between(0.42, 0.028), column=FINAL)

SOURCE = "arXiv 1906.02773, s. 4"

TRANSFER = [
    Claim(
        "TR1",
        "Tickets of another dataset or optimiser exceed as many weights at random places by more than 0.2 points",
        SOURCE,
        Exceeds(versus="random"),
        Range(above=0.2),
    ),
    Claim(
        "TR2",
        "They are less accurate than the target's own tickets",
        SOURCE,
        Exceeds(versus="iterative"),
        WORSE,
    ),
    Claim(
        "TR3",
        "They are more accurate than the target's own masks reinitialised",
        SOURCE,
        Exceeds(versus="iterative-reinit"),
        BETTER,
    ),
]
