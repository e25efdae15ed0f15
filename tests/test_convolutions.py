"""Convolutional networks in the reference engine: an independent module agrees, masks hold, members do not mix."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import One, Workflow, assert_members_train_as_if_alone, copy_of_repository
from torch import nn

from lottery.arms.operations import rewind
from lottery.arrays import of_member, read_arrays
from lottery.arrays.weights import read_snapshot
from lottery.benchmark.plain_networks import plain_network
from lottery.datasets.images import Chosen, Images, Split, read_splits
from lottery.errors import LotteryError
from lottery.evidence.verification import verify
from lottery.networks import NETWORKS, build
from lottery.runs.reading import read_run, read_settings_of
from lottery.settings import Training
from lottery.training import torch_engine
from lottery.training.engines import engine_name

RECIPE = Training(optimizer="sgd", learning_rate=0.05, batch_size=6, precision="float64")


def images(count: int, shape: tuple[int, ...], random: np.random.Generator) -> Chosen:
    return Images(
        random.integers(256, size=(count, int(np.prod(shape))), dtype=np.uint8), random.integers(10, size=count)
    ).all()


def mask_of(network, random, density=0.4):
    return {layer.weight_name: (random.random(layer.shape) < density).astype(np.uint8) for layer in network.layers}


@pytest.mark.parametrize("shape", [(14, 14), (3, 16, 16)], ids=["14x14", "3x16x16"])
@pytest.mark.parametrize("name", ["conv-2", "conv-4", "conv-6"])
def test_an_independent_module_reaches_the_same_weights(name, shape):
    random = np.random.default_rng(0)
    network = build(name, shape, 10)
    mask = mask_of(network, random)
    start = rewind(network.initial(random), mask)
    split = Split(*(images(count, shape, random) for count in (24, 130, 10)))
    batches = random.integers(24, size=(4, 6))
    trained = One(torch_engine, network, start, mask, torch_engine.resident([split], RECIPE), RECIPE)
    trained.advance(batches)

    model = plain_network(name, network.image_shape).double()
    parameters = list(model.parameters())
    for parameter, values in zip(parameters, start.values(), strict=True):
        parameter.data = torch.tensor(values, dtype=torch.float64)

    def logits(part: Chosen, rows: np.ndarray) -> torch.Tensor:
        return model(torch.tensor(part.pixels[rows] / 255).view(-1, *network.image_shape))

    for batch in batches:
        model.zero_grad()
        nn.functional.cross_entropy(logits(split.train, batch), torch.tensor(split.train.labels[batch])).backward()
        for parameter, name_ in zip(parameters, start, strict=True):
            parameter.data -= RECIPE.learning_rate * parameter.grad * torch.tensor(mask.get(name_, 1))
    for name_, values in trained.parameters().items():
        expected = parameters[list(start).index(name_)].detach().numpy()
        np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-7, err_msg=name_)
        if name_ in mask:
            assert not values[mask[name_] == 0].any()
    with torch.no_grad():
        found = logits(split.validation, np.arange(130))
    labels = torch.tensor(split.validation.labels)
    loss, accuracy = trained.evaluate("validation")
    assert loss == pytest.approx(float(nn.functional.cross_entropy(found, labels)), rel=1e-9)
    assert accuracy == float((found.argmax(1) == labels).double().mean())


def test_a_stack_trains_each_member_as_if_alone():
    random, network = np.random.default_rng(0), build("conv-2", (28, 28), 10)
    masks = [mask_of(network, random, density) for density in (0.8, 0.2)]
    starts = [rewind(network.initial(random), mask) for mask in masks]
    known, test = (images(count, (28, 28), random) for count in (36, 10))
    orders = [np.split(random.permutation(36), [24]) for _ in range(2)]
    splits = [Split(Chosen(known.images, train), Chosen(known.images, rest), test) for train, rest in orders]
    resident, batches = torch_engine.resident(splits, RECIPE), random.integers(24, size=(2, 3, 6))
    assert_members_train_as_if_alone(torch_engine, network, starts, masks, resident, RECIPE, batches)


def test_the_engine_follows_the_network():
    lenet, conv = (build(name, (28, 28), 10) for name in ("lenet-300-100", "conv-2"))
    assert [engine_name(each, Training()) for each in (lenet, conv)] == ["sparse", "torch"]
    assert engine_name(lenet, Training(engine="torch")) == "torch"
    assert engine_name(lenet, Training(device="cuda")) == "torch"


def test_a_gpu_stacks_what_leaves_it_idle_and_a_cpu_nothing():
    stacked = {
        device: [name for name in sorted(NETWORKS) if torch_engine.together(recipe, build(name, (3, 32, 32), 10))]
        for device in ("cpu", "cuda")
        for recipe in [Training(device=device, engine="torch")]
    }
    assert stacked == {"cpu": [], "cuda": ["resnet-20", "resnet-8"]}
    assert torch_engine.together(Training(device="cuda"), build("lenet-300-100", (3, 32, 32), 10))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"training": {"engine": "sparse", "iterations": 100}},
            "training.engine: sparse cannot train with network: it trains fully connected networks; use engine: torch",
        ),
        ({"arms": [{"arm": "small-dense"}]}, "arms.0.network: conv-2 has no narrower relatives"),
    ],
)
def test_what_a_convolutional_network_cannot_is_refused(changes, told):
    experiment = {"dataset": "mnist", "network": "conv-2", "levels": 1, "replicates": 1, "replicates_per_job": 1}
    experiment |= {"training": {"iterations": 100}, "arms": []} | changes
    with pytest.raises(LotteryError, match=told):
        read_run({"run": "x", "run_experiments": ["e"], "experiments": {"e": experiment}})


@pytest.fixture(scope="module")
def smoke_conv(tmp_path_factory) -> Workflow:
    """A copy in which the run `smoke-conv` is complete."""
    workflow = copy_of_repository(tmp_path_factory.mktemp("smoke-conv"))
    workflow("--cores", "all", "--configfile", "config/smoke-conv.yaml", "--", "claims")
    return workflow


def results(workflow: Workflow, experiment: str, training: str) -> Path:
    return workflow.folder / "results/smoke-conv" / experiment / "r0-0" / training


@pytest.mark.slow
def test_every_network_goes_through_the_workflow(smoke_conv):
    table = pd.read_csv(smoke_conv.folder / "results/smoke-conv/tables/levels.csv")
    assert Counter(table["network"]) == {"conv-2": 8, **dict.fromkeys(NETWORKS.keys() - {"conv-2"}, 4)}
    ticket = table[(table["arm"] == "iterative") & (table["level"] == 2)].groupby("network")["weights_remaining"]
    # For images of 28 x 28: 0.81 (Conv-6 0.7225) of the convolutions, 0.64 of dense layers, 0.81 of the output; of the
    # deep networks 0.64 of all convolutions together, shortcuts and outputs whole.
    assert ticket.first().round(4).to_dict() == {
        "conv-2": 0.6421,
        "conv-4": 0.663,
        "conv-6": 0.6926,
        "resnet-20": 0.6443,
        "vgg-16": 0.6401,
        "vgg-19": 0.6401,
    }
    summary = results(smoke_conv, "conv2-mnist", "dense/level0") / "summary.json"
    assert json.loads(summary.read_text())["engine"] == "torch"
    assert list(verify(smoke_conv.folder / "results/smoke-conv", smoke_conv.folder / "results/data")) == []


@pytest.mark.slow
def test_late_rewinding_goes_back_to_a_point_of_the_dense_training(smoke_conv):
    """The rewind point lies on the dense network's way, and tickets and their training begin there."""
    dense, ticket, control = (
        results(smoke_conv, "resnet20-mnist", training)
        for training in ("dense/level0", "iterative/level2", "iterative-reinit/level2")
    )
    network = build("resnet-20", (28, 28), 10)
    rewound = read_snapshot(dense / "snapshots.safetensors", 2, network, 1)
    mask = read_arrays(ticket / "mask.safetensors")
    recipe = read_settings_of(smoke_conv.folder / "results/smoke-conv").experiments["resnet20-mnist"].training
    splits = read_splits(smoke_conv.folder / "results/data/mnist.safetensors", recipe, 0, [0])
    images = torch_engine.resident(splits, recipe)
    loss, accuracy = One(torch_engine, network, of_member(rewound, 0), None, images, recipe).evaluate("validation")
    on_the_way = pd.read_csv(dense / "history.csv").set_index("iteration")
    assert loss == pytest.approx(on_the_way.loc[2, "validation_loss"], rel=1e-5)
    assert loss != pytest.approx(on_the_way.loc[4, "validation_loss"], rel=1e-5)
    assert accuracy == on_the_way.loc[2, "validation_accuracy"]
    start, initial = read_arrays(ticket / "start.safetensors"), read_arrays(dense / "start.safetensors")
    for name, values in start.items():
        kept = mask.get(name, np.ones(values.shape, np.uint8)) == 1
        assert values[kept].tobytes() == rewound[name][kept].tobytes(), name
        assert not values[~kept].any(), name
    assert (start["conv1.weight"] != initial["conv1.weight"] * mask["conv1.weight"]).any()
    for folder in (ticket, control):
        assert pd.read_csv(folder / "history.csv")["iteration"].tolist() == [2, 4]


@pytest.mark.slow
def test_global_pruning_takes_the_smallest_of_all_convolutions(smoke_conv):
    scored = read_arrays(results(smoke_conv, "resnet20-mnist", "dense/level0") / "trained.safetensors")
    mask = read_arrays(results(smoke_conv, "resnet20-mnist", "iterative/level1") / "mask.safetensors")
    layers = build("resnet-20", (28, 28), 10).layers
    spared = [layer.weight_name for layer in layers if layer.role != "conv"]
    assert len(spared) == 3
    assert all(mask[name].all() for name in spared)
    names = [layer.weight_name for layer in layers if layer.role == "conv"]
    magnitudes = np.concatenate([np.abs(scored[name]).ravel() for name in names])
    kept = np.concatenate([mask[name].ravel() for name in names]) == 1
    assert kept.sum() == magnitudes.size - round(0.2 * magnitudes.size)
    assert magnitudes[kept].min() >= magnitudes[~kept].max()
    shares = [float(mask[name].mean()) for name in names]
    assert max(shares) - min(shares) > 0.05, "not each layer by its own share"
