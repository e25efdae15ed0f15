"""The table of arms. A row reaches jobs as text, so a further one repeats none."""

from lottery.arms.arm import Arm
from lottery.arms.masks import Borrowed, Pruned, Shuffled, Transferred, Whole
from lottery.arms.places import DENSE
from lottery.arms.starts import Constant, Continued, Fresh, Noisy, OwnValues, Rewound, SameSign


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


ARMS = {
    arm.name: arm
    for arm in [
        Arm(DENSE, Whole(), Fresh()),
        Arm("dense-twin", Whole(), Rewound(), batches="own"),
        Arm("iterative", Pruned(), Rewound()),
        Arm("iterative-reinit", Borrowed("iterative"), Fresh()),
        Arm("iterative-same-sign", Borrowed("iterative"), SameSign()),
        Arm("iterative-twin", Borrowed("iterative"), Rewound(), batches="own"),
        Arm("one-shot", Pruned(of="the dense network"), Rewound()),
        Arm("one-shot-reinit", Borrowed("one-shot"), Fresh()),
        Arm("one-shot-shuffled", Shuffled("one-shot"), Rewound()),
        Arm("one-shot-linear", Pruned(of="the dense network", linear=True), Rewound()),
        Arm("one-shot-linear-reinit", Borrowed("one-shot-linear"), Fresh()),
        Arm("random", Shuffled("iterative"), Rewound()),
        Arm("small-dense", Whole(as_small_as="iterative"), Fresh()),
        Arm("transferred", Transferred("iterative"), Rewound()),
        # Appendix B: prune and train on; the masks found so, rewound once at the end.
        Arm("continued-chain", Pruned(), Continued()),
        Arm("continued", Borrowed("continued-chain"), Rewound()),
        # Appendices F.3, F.4 and F.7.
        Arm("own-values", Borrowed("iterative"), OwnValues()),
        Arm("initial-magnitude", Pruned(of="the initial weights"), Rewound()),
        *(Arm(f"noise-{noise:g}", Borrowed("iterative"), Noisy(noise)) for noise in (0.5, 1, 2, 3)),
        # Late rewinding (Frankle et al., 1903.01611), several points in one experiment.
        *(Arm(f"iterative-at-{k}", Pruned(), Rewound(at=k)) for k in (100, 500, 1000, 2000)),
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
