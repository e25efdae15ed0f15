"""Known bugs of other systems, each planted here: an ordinary test of this suite must fail.

Where a bug is known from is told as `repository, file or thread`.
"""

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
import test_arrays
import test_datasets
import test_making
import test_networks
import test_pruning
import test_recipes
import test_training
import test_workflow
from conftest import SMOKE, Workflow, experiment
from planted_bugs import (
    Patch,
    arrays_written_in_place,
    best_of_the_curve_reported,
    biases_counted,
    biases_pruned,
    control_with_its_tickets_weights,
    control_with_other_batches,
    everywhere,
    half_of_the_images,
    last_slice_dropped_sparse,
    last_slice_dropped_torch,
    layers_pruned_by_their_own_share,
    mask_from_zeros,
    negative_weights_frozen,
    one_split_for_all,
    one_too_many_pruned,
    other_images,
    output_layer_at_the_full_rate,
    pruned_weights_move,
    schedule_begins_anew,
    scored_in_training_mode,
    shuffle_that_does_nothing,
    sign_blind,
    statistics_forgotten,
    stop_chosen_by_test_accuracy,
    ties_all_kept,
    ties_all_pruned,
    unseeded_initialisation,
    validation_images_trained_on,
    written_in_place,
)

from lottery.arms.operations import rewind
from lottery.arms.places import Place, Replicates
from lottery.arrays import write_arrays, write_text
from lottery.errors import LotteryError
from lottery.pruning.criteria import magnitude
from lottery.runs import making
from lottery.runs.jobs import Job
from lottery.settings import Settings
from lottery.training import sparse_engine, torch_engine

few_pixels = test_making.few_pixels
"""What the tests of that file need, here as well."""

FAILURES = (AssertionError, LotteryError, pytest.fail.Exception)
"""How a test fails that has seen a bug; any other error would be a mistake of the sabotage."""


@dataclass(frozen=True)
class Sabotage:
    """A bug, where it is known from, and the ordinary test that must fail when it is planted.

    Arguments that are not given are the fixtures of their names.
    """

    bug: Callable[[Patch], None]
    known_from: str
    caught_by: Callable[..., None]
    arguments: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        name = self.bug.func if isinstance(self.bug, partial) else self.bug
        engine = self.arguments.get("engine")
        return f"{name.__name__}-{self.caught_by.__name__}" + (f"-{engine.__name__.split('.')[-1]}" if engine else "")


def on_both(bug: Callable, known_from: str, caught_by: Callable[..., None], **arguments: object) -> list[Sabotage]:
    """The same bug in each engine."""
    return [
        Sabotage(partial(bug, engine), known_from, caught_by, {"engine": engine, **arguments})
        for engine in (torch_engine, sparse_engine)
    ]


RAHUL = "rahulvigneswaran/Lottery-Ticket-Hypothesis-in-Pytorch"
OPEN_LTH = "facebookresearch/open_lth"
SYNAPTIC_FLOW = "ganguli-lab/Synaptic-Flow"
VARUNGOHIL = "varungohil/Generalizing-Lottery-Tickets"

SABOTAGES = [
    Sabotage(
        sign_blind,
        f"{RAHUL}, main.py: `weight < 1e-6`",
        test_pruning.test_pruning_removes_the_smallest_magnitudes_of_each_layer_and_no_bias,
    ),
    *on_both(
        negative_weights_frozen,
        f"{RAHUL}, issues 5, 7 and 31",
        test_training.test_an_independent_loop_reaches_the_same_weights,
        recipe=test_training.RECIPES[0],
    ),
    Sabotage(
        one_too_many_pruned,
        f"{OPEN_LTH}, pruning/sparse_global.py",
        test_pruning.test_iterative_masks_are_nested_and_exact_down_to_the_last_level,
    ),
    Sabotage(
        ties_all_pruned,
        f"{OPEN_LTH}, pruning/sparse_global.py",
        test_pruning.test_of_equal_magnitudes_the_lower_index_stays,
    ),
    Sabotage(
        ties_all_kept,
        "every threshold with >=; google-research/jaxpruner, mask_calculator.py, breaks ties by index against it",
        test_pruning.test_of_equal_magnitudes_the_lower_index_stays,
    ),
    *(
        Sabotage(shuffle_that_does_nothing, f"{SYNAPTIC_FLOW}, Pruners/pruners.py: `shuffle`", test)
        for test in (
            test_making.test_a_shuffled_mask_keeps_the_count_of_each_layer_and_nothing_else,
            test_making.test_a_random_control_has_the_tickets_counts_and_its_initial_weights,
        )
    ),
    Sabotage(
        unseeded_initialisation,
        f"{OPEN_LTH}, where only the order of the data can be seeded",
        test_making.test_initial_weights_depend_on_their_key_alone,
    ),
    *(
        Sabotage(
            bug,
            f"{RAHUL}, main.py: the last batch is dropped, the sum divided by all",
            test_training.test_evaluation_is_that_of_the_definition,
            {"engine": engine},
        )
        for bug, engine in ((last_slice_dropped_torch, torch_engine), (last_slice_dropped_sparse, sparse_engine))
    ),
    *(
        Sabotage(scored_in_training_mode, "neuralmagic/sparseml#756: scored in train mode", test, arguments)
        for test, arguments in (
            (test_recipes.test_evaluation_changes_nothing, {}),
            (test_recipes.test_an_independent_module_reaches_the_same_weights, {"name": "resnet-20"}),
            (test_recipes.test_dropout_takes_its_share_and_keeps_the_mean, {"members": 1}),
        )
    ),
    Sabotage(
        statistics_forgotten,
        "checkpoints of weights without the buffers of batch normalisation",
        test_recipes.test_a_later_start_takes_the_running_statistics_along,
    ),
    Sabotage(
        schedule_begins_anew,
        f"{OPEN_LTH}, where the start step of the schedule is an argument that each branch must pass on",
        test_recipes.test_a_training_that_begins_later_is_the_end_of_a_whole_one,
    ),
    Sabotage(
        layers_pruned_by_their_own_share,
        "what is called global and is not: a threshold for each layer",
        test_pruning.test_global_pruning_keeps_the_largest_of_all_layers_together,
    ),
    Sabotage(
        half_of_the_images,
        "evaluation of a part of the images, told as of all",
        test_training.test_evaluation_is_that_of_the_definition,
        {"engine": sparse_engine},
    ),
    *on_both(
        other_images,
        "training images scored as test images",
        test_training.test_evaluation_is_that_of_the_definition,
    ),
    *(
        Sabotage(bug, known_from, test_datasets.test_each_replicate_has_a_split_of_its_own_that_shares_no_image)
        for bug, known_from in (
            (validation_images_trained_on, "validation images that are training images as well"),
            (
                one_split_for_all,
                "uber-research/deconstructing-lottery-tickets: validation images by `np.random.seed(0)`",
            ),
        )
    ),
    *on_both(
        pruned_weights_move,
        "any optimizer with momentum behind a mask that is applied in the forward pass alone",
        test_training.test_pruned_weights_are_0_at_every_step,
    ),
    *on_both(
        mask_from_zeros,
        "Eric-mingjie/rethinking-network-pruning#23: `weight != 0` instead of a mask",
        test_training.test_a_kept_weight_that_starts_at_0_is_trained,
    ),
    Sabotage(
        stop_chosen_by_test_accuracy,
        f"{RAHUL}, main.py: best test accuracy over epochs",
        test_training.test_early_stop_is_the_first_least_validation_loss_of_each_member,
    ),
    Sabotage(
        best_of_the_curve_reported,
        "JJGO/shrinkbench: maximum over epochs; huawei-noah/Efficient-Computing#140",
        test_training.test_early_stop_is_the_first_least_validation_loss_of_each_member,
    ),
    Sabotage(
        written_in_place,
        f"{OPEN_LTH}, models/registry.py: `exists`",
        test_arrays.test_an_interrupted_write_leaves_the_old_file,
    ),
    Sabotage(
        arrays_written_in_place,
        f"{OPEN_LTH}, models/registry.py: `exists`",
        test_arrays.test_a_disk_that_fills_up_leaves_the_old_file,
    ),
    Sabotage(
        control_with_its_tickets_weights,
        f"{RAHUL}, main.py: `reinit` is not the paper's control",
        test_making.test_a_reinitialised_control_keeps_its_tickets_mask_and_none_of_its_weights,
    ),
    Sabotage(
        control_with_other_batches,
        f"{OPEN_LTH}: without a seed for the order of the data, each branch has its own",
        test_training.test_arms_share_batches_at_a_level_and_levels_do_not,
    ),
    Sabotage(
        output_layer_at_the_full_rate,
        f"{OPEN_LTH}, pruning/sparse_global.py; {RAHUL}, main.py: one percentage for all layers",
        test_pruning.test_ladder_is_the_papers,
        {"level": 1, "percent": 80.04},
    ),
    Sabotage(
        biases_counted,
        f"{SYNAPTIC_FLOW}, Pruners/pruners.py: biases have masks and are counted",
        test_networks.test_lenet_has_the_papers_weights,
    ),
    Sabotage(
        biases_pruned,
        f"{VARUNGOHIL}: what has `weight` in its name is pruned",
        test_pruning.test_pruning_removes_the_smallest_magnitudes_of_each_layer_and_no_bias,
    ),
]


def check(sabotage: Sabotage, request: pytest.FixtureRequest) -> None:
    """The ordinary test passes, and fails with the bug planted."""
    names = inspect.signature(sabotage.caught_by).parameters
    arguments = {
        name: sabotage.arguments[name] if name in sabotage.arguments else request.getfixturevalue(name)
        for name in names
        if name != "monkeypatch"
    }
    run = partial(sabotage.caught_by, **arguments)
    with Patch.context() as patch:
        run(**({"monkeypatch": patch} if "monkeypatch" in names else {}))
    with Patch.context() as patch:
        sabotage.bug(patch)
        with pytest.raises(FAILURES):
            run(**({"monkeypatch": patch} if "monkeypatch" in names else {}))


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=str)
def test_an_ordinary_test_fails(sabotage, request):
    check(sabotage, request)


@pytest.mark.parametrize(
    "plant",
    [lambda patch: None, lambda patch: patch.setattr(sys.modules[__name__], "magnitude", lambda weights, *_: weights)],
    ids=["nothing", "where nobody looks"],
)
def test_a_sabotage_without_effect_is_noticed(plant, request):
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        check(replace(SABOTAGES[0], bug=plant), request)


def test_a_sabotage_that_is_itself_wrong_is_noticed(request):
    with pytest.raises(TypeError):
        check(replace(SABOTAGES[0], bug=lambda patch: everywhere(patch, magnitude, lambda: None)), request)


def run_without_rewinding(workflow: Workflow) -> None:
    """Write what the smoke run has before its tickets are rewound, with made-up numbers for trained weights."""
    settings = Settings(
        run="smoke",
        run_experiments=["lenet-mnist"],
        experiments={"lenet-mnist": experiment(network="lenet-300-100", levels=3, replicates=2, replicates_per_job=2)},
    )

    def job(arm: str, level: int) -> Job:
        return Job(settings, Place("lenet-mnist", Replicates(0, 1), arm, level))

    run = workflow.folder / "results/smoke"
    initial, trained = (making.starts(job("dense", level), None, None) for level in (0, 99))
    dense = job("dense", 0)
    write_text(run / "settings.json", settings.canonical_json())
    write_arrays(dense.path(run, "start"), initial)
    write_arrays(dense.path(run, "trained"), trained)
    for arm, level in [*(("iterative", level) for level in (1, 2, 3)), ("one-shot", 3), ("random", 3)]:
        made = job(arm, level)
        masks = making.pruned_masks(job("iterative", level), trained, None, None)
        write_arrays(made.path(run, "mask"), masks)
        write_arrays(made.path(run, "trained"), rewind(trained, masks))
    write_arrays(made.path(run, "start"), rewind(initial, masks))


@pytest.mark.long
def test_a_missing_rewind_is_seen_in_what_the_rules_make(fresh):
    """Training that goes on from the trained weights: Lightning-AI/pytorch-lightning#13643."""
    run_without_rewinding(fresh)
    folders = [*(f"iterative/level{level}" for level in (1, 2, 3)), "one-shot/level3"]
    starts = [f"results/smoke/lenet-mnist/r0-1/{folder}/start.safetensors" for folder in folders]
    rewind = ("--cores", "2", *SMOKE, "--allowed-rules", "rewind", "--forcerun", "rewind", "--", *starts)
    ordinary = test_workflow.test_tickets_are_rewound_to_the_initialisation_bit_for_bit
    fresh(*rewind)
    ordinary(fresh)
    lineage = fresh.folder / "src/lottery/arms/lineage.py"
    right, wrong = 'Weights(dense, rewound_to(row, experiment) or "start")', 'Weights(dense, "trained")'
    assert lineage.read_text().count(right) == 1
    lineage.write_text(lineage.read_text().replace(right, wrong))
    fresh(*rewind)
    with pytest.raises(AssertionError):
        ordinary(fresh)
