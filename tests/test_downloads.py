"""Raw files: where they are looked for, and downloads that fail in every way, from a server on this machine."""

import gzip
import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPMessage
from io import BytesIO
from pathlib import Path
from urllib.request import Request

import numpy as np
import pytest
from conftest import REPOSITORY
from loopback import Server

from lottery.arrays import read_arrays
from lottery.commands.main import main
from lottery.datasets import raw
from lottery.datasets.catalog import SOURCES
from lottery.datasets.idx import FILES
from lottery.datasets.images import prepare
from lottery.datasets.raw import Places, download, read_raw
from lottery.datasets.sources import RawFile, Source
from lottery.errors import LotteryError


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    """A server on this machine, asked without a proxy and without long waits, which are for downloads alone."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(raw, "PAUSE", 0.01)
    monkeypatch.setattr(raw, "TIMEOUT", 0.3)
    started = Server()
    thread = threading.Thread(target=started.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield started
    assert socket.getdefaulttimeout() is None
    started.http.shutdown()
    started.http.server_close()
    thread.join()


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


SHAPES = replace(SOURCES["mnist"], training_images=6, test_images=2, image_shape=(3, 4)).shapes
CONTENTS = {
    FILES[name]: idx(np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)) for name, shape in SHAPES.items()
}
"""What the raw files of a small dataset unpack to."""


@pytest.fixture
def tiny(server, monkeypatch) -> Source:
    """A dataset like Fashion-MNIST of a few images, known to the package, that only the server publishes."""
    files = [
        RawFile(name, hashlib.sha256(content).hexdigest(), len(content), (server.url(f"/{name}"),), gzipped=True)
        for name, content in CONTENTS.items()
    ]
    data = replace(
        SOURCES["fashion-mnist"], training_images=6, test_images=2, image_shape=(3, 4), name="tiny", files=tuple(files)
    )
    monkeypatch.setitem(SOURCES, "tiny", data)
    monkeypatch.setattr(raw, "SYSTEM_MIRRORS", ())
    return data


@pytest.fixture
def places(tmp_path) -> Places:
    return Places(tmp_path / "resources", None, tmp_path / "downloads")


def publish(server: Server) -> None:
    server.answers = {f"/{name}": gzip.compress(content) for name, content in CONTENTS.items()}


def store(folder: Path, packed: bool = True) -> Path:
    """Write the raw files of the small dataset into a folder."""
    folder.mkdir(parents=True)
    for name, content in CONTENTS.items():
        if packed:
            (folder / name).write_bytes(gzip.compress(content))
        else:
            (folder / name.removesuffix(".gz")).write_bytes(content)
    return folder


def files_in(folder: Path) -> dict[str, tuple[bytes, int]]:
    """The files below a folder: bytes and time of the last change."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_is_found_nowhere_is_downloaded_once(tiny, server, places, tmp_path):
    publish(server)
    prepare("tiny", places, tmp_path / "first.safetensors")
    assert {name: array.shape for name, array in read_arrays(tmp_path / "first.safetensors").items()} == SHAPES
    assert set(files_in(places.downloads)) == {f"tiny/{name}" for name in CONTENTS}
    asked = server.asked.copy()
    prepare("tiny", places, tmp_path / "again.safetensors")
    assert server.asked == asked, "the folder of downloads is looked into"
    assert (tmp_path / "first.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()


def test_only_missing_files_are_downloaded(tiny, server, places):
    publish(server)
    (store(places.downloads / "tiny") / FILES["test_labels"]).unlink()
    assert read_raw(tiny, places) == CONTENTS
    assert set(server.asked) == {f"/{FILES['test_labels']}"}


OTHER = gzip.compress(bytes(4_000_000))
BAD_ANSWERS = {
    "other bytes": (OTHER, "is not the x.gz it should be: found more than 11 bytes, expected 11 bytes of SHA-256"),
    "not gzip": (b"<html>Please log in</html>", "cannot be read: Not a gzipped file"),
    "cut short": ("cut short", "cannot be read: Compressed file ended"),
    "endless": ("endless", "sends more than the 65,547 bytes that the file can have"),
    "slow": ("slow", "timed out"),
    "silent": ("silent", "Remote end closed connection"),
    "404": ("missing", "HTTP Error 404"),
    "503": ("busy", "HTTP Error 503"),
}


@pytest.fixture
def file(server) -> RawFile:
    return RawFile("x.gz", hashlib.sha256(b"hello world").hexdigest(), 11, (server.url("/a"),), gzipped=True)


@pytest.mark.parametrize(("answer", "told"), BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_a_bad_download_is_told_and_leaves_nothing(answer, told, file, server, tmp_path):
    server.answers["/a"] = answer
    with pytest.raises(LotteryError) as error:
        download(file, tmp_path / "raw")
    assert str(error.value).startswith(f"x.gz: cannot be downloaded: {file.urls[0]}: ")
    assert told in str(error.value)
    assert "\n" not in str(error.value)
    assert list((tmp_path / "raw").iterdir()) == []
    assert server.asked["/a"] >= 3, "tries"


@pytest.mark.parametrize(("answer", "_"), BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_a_later_try_may_succeed(answer, _, file, server, tmp_path):
    server.answers["/a"] = [answer, answer, gzip.compress(b"hello world")]
    assert download(file, tmp_path) == b"hello world"
    assert [path.name for path in tmp_path.iterdir()] == ["x.gz"]


def test_another_address_is_tried_when_one_fails(file, server, tmp_path):
    server.answers["/b"] = gzip.compress(b"hello world")
    assert download(replace(file, urls=(server.url("/a"), server.url("/b"))), tmp_path) == b"hello world"
    assert server.asked["/a"] == 1, "the next address comes before the next try"


def test_an_address_that_cannot_be_reached_or_written_is_told(file, server, tmp_path):
    with pytest.raises(LotteryError, match="Connection refused"):
        download(replace(file, urls=("http://127.0.0.1:1/x.gz",)), tmp_path)
    (tmp_path / "taken").write_text("")
    with pytest.raises(LotteryError, match=r"x\.gz: cannot be downloaded: .*(File exists|Not a directory)"):
        download(file, tmp_path / "taken")


@pytest.mark.parametrize("gzipped", [True, False])
def test_a_download_stops_at_the_size_of_its_file(gzipped, file, server, tmp_path):
    """Whatever the server would still send: little more than its buffers hold has left it."""
    server.answers["/a"] = "endless"
    with pytest.raises(LotteryError, match="sends more than"):
        download(replace(file, gzipped=gzipped), tmp_path)
    assert server.sent < 16_000_000
    assert list(tmp_path.iterdir()) == []


def test_an_archive_that_has_exactly_its_size_is_taken(server, tmp_path):
    """No byte more, though; and a gzip file that saves nothing may be larger than what it holds."""
    content = np.random.default_rng(0).bytes(200_000)
    plain = RawFile("x.tar", hashlib.sha256(content).hexdigest(), len(content), (server.url("/d"),))
    server.answers["/d"] = content
    assert download(plain, tmp_path) == content
    server.answers["/d"] = content + b"1"
    with pytest.raises(LotteryError, match="sends more than the 200,000 bytes"):
        download(plain, tmp_path / "more")
    server.answers["/d"] = gzip.compress(content, compresslevel=0)
    assert download(replace(plain, name="x.gz", gzipped=True), tmp_path) == content


def test_no_address_is_plain_http():
    things = [thing for data in SOURCES.values() for thing in (*data.files, data.archive) if thing]
    addresses = [url for thing in things for url in thing.urls]
    assert addresses
    assert all(url.startswith("https://") for url in addresses)


def test_https_leads_to_no_http():
    asked = Request("https://example.org/x.gz")
    with pytest.raises(ValueError, match="http://example.org/x.gz, which is not https"):
        raw.NoDowngrade().redirect_request(asked, BytesIO(), 302, "Found", HTTPMessage(), "http://example.org/x.gz")
    led = raw.NoDowngrade().redirect_request(asked, BytesIO(), 302, "Found", HTTPMessage(), "https://example.org/y.gz")
    assert led.full_url == "https://example.org/y.gz"


def test_an_archive_is_verified_as_it_is(server, tmp_path):
    content = gzip.compress(b"not unpacked")
    name = "small.tar.gz"
    archive = RawFile(name, hashlib.sha256(content).hexdigest(), len(content), (server.url("/c"),), gzipped=False)
    server.answers["/c"] = content
    assert archive.names == (name,)
    assert download(archive, tmp_path) == content


def test_without_internet_the_error_names_every_missing_file(tiny, server, places):
    stored = store(places.downloads / "tiny")
    for name in ("train_images", "train_labels", "test_labels"):
        (stored / FILES[name]).unlink()
    server.answers[f"/{FILES['train_images']}"] = gzip.compress(CONTENTS[FILES["train_images"]])
    with pytest.raises(LotteryError) as error:
        read_raw(tiny, places)
    assert str(error.value).splitlines() == [
        f"train-labels-idx1-ubyte.gz: cannot be downloaded: {server.url('/train-labels-idx1-ubyte.gz')}:"
        " HTTP Error 404: Not Found",
        f"Without internet, put these files into {places.downloads}/tiny, or into FOLDER/tiny or"
        " FOLDER/FashionMNIST/raw of a mirror folder"
        " (data_mirror: FOLDER in the configuration, or LOTTERY_DATA=FOLDER, names it):",
        f"  train-labels-idx1-ubyte.gz or train-labels-idx1-ubyte, from {server.url('/train-labels-idx1-ubyte.gz')}",
        f"  t10k-labels-idx1-ubyte.gz or t10k-labels-idx1-ubyte, from {server.url('/t10k-labels-idx1-ubyte.gz')}",
    ]
    assert f"/{FILES['test_labels']}" not in server.asked, "one file that cannot be had is enough"
    assert len(files_in(stored)) == 2, "what could be had stays"


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "unpacked"])
@pytest.mark.parametrize("folder", ["tiny", "FashionMNIST/raw"])
@pytest.mark.parametrize("place", ["mirror", "system"])
def test_a_mirror_is_read_and_never_written(folder, packed, place, tiny, server, places, tmp_path, monkeypatch):
    root = tmp_path / place
    stored = store(root / folder, packed)
    if place == "system":
        monkeypatch.setattr(raw, "SYSTEM_MIRRORS", (root,))
    else:
        places = replace(places, mirror=root)
    before = files_in(root)
    for path in (stored, root):
        path.chmod(0o555)
    assert read_raw(tiny, places) == CONTENTS
    for path in (root, stored):
        path.chmod(0o755)
    assert files_in(root) == before
    assert not server.asked
    assert not places.downloads.exists()


def test_debians_package_is_looked_for_where_it_puts_its_files():
    fashion = SOURCES["fashion-mnist"]
    # As `dpkg-deb -c` lists the files of dataset-fashion-mnist.
    assert Path("/usr/share/datasets/fashion-mnist") in Places(Path("r"), None, Path("d")).folders(fashion)


def test_places_are_searched_in_order(tiny, server, places, tmp_path, monkeypatch):
    """Each file from the first place that has it; what comes after is not even looked at."""
    monkeypatch.setattr(raw, "SYSTEM_MIRRORS", (tmp_path / "system",))
    places = replace(places, mirror=tmp_path / "mirror")
    order = [tmp_path / place / "tiny" for place in ("resources", "mirror", "system", "downloads")]
    for folder, name in zip(order, CONTENTS, strict=True):
        store(folder)
        for other in CONTENTS:
            if list(CONTENTS).index(other) < list(CONTENTS).index(name):
                (folder / other).write_bytes(b"wrong, but never reached")
            elif other != name:
                (folder / other).unlink()
    assert read_raw(tiny, places) == CONTENTS


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda content: content[:-9], "cannot be read: Compressed file ended"),
        (
            lambda content: gzip.compress(bytes(10)),
            f"found 10 bytes of SHA-256 {hashlib.sha256(bytes(10)).hexdigest()}",
        ),
    ],
    ids=["truncated", "other bytes"],
)
def test_a_wrong_file_in_the_mirror_is_never_passed_over(damage, told, tiny, server, places, tmp_path):
    publish(server)
    path = store(tmp_path / "mirror/tiny") / FILES["test_labels"]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LotteryError) as error:
        read_raw(tiny, replace(places, mirror=tmp_path / "mirror"))
    assert str(error.value).startswith(f"{path}: ")
    assert told in str(error.value)
    assert f"expected 10 bytes of SHA-256 {tiny.files[3].sha256}" in str(error.value)
    assert not server.asked


def test_a_mirror_that_is_no_folder_is_told(tiny, places, tmp_path):
    with pytest.raises(LotteryError, match=f"{tmp_path}/typo: data_mirror .* not a folder"):
        read_raw(tiny, replace(places, mirror=tmp_path / "typo"))


@pytest.mark.parametrize("home", [False, True])
def test_the_environment_names_a_mirror(home, tiny, tmp_path, monkeypatch):
    store(tmp_path / "a mirror/tiny")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOTTERY_DATA", "~/a mirror" if home else str(tmp_path / "a mirror"))
    output = tmp_path / "tiny.safetensors"
    options = ["--resources", str(tmp_path), "--downloads", str(tmp_path / "raw"), "--output", str(output)]
    assert main(["prepare-dataset", "tiny", *options]) == 0
    assert {name: array.shape for name, array in read_arrays(output).items()} == SHAPES


PREPARED = "results/data/mnist.safetensors"


@pytest.mark.long
def test_the_setting_names_a_mirror_and_wins_over_the_environment(fresh, monkeypatch):
    mirror = fresh.folder.parent / "it's {a} $mirror"
    mirror.mkdir()
    (fresh.folder / "resources/mnist").rename(mirror / "mnist")
    monkeypatch.setenv("LOTTERY_DATA", str(fresh.folder / "nowhere"))
    said = fresh("--cores", "1", "--show-failed-logs", PREPARED, fails=True)
    assert "nowhere: data_mirror (or LOTTERY_DATA) names it, but it is not a folder" in said
    fresh("--cores", "1", "--config", f"data_mirror={mirror}", "--", PREPARED)
    assert (fresh.folder / PREPARED).exists()
    assert {path.name for path in mirror.rglob("*")} == {
        "mnist",
        *(path.name for path in (REPOSITORY / "resources/mnist").iterdir()),
    }
    for options in ([], ["--config", "data_mirror=elsewhere"]):
        assert fresh.jobs(*options, "--", PREPARED) == {}, "another mirror repeats nothing"
