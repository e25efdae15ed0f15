"""The sparse engine against the reference: the same mathematics for any shape, density and batch."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import REPOSITORY, One, assert_members_train_as_if_alone, made_up_images
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from lottery.arms.operations import rewind
from lottery.arrays import stack
from lottery.datasets.images import Images, Split, read_splits
from lottery.errors import LotteryError
from lottery.networks import build, fully_connected
from lottery.settings import Training
from lottery.training import sparse_engine, torch_engine
from lottery.training.sparse.images import Forms, place_images
from lottery.training.sparse.machine import X86, flush_denormals, set_mode
from lottery.training.sparse.network import pixels_are_cheaper
from lottery.training.sparse.pixel_layer import by_unit
from lottery.training.sparse.transpose import COLUMNS
from lottery.training.sparse.vectors import WIDTH

UPDATES = 30


@st.composite
def cases(draw):
    """A network of any shape, a mask with empty rows, columns and layers, a batch that need not fill a vector."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    inputs, classes = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    network = fully_connected([inputs, *draw(st.lists(st.integers(1, 90), min_size=1, max_size=3)), classes])
    mask = {}
    for layer in network.layers:
        density = draw(st.sampled_from([0.0, 0.02, 0.2, 0.7, 1.0]))
        kept = random.random((layer.outputs, layer.inputs)) < density
        kept[random.random(layer.outputs) < 0.2] = False
        kept[:, random.random(layer.inputs) < 0.2] = False
        mask[layer.weight_name] = kept.astype(np.uint8)
    initial = with_biases(network, random)
    masked = draw(st.booleans())
    optimizer, momentum = draw(st.sampled_from([("adam", 0.0), ("sgd", 0.0), ("sgd", 0.9)]))
    recipe = Training(
        optimizer=optimizer,
        momentum=momentum,
        learning_rate=0.01,
        batch_size=draw(st.sampled_from([1, 7, 60, 64, 65, 150])),
        # Where gradients cancel, Adam makes whole steps of float32's rounding errors, each engine its own.
        precision=draw(st.sampled_from(["float32", "float64"])) if optimizer == "sgd" else "float64",
    )
    split = Split(*(made_up_images(count, inputs, classes, random) for count in (120, 50, 70)))
    batches = random.integers(120, size=(UPDATES, recipe.batch_size))
    return (
        network,
        rewind(initial, mask) if masked else initial,
        (mask if masked else None),
        recipe,
        split,
        batches,
    )


def outcome(engine, network, start, mask, recipe, split, batches, **options):
    """Loss, parameters and evaluation after some updates."""
    trained = One(engine, network, start, mask, engine.resident([split], recipe), recipe, **options)
    losses = [trained.advance(batches[:10]), trained.advance(batches[10:])]
    return losses, trained.parameters(), trained.evaluate("validation"), trained.evaluate("test")


@pytest.mark.long
@given(cases(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_engines_agree_for_any_shape(case, by_pixel):
    compare_engines(case, by_pixel)


@pytest.mark.parametrize("by_pixel", [False, True], ids=["weights", "pixels"])
@pytest.mark.parametrize("empty", [0, 1, 2])
def test_engines_agree_where_a_layer_has_no_weights(small_split, empty, by_pixel):
    """Its outputs are its biases."""
    random, network = np.random.default_rng(0), fully_connected([20, 8, 6, 4])
    mask = {layer.weight_name: np.ones((layer.outputs, layer.inputs), np.uint8) for layer in network.layers}
    mask[network.layers[empty].weight_name][:] = 0
    start = with_biases(network, random)
    recipe = Training(learning_rate=0.01, batch_size=30, precision="float64")
    batches = random.integers(300, size=(UPDATES, recipe.batch_size))
    compare_engines((network, rewind(start, mask), mask, recipe, small_split, batches), by_pixel)


def with_biases(network, random):
    """Initial weights with biases other than 0."""
    biases = {layer.bias_name: random.normal(0, 0.3, layer.outputs).astype(np.float32) for layer in network.layers}
    return network.initial(random) | biases


def compare_engines(case, by_pixel):
    network, start, mask, recipe, split, batches = case
    expected = outcome(torch_engine, network, start, mask, recipe, split, batches)
    found = outcome(sparse_engine, network, start, mask, recipe, split, batches, first_by_pixel=by_pixel)
    # In float32 the order of sums matters.
    tolerance = {"rtol": 1e-9, "atol": 1e-12} if recipe.precision == "float64" else {"rtol": 2e-3, "atol": 2e-3}
    np.testing.assert_allclose(found[0], expected[0], **tolerance)
    weights = tolerance if recipe.precision == "float32" else {"rtol": 1e-6, "atol": 1e-7}  # told in float32
    for name, values in found[1].items():
        np.testing.assert_allclose(values, expected[1][name], err_msg=name, **weights)
        if mask is not None and name in mask:
            assert not values[mask[name] == 0].any()
    for ours, theirs in zip(found[2:], expected[2:], strict=True):
        np.testing.assert_allclose(ours[0], theirs[0], **tolerance)
        assert abs(ours[1] - theirs[1]) < 0.05


@pytest.mark.parametrize("by_pixel", [False, True], ids=["weights", "pixels"])
@pytest.mark.parametrize("density", [1.0, 0.2, 0.03])
def test_engines_agree_in_float64_on_lenet_after_300_updates(mnist, density, by_pixel):
    (split,) = read_splits(mnist, Training(), 0, [0])
    random = np.random.default_rng(4)
    network = build("lenet-300-100", (28, 28), 10)
    mask = {
        layer.weight_name: (random.random((layer.outputs, layer.inputs)) < density).astype(np.uint8)
        for layer in network.layers
    }
    recipe = Training(precision="float64")
    batches = random.integers(55_000, size=(300, 60))
    start = rewind(network.initial(random), mask)
    trained = []
    for engine, options in ((torch_engine, {}), (sparse_engine, {"first_by_pixel": by_pixel})):
        trained.append(One(engine, network, start, mask, engine.resident([split], recipe), recipe, **options))
        trained[-1].advance(batches)
    reference, sparse = trained[0].engine.networks.weights, trained[1].engine.networks[0]
    for layer, arrays in zip(network.layers, sparse.layers, strict=True):
        expected = reference[layer.weight_name][0].detach().numpy()
        if by_pixel and layer is network.layers[0]:
            found = by_unit(sparse.pixel_layer.weight, layer.outputs, layer.inputs)
        else:
            found = np.zeros_like(expected)
            found[sparse.places[network.layers.index(layer)]] = arrays.weight
        assert np.abs(found - expected).max() < 1e-9
        assert np.abs(arrays.bias - reference[layer.bias_name][0].detach().numpy()).max() < 1e-9
    for part in ("validation", "test"):
        expected, found = (each.evaluate(part) for each in trained)
        assert found[0] == pytest.approx(expected[0], abs=1e-9)
        assert found[1] == expected[1]


@pytest.mark.parametrize("engine", [torch_engine, sparse_engine], ids=["torch", "sparse"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_stack_trains_each_member_as_if_alone(small_splits, engine, optimizer):
    network, random = build("lenet-12-7", (20,), 4), np.random.default_rng(0)
    recipe = Training(precision="float64", batch_size=30, optimizer=optimizer)
    masks = [
        {
            layer.weight_name: (random.random((layer.outputs, layer.inputs)) < density).astype(np.uint8)
            for layer in network.layers
        }
        for density in (0.8, 0.3, 0.1)
    ]
    starts = [rewind(network.initial(random), mask) for mask in masks]
    batches = random.integers(300, size=(3, 50, 30))
    images = engine.resident(small_splits, recipe)
    assert_members_train_as_if_alone(engine, network, starts, masks, images, recipe, batches)


def test_a_stack_of_images_read_twice_is_refused(small_split):
    """Rows of one member's tensors would be taken for rows of another's."""
    recipe = Training(engine="torch")
    images = [torch_engine.resident([small_split], recipe)[0] for _ in range(2)]
    network = build("lenet-12-7", (20,), 4)
    starts = stack([network.initial(np.random.default_rng(0))] * 2)
    with pytest.raises(ValueError, match="rows of the same tensors"):
        torch_engine.Engine(network, starts, None, images, recipe)


def test_a_compiled_update_reaches_the_same_weights(small_split):
    network, random = build("lenet-12-7", (20,), 4), np.random.default_rng(0)
    start, batches = network.initial(random), random.integers(300, size=(20, 30))
    found = []
    for compiled in (False, True):
        recipe = Training(engine="torch", precision="float64", batch_size=30, compile=compiled)
        trained = One(torch_engine, network, start, None, torch_engine.resident([small_split], recipe), recipe)
        found.append((trained.advance(batches), trained.parameters()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    for name, values in found[0][1].items():
        np.testing.assert_allclose(values, found[1][1][name], rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_compiled_update_without_a_compiler_is_an_error(small_split, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(LotteryError, match=r"compile: true needs a C\+\+ compiler"):
        torch_engine.resident([small_split], Training(engine="torch", compile=True))


def test_a_gpu_that_is_missing_is_an_error(small_split):
    if torch.cuda.is_available():
        pytest.skip("a GPU is there")
    with pytest.raises(LotteryError, match="PyTorch finds no GPU"):
        torch_engine.resident([small_split], Training(device="cuda"))


def test_every_operation_of_the_reference_can_repeat_exactly(small_split):
    """PyTorch refuses, on any device, operations that have no deterministic kernel."""
    recipe = Training(engine="torch", batch_size=30)
    torch_engine.repeat_exactly()
    try:
        assert torch.are_deterministic_algorithms_enabled()
        network, random = build("lenet-12-7", (20,), 4), np.random.default_rng(0)
        images = torch_engine.resident([small_split], recipe)
        trained = One(torch_engine, network, network.initial(random), None, images, recipe)
        trained.advance(random.integers(300, size=(5, 30)))
        trained.evaluate("test")
    finally:
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True


def test_repeating_exactly_needs_no_filled_memory(small_split):
    """The same bytes with every new tensor full of NaN and without, so nothing is read that was not written."""
    random, network = np.random.default_rng(0), build("resnet-20", (3, 8, 8), 4)
    shown = [Images(random.integers(256, size=(30, 192), dtype=np.uint8), random.integers(4, size=30)).all()] * 3
    recipe = Training(optimizer="sgd", momentum=0.9, learning_rate=0.01, batch_size=10)
    mask = {layer.weight_name: (random.random(layer.shape) < 0.5).astype(np.uint8) for layer in network.layers}
    start, batches = rewind(network.initial(random), mask), random.integers(30, size=(4, 10))
    images, found = torch_engine.resident([Split(*shown)], recipe), {}
    torch_engine.repeat_exactly()
    assert not torch.utils.deterministic.fill_uninitialized_memory
    try:
        for filled in (False, True):
            torch.utils.deterministic.fill_uninitialized_memory = filled
            trained = One(torch_engine, network, start, mask, images, recipe)
            trained.advance(batches)
            found[filled] = [values.tobytes() for values in trained.parameters().values()], trained.evaluate("test")
    finally:
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True
    assert found[False] == found[True]


def test_loading_gives_the_parameters_back(small_split):
    network, random = build("lenet-12-7", (20,), 4), np.random.default_rng(0)
    recipe = Training(batch_size=30)
    for engine, options in [
        (torch_engine, {}),
        (sparse_engine, {"first_by_pixel": False}),
        (sparse_engine, {"first_by_pixel": True}),
    ]:
        start, other = network.initial(random), network.initial(random)
        trained = One(engine, network, start, None, engine.resident([small_split], recipe), recipe, **options)
        before = trained.evaluate("test")
        assert all((values == start[name]).all() for name, values in trained.parameters().items())
        trained.load(other)
        assert trained.evaluate("test") != before
        trained.load(start)
        assert trained.evaluate("test") == before


def test_the_cheaper_kernel_is_chosen_by_counts_alone(mnist):
    images = sparse_engine.resident(read_splits(mnist, Training(), 0, [0]), Training())[0]
    layer = build("lenet-300-100", (28, 28), 10).layers[0]
    choice = [
        pixels_are_cheaper(layer, round(share * layer.weights), 60, images["train"].forms.lit)
        for share in (1, 0.8, 0.5, 0.2, 0.03)
    ]
    assert choice == [True, True, True, False, False]


IN_A_PROCESS = """
import os, sys
sys.path.insert(0, "tests")
import test_engines
from hypothesis import seed
seed(7)(test_engines.test_engines_agree_for_any_shape)()
"""


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("bounds checked", {"NUMBA_BOUNDSCHECK": "1"}),
        ("without AVX", {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse,+sse2"}),
    ],
)
def test_kernels_in_other_modes(tmp_path, name, variables):
    """Kernels compiled anew: with every access compared with its array's bounds; for a processor without AVX."""
    environment = os.environ | variables | {"NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS], cwd=REPOSITORY, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_read_outside_is_seen_when_bounds_are_checked(tmp_path):
    script = (
        "import numpy as np\nfrom numba import njit\nfrom lottery.training.sparse.vectors import dot, load\n"
        "@njit\ndef read(array, offset):\n    return dot(load(array, offset), load(array, 0))\n"
        "read(np.ones(100), 36)\n"
        "try:\n    read(np.ones(100), 37)\nexcept IndexError as error:\n    print(error)\n"
    )
    environment = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "vector read outside its array", done.stderr


def test_kernels_take_denormal_numbers_as_0_and_leave_the_thread_as_it_was():
    @njit
    def halves(array):
        mode = flush_denormals()
        array[1] = array[0] * np.float32(0.5)
        set_mode(mode)
        array[2] = array[0] * np.float32(0.5)

    least = np.finfo(np.float32).tiny
    numbers = np.array([least, 1, 1], np.float32)
    halves(numbers)
    assert numbers[1] == (0 if X86 else least / 2)
    assert numbers[2] == least / 2


def test_an_image_of_more_numbers_than_an_index_can_tell_is_refused():
    labels = np.zeros(1, np.uint8)
    assert Forms(Images(np.full((1, 65_536), 7, np.uint8), labels), np.float32).pixels.pixel[-1] == 65_535
    with pytest.raises(LotteryError, match="an image has 65537 numbers, engine sparse takes up to 65536"):
        Forms(Images(np.zeros((1, 65_537), np.uint8), labels), np.float32)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_images_are_placed_by_pixel(dtype):
    random = np.random.default_rng(0)
    columns = random.integers(256, size=(90, 3 * COLUMNS), dtype=np.uint8)
    rows, slot = random.permutation(90), random.permutation(3 * COLUMNS).astype(np.int32)
    inputs = np.zeros(3 * COLUMNS * WIDTH, dtype)
    place_images(columns, rows, 64, slot, dtype(0.5), np.zeros(WIDTH, np.int64), inputs)
    listed = rows[[*range(64, 90), *[64] * (WIDTH - 26)]]
    assert (inputs.reshape(-1, WIDTH)[slot] == columns[listed].T * dtype(0.5)).all()
