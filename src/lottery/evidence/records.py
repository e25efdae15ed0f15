"""What Snakemake knows of the files in the folder where it runs: the one place of the package that knows Snakemake.

Snakemake repeats a job when its records say that code, settings or inputs were others, or when an input is newer. Files
that came from elsewhere have no records.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from lottery.code import REPOSITORY
from lottery.errors import LotteryError

SNAKEFILE = REPOSITORY / "Snakefile"

ADOPTING = "LOTTERY_ADOPTING"
"""Set for a Snakemake that takes files as they are, which must not ask for that to be done first."""

OLD = 1
"""The time (seconds since 1970) of files that are to be made again: all that they are made from is newer."""

AT_ONCE = 1000
"""Files named to one Snakemake, whose command line has no room for all."""


class Records:
    """Snakemake's records of files. folder: where it runs, which the names of files are relative to."""

    def __init__(self, folder: Path) -> None:
        from snakemake.persistence.file import FilePersistence

        self.folder = folder
        self.kept = FilePersistence(nolock=True, path=(folder / ".snakemake").resolve())

    def knows(self, file: str) -> bool:
        """Whether a file was made here, or its record is that of an earlier one; or it is to be made again anyway."""
        from snakemake.io import IOFile

        return self.kept.metadata(IOFile(file)) is not None or (self.folder / file).stat().st_mtime == OLD

    def forget(self, files: Iterable[str]) -> None:
        """Let the next Snakemake make these files again; until then they stay."""
        from snakemake.io import IOFile

        for file in files:
            self.kept.cleanup_metadata(IOFile(file))
            os.utime(self.folder / file, (OLD, OLD))

    def take(self, files: Sequence[str], settings: Path) -> None:
        """Record these files, and all that they are made from, as made by today's code with these settings.

        settings: the file of the run's. Raises LotteryError when Snakemake cannot.
        """
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--directory", str(self.folder)]
        command += ["--replace-workflow-config", "--configfile", str(settings.resolve())]
        command += ["--touch", "--forceall", "--ignore-incomplete", "--cores", "1", "--resources", "gpu=1"]
        command += ["--workflow-profile", "none"]
        for first in range(0, len(files), AT_ONCE):
            if not SNAKEFILE.exists():
                raise LotteryError(f"{SNAKEFILE}: is not there; adopt with the package as it lies in its repository")
            done = subprocess.run(
                [*command, "--quiet", "all", "--", *files[first : first + AT_ONCE]],
                env=os.environ | {ADOPTING: "1"},
                capture_output=True,
                text=True,
            )
            if done.returncode:
                told = [line for line in done.stderr.splitlines() if line.strip()]
                raise LotteryError(f"{self.folder}: Snakemake cannot record its files: {' '.join(told[-3:])}")


def running(folder: Path) -> Path:
    """The file that every Snakemake in a folder holds a lock of while it runs; the system lets go of it at its end."""
    return folder / ".snakemake" / "lottery" / "running"


def hold(folder: Path) -> IO | None:
    """Say that a Snakemake runs in a folder, until what is returned is closed; None where files cannot be locked."""
    path = running(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("w")
    with suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return file
    file.close()
    return None


def is_held(folder: Path) -> bool:
    """Whether a Snakemake runs in a folder; this process must not hold it."""
    if not running(folder).exists():
        return False
    with running(folder).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False
