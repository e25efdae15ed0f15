"""The paper's claims about Conv-2, Conv-4 and Conv-6 on CIFAR-10 (section 3, Figures 5 and 6; App. E, H.2, H.5).

Those without dropout are judged on Fashion-MNIST too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lottery.analysis.claim import AS_ACCURATE, BETTER, EARLIER, LATER, Claim, Range, Subject, joined
from lottery.analysis.experiment import FINAL, ON_VALIDATION, TRAIN_FINAL
from lottery.analysis.measures import Accuracy, Between, DownTo, Gain, StopRatio
from lottery.arms.places import DENSE

PAPER, ALSO = "cifar-10", ("fashion-mnist",)

VALIDATION = "the paper's number is of validation accuracy, ours of test accuracy"


@dataclass(frozen=True)
class Printed:
    """What the paper prints of one network. Sizes are in percent of weights remaining, gains in points."""

    speed_up: tuple[float, float]
    """Size of the ticket that is quickest to its early stop, and how many times quicker than the dense network."""
    gain: tuple[float, float]
    """Size and gain of the most accurate ticket."""
    iterations: int
    moderate: float
    """Sizes at which a ticket is compared with its reinitialised self: one in the middle of Figure 5, one small."""
    small: float
    dropout_gain: float
    """Gain of the dense network by dropout, and of its tickets on top of that."""
    dropout_ticket_gain: float
    reinit_holds: float | None = None
    """A moderate size, where the paper says that reinitialised tickets are still accurate."""
    dropout_speed_up: tuple[float, float] | None = None
    dropout_validation: tuple[float, float] | None = None
    """Size and gain in validation accuracy, with dropout."""
    note: str = ""


NETWORKS = {
    "conv-2": Printed((8.8, 3.5), (4.6, 3.4), 20_000, 26.5, 7.1, 2.1, 2.3, reinit_holds=51.4),
    "conv-4": Printed(
        (9.2, 3.5),
        (11.1, 3.5),
        25_000,
        23.9,
        7.6,
        3.0,
        4.6,
        reinit_holds=53.5,
        dropout_speed_up=(7.6, 1.58),
        dropout_validation=(7.6, 5.0),
    ),
    "conv-6": Printed(
        (15.1, 2.5),
        (26.4, 3.3),
        30_000,
        26.4,
        7.4,
        2.4,
        4.7,
        dropout_speed_up=(15.1, 1.5),
        dropout_validation=(10.5, 3.5),
        note="after as many prunings as in the paper our Conv-6 keeps 0.1 to 0.3% more of its weights",
    ),
}


def without_dropout(network: str, paper: Printed) -> Iterator[Claim]:
    """Claims of section 3 and Figure 5."""
    subject = Subject(network, PAPER, ALSO)
    yield quicker_than_dense("K1", "s. 3, Fig. 5", subject, paper.speed_up, paper.note)
    note = joined("the paper's most accurate size", paper.note)
    yield better_than_dense("K2", "s. 3, Fig. 5", subject, paper.gain, note)
    yield Claim(
        "K3",
        "All tickets of more than 2% are more accurate than the dense network at early stop",
        "s. 3, Fig. 5",
        Gain("iterative", DownTo(0.02)),
        BETTER,
        note="at the size where the mean gain is least",
        subject=subject,
    )
    yield Claim(
        "K4",
        f"After {paper.iterations:,} iterations training accuracy is 100% for tickets of at least 2%",
        "s. 3, App. D",
        Accuracy("iterative", DownTo(0.02), column=TRAIN_FINAL),
        Range(above=99.9),
        paper=100,
        needs_iterations=paper.iterations,
        subject=subject,
    )
    if holds := paper.reinit_holds:
        yield Claim(
            "K5",
            f"Reinitialised, the {holds}% ticket is still as accurate as the dense network at early stop, or more",
            "s. 3, Fig. 5",
            Gain("iterative-reinit", holds / 100),
            AS_ACCURATE,
            note="as accurate: within 0.2 points",
            subject=subject,
        )
    yield from ticket_and_reinit(subject, paper.moderate, "K6a", "K6b")
    yield from ticket_and_reinit(subject, paper.small, "K6c", "K6d")


def ticket_and_reinit(subject: Subject, size: float, sooner: str, better: str) -> Iterator[Claim]:
    """Two claims with these ids: a ticket is quicker and more accurate than the same mask reinitialised."""
    yield Claim(
        sooner,
        f"The {size}% ticket reaches its early stop sooner than when it is reinitialised",
        "s. 3, Fig. 5",
        StopRatio("iterative-reinit", size / 100, versus="iterative"),
        LATER,
        subject=subject,
    )
    yield Claim(
        better,
        f"The {size}% ticket is more accurate at early stop than when it is reinitialised",
        "s. 3, Fig. 5",
        Gain("iterative", size / 100, versus="iterative-reinit"),
        BETTER,
        subject=subject,
    )


def with_dropout(network: str, paper: Printed) -> Iterator[Claim]:
    """Claims of Figure 6 and App. H.5."""
    subject = Subject(network, PAPER, ALSO, dropout=True)
    yield Claim(
        "D1",
        "With dropout the dense network is more accurate at early stop than without",
        "s. 3, Fig. 6",
        Gain(DENSE, 1, elsewhere=True),
        BETTER,
        paper=paper.dropout_gain,
        subject=subject,
        versus=Subject(network, PAPER, ALSO),
    )
    yield Claim(
        "D2",
        "With dropout tickets are more accurate than the dense network at early stop",
        "s. 3, Fig. 6",
        Gain("iterative", Between(0.6, 0.07)),
        BETTER,
        paper=paper.dropout_ticket_gain,
        note="the paper's number is the largest of all sizes, ours the mean from 60% to 7%",
        comparable=False,
        subject=subject,
    )
    where = "App. H.5, Fig. 36"
    if paper.dropout_speed_up:
        yield quicker_than_dense("D3", where, subject, paper.dropout_speed_up, paper.note)
    if paper.dropout_validation:
        yield better_than_dense("D4", where, subject, paper.dropout_validation, joined(VALIDATION, paper.note))


def quicker_than_dense(name: str, where: str, subject: Subject, printed: tuple[float, float], note: str) -> Claim:
    """A claim with this id: a ticket reaches its early stop first. printed: its size, and how many times as fast."""
    size, times = printed
    return Claim(
        name,
        f"{beginning(subject)} {size}% ticket reaches its early stop sooner than the dense network",
        where,
        StopRatio("iterative", size / 100),
        EARLIER,
        paper=round(1 / times, 3),
        note=joined(f"the paper: {times} times as fast", note),
        subject=subject,
    )


def better_than_dense(name: str, where: str, subject: Subject, printed: tuple[float, float], note: str) -> Claim:
    """A claim with this id: a ticket is more accurate. printed: its size, and by how many points."""
    size, points = printed
    return Claim(
        name,
        f"{beginning(subject)} {size}% ticket is more accurate than the dense network at early stop",
        where,
        Gain("iterative", size / 100),
        BETTER,
        paper=points,
        note=note,
        subject=subject,
        comparable=VALIDATION not in note,
    )


def beginning(subject: Subject) -> str:
    return "With dropout the" if subject.dropout else "The"


CONV_RANDOM = Claim(
    "E2",
    "Random sparse networks end as accurate as tickets reinitialised, from 53.5% down",
    "App. E, Fig. 14",
    Gain("random", Between(0.535, 0), column=FINAL, versus="iterative-reinit"),
    AS_ACCURATE,
    note="the paper: no significant difference; within 0.2 points or more accurate, mean over the sizes trained",
    subject=Subject(tuple(NETWORKS), PAPER, ALSO),
)


def conv2_at(rate: float) -> Subject:
    """Conv-2 at one of the learning rates of App. H.2."""
    return Subject("conv-2", PAPER, recipe={"optimizer": "adam", "learning_rate": rate})


RATES = [
    Claim(
        "H1",
        "At the rate 0.0002 Conv-2's ticket of 3% is more accurate on validation images than the dense network",
        "App. H.2, Fig. 32",
        Gain("iterative", 0.03, column=ON_VALIDATION),
        BETTER,
        paper=3.3,
        subject=conv2_at(2e-4),
    ),
    Claim(
        "H2",
        "At the rate 0.0004 Conv-2's tickets are more accurate on validation images than the dense network",
        "App. H.2, Fig. 32",
        Gain("iterative", Between(0.6, 0.03), column=ON_VALIDATION),
        BETTER,
        paper=6.5,
        note="the paper's number is the largest of all sizes, ours the mean from 60% to 3%",
        comparable=False,
        subject=conv2_at(4e-4),
    ),
    quicker_than_dense("H3", "App. H.2, Fig. 32", conv2_at(2e-4), (8.8, 4.8), ""),
]

CONV = [
    claim
    for claims_of in (without_dropout, with_dropout)
    for network, paper in NETWORKS.items()
    for claim in claims_of(network, paper)
]
CONV += [CONV_RANDOM, *RATES]
