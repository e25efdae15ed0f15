"""What a finished run keeps of its trainings, and how the rest is let go."""

from contextlib import suppress
from pathlib import Path

from lottery.arms.places import Place
from lottery.errors import LotteryError
from lottery.runs.listing import levels_of, trainings
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


def let_go(run: Path, settings: Settings) -> list[Path]:
    """Remove from a finished run what its settings do not keep; what was removed, and nothing where it is unfinished.

    run: the folder `results/<run>`.
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
    for file in gone:
        file.unlink(missing_ok=True)
    return gone
