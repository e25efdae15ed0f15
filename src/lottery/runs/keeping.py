"""What a finished run keeps of its trainings, and how the rest is let go."""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from lottery.arms.places import Place
from lottery.arrays import write_text
from lottery.code import of_verb
from lottery.errors import LotteryError
from lottery.runs.dependence import of_results
from lottery.runs.lines import lines
from lottery.runs.listing import compared_files, described, levels_of, trainings
from lottery.settings import Settings

WEIGHTS = ("start", "trained", "early-stop", "snapshots", "scores")

KEPT = ("everything", "without-early-stop", "last-level", "tables")


def kept_file(settings: Settings, place: Place, file: str, keep: str) -> bool:
    """Whether a finished run keeps a file of a place.

    keep: `everything`; `without-early-stop`: all but the weights at early stop; `last-level`: masks, and weights of
    each arm's last level; `tables`: neither.
    """
    if keep == "without-early-stop":
        return file != "early-stop"
    if keep == "everything" or file not in (*WEIGHTS, "mask"):
        return True
    if keep == "tables":
        return False
    return file == "mask" or place.level == max(levels_of(settings.experiments[place.experiment], place.arm), default=0)


def lost(run: Path, settings: Settings) -> list[Path]:
    """Files that trainings which are done have made or read, and that are not there although the settings keep them.

    run: the folder `results/<run>`. A training of which no file is there has not been done.
    """
    gone = []
    for job in trainings(settings):
        try:
            there = {each.name for each in os.scandir(run / job.place.folder)}
        except OSError:
            continue
        if there & {"summary.json", "history.csv", "trained.safetensors"}:
            read = ["start"] + ["mask"] * job.arm.masked
            arrays = [
                file for file in (*read, "trained", "snapshots") if kept_file(settings, job.place, file, settings.keep)
            ]
            files = [*(f"{file}.safetensors" for file in arrays), "history.csv", "summary.json"]
            gone += [run / job.place.folder / file for file in files if file not in there]
    return gone


LET_GO = "tables/let-go.json"
"""What is known of tables of a run whose weights, which they were made from, were let go."""


def of_described(run: Path, settings: Settings) -> str:
    """The checksums of the files that tell of weights, and the code and settings that make them, as JSON."""
    tables = [run / "tables" / name for name in ("layers.csv", "distributions.csv", "pixels.csv")]
    told: dict[str, Any] = {
        "sha256": {path.name: sha256(path) for path in tables if path.exists()},
        "code": of_verb("describe-tickets"),
        "depends_on": of_results(settings),
    }
    more: dict[str, list[Path]] = {
        "compare-masks": [run / "tables/overlaps.csv"] if compared_files(settings) else [],
        "interpolate": [line.job.path(run, line.file) for line in lines(settings)],
    }
    for verb, files in more.items():
        if files:
            sums = {str(path.relative_to(run)): sha256(path) for path in files if path.exists()}
            told[verb] = {"sha256": sums, "code": of_verb(verb)}
    return json.dumps(told, indent=1) + "\n"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def let_go(run: Path, settings: Settings) -> list[Path]:
    """Remove from a finished run what its settings do not keep; what was removed, and nothing where it is unfinished.

    Before that it writes down what can be told of tables only while the weights are there. run: the folder
    `results/<run>`.
    """
    jobs = trainings(settings)
    if settings.keep == "everything" or not (run / "tables" / "claims.csv").exists():
        return []
    if not all(job.path(run, "summary.json").exists() for job in jobs):
        return []
    gone = []
    for experiment in settings.run_experiments:
        for file in sorted((run / experiment).glob("r*-*/*/level*/*.safetensors")):
            with suppress(LotteryError):  # a folder of no place, or of an arm that is no longer known, stays
                place = Place.parse(file.parent.relative_to(run).as_posix())
                if not kept_file(settings, place, file.stem, settings.keep):
                    gone.append(file)
    if gone and (described(settings) or compared_files(settings) or lines(settings)):
        write_text(run / LET_GO, of_described(run, settings))
    for file in gone:
        file.unlink(missing_ok=True)
    return gone
