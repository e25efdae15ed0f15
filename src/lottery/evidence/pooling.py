"""Replicates of several runs of one recipe, from different seeds, judged together."""

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lottery.analysis.claim import Claim
from lottery.analysis.claims import COLUMNS, Experiments, compared, experiments_of, row_of, speaking_of, with_verdicts
from lottery.analysis.claims_text import as_markdown
from lottery.analysis.experiment import NotReached, NotRun, TrainedExperiment
from lottery.analysis.measures import Finding
from lottery.analysis.speed import read_judged
from lottery.analysis.tables import write_table
from lottery.arrays import write_text
from lottery.errors import LotteryError
from lottery.evidence.joining import Part, read_part, recipe_values
from lottery.evidence.repeats import names

DIFFER = (".arms", ".levels")
"""Keys of an experiment that pooled runs may differ in: each claim is judged at the arms and sizes that they share."""


def pool(folders: Sequence[Path], output: Path) -> None:
    """Judge the replicates of finished or published runs together, and write claims.csv, claims.md and pool.json.

    Raises LotteryError when recipes differ, when a network is in two runs, or when there are fewer than two runs.
    """
    verdicts = pooled(folders)
    write_table(output / "claims.csv", verdicts)
    write_text(output / "claims.md", as_markdown(verdicts))
    write_text(output / "pool.json", json.dumps({"runs": [folder.name for folder in folders]}, indent=1) + "\n")


def pooled(folders: Sequence[Path]) -> pd.DataFrame:
    """The verdicts on the replicates of all these runs together, columns COLUMNS. Raises as `pool` does."""
    if len(folders) < 2:
        raise LotteryError("pool: name two runs or more")
    parts = [read_part(folder) for folder in folders]
    check_alike(parts)
    judged = [read_judged(part.tables) for part in parts]
    check_apart(folders, [levels for levels, _ in judged])
    runs = [experiments_of(*tables) for tables in judged]
    rows = []
    for name in dict.fromkeys(experiment.name for experiments in runs for experiment in experiments):
        having = [run for run in runs if any(each.name == name for each in run)]
        ours = named(having[0], name)
        rows += [row_of(claim, ours, lambda: found_in(having, name, claim)) for claim in speaking_of(ours)]  # noqa: B023 - called at once
    return with_verdicts(pd.DataFrame(rows, columns=COLUMNS))


def found_in(runs: Sequence[Experiments], name: str, claim: Claim) -> Finding:
    """The numbers of all runs' replicates one after another, at the arms and sizes that the runs share.

    A run that did not train what the claim speaks of has no part in it. Raises NotRun when none did, or when what they
    share is not enough; a kind of it where one of them has no outcome.
    """
    able: list[tuple[Experiments, set[tuple[str, float]]]] = []
    reasons: list[NotRun] = []
    for experiments in runs:
        try:
            places = claim.measure.places(*compared(claim, named(experiments, name), experiments))
        except NotRun as reason:
            reasons.append(reason)
        else:
            able.append((experiments, {(place.arm, round(place.size, 6)) for place in places}))
    if not able:
        raise reasons[0]
    shared = set.intersection(*(places for _, places in able))
    found = []
    for experiments, _ in able:
        restricted = [each.restricted(shared) for each in experiments]
        found.append(claim.measure.found(*compared(claim, named(restricted, name), restricted)))
    bounds = {each.bound for each in found} - {""}
    if len(bounds) > 1:
        raise NotReached("in one run the ticket, in another what it is compared with was not reached")
    counts = " + ".join(str(len(each.numbers)) for each in found)
    return Finding(
        pd.concat([each.numbers for each in found], ignore_index=True),
        (f"n = {counts}", *(remark for each in found for remark in each.remarks)),
        next(iter(bounds), ""),
        max(each.images for each in found),
    )


def named(experiments: Experiments, name: str) -> TrainedExperiment:
    """The experiment of this name."""
    return next(each for each in experiments if each.name == name)


def check_alike(parts: Sequence[Part]) -> None:
    """Raise LotteryError with a line for each key that results depend on and experiments of one name differ in."""
    wrong = []
    for number, part in enumerate(parts):
        for name in part.settings.run_experiments:
            others = [each for each in parts[:number] if name in each.settings.run_experiments]
            for other in others[:1]:
                ours, theirs = (recipe_values(each.settings.experiments[name]) for each in (part, other))
                wrong += [
                    f"{part.folder}: experiments.{name}{key} is {ours.get(key)}, in {other.folder} {theirs.get(key)}"
                    for key in dict.fromkeys([*ours, *theirs])
                    if not key.startswith(DIFFER) and ours.get(key) != theirs.get(key)
                ]
    if wrong:
        raise LotteryError("\n".join(wrong))


def check_apart(folders: Sequence[Path], tables: Sequence[pd.DataFrame]) -> None:
    """Raise LotteryError when two runs have a network in common, bit for bit: a replicate would count twice."""
    seen: dict[object, Path] = {}
    for folder, levels in zip(folders, tables, strict=True):
        own = set(names(levels, by_replicate=False))
        for network in own & seen.keys():
            raise LotteryError(f"{folder}: has a network that {seen[network]} has too: the runs must be of other seeds")
        seen |= dict.fromkeys(own, folder)
