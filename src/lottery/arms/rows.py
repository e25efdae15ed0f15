"""The table of arms. A row reaches jobs as text, so a further one repeats none."""

from lottery.arms.arm import Arm
from lottery.arms.masks import Aligned, Borrowed, Mask, Moved, Pruned, Shuffled, Transferred, Whole
from lottery.arms.places import DENSE
from lottery.arms.starts import (
    Constant,
    Continued,
    Fresh,
    Noisy,
    OwnValues,
    RandomSigns,
    Retrained,
    Rewound,
    SameSign,
    ShuffledValues,
    Start,
    TurnedSigns,
)

LATE_POINTS = (100, 300, 500, 1000, 2000)
"""Iterations that arms of late rewinding go back to, several in one experiment."""


def before_training(name: str, criterion: str) -> list[Arm]:
    """Pruning before training, and its three controls (Frankle et al., 2009.08576): as many weights of each layer at
    random places, fresh weights, and the weights that score least.
    """
    return [
        Arm(name, Pruned(criterion, of="the initial weights"), Rewound()),
        Arm(f"{name}-shuffled", Shuffled(name), Rewound()),
        Arm(f"{name}-reinit", Borrowed(name), Fresh()),
        Arm(f"{name}-inverted", Pruned(criterion, of="the initial weights", inverted=True), Rewound()),
    ]


def untrained(name: str, mask: Pruned) -> list[Arm]:
    """A mask on the initial weights, and on their signs with one magnitude in each layer, neither ever trained."""
    return [
        Arm(f"{name}-untrained", mask, Rewound(), trained=False),
        Arm(f"{name}-constant-untrained", mask, Constant(), trained=False),
    ]


def late_rewinding(k: int) -> list[Arm]:
    """Tickets rewound to an iteration, their masks with fresh weights, as many weights at random places; and twins of
    these and of the dense network: the same masks and weights, other batches.
    """
    iterative = f"iterative-at-{k}"
    controls: dict[str, tuple[Mask, Start]] = {
        "reinit": (Borrowed(iterative), Fresh()),
        "random": (Shuffled(iterative), Rewound()),
    }
    return [
        Arm(iterative, Pruned(), Rewound(at=k)),
        Arm(f"{iterative}-twin", Borrowed(iterative), Rewound(), batches="own"),
        *(Arm(f"{name}-at-{k}", mask, start) for name, (mask, start) in controls.items()),
        *(Arm(f"{name}-at-{k}-twin", mask, start, batches="own") for name, (mask, start) in controls.items()),
        # From the weights of k on with a fresh optimiser, as its twin; the dense network itself goes on with its own.
        Arm(f"dense-at-{k}", Whole(), Rewound(at=k)),
        Arm(f"dense-twin-at-{k}", Whole(), Rewound(at=k), batches="own"),
    ]


def retraining(k: int) -> list[Arm]:
    """The other ways to train on after a pruning for as long as a ticket rewound to an iteration: iterative-at-k sets
    weights and schedule back, these the schedule alone, nothing, and the weights alone.
    """
    return [
        Arm(f"learning-rate-rewinding-at-{k}", Pruned(), Retrained(k, weights_back=False, schedule_back=True)),
        Arm(f"fine-tuning-at-{k}", Pruned(), Retrained(k, weights_back=False, schedule_back=False)),
        Arm(f"low-rate-rewinding-at-{k}", Pruned(), Retrained(k, weights_back=True, schedule_back=False)),
    ]


ARMS = {
    arm.name: arm
    for arm in [
        Arm(DENSE, Whole(), Fresh()),
        Arm("dense-twin", Whole(), Rewound(), batches="own"),
        Arm("iterative", Pruned(), Rewound()),
        Arm("iterative-reinit", Borrowed("iterative"), Fresh()),
        Arm("iterative-same-sign", Borrowed("iterative"), SameSign()),
        Arm("iterative-twin", Borrowed("iterative"), Rewound(), batches="own"),
        Arm("iterative-reinit-twin", Borrowed("iterative"), Fresh(), batches="own"),
        Arm("one-shot", Pruned(of="the dense network"), Rewound()),
        Arm("one-shot-reinit", Borrowed("one-shot"), Fresh()),
        Arm("one-shot-shuffled", Shuffled("one-shot"), Rewound()),
        Arm("one-shot-twin", Borrowed("one-shot"), Rewound(), batches="own"),
        Arm("one-shot-linear", Pruned(of="the dense network", linear=True), Rewound()),
        Arm("one-shot-linear-reinit", Borrowed("one-shot-linear"), Fresh()),
        Arm("random", Shuffled("iterative"), Rewound()),
        Arm("random-twin", Shuffled("iterative"), Rewound(), batches="own"),
        Arm("small-dense", Whole(as_small_as="iterative"), Fresh()),
        Arm("transferred", Transferred("iterative"), Rewound()),
        # Appendix B: prune and train on; the masks found so, rewound once at the end.
        Arm("continued-chain", Pruned(), Continued()),
        Arm("continued", Borrowed("continued-chain"), Rewound()),
        # Appendices F.3, F.4 and F.7.
        Arm("own-values", Borrowed("iterative"), OwnValues()),
        Arm("initial-magnitude", Pruned(of="the initial weights"), Rewound()),
        *(Arm(f"noise-{noise:g}", Borrowed("iterative"), Noisy(noise)) for noise in (0.5, 1, 2, 3)),
        # The same start, pruned again and again with other batches from the first training on.
        Arm("iterative-other-batches", Pruned(whole="dense-twin"), Rewound(), batches="own"),
        # Late rewinding (Frankle et al., 1903.01611) with twins (1912.05671), and beside it Renda et al. (2003.02389).
        *(row for k in LATE_POINTS for row in [*late_rewinding(k), *retraining(k)]),
        # What of a ticket's weights matters (Zhou et al., 1905.01067, section 4): signs, magnitudes, their places.
        Arm("signs-turned", Borrowed("iterative"), TurnedSigns()),
        Arm("signs-random", Borrowed("iterative"), RandomSigns()),
        Arm("constant", Borrowed("iterative"), Constant()),
        Arm("constant-random-signs", Borrowed("iterative"), Constant(signs="random")),
        Arm("values-shuffled", Borrowed("iterative"), ShuffledValues()),
        Arm("values-shuffled-same-sign", Borrowed("iterative"), ShuffledValues(signs="the ticket's")),
        # Another start's mask as it is, and with units matched (Adnan et al., 2505.05143).
        Arm("moved", Moved("iterative"), Rewound()),
        Arm("aligned", Aligned("iterative"), Rewound()),
        # The criteria of Zhou et al. (1905.01067), and the sensitivity of Lee et al. (1810.02340) after training.
        *(
            Arm(f"one-shot-{scores}", Pruned(scores, of="the dense network"), Rewound())
            for scores in ("initial-magnitude", "magnitude-increase", "movement", "both-large", "same-sign", "random")
        ),
        Arm("one-shot-sensitivity", Pruned("sensitivity", of="the dense network"), Rewound()),
        *before_training("snip", "sensitivity"),
        *before_training("grasp", "gradient-flow"),
        *before_training("synflow", "synaptic-flow"),
        *before_training("initial-magnitude", "magnitude")[1:],
        Arm("initial-random", Pruned("random", of="the initial weights"), Rewound()),
        # Networks that are never trained (Zhou et al.): masks found by training, and masks that are learnt.
        Arm("iterative-untrained", Borrowed("iterative"), Rewound(), trained=False),
        Arm("iterative-constant-untrained", Borrowed("iterative"), Constant(), trained=False),
        Arm("random-untrained", Shuffled("iterative"), Rewound(), trained=False),
        *untrained("one-shot", Pruned(of="the dense network")),
        *untrained("one-shot-same-sign", Pruned("same-sign", of="the dense network")),
        *untrained("supermask", Pruned("supermask", of="the initial weights")),
        *untrained("edge-popup", Pruned("edge-popup", of="the initial weights")),
    ]
}
