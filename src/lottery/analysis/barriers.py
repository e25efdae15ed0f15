"""The table barriers.csv: how much error rises on the line between two trained networks."""

from pathlib import Path

import pandas as pd

from lottery.analysis.tables import BARRIERS, NETWORK, read_summary, read_table
from lottery.errors import LotteryError
from lottery.runs.lines import Line, lines
from lottery.settings import Settings

LINE = ["replicate", "draw", "share", "train_error", "test_error"]
"""Columns of a line's file that are read."""


def collect_barriers(run: Path, settings: Settings) -> pd.DataFrame:
    """The table barriers.csv of a run. Raises LotteryError naming a file that is not as it should be.

    run: the folder `results/<run>`.
    """
    tables = [barriers_of(line, run) for line in lines(settings)]
    return pd.concat(tables, ignore_index=True)[BARRIERS] if tables else pd.DataFrame(columns=BARRIERS)


def column_of(pair: str, part: str = "test") -> str:
    """The column of levels.csv, with those of barriers.csv beside its own, that holds the barriers of a pair."""
    return f"{part}_barrier_of_{pair}"


def pairs_told(levels: pd.DataFrame) -> list[str]:
    """The pairs whose barriers rows of `with_barriers` tell."""
    begins = column_of("")
    return [name.removeprefix(begins) for name in levels if name.startswith(begins) and levels[name].notna().any()]


def with_barriers(levels: pd.DataFrame, tables: Path) -> pd.DataFrame:
    """levels.csv with a column for each pair of barriers.csv, if that is among the tables: of the first networks."""
    if not (tables / "barriers.csv").exists():
        return levels
    barriers = read_table(tables / "barriers.csv", BARRIERS)
    for pair, rows in barriers.groupby("pair", sort=False):
        named = {f"{part}_barrier": column_of(str(pair), part) for part in ("train", "test")}
        columns = rows[[*NETWORK, *named]].rename(columns=named)
        levels = levels.merge(columns, on=NETWORK, how="left", validate="one_to_one")
    return levels


def barriers_of(line: Line, run: Path) -> pd.DataFrame:
    """The rows of one line's members."""
    measured, rows = read_line(line, run), []
    lost = diverged(line, run)
    for (replicate, draw), table in measured.groupby(["replicate", "draw"], sort=False):
        known = {"replicate": replicate, "draw": draw}
        for part in ("train", "test"):
            errors = table[f"{part}_error"]
            first, last = errors.iloc[0], errors.iloc[-1]
            told = {f"{part}_barrier": round(errors.max() - (first + last) / 2, 9)}
            told |= {f"{part}_error": first, f"{part}_error_other": last}
            known |= told if (replicate, draw) not in lost else dict.fromkeys(told, float("nan"))
        rows.append(known)
    place = line.job.place
    return pd.DataFrame(rows).assign(
        experiment=place.experiment,
        pair=line.pair.name,
        arm=place.arm,
        level=place.level,
        weights_remaining=line.size,
    )


def read_line(line: Line, run: Path) -> pd.DataFrame:
    """A line's file. Raises LotteryError unless it has each member's points, each once and in order."""
    path = line.job.path(run, line.file)
    table, points = read_table(path, LINE), line.job.experiment.interpolation.points
    members = [(member.replicate, member.draw) for member in line.job.members]
    found = [(who, len(rows), rows["share"]) for who, rows in table.groupby(["replicate", "draw"], sort=False)]
    if [who for who, _, _ in found] != members or any(count != points for _, count, _ in found):
        raise LotteryError(f"{path}: expected {points} points of each of the {len(members)} members, in their order")
    if any(share.iloc[0] != 0 or share.iloc[-1] != 1 or (share.diff()[1:] <= 0).any() for *_, share in found):
        raise LotteryError(f"{path}: the shares of a line must rise from 0 to 1")
    return table


def diverged(line: Line, run: Path) -> set[tuple[int, int]]:
    """The members, by replicate and draw, of which one of the two trainings diverged."""
    one, other = (read_summary(run / job.place.folder).members for job in line.jobs())
    lost = {(member.replicate, member.draw) for member in one if member.diverged_iteration is not None}
    gone = {(member.replicate, member.draw) for member in other if member.diverged_iteration is not None}
    # The other network may have fewer draws: one for all draws of the first.
    single = max(member.draw for member in other) == 0
    return lost | {
        (member.replicate, member.draw) for member in one if (member.replicate, 0 if single else member.draw) in gone
    }
