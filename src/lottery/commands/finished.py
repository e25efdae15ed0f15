"""What is asked of a run before it starts and after its end."""

import os
from pathlib import Path
from typing import Annotated

from lottery.arrays import write_text
from lottery.commands.options import Run, SettingsFile, Told
from lottery.errors import LotteryError
from lottery.runs.reading import read_finished_run, read_settings_of


def plan(
    settings: Annotated[Path, Told("a run's settings: results/<run>/settings.json")],
    *,
    cores: Annotated[int, Told("default: those of this machine")] = os.cpu_count() or 1,
    measured: Annotated[Path | None, Told("take speeds from this finished run: results/<run>", "RUN")] = None,
    card: Annotated[str | None, Told("a GPU whose speeds were measured; default: that of this machine", "NAME")] = None,
) -> None:
    """Tell what a run will cost: jobs, networks, hours, room on the disk. Starts nothing."""
    from lottery.planning.plan import Plan, as_text
    from lottery.planning.speed import Speed, measured_speed
    from lottery.training.cards import names_of_cards

    named = card or next(iter(names_of_cards()), "")
    speed = measured_speed(measured, named) if measured else Speed(card=named)
    print(as_text(Plan(read_finished_run(settings), cores, speed)))


def verify(
    run: Run, *, data: Annotated[Path | None, Told("folder of prepared datasets; default: data beside the run")] = None
) -> None:
    """Recompute a finished run from its files: masks, starts, accuracies and tables; names each file that is wrong."""
    from lottery.evidence.verification import verify as wrong_in
    from lottery.evidence.verification import without_early_stop

    wrong = list(wrong_in(run, data or run.parent / "data"))
    if wrong:
        raise LotteryError("\n".join([f"{len(wrong)} files are wrong:", *wrong]))
    print(f"{run}: masks, starts, weights, accuracies and tables are what they should be")
    if told := without_early_stop(run):
        print(f"{run}: {told}")


def let_go(run: Run, *, settings: SettingsFile = None) -> None:
    """Remove from a finished run what the key `keep` of its settings does not keep, as the workflow does at its end."""
    from lottery.runs.keeping import let_go as let_go_of

    removed = let_go_of(run, read_settings_of(run, settings))
    print(f"{run}: {len(removed)} files were let go")


def publish(run: Run, *, output: Annotated[Path, Told("folder to write to, such as docs/results/<run>")]) -> None:
    """Write a finished run's tables, verdicts and figures, and what made them, into a folder of small files."""
    from lottery.evidence.publication import publish as publish_run

    publish_run(run, output)


def join(
    parts: Annotated[list[Path], Told("results/<run> or docs/results/<run>", "PART")],
    *,
    output: Annotated[Path, Told("folder to write to; the run is named as it is")],
    experiments: Annotated[list[str] | None, Told("their order; default: that of the parts", "NAME")] = None,
    figures: Annotated[list[str] | None, Told("figures to draw; default: those of the parts", "NAME")] = None,
) -> None:
    """Put finished or published runs, or parts of one trained on several machines, together into one published run."""
    from lottery.evidence.joining import join as join_parts

    join_parts(parts, output, experiments, figures)


def compare(first: Run, second: Run, *, output: Annotated[Path, Told("Markdown table to write")]) -> None:
    """Compare two runs of the same seeds, size by size."""
    from lottery.analysis.comparison import as_markdown
    from lottery.analysis.comparison import compare as compared
    from lottery.analysis.tables import LEVELS, read_table

    tables = (read_table(run / "tables" / "levels.csv", LEVELS) for run in (first, second))
    write_text(output, as_markdown(compared(*tables)))
