"""What would decide what a run left inconclusive: replicates, hours, and where an hour decides most claims."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from lottery.analysis.claim import Claim
from lottery.analysis.claims import CLAIMS, judge, networks_behind
from lottery.analysis.claims_general import GENERAL
from lottery.analysis.speed import read_judged
from lottery.analysis.statistics import CONFIDENCE, SIGNIFICANCE
from lottery.arms.places import Place
from lottery.errors import LotteryError
from lottery.planning.speed import Speed, Work
from lottery.planning.tasks import Task, before
from lottery.runs.jobs import Job
from lottery.runs.listing import groups_of
from lottery.runs.reading import read_finished_run
from lottery.settings import Settings

POWER = 0.9
SPREAD = 0.8
"""Confidence of the interval of the standard deviation, from which the range of replicates comes."""

MOST = 100_000
"""Replicates beyond which a claim counts as never decided."""


@dataclass(frozen=True)
class Undecided:
    """An inconclusive claim: distances from its bounds and standard deviation, of ratios as logarithms.

    distances: how far our estimate lies from each bound that must be passed, on the side where it lies. alpha: the
    threshold that one more p of its family must be below. needed: replicates for a power of 90%, and the least and the
    most that the uncertainty of the standard deviation allows; None beyond MOST. places: the trainings of its networks.
    """

    id: str
    experiment: str
    effect: str
    distances: tuple[float, ...]
    sd: float
    n: int
    alpha: float
    places: frozenset[Place]

    def needed(self, sd: float) -> int | None:
        """The least number of replicates whose power is enough, if the truth is what was found and this the spread."""
        if not min(self.distances) > 0:
            return None
        if sd == 0:
            return 2
        low, high = 1, 2
        while self.power(high, sd) < POWER:
            low, high = high, 2 * high
            if low > MOST:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.power(middle, sd) >= POWER else (middle, high)
        return high

    def power(self, n: int, sd: float) -> float:
        """How likely so many replicates give a p below alpha, at the least: of two bounds both must be passed."""
        if n < 2:
            return 0.0
        critical = stats.t.ppf(1 - self.alpha / 2, n - 1)
        each = [stats.nct.sf(critical, n - 1, distance / sd * math.sqrt(n)) for distance in self.distances]
        return float(sum(each) - (len(each) - 1))

    @property
    def range_of_sd(self) -> tuple[float, float]:
        """The interval of the standard deviation, of confidence SPREAD."""
        low, high = stats.chi2.ppf([(1 + SPREAD) / 2, (1 - SPREAD) / 2], self.n - 1)
        return self.sd * math.sqrt((self.n - 1) / low), self.sd * math.sqrt((self.n - 1) / high)


def undecided(folder: Path) -> tuple[list[Undecided], "Costs"]:
    """The inconclusive claims of `results/<run>` or `docs/results/<run>` that have a spread, and what trainings cost.

    Raises LotteryError when the folder is no run.
    """
    tables = next((each for each in (folder / "tables", folder) if (each / "levels.csv").exists()), None)
    if tables is None:
        raise LotteryError(f"{folder}: is neither a finished run nor a published one: no levels.csv")
    settings = read_finished_run(tables / "settings.json")
    levels, layers = read_judged(tables)
    table, behind = judge(levels, layers), networks_behind(levels, layers)
    known = {claim.id: claim for claim in [*CLAIMS, *GENERAL]}
    found = []
    for row in table[(table["verdict"] == "inconclusive") & (table["n"] > 1)].to_dict("records"):
        family = table[(table["family"] == row["family"]) & table["p"].notna()]
        decided = int((family["p_corrected"] < SIGNIFICANCE).sum())
        rows = behind[(behind["id"] == row["id"]) & (behind["judged"] == row["experiment"])]
        places = frozenset(
            Place(experiment, groups_of(settings.experiments[experiment])[0], arm, level)
            for experiment, arm, level in rows[["experiment", "arm", "level"]].itertuples(index=False, name=None)
        )
        alpha = SIGNIFICANCE * (decided + 1) / len(family)
        found.append(of_row(row, known[row["id"]], alpha, places))
    return found, Costs(settings, levels)


def of_row(row: dict[str, Any], claim: Claim, alpha: float, places: frozenset[Place]) -> Undecided:
    """What a row of claims.csv tells of its effect and spread."""
    scale = np.log if row["unit"] == "ratio" else np.asarray
    center, low, high = (float(scale(row[column])) for column in ("ours", "ci_low", "ci_high"))
    n = int(row["n"])
    sd = (high - low) / 2 / float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1)) * math.sqrt(n)
    above, below = (
        float(scale(bound)) if math.isfinite(bound) and (bound > 0 or row["unit"] != "ratio") else bound
        for bound in (claim.rule.above, claim.rule.below)
    )
    if above < center < below:
        distances = tuple(each for each in (center - above, below - center) if math.isfinite(each))
    else:
        distances = (above - center if center <= above else center - below,)
    unit = {"ratio": "x", "points": " points"}.get(row["unit"], "%")
    return Undecided(row["id"], row["experiment"], f"{row['ours']:.3g}{unit}", distances, sd, n, alpha, places)


class Costs:
    """What one replicate of trainings takes, those that they need before them included."""

    def __init__(self, settings: Settings, levels: pd.DataFrame) -> None:
        """levels: of the run, whose seconds count; of trainings that are not in it the declared ones."""
        self.settings = settings
        names = [levels[column] for column in ("experiment", "arm", "level", "replicate")]
        per_replicate = levels["train_seconds"].groupby(names).sum()
        self.seconds_of = per_replicate.groupby(level=["experiment", "arm", "level"]).mean().to_dict()
        self.speed = Speed()

    def seconds(self, places: Collection[Place]) -> float:
        """Seconds of one core for one replicate of these places and of all that they need."""
        needed: set[Place] = set()
        waiting = [Task("train", place) for place in places]
        seen = set(waiting)
        while waiting:
            task = waiting.pop()
            if task.training:
                needed.add(task.training)
            new = [each for each in before(task, self.settings) if each not in seen]
            seen.update(new)
            waiting += new
        return sum(map(self.seconds_at, needed))

    def seconds_at(self, place: Place) -> float:
        """Seconds for one replicate of a place, all its draws."""
        known = self.seconds_of.get((place.experiment, place.arm, place.level))
        if known is not None:
            return float(known)
        job = Job(self.settings, place)
        kept = min(job.network.weights, sum(job.counts.values()))
        work = Work(job.training, job.experiment.dataset, job.network, kept, job.first_iteration, job.network_name)
        return self.speed.seconds(work) or 0.0


def as_text(folder: Path) -> str:
    """For reading: what would decide each inconclusive claim of a run, and what decides most claims an hour."""
    claims, costs = undecided(folder)
    if not claims:
        return f"{folder}: no claim is inconclusive for want of replicates"
    rows = []
    for claim in claims:
        low, high = claim.range_of_sd
        likely, least, most = (claim.needed(sd) for sd in (claim.sd, low, high))
        seconds = costs.seconds(claim.places)
        rows.append(
            {
                "experiment": claim.experiment,
                "id": claim.id,
                "ours": claim.effect,
                "from the bound": f"{min(claim.distances):.3g}",
                "spread": f"{claim.sd:.3g}",
                "n": claim.n,
                "threshold": f"{claim.alpha:.2g}",
                "needed": number(likely),
                "range": f"{number(least)} to {number(most)}",
                "core-hours": "" if likely is None else f"{likely * seconds / 3600:.2g}",
            }
        )
    table = pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)
    options = sorted(options_of(claims, costs), key=lambda option: -option.rate)
    lines = [
        (each.experiment, each.replicates, ", ".join(each.claims), f"{each.hours:.2g}", f"{each.rate:.2g}")
        for each in options
    ]
    headings = ["experiment", "fresh replicates", "decided", "core-hours", "claims an hour"]
    best = pd.DataFrame(lines, columns=headings).to_markdown(index=False, disable_numparse=True)
    return (
        f"Inconclusive claims of {folder}, each with the replicates that decide it in nine of ten experiments if the"
        " truth is what was found:\n\n"
        f"{table}\n\nDistances from the bound and spreads (standard deviation over replicates) of ratios are those of"
        f" logarithms. Threshold: what p (two-sided) must be below. Range: by the {SPREAD:.0%} interval of the spread."
        " Hours: of as many fresh replicates, with all trainings that they need.\n\n"
        f"What decides most claims an hour:\n\n{best}\n"
    )


@dataclass(frozen=True)
class Option:
    """So many fresh replicates of an experiment, in core-hours, and the claims that they decide."""

    experiment: str
    replicates: int
    claims: tuple[str, ...]
    hours: float

    @property
    def rate(self) -> float:
        """Claims decided for each core-hour."""
        return len(self.claims) / self.hours if self.hours else math.inf


def options_of(claims: Collection[Undecided], costs: Costs) -> Iterator[Option]:
    """For each experiment, the number of fresh replicates that decides most claims an hour."""
    needed = {claim: claim.needed(claim.sd) for claim in claims}
    for experiment in dict.fromkeys(claim.experiment for claim in claims):
        own = {claim: n for claim, n in needed.items() if claim.experiment == experiment and n is not None}
        options = []
        for n in sorted(set(own.values())):
            within = [claim for claim, least in own.items() if least <= n]
            hours = n * costs.seconds(frozenset().union(*(claim.places for claim in within))) / 3600
            options.append(Option(experiment, n, tuple(claim.id for claim in within), hours))
        if options:
            yield max(options, key=lambda option: option.rate)


def number(n: int | None) -> str:
    """A number of replicates for reading."""
    return f"over {MOST:,}" if n is None else f"{n:,}"
