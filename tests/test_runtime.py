"""The runtime of compacted networks: its kernels against PyTorch, and its stored code."""

import logging

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lottery.errors import LotteryError
from lottery.tickets import compiled, runtime
from lottery.tickets.packed import GAPS, gaps_of, pack, unpack
from lottery.tickets.runtime import ChainLayer, One, Runtime

WIDTHS = [[20, 7, 4], [784, 300, 100, 10], [17, 64, 65, 3], [50, 1, 1, 2], [33, 130, 5]]


def chain(
    widths: list[int], density: float, read: float, seed: int = 0
) -> tuple[Runtime, list[ChainLayer], np.ndarray]:
    """A network that reads a share of an image's numbers."""
    random = np.random.default_rng(seed)
    pixels = widths[0]
    places = np.sort(random.permutation(pixels)[: max(1, int(read * pixels))])
    layers = []
    for inputs, outputs in zip([len(places), *widths[1:-1]], widths[1:], strict=True):
        kept = random.random((outputs, inputs)) < density
        weight = np.where(kept, random.normal(size=kept.shape) / np.sqrt(inputs * density), 0)
        layers.append(ChainLayer(weight.astype(np.float32), random.normal(0, 0.2, outputs).astype(np.float32)))
    return Runtime(layers, places, pixels), layers, places


def images_of(count: int, pixels: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.where(random.random((count, pixels)) < 0.4, random.integers(0, 256, (count, pixels)), 0).astype(np.uint8)


def expected(layers: list[ChainLayer], places: np.ndarray, images: np.ndarray) -> np.ndarray:
    values = torch.tensor(images[:, places], dtype=torch.float64) / 255
    for number, layer in enumerate(layers):
        weight, bias = (torch.tensor(each, dtype=torch.float64) for each in (layer.weight, layer.bias))
        values = torch.nn.functional.linear(values if number == 0 else values.relu(), weight, bias)
    return values.numpy()


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 200])
@pytest.mark.parametrize("tiles", [False, True])
@pytest.mark.parametrize("floats", [False, True])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
@pytest.mark.parametrize(("density", "read"), [(1, 1), (0.1, 0.8), (0.01, 0.3), (0, 0.5)])
def test_both_kernels_compute_the_network(widths, density, read, count, tiles, floats):
    made, layers, places = chain(widths, density or 1e-9, read)
    made.tiles_are_cheaper = tiles
    images = images_of(count, widths[0])
    rows = (images / np.float32(255)).astype(np.float32) if floats else images
    right = expected(layers, places, images)
    logits, classes = made.run(rows)
    np.testing.assert_allclose(logits, right, rtol=1e-4, atol=1e-5)
    assert (classes == logits.argmax(1)).all()


@pytest.mark.parametrize("tiles", [False, True])
def test_threads_change_no_byte(tiles):
    made, _, _ = chain([784, 300, 100, 10], 0.05, 0.9)
    made.tiles_are_cheaper = tiles
    images = images_of(1000, 784)
    alone, classes = made.run(images)
    for threads in (2, 3, 7):
        together, found = made.run(images, threads)
        assert together.tobytes() == alone.tobytes()
        assert (found == classes).all()


def test_one_image_by_itself_is_the_same_image():
    made, _, _ = chain([784, 300, 100, 10], 0.05, 0.9)
    made.tiles_are_cheaper = False
    images = images_of(50, 784).reshape(-1, 28, 28)
    one = One(made, (28, 28))
    assert [one(image) for image in images] == made.run(images.reshape(-1, 784))[1].tolist()
    assert one(np.asfortranarray(images[3])) == one(images[3])
    for wrong in (images[0].astype(np.float32), images, images[0, 1:]):
        with pytest.raises(LotteryError, match=r"expected uint8 \[28, 28\]"):
            one(wrong)


def test_the_kernels_choice_follows_the_weights_left():
    assert not chain([784, 300, 100, 10], 1, 1)[0].tiles_are_cheaper
    assert chain([784, 300, 100, 10], 0.04, 1)[0].tiles_are_cheaper


def test_a_layer_too_wide_for_two_bytes_is_refused():
    wide = [ChainLayer(np.zeros((2**16 + 1, 1), np.float32), np.zeros(2**16 + 1, np.float32))]
    with pytest.raises(LotteryError, match="takes up to 65536"):
        Runtime(wide, np.arange(1), 1)


def test_the_constants_of_the_kernels_are_those_of_the_plans():
    from lottery.tickets import kernels

    assert (kernels.WIDTH, kernels.COLUMNS) == (runtime.WIDTH, runtime.COLUMNS)
    made, _, _ = chain([20, 7, 4], 1, 1)
    assert len(made.walk_plan) == len(kernels.HEAD) + 2 * len(kernels.PLAN)
    assert set(compiled.kernels()) == set(kernels.KERNELS)


def test_the_compiled_code_calls_nothing_of_python():
    """So that it can be used without what compiled it."""
    from lottery.tickets.kernels import compiled as compile_all

    for symbol, content in compile_all().values():
        assert symbol.encode() in content
        assert b"Py" not in content
        assert b"numba_" not in content


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """Compiled code is kept in a folder of the test's own, to which that of the package is copied."""
    path, key = compiled.place()
    compiled.kernels()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    compiled.write(compiled.place()[0], key, compiled.read(path, key) if path.exists() else compiled.stored_code())
    return compiled.place()


@pytest.mark.parametrize("damage", [lambda content: content[:1000], lambda content: content[:-1] + b"x", lambda _: b""])
def test_damaged_code_is_named_and_made_anew(own_folder, caplog, damage, monkeypatch):
    path, key = own_folder
    path.write_bytes(damage(path.read_bytes()))
    from lottery.tickets import kernels

    made = {"walk_bytes": ("symbol", b"code")}
    monkeypatch.setattr(kernels, "compiled", lambda: made)
    with caplog.at_level(logging.WARNING, logger="lottery"):
        assert compiled.stored_code() == made
    assert str(path) in caplog.text
    assert compiled.read(path, key) == made


def test_code_of_another_processor_is_not_used(own_folder):
    path, _ = own_folder
    with pytest.raises(LotteryError, match="of another processor"):
        compiled.read(path, "another key")


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 5000), st.data())
def test_packed_places_are_the_places(size, data):
    places = np.array(sorted(data.draw(st.sets(st.integers(0, size - 1), max_size=200))), np.int64)
    form, packed = pack(places, size)
    assert (unpack(form, packed, size, len(places)) == places).all()
    for kind in GAPS:
        assert (unpack("gaps", gaps_of(places, kind), size, len(places)) == places).all()
    assert packed.nbytes <= min(-(-size // 8), gaps_of(places, np.uint8).nbytes)


@pytest.mark.parametrize(
    ("form", "packed", "count", "message"),
    [
        ("gaps", np.array([3, 4], np.uint8), None, "a place 8 lies beyond"),
        ("gaps", np.array([3], np.uint8), 2, "1 places for 2 weights"),
        ("gaps", np.array([3], np.int64), 1, "expected uint8 or uint16"),
        ("gaps", np.array([[3]], np.uint8), 1, "expected uint8 or uint16"),
        ("bits", np.zeros(2, np.uint8), 0, "bits of 5 places"),
        ("bits", np.array([255], np.uint8), 3, "5 places for 3 weights"),
    ],
)
def test_places_that_cannot_be_are_errors(form, packed, count, message):
    with pytest.raises(LotteryError, match=message):
        unpack(form, packed, 5, count)
