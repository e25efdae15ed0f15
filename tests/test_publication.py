"""What a finished run hands on: small tables from which its figures and verdicts can be made again."""

import json
import shutil

import pandas as pd
import pytest

from lottery.analysis.claims import judge
from lottery.analysis.claims_text import as_markdown
from lottery.analysis.speed import read_judged
from lottery.analysis.tables import CURVES, LEVELS, SPEED, read_table, write_table
from lottery.errors import LotteryError
from lottery.evidence.publication import DECIMALS, drawn_curves, publish
from lottery.figures.catalog import figures_of_run
from lottery.figures.drawing import draw, read_details
from lottery.runs.reading import read_finished_run


@pytest.fixture(scope="module")
def run(smoke):
    return smoke.folder / "results/smoke"


@pytest.fixture(scope="module")
def published(run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    publish(run, folder)
    return folder


def test_its_figures_and_verdicts_come_from_its_tables(run, published, tmp_path):
    levels, layers = read_judged(published)
    assert (published / "claims.md").read_text() == as_markdown(judge(levels, layers))
    names = figures_of_run(read_finished_run(published / "settings.json"))
    assert (
        {path.stem for path in published.glob("*.svg")} == {path.stem for path in published.glob("*.png")} == {*names}
    )
    for name in names:
        draw(name, levels, read_details(published, name), [tmp_path / f"{name}.svg"])
        same = (tmp_path / f"{name}.svg").read_bytes() == (published / f"{name}.svg").read_bytes()
        assert same, name


def test_the_curves_are_those_that_figures_draw(run, published, tmp_path):
    levels, curves = (read_table(run / "tables" / f"{name}.csv", columns) for name, columns in TABLES.items())
    kept = drawn_curves(levels, curves, ["figure3"])
    assert 0 < len(kept) < len(curves)
    for name, table in (("all", curves), ("kept", kept)):
        draw("figure3", levels, table, [tmp_path / f"{name}.svg"])
    same = (tmp_path / "all.svg").read_bytes() == (tmp_path / "kept.svg").read_bytes()
    assert same
    rounded = read_table(published / "curves.csv", CURVES)
    pd.testing.assert_frame_equal(rounded, kept.round(DECIMALS).reset_index(drop=True))
    assert drawn_curves(levels, curves, ["figure1"]).empty
    assert drawn_curves(levels, curves, ["figure8"])["test_accuracy"].notna().all()


def test_the_speed_of_every_network_is_published(run, published):
    assert (published / "speed.csv").read_bytes() == (run / "tables/speed.csv").read_bytes()
    assert len(read_table(published / "speed.csv", SPEED)) == len(read_table(run / "tables/levels.csv", LEVELS))


def test_a_run_whose_figures_draw_no_curve(run, tmp_path):
    """It publishes a table without rows, which is read as such."""
    levels, curves = (read_table(run / "tables" / f"{name}.csv", columns) for name, columns in TABLES.items())
    write_table(tmp_path / "curves.csv", drawn_curves(levels, curves, ["figure1"]))
    read_details(tmp_path, "figure1")
    assert read_table(tmp_path / "curves.csv", CURVES).empty


def test_histograms_are_published_where_a_figure_draws_them(run, published, tmp_path):
    assert (published / "distributions.csv").read_bytes() == (run / "tables/distributions.csv").read_bytes()
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    settings = json.loads((copy / "tables/settings.json").read_text())
    (copy / "tables/settings.json").write_text(json.dumps(settings | {"figures": ["figure1"]}))
    publish(copy, tmp_path / "published")
    assert not (tmp_path / "published/distributions.csv").exists()
    assert (tmp_path / "published/figure1.svg").read_bytes() == (published / "figure1.svg").read_bytes()


TABLES = {"levels": LEVELS, "curves": CURVES}


def test_it_tells_what_made_it(run, published):
    made = json.loads((published / "machine.json").read_text())
    levels = read_table(run / "tables/levels.csv", LEVELS)
    assert made["networks"] == len(levels)
    assert made["core_hours_of_training"] == pytest.approx(levels["train_seconds"].sum() / 3600, abs=0.005)
    assert set(made["engine"]) == {"sparse"}
    assert "numpy" in made["versions"]


def test_a_run_without_tables_is_no_evidence(tmp_path):
    with pytest.raises(LotteryError, match=r"settings\.json"):
        publish(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
