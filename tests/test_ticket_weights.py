"""Which weights are in a ticket: numbers of layers and histograms, by hand on small arrays, by chance on large ones."""

import math

import numpy as np
import pandas as pd
import pytest
from test_claims import made_up_levels

from lottery.analysis.claims import judge
from lottery.analysis.claims_lenet import ADAM
from lottery.analysis.claims_weights import TICKET, WEIGHTS
from lottery.analysis.pixels import kept_by_pixel, pixel_rows, shown_sizes
from lottery.analysis.tables import DISTRIBUTIONS, LAYERS, PIXELS, read_table
from lottery.analysis.ticket_weights import (
    MOST_BINS,
    Dense,
    distribution_rows,
    edges_of_shares,
    histogram,
    layer_rows,
)
from lottery.figures.drawing import draw
from lottery.networks import build, fully_connected

NETWORK = build("lenet-300-100", (28, 28), 10)


@pytest.fixture(scope="module")
def arrays():
    """Two replicates; the ticket keeps the weights that a training moved furthest, which are those furthest from 0."""
    random = np.random.default_rng(0)
    initial = {
        layer.weight_name: random.normal(0, layer.deviation(), (2, *layer.shape)).astype(np.float32)
        for layer in NETWORK.layers
    }
    trained = {name: values + np.float32(0.5) * values for name, values in initial.items()}
    tickets = {0: {name: np.ones(values.shape, bool) for name, values in initial.items()}}
    for level, share in ((4, 0.4105), (8, 0.1688), (12, 0.0695)):
        tickets[level] = {
            name: np.abs(values) >= np.quantile(np.abs(values), 1 - share, axis=(1, 2), keepdims=True)
            for name, values in trained.items()
        }
    return Dense(initial, trained), tickets


def test_numbers_of_a_layer(arrays):
    dense, tickets = arrays
    rows = layer_rows(NETWORK, dense, tickets)
    assert len(rows) == 4 * 3 * 2
    whole = rows[rows["level"] == 0]
    # Of a normal distribution 38.3% lie within half a standard deviation.
    assert whole["near_zero"].to_numpy() == pytest.approx(0.383, abs=0.04)
    assert whole["positive"].to_numpy() == pytest.approx(0.5, abs=0.04)
    assert whole["movement_ratio"].isna().all()
    ticket = rows[rows["level"] == 8]
    assert (ticket["near_zero"] == 0).all(), "only weights far from 0 are kept"
    assert (ticket["movement_ratio"] > 2).all()
    assert (ticket[["grew", "grew_rest"]] == 1).all(axis=None)
    assert ticket["weights_remaining"].to_numpy() == pytest.approx(0.1688, abs=1e-4)
    # Independent weights: links are kept as by chance.
    for links in ("incoming", "outgoing"):
        relative = ticket[f"{links}_sd"] / ticket[f"{links}_sd_by_chance"]
        assert relative.to_numpy() == pytest.approx(1, abs=0.6)
        assert relative[ticket["layer"] == 1].to_numpy() == pytest.approx(1, abs=0.15)
    first = ticket[(ticket["layer"] == 1) & (ticket["replicate"] == 1)].iloc[0]
    kept = tickets[8]["fc1.weight"][1]
    moved = np.abs(dense.movement["fc1.weight"][1])
    assert first["weights"] == kept.sum()
    assert first["movement_ratio"] == pytest.approx(moved[kept].mean() / moved[~kept].mean())


def test_the_other_weights_of_a_layer_that_keeps_all(arrays):
    dense, tickets = arrays
    whole = {name: np.ones(mask.shape, bool) for name, mask in tickets[8].items() if name == "output.weight"}
    rows = layer_rows(NETWORK, dense, {0: tickets[0], 8: tickets[8] | whole})
    output = rows[(rows["level"] == 8) & (rows["layer"] == 3)]
    assert output[["movement_ratio", "grew_rest"]].isna().all(axis=None)
    assert (output[["incoming_sd", "outgoing_sd", "incoming_sd_by_chance"]] == 0).all(axis=None)


def test_weights_that_do_not_move(arrays, tmp_path):
    """None of those that pruning removes: their ratio is left empty. None at all: they have no histogram either."""
    dense, tickets = arrays
    still = {name: np.where(tickets[8][name], 2 * values, values) for name, values in dense.initial.items()}
    rows = layer_rows(NETWORK, Dense(dense.initial, still), tickets)
    assert rows.loc[rows["level"] == 8, "movement_ratio"].isna().all()
    assert rows.loc[rows["level"] == 8, "grew"].eq(1).all()
    assert rows.loc[rows["level"] == 12, "movement_ratio"].gt(0).all(), "level 12 removes some that move"
    untrained = distribution_rows(NETWORK, Dense(dense.initial, dense.initial), tickets)
    moved = untrained["quantity"].isin(["movement", "magnitude_gain"])
    assert untrained.loc[moved, "density"].isna().all()
    assert untrained.loc[~moved, "density"].notna().all()
    levels = made_up_levels(tickets_win=True)
    draw("figure19", levels, untrained.assign(experiment="lenet-mnist"), [tmp_path / "figure19.svg"])
    assert (tmp_path / "figure19.svg").exists()


def test_a_layer_that_global_pruning_empties(arrays):
    """It has no weights to make histograms of, and no shares."""
    dense, tickets = arrays
    emptied = tickets[8] | {"output.weight": np.zeros((2, 10, 100), bool)}
    rows = layer_rows(NETWORK, dense, {0: tickets[0], 8: emptied})
    output = rows[(rows["level"] == 8) & (rows["layer"] == 3)]
    assert output[["near_zero", "positive", "grew", "movement_ratio"]].isna().all(axis=None)
    assert (output[["weights", "incoming_sd", "outgoing_sd"]] == 0).all(axis=None)
    histograms = distribution_rows(NETWORK, dense, {0: tickets[0], 8: emptied})
    kept = histograms[(histograms["layer"] == 3) & (histograms["kept"] == 1) & (histograms["level"] == 8)]
    assert kept.loc[kept["quantity"] == "movement", "density"].isna().all()


def test_claims_about_numbers_that_are_empty(arrays):
    """They are inconclusive, and their note tells why; a mean over the other replicates would flatter."""
    dense, tickets = arrays
    layers = layer_rows(NETWORK, dense, tickets).assign(experiment="lenet-mnist")
    ticket = (layers["level"] == 8) & (layers["replicate"] == 1)
    for lost in (np.nan, 0.0, np.inf):
        layers.loc[ticket & (layers["layer"] == 2), "movement_ratio"] = lost
        judged = judge(made_up_levels(tickets_win=True), layers).set_index("id")
        assert judged.loc["F5b", ["verdict", "n"]].tolist() == ["inconclusive", 0]
        assert "1 of 2 replicates have no ratio above 0" in judged.loc["F5b", "note"]
        assert judged.loc["F5a", "n"] == 2
    layers.loc[ticket & (layers["layer"] == 1), "incoming_sd"] = 0.0
    layers.loc[ticket & (layers["layer"] == 3), "near_zero"] = np.nan
    judged = judge(made_up_levels(tickets_win=True), layers).set_index("id")
    assert "1 of 2 replicates have no ratio above 0" in judged.loc["F6a", "note"]
    assert "1 of 2 replicates have no number" in judged.loc["F1c", "note"]


def test_links_by_hand():
    """Two units keep all and none of their 4 incoming links; by chance sqrt(0.5 * 0.5 / 4) = 0.25."""
    network = fully_connected((4, 2, 2))
    first, last = network.weight_names()
    values = {first: np.ones((1, 2, 4)), last: np.ones((1, 2, 2))}
    kept = {first: np.array([[[True] * 4, [False] * 4]]), last: np.ones((1, 2, 2), bool)}
    rows = layer_rows(network, Dense(values, {name: 2 * each for name, each in values.items()}), {1: kept}).iloc[0]
    assert (rows["incoming_sd"], rows["incoming_sd_by_chance"]) == (0.5, 0.25)
    assert rows["outgoing_sd"] == 0
    assert rows["outgoing_sd_by_chance"] == np.sqrt(0.5 * 0.5 / 2)


def test_histogram():
    table = histogram(np.array([0.5, 0.5, 1.5, 9.0]), np.array([0.0, 1.0, 2.0]))
    # Half of the numbers in the first bin, a quarter beyond the last.
    assert table["density"].tolist() == [0.5, 0.25]


@pytest.mark.parametrize("count", [1, 10, 100, 300, 784])
def test_every_bin_of_shares_has_as_many_possible_ones(count):
    edges = edges_of_shares(count)
    inside, _ = np.histogram(np.arange(count + 1) / count, edges)
    assert inside.sum() == count + 1
    assert len(set(inside[:-1])) <= 1
    assert len(inside) <= 53


def test_histograms_have_area_1(arrays):
    dense, tickets = arrays
    rows = distribution_rows(NETWORK, dense, tickets)
    rows["area"] = rows["density"] * (rows["high"] - rows["low"])
    areas = rows.groupby(["quantity", "level", "layer", "kept"])["area"].agg(["sum", "size"])
    assert areas["size"].max() == MOST_BINS
    assert areas["size"]["initial", 8, 3, 1] == math.ceil(2 * (2 * 169) ** (1 / 3)), "few weights have few bins"
    assert areas["sum"].to_numpy() == pytest.approx(1, abs=0.02)
    initial = rows[(rows["quantity"] == "initial") & (rows["level"] == 8) & (rows["layer"] == 1)]
    middle = initial[(initial["low"] > -0.01) & (initial["high"] < 0.01)]
    assert (middle["density"] == 0).all()
    assert set(rows.loc[rows["quantity"] == "movement", "level"]) == {8}
    assert set(rows.loc[rows["quantity"] == "outgoing", "level"]) == {4, 8, 12}


def test_claims_are_judged_from_the_layers(arrays):
    dense, tickets = arrays
    layers = layer_rows(NETWORK, dense, tickets).assign(experiment="lenet-mnist")
    more = [layers.assign(replicate=layers["replicate"] + 2 * number) for number in range(2)]
    judged = judge(made_up_levels(tickets_win=True), pd.concat(more)).set_index("id")
    assert judged.loc["F1b", "ours"] == 0
    assert judged.loc["F1a", "verdict"] == "not replicated"
    for name in ("F1b", "F1c", "F5a", "F5b", "F5c"):  # no weight near 0 is in the ticket
        assert judged.loc[name, ["verdict", "n"]].tolist() == ["replicated", 4], name
        assert judged.loc[name, "weights_remaining"] == TICKET
    without = judge(made_up_levels(tickets_win=True)).set_index("id")
    about_weights = [claim.id for claim in WEIGHTS if claim.subject is ADAM]
    assert set(without.loc[about_weights, "verdict"]) == {"not run"}


def test_claims_about_both_optimisers(arrays):
    dense, tickets = arrays
    layers = layer_rows(NETWORK, dense, tickets)
    adam = made_up_levels(tickets_win=True)
    sgd = adam.assign(experiment="lenet-mnist-sgd", optimizer="sgd", learning_rate=0.8)
    random = np.random.default_rng(1)
    tables = []
    for experiment, spread in (("lenet-mnist", 1.0), ("lenet-mnist-sgd", 0.7)):
        for number in range(2):
            noise = 1 + random.normal(0, 0.01, len(layers))
            table = layers.assign(experiment=experiment, replicate=layers["replicate"] + 2 * number)
            tables.append(table.assign(outgoing_sd=0.1 * spread * noise))
    judged = judge(pd.concat([adam, sgd]), pd.concat(tables)).set_index(["experiment", "id"])
    assert judged.loc[("lenet-mnist-sgd", "F2a"), "ours"] == 0
    for name in ("F6c", "F6d"):
        row = judged.loc[("lenet-mnist-sgd", name)]
        assert row["verdict"] == "replicated"
        assert row["ours"] == pytest.approx(0.7, abs=0.02)
        assert "compared with lenet-mnist" in row["note"]
    alone = judge(sgd, pd.concat(tables)).set_index("id")
    assert alone.loc["F6c", "verdict"] == "not run"


def test_shares_of_pixels_are_means_over_masks_units_and_channels():
    kept = np.zeros((2, 3, 12), bool)  # two masks of three units that see images of 3 x 2 x 2
    kept[0, 0, 1] = kept[1, 2, 5] = kept[0, 1, 9] = kept[1, 1, 9] = True  # row 0, column 1, in each channel
    kept[0, 0, 10] = True  # row 1, column 0, in the last
    shares = kept_by_pixel(kept, (3, 2, 2))
    np.testing.assert_allclose(shares, [[0, 4 / 18], [1 / 18, 0]])
    np.testing.assert_allclose(kept_by_pixel(kept[:, :, :6], (2, 3)), [[0, 1 / 6, 0], [0, 0, 1 / 6]])


def test_images_are_of_the_papers_sizes_or_of_the_smallest_ticket():
    assert shown_sizes([100, 80.0, 51.4, 26.1, 2.9]) == [51.4, 26.1]
    assert shown_sizes([100, 80.0, 64.0]) == [64.0]
    rows = pixel_rows((1, 2), {3: np.array([[[True, False], [True, True]]])}, {51.3: 3})
    assert rows.to_dict("list") == {"level": [3, 3], "row": [0, 0], "column": [0, 1], "kept": [1.0, 0.5]}


def test_tables_of_a_run(smoke):
    tables = smoke.folder / "results/smoke/tables"
    layers = read_table(tables / "layers.csv", LAYERS)
    levels = pd.read_csv(tables / "levels.csv")
    assert set(layers["level"]) == {0, 1, 2, 3}
    kept = layers[layers["replicate"] == 1].groupby("level")["weights"].sum()
    ticket = levels[(levels["arm"] == "iterative") & (levels["replicate"] == 1)].set_index("level")["weights"]
    assert kept[ticket.index].tolist() == ticket.tolist()
    pixels = read_table(tables / "pixels.csv", PIXELS)
    shown = layers[(layers["layer"] == 1) & layers["level"].isin(pixels["level"])].groupby("level")["weights"].mean()
    np.testing.assert_allclose(300 * pixels.groupby("level")["kept"].sum(), shown, rtol=1e-5)
    assert set(pixels["level"]) == {3}
    distributions = read_table(tables / "distributions.csv", DISTRIBUTIONS)
    drawn = distributions.groupby("quantity")["level"].unique().map(list)
    assert drawn["initial"] == [0], "the only one of the paper's sizes"
    assert drawn["movement"] == drawn["incoming"] == [3], "the smallest ticket, for want of the paper's"
