"""Wrong labels: exactly so many, of every other class, and of the images that train alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import One, experiment, made_by_verbs, stretch
from test_claims import made_up_levels

from lottery.analysis.claims import judge
from lottery.analysis.experiment import NotRun, TrainedExperiment
from lottery.analysis.peaks import PeakGain, PeakRatio
from lottery.analysis.tables import LEVELS, read_table
from lottery.arrays import stack
from lottery.datasets.images import Images, Split, read_splits, with_wrong_labels
from lottery.evidence.verification import verify
from lottery.networks import build
from lottery.settings import Training
from lottery.training import sparse_engine, torch_engine

ENGINES = [sparse_engine, torch_engine]


def splits(mnist: Path, share: float, replicates: range = range(2), **more: int) -> list[Split]:
    return read_splits(mnist, Training(label_noise=share, **more), 5, replicates)


@pytest.mark.parametrize(("share", "training_images", "expected"), [(0.2, None, 11_000), (0.4, 33, 13), (1.0, 60, 60)])
def test_exactly_the_share_of_the_images_that_train(mnist, share, training_images, expected):
    for split in splits(mnist, share, training_images=training_images, batch_size=10):
        right = split.train.images.labels[split.train.rows]
        assert int((split.train.labels != right).sum()) == expected
        assert int((split.train.all_labels != split.train.images.labels).sum()) == expected
        for part in (split.validation, split.test):
            assert part.told is None
            assert (part.labels == part.images.labels[part.rows]).all()


def test_every_other_class_is_as_likely():
    labels = np.repeat(np.arange(4), 30_000)
    told = with_wrong_labels(labels, 0.5, 4, np.random.default_rng(0))
    for label in range(4):
        counts = np.bincount(told[labels == label], minlength=4)
        assert counts[label] == pytest.approx(15_000, abs=400)
        others = np.delete(counts, label)
        assert np.abs(others - others.mean()).max() < 4 * np.sqrt(5_000)


def test_replicates_have_others_and_a_larger_share_has_those_of_a_smaller_one(mnist):
    less, more, plain = (splits(mnist, share) for share in (0.2, 0.4, 0.0))
    wrong = [split.train.labels != was.train.labels for split, was in zip(less, plain, strict=True)]
    assert all(was.train.told is None for was in plain)
    for split, larger, changed in zip(less, more, wrong, strict=True):
        assert (larger.train.labels[changed] == split.train.labels[changed]).all()
    places = [set(split.train.rows[changed].tolist()) for split, changed in zip(less, wrong, strict=True)]
    assert len(places[0] & places[1]) < 0.3 * len(places[0])
    again = splits(mnist, 0.2)
    assert all((one.train.labels == other.train.labels).all() for one, other in zip(less, again, strict=True))


def noisy(split: Split, told: np.ndarray) -> Split:
    return Split(type(split.train)(split.train.images, split.train.rows, told), split.validation, split.test)


@pytest.mark.parametrize("engine", ENGINES)
def test_engines_train_and_measure_on_the_labels_that_are_told(small_split, engine):
    """As on images whose own labels these are."""
    network, recipe = build("lenet-7-5", (20,), 4), Training(precision="float64", batch_size=10)
    start = network.initial(np.random.default_rng(0))
    told = with_wrong_labels(small_split.train.labels, 0.4, 4, np.random.default_rng(1))
    batches = np.random.default_rng(2).integers(300, size=(30, 10))
    labels = small_split.train.images.labels.copy()
    labels[small_split.train.rows] = told
    relabelled = Images(small_split.train.images.pixels, labels)
    own = type(small_split.train)(relabelled, small_split.train.rows)
    found = []
    for split in (noisy(small_split, told), Split(own, small_split.validation, small_split.test), small_split):
        trained = One(engine, network, start, None, engine.resident([split], recipe), recipe)
        loss = trained.advance(batches)
        found.append((loss, trained.evaluate("train"), trained.evaluate("validation"), trained.parameters()))
    assert found[0][:3] == found[1][:3]
    assert all((values == found[1][3][name]).all() for name, values in found[0][3].items())
    assert found[0][0] != found[2][0]


def test_members_of_a_stack_have_their_own_labels(small_splits):
    network, recipe = build("lenet-7-5", (20,), 4), Training(precision="float64", batch_size=10)
    random = np.random.default_rng(0)
    starts = [network.initial(random) for _ in range(2)]
    misled = [
        noisy(split, with_wrong_labels(split.train.labels, 0.4, 4, np.random.default_rng(seed)))
        for seed, split in enumerate(small_splits[:2])
    ]
    images, batches = torch_engine.resident(misled, recipe), random.integers(300, size=(2, 20, 10))
    stacked = torch_engine.Engine(network, stack(starts), None, images, recipe)
    losses = stacked.advance(stretch(batches, recipe))
    train = stacked.evaluate("train")
    assert stacked.images["train"].labels.shape == (2, 380)
    assert stacked.images["test"].labels.shape == (1, 1090)
    for place in range(2):
        alone = One(torch_engine, network, starts[place], None, [images[place]], recipe)
        assert alone.advance(batches[place]) == pytest.approx(losses[place], rel=1e-12)
        assert alone.evaluate("train") == pytest.approx((train[0][place], train[1][place]), rel=1e-12)
    rows = torch.tensor([[3, 5], [7, 0]])
    expected = [[int(misled[member].train.all_labels[row]) for row in rows[member]] for member in range(2)]
    assert stacked.images["train"].labels_at(rows).tolist() == expected


@pytest.fixture(scope="module")
def run(mnist, tmp_path_factory) -> Path:
    few = {"iterations": 20, "validation_every": 10, "test_every": 20}
    arms = [{"arm": "iterative", "levels": [1, 2]}]
    values = experiment(levels=2, replicates=2, replicates_per_job=2, arms=arms, seed_name="shared")
    experiments = {
        "plain": values | {"training": few},
        "sparse": values | {"training": few | {"label_noise": 0.4}},
        "torch": values | {"training": few | {"label_noise": 0.4, "engine": "torch"}},
    }
    config = {"run": "noise", "run_experiments": list(experiments), "experiments": experiments}
    folder = tmp_path_factory.mktemp("noise") / "results"
    return made_by_verbs(folder, mnist, seed=0, figures=["figure-noise"], **config)


def test_verified(run):
    assert list(verify(run, run.parent / "data")) == []


def test_the_table_tells_the_share(run):
    levels = read_table(run / "tables/levels.csv", LEVELS)
    assert levels.groupby("experiment")["label_noise"].first().to_dict() == {"plain": 0, "sparse": 0.4, "torch": 0.4}


def test_validation_images_are_as_without(run):
    """Before training all three, which share their initial weights, measure the same on them, but for rounding."""
    first = [pd.read_csv(run / name / "r0-1/dense/level0/history.csv").iloc[0] for name in ("plain", "sparse", "torch")]
    measured = [row["validation_accuracy"] for row in first]
    assert max(measured) - min(measured) <= 2 / 5_000


def noisy_levels(best_level: int, *, network: str = "lenet-300-100", wins: bool = True, share: float = 0.4):
    """Made-up networks, of which those of one level are the most accurate, of the others the dense ones; or the dense
    ones of all.
    """
    levels = made_up_levels(tickets_win=True, replicates=5)
    levels = levels[levels["arm"].isin(["dense", "iterative"])].copy()
    noise = np.random.default_rng(1).normal(0, 0.0005, len(levels))
    peak = np.exp(-(((levels["level"] - best_level) / 2) ** 2))
    ticket = levels["arm"] == "iterative"
    right = 0.9 + np.where(ticket, (0.04 if wins else 0.01) * peak - 0.02, 0)
    levels["test_accuracy_final"], levels["last_validation_accuracy"] = right + noise, right + noise[::-1] / 10
    levels["known_until"] = levels["iterations"]
    levels["train_accuracy_final"] = 0.7 + np.where(ticket, -0.02 if wins else 0.05, 0)
    return levels.assign(network=network, label_noise=share, experiment=f"{network}-{share}")


@pytest.mark.parametrize("wins", [True, False])
def test_verdicts_on_peaks(wins):
    levels = [noisy_levels(12, wins=wins), noisy_levels(12 if wins else 4, wins=wins, network="lenet-900-300")]
    found = judge(pd.concat(levels, ignore_index=True))
    found = found[found["id"].str.startswith("N")].set_index("id")["verdict"].to_dict()
    changing = dict.fromkeys(["N1b2", "N1b3", "N2b2", "N2b3", "N4b3"], "replicated" if wins else "not replicated")
    assert found == changing | dict.fromkeys(["N3b2", "N3b3"], "replicated")


def test_the_papers_claims_do_not_speak_of_wrong_labels():
    found = judge(noisy_levels(12))
    assert set(found["id"].str[0]) == {"N"}


def test_the_peak_is_chosen_by_validation_images():
    """Of noise alone the best size gains nothing in test accuracy, where the greatest of all sizes would gain."""
    levels, gains, greatest = noisy_levels(12), [], []
    for seed in range(1000, 1060):
        test, validation = np.random.default_rng(seed).normal(0.9, 0.01, (2, len(levels)))
        trained = TrainedExperiment(levels.assign(test_accuracy_final=test, last_validation_accuracy=validation))
        measure = PeakGain("iterative")
        gains.append(measure.found(trained).numbers.mean())
        dense, *tickets = (place.values("test_accuracy_final").mean() for place in measure.places(trained))
        greatest.append(100 * (max(tickets) - dense))
    assert np.mean(greatest) > 0.8
    assert abs(np.mean(gains)) < 0.25


def test_peaks_of_two_widths():
    ours, other = (TrainedExperiment(noisy_levels(level)) for level in (10, 13))
    ratio = PeakRatio("iterative").found(ours, other).numbers
    assert len(ratio) == 5
    assert np.exp(np.log(ratio).mean()) == pytest.approx(0.8**-3, rel=0.15)
    cut_short = noisy_levels(12).assign(known_until=100)
    with pytest.raises(NotRun, match="no validation accuracy at the end"):
        PeakGain("iterative").found(TrainedExperiment(cut_short))
