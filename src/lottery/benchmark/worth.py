"""What a ticket costs to find, what it saves in training and in use, and after how many of either it has paid."""

from pathlib import Path

import pandas as pd

from lottery.analysis.tables import read_table, write_table
from lottery.arms.masks import Pruned
from lottery.arms.places import DENSE
from lottery.arms.rows import ARMS
from lottery.arrays import write_text
from lottery.benchmark.contenders import DENSE_CONTENDERS
from lottery.benchmark.inference import markdown
from lottery.errors import LotteryError

WORTH = ["experiment", "arm", "level", "weights_remaining", "found_seconds", "found_updates", "test_accuracy"]
WORTH += ["test_accuracy_dense", "train_seconds", "train_seconds_dense", "trainings_to_pay"]
WORTH += ["microseconds_1", "microseconds_1_dense", "predictions_to_pay_1"]
WORTH += ["microseconds_1000", "microseconds_1000_dense", "predictions_to_pay_1000"]
"""Columns of worth.csv, means over the replicates that did not diverge.

found_...: all trainings before the ticket's own, core-seconds and updates. test_accuracy: at early stop.
train_seconds: of training up to early stop, evaluation included; of the ticket, and of the dense network.
trainings_to_pay: after how many trainings of the ticket in place of the dense network its finding is paid; empty where
a training saves nothing, or the ticket is less accurate than the dense network. microseconds_...: for an image, one or
1,000 a call, of the runtime and of the best dense contender in float32, one thread; empty where not measured.
predictions_to_pay_...: as above.
"""

BATCHES = (1, 1_000)


def worth(levels: pd.DataFrame, inference: pd.DataFrame | None, experiment: str) -> pd.DataFrame:
    """A row for each ticket of an arm that prunes, by its level. levels: levels.csv; inference: of `bench-inference`.

    Raises LotteryError for an experiment without a dense network that trained to its end.
    """
    table = levels[(levels["experiment"] == experiment) & levels["diverged_iteration"].isna()]
    means = table.groupby(["arm", "level"]).mean(numeric_only=True)
    if (DENSE, 0) not in means.index:
        raise LotteryError(f"{experiment}: has no dense network that trained to its end")
    dense = means.loc[(DENSE, 0)]
    rows = []
    for (arm, level), own in means.iterrows():
        row = ARMS.get(str(arm))
        if row is None or not isinstance(row.mask, Pruned) or row.mask.of == "the initial weights":
            continue
        before = [dense]
        if row.mask.of == "the level before":
            earlier = [(arm, number) for number in range(1, int(level))]
            if not all(place in means.index for place in earlier):
                continue
            before += [means.loc[place] for place in earlier]
        found = sum(each["train_seconds"] for each in before)
        seconds, seconds_dense = (until_early_stop(each) for each in (own, dense))
        accuracy, accuracy_dense = (each["test_accuracy_at_early_stop"] for each in (own, dense))
        as_good = accuracy >= accuracy_dense
        saved = seconds_dense - seconds if as_good else 0
        rows.append(
            {
                "experiment": experiment,
                "arm": arm,
                "level": level,
                "weights_remaining": own["weights_remaining"],
                "found_seconds": found,
                "found_updates": sum(each["iterations"] for each in before),
                "test_accuracy": accuracy,
                "test_accuracy_dense": accuracy_dense,
                "train_seconds": seconds,
                "train_seconds_dense": seconds_dense,
                "trainings_to_pay": found / saved if saved > 0 else None,
                **in_use(inference, own["weights_remaining"], found if as_good else None),
            }
        )
    return pd.DataFrame(rows, columns=WORTH)


def read_inference(path: Path) -> pd.DataFrame:
    """The table that `bench-inference` writes. Raises LotteryError naming the file when it is another."""
    table = read_table(path, ["weights_remaining", "threads", "batch", "microseconds"])
    if "contender" not in table:
        raise LotteryError(f"{path}: the column contender is missing; `lottery bench-inference` writes it")
    return table


def write_worth(folder: Path, table: pd.DataFrame) -> None:
    """Write the table for programs and for reading."""
    write_table(folder / "worth.csv", table)
    write_text(folder / "worth.md", as_markdown(table))


def until_early_stop(row: pd.Series) -> float:
    """Seconds of a training up to its early stop, its updates all taken to last as long."""
    return float(row["train_seconds"] * row["early_stop_iteration"] / row["iterations"])


def in_use(inference: pd.DataFrame | None, remaining: float, found: float | None) -> dict[str, float | None]:
    """What predictions of a ticket of this size take, where that was measured, and after how many it has paid.

    found: core-seconds that finding it took; None of a ticket that never pays.
    """
    told: dict[str, float | None] = {}
    if inference is None:
        return told
    rows = inference[inference["threads"] == 1]
    near = rows[(rows["weights_remaining"] - remaining).abs() < 0.01 * remaining]
    for batch in BATCHES:
        times = near[near["batch"] == batch].set_index("contender")["microseconds"]
        if "runtime" not in times:
            continue
        own, best = times["runtime"], min(times[name] for name in DENSE_CONTENDERS if name in times)
        told |= {f"microseconds_{batch}": own, f"microseconds_{batch}_dense": best}
        told[f"predictions_to_pay_{batch}"] = found * 1e6 / (best - own) if found and best > own else None
    return told


def as_markdown(table: pd.DataFrame) -> str:
    """The table for reading."""

    def number(value: float, form: str) -> str:
        return "" if pd.isna(value) else form.format(value)

    lines = [
        {
            "arm": row["arm"],
            "weights remaining": number(100 * row["weights_remaining"], "{:.1f}%"),
            "to find it, core-seconds": number(row["found_seconds"], "{:,.0f}"),
            "updates": number(row["found_updates"], "{:,.0f}"),
            "test accuracy (dense)": f"{row['test_accuracy']:.2%} ({row['test_accuracy_dense']:.2%})",
            "to train it, s (dense)": f"{row['train_seconds']:.1f} ({row['train_seconds_dense']:.1f})",
            "paid after trainings": number(row["trainings_to_pay"], "{:,.1f}"),
            "paid after predictions, one a call": number(row["predictions_to_pay_1"], "{:,.2g}"),
            "1,000 a call": number(row["predictions_to_pay_1000"], "{:,.2g}"),
        }
        for row in table.to_dict("records")
    ]
    return f"# What a ticket is worth\n\n{markdown(lines)}\n"
