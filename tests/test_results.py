"""Committed results: tables, claims and figures of a run belong together."""

import re
import subprocess

import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY

from lottery.analysis.claims import judge
from lottery.analysis.claims_text import as_markdown
from lottery.analysis.experiment import AT_EARLY_STOP, TrainedExperiment
from lottery.analysis.speed import read_judged, read_levels
from lottery.analysis.statistics import mean_estimate
from lottery.analysis.tables import CURVES, LEVELS, read_table
from lottery.evidence.publication import figures_of_published
from lottery.evidence.repeats import judge_published
from lottery.figures.catalog import figures_of_run
from lottery.figures.choices import PANELS, SIZE
from lottery.figures.drawing import draw, read_details
from lottery.runs.listing import trainings
from lottery.runs.reading import read_finished_run

RUNS = sorted(path.parent for path in REPOSITORY.glob("docs/results/*/levels.csv"))


def test_there_are_results():
    assert {run.name for run in RUNS} >= {
        "conv-fashion",
        "paper-mnist",
        "paper-mnist-repeat",
        "paper-mnist-tenth",
        "appendix-b-f",
        "appendix-g-part",
        "recipes",
    }


def test_make_runs_the_study_and_publishes_it():
    printed = subprocess.run(["make", "-n", "paper-mnist"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    runs = re.findall(r"--configfile (.+)\n.+ publish results/(\S+) --output docs/results/(\S+)", printed.stdout)
    for files, run, published in runs:
        configured = [yaml.safe_load((REPOSITORY / file).read_text())["run"] for file in files.split()]
        assert configured[-1] == run == published
    apart = {
        "conv-fashion",
        "gpu-conv2-scalings",
        "gpu-cifar10",
        "quick",
    }  # of an older split, of a GPU, the default run
    assert {run for _, run, _ in runs} == {run.name for run in RUNS} - apart


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_table_has_every_network_of_the_settings(run):
    settings, levels = read_finished_run(run / "settings.json"), read_table(run / "levels.csv", LEVELS)
    found = set(levels[["experiment", "arm", "level", "replicate"]].itertuples(index=False, name=None))
    assert found == {
        (job.place.experiment, job.place.arm, job.place.level, member.replicate)
        for job in trainings(settings)
        for member in job.replicates.members()
    }


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_claims_are_judged_from_the_table(run):
    claims, left = judge_published(run)
    assert (run / "claims.md").read_text() == as_markdown(claims, left)
    found = pd.read_csv(run / "claims.csv", keep_default_na=False, na_values=[""], dtype={"bound": str})
    found = found.fillna({"note": "", "bound": ""})
    pd.testing.assert_frame_equal(found, claims, check_dtype=False, rtol=1e-9)


SHOWN = ("appendix-g-part", "conv-fashion", "paper-mnist", "recipes")
"""Runs whose figures are of many kinds and soon drawn."""


BEFORE_PIXELS = {"paper-mnist", "paper-mnist-tenth"}
"""Runs of all figures that were published before the table of one of them: their masks are not in the repository."""


@pytest.mark.parametrize(
    "run", [pytest.param(run, id=run.name, marks=[] if run.name in SHOWN else pytest.mark.long) for run in RUNS]
)
def test_the_figures_are_drawn_from_the_tables(run, tmp_path):
    levels = read_levels(run)
    names = figures_of_published(run)
    left_out = set(figures_of_run(read_finished_run(run / "settings.json"))) - set(names)
    assert left_out == ({"figure-masks"} if run.name in BEFORE_PIXELS else set())
    for name in names:
        drawn = tmp_path / f"{name}.svg"
        draw(name, levels, read_details(run, name), [drawn])
        assert drawn.read_text() == (run / drawn.name).read_text(), name
        assert (run / f"{name}.png").is_file()


NUMBER = r"(-?\d+(?:\.\d+)?)"
INTERVAL = re.compile(
    rf"{NUMBER}x?(?: points)?( more| less)?(?: accurate)? \({NUMBER}( more| less)? to {NUMBER}( more| less)?\)"
)
"""An estimate with its interval, as the texts write it."""

PAGES = ("hypothesis", "findings", "replication", "speed", "recipes", "validation-images")

TEXTS = [
    REPOSITORY / "README.md",
    *(REPOSITORY / f"docs/{page}.md" for page in PAGES),
    *(run / "README.md" for run in RUNS),
]

Numbers = tuple[float, float, float]
"""A mean and both ends of its interval."""


def written_in(text: str) -> list[tuple[str, ...]]:
    """Mean, low and high of each estimate; where words tell signs, as in (0.1 less to 0.5 more), "less" becomes "-"."""
    found = []
    for mean, word, low, low_word, high, high_word in INTERVAL.findall(re.sub(r"\s+", " ", text)):
        words = (word if low_word or high_word else "", low_word, high_word)
        found.append(
            tuple("-" * (each == " less") + number for each, number in zip(words, (mean, low, high), strict=True))
        )
    return found


def estimates() -> list[Numbers]:
    """What the published runs found: their claims, and what recipes are compared by."""
    claims = pd.concat([judge(*read_judged(run)) for run in RUNS]).dropna(subset="ci_low")
    found = list(claims[["ours", "ci_low", "ci_high"]].itertuples(index=False, name=None))
    levels = read_table(REPOSITORY / "docs/results/recipes/levels.csv", LEVELS)
    recipes = {name: TrainedExperiment(table) for name, table in levels.groupby("experiment")}
    tickets = {name: 100 * recipe.at("iterative", SIZE).values(AT_EARLY_STOP) for name, recipe in recipes.items()}
    compared = [panel.estimate(panel.measure.found(recipe).numbers) for recipe in recipes.values() for panel in PANELS]
    compared += [mean_estimate(tickets["paper"] - each) for each in tickets.values()]
    return found + [(each.mean, each.low, each.high) for each in compared]


def says(written: tuple[str, ...], found: Numbers) -> bool:
    """Whether written numbers are the found ones, rounded, or all of them with the other sign: less for more."""
    mean, low, high = found
    return any(
        all(
            abs(float(text) - value) <= 0.5001 * 10.0 ** -len(text.partition(".")[2])
            for text, value in zip(written, values, strict=True)
        )
        for values in (found, (-mean, -high, -low))
    )


def test_the_texts_say_what_the_tables_say():
    found = estimates()
    written = [each for text in TEXTS for each in written_in(text.read_text())]
    assert len(written) > 200
    assert not [each for each in written if not any(says(each, other) for other in found)]


def test_a_wrong_number_in_a_text_is_noticed():
    for text in ("0.21 points less (0.10 less to 0.53 more)", "0.21 (-0.10 to 0.54)", "0.21 (0.10 to 0.53)"):
        (written,) = written_in(text)
        assert not says(written, (0.21, -0.10, 0.53))
    (written,) = written_in("0.21 points more (0.10 less to 0.53 more)")
    assert says(written, (0.21, -0.10, 0.53))


def test_a_changed_number_is_noticed(tmp_path):
    """The comparisons above can fail."""
    run = REPOSITORY / "docs/results/conv-fashion"
    table = read_table(run / "levels.csv", LEVELS)
    table.loc[table["arm"] == "iterative", "test_accuracy_at_early_stop"] += 0.01
    assert as_markdown(judge(table)) != (run / "claims.md").read_text()
    draw("figure5", table, read_table(run / "curves.csv", CURVES), [tmp_path / "figure5.svg"])
    assert (tmp_path / "figure5.svg").read_text() != (run / "figure5.svg").read_text()
