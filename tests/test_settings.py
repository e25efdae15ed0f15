"""Settings: what is wrong is told in one line that names the key; documents equal the declarations."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY

from lottery.arms.places import Replicates
from lottery.errors import LotteryError
from lottery.runs.listing import groups_of, levels_of, trainings
from lottery.runs.reading import read_run
from lottery.settings import Settings
from lottery.settings.reference import schema


def default_config() -> dict:
    return yaml.safe_load((REPOSITORY / "config/config.yaml").read_text())


def with_overlay(name: str) -> dict:
    def merge(base: dict, overlay: dict) -> dict:
        merged = {
            key: merge(base.get(key, {}), value) if isinstance(value, dict) else value for key, value in overlay.items()
        }
        return base | merged

    # What goes on top of another overlay is named after it.
    config = default_config()
    for each in dict.fromkeys([re.sub(r"-(part|tenth)\.yaml$", ".yaml", name), name]):
        config = merge(config, yaml.safe_load((REPOSITORY / "config" / each).read_text()))
    return config


def changed(place: str, value: object) -> dict:
    """The default configuration with one value set; `-` removes the key."""
    config = copy.deepcopy(default_config())
    *path, last = place.split(".")
    section = config
    for part in path:
        section = section[int(part) if part.isdigit() else part]
    if value == "-":
        del section[last]
    else:
        section[last] = value
    return config


LENET = "experiments.lenet-mnist"


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (
            f"{LENET}.training.learning_rat",
            0.1,
            f"{LENET}.training.learning_rat: unknown key; did you mean 'learning_rate'?",
        ),
        ("sed", 1, "sed: unknown key; did you mean 'seed'?"),
        (
            f"{LENET}.initialisation",
            {"weigths": "normal"},
            f"{LENET}.initialisation.weigths: unknown key; did you mean 'weights'?",
        ),
        (f"{LENET}.arms.0.drwas", 3, f"{LENET}.arms.0.drwas: unknown key; did you mean 'draws'?"),
        ("run", "-", "run: missing key"),
        ("figures", "figure3", "figures: input should be a valid list or 'all', not 'figure3'"),
        ("run", "../elsewhere", "run: string should match pattern"),
        (
            f"{LENET}.training.learning_rate",
            "fast",
            f"{LENET}.training.learning_rate: input should be a valid number, not 'fast'",
        ),
        (
            f"{LENET}.training.learning_rate",
            -1.0,
            f"{LENET}.training.learning_rate: input should be greater than 0, not -1.0",
        ),
        (f"{LENET}.training.learning_rate", float("nan"), f"{LENET}.training.learning_rate: input should be"),
        (f"{LENET}.training.batch_size", 60.5, f"{LENET}.training.batch_size: input should be a valid integer"),
        (f"{LENET}.training.batch_size", True, f"{LENET}.training.batch_size: input should be a valid integer"),
        (
            f"{LENET}.training.iterations",
            150,
            f"{LENET}.training: iterations (150) must be a multiple of validation_every",
        ),
        (f"{LENET}.training.test_every", 50, f"{LENET}.training: test_every (50) must be a multiple"),
        (f"{LENET}.training.momentum", 0.9, f"{LENET}.training: momentum needs optimizer: sgd"),
        (
            f"{LENET}.training.optimizer",
            "adan",
            f"{LENET}.training.optimizer: input should be 'adam' or 'sgd', not 'adan'",
        ),
        (f"{LENET}.pruning.dense_rate", 1.0, f"{LENET}.pruning.dense_rate: input should be less than 1"),
        (f"{LENET}.network", "lenet5", f"{LENET}.network: unknown network 'lenet5'; known: lenet-300-100"),
        (
            f"{LENET}.dataset",
            "minst",
            f"{LENET}.dataset: unknown dataset 'minst'; known: cifar-10, fashion-mnist, mnist",
        ),
        (f"{LENET}.arms.0.arm", "iterativ", f"{LENET}.arms.0.arm: unknown arm 'iterativ'; did you mean 'iterative'?"),
        (f"{LENET}.arms.0.draws", 3, f"{LENET}.arms.0.draws: iterative does not sample"),
        (f"{LENET}.arms.1.levels", [3, 2], f"{LENET}.arms.1: levels [3, 2] must be whole numbers from 0 on, rising"),
        (
            f"{LENET}.arms.1.levels",
            [20],
            f"{LENET}.arms.1.levels: iterative-reinit at level 20 is beyond the experiment's 16 levels",
        ),
        (f"{LENET}.arms.1.arm", "iterative", f"{LENET}: arms names one arm twice"),
        (
            f"{LENET}.arms.0.levels",
            [0, 1],
            f"{LENET}.arms.0.levels: iterative has networks of levels from 1 on, not [0, 1]",
        ),
        (f"{LENET}.arms.0.snapshots", [0], f"{LENET}.arms.0: snapshots [0] must be whole numbers from 1 on, rising"),
        (
            f"{LENET}.arms.0.snapshots",
            [150],
            f"{LENET}.arms.0.snapshots: iterative keeps the weights of iteration 150, which must be a multiple of",
        ),
        (
            f"{LENET}.arms.0.from_experiment",
            "lenet-mnist",
            f"{LENET}.arms.0.from_experiment: iterative has no tickets of others",
        ),
        (
            f"{LENET}.arms.0.arm",
            "transferred",
            f"{LENET}.arms.0.from_experiment: transferred is missing: the experiment whose tickets it takes",
        ),
        (f"{LENET}.rewind_iteration", 150, f"{LENET}: rewind_iteration (150) must be a multiple of validation_every"),
        (
            f"{LENET}.training",
            {"engine": "sparse", "dropout": 0.5},
            f"{LENET}.training.engine: sparse cannot train with dropout: 0.5; use engine: torch, or auto",
        ),
        (f"{LENET}.seed_name", "A", f"{LENET}.seed_name: string should match pattern"),
        (
            "keep",
            "nothing",
            "keep: input should be 'everything', 'without-early-stop', 'last-level' or 'tables', not 'nothing'",
        ),
        (f"{LENET}.replicates", 0, f"{LENET}.replicates: input should be greater than or equal to 1, not 0"),
        (f"{LENET}.levels", 60, f"{LENET}.arms.0.levels: level 60 would leave"),
        ("run_experiments", ["lenet"], "run_experiments: no experiment is called 'lenet'; did you mean 'lenet-mnist'?"),
    ],
)
def test_one_line_names_the_key(place, value, told):
    with pytest.raises(LotteryError) as error:
        read_run(changed(place, value))
    lines = str(error.value).splitlines()
    assert len(lines) == 1
    assert told in lines[0]
    assert lines[0].startswith("config: ")


def test_every_wrong_key_is_told():
    config = changed("sed", 1)
    config["experiments"]["lenet-mnist"]["levels"] = "many"
    with pytest.raises(LotteryError) as error:
        read_run(config)
    assert len(str(error.value).splitlines()) == 2


@pytest.mark.parametrize("overlay", [path.name for path in (REPOSITORY / "config").glob("*.yaml")])
def test_committed_configurations_are_valid(overlay):
    config = with_overlay(overlay)
    read_run(config)
    if overlay != "config.yaml":
        assert config["run"] == Path(overlay).stem


def test_paper_mnist_is_the_papers_protocol():
    experiment = read_run(with_overlay("paper-mnist.yaml")).experiments["lenet-mnist"]
    assert experiment.replicates == 5
    assert experiment.levels == 28
    training = experiment.training
    assert (training.optimizer, training.learning_rate, training.batch_size) == ("adam", 1.2e-3, 60)
    assert (training.iterations, training.validation_images, training.validation_every) == (50_000, 5_000, 100)
    assert (experiment.pruning.dense_rate, experiment.pruning.output_rate) == (0.2, 0.1)
    draws = {arm.arm: arm.draws for arm in experiment.arms}
    assert {name: count for name, count in draws.items() if name.endswith("reinit")} == {
        "iterative-reinit": 3,
        "one-shot-reinit": 3,
        "one-shot-linear-reinit": 3,
    }
    assert levels_of(experiment, "iterative") == list(range(1, 29))
    assert levels_of(experiment, "one-shot") == [3, 6, 9, 12, 15, 18, 21, 24, 27]
    assert levels_of(experiment, "one-shot-linear") == [1, 2, 3, 4, 5, 6, 7]


def test_replicates_are_counted_off_in_groups():
    experiment = Settings.model_validate(default_config()).experiments["lenet-mnist"]

    def names(replicates: int) -> list[str]:
        return [str(group) for group in groups_of(experiment.model_copy(update={"replicates": replicates}))]

    assert names(3) == ["r0-2"]
    assert names(4) == ["r0-2", "r3-3"]
    assert names(6) == ["r0-2", "r3-5"]
    assert [(member.replicate, member.draw) for member in Replicates.parse("r3-4").members(2)] == [
        (3, 0),
        (3, 1),
        (4, 0),
        (4, 1),
    ]


def test_default_run_has_all_arms_asked_for():
    settings = read_run(default_config())
    assert {job.arm.name for job in trainings(settings)} >= {
        "dense",
        "iterative",
        "iterative-reinit",
        "one-shot",
        "random",
        "small-dense",
    }


def test_the_schema_equals_the_declarations():
    assert (REPOSITORY / "workflow/schemas/config.schema.json").read_text() == schema(), "make documents"


def test_every_key_is_described():
    reference = (REPOSITORY / "config/README.md").read_text().split("## All keys")[1]
    rows = [line.split("|") for line in reference.splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    for _, name, kind, _, default, meaning, _, _ in rows:
        assert kind.strip(), name
        assert default.strip(), name
        assert meaning.strip(), name
