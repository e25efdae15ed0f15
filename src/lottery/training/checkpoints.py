"""Checkpoints of a training in progress: written now and then, used after a kill, removed at the end."""

import hashlib
import logging
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from lottery.arrays import Arrays, read_arrays_with_texts, write_arrays
from lottery.errors import LotteryError

log = logging.getLogger(__name__)

FORMAT = "lottery checkpoint 1"


class Checkpoint:
    """The file that holds where one training is.

    `key` is a hash of everything that determines the training's result: a file with another key is of another training.
    """

    def __init__(self, path: Path, key: Callable[[], str], seconds: float) -> None:
        """seconds: how often the file is written. `key` is asked for once, when there is, or will be, a file."""
        self.path, self.key, self.seconds = path, cache(key), seconds
        self.written = time.monotonic()

    def read(self) -> Arrays | None:
        """The state to go on from; None, and a line in the log that says why, when there is none to be used."""
        if not self.path.exists():
            return None
        try:
            state, metadata = read_arrays_with_texts(self.path)
        except LotteryError as error:
            self._warn(f"damaged ({error})")
            return None
        if metadata.get("format") != FORMAT:
            self._warn(f"no checkpoint of this version: its format is {metadata.get('format')!r}, not {FORMAT!r}")
        elif metadata.get("sha256") != digest(state):
            self._warn("damaged: its numbers do not have the checksum that stands in it")
        elif metadata.get("key") != self.key():
            self._warn("of a training with other settings, inputs or code")
        else:
            return state
        return None

    def _warn(self, reason: str) -> None:
        log.warning("checkpoint %s is not used, training starts anew: it is %s", self.path, reason)

    def write_if_due(self, state: Callable[[], Arrays]) -> None:
        """Replace the file when the last time is long enough ago."""
        if time.monotonic() - self.written >= self.seconds:
            arrays = state()
            metadata = {"format": FORMAT, "key": self.key(), "sha256": digest(arrays)}
            write_arrays(self.path, arrays, metadata)
            self.written = time.monotonic()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def digest(arrays: Arrays) -> str:
    """SHA-256 of named arrays: names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        total.update(f"{name} {array.dtype} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()
