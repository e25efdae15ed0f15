"""Which figures a run has: decided from its settings, and once more from its tables."""

import pandas as pd
import yaml
from conftest import REPOSITORY, experiment
from test_claims import EXPERIMENT, made_up_levels

from lottery.analysis.appendix_g import INITIALISATIONS, LEARNING_RATES, NETWORKS, PRUNING_RATES
from lottery.figures.catalog import CATALOG, figures_of_run
from lottery.figures.drawing import trained_in
from lottery.figures.figure import family_of
from lottery.figures.hyperparameters import what_was_run
from lottery.figures.selection import Trained
from lottery.settings.columns import recipe_columns
from lottery.settings.reading import read_settings


def trained(name: str, network: str, dataset: str, arms: list[str], **recipe: object) -> Trained:
    """An experiment of the default recipe but for these columns."""
    return Trained(name, network, dataset, recipe_columns(EXPERIMENT) | recipe, arms)


def drawn(*shown: Trained) -> set[str]:
    """Names of the figures that a run of these experiments has."""
    return {name for name, figure in CATALOG.items() if figure.shown(shown)}


EVERYTHING = ["iterative", "iterative-reinit", "random", "one-shot-linear", "small-dense"]


def test_a_run_draws_what_it_trained():
    tickets = {f"figure{name}" for name in ("3", "4a", "4b", 11, 12, 15, 19, 20, 21, 23, "-masks", "-speed")}
    assert drawn(trained("a", "lenet-300-100", "mnist", ["iterative"])) == tickets
    sgd = (tickets - {"figure15", "figure21", "figure23"}) | {"figure16", "figure22", "figure24"}
    assert drawn(trained("a", "lenet-300-100", "mnist", ["iterative"], optimizer="sgd")) == sgd
    more = {"figure1", "figure4c", "figure14", "figure-size"}
    assert drawn(trained("a", "lenet-30-10", "mnist", EVERYTHING)) == tickets | more
    assert drawn(trained("a", "conv-4", "cifar-10", EVERYTHING)) == {"figure5"}
    assert drawn(trained("a", "vgg-19", "cifar-10", EVERYTHING)) == {"figure7"}
    assert drawn(trained("a", "resnet-20", "cifar-10", EVERYTHING)) == {"figure8"}
    assert drawn(trained("a", "conv-4", "cifar-10", ["random"])) == set()


def test_figure_6_needs_one_network_with_and_without_dropout():
    plain = trained("plain", "conv-2", "cifar-10", ["iterative"])
    other = trained("other", "conv-4", "cifar-10", ["iterative"], dropout=0.5)
    elsewhere = trained("elsewhere", "conv-2", "fashion-mnist", ["iterative"], dropout=0.5)
    dropout = trained("dropout", "conv-2", "cifar-10", ["iterative"], dropout=0.5)
    assert drawn(plain, other, elsewhere) == {"figure5"}
    assert drawn(dropout) == set()
    assert CATALOG["figure6"].shown([other, plain, elsewhere, dropout]) == ["plain", "dropout"]
    assert CATALOG["figure5"].shown([other, plain, elsewhere, dropout]) == ["plain"]


def test_settings_and_tables_tell_the_same_figures():
    """What is drawn is decided from the settings, and once more from the tables."""
    arms = [{"arm": arm} for arm in ("iterative", "iterative-reinit", "small-dense")]
    recipes = {"plain": {}, "dropout": {"dropout": 0.5}}
    run = {
        "run": "x",
        "run_experiments": list(recipes),
        "experiments": {
            name: experiment(network="conv-2", dataset="fashion-mnist", arms=arms, training=recipe)
            for name, recipe in recipes.items()
        },
    }
    levels = made_up_levels(tickets_win=True)
    levels = levels[levels["arm"].isin(["dense", "iterative", "iterative-reinit", "small-dense"])]
    names = {"network": "conv-2", "dataset": "fashion-mnist"}
    both = pd.concat(
        [levels.assign(experiment="plain", **names), levels.assign(experiment="dropout", dropout=0.5, **names)]
    )
    # A small dense network has a name of its own.
    both.loc[both["arm"] == "small-dense", "network"] = "lenet-30-10"
    assert set(figures_of_run(read_settings(run))) == drawn(*trained_in(both, pd.DataFrame())) == {"figure5", "figure6"}


def test_appendix_g_has_all_values_of_the_papers_figures():
    run = yaml.safe_load((REPOSITORY / "config/appendix-g.yaml").read_text())
    settings = read_settings(run)
    every = [
        Trained(name, each.network, each.dataset, recipe_columns(each), ["iterative"])
        for name, each in ((name, settings.experiments[name]) for name in settings.run_experiments)
    ]
    table = pd.DataFrame([{"experiment": each.experiment, "network": each.network, **each.recipe} for each in every])
    shown = {name: table[table["experiment"].isin(CATALOG[name].shown(every))] for name in settings.figures}
    for name, rates in zip(("figure26", "figure27", "figure28"), LEARNING_RATES.values(), strict=True):
        assert sorted(shown[name]["learning_rate"]) == rates
    assert sorted(shown["figure29"]["dense_rate"]) == PRUNING_RATES
    assert set(shown["figure30"]["initialisation"]) == set(INITIALISATIONS)
    assert set(shown["figure31"]["network"]) == set(NETWORKS)
    # And nothing else.
    assert [len(table) for table in shown.values()] == [8, 8, 7, 5, 7, 10]
    assert what_was_run(shown["figure29"], "dense_rate", PRUNING_RATES) == "Run: all 5 values of the paper's figure."
    part = shown["figure29"][:2]
    assert what_was_run(part, "dense_rate", PRUNING_RATES) == "Run: 2 of the 5 values of the paper's figure."


def test_family_is_in_the_name():
    networks = ("lenet-300-100", "conv-2", "vgg-19", "resnet-20")
    assert [family_of(network) for network in networks] == ["lenet", "conv", "vgg", "resnet"]
