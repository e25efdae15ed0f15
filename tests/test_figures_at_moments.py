"""Figures 7 and 8: test accuracy at three moments of training, a line for each recipe."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_claims_of_networks import deep

from lottery.figures.drawing import drawn
from lottery.figures.moments import at_moment
from lottery.figures.style import use_style

figure7, figure8 = (partial(drawn, name) for name in ("figure7", "figure8"))


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def curves_of(levels: pd.DataFrame, every: int) -> pd.DataFrame:
    """Histories in which test accuracy is the iteration in millions, plus the number of weights kept, in hundredths."""
    keys = ["experiment", "arm", "level", "replicate", "draw"]
    grid = pd.DataFrame({"iteration": np.arange(0, levels["iterations"].max() + 1, every)})
    curves = levels[[*keys, "weights_remaining", "iterations"]].merge(grid, how="cross")
    curves = curves[curves["iteration"] <= curves["iterations"]]
    return curves.assign(test_accuracy=curves["iteration"] / 1e6 + curves["weights_remaining"] / 100)


def deep_tables(network: str, iterations: int, every: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three recipes of one network, tickets and reinitialised ones; curves as `curves_of` makes them."""
    recipes = [("fast", 0.1, 0), ("slow", 0.01, 0), ("warm", 0.03, iterations // 2)]
    levels = pd.concat(
        [
            deep(network, 0.9, 0, 0, name=name, learning_rate=rate, warmup_iterations=warmup, iterations=iterations)
            for name, rate, warmup in recipes
        ]
    )
    levels["test_accuracy_final"] = iterations / 1e6 + levels["weights_remaining"] / 100
    return levels, curves_of(levels, every)


@pytest.mark.parametrize(
    ("figure", "network", "iterations", "every", "shown"),
    [
        # On ties the earlier one.
        (figure7, "vgg-19", 112_480, 160, [29_920, 60_000, 112_480]),
        # Its end is no multiple of the distance of tests, and yet measured.
        (figure7, "vgg-19", 112_480, 1000, [30_000, 60_000, 112_480]),
        (figure7, "vgg-19", 1_000, 100, [300, 500, 1_000]),
        (figure8, "resnet-20", 30_000, 500, [10_000, 20_000, 30_000]),
        (figure8, "resnet-20", 3_000, 400, [800, 2_000, 3_000]),
    ],
)
def test_figures_7_and_8_show_three_moments(figure, network, iterations, every, shown):
    use_style()
    levels, curves = deep_tables(network, iterations, every)
    axes = figure(levels, curves).axes
    assert [each.get_title() for each in axes] == [f"at iteration {iteration:,}" for iteration in shown]
    for each, iteration in zip(axes, shown, strict=True):
        lines = [container[0] for container in each.containers]
        assert len(lines) == 6
        for line in lines:
            percent = np.asarray(line.get_xdata(), float)
            np.testing.assert_allclose(np.asarray(line.get_ydata(), float), iteration / 1e6 + percent / 10_000)
            assert percent.max() == 100


def test_lines_of_figure_8_are_settings_by_arms():
    use_style()
    figure = figure8(*deep_tables("resnet-20", 30_000, 500))
    found = {
        text.get_text(): (line.get_linestyle(), line.get_markerfacecolor())
        for text, line in zip(
            figure.legends[0].get_texts(), [container[0] for container in figure.axes[0].containers], strict=True
        )
    }
    for name in ("rate 0.1", "rate 0.01", "rate 0.03, warmup 15K"):
        assert found[f"{name}: winning ticket"][0] == "-"
        assert found[f"{name}: random reinit"] == ("--", "white")
    assert len(found) == 6
    assert list(figure.axes[0].xaxis.get_major_locator().locs) == [100, 64.4, 41.7, 27.1, 17.8, 11.8, 8.0, 5.5]


def test_figure_7_has_the_papers_axis():
    use_style()
    axes = figure7(*deep_tables("vgg-19", 112_480, 160)).axes[0]
    assert list(axes.xaxis.get_major_locator().locs) == [100, 41.0, 16.8, 6.9, 2.8, 1.2, 0.5, 0.2, 0.1]
    assert axes.get_xscale() == "log"


def test_experiments_of_other_lengths_are_shown_at_their_own_moments():
    long, short = deep_tables("resnet-20", 30_000, 500), deep_tables("resnet-20", 3_000, 100)
    levels, curves = (
        pd.concat([one[one["experiment"] == "fast"], other[other["experiment"] == "slow"]])
        for one, other in zip(long, short, strict=True)
    )
    use_style()
    figure = figure8(levels, curves)
    assert figure.axes[0].get_title() == "at iteration 1,000 and 10,000"
    assert "3,000 to 30,000 iterations each" in figure.get_supxlabel().replace("\n", " ")
    shown = at_moment(levels, curves, 1, 3)
    assert (shown["iteration"] == shown["iterations"] / 3).all()
    assert len(shown) == len(levels)


def test_recipes_that_look_alike_are_told_apart():
    levels, curves = deep_tables("resnet-20", 30_000, 500)
    twice = levels.assign(learning_rate=0.1, warmup_iterations=0)
    use_style()
    labels = [text.get_text() for text in figure8(twice, curves).legends[0].get_texts()]
    assert "rate 0.1 (fast): winning ticket" in labels
    assert len(labels) == 6


def test_diverged_networks_have_no_accuracy_at_any_moment():
    levels, curves = deep_tables("resnet-20", 30_000, 500)
    lost = (levels["experiment"] == "fast") & (levels["level"] == 3) & (levels["replicate"] == 1)
    levels.loc[lost, ["diverged_iteration", "test_accuracy_final"]] = [20_000, np.nan]
    shown = at_moment(levels, curves, 1, 3)
    assert shown["accuracy"].isna().to_numpy().tolist() == lost.to_numpy().tolist()
