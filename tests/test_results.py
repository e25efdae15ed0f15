"""Committed results: tables, claims and figures of a run belong together."""

import re
import subprocess

import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY

from lottery.analysis.claims import judge
from lottery.analysis.claims_text import as_markdown
from lottery.analysis.tables import CURVES, LEVELS, read_judged, read_table
from lottery.figures.catalog import figures_of_run
from lottery.figures.drawing import draw
from lottery.publication import read_details
from lottery.runs import read_finished_run, trainings

RUNS = sorted(path.parent for path in REPOSITORY.glob("docs/results/*/levels.csv"))


def test_there_are_results():
    assert {run.name for run in RUNS} >= {
        "conv-fashion",
        "paper-mnist",
        "paper-mnist-repeat",
        "appendix-b-f",
        "recipes",
    }


def test_make_runs_the_study_and_publishes_it():
    printed = subprocess.run(["make", "-n", "paper-mnist"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    runs = re.findall(r"--configfile (.+)\n.+ publish results/(\S+) --output docs/results/(\S+)", printed.stdout)
    for files, run, published in runs:
        configured = [yaml.safe_load((REPOSITORY / file).read_text())["run"] for file in files.split()]
        assert configured[-1] == run == published
    assert {run for _, run, _ in runs} == {"paper-mnist", "paper-mnist-repeat", "appendix-b-f", "appendix-g", "recipes"}


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_table_has_every_network_of_the_settings(run):
    settings, levels = read_finished_run(run / "settings.json"), read_table(run / "levels.csv", LEVELS)
    found = set(levels[["experiment", "arm", "level", "replicate"]].itertuples(index=False, name=None))
    assert found == {
        (job.experiment, job.arm, job.level, member.replicate)
        for job in trainings(settings)
        for member in job.stack.members()
    }


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_claims_are_judged_from_the_table(run):
    claims = judge(*read_judged(run))
    assert (run / "claims.md").read_text() == as_markdown(claims)
    found = pd.read_csv(run / "claims.csv", keep_default_na=False, na_values=[""]).fillna({"note": ""})
    pd.testing.assert_frame_equal(found, claims, check_dtype=False, rtol=1e-9)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_figures_are_drawn_from_the_tables(run, tmp_path):
    levels = read_table(run / "levels.csv", LEVELS)
    for name in figures_of_run(read_finished_run(run / "settings.json")):
        drawn = tmp_path / f"{name}.svg"
        draw(name, levels, read_details(run, name), [drawn])
        assert drawn.read_text() == (run / drawn.name).read_text(), name
        assert (run / f"{name}.png").is_file()


def test_a_changed_number_is_noticed(tmp_path):
    """The comparisons above can fail."""
    run = REPOSITORY / "docs/results/conv-fashion"
    table = read_table(run / "levels.csv", LEVELS)
    table.loc[table["arm"] == "iterative", "test_accuracy_at_early_stop"] += 0.01
    assert as_markdown(judge(table)) != (run / "claims.md").read_text()
    draw("figure5", table, read_table(run / "curves.csv", CURVES), [tmp_path / "figure5.svg"])
    assert (tmp_path / "figure5.svg").read_text() != (run / "figure5.svg").read_text()
