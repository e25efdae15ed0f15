"""Training: pruned weights stay 0, results do not depend on how jobs are cut, an independent loop agrees."""

import csv
import json
import math
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import One, made_up_images

from lottery.arms.operations import rewind
from lottery.arms.places import Member, Place, Replicates
from lottery.arrays import read_arrays, stack, write_arrays
from lottery.datasets.batches import shuffled_batches
from lottery.datasets.images import Split, read_splits
from lottery.errors import LotteryError
from lottery.networks import build
from lottery.randomness import Seed
from lottery.runs.jobs import Job
from lottery.settings import ArmSettings, Experiment, Settings, Training
from lottery.training import sparse_engine, torch_engine
from lottery.training.job import data_of_member, run_job
from lottery.training.loop import Course, Diverged, MemberData, Record

ENGINES, NAMES = [torch_engine, sparse_engine], ["torch", "sparse"]
NETWORK = build("lenet-12-7", (20,), 4)
RECIPES = [
    Training(learning_rate=0.01, batch_size=30, iterations=60, validation_every=20, test_every=20),
    Training(optimizer="sgd", learning_rate=0.1, batch_size=30, iterations=60, validation_every=20, test_every=20),
    Training(
        optimizer="sgd",
        momentum=0.9,
        learning_rate=0.05,
        batch_size=30,
        iterations=60,
        validation_every=20,
        test_every=20,
    ),
]


def ticket(seed: int = 0, density: float = 0.3) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A made-up mask and the start rewound to a fresh initialisation."""
    random = np.random.default_rng(seed)
    mask = {
        layer.weight_name: (random.random((layer.outputs, layer.inputs)) < density).astype(np.uint8)
        for layer in NETWORK.layers
    }
    return rewind(NETWORK.initial(random), mask), mask


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_pruned_weights_are_0_at_every_step(small_split, engine):
    start, mask = ticket()
    batches = np.random.default_rng(0).integers(300, size=(40, 30))
    for recipe in RECIPES:
        trained = One(engine, NETWORK, start, mask, engine.resident([small_split], recipe), recipe)
        for batch in batches:
            trained.advance(batch[None])
            for name, values in trained.parameters().items():
                if name in mask:
                    assert not values[mask[name] == 0].any()
                    assert (values[mask[name] == 1] != start[name][mask[name] == 1]).any()


def plain_loop(start, mask, split: Split, batches: np.ndarray, recipe: Training) -> dict[str, np.ndarray]:
    """The same training in a few lines of plain PyTorch, with a module and torch.optim."""
    model = torch.nn.Sequential(
        torch.nn.Linear(20, 12), torch.nn.ReLU(), torch.nn.Linear(12, 7), torch.nn.ReLU(), torch.nn.Linear(7, 4)
    )
    for parameter, values in zip(model.parameters(), start.values(), strict=True):
        parameter.data = torch.tensor(values)
    if recipe.optimizer == "adam":
        optimizer = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=recipe.learning_rate, momentum=recipe.momentum)
    for batch in batches:
        optimizer.zero_grad()
        images = torch.tensor(split.train.pixels[batch] / 255, dtype=torch.float32)
        torch.nn.functional.cross_entropy(model(images), torch.tensor(split.train.labels[batch])).backward()
        for parameter, name in zip(model.parameters(), start, strict=True):
            if name in mask:
                parameter.grad *= torch.tensor(mask[name])
        optimizer.step()
    return {name: parameter.detach().numpy() for name, parameter in zip(start, model.parameters(), strict=True)}


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: f"{recipe.optimizer}-{recipe.momentum}")
def test_an_independent_loop_reaches_the_same_weights(small_split, recipe, engine):
    start, mask = ticket()
    batches = np.random.default_rng(0).integers(300, size=(100, 30))
    trained = One(engine, NETWORK, start, mask, engine.resident([small_split], recipe), recipe)
    trained.advance(batches)
    expected = plain_loop(start, mask, small_split, batches, recipe)
    for name, values in trained.parameters().items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_the_wrong_batches_reach_other_weights(small_split, engine):
    """The comparison above can fail."""
    start, mask = ticket()
    batches = np.random.default_rng(0).integers(300, size=(100, 30))
    trained = One(engine, NETWORK, start, mask, engine.resident([small_split], RECIPES[0]), RECIPES[0])
    trained.advance(batches)
    expected = plain_loop(start, mask, small_split, batches[::-1], RECIPES[0])
    assert np.abs(trained.parameters()["fc1.weight"] - expected["fc1.weight"]).max() > 1e-3


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_evaluation_is_that_of_the_definition(small_split, engine):
    """Of the images chosen for each part, wherever they lie."""
    start, mask = ticket()
    trained = One(engine, NETWORK, start, mask, engine.resident([small_split], RECIPES[0]), RECIPES[0])
    for part, images in small_split.parts.items():
        values = images.pixels.astype(np.float64) / 255
        for layer in NETWORK.layers:
            values = values @ start[layer.weight_name].T.astype(np.float64) + start[layer.bias_name]
            values = values if layer.role == "output" else np.maximum(values, 0)
        log_sum = np.log(np.exp(values).sum(axis=1))
        chosen = values[np.arange(len(values)), images.labels]
        loss, accuracy = trained.evaluate(part)
        assert loss == pytest.approx((log_sum - chosen).mean(), rel=1e-5)
        assert accuracy == np.mean(values.argmax(axis=1) == images.labels)


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_a_kept_weight_that_starts_at_0_is_trained(small_split, engine):
    """The mask alone says what is pruned, not a value of 0."""
    start, mask = ticket(density=1.0)
    start["fc2.weight"][:, ::2] = 0
    for recipe in RECIPES:
        trained = One(engine, NETWORK, start, mask, engine.resident([small_split], recipe), recipe)
        trained.advance(np.random.default_rng(0).integers(300, size=(10, 30)))
        assert (trained.parameters()["fc2.weight"][:, ::2] != 0).mean() > 0.5


class ScriptedEngine:
    """An engine with two members whose losses and accuracies are given, by iteration."""

    TEST = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.5])
    """Accuracies on the test images, best neither where validation loss is least nor at the end."""

    def __init__(self, losses: np.ndarray) -> None:
        self.losses, self.point, self.loaded = losses, -1, None

    def advance(self, stretch):
        assert stretch.batches.shape == (2, 1)
        return np.array([0.5, 0.5])

    def evaluate(self, part):
        if part == "validation":
            self.point += 1
            return self.losses[:, self.point], np.array([0.9, 0.9])
        at = np.array([self.point, self.point]) if self.loaded is None else self.loaded
        return np.zeros(2), self.TEST[at] if part == "test" else at / 100

    def parameters(self):
        return {"point": np.array([self.point, self.point])}

    def load(self, parameters):
        self.loaded = parameters["point"]


def to_the_end(engine, recipe: Training, snapshots: tuple[int, ...] = ()) -> list[Record]:
    course = Course(engine, [MemberData(lambda first, last: np.array([first]))] * 2, recipe, snapshots=snapshots)
    while not course.finished:
        course.advance()
    course.measure()
    return course.records


def test_early_stop_is_the_first_least_validation_loss_of_each_member():
    losses = np.array([[2.3, 0.5, 0.2, 0.4, 0.2, 0.3], [2.3, 0.5, 0.4, 0.3, 0.2, 0.1]])
    recipe = Training(iterations=500, validation_every=100, test_every=200)
    record, other = to_the_end(ScriptedEngine(losses), recipe, snapshots=(300, 500))
    assert (other.result.early_stop_iteration, other.result.test_accuracy_at_early_stop) == (500, 0.5)
    assert record.result.early_stop_iteration == 200
    assert record.result.validation_loss_at_early_stop == 0.2
    assert record.result.test_accuracy_at_early_stop == 0.3
    assert record.result.train_accuracy_at_early_stop == 0.02
    assert record.result.test_accuracy_final == 0.5
    assert record.trained["point"] == 5, "training runs to its end"
    assert (record.early_stop["point"], other.early_stop["point"]) == (2, 5)
    assert {iteration: kept["point"] for iteration, kept in record.snapshots.items()} == {300: 3, 500: 5}
    assert [row.iteration for row in record.rows] == [0, 100, 200, 300, 400, 500]
    assert [row.iteration for row in record.rows if not np.isnan(row.test_accuracy)] == [0, 200, 400]


DIVERGING = np.array([[2.3, 0.5, 0.2, math.nan, 0.1], [2.3, 0.5, 0.4, 0.3, 0.2]])


def test_a_diverged_member_has_no_result_and_the_others_go_on():
    recipe = Training(iterations=400, validation_every=100, test_every=100, on_divergence="record")
    lost, other = to_the_end(ScriptedEngine(DIVERGING), recipe, snapshots=(100, 300, 400))
    assert {name for name, value in asdict(lost.result).items() if value is not None} == {
        "diverged_iteration",
        "train_seconds",
    }
    assert lost.result.diverged_iteration == 300
    assert lost.trained["point"] == 2, "its weights are those of its least validation loss before"
    assert (lost.early_stop["point"], other.early_stop["point"]) == (2, 4)
    assert [int(kept["point"]) for kept in lost.snapshots.values()] == [1, 2, 2]
    assert [int(kept["point"]) for kept in other.snapshots.values()] == [1, 3, 4]
    assert [row.iteration for row in lost.rows] == [0, 100, 200, 300]
    assert other.result.diverged_iteration is None
    assert other.result.early_stop_iteration == 400


def test_training_stops_when_all_members_have_diverged():
    losses = np.full((2, 5), math.inf)
    losses[:, 0] = 2.3
    recipe = Training(iterations=400, validation_every=100, on_divergence="record")
    records = to_the_end(ScriptedEngine(losses), recipe, snapshots=(300,))
    assert [len(record.rows) for record in records] == [2, 2]
    assert [int(record.snapshots[300]["point"]) for record in records] == [0, 0], "not reached: the last good weights"


def test_divergence_is_an_error_unless_it_is_to_be_recorded():
    with pytest.raises(Diverged) as error:
        to_the_end(ScriptedEngine(DIVERGING), Training(iterations=400, validation_every=100))
    assert (error.value.members, error.value.iteration) == ([0], 300)


@pytest.mark.parametrize("engine", NAMES)
def test_a_job_that_diverges_says_who_and_where(dataset, tmp_path, engine):
    with pytest.raises(LotteryError, match=r"training of replicate0-draw0 diverged: at iteration \d+ its loss"):
        run_members(dataset, tmp_path / "job", [Member(0, 0)], 1, engine, optimizer="sgd", learning_rate=1e30)
    assert not (tmp_path / "job" / PLACE.folder / "trained.safetensors").exists()
    run_members(
        dataset,
        tmp_path / "recorded",
        [Member(0, 0)],
        1,
        engine,
        optimizer="sgd",
        learning_rate=1e30,
        on_divergence="record",
    )
    recorded = tmp_path / "recorded" / PLACE.folder
    summary = json.loads((recorded / "summary.json").read_text())
    assert summary["members"][0]["diverged_iteration"] > 0
    assert summary["members"][0]["test_accuracy_final"] is None
    for name in ("trained.safetensors", "snapshots.safetensors"):
        arrays = read_arrays(recorded / name)
        assert arrays
        assert all(np.isfinite(values).all() for values in arrays.values())


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A prepared dataset of 200 training and 60 test images, 28 by 28 as its name says."""
    random = np.random.default_rng(2)
    train, test = (made_up_images(count, 784, 10, random) for count in (200, 60))
    path = tmp_path_factory.mktemp("prepared") / "mnist.safetensors"
    arrays = {
        "train_images": train.pixels.reshape(-1, 28, 28),
        "train_labels": train.labels.astype(np.uint8),
        "test_images": test.pixels.reshape(-1, 28, 28),
        "test_labels": test.labels.astype(np.uint8),
    }
    write_arrays(path, arrays)
    return path


PLACE = Place("small", Replicates(0, 1), "iterative", 2)


@dataclass(frozen=True)
class Some(Job):
    """Some of a job's networks, as if they were all that it trains."""

    members: list[Member] = field(default_factory=list)


def settings(recipe: Training, *arms: ArmSettings, network: str = "lenet-30-10") -> Settings:
    """A run of one experiment, `small`."""
    experiment = Experiment(
        dataset="mnist",
        network=network,
        training=recipe,
        levels=4,
        replicates=2,
        replicates_per_job=2,
        arms=list(arms),
    )
    return Settings(run="small", run_experiments=["small"], experiments={"small": experiment})


def run_members(
    dataset, run: Path, members: list[Member], threads: int, engine: str = "sparse", **changes: object
) -> dict[str, bytes]:
    """Train the given members of one arm in one job; weights, snapshot and history of each, as bytes."""
    folder, data = run / PLACE.folder, run.parent / "data"
    folder.mkdir(parents=True)
    if not data.exists():
        data.symlink_to(dataset.parent)
    network = build("lenet-30-10", (28, 28), 10)
    starts, masks = [], []
    for member in members:
        random = np.random.default_rng([member.replicate, member.draw])
        masks.append(
            {
                layer.weight_name: (random.random((layer.outputs, layer.inputs)) < 0.3).astype(np.uint8)
                for layer in network.layers
            }
        )
        starts.append(rewind(network.initial(random), masks[-1]))
    write_arrays(folder / "mask.safetensors", stack(masks))
    write_arrays(folder / "start.safetensors", stack(starts))
    schedule = {"iterations": 40, "validation_images": 50, "validation_every": 10, "test_every": 20}
    recipe = Training(engine=engine, batch_size=30, **schedule, **changes)
    job = Some(settings(recipe, ArmSettings(arm="iterative", snapshots=[20])), PLACE, members)
    run_job(job, run, threads)
    trained, snapshots = (read_arrays(folder / f"{name}.safetensors") for name in ("trained", "snapshots"))
    assert list(snapshots) == [f"20:{name}" for name in trained]
    lines = (folder / "history.csv").read_text().splitlines()[1:]
    outcome = {}
    for index, member in enumerate(members):
        own = [line for line in lines if line.startswith(f"{member.replicate},{member.draw},")]
        assert len(own) == 5 or changes
        outcome[str(member)] = (
            b"".join(values[index].tobytes() for values in (trained | snapshots).values()) + "\n".join(own).encode()
        )
    return outcome


@pytest.mark.parametrize("engine", NAMES)
def test_results_do_not_depend_on_threads_or_companions(dataset, tmp_path, engine):
    members = [Member(0, 0), Member(0, 1), Member(1, 0)]
    together = run_members(dataset, tmp_path / "together", members, 2, engine)
    assert together == run_members(dataset, tmp_path / "one thread", members, 1, engine)
    assert together == run_members(dataset, tmp_path / "three threads", members, 3, engine)
    alone = {}
    for member in members:
        alone |= run_members(dataset, tmp_path / f"{member}", [member], 1, engine)
    assert together == alone


@pytest.mark.parametrize(("engine", "package"), [("torch", "torch"), ("sparse", "numba"), ("auto", "numba")])
def test_summary_says_what_led_to_the_result(dataset, tmp_path, engine, package):
    run_members(dataset, tmp_path / "job", [Member(0, 0)], 1, engine)
    folder = tmp_path / "job" / PLACE.folder
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["engine"] == ("torch" if engine == "torch" else "sparse")
    assert summary["training"]["iterations"] == 40
    assert summary["versions"][package] == version(package)
    mask = read_arrays(folder / "mask.safetensors")
    assert summary["members"][0]["weights"] == sum(int(layer.sum()) for layer in mask.values())
    history = list(csv.DictReader((folder / "history.csv").open()))
    best = min(history, key=lambda row: float(row["validation_loss"]))
    assert summary["members"][0]["early_stop_iteration"] == int(best["iteration"])
    assert summary["members"][0]["validation_loss_at_early_stop"] == float(best["validation_loss"])


def test_arms_share_batches_at_a_level_and_levels_do_not():
    drawn = [ArmSettings(arm=name, draws=3) for name in ("iterative-reinit", "iterative-twin")]
    run = settings(Training(), ArmSettings(arm="iterative"), *drawn, network="lenet-300-100")

    def batches(arm: str, level: int, member: Member) -> bytes:
        job = Job(run, Place("small", Replicates(0, 1), arm, level))
        return data_of_member(job, member, 55_000).batches(0, 3).tobytes()

    ticket_batches = batches("iterative", 3, Member(0, 0))
    assert batches("iterative-reinit", 3, Member(0, 2)) == ticket_batches
    assert batches("random", 3, Member(0, 0)) == ticket_batches
    assert batches("iterative", 4, Member(0, 0)) != ticket_batches
    assert batches("iterative", 3, Member(1, 0)) != ticket_batches
    twins = [batches("iterative-twin", 3, Member(0, draw)) for draw in range(2)]
    assert len({*twins, ticket_batches}) == 3, "an arm with batches of its own has others for each draw"


def test_an_error_in_one_member_ends_the_job(dataset, tmp_path, monkeypatch):
    def broken(self, batches):
        raise RuntimeError("out of order")

    monkeypatch.setattr(sparse_engine.Engine, "advance", broken)
    with pytest.raises(RuntimeError, match="out of order"):
        run_members(dataset, tmp_path / "job", [Member(0, 0), Member(1, 0)], threads=2)
    assert not (tmp_path / "job" / PLACE.folder / "trained.safetensors").exists()


@pytest.mark.parametrize("engine", ENGINES, ids=NAMES)
def test_a_dense_network_learns_mnist(mnist, engine):
    engine.one_thread()
    (split,) = read_splits(mnist, Training(), 0, [0])
    network, seed = build("lenet-300-100", (28, 28), 10), Seed(0, "x", 0)
    start, recipe = network.initial(seed.generator("initialisation")), Training()
    trained = One(engine, network, start, None, engine.resident([split], recipe), recipe)
    before = trained.evaluate("test")[1]
    trained.advance(shuffled_batches(55_000, 60, lambda epoch: seed.generator("batches", epoch=epoch))(0, 300))
    assert before < 0.25
    assert trained.evaluate("test")[1] > 0.92
