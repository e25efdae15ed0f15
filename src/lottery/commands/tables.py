"""Tables of a run, and what is made from them: figures and verdicts."""

from typing import Annotated

from lottery.arrays import write_text
from lottery.commands.options import Run, SettingsFile, Told
from lottery.runs.listing import trainings
from lottery.runs.reading import read_settings_of


def collect(run: Run, *, settings: SettingsFile = None) -> None:
    """Gather the results of all trainings in three tables."""
    from lottery.analysis.tables import collect_curves, collect_levels, collect_weights, write_table

    chosen, tables = read_settings_of(run, settings), run / "tables"
    folders = [run / job.place.folder for job in trainings(chosen)]
    levels, curves = collect_levels(folders, chosen), collect_curves(folders)
    write_table(tables / "levels.csv", levels)
    write_table(tables / "curves.csv", curves)
    write_table(tables / "weights.csv", collect_weights(folders))
    write_text(tables / "settings.json", chosen.model_dump_json(indent=1) + "\n")


def describe_tickets(run: Run, *, settings: SettingsFile = None) -> None:
    """Tell which weights are in the tickets: initial values, movement, links of units."""
    from lottery.analysis.tables import write_table
    from lottery.analysis.ticket_weights import describe

    layers, distributions = describe(run, read_settings_of(run, settings))
    write_table(run / "tables" / "layers.csv", layers)
    write_table(run / "tables" / "distributions.csv", distributions)


def describe_structure(run: Run, *, settings: SettingsFile = None) -> None:
    """Tell what pruning leaves of each layer of each network: weights, units, multiplications."""
    from lottery.analysis.tables import write_table
    from lottery.tickets.structure import describe

    write_table(run / "tables" / "structure.csv", describe(run, trainings(read_settings_of(run, settings))))


def judge_claims(run: Run) -> None:
    """Compare the tables with the paper's claims, each with an interval and a verdict."""
    from lottery.analysis.claims import judge
    from lottery.analysis.claims_text import as_html, as_markdown
    from lottery.analysis.tables import read_judged, write_table

    tables = run / "tables"
    verdicts = judge(*read_judged(tables))
    write_table(tables / "claims.csv", verdicts)
    write_text(tables / "claims.md", as_markdown(verdicts))
    write_text(tables / "claims.html", as_html(verdicts))


def plot(run: Run, figure: Annotated[str, Told("its name in the catalog, such as figure4a")]) -> None:
    """Draw one figure from the tables."""
    from lottery.analysis.tables import LEVELS, read_table
    from lottery.figures.drawing import draw, read_details

    tables, pictures = run / "tables", run / "figures"
    levels, details = read_table(tables / "levels.csv", LEVELS), read_details(tables, figure)
    draw(figure, levels, details, [pictures / f"{figure}.{suffix}" for suffix in ("pdf", "svg", "png")])
