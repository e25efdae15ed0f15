"""The table of arms, and those of Appendices B and F in a real run: masks and starting weights, bit for bit."""

from pathlib import Path

import numpy as np
import pytest
from conftest import BY, copy_of_repository, experiment, made_by_verbs, overlay

from lottery.arms.arm import Arm
from lottery.arms.lineage import arm
from lottery.arms.masks import Borrowed, Imitated, Mask, Pruned, Whole
from lottery.arms.rows import ARMS
from lottery.arms.starts import Continued, Rewound, Start
from lottery.arrays import Arrays, read_arrays
from lottery.errors import LotteryError
from lottery.evidence.verification import verify
from lottery.networks import build
from lottery.pruning.allocation import ladder
from lottery.runs.jobs import counts_at
from lottery.settings import Experiment, Pruning

NETWORK = build("lenet-30-10", (28, 28), 10)


def test_unknown_arm():
    with pytest.raises(LotteryError, match="unknown arm 'reinit'"):
        arm("reinit")


def test_arms_refer_to_arms():
    values = Experiment.model_validate(experiment(levels=2))
    for name, row in ARMS.items():
        assert row.name == name
        assert set(row.named_arms) <= ARMS.keys()
        imitates = isinstance(row.mask, Imitated) or (isinstance(row.mask, Whole) and bool(row.mask.as_small_as))
        assert bool(row.named_arms) == imitates
        for other in map(arm, row.named_arms):
            assert isinstance(other.mask, Pruned)
            assert counts_at(values, row, 2) == counts_at(values, other, 2), "the same ladder"


@pytest.mark.parametrize(
    ("mask", "start", "told"),
    [
        (Borrowed("iterative"), Continued(), "only a pruned mask has weights that it was pruned from"),
        (Whole(as_small_as="iterative"), Rewound(), "a narrower network has no weights but fresh ones"),
    ],
)
def test_a_mask_and_a_start_that_mean_nothing_together_are_refused(mask: Mask, start: Start, told: str):
    with pytest.raises(LotteryError, match=f"arm x: {told}"):
        Arm("x", mask, start)


@pytest.fixture(scope="module", params=BY)
def run(request, mnist, tmp_path_factory) -> Path:
    """A finished run of seconds."""
    folder = tmp_path_factory.mktemp("arms")
    arms = [{"arm": "continued", "levels": [3]}]
    arms += [{"arm": name, "levels": [2]} for name in ("own-values", "initial-magnitude", "noise-0.5")]
    made = experiment(levels=3, replicates=2, replicates_per_job=2, arms=arms)
    values = {"run": "arms", "figures": [], "run_experiments": ["e"], "experiments": {"e": made}}
    if request.param == "verbs":
        return made_by_verbs(folder, mnist, **values)
    workflow = copy_of_repository(folder)
    workflow("--cores", "2", *overlay(workflow, "arms", **values))
    return workflow.folder / "results/arms"


def arrays(run: Path, place: str) -> Arrays:
    return read_arrays(run / "e/r0-1" / f"{place}.safetensors")


def test_verified(run):
    assert list(verify(run, run.parent / "data")) == []


def test_weights_are_trained_on_between_prunings_and_set_back_at_the_end(run):
    initial, dense = arrays(run, "dense/level0/start"), arrays(run, "dense/level0/trained")
    for level, before in ((1, dense), (2, arrays(run, "continued-chain/level1/trained"))):
        mask, start = (arrays(run, f"continued-chain/level{level}/{name}") for name in ("mask", "start"))
        for name, kept in mask.items():
            assert start[name][kept == 1].tobytes() == before[name][kept == 1].tobytes()
            assert (start[name] != initial[name])[kept == 1].any()
        assert start["fc1.bias"].tobytes() == before["fc1.bias"].tobytes()
    assert not (run / "e/r0-1/continued-chain/level3/trained.safetensors").exists(), "nothing asks for it"
    mask, start = (arrays(run, f"continued/level3/{name}") for name in ("mask", "start"))
    for name, kept in arrays(run, "continued-chain/level3/mask").items():
        assert mask[name].tobytes() == kept.tobytes()
        assert start[name][kept == 1].tobytes() == initial[name][kept == 1].tobytes()
    assert start["fc1.bias"].tobytes() == initial["fc1.bias"].tobytes()


def test_pruned_untrained_keeps_the_largest_initial_weights(run):
    initial, mask = arrays(run, "dense/level0/start"), arrays(run, "initial-magnitude/level2/mask")
    for (name,), count in ladder(NETWORK, Pruning(), 2).items():
        for kept, values in zip(mask[name], np.abs(initial[name]), strict=True):
            assert kept.sum() == count
            assert values[kept == 1].min() >= values[kept == 0].max()


@pytest.mark.parametrize("name", ["own-values", "noise-0.5"])
def test_controls_take_the_tickets_mask(run, name):
    ticket, mask = arrays(run, "iterative/level2/mask"), arrays(run, f"{name}/level2/mask")
    initial, start = arrays(run, "dense/level0/start"), arrays(run, f"{name}/level2/start")
    for name, kept in ticket.items():
        assert mask[name].tobytes() == kept.tobytes()
        assert not start[name][kept == 0].any()
        assert (start[name] != initial[name])[kept == 1].mean() > 0.8
