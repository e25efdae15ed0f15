"""Tables of a run, and what is made from them: figures and verdicts."""

from pathlib import Path
from typing import Annotated

from lottery.commands.options import Run, SettingsFile, Told
from lottery.runs.listing import trainings
from lottery.runs.reading import read_settings_of


def collect(run: Run, *, settings: SettingsFile = None) -> None:
    """Gather the results of all trainings in four tables."""
    from lottery.analysis.collecting import collect as collect_tables

    collect_tables(run, read_settings_of(run, settings))


def describe_tickets(run: Run, *, settings: SettingsFile = None) -> None:
    """Tell which weights are in the tickets: initial values, movement, links of units and of pixels."""
    from lottery.analysis.tables import write_table
    from lottery.analysis.ticket_weights import describe

    for name, table in describe(run, read_settings_of(run, settings)).items():
        write_table(run / "tables" / f"{name}.csv", table)


def describe_structure(run: Run, *, settings: SettingsFile = None) -> None:
    """Tell what pruning leaves of each layer of each network: weights, units, multiplications."""
    from lottery.analysis.tables import write_table
    from lottery.tickets.structure import describe

    write_table(run / "tables" / "structure.csv", describe(run, trainings(read_settings_of(run, settings))))


def collect_barriers(run: Run, *, settings: SettingsFile = None) -> None:
    """Gather how much error rises on the lines between trained networks."""
    from lottery.analysis.barriers import collect_barriers as collected
    from lottery.analysis.tables import write_table

    write_table(run / "tables" / "barriers.csv", collected(run, read_settings_of(run, settings)))


def compare_masks(run: Run, *, settings: SettingsFile = None) -> None:
    """Tell how alike masks are, when they are settled, and which weights they keep."""
    from lottery.analysis.overlaps import compare_masks as compared
    from lottery.analysis.tables import write_table

    write_table(run / "tables" / "overlaps.csv", compared(run, read_settings_of(run, settings)))


def judge_claims(runs: Annotated[list[Path], Told("results/<run> or docs/results/<run>", "RUN")]) -> None:
    """Compare the tables of runs with the paper's claims, each with an interval and a verdict."""
    from lottery.analysis.judging import judge_run
    from lottery.evidence.publication import conclude_claims

    for run in runs:
        if (run / "levels.csv").exists():
            conclude_claims(run)
        else:
            judge_run(run)


def plot(
    run: Annotated[Path, Told("results/<run> or docs/results/<run>", "RUN")],
    figures: Annotated[
        list[str] | None, Told("names in the catalog, such as figure4a; default: the run's", "FIGURE")
    ] = None,
    *,
    settings: SettingsFile = None,
    threads: Annotated[int, Told("figures drawn at once")] = 1,
) -> None:
    """Draw figures from the tables."""
    from lottery.evidence.publication import figures_of_published
    from lottery.figures.catalog import figures_of_run
    from lottery.figures.drawing import FORMATS, PUBLISHED, draw_several

    if (run / "levels.csv").exists():
        draw_several(run, run, figures or figures_of_published(run), PUBLISHED, threads)
    else:
        names = figures or figures_of_run(read_settings_of(run, settings))
        draw_several(run / "tables", run / "figures", names, FORMATS, threads)
