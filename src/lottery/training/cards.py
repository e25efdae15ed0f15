"""GPU cards: which ones a process may use, and a card, or a share of one, for each training job."""

import fcntl
import logging
import os
import re
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lottery.errors import LotteryError

log = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"

SECONDS_BETWEEN_TRIES = 1.0
LONGEST_LISTING = 60.0
"""Seconds for `nvidia-smi -L`, which takes some where no process keeps the driver loaded."""


def lock_folder() -> Path:
    """Where the jobs of one user on one machine lock cards.

    Not in the folder of a run, since two runs may share a machine, and the folder of a run may be on a network file
    system; nor where TMPDIR says, since two runs may have it differ.
    """
    return Path("/tmp") / f"lottery-cards-{os.geteuid()}"  # noqa: S108 - `private_folder` trusts nothing it finds there


def visible_cards() -> list[str]:
    """The cards that CUDA would let this process use, in its order.

    Each is the UUID of a card, or of a part of one (MIG) that CUDA_VISIBLE_DEVICES names; what stands in
    CUDA_VISIBLE_DEVICES, where there is no nvidia-smi to translate it. Numbers there are those of nvidia-smi, as with
    CUDA_DEVICE_ORDER=PCI_BUS_ID. A card split in parts counts as one, unless they are named there. Raises LotteryError
    when nvidia-smi does not answer.
    """
    listed = listed_cards()
    chosen = os.environ.get(VISIBLE)
    if chosen is None:
        return list(listed.values())
    cards: dict[str, None] = {}
    for entry in chosen.split(","):
        card = identified(entry.strip(), listed)
        if card is None:  # CUDA, too, takes no notice of what it does not know and of all that follows
            break
        cards[card] = None
    return list(cards)


def listed_cards() -> dict[str, str]:
    """UUIDs of the cards that nvidia-smi shows, by number; under a scheduler often just those of this job."""
    if shutil.which("nvidia-smi") is None:
        return {}
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=LONGEST_LISTING).stdout
    except subprocess.TimeoutExpired:
        raise LotteryError(
            f"`nvidia-smi -L` did not answer in {LONGEST_LISTING:.0f} s: the driver of this machine's GPUs hangs"
        ) from None
    return dict(re.findall(r"^GPU (\d+): .*\(UUID: (GPU-[\w-]+)\)", listing, flags=re.MULTILINE))


def identified(entry: str, listed: dict[str, str]) -> str | None:
    """The card that an entry of CUDA_VISIBLE_DEVICES stands for: a number, a UUID or its beginning; None for none."""
    if not re.fullmatch(r"[0-9]+|(GPU|MIG)-[\w/-]+", entry, flags=re.ASCII):
        return None
    if entry.startswith("MIG-") or not listed:
        return entry
    if entry.isdecimal():
        return listed.get(str(int(entry)))
    matching = [card for card in listed.values() if card.startswith(entry)]
    return matching[0] if len(matching) == 1 else None


@contextmanager
def own_card(folder: Path, sharing: int = 1) -> Iterator[str | None]:
    """Take the first free card, for this process alone; waits while all are taken.

    sharing: so many may have a card at once, all of whom say so; the least taken one is taken. To be entered before
    CUDA starts in this process, which then sees no other card, also after leaving. The card is locked against all who
    name the same folder (see `lock_folder`), until leaving or until this process is dead, however it died. Yields None,
    and locks nothing, where no card can be told; what there is to compute on is then found out by CUDA. Raises
    LotteryError when the folder is not safe to use.
    """
    cards = visible_cards()
    if not cards:
        log.warning("no GPU is locked for this job: nvidia-smi and %s name none", VISIBLE)
        yield None
        return
    place = private_folder(folder)
    try:
        card, lock = first_free(cards, place, sharing)
    finally:
        os.close(place)
    try:
        log.info("computing on %s", card)
        os.environ[VISIBLE] = card
        yield card
    finally:
        os.close(lock)


def private_folder(folder: Path) -> int:
    """The open folder, made if need be.

    In a folder that anyone can write to, another user may have put one of this name, or a link, to have files written
    elsewhere or to hold the locks: LotteryError, if it is not a folder of this user that nobody else can open.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise LotteryError(f"{folder}: the folder for locks on GPUs cannot be used: {error.strerror}") from error
    found = os.fstat(place)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        os.close(place)
        raise LotteryError(f"{folder}: must be yours, with no access for others (mode 700), to hold locks on GPUs")
    return place


def first_free(cards: list[str], place: int, sharing: int = 1) -> tuple[str, int]:
    """A card of which another process has not locked this share, and the open file that holds the lock; waits for one
    to be freed.
    """
    waiting = False
    while True:
        for share in range(sharing):
            for card in cards:
                lock = locked(card, place, share)
                if lock is not None:
                    return card, lock
        if not waiting:
            waiting = True
            log.info("waiting for a GPU: other jobs compute on %s", ", ".join(cards))
        time.sleep(SECONDS_BETWEEN_TRIES)


def locked(card: str, place: int, share: int = 0) -> int | None:
    """The open file that holds the lock on a share of a card; None when another process holds it.

    The kernel frees the lock when the process is dead; programs that it starts do not inherit the file.
    """
    # UUIDs are unique; a number is not, if machines share the folder.
    name = f"{socket.gethostname()}-{card}" if card.isdecimal() else card.replace("/", "_")
    name += f".share{share}.lock" if share else ".lock"
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=place)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        os.truncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())  # for people; and a file just written is not cleared away as old
    except OSError as error:
        raise LotteryError(f"{name}: the lock on this GPU cannot be used: {error.strerror}") from error
    return lock


def names_of_cards() -> list[str]:
    """The names of this machine's cards, as nvidia-smi tells them; none where it is not there or does not answer."""
    if shutil.which("nvidia-smi") is None:
        return []
    ask = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        told = subprocess.run(ask, capture_output=True, text=True, timeout=LONGEST_LISTING)
    except subprocess.TimeoutExpired:
        return []
    return [line.strip() for line in told.stdout.splitlines() if line.strip()] if told.returncode == 0 else []


def card_name() -> str:
    """The name of the card that this process computes on, such as `NVIDIA H100 80GB HBM3`."""
    import torch

    return torch.cuda.get_device_name()
