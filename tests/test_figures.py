"""Figures: drawn from made-up tables, with the paper's axes, in three formats, the same bytes each time."""

from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_claims import made_up_levels
from test_claims_of_networks import conv

from lottery.analysis.barriers import column_of
from lottery.analysis.overlaps import Course, along_training, between_arms, kept_weights
from lottery.analysis.pixels import pixel_rows
from lottery.analysis.speed import measure_speed, with_speed
from lottery.analysis.tables import CURVES, LEVELS, OVERLAPS, write_table
from lottery.analysis.ticket_weights import Dense, distribution_rows
from lottery.arms.pairs import PAIRS
from lottery.arms.rows import ARMS
from lottery.arrays import Arrays
from lottery.errors import LotteryError
from lottery.figures.catalog import CATALOG
from lottery.figures.drawing import DRAWN_BY, FORMATS, draw, draw_several, drawn
from lottery.figures.kinds import BySize, OfArms
from lottery.figures.looks import LOOKS
from lottery.figures.style import use_style, write_below
from lottery.networks import build
from lottery.pruning.allocation import ladder
from lottery.settings import Pruning


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    levels = made_up_levels(tickets_win=True)
    random = levels[levels["arm"] == "iterative-reinit"].assign(arm="random")
    one_shot = levels[levels["arm"] == "iterative-reinit"].assign(arm="one-shot-reinit")
    levels = pd.concat([levels, random, one_shot], ignore_index=True)
    grid = pd.DataFrame({"iteration": np.arange(0, 5001, 500)})
    curves = levels[["experiment", "arm", "level", "replicate", "draw"]].merge(grid, how="cross")
    accuracy = 0.98 - 0.05 * np.exp(-curves["iteration"] / 1000) - 0.0003 * curves["replicate"]
    # Reinitialised networks never have so low a loss as the dense network, tickets sooner than it.
    never = curves["arm"].str.contains("reinit")
    lost = (curves["iteration"] - 2000.0).abs() / 1e6 + 0.1 + 0.01 * never - 0.0005 * (curves["arm"] == "iterative")
    curves = curves.assign(test_accuracy=accuracy, validation_loss=lost, validation_accuracy=0.97, train_loss=0.1)
    levels = levels.assign(validation_loss_at_early_stop=0.1)
    return with_speed(levels, measure_speed(levels, curves)), curves


figure1, figure3, figure4a, figure4b, figure4c, figure5, figure6 = (
    partial(drawn, f"figure{name}") for name in ("1", "3", "4a", "4b", "4c", "5", "6")
)

OF_ARMS = {name: figure.picture for name, figure in CATALOG.items() if isinstance(figure.picture, OfArms)}

NETWORKS = {"lenet": "lenet-300-100", "conv": "conv-2", "vgg": "vgg-19", "resnet": "resnet-20"}


VARIED = {
    "figure6": {"dropout": [0.0, 0.5]},
    **{name: {"learning_rate": [0.0001, 0.0012, 0.01]} for name in ("figure26", "figure27", "figure28")},
    "figure-choices": {"batch_size": [60, 128]},
    "figure-noise": {"label_noise": [0.0, 0.4]},
    "figure29": {"dense_rate": [0.1, 0.2]},
    "figure30": {"initialisation": ["glorot-normal", "normal 0.1", "normal 0.4"]},
    "figure31": {"network": ["lenet-300-100", "lenet-50-17"]},
}
"""Columns in which the experiments of a figure differ."""

SAME = {
    "figure28": {"optimizer": "sgd", "momentum": 0.9},
    **{name: {"optimizer": "sgd"} for name in ("figure16", "figure22", "figure24", "figure27")},
}


def with_alternatives(levels: pd.DataFrame) -> pd.DataFrame:
    """The same with all other arms that figures draw, one that none does, and a further column of text."""
    known = {arm for picture in OF_ARMS.values() for arm in picture.arms}
    known |= {arm for figure in CATALOG.values() for group in figure.needs for arm in group}
    # Those of the linear axis would stand in for the others there.
    others = sorted(arm for arm in known - set(levels["arm"]) if "linear" not in arm)
    reinit = levels[levels["arm"] == "iterative-reinit"]
    both = pd.concat([levels, *(reinit.assign(arm=arm) for arm in [*others, "undrawn"])], ignore_index=True)
    return both.assign(remark="text")


def made_up_distributions(levels: pd.DataFrame) -> pd.DataFrame:
    """A table as `describe` writes it, of random weights."""
    random = np.random.default_rng(0)
    network = build("lenet-300-100", (28, 28), 10)
    initial, trained = (
        {name: random.normal(0, 1, (2, *network.shapes()[name])) for name in network.weight_names()} for _ in "12"
    )
    tickets = {0: {name: np.ones(values.shape, bool) for name, values in initial.items()}}
    for level, share in ((4, 0.4105), (8, 0.1688), (12, 0.0695)):
        tickets[level] = {name: random.random(values.shape) < share for name, values in initial.items()}
    rows = distribution_rows(network, Dense(initial, trained), tickets)
    return pd.concat([rows.assign(experiment=name) for name in levels["experiment"].unique()], ignore_index=True)


def made_up_pixels(levels: pd.DataFrame) -> pd.DataFrame:
    """A table as `describe` writes it, of random masks."""
    random = np.random.default_rng(0)
    percents = {51.3: 3, 26.3: 6, 13.5: 9}
    first = {level: random.random((2, 30, 784)) < percent / 100 for percent, level in percents.items()}
    rows = pixel_rows((28, 28), first, percents)
    return pd.concat([rows.assign(experiment=name) for name in levels["experiment"].unique()], ignore_index=True)


def with_barriers(levels: pd.DataFrame) -> pd.DataFrame:
    """The same with twins of the tickets, and columns of how much error rises between pairs of networks."""
    ticket = levels[levels["arm"] == "iterative"]
    twins = [f"iterative{at}{twin}" for at in ("", "-at-100", "-at-300") for twin in ("", "-twin")]
    dense = levels[levels["arm"] == "dense"]
    more = [ticket.assign(arm=arm) for arm in twins[1:]]
    more += [dense.assign(arm=arm, level=0) for arm in ("dense-twin", "dense-twin-at-100")]
    levels = pd.concat([levels[~levels["arm"].isin(["dense-twin"])], *more], ignore_index=True)
    for pair in PAIRS.values():
        first = levels["arm"] == pair.one.arm
        for part in ("test", "train"):
            levels[column_of(pair.name, part)] = (0.01 + 0.02 * levels["replicate"]).where(first)
    return levels


def made_up_overlaps(levels: pd.DataFrame) -> pd.DataFrame:
    """A table as `compare_masks` writes it, of random weights; a level that the table of networks has."""
    random, network = np.random.default_rng(0), build("lenet-30-10", (28, 28), 10)
    starts = [network.initial(random) for _ in range(2)]

    def moved(start: Arrays, by: float) -> Arrays:
        return {name: values + by * random.normal(0, 0.01, values.shape) for name, values in start.items()}

    courses = [
        Course(replicate, draw, {at: moved(start, at) for at in (0, 1, 2)})
        for replicate, start in enumerate(starts)
        for draw in (-1, 0)
    ]
    counts = ladder(network, Pruning(), 7)
    arms = ("iterative", "one-shot-movement")
    masks = {arm: {each.replicate: each.mask(2, counts) for each in courses} for arm in arms}
    rows = [*along_training(network, counts, courses), *between_arms(network, masks, "iterative")]
    for each in courses[::2]:
        rows += kept_weights(network, masks["iterative"][each.replicate], each)
    table = pd.DataFrame(rows, columns=OVERLAPS).assign(level=7)
    return pd.concat([table.assign(experiment=name) for name in levels["experiment"].unique()], ignore_index=True)


MAGIC = {".pdf": b"%PDF", ".svg": b"<?xml", ".png": b"\x89PNG"}
"""How the files of a format begin."""

KINDS = {type(figure.picture): name for name, figure in reversed(CATALOG.items())}
"""The first figure of each kind of picture."""


def of_each(kinds_alone: bool) -> list:
    """Every figure of the catalog, the long ones marked: those but the first of their kind, or all but one."""
    quick = set(KINDS.values()) if kinds_alone else {"figure4a"}
    return [pytest.param(name, marks=[] if name in quick else pytest.mark.long) for name in CATALOG]


def draw_made_up(name: str, tables: tuple[pd.DataFrame, pd.DataFrame], folder: Path) -> dict[str, bytes]:
    """A figure of made-up tables in three formats, by suffix."""
    levels, curves = tables
    levels = levels.assign(network=NETWORKS[CATALOG[name].family])
    for column, values in VARIED.get(name, {}).items():
        varied = [levels.assign(**{column: value, "experiment": f"{value}"}) for value in values]
        levels = pd.concat(varied, ignore_index=True)
        curves = pd.concat([curves.assign(experiment=f"{value}") for value in values])
    levels = with_barriers(with_alternatives(levels)).assign(**SAME.get(name, {}))
    if name == "figure-stability":  # a panel for each size
        levels = levels[levels["level"].isin([0, 7, 12])]
    details = {"distributions": made_up_distributions, "overlaps": made_up_overlaps, "pixels": made_up_pixels}
    made_up = details.get(CATALOG[name].details)
    files = [folder / f"{name}{suffix}" for suffix in (".pdf", ".svg", ".png")]
    draw(name, levels, made_up(levels) if made_up else curves, files)
    return {file.suffix: file.read_bytes() for file in files}


@pytest.mark.parametrize("name", of_each(kinds_alone=True))
def test_three_formats(tables, tmp_path, name):
    drawn = draw_made_up(name, tables, tmp_path)
    assert all(drawn[suffix].startswith(magic) for suffix, magic in MAGIC.items())


@pytest.mark.parametrize("name", of_each(kinds_alone=False))
def test_the_same_bytes_each_time(tables, tmp_path, name):
    assert draw_made_up(name, tables, tmp_path / "once") == draw_made_up(name, tables, tmp_path / "again")


def test_what_is_never_as_good_as_the_dense_network_is_marked(tables):
    levels, curves = tables
    figure = drawn("figure-speed", levels, curves)
    axes = figure.axes[0]
    triangles = [line for line in axes.lines if line.get_marker() == "^" and line.get_linestyle() == "None"]
    assert {line.get_markeredgecolor() for line in triangles} == {LOOKS["iterative-reinit"].color}
    sizes = levels.loc[levels["arm"] == "iterative-reinit", "weights_remaining"].nunique()
    assert len(triangles[0].get_xdata()) == sizes, "the dense network has its own quality"
    reinit, ticket = (
        next(box.lines[0] for box in axes.containers if box.get_label() == LOOKS[arm].label)
        for arm in ("iterative-reinit", "iterative")
    )
    assert set(reinit.get_ydata()) == {2000, 5000}, "they count as if they had at the end"
    assert set(ticket.get_ydata()) == {1500, 2000}
    assert "Triangles: some or all networks did not reach this loss" in figure.get_supxlabel().replace("\n", " ")


def test_early_stops_at_the_end_of_training_are_told(tables):
    levels, curves = tables
    assert "still fell" not in figure4a(levels, curves).get_supxlabel()
    late = levels.assign(iterations=levels["iterations"].where(levels["level"] != 1, levels["early_stop_iteration"]))
    count = int((late["level"].eq(1) & late["arm"].isin(CATALOG["figure4a"].arms)).sum())
    said = figure4a(late, curves).get_supxlabel().replace("\n", " ")
    assert f"In {count} of these " in said
    assert "validation loss still fell at the end of training" in said
    assert "still fell" not in figure4b(late, curves).get_supxlabel(), "it shows no early stop"


def test_no_axis_prints_more_than_all_images(tables):
    levels, curves = tables
    perfect = levels.assign(train_accuracy_at_early_stop=1.0, test_accuracy_at_early_stop=1.0)
    figure = figure4a(perfect, curves)
    figure.canvas.draw()
    ticks = [
        float(label.get_text()) for axes in figure.axes[1:] for label in axes.get_yticklabels() if label.get_text()
    ]
    assert max(ticks) == 100


def test_one_replicate_is_no_mean(tables):
    levels, curves = tables
    said = figure4a(levels[levels["replicate"] == 0], curves).get_supxlabel()
    assert said.startswith("Points: one replicate")
    assert "n = 1" not in said


@pytest.mark.long
def test_figures_drawn_at_once_are_those_drawn_one_by_one(tables, tmp_path):
    levels, curves = tables
    write_table(tmp_path / "levels.csv", levels[LEVELS])
    write_table(tmp_path / "curves.csv", curves[CURVES])
    names = ["figure4a", "figure3", "figure-speed"]
    for threads in (1, 3):
        draw_several(tmp_path, tmp_path / str(threads), names, FORMATS, threads)
    for name in names:
        for suffix in FORMATS:
            one, many = ((tmp_path / folder / f"{name}.{suffix}").read_bytes() for folder in ("1", "3"))
            assert one == many, (name, suffix)
    with pytest.raises(LotteryError, match="figure26: needs"):
        draw_several(tmp_path, tmp_path / "wrong", ["figure26", "figure4b"], FORMATS, 2)
    assert (tmp_path / "wrong/figure4b.png").exists(), "the others are drawn"


def test_diverged_networks_are_left_out_and_told(tables):
    levels, curves = tables
    levels = levels.copy()
    ticket = (levels["arm"] == "iterative") & (levels["level"] == 7) & (levels["replicate"] == 1)
    levels.loc[ticket, ["test_accuracy_at_early_stop", "test_accuracy_final", "early_stop_iteration"]] = np.nan
    levels.loc[ticket, "diverged_iteration"] = 300
    use_style()
    in_figure3 = ["dense", "iterative", "iterative-reinit"]
    in_figure4a = [*in_figure3, "one-shot", "one-shot-reinit"]
    for figure, arms in ((figure4a(levels, curves), in_figure4a), (figure3(levels, curves), in_figure3)):
        told = f"1 of these {levels['arm'].isin(arms).sum()} networks diverged and are left out"
        assert told in figure.get_supxlabel().replace("\n", " ")
    crosses = [line for line in figure4a(levels, curves).axes[1].lines if line.get_marker() == "x"]
    assert sum(len(line.get_xdata()) for line in crosses) == 1
    assert [line.get_marker() for line in figure4a(*tables).axes[1].lines if len(line.get_xdata())].count("x") == 0
    kept, all_of_them = (
        next(line for line in figure3(table, curves).axes[0].lines if line.get_label() == "21.1%").get_ydata()[-1]
        for table in (levels, tables[0])
    )
    assert kept == pytest.approx(all_of_them, abs=1e-3)
    assert kept != all_of_them


@pytest.mark.parametrize("name", ["figure3", "figure4a", "figure7", "figure-choices", "figure-size"])
@pytest.mark.filterwarnings("error")
def test_a_run_of_which_all_diverged_or_stopped_at_once(tables, tmp_path, name):
    """Panels without a line, but no error, and so no figure of other experiments that is missing."""
    levels, curves = tables
    levels = levels.assign(network=NETWORKS[CATALOG[name].family])
    small = [levels.assign(experiment="other", arm=levels["arm"].replace("one-shot", "small-dense"), batch_size=128)]
    levels = pd.concat([levels, *small], ignore_index=True)
    measures = [column for column in levels if "early_stop" in column or column.endswith("_final")]
    lost = levels.assign(**dict.fromkeys(measures, np.nan), diverged_iteration=300)
    at_once = levels.assign(early_stop_iteration=0)
    for place, table in enumerate((lost, at_once)):
        draw(name, table, curves, [tmp_path / f"{place}.svg"])
        assert (tmp_path / f"{place}.svg").exists()


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


def test_an_axis_is_cut_where_lines_leave_the_papers_window_downwards(tables):
    use_style()
    levels, curves = tables
    levels = levels.copy()
    whole = figure4b(levels, curves).axes[0]
    assert not whole.texts
    levels.loc[(levels["arm"] == "iterative") & (levels["level"] == 19), "test_accuracy_final"] = 0.3
    cut = figure4b(levels, curves).axes[0]
    assert cut.get_ylim() == (0.92, 0.99)
    assert [text.get_text() for text in cut.texts] == ["cut off below"]
    assert cut.texts[0].get_position()[1] > 1, "above the panel, where no line is"
    levels["test_accuracy_final"] -= 0.2
    assert figure4b(levels, curves).axes[0].get_ylim()[0] < 0.2, "a network that never is as good is not cut off"


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


def test_captions_count_only_draws_that_are_drawn(tables):
    levels, curves = tables
    reinit = levels[levels["arm"] == "iterative-reinit"]
    levels = pd.concat([levels, reinit.assign(draw=2)])
    use_style()
    assert "(9 networks where 3 are drawn for each ticket)" in figure4a(levels, curves).get_supxlabel()
    assert "(6 networks where 2 are drawn for each ticket)" in figure1(levels, curves).get_supxlabel()


@pytest.mark.parametrize("width", [4.6, 6.75])
def test_small_print_is_not_cut_off(width):
    use_style()
    figure, _ = plt.subplots(figsize=(width, 3), layout="constrained")
    write_below(
        figure,
        "Points: mean of n = 5 replicates (15 networks where 3 are drawn for each ticket), 5,000 iterations each."
        " Bars: least and greatest network.",
    )
    figure.draw_without_rendering()
    (text,) = figure.texts
    margin = 0.02 * figure.bbox.width
    assert margin < text.get_window_extent().x0 < text.get_window_extent().x1 < figure.bbox.width - margin


def test_a_line_of_one_shot_tickets_has_steps_of_one_kind(tables):
    levels, curves = tables
    geometric = levels[levels["arm"] == "iterative"].assign(arm="one-shot")
    linear = geometric.assign(arm="one-shot-linear", weights_remaining=geometric["weights_remaining"] + 0.01)
    use_style()

    def at_least(least, arm):
        return pytest.approx(sorted({100 * size for size in arm["weights_remaining"] if size > least}))

    def sizes(figure_of, *shown):
        figure = figure_of(pd.concat([levels[~levels["arm"].str.startswith("one-shot")], *shown]), curves)
        (line,) = [each[0] for each in figure.axes[0].containers if each.get_label() == "winning ticket (one-shot)"]
        return sorted(line.get_xdata())[:-1]

    for figure_of, own, other, least in ((figure4a, geometric, linear, 0), (figure4c, linear, geometric, 0.05)):
        assert sizes(figure_of, own, other) == sizes(figure_of, own) == at_least(least, own)
        assert sizes(figure_of, other) == at_least(least, other), "the steps that were run"


def test_figure3_has_the_papers_lines(tables):
    use_style()
    labels = [[line.get_label() for line in axes.lines] for axes in figure3(*tables).axes]
    assert labels == [
        ["100%", "51.3%", "21.1%"],
        ["100%", "21.1%", "7%", "3.6%", "1.9%"],
        ["100%", "51.3%", "51.3% reinit", "21.1%", "21.1% reinit"],
    ]


def test_arms_are_told_apart_without_colour():
    looks = [(look.marker, look.line, look.hollow) for look in LOOKS.values()]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("name", OF_ARMS)
def test_arms_drawn_together_differ_in_colour_and_in_marker(name, tables):
    use_style()
    levels = with_alternatives(tables[0])
    lines = drawn(name, levels, tables[1]).axes[0].containers
    colors, markers = ({getattr(line[0], f"get_{what}")() for line in lines} for what in ("color", "marker"))
    assert len(lines) == len(colors) == len(markers) == len(OF_ARMS[name].arms)


def test_an_arm_without_a_look_is_told_when_the_catalog_is_read():
    with pytest.raises(LotteryError, match="the arm continued-chain is drawn without a look; add a row to LOOKS"):
        BySize(("iterative", "continued-chain"), ("test_accuracy_final",))


@pytest.mark.parametrize("name", CATALOG)
def test_arms_of_a_figure_are_arms_of_runs(name):
    drawn_arms = OF_ARMS[name].arms if name in OF_ARMS else ()
    assert {*drawn_arms, *frozenset().union(*CATALOG[name].needs)} <= set(ARMS)


def test_every_kind_of_picture_is_drawn():
    assert set(DRAWN_BY) == {type(figure.picture) for figure in CATALOG.values()}


def test_figure_5_is_of_convolutional_networks(tables, tmp_path):
    levels, curves = tables
    conv = levels.assign(experiment="conv2", network="conv-2")
    use_style()
    axes = figure5(conv, curves).axes
    assert [each.get_ylabel().splitlines()[-1] for each in axes] == [
        *("(validation)", "at early stop (%)", "at early stop (%)", "at the end of training (%)")
    ]
    assert list(axes[0].xaxis.get_major_locator().locs) == [100, 51.4, 26.5, 13.7, 7.1, 3.7, 1.9]
    draw("figure5", pd.concat([levels, conv]), curves, [tmp_path / "both.png"])
    draw("figure5", conv, curves, [tmp_path / "one.png"])
    assert (tmp_path / "both.png").read_bytes() == (tmp_path / "one.png").read_bytes()
    with pytest.raises(LotteryError, match="figure5: needs the arm iterative"):
        draw("figure5", levels, curves, [tmp_path / "none.png"])


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
    with pytest.raises(LotteryError, match="unknown figure 'figure10'; did you mean 'figure1"):
        draw("figure10", *tables, [tmp_path / "x.png"])


def dropout_tables() -> pd.DataFrame:
    """Conv-2 and Conv-4 without dropout, and longer with it."""
    return pd.concat(
        [
            conv(network, tickets_win=True, base=base, name=f"{network}{name}", dropout=rate, **more)
            for network in ("conv-2", "conv-4")
            for name, rate, base, more in (("", 0.0, 0.7, {}), ("-dropout", 0.5, 0.72, {"iterations": 60_000}))
        ]
    )


def test_figure_6_compares_dropout_with_none():
    use_style()
    levels = dropout_tables()
    figure = figure6(levels, levels)
    assert [axes.get_title(loc="left") for axes in figure.axes[::2]] == ["conv-2, cifar-10", "conv-4, cifar-10"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["no dropout", "dropout 0.5"]
    accuracy = figure.axes[1]
    plain, dropout = (container[0] for container in accuracy.containers)
    assert (plain.get_linestyle(), dropout.get_linestyle()) == ("--", "-")
    assert np.asarray(dropout.get_ydata(), float)[-1] == pytest.approx(0.72, abs=1e-3)
    assert np.asarray(plain.get_ydata(), float)[-1] == pytest.approx(0.70, abs=1e-3)
    assert list(accuracy.xaxis.get_major_locator().locs) == [100, 51.4, 26.5, 13.7, 7.1, 3.7, 1.9, 1.0]


def test_dropout_does_not_reach_figure_5(tmp_path):
    levels = dropout_tables()
    keys = ["experiment", "arm", "level", "replicate", "draw"]
    curves = levels[keys].assign(iteration=0, test_accuracy=0.5)
    draw("figure5", levels, curves, [tmp_path / "both.png"])
    draw("figure5", levels[levels["dropout"] == 0], curves, [tmp_path / "one.png"])
    assert (tmp_path / "both.png").read_bytes() == (tmp_path / "one.png").read_bytes()
    with pytest.raises(
        LotteryError, match="figure6: needs the arm iterative of a conv network with dropout and without"
    ):
        draw("figure6", levels[levels["dropout"] == 0], curves, [tmp_path / "none.png"])
