"""What claims take from overlaps.csv: columns beside those of layers.csv, of the same levels and layers."""

from pathlib import Path

import pandas as pd

from lottery.analysis.tables import OVERLAPS, read_table
from lottery.arms.places import DENSE
from lottery.runs.listing import DESCRIBED_ARM, TWIN

LAYER = ["experiment", "replicate", "level", "layer"]

COLUMNS: dict[str, tuple[str, str, str]] = {
    "overlap_same_start": ("same start", TWIN, "over_chance"),
    "overlap_another_start": ("another start", DENSE, "over_chance"),
    "overlap_initial_magnitude": ("initial magnitude", DENSE, "over_chance"),
    "overlap_iterative_same_start": ("mask of iterative-other-batches", DESCRIBED_ARM, "over_chance"),
    "overlap_iterative_another_start": ("another start", DESCRIBED_ARM, "over_chance"),
    "early_bird": ("early bird", DENSE, "value"),
    "sign_kept": ("sign kept", DESCRIBED_ARM, "value"),
    "sign_kept_rest": ("sign kept", DESCRIBED_ARM, "by_chance"),
    "neighbours": ("neighbouring pixels", DESCRIBED_ARM, "over_chance"),
}
"""By column: the quantity, of which arm, which of its numbers; at the end of training, mean over draws. Of two starts
each replicate is compared with the next alone, the last with the first, so that no pair counts twice.
"""


def with_overlaps(layers: pd.DataFrame, tables: Path) -> pd.DataFrame:
    """layers.csv with these columns, if overlaps.csv is among the tables."""
    if not (tables / "overlaps.csv").exists():
        return layers
    overlaps = read_table(tables / "overlaps.csv", OVERLAPS)
    last = overlaps["iteration"].isna() | (
        overlaps["iteration"] == overlaps.groupby("experiment")["iteration"].transform("max")
    )
    replicates = sorted(overlaps["replicate"].unique())
    following = dict(zip(replicates, [*replicates[1:], *replicates[:1]], strict=True))
    next_alone = overlaps["other"].isna() | (overlaps["other"] == overlaps["replicate"].map(following))
    for column, (quantity, of, number) in COLUMNS.items():
        rows = overlaps[last & next_alone & (overlaps["quantity"] == quantity) & (overlaps["of"] == of)]
        found = rows.groupby(LAYER)[number].mean().rename(column).reset_index()
        layers = layers.merge(found, on=LAYER, how="left", validate="many_to_one")
    return layers
