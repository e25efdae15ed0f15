"""Figures: drawn from made-up tables, with the paper's axes, in three formats, the same bytes each time."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_claims import made_up_levels

from lottery.errors import LotteryError
from lottery.figures.catalog import CATALOG, figures_of
from lottery.figures.drawing import draw
from lottery.figures.figure1 import figure1
from lottery.figures.figure3 import figure3
from lottery.figures.figure4 import figure4a, figure4b, figure4c
from lottery.figures.style import LOOKS, use_style


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    levels = made_up_levels(tickets_win=True)
    random = levels[levels["arm"] == "iterative-reinit"].assign(arm="random")
    levels = pd.concat([levels, random, levels[levels["arm"] == "iterative-reinit"].assign(arm="one-shot-reinit")])
    grid = pd.DataFrame({"iteration": np.arange(0, 5001, 500)})
    curves = levels[["experiment", "arm", "level", "replicate", "draw"]].merge(grid, how="cross")
    accuracy = 0.98 - 0.05 * np.exp(-curves["iteration"] / 1000) - 0.0003 * curves["replicate"]
    return levels, curves.assign(test_accuracy=accuracy, validation_loss=0.1, validation_accuracy=0.97, train_loss=0.1)


@pytest.mark.parametrize("name", CATALOG)
def test_three_formats_the_same_each_time(tables, tmp_path, name):
    suffixes = {".pdf": b"%PDF", ".svg": b"<?xml", ".png": b"\x89PNG"}
    for folder in ("once", "again"):
        draw(name, *tables, [tmp_path / folder / f"{name}{suffix}" for suffix in suffixes])
    for suffix, magic in suffixes.items():
        once, again = ((tmp_path / folder / f"{name}{suffix}").read_bytes() for folder in ("once", "again"))
        assert once.startswith(magic)
        assert once == again


def test_axes_are_the_papers(tables):
    use_style()
    for figure in (figure1(*tables), figure4a(*tables), figure4b(*tables)):
        for axes in figure.axes:
            assert axes.get_xscale() == "log"
            left, right = axes.get_xlim()
            assert left > 100 > right, "weights remaining fall to the right"
            assert axes.get_xlabel() == "weights remaining (%)"
            assert list(axes.xaxis.get_major_locator().locs) == [100, 51.3, 26.3, 13.5, 7.0, 3.6, 1.9]
    figure = figure4c(*tables)
    assert all(axes.get_xscale() == "linear" and axes.xaxis_inverted() for axes in figure.axes)
    assert [axes.get_ylabel() for axes in figure4a(*tables).axes] == [
        "early-stop iteration\n(validation)",
        "test accuracy\nat early stop (%)",
        "training accuracy\nat early stop (%)",
    ]


def test_lines_are_means_with_bars_from_least_to_greatest(tables):
    use_style()
    levels, _ = tables
    accuracy = figure1(*tables).axes[1]
    line, _, bars = accuracy.containers[0]
    ticket = levels[levels["arm"].isin(["dense", "iterative"])].groupby("weights_remaining")
    values = ticket["test_accuracy_at_early_stop"].agg(["mean", "min", "max"])
    np.testing.assert_allclose(np.asarray(line.get_xdata(), float), 100 * np.asarray(values.index, float))
    np.testing.assert_allclose(np.asarray(line.get_ydata(), float), values["mean"])
    segments = np.array(bars[0].get_segments(), float)
    np.testing.assert_allclose(segments[:, 0, 1], values["min"])
    np.testing.assert_allclose(segments[:, 1, 1], values["max"])


def test_captions_give_n(tables):
    use_style()
    for figure in (figure1(*tables), figure3(*tables), figure4a(*tables)):
        assert "n = 3 replicates" in figure.get_supxlabel()


def test_figure3_has_the_papers_lines(tables):
    use_style()
    labels = [[line.get_label() for line in axes.lines] for axes in figure3(*tables).axes]
    assert labels == [
        ["100%", "51.3%", "21.1%"],
        ["100%", "21.1%", "7%", "3.6%", "1.9%"],
        ["100%", "51.3%", "51.3% reinit", "21.1%", "21.1% reinit"],
    ]


def test_arms_are_told_apart_without_colour():
    assert len({(look.marker, look.line) for look in LOOKS.values()}) == len(LOOKS)
    assert len({look.color for look in LOOKS.values()}) == len(LOOKS)


def test_a_run_draws_what_it_trained():
    names = [figure.name for figure in figures_of(["iterative"])]
    assert names == ["figure3", "figure4a", "figure4b"]
    everything = ["iterative", "random", "one-shot-linear", "small-dense"]
    assert {figure.name for figure in figures_of(everything)} == set(CATALOG)


def test_a_figure_says_what_it_needs(tables, tmp_path):
    levels, curves = tables
    with pytest.raises(LotteryError, match="figure4c: needs the arm one-shot or one-shot-linear"):
        draw("figure4c", levels[levels["arm"] != "one-shot"], curves, [tmp_path / "x.png"])
    assert not list(tmp_path.iterdir())


def test_experiments_without_the_arms_are_left_out(tables, tmp_path):
    levels, curves = tables
    other = levels[levels["arm"].isin(["dense", "small-dense"])].assign(experiment="other")
    draw("figure4c", pd.concat([levels, other]), curves, [tmp_path / "both.png"])
    draw("figure4c", levels, curves, [tmp_path / "one.png"])
    assert (tmp_path / "both.png").read_bytes() == (tmp_path / "one.png").read_bytes()


def test_unknown_figure(tables, tmp_path):
    with pytest.raises(LotteryError, match="unknown figure 'figure11'; did you mean 'figure1'"):
        draw("figure11", *tables, [tmp_path / "x.png"])
