"""A training job: a place of a run together with what the run's settings say of it."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lottery.arms.arm import Arm
from lottery.arms.lineage import File, Inputs, arm, made_from, rewound_to, snapshots_of, trained_to
from lottery.arms.masks import Pruned
from lottery.arms.places import DENSE, Member, Place, Replicates
from lottery.arms.rows import ARMS
from lottery.arms.starts import Retrained
from lottery.datasets.catalog import source
from lottery.datasets.sources import Source
from lottery.extensions import needed
from lottery.networks import Network, build, narrowed
from lottery.pruning.allocation import Counts, dense_counts
from lottery.randomness import Seed
from lottery.settings import ArmSettings, Experiment, Settings, Training


@dataclass(frozen=True)
class Job:
    """One training job of a run. Its files lie in `results/<run>/<place>`."""

    settings: Settings
    place: Place

    @cached_property
    def experiment(self) -> Experiment:
        return self.settings.experiments[self.place.experiment]

    @cached_property
    def arm(self) -> Arm:
        return arm(self.place.arm)

    @property
    def replicates(self) -> Replicates:
        return self.place.replicates

    @property
    def data(self) -> Source:
        return source(self.experiment.dataset)

    @cached_property
    def training(self) -> Training:
        """The training recipe; of an arm whose schedule is not set back, with the rate of its end all the time."""
        start, recipe = self.arm.start, self.experiment.training
        if not isinstance(start, Retrained) or start.schedule_back:
            return recipe
        # Every drop comes before the training begins, and so does the end of the warmup.
        drops = list(range(1, len(recipe.rate_drops) + 1))
        return recipe.model_copy(update={"rate_drops": drops, "warmup_iterations": min(recipe.warmup_iterations, 1)})

    @cached_property
    def chosen(self) -> ArmSettings | None:
        """What the settings say of the arm."""
        return next((chosen for chosen in self.experiment.arms if chosen.arm == self.place.arm), None)

    @cached_property
    def draws(self) -> int:
        """Samples for each replicate."""
        return self.chosen.draws if self.chosen else 1

    @cached_property
    def members(self) -> list[Member]:
        return self.replicates.members(self.draws)

    @cached_property
    def network_name(self) -> str:
        """The name of the network: a narrower one for arms that are as small as a ticket."""
        return network_name_at(self.experiment, self.arm, self.place.level)

    @cached_property
    def network(self) -> Network:
        return build(self.network_name, self.data.image_shape, self.data.classes)

    @cached_property
    def counts(self) -> Counts:
        """Weights kept in each group of layers; of a narrower network, those that it should have."""
        return counts_at(self.experiment, self.arm, self.place.level)

    @cached_property
    def first_iteration(self) -> int:
        """Where its training and its schedule begin."""
        return rewound_to(self.arm, self.experiment)

    @cached_property
    def last_iteration(self) -> int:
        """Where its training ends: where it begins, of an arm that is never trained."""
        return trained_to(self.arm, self.experiment)

    @cached_property
    def snapshots(self) -> list[int]:
        """The iterations at which its training writes its weights."""
        return snapshots_of(self.place, self.experiment)

    @cached_property
    def inputs(self) -> Inputs:
        return made_from(self.place, self.experiment)

    @property
    def seed_name(self) -> str:
        """The name in the seeds of its replicates."""
        return self.experiment.seed_name or self.place.experiment

    @property
    def extensions(self) -> list[str]:
        """The user's files that it depends on."""
        experiments = [self.experiment]
        if self.chosen and self.chosen.from_experiment:
            experiments.append(self.settings.experiments[self.chosen.from_experiment])
        names = {("network", each.network) for each in experiments} | {
            ("dataset", each.dataset) for each in experiments
        }
        rows = [self.arm, *(arm(name) for name in self.arm.named_arms)]
        if self.place.arm == DENSE:
            # The dense training writes the weights that arms with rewind points of their own start from.
            named = [ARMS[chosen.arm] for chosen in self.experiment.arms if chosen.arm in ARMS]
            usual = (0, self.experiment.rewind_iteration)
            rows += [row for row in named if rewound_to(row, self.experiment) not in usual]
        names |= {("arm", row.name) for row in rows} | {("criterion", row.criterion) for row in rows}
        return needed(self.settings.extensions, names)

    def seed(self, member: Member) -> Seed:
        return Seed(self.settings.seed, self.seed_name, member.replicate)

    def at(self, place: Place) -> "Job":
        """Another job of the same run."""
        return replace(self, place=place)

    def path(self, run: Path, file: File | str) -> Path:
        """A file of the job; run: the folder `results/<run>`."""
        name = file if "." in file else f"{file}.safetensors"
        return run / self.place.folder / name


def network_of(experiment: Experiment) -> Network:
    """The experiment's dense network."""
    data = source(experiment.dataset)
    return build(experiment.network, data.image_shape, data.classes)


def network_name_at(experiment: Experiment, row: Arm, level: int) -> str:
    """The name of the network that an arm trains at a level."""
    if not row.as_small_as:
        return experiment.network
    data = source(experiment.dataset)
    weights = sum(counts_at(experiment, row, level).values())
    return narrowed(experiment.network, data.image_shape, data.classes, weights)


def counts_at(experiment: Experiment, row: Arm, level: int) -> Counts:
    """Weights kept in each group of layers of an arm's mask at a level; all of a dense network."""
    if row.levels_of != row.name:
        return counts_at(experiment, arm(row.levels_of), level)
    network, pruning = network_of(experiment), experiment.pruning
    return row.mask.counts(network, pruning, level) if isinstance(row.mask, Pruned) else dense_counts(network, pruning)
