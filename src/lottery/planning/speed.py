"""How long a network takes to train: declared for one machine, or from a finished run on this one."""

import math
from collections.abc import Mapping
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


@dataclass(frozen=True)
class Work:
    """One network's training: its recipe, its images, the network and how many of its weights are kept."""

    recipe: Training
    dataset: str
    network: Network
    kept: int
    first: int = 0
    """The iteration at which training begins."""

    @property
    def updates(self) -> int:
        return self.recipe.iterations - self.first

    @property
    def engine(self) -> tuple[str, str]:
        """What computes, and where."""
        return engine_name(self.network, self.recipe), self.recipe.device

    @property
    def evaluated_images(self) -> int:
        """Images evaluated on the evaluation grid, and at early stop and end (test and training images, both times)."""
        recipe, data = self.recipe, source(self.dataset)
        test = recipe.test_images or data.test_images
        training = recipe.training_images or data.training_images - recipe.validation_images
        grid = self.updates // recipe.validation_every + 1
        tests = recipe.iterations // recipe.test_every - (self.first - 1) // recipe.test_every
        return grid * recipe.validation_images + tests * test + 2 * (test + training)

    @property
    def declared_seconds(self) -> float:
        """The time it takes on MACHINE; a GPU's was never measured, so it counts as such a core."""
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
    """Declared times, corrected by what a finished run took: its times over the declared ones, by engine and size."""

    run_folder: Path | None = None
    factors: Mapping[tuple[str, str], Mapping[int, float]] = field(default_factory=dict)

    def seconds(self, work: Work) -> float:
        """The time that a network takes."""
        factors = self.factors.get(work.engine)
        if not factors:
            return work.declared_seconds
        sizes = sorted(factors)
        factor = np.interp(math.log(work.kept), np.log(sizes), [factors[size] for size in sizes])
        return float(factor) * work.declared_seconds

    def knows(self, engine: tuple[str, str]) -> bool:
        """Whether an engine's times were measured, here or on MACHINE."""
        return engine in self.factors or engine[1] == "cpu"

    def told(self, engine: tuple[str, str]) -> str:
        """Where the times of an engine come from."""
        name, device = engine
        if engine in self.factors:
            return f"{name} on {device} as in {self.run_folder}"
        if self.knows(engine):
            return f"{name} as declared, {MACHINE}"
        return (
            f"{name} on {device} is not known, but quicker than what is counted, {MACHINE}; `lottery plan --measured`"
        )


def measured_speed(run_folder: Path) -> Speed:
    """The speed of a finished run. Raises LotteryError when its tables cannot be read."""
    from lottery.analysis.tables import LEVELS, read_table

    settings = read_finished_run(run_folder / "tables" / "settings.json")
    table = read_table(run_folder / "tables" / "levels.csv", LEVELS)
    times: dict[tuple[str, str], dict[int, list[float]]] = {}
    for row in table[table["diverged_iteration"].isna()].to_dict("records"):
        experiment = settings.experiments[row["experiment"]]
        data = source(row["dataset"])
        network = build(row["network"], data.image_shape, data.classes)
        first = rewound_to(arm(row["arm"]), experiment)
        work = Work(experiment.training, data.name, network, row["weights"], first)
        factor = row["train_seconds"] / work.declared_seconds
        times.setdefault(work.engine, {}).setdefault(work.kept, []).append(factor)
    medians = {
        engine: {size: float(np.median(found)) for size, found in sizes.items()} for engine, sizes in times.items()
    }
    return Speed(run_folder, medians)
