"""Raw files: where they are looked for, their checksums, and downloading those that are found nowhere."""

import gzip
import hashlib
import logging
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, TypeVar
from urllib.request import HTTPRedirectHandler, Request, build_opener

from lottery.arrays import FULL, reason, replacing
from lottery.datasets import cifar
from lottery.datasets.archives import read_members
from lottery.datasets.image_folder import read_folder
from lottery.datasets.sources import Archive, RawFile, Source
from lottery.errors import LotteryError

log = logging.getLogger(__name__)

Content = TypeVar("Content")

SYSTEM_MIRRORS = (Path("/usr/share/datasets"),)
"""Folders laid out like a mirror by packages of the system: Debian's `dataset-fashion-mnist` uses this one."""

TIMEOUT = 30.0
"""Seconds without an answer after which a download is given up."""

TRIES = 3
"""How often each address of a file is tried."""

PAUSE = 2.0
"""Seconds between the first try and the second; between the second and the third twice as many."""


CHUNK = 1 << 15
"""Bytes taken from a download at a time."""


@dataclass(frozen=True)
class Places:
    """Where raw files are looked for. Only `downloads` is ever written to.

    resources: the repository's own, in a folder for each dataset; mirror: the user's folder, if there is one;
    downloads: folder of earlier and new downloads, in a folder for each dataset.
    """

    resources: Path
    mirror: Path | None
    downloads: Path

    def folders(self, data: Source) -> Iterator[Path]:
        """The folders that may hold a dataset's raw files, in the order of the search.

        Raises LotteryError when the search comes to a mirror that is no folder.
        """
        yield self.resources / data.name
        if self.mirror:
            if not self.mirror.is_dir():
                raise LotteryError(f"{self.mirror}: data_mirror (or LOTTERY_DATA) names it, but it is not a folder")
            yield from in_mirror(self.mirror, data)
        for system in SYSTEM_MIRRORS:
            yield from in_mirror(system, data)
        yield self.downloads / data.name


def in_mirror(mirror: Path, data: Source) -> list[Path]:
    """The folders of a dataset in a mirror: our own layout, then others, such as that of torchvision's `root`."""
    return [mirror / folder for folder in (data.name, *data.other_folders)]


def read_raw(data: Source, places: Places) -> dict[str, bytes]:
    """The bytes of every raw file of a dataset by name, unpacked and verified.

    A file that is found is never passed over: it must be right. Files found nowhere are taken from the dataset's
    archive, if it has one, or downloaded. Raises LotteryError when a file is wrong or cannot be had.
    """
    if data.folder:
        return read_folder(data)
    found = {file: find(file, places.folders(data)) for file in data.files}
    contents = {file.name: verified_bytes(path, file, name=str(path)) for file, path in found.items() if path}
    missing = [file for file, path in found.items() if not path]
    if missing and data.archive and (path := find(data.archive, places.folders(data))):
        return contents | verified_members(path, missing, data, name=str(path))
    for index, file in enumerate(missing):
        try:
            if data.archive:
                return contents | download_archive(data.archive, missing, data, places.downloads / data.name)
            contents[file.name] = download(file, places.downloads / data.name)
        except LotteryError as error:
            raise LotteryError(f"{error}\n{how_to_provide(missing[index:], data, places)}") from None
    return contents


def find(file: RawFile | Archive, folders: Iterable[Path]) -> Path | None:
    """The first place where the file lies, under any of its names."""
    for path in (folder / name for folder in folders for name in file.names):
        try:
            path.lstat()  # a link to nowhere is a wrong file, not a missing one
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise LotteryError(f"{path}: cannot be read: {error.strerror}") from None
        return path
    return None


def verified_members(path: Path, files: list[RawFile], data: Source, *, name: str) -> dict[str, bytes]:
    """The bytes of raw files, by name, out of the archive of their dataset.

    `name` is used in errors. Raises LotteryError when the archive is broken or holds other files.
    """
    assert data.archive
    check_regular(path, name)
    members = {file: f"{data.archive.folder}/{file.unpacked}" for file in files}
    sizes = {member: file.bytes for file, member in members.items()}
    contents = read_members(path, sizes, all_sizes=sum(file.bytes for file in data.files), name=name)
    for file, member in members.items():
        check_checksum(contents[member], file, name=f"{name}: {member}")
    return {file.name: contents[member] for file, member in members.items()}


def check_regular(path: Path, name: str) -> None:
    """Raise LotteryError for what would be waited for without end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise LotteryError(f"{name}: is a pipe, socket or device, expected a regular file")


def check_checksum(content: bytes, file: RawFile, *, name: str, packing: str = "") -> None:
    """Raise LotteryError unless these are the bytes of a raw file, or begin with more than them."""
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        size = len(content)
        told = f"{size} bytes of SHA-256 {found}" if size <= file.bytes else f"more than {file.bytes} bytes"
        raise LotteryError(f"{name}: is not the {file.name} it should be: found {told}, {expected_of(file, packing)}")


def expected_of(file: RawFile, packing: str) -> str:
    return f"expected {file.bytes} bytes of SHA-256 {file.sha256}{packing}"


def verified_bytes(path: Path, file: RawFile, *, name: str) -> bytes:
    """The bytes of a raw file, unpacked if its name ends like that of a packed one, put together if it is a pickle.

    `name` is used in errors. Raises LotteryError when the file cannot be read or holds other bytes. No more than the
    expected size is unpacked.
    """
    check_regular(path, name)
    packed, pickled = file.gzipped and path.suffix == ".gz", path.name == file.pickled
    packing = " in a gzip file" if packed else " when its labels and pixels are put together" if pickled else ""
    try:
        with gzip.open(path) if packed else path.open("rb") as stored:
            content = stored.read(file.bytes + 1 + cifar.BESIDE_RECORDS * pickled)
        if pickled:
            content = cifar.records_in_pickle(content, file.bytes)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise LotteryError(f"{name}: cannot be read: {reason(error)}; {expected_of(file, packing)}") from None
    check_checksum(content, file, name=name, packing=packing)
    return content


def download(file: RawFile, folder: Path) -> bytes:
    """Download a file into `folder` from the first of its addresses that gives the right bytes, and return these.

    Raises LotteryError with the last reason of every address when none does after all tries.
    """
    return downloaded(file, folder, lambda path, name: verified_bytes(path, file, name=name))


def download_archive(archive: Archive, files: list[RawFile], data: Source, folder: Path) -> dict[str, bytes]:
    """Download the archive of a dataset as `download` does a file, and return raw files out of it."""
    return downloaded(archive, folder, lambda path, name: verified_members(path, files, data, name=name))


def downloaded(file: RawFile | Archive, folder: Path, read: Callable[[Path, str], Content]) -> Content:
    """What `read` gives of a file, which verifies it, and takes its path and its name in errors."""
    if not file.urls:
        raise LotteryError(f"{file.name}: is in none of the folders, and no address is known for it")
    reasons = {}
    for attempt in range(TRIES):
        time.sleep(PAUSE * attempt)
        for url in file.urls:
            log.info("Downloading %s, try %d of %d", url, attempt + 1, TRIES)
            try:
                return fetch(url, file, folder / file.name, read)
            except LotteryError as error:
                reasons[url] = str(error)
                log.info("%s", error)
    raise LotteryError(f"{file.name}: cannot be downloaded: {'; '.join(reasons.values())}")


def fetch(url: str, file: RawFile | Archive, path: Path, read: Callable[[Path, str], Content]) -> Content:
    """Try to download a file once. It becomes `path` when `read` has verified it, and what that gives is returned."""
    with replacing(path, file.bytes) as aside:
        try:
            receive(url, aside, file.most_bytes)
        except (OSError, HTTPException, ValueError) as error:
            if getattr(error, "errno", None) in FULL:
                raise
            raise LotteryError(f"{url}: {reason(error)}") from None
        return read(aside, url)


def receive(url: str, path: Path, most: int) -> None:
    """Write what an address sends to a file. Raises ValueError as soon as that is more than `most` bytes."""
    request = Request(url, headers={"User-Agent": "lottery-ticket-workflow"})  # noqa: S310 - a known dataset's address
    with build_opener(NoDowngrade).open(request, timeout=TIMEOUT) as response, path.open("wb") as stored:
        received = 0
        while chunk := response.read(CHUNK):
            received += len(chunk)
            if received > most:
                raise ValueError(f"sends more than the {most:,} bytes that the file can have")
            stored.write(chunk)


class NoDowngrade(HTTPRedirectHandler):
    """Follows where an address leads to, but from https to https alone."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if req.type == "https" and not newurl.startswith("https:"):
            raise ValueError(f"leads to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def how_to_provide(missing: list[RawFile], data: Source, places: Places) -> str:
    """What a user without internet can do, one line for each missing file."""
    folders = " or ".join(map(str, in_mirror(places.mirror or Path("FOLDER"), data)))
    things: list[RawFile | Archive] = [*missing, *([data.archive] if data.archive else [])]
    files = "\n".join(
        f"  {' or '.join(each.names)}{', from ' if each.urls else ''}{' or '.join(each.urls)}" for each in things
    )
    alone = ", or the archive alone," if data.archive else ""
    naming = "" if places.mirror else " (data_mirror: FOLDER in the configuration, or LOTTERY_DATA=FOLDER, names it)"
    return (
        f"Without internet, put these files{alone} into {places.downloads / data.name}, or into {folders} of a"
        f" mirror folder{naming}:\n{files}"
    )
