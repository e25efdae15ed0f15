"""Data: verified bytes, the IDX format, a fixed split, batches that show every image once an epoch."""

import gzip
import shutil
import struct

import numpy as np
import pytest
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st

from lottery.arrays import read_arrays
from lottery.datasets.batches import shuffled_batches
from lottery.datasets.idx import parse_idx
from lottery.datasets.images import prepare, read_split
from lottery.datasets.sources import source
from lottery.errors import LotteryError
from lottery.randomness import Seed, split_generator


def test_embedded_mnist_is_mnist(mnist):
    arrays = read_arrays(mnist)
    assert {name: array.shape for name, array in arrays.items()} == {
        "train_images": (60_000, 28, 28),
        "train_labels": (60_000,),
        "test_images": (10_000, 28, 28),
        "test_labels": (10_000,),
    }
    assert np.bincount(arrays["train_labels"]).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(arrays["test_labels"]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-20]), "cannot be read"),
        (lambda path: path.write_bytes(b"not gzip"), "cannot be read"),
        (lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1] + b"\x07")), "SHA-256"),
    ],
)
def test_damaged_raw_file_is_named(tmp_path, damage, told):
    shutil.copytree(REPOSITORY / "resources/mnist", tmp_path / "raw")
    damage(tmp_path / "raw" / "t10k-labels-idx1-ubyte.gz")
    with pytest.raises(LotteryError, match=told) as error:
        prepare("mnist", tmp_path / "raw", tmp_path / "out.safetensors")
    assert "t10k-labels-idx1-ubyte.gz" in str(error.value)
    assert not list(tmp_path.glob("*out*")), "nothing half-written"


def test_unknown_dataset():
    with pytest.raises(LotteryError, match="unknown dataset 'emnist'; known: mnist"):
        source("emnist")


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_idx_round_trip():
    array = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    assert (parse_idx(idx(array), name="x") == array).all()


@pytest.mark.parametrize(
    "content", [b"", b"\0\0", b"\0\0\x0d\x01\0\0\0\x01\0", b"\0\0\x08\x03\0\0", idx(np.zeros(3, np.uint8))[:-1]]
)
def test_bad_idx_is_an_error(content):
    with pytest.raises(LotteryError, match="x:"):
        parse_idx(content, name="x")


def test_a_forged_idx_header_allocates_nothing():
    with pytest.raises(LotteryError, match="announces"):
        parse_idx(b"\0\0\x08\x04" + b"\xff" * 16, name="x")


def test_split_is_fixed_by_the_seed_and_shares_no_image(mnist):
    first, again = (read_split(mnist, 5_000, split_generator(0, "lenet-mnist")) for _ in range(2))
    other = read_split(mnist, 5_000, split_generator(1, "lenet-mnist"))
    assert [len(part.labels) for part in (first.train, first.validation, first.test)] == [55_000, 5_000, 10_000]
    assert (first.validation.pixels == again.validation.pixels).all()
    assert (first.validation.pixels != other.validation.pixels).any()
    arrays = read_arrays(mnist)
    together = np.concatenate([first.train.pixels, first.validation.pixels])
    whole = arrays["train_images"].reshape(60_000, -1)
    assert (np.sort(together.sum(axis=1)) == np.sort(whole.sum(axis=1))).all(), "no image twice, none lost"
    assert (first.test.pixels == arrays["test_images"].reshape(10_000, -1)).all()


def test_validation_must_leave_something_to_train_on(mnist):
    with pytest.raises(LotteryError, match="60000 of 60000"):
        read_split(mnist, 60_000, split_generator(0, "x"))


@given(st.integers(1, 50), st.integers(1, 60), st.integers(1, 40), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_every_image_once_an_epoch_and_every_batch_full(images, batch_size, updates, first):
    seed = Seed(0, "x", 0)
    batches = shuffled_batches(images, batch_size, lambda epoch: seed.generator("batches", epoch=epoch))
    whole = batches(0, first + updates)
    assert whole.shape == (first + updates, batch_size)
    assert (batches(first, first + updates) == whole[first:]).all(), "any stretch can be had alone"
    row = whole.reshape(-1)
    for epoch in range(len(row) // images):
        assert sorted(row[epoch * images : (epoch + 1) * images]) == list(range(images))


def test_epochs_are_shuffled_anew():
    seed = Seed(0, "x", 0)
    batches = shuffled_batches(100, 100, lambda epoch: seed.generator("batches", epoch=epoch))
    assert (batches(0, 1) != batches(1, 2)).any()
