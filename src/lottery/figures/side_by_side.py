"""What figures of several recipes have in common: experiments side by side, told apart by how they were trained."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from lottery.arms.places import DENSE

Name = Callable[[dict[str, Any]], str]
"""From the recipe columns of levels.csv to what a line is called."""


def rate_and_warmup(recipe: dict[str, Any]) -> str:
    """Such as `rate 0.03, warmup 20K`, as the legends of Figures 7 and 8 say it."""
    warmup = int(recipe["warmup_iterations"])
    in_words = f"{warmup / 1000:g}K" if warmup >= 1000 else str(warmup)
    return f"rate {recipe['learning_rate']:g}" + f", warmup {in_words}" * (warmup > 0)


def dropout(recipe: dict[str, Any]) -> str:
    """Such as `dropout 0.5`."""
    return f"dropout {recipe['dropout']:g}" if recipe["dropout"] else "no dropout"


def networks_of(levels: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each network on each dataset, with a title such as `conv-2, cifar-10`."""
    dense = levels[levels["arm"] == DENSE].drop_duplicates("experiment")
    for (network, dataset), group in dense.groupby(["network", "dataset"], sort=False):
        yield f"{network}, {dataset}", levels[levels["experiment"].isin(group["experiment"])]


def recipes_of(levels: pd.DataFrame, name: Name) -> dict[str, str]:
    """What the lines of each experiment are called; the experiment's own name is added where two recipes look alike."""
    dense = levels[levels["arm"] == DENSE].drop_duplicates("experiment")
    names = {row["experiment"]: name(row) for row in dense.to_dict("records")}
    count = Counter(names.values())
    return {each: called if count[called] == 1 else f"{called} ({each})" for each, called in names.items()}
