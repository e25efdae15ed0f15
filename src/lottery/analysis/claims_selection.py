"""Claims about which weights training selects, and when: LeNet-300-100 on MNIST, tickets of 21.1%.

Overlaps are shares of a mask's weights that another mask keeps, over what they would be by chance.
"""

from functools import partial

from lottery.analysis import claim
from lottery.analysis.claim import BETTER, LATER, Range, Subject
from lottery.analysis.measures import LayerRatio, LayerShare
from lottery.analysis.measures_lines import LayerValue

SIZE = 0.211

Claim = partial(
    claim.Claim,
    family="follow-ups",
    subject=Subject("lenet-300-100", "mnist", tells=("overlap_same_start",)),
)

SAME, ANOTHER = "overlap_same_start", "overlap_another_start"

FIXED, EARLY = "contrary to arXiv 2006.07014, which finds no more than by chance", "arXiv 1909.11957, s. 3"

LAYERS = {1: "first hidden layer", 2: "second hidden layer"}

SELECTION = [
    *(
        Claim(
            f"SE1{letter}",
            f"Two trainings from the same start would keep more than 1.5 times as many weights in common as by chance:"
            f" {LAYERS[layer]}",
            FIXED,
            LayerRatio(SAME, layer, SIZE),
            Range(above=1.5),
            note="pruned at once, other batches",
        )
        for letter, layer in zip("ab", LAYERS, strict=True)
    ),
    *(
        Claim(
            f"SE2{letter}",
            f"They would keep more weights in common than two trainings from different starts: {LAYERS[layer]}",
            FIXED,
            LayerRatio(SAME, layer, SIZE, over=(ANOTHER, layer)),
            LATER,
            note="pruned at once",
        )
        for letter, layer in zip("ab", LAYERS, strict=True)
    ),
    Claim(
        "SE3",
        "They keep more in common than initial magnitude alone explains: first hidden layer",
        FIXED,
        LayerRatio(SAME, 1, SIZE, over=("overlap_initial_magnitude", 1)),
        LATER,
        note="overlap of two trainings over that of a training with the largest initial weights",
    ),
    Claim(
        "SE4",
        "So do tickets pruned again and again: those of one start with other batches against those of different starts,"
        " first hidden layer",
        FIXED,
        LayerRatio("overlap_iterative_same_start", 1, SIZE, over=("overlap_iterative_another_start", 1)),
        LATER,
    ),
    *(
        Claim(
            f"SE5{letter}",
            f"The mask is settled within an eighth of training (an early bird): {LAYERS[layer]}",
            EARLY,
            LayerValue("early_bird", layer, SIZE),
            Range(below=12.5),
            note="distances of at most 0.1 to the masks of four snapshots before, 1.1 epochs apart; there of channels",
        )
        for letter, layer in zip("ab", LAYERS, strict=True)
    ),
    Claim(
        "SE6",
        "Weights of the ticket keep their initial sign more often than others: first hidden layer",
        "arXiv 1905.01067, s. 4",
        LayerShare("sign_kept", 1, SIZE, minus="sign_kept_rest"),
        BETTER,
    ),
    Claim(
        "SE7",
        "Units keep neighbouring pixels together more often than others",
        "arXiv 2104.13343",
        LayerRatio("neighbours", 1, SIZE),
        LATER,
        note="against how often the pixels, and the units' links, are kept by themselves",
    ),
]
