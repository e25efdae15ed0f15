"""The benchmark of all networks: a yardstick that does the same as the engine, the paper's recipes, the table."""

import platform
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from conftest import REPOSITORY, One

from lottery.arms.operations import rewind
from lottery.benchmark import throughput
from lottery.benchmark.plain_loop import PlainLoop, flip_and_crop
from lottery.benchmark.plain_networks import arrays_of
from lottery.commands.main import main
from lottery.datasets.images import Images, Split
from lottery.networks import NETWORKS, build
from lottery.settings import Training
from lottery.training import torch_engine

SHAPE = (3, 16, 16)

ADAM = Training(engine="torch", precision="float64", learning_rate=1e-3, batch_size=7)
MOMENTUM = Training(
    precision="float64", optimizer="sgd", momentum=0.9, weight_decay=1e-3, learning_rate=0.05, batch_size=7
)


@pytest.mark.parametrize(
    ("name", "recipe"),
    [("lenet-30-10", ADAM), ("lenet-30-10", MOMENTUM), ("conv-2", ADAM), ("resnet-20", MOMENTUM)],
)
@pytest.mark.parametrize("masked", [True, False], ids=["masked", "dense"])
def test_the_plain_loop_does_what_the_engine_does(name, recipe, masked):
    """Fed the same start and batches, without augmentation: the same losses, weights, statistics and evaluation."""
    random, network = np.random.default_rng(0), build(name, SHAPE, 10)
    split = Split(
        *(
            Images(random.integers(256, size=(count, 768), dtype=np.uint8), random.integers(10, size=count)).all()
            for count in (24, 20, 10)
        )
    )
    mask = {layer.weight_name: (random.random(layer.shape) < 0.5).astype(np.uint8) for layer in network.layers}
    start = rewind(network.initial(random), mask) if masked else network.initial(random)
    engine = One(torch_engine, network, start, mask if masked else None, torch_engine.resident([split], recipe), recipe)
    plain = PlainLoop(name, SHAPE, start, mask if masked else None, split, recipe, evaluated=8)
    for _ in range(2):
        batches = random.integers(24, size=(3, 7))
        assert plain.advance(torch.tensor(batches)) == pytest.approx(engine.advance(batches), rel=1e-6)
        assert plain.evaluate("validation") == pytest.approx(engine.evaluate("validation"), rel=1e-6)
    expected = engine.parameters()
    for each, values in zip(start, arrays_of(plain.model), strict=True):
        np.testing.assert_allclose(values, expected[each], rtol=2e-5, atol=1e-6, err_msg=each)
        if masked and each in mask:
            assert not values[mask[each] == 0].any()
        assert (values.numpy() != start[each]).any(), "training changed it"


def test_the_plain_loop_sees_every_image_once_an_epoch(monkeypatch):
    random, recipe = np.random.default_rng(0), ADAM.model_copy(update={"batch_size": 8})
    images = Images(random.integers(256, size=(24, 768), dtype=np.uint8), random.integers(10, size=24)).all()
    start = build("lenet-5-5", SHAPE, 10).initial(random)
    plain = PlainLoop("lenet-5-5", SHAPE, start, None, Split(images, images, images), recipe, evaluated=8)
    seen: list[torch.Tensor] = []
    monkeypatch.setattr(plain, "advance", seen.append)
    plain.train(7)
    assert seen[0].shape == (7, 8)
    for epoch in (seen[0][:3], seen[0][3:6]):
        assert sorted(epoch.flatten().tolist()) == list(range(24))
    assert (seen[0][:3] != seen[0][3:6]).any()


def test_the_plain_loop_augments_as_the_engine_does():
    """Every image it makes is one of the engine's 162 views, flips and places are drawn for each image by itself."""
    image = torch.tensor(np.random.default_rng(0).integers(1, 256, size=(1, 3, 6, 5), dtype=np.uint8))
    choices = torch.cartesian_prod(torch.arange(2), torch.arange(9), torch.arange(9)).to(torch.uint8)
    views = torch_engine.cut_out(image.expand(162, -1, -1, -1), choices)
    made = flip_and_crop(image.double().expand(4_000, -1, -1, -1), torch.Generator().manual_seed(0))
    matches = (made[:, None] == views[None].double()).flatten(2).all(2)
    assert (matches.sum(1) == 1).all()
    drawn = choices[matches.int().argmax(1)].double().mean(0)
    np.testing.assert_allclose(drawn, [0.5, 4, 4], atol=0.15)
    assert len(set(matches.int().argmax(1).tolist())) == 162


def test_recipes_are_those_of_the_papers_runs():
    """What decides speed, as the declared runs have it; the step size too."""
    networks: dict[str, str] = {}
    trainings: dict[str, dict] = {}
    for run in ("config", "paper-mnist", "paper-cifar10"):
        for name, experiment in yaml.safe_load((REPOSITORY / f"config/{run}.yaml").read_text())["experiments"].items():
            networks[name] = experiment.get("network", networks.get(name))
            trainings[name] = trainings.get(name, {}) | experiment["training"]
    declared = {
        "lenet-300-100": "lenet-mnist",
        "conv-2": "conv2-cifar10",
        "conv-4": "conv4-cifar10",
        "conv-6": "conv6-cifar10",
        "resnet-20": "resnet20-cifar10-low",
        "vgg-19": "vgg19-cifar10-low",
    }
    keys = ("optimizer", "learning_rate", "momentum", "weight_decay", "augmentation", "batch_size", "dropout")
    for name, experiment in declared.items():
        assert networks[experiment] == name
        training = Training(**trainings[experiment])
        for key in keys:
            assert getattr(throughput.RECIPES[name], key) == getattr(training, key), (name, key)
    assert throughput.RECIPES["vgg-16"] == throughput.RECIPES["vgg-19"]
    assert throughput.RECIPES.keys() == {"lenet-300-100", *NETWORKS}


@pytest.fixture
def threads_as_they_are():
    """A benchmark in the tests' own process leaves its number of threads as it was."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.long
def test_the_verb_writes_a_table(tmp_path, threads_as_they_are, monkeypatch, capsys):
    monkeypatch.setattr(throughput, "TRAINING_IMAGES", 300)
    monkeypatch.setattr(throughput, "EVALUATED_SLICES", 1)
    options = ["--device", "cpu", "--repeats", "2", "--seconds", "0", "--output", str(tmp_path / "out")]
    assert main(["bench-networks", "--networks", "lenet-300-100", "resnet-20", *options]) == 0
    table = pd.read_csv(tmp_path / "out/networks.csv")
    assert table.columns.tolist() == throughput.COLUMNS
    loops = ["plain", "torch", "torch, autocast"]
    assert table["network"].tolist() == ["lenet-300-100"] * 3 + ["resnet-20"] * 3
    assert table["loop"].tolist() == loops * 2
    assert table["batch_size"].tolist() == [60] * 3 + [128] * 3
    for measure in (throughput.TRAINING, throughput.EVALUATION):
        median, lowest, highest = (table[f"{measure}{part}"] for part in ("", "_lowest", "_highest"))
        assert (lowest > 0).all()
        np.testing.assert_allclose(median, (lowest + highest) / 2)
        plain = median.where(table["loop"] == "plain").ffill()
        np.testing.assert_allclose(table[f"{measure}_ratio"], median / plain)
    assert table[["peak_memory_mb", "host_waits_of_an_update"]].isna().all(axis=None), "only a GPU has them"
    page = (tmp_path / "out/networks.md").read_text()
    assert capsys.readouterr().out == page + "\n"
    for line, loop in zip([line for line in page.splitlines() if line.startswith("| ")][1:], loops * 2, strict=True):
        assert f"| {loop} " in line
    assert f"1 thread, Linux, Python {platform.python_version()}, torch {torch.__version__}." in page


def test_what_cannot_be_measured_is_refused(tmp_path, threads_as_they_are, monkeypatch, capsys):
    options = ["--repeats", "1", "--seconds", "0", "--output", str(tmp_path / "out")]
    assert main(["bench-networks", "--networks", "conv-3", *options]) == 1
    assert "no recipe for a network called 'conv-3'; known: lenet-300-100, conv-2" in capsys.readouterr().err
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["bench-networks", "--device", "cuda", *options]) == 1
    assert "PyTorch finds no GPU here" in capsys.readouterr().err
    monkeypatch.setenv("PATH", "")
    assert main(["bench-networks", "--networks", "lenet-300-100", "--device", "cpu", "--compile", *options]) == 1
    assert "needs a C++ compiler" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_images_of_all_members_are_counted(monkeypatch):
    """By a clock that moves one second for each unit of work."""

    class Still:
        def train(self, updates: int) -> None:
            done.append(updates)

        def evaluate(self, part: str) -> None:
            done.append(1)

    done: list[int] = []
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: float(sum(done)))
    recipe = Training(batch_size=10)
    contestant = throughput.Contestant("x", Still(), recipe, images=40, members=3)
    contestant.warm_up(250.0)
    assert (contestant.updates, contestant.evaluations) == (250, 250)
    done.clear()
    contestant.take_turn()
    assert done == [100, 100, 50] + [1] * 250, "in stretches of the recipe's length"
    assert contestant.rates == {throughput.TRAINING: [30.0], throughput.EVALUATION: [120.0]}


def test_waits_for_the_gpu_are_counted(monkeypatch):
    """With a pretended debug mode, whose words are PyTorch's."""
    modes = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)

    def work(amount: int) -> None:
        for _ in range(amount):
            warnings.warn("called a synchronizing CUDA operation (Triggered internally)", stacklevel=1)
        warnings.warn("Synchronization debug mode is a prototype feature", stacklevel=1)

    assert throughput.host_waits(work, 3) == 3
    assert modes == ["warn", "default"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("name", ["lenet-300-100", "conv-2", "resnet-20"])
def test_the_host_does_not_wait_between_evaluations(name):
    table = throughput.run([name], "cuda", repeats=1, at_least=0).set_index("loop")
    assert (table["host_waits_of_an_update"] == 0).all()
    assert (table["host_waits_of_a_stretch"] > 0).all(), "at its beginning and its end, so they are seen"
    assert (table["peak_memory_mb"] > 0).all()
