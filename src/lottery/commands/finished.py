"""What is asked of a run before it starts and after its end."""

import os
from pathlib import Path
from typing import Annotated

from lottery.arrays import write_text
from lottery.commands.options import Run, SettingsFile, Told
from lottery.commands.tickets import verify_file
from lottery.errors import LotteryError
from lottery.runs.reading import read_finished_run, read_settings_of


def plan(
    settings: Annotated[Path | None, Told("a run's settings: results/<run>/settings.json")] = None,
    *,
    cores: Annotated[int, Told("default: those of this machine")] = os.cpu_count() or 1,
    measured: Annotated[Path | None, Told("take speeds from this finished run: results/<run>", "RUN")] = None,
    card: Annotated[str | None, Told("a GPU whose speeds were measured; default: that of this machine", "NAME")] = None,
    decide: Annotated[
        Path | None,
        Told("tell what would decide what results/<run> or docs/results/<run> left inconclusive", "RUN"),
    ] = None,
) -> None:
    """Tell what a run will cost: jobs, networks, hours, room on the disk. Starts nothing."""
    if decide:
        from lottery.planning.power import as_text as what_decides

        print(what_decides(decide))
        return
    if settings is None:
        raise LotteryError("name a run's settings, results/<run>/settings.json, or --decide with a finished run")
    from lottery.planning.plan import Plan, as_text
    from lottery.planning.speed import Speed, measured_speed
    from lottery.training.cards import names_of_cards

    named = card or next(iter(names_of_cards()), "")
    speed = measured_speed(measured, named) if measured else Speed(card=named)
    print(as_text(Plan(read_finished_run(settings), cores, speed)))


def verify(
    run: Annotated[Path, Told("folder of the run: results/<run>; or the file of a ticket", "RUN")],
    *,
    data: Annotated[
        Path | None, Told("folder of prepared datasets; default: data beside the run; for a ticket results/data")
    ] = None,
) -> None:
    """Recompute a finished run from its files: masks, starts, accuracies and tables; names each file that is wrong.

    Of a ticket's file its accuracies are recomputed.
    """
    if run.is_file():
        verify_file(run, data or Path("results/data"))
        return
    from lottery.evidence.verification import verify as wrong_in
    from lottery.evidence.verification import without_early_stop

    wrong = list(wrong_in(run, data or run.parent / "data"))
    if wrong:
        raise LotteryError("\n".join([f"{len(wrong)} files are wrong:", *wrong]))
    print(f"{run}: masks, starts, weights, accuracies and tables are what they should be")
    if told := without_early_stop(run):
        print(f"{run}: {told}")


def adopt(run: Run, *, settings: SettingsFile = None) -> None:
    """Look at a run that was moved or lost files: record what is right, make again what takes no training.

    What is not right, the next run of Snakemake makes again, with what follows from it.
    """
    from lottery.evidence.adoption import State
    from lottery.evidence.adoption import adopt as adopt_run

    found = adopt_run(run, settings)
    right, stale, absent = (len(found.in_state(state)) for state in (State.RIGHT, State.STALE, State.ABSENT))
    for path in found.made:
        print(f"{path}: made again")
    for line in found.wrong:
        print(line)
    print(f"{run}: {right} steps are right and recorded, {stale} are to be made again, {absent} were not done yet")


def tell_worth(
    run: Annotated[Path, Told("folder of the run: results/<run>, or of a published one: docs/results/<run>", "RUN")],
    experiment: Annotated[str | None, Told("of the run; default: its first", "EXPERIMENT")] = None,
    *,
    inference: Annotated[Path | None, Told("inference.csv of bench-inference, for what predictions save")] = None,
    output: Annotated[Path | None, Told("folder for worth.csv and worth.md")] = None,
) -> None:
    """Tell what tickets cost to find, what they save, and after how many trainings or predictions they have paid."""
    from lottery.analysis.tables import LEVELS, read_table
    from lottery.benchmark.worth import as_markdown, read_inference, worth, write_worth

    tables = run / "tables" if (run / "tables").exists() else run
    levels = read_table(tables / "levels.csv", LEVELS)
    name = experiment or str(levels["experiment"].iloc[0])
    found = worth(levels, read_inference(inference) if inference else None, name)
    if output:
        write_worth(output, found)
    print(as_markdown(found))


def let_go(run: Run, *, settings: SettingsFile = None) -> None:
    """Remove from a finished run what the key `keep` of its settings does not keep, as the workflow does at its end."""
    from lottery.runs.keeping import let_go as let_go_of

    removed = let_go_of(run, read_settings_of(run, settings))
    print(f"{run}: {len(removed)} files were let go")


def publish(run: Run, *, output: Annotated[Path, Told("folder to write to, such as docs/results/<run>")]) -> None:
    """Write a finished run's tables, verdicts and figures, and what made them, into a folder of small files."""
    from lottery.evidence.publication import publish as publish_run

    publish_run(run, output)


def report(
    run: Run,
    *,
    output: Annotated[Path | None, Told("file to write; default: report.html in the run's folder", "FILE")] = None,
) -> None:
    """Write a finished run as one page of HTML: scoreboard, figures, claims, masks, settings. It needs no network."""
    from lottery.report.page import write_report

    written = output or run / "report.html"
    write_report(run, written)
    print(f"{written}: {written.stat().st_size:,} bytes")


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


def pool(
    runs: Annotated[list[Path], Told("results/<run> or docs/results/<run>, of one recipe and different seeds", "RUN")],
    *,
    output: Annotated[Path, Told("folder for the verdicts, such as docs/results/<name>")],
) -> None:
    """Judge the replicates of runs of one recipe from different seeds together."""
    from lottery.evidence.pooling import pool as pool_runs

    pool_runs(runs, output)


def compare(first: Run, second: Run, *, output: Annotated[Path, Told("Markdown table to write")]) -> None:
    """Compare two runs of the same seeds, size by size."""
    from lottery.analysis.comparison import as_markdown
    from lottery.analysis.comparison import compare as compared
    from lottery.analysis.tables import LEVELS, read_table

    tables = (read_table(run / "tables" / "levels.csv", LEVELS) for run in (first, second))
    write_text(output, as_markdown(compared(*tables)))
