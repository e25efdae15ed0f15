"""Networks that are never trained, and masks that are learnt while their weights stay as they are."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import experiment, made_by_verbs

from lottery.arms.arm import Arm
from lottery.arms.masks import Pruned
from lottery.arms.operations import prune, rewind
from lottery.arms.rows import ARMS
from lottery.arms.starts import Fresh, Rewound
from lottery.arrays import of_member, read_arrays, stack
from lottery.datasets.batches import shuffled_batches
from lottery.errors import LotteryError
from lottery.evidence.verification import verify
from lottery.networks import build
from lottery.pruning.allocation import ladder
from lottery.runs.reading import read_run
from lottery.settings import Pruning, Training
from lottery.training import torch_engine
from lottery.training.learnt_masks import EDGE_POPUP, SUPERMASK, Drawn, Learner, learnt_scores
from lottery.training.loop import MemberData
from lottery.training.scores import sensitivity

NETWORK = build("lenet-40-20", (20,), 4)
LAYERS = NETWORK.weight_names()
RECIPE = Training(iterations=300, batch_size=20, precision="float64")


def data() -> MemberData:
    return MemberData(shuffled_batches(300, RECIPE.batch_size, lambda epoch: np.random.default_rng(epoch)))


def accuracy(split, weights, mask) -> float:
    engine = torch_engine.Engine(
        NETWORK, stack([rewind(weights, mask)]), None, torch_engine.resident([split], RECIPE), RECIPE
    )
    return float(engine.evaluate("test")[1][0])


@pytest.mark.parametrize("learner", [SUPERMASK, EDGE_POPUP])
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_learnt_masks_are_right_where_random_ones_are_not(small_split, learner, scope):
    weights = NETWORK.initial(np.random.default_rng(0))
    before = {name: values.copy() for name, values in weights.items()}
    counts = ladder(NETWORK, Pruning(scope=scope), 3)
    (images,) = torch_engine.resident([small_split], RECIPE)
    learn = {"learner": learner, "network": NETWORK, "weights": stack([weights]), "images": images, "data": data()}
    scores, again = (of_member(learnt_scores(**learn, recipe=RECIPE, counts=counts, seed=seed), 0) for seed in (7, 7))
    assert all((scores[name] == again[name]).all() for name in LAYERS)
    assert all((weights[name] == values).all() for name, values in before.items())
    mask = prune(scores, None, counts)
    random = np.random.default_rng(1)
    chance = [
        accuracy(small_split, weights, prune({name: random.random(mask[name].shape) for name in LAYERS}, None, counts))
        for _ in range(5)
    ]
    assert accuracy(small_split, weights, mask) > max(chance) + 0.15
    other = of_member(learnt_scores(**learn, recipe=RECIPE, counts=counts, seed=8), 0)
    assert any((other[name] != scores[name]).any() for name in LAYERS)


def test_edge_popup_shows_as_many_weights_as_are_kept():
    scores = torch.tensor([0.3, -0.9, 0.1, -0.2, 0.5])
    drawn = EDGE_POPUP.draw(scores, 2, torch.Generator())
    assert drawn.mask.tolist() == [0, 1, 0, 0, 1]
    assert drawn.slope.tolist() == [1, -1, 1, -1, 1]


def test_supermasks_are_drawn_with_their_probability():
    share, random = 0.3, torch.Generator().manual_seed(0)
    scores = SUPERMASK.first(torch.full((100_000,), 7.0), share, random)
    drawn = SUPERMASK.draw(scores, 0, random)
    assert float(drawn.mask.mean()) == pytest.approx(share, abs=0.01)
    assert float(drawn.slope[0]) == pytest.approx(share * (1 - share))
    steep = torch.tensor([0.4, -1.2], requires_grad=True)
    torch.sigmoid(steep).sum().backward()
    assert SUPERMASK.draw(steep.detach(), 0, random).slope.tolist() == pytest.approx(steep.grad.tolist())


def test_a_score_moves_along_the_gradient_of_its_entry_of_the_mask(small_split):
    """Where all weights are shown that is w dL/dw, whose size is the sensitivity."""
    weights, recipe = NETWORK.initial(np.random.default_rng(0)), RECIPE.model_copy(update={"iterations": 1})
    (images,) = torch_engine.resident([small_split], recipe)
    counts = {(name,): weights[name].size - 1 for name in LAYERS}
    plain = Learner(
        lambda inputs, _, __: torch.zeros_like(inputs),
        lambda scores, _, __: Drawn(torch.ones_like(scores), torch.ones_like(scores)),
        torch.clone,
        rate=0.5,
    )
    found = of_member(learnt_scores(plain, NETWORK, stack([weights]), images, data(), recipe, counts, 0), 0)
    batch = data().batches(0, 1)[0]
    slopes = of_member(sensitivity(NETWORK, stack([weights]), None, images, batch, recipe), 0)
    for name in LAYERS:
        np.testing.assert_allclose(np.abs(found[name]), 0.5 * slopes[name], rtol=1e-5, atol=1e-9)
        assert (found[name] > 0).any()
        assert (found[name] < 0).any()


@pytest.fixture(scope="module")
def run(mnist, tmp_path_factory) -> Path:
    names = [name for name, row in ARMS.items() if not row.trained]
    values = experiment(
        levels=2, replicates=2, replicates_per_job=2, arms=[{"arm": name, "levels": [2]} for name in names]
    )
    config = {"run": "un", "run_experiments": ["e"], "experiments": {"e": values}}
    return made_by_verbs(tmp_path_factory.mktemp("untrained") / "results", mnist, seed=0, figures=[], **config)


def test_verified(run):
    assert list(verify(run, run.parent / "data")) == []


def test_a_history_has_the_start_alone_and_the_weights_stay(run):
    for name, row in ARMS.items():
        if row.trained:
            continue
        folder = run / "e/r0-1" / name / "level2"
        with (folder / "history.csv").open() as file:
            assert [line["iteration"] for line in csv.DictReader(file)] == ["0", "0"], name
        start, trained = (read_arrays(folder / f"{each}.safetensors") for each in ("start", "trained"))
        assert all((start[each] == trained[each]).all() for each in start), name


def test_constants_have_one_size_in_a_layer_and_the_initial_signs(run):
    initial = read_arrays(run / "e/r0-1/dense/level0/start.safetensors")
    for name in ("iterative-constant-untrained", "edge-popup-constant-untrained"):
        folder = run / "e/r0-1" / name / "level2"
        mask, start = (read_arrays(folder / f"{each}.safetensors") for each in ("mask", "start"))
        for layer in build("lenet-30-10", (28, 28), 10).layers:
            kept = mask[layer.weight_name] == 1
            values = start[layer.weight_name]
            assert set(np.abs(values[kept]).tolist()) == {np.float32(layer.deviation())}
            assert (np.sign(values[kept]) == np.sign(initial[layer.weight_name][kept])).all()
            assert not values[~kept].any()


def test_masks_learnt_on_other_weights_differ(run):
    masks = [
        read_arrays(run / f"e/r0-1/{name}/level2/mask.safetensors")["fc1.weight"].tobytes()
        for name in ARMS
        if name.startswith(("supermask", "edge-popup"))
    ]
    assert len(set(masks)) == 4


def test_arms_that_mean_nothing_are_refused():
    with pytest.raises(LotteryError, match="arm x: networks that are never trained leave no trained weights to prune"):
        Arm("x", Pruned(), Rewound(), trained=False)
    for mask, start in (
        (Pruned("supermask", of="the dense network"), Rewound()),
        (Pruned("supermask", of="the initial weights"), Fresh()),
    ):
        with pytest.raises(LotteryError, match="arm x: a mask that is learnt is one of the initial weights"):
            Arm("x", mask, start)


def test_an_arm_that_is_never_trained_has_no_snapshots():
    arms = [{"arm": "iterative-untrained", "snapshots": [10]}]
    config = {"run": "r", "run_experiments": ["e"], "experiments": {"e": experiment(arms=arms)}}
    with pytest.raises(LotteryError, match=r"arms\.0\.snapshots: iterative-untrained is never trained, so it has none"):
        read_run(config)
