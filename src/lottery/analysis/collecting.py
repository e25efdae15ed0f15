"""The tables of a finished run, made from what its trainings left."""

from pathlib import Path

from lottery.analysis.speed import measure_speed
from lottery.analysis.tables import collect_curves, collect_levels, collect_weights, write_table
from lottery.arrays import write_text
from lottery.runs.listing import trainings
from lottery.settings import Settings


def collect(run: Path, settings: Settings) -> None:
    """Write levels.csv, curves.csv, speed.csv and weights.csv, and the settings that they are of.

    run: the folder `results/<run>`. Raises LotteryError naming a file that is missing, or not as it should be.
    """
    tables, folders = run / "tables", [run / job.place.folder for job in trainings(settings)]
    levels, curves = collect_levels(folders, settings), collect_curves(folders)
    write_table(tables / "levels.csv", levels)
    write_table(tables / "curves.csv", curves)
    write_table(tables / "speed.csv", measure_speed(levels, curves))
    write_table(tables / "weights.csv", collect_weights(folders))
    write_text(tables / "settings.json", settings.model_dump_json(indent=1) + "\n")
