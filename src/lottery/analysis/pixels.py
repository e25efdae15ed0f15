"""The table pixels.csv: which pixels of an image tickets still read, told by the weights of their first layer."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lottery.analysis.experiment import nearest_size
from lottery.analysis.tables import PIXELS

SIZES = (51.3, 26.3, 13.5, 7.0, 3.6, 1.9, 1.0)
"""Percent of weights remaining: every third size of a pruning by 20%, those that Figure 4a prints."""

DIGITS = 6


def kept_by_pixel(kept: NDArray, image_shape: tuple[int, ...]) -> NDArray:
    """The share of each pixel's links to units that are kept, over its channels and all masks: float [height, width].

    kept: bool [masks, units, inputs]; image_shape: (height, width) or (channels, height, width) of the inputs.
    """
    channels = image_shape[0] if len(image_shape) == 3 else 1
    height, width = image_shape[-2:]
    return kept.mean(axis=(0, 1), dtype=float).reshape(channels, height, width).mean(axis=0)


def shown_sizes(percents: Collection[float]) -> list[float]:
    """Which of the trained sizes, in percent of weights remaining, are told of: those nearest to SIZES, the largest
    first, or the smallest ticket's where none of these was trained.
    """
    found = [nearest_size(percents, size) for size in SIZES]
    return list(dict.fromkeys(size for size in found if size is not None)) or [min(percents)]


def pixel_rows(
    image_shape: tuple[int, ...], first: Mapping[int, NDArray], percents: Mapping[float, int]
) -> pd.DataFrame:
    """Rows of pixels.csv without the experiment.

    first: the masks of the first layer by level, bool [replicates, units, inputs]; percents: levels by their percent of
    weights remaining.
    """
    tables = []
    for percent in shown_sizes(percents):
        shares = kept_by_pixel(first[percents[percent]], image_shape)
        row, column = np.indices(shares.shape)
        table = {"row": row.ravel(), "column": column.ravel(), "kept": [float(f"{s:.{DIGITS}g}") for s in shares.flat]}
        tables.append(pd.DataFrame(table).assign(level=percents[percent]))
    return pd.concat(tables, ignore_index=True)[[column for column in PIXELS if column != "experiment"]]
