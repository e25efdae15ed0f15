"""Networks that several published runs have, bit for bit, are judged once: where most replicates of them are."""

from collections.abc import Collection, Hashable
from pathlib import Path

import pandas as pd

from lottery.analysis.claims import judge, networks_behind
from lottery.analysis.speed import read_judged
from lottery.analysis.tables import NETWORK

RESULTS = ["arm", "level", "replicate", "draw", "dataset", "network", "weights", "early_stop_iteration"]
RESULTS += ["validation_loss_at_early_stop", "test_accuracy_at_early_stop", "train_accuracy_at_early_stop"]
RESULTS += ["test_accuracy_final", "train_accuracy_final", "iterations"]
"""Columns of levels.csv in which two networks agree to the last digit only if they are the same ones."""

Behind = dict[tuple[str, str], set[Hashable]]
"""The networks, by their RESULTS, of each row that a run judges: its id and its experiment."""


def judge_published(
    folder: Path, tables: Path | None = None, parts: Collection[Path] = ()
) -> tuple[pd.DataFrame, dict[str, list[tuple[str, str]]]]:
    """The verdicts on a published run, and by other run the rows, id and experiment, that are left to it.

    A row is left to the run beside it that judges the same claim from the same networks and most others, and where two
    have the same networks alone, to the first by name. folder: `docs/results/<run>`, whose name the run has; tables:
    the folder that its tables are in yet, if another; parts: folders that it is joined of, which are no other runs.
    """
    levels, layers = read_judged(tables or folder)
    own = set(names(levels))
    own_folders = {path.resolve() for path in (folder, *parts)}
    beside = sorted(path.parent for path in folder.parent.glob("*/levels.csv"))
    others = [other for other in beside if other.resolve() not in own_folders]
    known = {
        other.name: behind(*theirs)
        for other in others
        for theirs in [read_judged(other)]
        if own & set(names(theirs[0]))
    }
    left: dict[str, list[tuple[str, str]]] = {}
    for (claim, experiment), networks in (behind(levels, layers) if known else {}).items():
        candidates = [
            (-len(found), name)
            for name, rows in known.items()
            for (judged, _), found in rows.items()
            if judged == claim and networks <= found
        ]
        most, name = min(candidates, default=(0, ""))
        if -most > len(networks) or (candidates and name < folder.name):
            left.setdefault(name, []).append((claim, experiment))
    return judge(levels, layers, {row for rows in left.values() for row in rows}), left


def behind(levels: pd.DataFrame, layers: pd.DataFrame | None) -> Behind:
    """The networks of each row that gets an estimate."""
    table = networks_behind(levels, layers).merge(levels[[*NETWORK, *RESULTS[4:], "diverged_iteration"]], on=NETWORK)
    judged = judge(levels, layers)
    decided = set(judged.loc[judged["n"] > 0, ["id", "experiment"]].itertuples(index=False, name=None))
    return {row: set(names(rows)) for row, rows in table.groupby(["id", "judged"]) if row in decided}


def names(levels: pd.DataFrame, *, by_replicate: bool = True) -> list[Hashable]:
    """What tells networks apart, one for each row; by_replicate: the numbers of replicate and draw too."""
    columns = [column for column in RESULTS if by_replicate or column not in ("replicate", "draw")]
    return [*levels.loc[levels["diverged_iteration"].isna(), columns].itertuples(index=False, name=None)]
