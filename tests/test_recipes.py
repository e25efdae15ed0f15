"""Recipes of the deep networks: schedules, weight decay, batch normalisation, augmentation, dropout, late rewinding."""

import gzip
import math
from unittest.mock import ANY

import numpy as np
import pytest
import torch
from conftest import REPOSITORY, One, made_up_images, stretch
from torch import nn

from lottery.arms.operations import rewind
from lottery.arrays import of_member, stack
from lottery.benchmark.plain_networks import LAST_GROUPS, arrays_of, plain_network
from lottery.benchmark.plain_networks import vgg as plain_vgg
from lottery.datasets.batches import random_views
from lottery.datasets.images import Chosen, Images, Split
from lottery.errors import LotteryError
from lottery.networks import NETWORKS, Network, build, fully_connected
from lottery.networks.catalog import vgg
from lottery.randomness import Seed
from lottery.runs.reading import read_run
from lottery.settings import Training
from lottery.training import loop, torch_engine
from lottery.training.engines import engine_name
from lottery.training.loop import Course, MemberData
from lottery.training.torch_network import TorchNetwork

SHAPE = (3, 8, 8)

RECIPE = Training(
    optimizer="sgd",
    momentum=0.9,
    learning_rate=0.05,
    weight_decay=1e-3,
    batch_size=8,
    iterations=12,
    validation_every=4,
    test_every=4,
    warmup_iterations=5,
    rate_drops=[8, 10],
    precision="float64",
)
"""All that a schedule has, within 12 iterations."""


def images(count: int, shape: tuple[int, ...], random: np.random.Generator) -> Chosen:
    return Images(
        random.integers(256, size=(count, int(np.prod(shape))), dtype=np.uint8), random.integers(10, size=count)
    ).all()


@pytest.mark.parametrize("name", ["resnet-20", "vgg-16", "vgg-19"])
def test_an_independent_module_reaches_the_same_weights(name):
    """Weights, running statistics and evaluation, over warmup and both drops, with decay and a mask.

    VGG has an eighth of its channels; its own are tested below.
    """
    if name == "resnet-20":
        check_against_a_module(build(name, SHAPE, 10), plain_network(name, SHAPE))
        return
    shape = (3, 16, 16)
    (groups,) = NETWORKS[name].args
    narrow = [[width // 8 for width in group] for group in groups]
    check_against_a_module(vgg(narrow, shape, 10), plain_vgg(LAST_GROUPS[name], 3, 10, narrower=8))


@pytest.mark.parametrize("name", ["vgg-16", "vgg-19"])
def test_a_vgg_has_the_arrays_of_an_independent_module(name):
    network, model = build(name, (3, 32, 32), 10), plain_network(name, (3, 32, 32))
    expected = [tuple(values.shape) for values in arrays_of(model)]
    assert [values.shape for values in network.initial(np.random.default_rng(0)).values()] == expected


@pytest.mark.long
@pytest.mark.parametrize("name", ["vgg-16", "vgg-19"])
def test_an_independent_vgg_of_full_width_reaches_the_same_weights(name):
    shape = (3, 16, 16)
    check_against_a_module(build(name, shape, 10), plain_network(name, shape))


def check_against_a_module(network: Network, model: nn.Module) -> None:
    random, shape = np.random.default_rng(0), network.image_shape
    mask = {layer.weight_name: (random.random(layer.shape) < 0.5).astype(np.uint8) for layer in network.layers}
    start = rewind(network.initial(random), mask)
    split = Split(*(images(count, shape, random) for count in (24, 60, 10)))
    batches = random.integers(24, size=(12, 8))
    trained = One(torch_engine, network, start, mask, torch_engine.resident([split], RECIPE), RECIPE)
    data = MemberData(lambda first, last: batches[first:last])
    course = Course(trained.engine, [data], RECIPE)
    while not course.finished:
        course.advance()

    model = model.double()
    for values, initial in zip(arrays_of(model), start.values(), strict=True):
        values.copy_(torch.tensor(initial))
    parameters = list(model.parameters())
    names = [each for each in start if each not in network.statistics]
    optimizer = torch.optim.SGD(parameters, lr=RECIPE.learning_rate, momentum=0.9, weight_decay=1e-3)
    rates = [0.01, 0.02, 0.03, 0.04, 0.05, 0.05, 0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005]
    for batch, rate in zip(batches, rates, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        seen = torch.tensor(split.train.pixels[batch] / 255).view(-1, *shape)
        nn.functional.cross_entropy(model(seen), torch.tensor(split.train.labels[batch])).backward()
        for parameter, each in zip(parameters, names, strict=True):
            parameter.grad *= torch.tensor(mask.get(each, 1))
        optimizer.step()
    found = trained.parameters()
    for each, values in zip(start, arrays_of(model), strict=True):
        if each.endswith("running_var"):
            assert (values != 1).any()
        np.testing.assert_allclose(found[each], values.numpy(), rtol=2e-5, atol=1e-6, err_msg=each)
    for each, kept in mask.items():
        assert not found[each][kept == 0].any()
    model.eval()
    with torch.no_grad():
        outputs = model(torch.tensor(split.validation.pixels / 255).view(-1, *shape))
    loss, accuracy = trained.evaluate("validation")
    assert loss == pytest.approx(float(nn.functional.cross_entropy(outputs, torch.tensor(split.validation.labels))))
    assert accuracy == float((outputs.argmax(1) == torch.tensor(split.validation.labels)).double().mean())


def seen_by_networks(pixels: np.ndarray, scaling: str, train: np.ndarray, channels: int) -> np.ndarray:
    """By the definitions, image by image: [images, channels, rest]."""
    if scaling == "image-norm":
        return np.stack([image / np.linalg.norm(image.astype(float)) for image in pixels])
    if scaling == "image-standardised":
        floor = 1 / math.sqrt(pixels.shape[1])
        return np.stack([(image - image.mean()) / max(image.std(), floor) for image in pixels])
    if scaling == "bytes":
        return pixels.astype(float)
    known, new = (each.reshape(len(each), channels, -1) / 255 for each in (train, pixels))
    seen = [(new[:, c] - known[:, c].mean()) / known[:, c].std() for c in range(channels)]
    return np.stack(seen, axis=1)


@pytest.mark.parametrize("scaling", ["standardised", "image-norm", "image-standardised", "bytes"])
@pytest.mark.parametrize("name", ["lenet-9-7", "conv-2"])
def test_scaled_inputs(name, scaling):
    """The first update of a network that sees images as they are, fed the scaled ones, is that of the recipe."""
    random = np.random.default_rng(0)
    network = build(name, SHAPE, 10)
    known = images(84, SHAPE, random).images
    split = Split(Chosen(known, np.arange(0, 48, 2)), Chosen(known, np.arange(24, 84)), images(10, SHAPE, random))
    start, batch = network.initial(random), random.integers(24, size=(1, 8))
    channels = 3 if name == "conv-2" else 1  # a row of numbers has one
    recipe = Training(engine="torch", precision="float64", input_scaling=scaling, batch_size=8)
    trained = One(torch_engine, network, start, None, torch_engine.resident([split], recipe), recipe)
    plain = One(torch_engine, network, start, None, torch_engine.resident([split], RECIPE), recipe)
    plain.engine.networks.scaled = lambda pixels: torch.tensor(
        seen_by_networks(pixels[0].numpy(), scaling, known.pixels, channels).reshape(1, len(pixels[0]), -1)
    )
    assert trained.advance(batch) == pytest.approx(plain.advance(batch), rel=1e-12)
    assert trained.evaluate("validation") == pytest.approx(plain.evaluate("validation"), rel=1e-12)
    for each, values in plain.parameters().items():
        np.testing.assert_allclose(trained.parameters()[each], values, rtol=1e-6, err_msg=each)


def test_an_image_of_one_colour_is_standardised_to_zeros():
    """Its standard deviation is 0; TensorFlow divides by no less than 1 / sqrt(numbers)."""
    network = build("conv-2", SHAPE, 10)
    recipe = Training(engine="torch", input_scaling="image-standardised")
    start = {name: values[None] for name, values in network.initial(np.random.default_rng(0)).items()}
    pixels = np.full((2, math.prod(SHAPE)), 7, np.uint8)
    pixels[1, 0] = 8
    made = TorchNetwork(network, start, recipe, torch_engine.moments(torch.tensor(pixels), network, recipe))
    one, other = made.scaled(torch.tensor(pixels)[None])[0]
    assert not one.any()
    assert other.max() * math.prod(SHAPE) ** -0.5 == pytest.approx(1 - 1 / math.prod(SHAPE), rel=1e-5), "the floor"


def test_mnist_has_the_known_moments():
    """0.1307 and 0.3081, as everybody's code has them."""
    data = read_arrays_of_mnist()
    network = build("lenet-300-100", (28, 28), 10)
    mean, deviation = torch_engine.moments(torch.tensor(data), network, Training(input_scaling="standardised"))
    assert mean.numpy() == pytest.approx(0.1307, abs=5e-5)
    assert deviation.numpy() == pytest.approx(0.3081, abs=5e-5)
    assert mean.shape == (784,)


def read_arrays_of_mnist() -> np.ndarray:
    content = gzip.decompress((REPOSITORY / "resources/mnist/train-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(content, np.uint8, offset=16).reshape(60_000, 784).copy()


def test_evaluation_changes_nothing():
    """Neither weights nor running statistics; nor does it depend on who else is evaluated."""
    random, network = np.random.default_rng(0), build("resnet-20", SHAPE, 10)
    split = Split(*(images(count, SHAPE, random) for count in (24, 70, 10)))
    trained = One(torch_engine, network, network.initial(random), None, torch_engine.resident([split], RECIPE), RECIPE)
    trained.advance(random.integers(24, size=(3, 8)))
    before = trained.parameters()
    first = trained.evaluate("validation")
    assert trained.evaluate("validation") == first
    for name, values in trained.parameters().items():
        np.testing.assert_array_equal(values, before[name], err_msg=name)


def test_a_later_start_takes_the_running_statistics_along():
    """What a training leaves is evaluated by another engine as by the one that trained it."""
    random, network = np.random.default_rng(0), build("resnet-20", SHAPE, 10)
    split = Split(*(images(count, SHAPE, random) for count in (24, 70, 10)))
    resident = torch_engine.resident([split], RECIPE)
    trained = One(torch_engine, network, network.initial(random), None, resident, RECIPE)
    trained.advance(random.integers(24, size=(5, 8)))
    taken = One(torch_engine, network, trained.parameters(), None, resident, RECIPE)
    assert taken.evaluate("validation") == (pytest.approx(trained.evaluate("validation")[0], rel=1e-4), ANY)


def test_the_schedule_is_the_papers():
    """Resnet-18 at 0.03 with warmup 20K: the ramp ends where the first drop falls (Fig. 8; drops from Fig. 2)."""
    recipe = Training(
        optimizer="sgd", learning_rate=0.03, iterations=30_000, warmup_iterations=20_000, rate_drops=[20_000, 25_000]
    )
    rates = loop.rates(recipe, 0, 30_000)
    assert rates[0] == pytest.approx(0.03 / 20_000)
    assert rates[9_999] == pytest.approx(0.015)
    assert rates[19_999] == pytest.approx(0.03)
    assert rates[20_000:25_000] == pytest.approx([0.003] * 5_000)
    assert rates[25_000:] == pytest.approx([0.0003] * 5_000)
    assert loop.rates(recipe, 19_998, 20_002) == rates[19_998:20_002]


def test_views_are_flips_and_crops_of_a_padded_image():
    """Against a loop that pads, cuts and mirrors one image at a time."""
    random = np.random.default_rng(0)
    pictures = random.integers(1, 256, size=(40, 3, 6, 5), dtype=np.uint8)
    views = random_views(40, 40, lambda epoch: np.random.default_rng(epoch))(0, 1)[0]
    found = torch_engine.cut_out(torch.tensor(pictures), torch.tensor(views)).numpy()
    assert found.shape == pictures.shape
    for picture, (mirrored, top, left), seen in zip(pictures, views, found, strict=True):
        expected = np.pad(picture, ((0, 0), (4, 4), (4, 4)))[:, top : top + 6, left : left + 5]
        np.testing.assert_array_equal(seen, expected[:, :, ::-1] if mirrored else expected)
    unchanged = torch.tensor([[0, 4, 4]] * 40, dtype=torch.uint8)
    np.testing.assert_array_equal(torch_engine.cut_out(torch.tensor(pictures), unchanged).numpy(), pictures)
    many = random_views(5_000, 5_000, lambda epoch: np.random.default_rng(epoch))(0, 1)[0]
    assert many.max(axis=0).tolist() == [1, 8, 8]
    assert many.min(axis=0).tolist() == [0, 0, 0]
    assert abs(many[:, 0].mean() - 0.5) < 0.03


def test_views_are_seeded_and_new_in_every_epoch():
    seed = Seed(0, "e", 0)

    def views():
        return random_views(30, 10, lambda epoch: seed.generator("views", level=2, epoch=epoch))

    whole = views()(0, 9)
    assert whole.shape == (9, 10, 3)
    np.testing.assert_array_equal(np.concatenate([views()(0, 4), views()(4, 9)]), whole)
    assert (whole[:3] != whole[3:6]).any()


def test_only_training_sees_other_views():
    """A crop that moves everything out of the picture: training sees it, evaluation does not."""
    random, network = np.random.default_rng(0), build("conv-2", SHAPE, 10)
    recipe = Training(augmentation="flip-and-crop", batch_size=8, iterations=4, validation_every=4, test_every=4)
    split = Split(*(images(count, SHAPE, random) for count in (24, 60, 10)))
    resident, start, batches = torch_engine.resident([split], recipe), network.initial(random), np.zeros((1, 4, 8), int)
    plain, moved = (torch_engine.Engine(network, stack([start]), None, resident, recipe) for _ in range(2))
    plain.advance(stretch(batches, recipe, views=np.full((1, 4, 8, 3), [0, 4, 4], np.uint8)))
    moved.advance(stretch(batches, recipe, views=np.full((1, 4, 8, 3), [1, 0, 8], np.uint8)))
    assert (plain.parameters()["conv1.weight"] != moved.parameters()["conv1.weight"]).any()
    moved.load(plain.parameters())
    assert moved.evaluate("train") == plain.evaluate("train")


@pytest.mark.parametrize("members", [1, 2])
def test_dropout_takes_its_share_and_keeps_the_mean(members):
    random = np.random.default_rng(0)
    network, recipe = fully_connected([6, 400, 4]), Training(engine="torch", dropout=0.25)
    split = Split(*(made_up_images(count, 6, 4, random) for count in (8, 8, 8)))
    start = stack([network.initial(random)] * members)
    engine = torch_engine.Engine(network, start, None, torch_engine.resident([split] * members, recipe), recipe)
    values = torch.ones(members, 400, 50)
    kept = engine.networks.kept(values, engine.noise)
    assert kept.unique().tolist() == pytest.approx([0, 4 / 3])
    assert float((kept == 0).double().mean()) == pytest.approx(0.25, abs=0.02)
    assert float(kept.mean()) == pytest.approx(1, abs=0.03)
    pixels = torch.tensor(split.test.pixels)[None]
    assert torch.equal(engine.networks.logits(pixels), engine.networks.logits(pixels)), "none in evaluation"
    assert not torch.equal(
        engine.networks.logits(pixels, engine.noise), engine.networks.logits(pixels, engine.noise)
    ), "new in every update"


def test_dropout_is_paired_and_depends_on_no_companion(small_split):
    """Equal seeds, equal bytes: for a control, for a job that goes on, alone and in a stack."""
    network = build("lenet-12-7", (20,), 4)
    recipe = Training(engine="torch", dropout=0.5, batch_size=10, iterations=20, validation_every=5, test_every=5)
    start = network.initial(np.random.default_rng(0))
    batches = np.random.default_rng(1).integers(300, size=(20, 10))
    data = MemberData(lambda first, last: batches[first:last], noise=lambda iteration: 100 + iteration)
    other = MemberData(data.batches, noise=lambda iteration: 7 + iteration)
    images = torch_engine.resident([small_split], recipe)

    def course(*members: MemberData) -> Course:
        count = len(members)
        return Course(
            torch_engine.Engine(network, stack([start] * count), None, images * count, recipe), members, recipe
        )

    def weights(trained: Course, place: int = 0) -> list[bytes]:
        while not trained.finished:
            trained.advance()
        return [values.tobytes() for values in of_member(trained.engine.parameters(), place).values()]

    expected = weights(course(data))
    assert weights(course(data)) == expected
    assert weights(course(other)) != expected
    killed, resumed = course(data), course(data)
    for _ in range(3):
        killed.advance()
    resumed.restore(killed.state())
    assert weights(resumed) == expected
    together = course(other, data)
    while not together.finished:
        together.advance()
    for name, values in of_member(together.engine.parameters(), 1).items():
        alone = course(data)
        while not alone.finished:
            alone.advance()
        np.testing.assert_allclose(values, alone.engine.parameters()[name][0], rtol=1e-4, atol=1e-6)


def test_a_training_that_begins_later_is_the_end_of_a_whole_one(small_split):
    """Rewound to iteration 8 with a full mask: the same updates, rates and bytes as in the dense training after it."""
    network = build("lenet-12-7", (20,), 4)
    recipe = RECIPE.model_copy(update={"momentum": 0.0, "batch_size": 10})
    start = network.initial(np.random.default_rng(0))
    batches = np.random.default_rng(1).integers(300, size=(12, 10))
    data = MemberData(lambda first, last: batches[first:last])
    images = torch_engine.resident([small_split], recipe)

    def course(start, first: int) -> Course:
        full = {layer.weight_name: np.ones((1, *layer.shape), np.uint8) for layer in network.layers}
        return Course(torch_engine.Engine(network, start, full, images, recipe), [data], recipe, first)

    whole = course(stack([start]), 0)
    for _ in range(3):
        whole.advance()
    later = course(whole.engine.parameters(), 8)
    for each in (whole, later):
        while not each.finished:
            each.advance()
        each.measure()
    assert [row.iteration for row in later.records[0].rows] == [8, 12]
    for name, values in whole.records[0].trained.items():
        np.testing.assert_allclose(later.records[0].trained[name], values, rtol=1e-5, atol=1e-7, err_msg=name)
    assert later.records[0].rows[1].train_loss == pytest.approx(whole.records[0].rows[3].train_loss, rel=1e-5)


def settings(training: dict | None = None, pruning: dict | None = None, **changes: object) -> dict:
    experiment = {"dataset": "mnist", "network": "resnet-20", "levels": 1, "replicates": 1, "replicates_per_job": 1}
    experiment |= {"training": {"iterations": 100} | (training or {}), "pruning": pruning or {}, "arms": []} | changes
    return {"run": "x", "run_experiments": ["e"], "experiments": {"e": experiment}}


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (settings({"rate_drops": [5, 5]}), r"rate_drops \[5, 5\] must be whole numbers from 1 on, rising"),
        (
            settings({"engine": "sparse", "weight_decay": 0.1}, network="lenet-300-100"),
            "training.engine: sparse cannot train with weight_decay: 0.1; use engine: torch",
        ),
        (settings({"autocast": True, "precision": "float64"}), "autocast needs precision: float32"),
        (
            settings({"augmentation": "flip-and-crop"}, network="lenet-300-100"),
            "training.augmentation: lenet-300-100 sees rows of numbers",
        ),
        (settings(rewind_iteration=150), r"rewind_iteration \(150\) must be a multiple of validation_every \(100\)"),
        (settings(pruning={"excluded_layers": ["conv99"]}), "pruning.excluded_layers: no layer is called 'conv99'"),
        (
            settings(pruning={"excluded_layers": ["conv", "shortcut", "output"]}),
            "pruning.excluded_layers: no layer is left to prune",
        ),
    ],
)
def test_what_cannot_be_is_refused(values, told):
    with pytest.raises(LotteryError, match=told):
        read_run(values)


@pytest.mark.parametrize("extra", [{"weight_decay": 1e-4}, {"dropout": 0.5}, {"rate_drops": [5]}, {"autocast": True}])
def test_what_only_the_reference_knows_is_trained_by_it(extra):
    assert engine_name(build("lenet-300-100", (28, 28), 10), Training(**extra)) == "torch"


def test_autocast_rounds_products_and_keeps_weights_precise(small_split):
    network, recipe = build("conv-2", SHAPE, 10), Training(batch_size=8)
    random = np.random.default_rng(0)
    split = Split(*(images(count, SHAPE, random) for count in (24, 60, 10)))
    start, batches = network.initial(random), random.integers(24, size=(5, 8))
    found = {}
    for autocast in (False, True):
        own = recipe.model_copy(update={"autocast": autocast})
        trained = One(torch_engine, network, start, None, torch_engine.resident([split], own), own)
        trained.advance(batches)
        found[autocast] = trained.parameters()
    for name, values in found[True].items():
        assert values.dtype == np.float32
        assert np.abs(values - found[False][name]).max() < 0.01
    assert any((values != found[False][name]).any() for name, values in found[True].items())
