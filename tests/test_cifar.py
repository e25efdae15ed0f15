"""CIFAR-10: its files in a folder, packed or not, in the archive, and as the version for Python has them."""

import gzip
import hashlib
import io
import re
import tarfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lottery.arrays import read_arrays, write_arrays
from lottery.datasets import raw
from lottery.datasets.catalog import SOURCES
from lottery.datasets.cifar import records_in_pickle
from lottery.datasets.images import check_prepared, prepare
from lottery.datasets.raw import Places
from lottery.errors import LotteryError

FOLDER = "cifar-10-batches-bin"


def records(images: int, first: int) -> bytes:
    """Records whose image i has in its channel c, row y, column x the byte i + 7c + 3y + 5x, and the label i % 10."""
    i, c, y, x = np.ogrid[first : first + images, :3, :32, :32]
    pixels = (i + 7 * c + 3 * y + 5 * x).astype(np.uint8).reshape(images, -1)
    return np.column_stack([np.arange(first, first + images, dtype=np.uint8) % 10, pixels]).tobytes()


CONTENTS = {f"data_batch_{number}": records(4, 4 * number - 4) for number in range(1, 6)} | {
    "test_batch": records(4, 100)
}
"""Files of records of a small CIFAR-10."""


@pytest.fixture
def small(monkeypatch):
    """CIFAR-10 of four images in each file, known to the package by the checksums of its files."""
    cifar = SOURCES["cifar-10"]
    files = tuple(
        replace(file, sha256=hashlib.sha256(CONTENTS[file.pickled]).hexdigest(), bytes=len(CONTENTS[file.pickled]))
        for file in cifar.files
    )
    data = replace(
        cifar,
        training_images=20,
        test_images=4,
        files=files,
        archive=replace(cifar.archive, urls=("http://127.0.0.1:1/cifar-10-binary.tar.gz",)),
    )
    monkeypatch.setitem(SOURCES, "cifar-10", data)
    monkeypatch.setattr(raw, "SYSTEM_MIRRORS", ())
    monkeypatch.setattr(raw, "PAUSE", 0.0)
    return data


def members(contents: dict[str, bytes] = CONTENTS) -> dict[str, bytes]:
    """What the archive holds, not in the order of the files."""
    named = {f"{FOLDER}/{name}.bin": content for name, content in contents.items()}
    return {f"{FOLDER}/readme.html": b"<p>", **dict(reversed(named.items()))}


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


def pickle_of(content: bytes) -> bytes:
    """What cPickle of Python 2 writes of a batch at protocol 2: byte strings, and a list in parts of 1,000 labels."""
    rows = np.frombuffer(content, np.uint8).reshape(-1, 3073)

    def short(text: bytes, memo: int) -> bytes:
        return b"U" + bytes([len(text)]) + text + b"q" + bytes([memo])

    labels = b"".join(b"K" + bytes([label]) for label in rows[:, 0].tolist())
    pixels = rows[:, 1:].tobytes()
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x06cnumpy\nndarray\nq\x07K\x00\x85U\x01b\x87Rq\x08(K\x01K\x04M\x00\x0c"
        b"\x86cnumpy\ndtype\nq\x09U\x02u1K\x00K\x01\x87Rq\x0a(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + len(pixels).to_bytes(4, "little") + pixels + b"tb"
    )
    return (
        b"\x80\x02}q\x01("
        + (short(b"batch_label", 2) + short(b"training batch 1 of 5", 3))
        + (short(b"labels", 4) + b"]q\x05(" + labels[:4] + b"e(" + labels[4:] + b"e")
        + (short(b"data", 11) + array)
        + (short(b"filenames", 12) + b"]q\x0d(" + short(b"a_s_000001.png", 14) + b"eu.")
    )


def stored(folder: Path, form: str) -> Path:
    """A mirror that holds the dataset in one of its forms."""
    if form == "archive":
        folder.mkdir(parents=True)
        (folder / "cifar-10-binary.tar.gz").write_bytes(tar_gz(members()))
        return folder
    kind, place = form.split(" in ")
    (folder / place).mkdir(parents=True)
    for name, content in CONTENTS.items():
        if kind == "pickles":
            (folder / place / name).write_bytes(pickle_of(content))
        elif kind == "gzipped":
            (folder / place / f"{name}.bin.gz").write_bytes(gzip.compress(content))
        else:
            (folder / place / f"{name}.bin").write_bytes(content)
    return folder


FORMS = [
    "archive",
    "plain in cifar-10",
    f"plain in {FOLDER}",
    f"gzipped in cifar-10/{FOLDER}",
    "pickles in cifar-10-batches-py",
    "pickles in cifar-10/cifar-10-batches-py",
]


def prepared(mirror: Path) -> Path:
    output = mirror.parent / "prepared.safetensors"
    prepare("cifar-10", Places(mirror / "none", mirror, mirror.parent / "downloads"), output)
    return output


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_prepared_bytes(form, small, tmp_path):
    found = prepared(stored(tmp_path / "mirror", form))
    arrays = read_arrays(found)
    assert {name: array.shape for name, array in arrays.items()} == small.shapes
    assert all(array.dtype == np.uint8 for array in arrays.values())
    assert arrays["train_images"][9, 2, 4, 6] == 9 + 7 * 2 + 3 * 4 + 5 * 6, "channels first, in the order of the files"
    assert arrays["train_labels"].tolist() == [i % 10 for i in range(20)]
    assert arrays["test_labels"].tolist() == [0, 1, 2, 3]
    write_arrays(tmp_path / "right", arrays)
    assert found.read_bytes() == (tmp_path / "right").read_bytes()
    check_prepared(found, small)


@pytest.mark.parametrize("array", ["train_images", "train_labels", "test_images", "test_labels"])
def test_a_prepared_dataset_is_known_by_the_checksums_of_its_files(array, small, tmp_path):
    found = prepared(stored(tmp_path / "mirror", "archive"))
    arrays = {name: values.copy() for name, values in read_arrays(found).items()}
    arrays[array].flat[-1] ^= 1
    write_arrays(found, arrays)
    file = "data_batch_5" if "train" in array else "test_batch"
    with pytest.raises(LotteryError, match=f"^{found}: is not what {file}.bin.gz holds"):
        check_prepared(found, small)


def damaged(mirror: Path, name: str, damage) -> Path:
    path = next(mirror.rglob(name))
    path.write_bytes(damage(path.read_bytes()))
    return path


@pytest.mark.parametrize(
    ("form", "name", "damage", "told"),
    [
        (
            f"plain in {FOLDER}",
            "data_batch_3.bin",
            lambda c: c[:-1],
            "found 12291 bytes of SHA-256 [0-9a-f]*, expected",
        ),
        (f"plain in {FOLDER}", "data_batch_3.bin", lambda c: c + b"1", "found more than 12292 bytes, expected 12292"),
        (f"plain in {FOLDER}", "test_batch.bin", lambda c: c[:-1] + b"1", "is not the test_batch.bin.gz it should be"),
        (f"gzipped in cifar-10/{FOLDER}", "test_batch.bin.gz", lambda c: c[:-9], "Compressed file ended before"),
        ("pickles in cifar-10-batches-py", "test_batch", lambda c: c[:500], "cannot be read: .*; expected 12292 bytes"),
        (
            "pickles in cifar-10-batches-py",
            "test_batch",
            lambda c: c.replace(b"K\2", b"K\3", 1),
            "is not the test_batch",
        ),
        (
            "pickles in cifar-10-batches-py",
            "test_batch",
            lambda c: b"<html>",
            "cannot be read: .*; expected 12292 bytes",
        ),
        ("pickles in cifar-10-batches-py", "test_batch", lambda c: b"\x80\x02N.", "holds 0 labels and 0 pixels"),
    ],
)
def test_a_wrong_file_is_named_with_what_would_be_right(form, name, damage, told, small, tmp_path):
    path = damaged(stored(tmp_path / "mirror", form), name, damage)
    with pytest.raises(LotteryError, match=f"^{path}: .*{told}") as error:
        prepared(tmp_path / "mirror")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("form", FORMS[1:])
def test_of_a_half_unpacked_folder_the_missing_file_is_named(form, small, tmp_path):
    mirror = stored(tmp_path / "mirror", form)
    next(mirror.rglob("data_batch_4*")).unlink()
    with pytest.raises(LotteryError) as error:
        prepared(mirror)
    lines = str(error.value).splitlines()
    assert "  data_batch_4.bin.gz or data_batch_4.bin or data_batch_4" in lines
    assert not any("data_batch_3" in line for line in lines)
    assert any(line.startswith("  cifar-10-binary.tar.gz, from ") for line in lines)
    assert "or the archive alone" in lines[1]


def test_what_a_folder_lacks_is_taken_from_the_archive(small, tmp_path):
    mirror = stored(tmp_path / "mirror", f"plain in {FOLDER}")
    right = prepared(mirror).read_bytes()
    (mirror / FOLDER / "data_batch_4.bin").unlink()
    (mirror / "cifar-10-binary.tar.gz").write_bytes(tar_gz(members()))
    assert prepared(mirror).read_bytes() == right


def test_a_pickle_is_never_run(tmp_path):
    hostile = b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR."
    with pytest.raises(ValueError, match="holds 0 labels"):
        records_in_pickle(hostile, 12292)
    assert not (tmp_path / "ran").exists()


def link(member: tarfile.TarInfo) -> None:
    if member.name.endswith("test_batch.bin"):
        member.type, member.linkname, member.size = tarfile.SYMTYPE, "data_batch_1.bin", 0


def header(name: str, size: int) -> bytes:
    member = tarfile.TarInfo(name)
    member.size = size
    return member.tobuf(tarfile.GNU_FORMAT)


FIRST = f"{FOLDER}/data_batch_1.bin"

BAD_ARCHIVES = {
    "cut short": (tar_gz(members())[:-300], "is not a whole gzipped tar archive"),
    "not gzip": (b"not gzip", "is not a whole gzipped tar archive"),
    "not tar": (gzip.compress(b"not tar" * 1000), "is not a whole gzipped tar archive"),
    "another name": (tar_gz({f"{name}x": content for name, content in members().items()}), f"holds no {FIRST}"),
    "outside": (tar_gz({f"../{name}": content for name, content in members().items()}), f"holds no {FIRST}"),
    "absolute": (tar_gz({f"/{name}": content for name, content in members().items()}), f"holds no {FIRST}"),
    "too short": (
        tar_gz({name: content[:-1] for name, content in members().items()}),
        "data_batch_1.bin has 12291 bytes in it, expected 12292",
    ),
    "link": (tar_gz(members(), link), "test_batch.bin is a link, folder or device in it, expected a regular file"),
    "other bytes": (
        tar_gz(members({name: bytes(len(content)) for name, content in CONTENTS.items()})),
        f"{FIRST}: is not the data_batch_1.bin.gz it should be: found 12292 bytes of SHA-256",
    ),
    "huge, of an expected name": (gzip.compress(header(FIRST, 1 << 50)), "is not a whole gzipped tar archive"),
    "huge, of another name": (gzip.compress(header("readme.html", 1 << 50)), "is not a whole gzipped tar archive"),
    "negative size": (gzip.compress(header(FIRST, -512)), f"{FIRST} has -512 bytes in it, expected 12292"),
    "unpacks to much": (gzip.compress(bytes(1 << 21)), "unpacks to more than the 1122328 bytes expected of it"),
}


@pytest.mark.parametrize(("archive", "told"), BAD_ARCHIVES.values(), ids=BAD_ARCHIVES.keys())
def test_a_bad_archive_is_an_error(archive, told, small, tmp_path):
    path = tmp_path / "mirror/cifar-10-binary.tar.gz"
    path.parent.mkdir()
    path.write_bytes(archive)
    with pytest.raises(LotteryError, match=f"^{path}: .*{re.escape(told)}") as error:
        prepared(tmp_path / "mirror")
    assert "\n" not in str(error.value)


def test_a_forged_archive_takes_no_more_memory_than_the_right_one(small, tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/cifar-10-binary.tar.gz").write_bytes(gzip.compress(bytes(1 << 26), compresslevel=1))
    tracemalloc.start()
    with pytest.raises(LotteryError, match="unpacks to more"):
        prepared(tmp_path / "mirror")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 23


def test_hostile_members_beside_the_images_are_passed_over(small, tmp_path, monkeypatch):
    (tmp_path / "work/mirror").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    hostile = {"../outside": b"1", "/outside": b"2", **members()}
    Path("mirror/cifar-10-binary.tar.gz").write_bytes(tar_gz(hostile))
    assert read_arrays(prepared(Path("mirror")))["train_images"].shape == (20, 3, 32, 32)
    assert not list(tmp_path.parent.glob("**/outside")), "nothing is unpacked to disk"
