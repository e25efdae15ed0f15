"""The binary version of CIFAR-10: its arrays, and archives that are broken or forged."""

import gzip
import io
import re
import tarfile
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from lottery.datasets.catalog import SOURCES
from lottery.datasets.cifar import parse_archive
from lottery.errors import LotteryError

SMALL = replace(SOURCES["cifar-10"], training_images=20, test_images=3)
"""Four records in each training file."""


def cifar_records(images: int) -> bytes:
    """Records whose image i has in its channel c, row y, column x the byte i + 7c + 3y + 5x, and the label i % 10."""
    i, c, y, x = np.ogrid[:images, :3, :32, :32]
    pixels = (i + 7 * c + 3 * y + 5 * x).astype(np.uint8).reshape(images, -1)
    return np.column_stack([np.arange(images, dtype=np.uint8) % 10, pixels]).tobytes()


def cifar_members() -> dict[str, bytes]:
    """What a small archive in the format of CIFAR-10 holds."""
    folder = "cifar-10-batches-bin"
    training = {f"{folder}/data_batch_{number}.bin": cifar_records(4) for number in (3, 1, 2, 5, 4)}
    return {f"{folder}/readme.html": b"<p>", f"{folder}/test_batch.bin": cifar_records(3), **training}


def tar_gz(members: dict[str, bytes], change=lambda member: None) -> bytes:
    """A gzipped archive, after `change` to each header."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            change(member)
            tar.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return whole.getvalue()


def parse(archive: bytes) -> dict[str, np.ndarray]:
    return parse_archive(SMALL, {"x.tar.gz": archive})


def test_images_are_channels_first_in_the_order_of_the_files():
    members = cifar_members()
    members["cifar-10-batches-bin/data_batch_2.bin"] = bytes(4 * 3073)
    arrays = parse(tar_gz(members))
    assert {name: array.shape for name, array in arrays.items()} == SMALL.shapes
    assert all(array.dtype == np.uint8 for array in arrays.values())
    assert arrays["test_images"][2, 1, 4, 6] == 2 + 7 * 1 + 3 * 4 + 5 * 6
    assert arrays["test_labels"].tolist() == [0, 1, 2]
    assert arrays["train_labels"].tolist() == [0, 1, 2, 3] + 4 * [0] + 3 * [0, 1, 2, 3]
    assert not arrays["train_images"][4:8].any()


def link(member: tarfile.TarInfo) -> None:
    if member.name.endswith("test_batch.bin"):
        member.type, member.linkname, member.size = tarfile.SYMTYPE, "data_batch_1.bin", 0


def header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


FIRST = "cifar-10-batches-bin/data_batch_1.bin"

BAD_ARCHIVES = {
    "cut short": (tar_gz(cifar_members())[:-300], "is not a whole gzipped tar archive"),
    "not gzip": (b"not gzip", "is not a whole gzipped tar archive"),
    "not tar": (gzip.compress(b"not tar" * 1000), "is not a whole gzipped tar archive"),
    "another name": (tar_gz({f"{name}x": content for name, content in cifar_members().items()}), f"holds no {FIRST}"),
    "outside": (tar_gz({f"../{name}": content for name, content in cifar_members().items()}), f"holds no {FIRST}"),
    "absolute": (tar_gz({f"/{name}": content for name, content in cifar_members().items()}), f"holds no {FIRST}"),
    "too short": (
        tar_gz({name: content[:-1] for name, content in cifar_members().items()}),
        "data_batch_1.bin has 12291 bytes in it, expected 12292",
    ),
    "link": (
        tar_gz(cifar_members(), link),
        "test_batch.bin is a link, folder or device in it, expected a regular file",
    ),
    "label": (
        tar_gz({name: content.replace(b"\3", b"\x0a") for name, content in cifar_members().items()}),
        "holds the label 10, expected 0 to 9",
    ),
    "huge, of an expected name": (gzip.compress(header(FIRST, 1 << 50)), "is not a whole gzipped tar archive"),
    "huge, of another name": (gzip.compress(header("readme.html", 1 << 50)), "is not a whole gzipped tar archive"),
    "negative size": (gzip.compress(header(FIRST, -512)), f"{FIRST} has -512 bytes in it, expected 12292"),
    "unpacks to much": (gzip.compress(bytes(1 << 21)), "unpacks to more than the 1119255 bytes expected of it"),
}


@pytest.mark.parametrize(("archive", "told"), BAD_ARCHIVES.values(), ids=BAD_ARCHIVES.keys())
def test_a_bad_archive_is_an_error(archive, told):
    with pytest.raises(LotteryError, match=f"^x.tar.gz: .*{re.escape(told)}") as error:
        parse(archive)
    assert "\n" not in str(error.value)


def test_a_forged_archive_takes_no_more_memory_than_the_right_one():
    archive = gzip.compress(bytes(1 << 26), compresslevel=1)
    tracemalloc.start()
    with pytest.raises(LotteryError, match="unpacks to more"):
        parse(archive)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 23


def test_hostile_members_beside_the_images_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    members = {"../outside": b"1", "/outside": b"2", **cifar_members()}
    arrays = parse(tar_gz(members))
    assert arrays["train_images"].shape == (20, 3, 32, 32)
    assert not list(tmp_path.parent.glob("**/outside")), "nothing is unpacked to disk"
