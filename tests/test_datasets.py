"""Data: verified bytes, the IDX format, a fixed split, batches that show every image once an epoch."""

import gzip
import math
import re
import shutil
import struct
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from conftest import REPOSITORY
from hypothesis import given, settings
from hypothesis import strategies as st

from lottery.arrays import read_arrays
from lottery.datasets.batches import shuffled_batches
from lottery.datasets.catalog import SOURCES, source
from lottery.datasets.idx import FILES, parse_files, parse_idx
from lottery.datasets.images import prepare, read_splits
from lottery.datasets.raw import Places
from lottery.errors import LotteryError
from lottery.randomness import Seed
from lottery.settings import Training


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
        (lambda path: (path.unlink(), path.symlink_to("nowhere")), "cannot be read: No such file"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read: Is a directory"),
        (lambda path: path.write_bytes(path.read_bytes()[:-20]), "cannot be read"),
        (lambda path: path.write_bytes(b"not gzip"), "cannot be read"),
        (lambda path: path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1] + b"\x07")), "SHA-256"),
    ],
)
def test_damaged_raw_file_is_named(tmp_path, damage, told):
    shutil.copytree(REPOSITORY / "resources/mnist", tmp_path / "raw/mnist")
    damage(tmp_path / "raw/mnist/t10k-labels-idx1-ubyte.gz")
    with pytest.raises(LotteryError, match=told) as error:
        prepare("mnist", Places(tmp_path / "raw", None, tmp_path), tmp_path / "out.safetensors")
    (line,) = str(error.value).splitlines()
    assert "raw/mnist/t10k-labels-idx1-ubyte.gz: " in line
    assert "expected 10008 bytes of SHA-256 ff7bcfd4" in line
    assert not list(tmp_path.glob("*out*")), "nothing half-written"


@pytest.mark.parametrize("data", SOURCES.values(), ids=SOURCES.keys())
def test_the_table_of_datasets_agrees_with_itself(data):
    assert source(data.name) is data
    if data.format == "idx":
        # A header of 4 bytes and 4 for each extent, then a byte for each number.
        sizes = [4 + 4 * len(shape) + math.prod(shape) for shape in data.shapes.values()]
        assert [file.bytes for file in data.files] == sizes
        assert [file.name for file in data.files] == list(FILES.values())
    for file in data.files:
        assert re.fullmatch("[0-9a-f]{64}", file.sha256)
        assert file.urls or (data.archive and data.archive.urls)
        assert all(url.endswith(f"/{file.name}") for url in file.urls)


def test_unknown_dataset():
    with pytest.raises(LotteryError, match="unknown dataset 'emnist'; known: cifar-10, fashion-mnist, mnist"):
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


def test_files_of_other_shapes_than_the_table_says_are_an_error():
    data = replace(SOURCES["mnist"], training_images=2, test_images=1)
    contents = {FILES[name]: idx(np.zeros(shape, np.uint8)) for name, shape in data.shapes.items()}
    assert {name: array.shape for name, array in parse_files(data, contents).items()} == data.shapes
    with pytest.raises(LotteryError, match=r"t10k-images.*: holds an array \[1, 28, 28\], expected \[2, 28, 28\]"):
        parse_files(replace(data, test_images=2), contents)


def test_each_replicate_has_a_split_of_its_own_that_shares_no_image(mnist):
    splits = [*read_splits(mnist, Training(), 0, [0, 1]), *read_splits(mnist, Training(), 0, [1, 0])]
    splits += read_splits(mnist, Training(), 1, [0])
    arrays = read_arrays(mnist)
    for split in splits:
        assert [len(part) for part in split.parts.values()] == [55_000, 5_000, 10_000]
        both = np.concatenate([split.train.rows, split.validation.rows])
        assert (np.sort(both) == np.arange(60_000)).all(), "no image twice, none lost"
        assert (split.validation.pixels == arrays["train_images"].reshape(60_000, -1)[split.validation.rows]).all()
        assert (split.validation.labels == arrays["train_labels"][split.validation.rows]).all()
        assert (split.test.pixels == arrays["test_images"].reshape(10_000, -1)).all()
    first, second, second_again, first_again, other = (split.validation.rows for split in splits)
    assert (first == first_again).all()
    assert (second == second_again).all()
    for one, another in combinations((first, second, other), 2):
        assert len(np.intersect1d(one, another)) < 1000, "as many in both as by chance: about 417"


def test_validation_must_leave_something_to_train_on(mnist):
    with pytest.raises(LotteryError, match="60000 of 60000"):
        read_splits(mnist, Training(validation_images=60_000), 0, [0])
    with pytest.raises(LotteryError, match="test_images: 10001 are asked for, there are 10000"):
        read_splits(mnist, Training(test_images=10_001), 0, [0])


def test_a_trial_takes_some_of_the_same_images(mnist):
    (whole,), (some, other) = (
        read_splits(mnist, recipe, 0, replicates)
        for recipe, replicates in ((Training(), [0]), (Training(training_images=700, test_images=300), [0, 1]))
    )
    assert [len(part) for part in some.parts.values()] == [700, 5_000, 300]
    assert (some.validation.rows == whole.validation.rows).all()
    assert np.isin(some.train.rows, whole.train.rows).all()
    assert (other.train.rows != some.train.rows).any()
    assert (other.test.rows == some.test.rows).all(), "all replicates are measured on the same images"
    (fewer,) = read_splits(mnist, Training(validation_images=1_000), 0, [0])
    assert np.isin(fewer.validation.rows, whole.validation.rows).all(), "nested, whatever their number"


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
