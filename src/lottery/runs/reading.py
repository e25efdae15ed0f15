"""From a configuration to a run's settings: every name in them known, every level possible."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lottery import extensions
from lottery.arms.arm import Arm
from lottery.arms.lineage import arm, rewound_to, snapshots_of
from lottery.arms.pairs import pair_of
from lottery.arms.places import DENSE, Place
from lottery.arrays import read_bytes
from lottery.datasets import image_folder
from lottery.datasets.catalog import SOURCES, source
from lottery.datasets.images import check_counts
from lottery.datasets.sources import ImageFolder, Source
from lottery.errors import LotteryError, suggest
from lottery.networks import Network, check_network
from lottery.pruning.allocation import check_excluded, dense_counts
from lottery.runs.jobs import Job, counts_at, network_name_at, network_of
from lottery.runs.lines import Line, check_lines, levels_of_pair
from lottery.runs.listing import groups_of, levels_of
from lottery.settings import ArmSettings, Experiment, Settings
from lottery.settings.reading import read_settings
from lottery.training.engines import engine_name


def read_run(config: Mapping[str, Any]) -> Settings:
    """The settings of a run, with every name in them known, from its extensions too, and every level possible.

    Raises LotteryError with one line per wrong key.
    """
    settings = read_settings(config)
    try:
        add_datasets(settings)
    except LotteryError as error:
        raise LotteryError(f"config: {error}") from None
    try:
        extensions.load(settings.extensions)
    except LotteryError as error:
        raise LotteryError(f"config: extensions: {error}") from None
    wrong = [
        f"config: experiments.{name}.{problem}"
        for name, experiment in settings.experiments.items()
        for problem in problems(experiment)
    ]
    if not wrong:
        wrong = [
            f"config: experiments.{name}.{problem}"
            for name in settings.run_experiments
            for problem in problems_with_others(name, settings)
        ]
    if wrong:
        raise LotteryError("\n".join(wrong))
    return settings


def read_job(run: Path, place: Place, file: Path | None = None) -> Job:
    """A place of a run with the run's settings, which the extensions that it needs have been loaded for.

    run: the folder `results/<run>`; file: of the settings, that of the run when absent. Raises LotteryError naming it.
    """
    path = file or run / "settings.json"
    content = read_bytes(path)
    try:
        settings = read_settings(parsed_json(content))
        add_datasets(settings)
        if place.experiment not in settings.experiments:
            raise LotteryError(
                f"no experiment is called {place.experiment!r}{suggest(place.experiment, settings.experiments)}"
            )
        arm(place.arm)
        network_of(settings.experiments[place.experiment])
    except LotteryError as error:
        raise LotteryError(f"{path}: {str(error).splitlines()[0]}") from None
    return Job(settings, place)


def read_line(run: Path, place: Place, pair: str, file: Path | None = None) -> Line:
    """A pair of trained networks, the first of them of a place. Raises LotteryError as `read_job` does."""
    job, named = read_job(run, place, file), pair_of(pair)
    if place.arm != named.one.arm or place.level not in levels_of_pair(job.experiment, named):
        told = f"{named.one.arm}, at levels that the settings train both networks at"
        raise LotteryError(f"{place}: has no pair {pair}, which is one of {told}")
    return Line(job, named)


def read_settings_of(run: Path, file: Path | None = None) -> Settings:
    """The settings of a run, finished or not; file: that of the run when absent. Raises LotteryError naming it."""
    return read_finished_run(file or run / "settings.json")


def add_datasets(settings: Settings) -> None:
    """Let experiments name the run's own folders of images. Raises LotteryError when a name is taken."""
    for name, entry in settings.datasets.items():
        known = SOURCES.get(name)
        if known and not known.folder:
            raise LotteryError(f"datasets: there is a dataset {name!r} already; choose another name")
        SOURCES[name] = Source(
            name=name,
            format=image_folder.FORMAT,
            classes=entry.classes,
            training_images=entry.training_images,
            test_images=entry.test_images,
            image_shape=tuple(entry.image_shape),
            files=(),
            folder=ImageFolder(Path(entry.folder).expanduser(), entry.sha256, entry.test_share),
        )


def add_datasets_of(file: Path) -> None:
    """Let datasets of a run's settings be named. Raises LotteryError naming the file."""
    try:
        add_datasets(read_settings(parsed_json(read_bytes(file))))
    except LotteryError as error:
        raise LotteryError(f"{file}: {str(error).splitlines()[0]}") from None


def parsed_json(text: str | bytes) -> Any:
    """What a text of JSON holds. Raises LotteryError when it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LotteryError(f"is not JSON: {error}") from None


def read_finished_run(path: Path) -> Settings:
    """The settings that the results of a finished run were collected with. Raises LotteryError naming the file.

    Its extensions must have been loaded: a run that somebody hands on does not get its code run by being looked at.
    """
    content = read_bytes(path)
    try:
        values = parsed_json(content)
        for name in read_settings(values).extensions:
            if Path(name).resolve() not in extensions.LOADED:
                raise LotteryError(f"extensions: the run needs {name}; to run that file, name it: --extension {name}")
        return read_run(values)
    except LotteryError as error:
        raise LotteryError(f"{path}: {str(error).splitlines()[0]}") from None


def problems(experiment: Experiment) -> list[str]:
    """What an experiment names that is unknown, or asks for that cannot be; each begins with its key."""
    try:
        network = network_of(experiment)
    except LotteryError as error:
        return [str(error)]
    data = source(experiment.dataset)
    found = []
    try:
        check_network(network, three_sided(data.image_shape), data.classes)
    except LotteryError as error:
        return [f"network: {experiment.network} on images of {experiment.dataset}: {error}"]
    try:
        engine_name(network, experiment.training)
    except LotteryError as error:
        found.append(f"training.{error}")
    if experiment.training.augmentation != "none" and len(network.image_shape) != 3:
        found.append(f"training.augmentation: {experiment.network} sees rows of numbers, not images")
    try:
        check_excluded(network, experiment.pruning)
    except LotteryError as error:
        found.append(f"pruning.{error}")
        return found
    try:
        check_counts(experiment.training, data.training_images, data.test_images)
    except LotteryError as error:
        found.append(f"training.{error}")
    arms: dict[str, str] = {}  # what is wrong with several arms is told of the first
    for index, settings in enumerate(experiment.arms):
        try:
            check_arm(experiment, settings, network)
        except LotteryError as error:
            arms.setdefault(str(error), f"arms.{index}.{error}")
    if not (found or arms):
        recipe = experiment.training
        left = recipe.training_images or data.training_images - recipe.validation_images
        try:
            check_lines(experiment, left, recipe.test_images or data.test_images)
        except LotteryError as error:
            found.append(f"interpolation.{error}")
        for level in experiment.compared_masks:
            if not 1 <= level <= experiment.levels:
                told = f"level {level} is none of 1 to {experiment.levels}"
                found.append(f"compared_masks: {told}")
    return [*found, *arms.values()]


def three_sided(image_shape: tuple[int, ...]) -> tuple[int, ...]:
    """(channels, height, width) of images, of which those of one channel may name the last two alone."""
    return image_shape if len(image_shape) == 3 else (1, *image_shape)


def check_arm(experiment: Experiment, settings: ArmSettings, network: Network) -> None:
    """Raise LotteryError, beginning with the key, when an arm is unknown or one of its levels cannot be."""
    row, training = arm(settings.arm), experiment.training
    if settings.draws > 1 and not row.samples:
        raise LotteryError(f"draws: {row.name} does not sample, so draws must be 1, not {settings.draws}")
    if row.transferred != bool(settings.from_experiment):
        told = "is missing: the experiment whose tickets it takes" if row.transferred else "has no tickets of others"
        raise LotteryError(f"from_experiment: {row.name} {told}")
    if row.aligned and not network.fully_connected:
        raise LotteryError(f"arm: {row.name} matches units of fully connected networks; {experiment.network} is none")
    grid = range(0, training.iterations + 1, training.validation_every)
    for key, iteration in (("arm", rewound_to(row, experiment)), *(("snapshots", k) for k in settings.snapshots)):
        if iteration not in grid or (key == "arm" and iteration == training.iterations):
            told = "starts at" if key == "arm" else "keeps the weights of"
            raise LotteryError(
                f"{key}: {row.name} {told} iteration {iteration}, which must be a multiple of validation_every"
                f" ({training.validation_every}) up to iterations ({training.iterations})"
            )
    early = [k for k in settings.snapshots if k < rewound_to(row, experiment)]
    if early:
        raise LotteryError(f"snapshots: {row.name} starts at iteration {rewound_to(row, experiment)}, after {early[0]}")
    if settings.snapshots and not row.trained:
        raise LotteryError(f"snapshots: {row.name} is never trained, so it has none")
    if row.whole and settings.levels not in ("all", [0]):
        raise LotteryError(f"levels: {row.name} has whole networks, which have level 0 alone, not {settings.levels}")
    levels = levels_of(experiment, row.name)
    if not levels:
        raise LotteryError(f"levels: linear_step {experiment.pruning.linear_step} allows no level")
    check_levels(experiment, row, levels, network)


def check_levels(experiment: Experiment, row: Arm, levels: list[int], network: Network) -> None:
    """Raise LotteryError, beginning with the key, when one of an arm's levels cannot be."""
    deepest = max(levels)
    if row.whole != (levels[0] == 0) or (row.whole and deepest):
        wanted = "whole networks, which have level 0 alone" if row.whole else "networks of levels from 1 on"
        raise LotteryError(f"levels: {row.name} has {wanted}, not {levels}")
    if row.whole:
        return
    if not arm(row.levels_of).linear and deepest > experiment.levels:
        raise LotteryError(
            f"levels: {row.name} at level {deepest} is beyond the experiment's {experiment.levels} levels;"
            " name lower ones, or `all`"
        )
    if not row.masked:
        network_name_at(experiment, row, deepest)
    try:
        before, after = (counts_at(experiment, row, level) for level in (deepest - 1, deepest))
    except LotteryError as error:
        raise LotteryError(f"levels: {error}") from None
    dense = dense_counts(network, experiment.pruning)
    if sum(counts_at(experiment, row, 1).values()) == sum(dense.values()):
        raise LotteryError("levels: the first pruning removes no weight; the rates of pruning are too small")
    for group, kept in after.items():
        if kept == 0 or kept == before[group] < dense[group]:
            raise LotteryError(
                f"levels: level {deepest} would leave {kept} of the {before[group]} weights that {' and '.join(group)}"
                " had one level before: too few to prune further"
            )


def problems_with_others(name: str, settings: Settings) -> Iterator[str]:
    """What does not fit the other experiments of a run: replicates shared, and tickets taken, between experiments."""
    own = settings.experiments[name]
    for other_name in settings.run_experiments:
        other = settings.experiments[other_name]
        if (own.seed_name or name) == (other.seed_name or other_name):
            differing = [
                key for key in ("network", "dataset", "initialisation") if getattr(own, key) != getattr(other, key)
            ]
            if differing:
                yield f"seed_name: shares its replicates with {other_name}, which has another {' and '.join(differing)}"
    for index, chosen in enumerate(own.arms):
        if not chosen.from_experiment:
            continue
        place = f"arms.{index}.from_experiment"
        if chosen.from_experiment not in settings.run_experiments:
            known = suggest(chosen.from_experiment, settings.run_experiments)
            yield f"{place}: {chosen.from_experiment!r} is no experiment of the run{known}"
            continue
        if chosen.from_experiment == name:
            yield f"{place}: names the experiment itself; an arm of its own takes its tickets"
            continue
        other = settings.experiments[chosen.from_experiment]
        keys = ("replicates", "replicates_per_job", "pruning", "levels", "rewind_iteration")
        differing = [key for key in keys if getattr(own, key) != getattr(other, key)]
        if differing:
            yield f"{place}: {chosen.from_experiment} has another {' and '.join(differing)}"
        elif network_of(own).shapes() != network_of(other).shapes():
            yield f"{place}: the network of {chosen.from_experiment} has other shapes"
        point = rewound_to(arm(chosen.arm), own)
        dense = Place(chosen.from_experiment, groups_of(other)[0], DENSE, 0)
        if arm(chosen.arm).transfers_start and point and point not in snapshots_of(dense, other):
            told = f"keeps no dense weights of iteration {point}; name it in `snapshots`"
            yield f"{place}: {chosen.from_experiment} {told}"
