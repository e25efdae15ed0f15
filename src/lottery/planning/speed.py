"""How long a network takes to train: declared for one machine, or from a finished run on this one."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lottery.arms.lineage import arm, rewound_to
from lottery.datasets.catalog import source
from lottery.networks import Network, build
from lottery.runs.reading import read_finished_run
from lottery.settings import Training
from lottery.training.engines import engine_name

MACHINE = "one core of an Intel Xeon with AVX-512"

COSTS = {
    "sparse": {
        3_179: (0.046, 0.33),
        9_537: (0.072, 0.49),
        18_506: (0.106, 0.71),
        56_094: (0.252, 1.56),
        136_511: (0.496, 2.05),
        266_200: (0.533, 2.25),
        592_400: (1.46, 5.9),
    },
    "torch": {23_920: (0.43, 1.2), 81_700: (0.63, 2.0), 266_200: (1.25, 4.5), 592_400: (2.12, 8.3)},
}
"""By engine and weights: milliseconds of an update with 60 images, microseconds to evaluate an image.

Weights are those kept (`sparse`) or all of the network (`torch`). Measured once on MACHINE, with MNIST: `sparse` up to
266,200 and `torch` at 266,200 by `make bench`, other sizes as dense networks, lenet-30-10 to lenet-600-200, with other
work going on, so they are rather too slow.
"""


CONVOLVED = (14.0, 11.0)
"""Nanoseconds of a thousand multiplications of a convolutional network: in an update, which makes three times those of
an evaluation, and in an evaluation. By `make bench-networks` on one core of an AMD EPYC with AVX-512 these lay between
9 (Conv-4) and 14 (Conv-2) and between 8 and 11, the other core idle; two trainings side by side take longer, each up to
1.6 times as long for Conv-2.
"""


MEASURED_SHAPE = (3, 32, 32)
"""Of the images that cards were measured with."""

CARDS: dict[str, dict[tuple[str, int, str], tuple[float, float]]] = {
    "NVIDIA H200": {
        ("conv-2", 60, "float32"): (40_310, 271_752),
        ("conv-2", 60, "tf32"): (98_223, 649_976),
        ("conv-2", 60, "autocast"): (105_075, 731_374),
        ("resnet-20", 128, "float32"): (15_422, 66_808),
        ("resnet-20", 128, "tf32"): (37_762, 307_984),
        ("resnet-20", 128, "autocast"): (49_653, 378_291),
    },
}
"""By card, and on it by network, batch size and arithmetic: images a second of CIFAR-10's shape in training and in
evaluation, of one network alone, as measured by `bench-networks` (docs/gpu.md). What is not here is not known.
"""


@dataclass(frozen=True)
class Work:
    """One network's training: its recipe, its images, the network and how many of its weights are kept."""

    recipe: Training
    dataset: str
    network: Network
    kept: int
    first: int = 0
    """The iteration at which training begins."""
    name: str = ""
    """That of the network."""
    trained: bool = True
    """Else it is measured as it starts."""

    @property
    def last(self) -> int:
        """The iteration at which training ends."""
        return self.recipe.iterations if self.trained else self.first

    @property
    def updates(self) -> int:
        return self.last - self.first

    @property
    def engine(self) -> tuple[str, str]:
        """What computes, and where."""
        return engine_name(self.network, self.recipe), self.recipe.device

    @property
    def arithmetic(self) -> str:
        """What products are computed in, as in CARDS."""
        return "autocast" if self.recipe.autocast else "tf32" if self.recipe.tf32 else self.recipe.precision

    @property
    def evaluated_images(self) -> int:
        """Images evaluated on the evaluation grid, and at early stop and end (test and training images, both times)."""
        recipe, data = self.recipe, source(self.dataset)
        test = recipe.test_images or data.test_images
        training = recipe.training_images or data.training_images - recipe.validation_images
        grid = self.updates // recipe.validation_every + 1
        tests = self.last // recipe.test_every - (self.first - 1) // recipe.test_every
        return grid * recipe.validation_images + tests * test + 2 * (test + training)

    @property
    def declared_seconds(self) -> float:
        """The time it takes on MACHINE."""
        engine, _ = self.engine
        if self.network.fully_connected:
            update, image = interpolated(COSTS[engine], self.kept if engine == "sparse" else self.network.weights)
        else:
            thousands = self.network.multiplications / 1e3
            update, image = 60 * 3 * thousands * CONVOLVED[0] / 1e6, thousands * CONVOLVED[1] / 1e3
        updates = self.updates * self.recipe.batch_size / 60
        return update * updates / 1e3 + image * self.evaluated_images / 1e6


def interpolated(costs: Mapping[int, tuple[float, float]], weights: int) -> list[float]:
    """Costs at a size between those measured, straight lines between logarithms; beyond the largest in proportion."""
    sizes = sorted(costs)
    beyond = max(1.0, weights / sizes[-1])
    columns = zip(*(costs[size] for size in sizes), strict=True)
    return [
        beyond * math.exp(np.interp(math.log(max(weights, 1)), np.log(sizes), np.log(column))) for column in columns
    ]


@dataclass(frozen=True)
class Speed:
    """Declared times, corrected by what a finished run took: its times over the declared ones, by engine and size. On a
    GPU, what that run took, or what was measured on a card of this name; else nothing is known.
    """

    run_folder: Path | None = None
    factors: Mapping[tuple[str, str], Mapping[int, float]] = field(default_factory=dict)
    card: str = ""

    def seconds(self, work: Work) -> float | None:
        """The time that a network takes; None where it is not known."""
        factors = self.factors.get(work.engine)
        if factors:
            sizes = sorted(factors)
            factor = np.interp(math.log(work.kept), np.log(sizes), [factors[size] for size in sizes])
            return float(factor) * work.declared_seconds
        if work.recipe.device == "cpu":
            return work.declared_seconds
        rates = CARDS.get(self.card, {}).get((work.name, work.recipe.batch_size, work.arithmetic))
        if rates is None or source(work.dataset).image_shape != MEASURED_SHAPE:
            return None
        training, evaluation = rates
        return work.updates * work.recipe.batch_size / training + work.evaluated_images / evaluation

    def told(self, engine: tuple[str, str], unknown: Sequence[str] = ()) -> str:
        """Where the times of an engine come from; unknown: networks whose times are not known."""
        name, device = engine
        if engine in self.factors:
            return f"{name} on {device} as in {self.run_folder}"
        if device == "cpu":
            return f"{name} as declared, {MACHINE}"
        if self.card not in CARDS:
            here = f"on the card {self.card}" if self.card else "as no card is named"
            return f"{name} on {device} unknown, {here}; known: --card {', '.join(map(repr, CARDS))}; or --measured"
        rest = f"; of {', '.join(unknown)} unknown, `lottery check-card` measures it" if unknown else ""
        return f"{name} on one {self.card} as measured (docs/gpu.md){rest}"


def measured_speed(run_folder: Path, card: str = "") -> Speed:
    """The speed of a finished run, and of a card for what it did not train. Raises LotteryError when its tables cannot
    be read.
    """
    from lottery.analysis.tables import LEVELS, read_table

    settings = read_finished_run(run_folder / "tables" / "settings.json")
    table = read_table(run_folder / "tables" / "levels.csv", LEVELS)
    times: dict[tuple[str, str], dict[int, list[float]]] = {}
    for row in table[table["diverged_iteration"].isna()].to_dict("records"):
        experiment = settings.experiments[row["experiment"]]
        data = source(row["dataset"])
        network = build(row["network"], data.image_shape, data.classes)
        own, name = arm(row["arm"]), row["network"]
        if not own.trained:
            continue
        first = rewound_to(own, experiment)
        work = Work(experiment.training, data.name, network, row["weights"], first, name, own.trained)
        factor = row["train_seconds"] / work.declared_seconds
        times.setdefault(work.engine, {}).setdefault(work.kept, []).append(factor)
    medians = {
        engine: {size: float(np.median(found)) for size, found in sizes.items()} for engine, sizes in times.items()
    }
    return Speed(run_folder, medians, card)
