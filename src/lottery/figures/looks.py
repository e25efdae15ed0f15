"""How each arm is drawn. Light to import, so that an arm without a look is found before anything is trained."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """How a line is drawn. The colours are those of Okabe and Ito, distinct for the colour-blind."""

    label: str
    color: str
    marker: str
    line: str
    hollow: bool = False


LOOKS = {
    "iterative": Look("winning ticket (iterative)", "#0072B2", "o", "-"),
    "iterative-reinit": Look("random reinit (iterative)", "#E69F00", "s", "--"),
    "one-shot": Look("winning ticket (one-shot)", "#009E73", "^", "-"),
    "one-shot-reinit": Look("random reinit (one-shot)", "#D55E00", "v", "--"),
    "random": Look("random sparse network", "#CC79A7", "D", ":"),
    "small-dense": Look("small dense network", "#000000", "P", "-."),
    "continued": Look("trained on while pruned, then rewound", "#009E73", "v", "--", hollow=True),
    "own-values": Look("reinit from the ticket's own values", "#56B4E9", "^", "--", hollow=True),
    "initial-magnitude": Look("pruned by initial magnitude", "#CC79A7", "X", "-."),
    "noise-0.5": Look("noise of 0.5 sd", "#56B4E9", "^", "-", hollow=True),
    "noise-1": Look("noise of 1 sd", "#009E73", "v", "-.", hollow=True),
    "noise-2": Look("noise of 2 sd", "#CC79A7", "D", ":", hollow=True),
    "noise-3": Look("noise of 3 sd", "#D55E00", "P", "--", hollow=True),
}
"""An arm's look; in no figure do two that are drawn together look alike."""
