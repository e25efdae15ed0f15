"""The real workflow, run by the real Snakemake: what it makes, what it repeats, what it refuses."""

import itertools
import os
import re
import shutil
import subprocess
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY, Workflow, copy_of_repository, job_counts

from lottery.arrays import of_member, read_arrays
from lottery.datasets.images import read_split
from lottery.networks import build
from lottery.randomness import split_generator
from lottery.settings import Training
from lottery.stacks import Stack
from lottery.training import sparse_engine, torch_engine

SMOKE = ("--configfile", "config/smoke.yaml")
LEVELS = [
    *("experiment", "arm", "replicate", "draw", "level", "weights", "weights_remaining", "early_stop_iteration"),
    *("validation_loss_at_early_stop", "test_accuracy_at_early_stop", "train_accuracy_at_early_stop"),
    *("test_accuracy_final", "train_accuracy_final", "train_seconds"),
]


def overlay(workflow: Workflow, name: str, **values: object) -> tuple[str, str]:
    """Options for a configuration laid over the default one."""
    path = workflow.folder / "config" / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values))
    return "--configfile", str(path)


def experiment(**changes: object) -> dict:
    """A complete experiment of seconds."""
    tiny = {
        "dataset": "mnist",
        "network": "lenet-30-10",
        "training": {"iterations": 20, "validation_every": 10, "test_every": 20},
        "levels": 1,
        "replicates": 1,
        "replicates_per_job": 1,
        "arms": [{"arm": "iterative"}],
    }
    return tiny | changes


# ---- what a run makes


def folders(smoke: Workflow) -> dict[str, object]:
    results = smoke.folder / "results/smoke/lenet-mnist/r0-1"
    return {str(path.relative_to(results)): path for path in results.glob("*/level*")}


def test_files_of_the_contract(smoke):
    found = folders(smoke)
    assert set(found) == {
        "dense/level0",
        *(f"iterative/level{level}" for level in (1, 2, 3)),
        *(f"{arm}/level3" for arm in ("iterative-reinit", "one-shot", "random", "small-dense")),
    }
    for name, folder in found.items():
        files = {path.name for path in folder.iterdir()}
        masked = {"mask.safetensors"} if name not in ("dense/level0", "small-dense/level3") else set()
        assert files == {"start.safetensors", "trained.safetensors", "history.csv", "summary.json"} | masked
    run = smoke.folder / "results/smoke"
    pictures = {f"{name}.{suffix}" for name in FIGURES for suffix in ("pdf", "svg", "png")}
    assert {path.name for path in (run / "figures").iterdir()} == pictures
    tables = {"levels.csv", "curves.csv", "claims.csv", "claims.md", "claims.html"}
    assert {path.name for path in (run / "tables").iterdir()} == tables


FIGURES = ["figure1", "figure3", "figure4a", "figure4b", "figure4c", "figure-size"]


def test_nothing_is_written_outside_the_results(smoke):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    known = {name.split("/")[0] for name in listed.stdout.splitlines()}
    made = {path.name for path in smoke.folder.iterdir()}
    assert made - known == {"results", ".snakemake"}


def arrays_of(folder) -> tuple[dict, dict, dict]:
    return tuple(read_arrays(folder / f"{name}.safetensors") for name in ("mask", "start", "trained"))


def test_masks_are_exact_and_nested_and_pruned_weights_are_0(smoke):
    found = folders(smoke)
    kept = {1: (188_160, 24_000, 900), 2: (150_528, 19_200, 810), 3: (120_422, 15_360, 729)}
    previous = None
    for level in (1, 2, 3):
        mask, start, trained = arrays_of(found[f"iterative/level{level}"])
        for name, count in zip(("fc1.weight", "fc2.weight", "output.weight"), kept[level], strict=True):
            assert mask[name].dtype == np.uint8
            assert mask[name].sum(axis=(1, 2)).tolist() == [count, count]
            if previous is not None:
                assert (mask[name] <= previous[name]).all()
            assert not start[name][mask[name] == 0].any()
            assert not trained[name][mask[name] == 0].any()
            assert (trained[name] != start[name])[mask[name] == 1].mean() > 0.5
        previous = mask


def test_tickets_are_rewound_to_the_initialisation_bit_for_bit(smoke):
    found = folders(smoke)
    initial = read_arrays(found["dense/level0"] / "start.safetensors")
    for name in ("iterative/level1", "iterative/level2", "iterative/level3", "one-shot/level3", "random/level3"):
        mask, start, _ = arrays_of(found[name])
        for parameter, values in start.items():
            kept = mask.get(parameter, np.ones(values.shape)) == 1
            assert values[kept].tobytes() == initial[parameter][kept].tobytes(), (name, parameter)


def test_masks_keep_the_largest_trained_weights(smoke):
    found = folders(smoke)
    dense = read_arrays(found["dense/level0"] / "trained.safetensors")
    for name in ("iterative/level1", "one-shot/level3"):
        mask = read_arrays(found[name] / "mask.safetensors")
        for parameter, kept in mask.items():
            size = np.abs(dense[parameter])
            for member in range(2):
                assert size[member][kept[member] == 1].min() >= size[member][kept[member] == 0].max()


def test_controls_differ_from_the_ticket_in_one_thing(smoke):
    found = folders(smoke)
    mask, start, _ = arrays_of(found["iterative/level3"])
    reinit_mask, reinit_start, _ = arrays_of(found["iterative-reinit/level3"])
    random_mask, _, _ = arrays_of(found["random/level3"])
    for parameter, ticket in mask.items():
        # Members of the control: two draws for each of the two replicates.
        assert (reinit_mask[parameter] == np.repeat(ticket, 2, axis=0)).all()
        survivors = [reinit_start[parameter][index][ticket[index // 2] == 1] for index in range(4)]
        assert all((a != b).mean() > 0.99 for a, b in itertools.combinations(survivors, 2))
        assert (survivors[0] != start[parameter][0][ticket[0] == 1]).mean() > 0.99
        assert (random_mask[parameter].sum(axis=(1, 2)) == ticket.sum(axis=(1, 2))).all()
        assert (random_mask[parameter] != ticket).any()


def test_small_dense_network_is_as_small_as_the_ticket(smoke):
    small = read_arrays(folders(smoke)["small-dense/level3"] / "start.safetensors")
    weights = sum(values[0].size for name, values in small.items() if name.endswith("weight"))
    assert abs(weights - (120_422 + 15_360 + 729)) < 600
    assert all((values != 0).all() for name, values in small.items() if name.endswith("weight"))


def test_levels_table(smoke):
    table = pd.read_csv(smoke.folder / "results/smoke/tables/levels.csv")
    assert list(table.columns)[: len(LEVELS)] == LEVELS
    count = Counter(table["arm"])
    assert count == {"dense": 2, "iterative": 6, "iterative-reinit": 4, "one-shot": 2, "random": 2, "small-dense": 2}
    ticket = table[(table["arm"] == "iterative") & (table["level"] == 3)]
    assert (100 * ticket["weights_remaining"]).round(2).tolist() == [51.28, 51.28]
    assert table.filter(like="accuracy").min().min() > 0.05
    assert table.filter(like="accuracy").max().max() <= 1


def test_accuracies_of_the_table_are_those_of_the_weights(smoke):
    table = pd.read_csv(smoke.folder / "results/smoke/tables/levels.csv")
    split = read_split(smoke.folder / "results/data/mnist.safetensors", 5_000, split_generator(0, "lenet-mnist"))
    for engine in (sparse_engine, torch_engine):
        images = engine.resident(split, Training())
        for name, folder in folders(smoke).items():
            arm, level = name.split("/level")
            rows = table[(table["arm"] == arm) & (table["level"] == int(level))]
            trained = read_arrays(folder / "trained.safetensors")
            for index, row in enumerate(rows.itertuples()):
                network = build(row.network, 784, 10)
                evaluated = engine.Engine(network, of_member(trained, index), None, images, Training())
                # One image whose two largest outputs are equal but for rounding may fall either way.
                allowed = 0 if engine is sparse_engine else 1
                assert abs(evaluated.evaluate("test")[1] - row.test_accuracy_final) * 10_000 <= allowed + 1e-6
                assert abs(evaluated.evaluate("train")[1] - row.train_accuracy_final) * 55_000 <= allowed + 1e-6


def test_early_stop_of_the_table_is_that_of_the_history(smoke):
    indexed = pd.read_csv(smoke.folder / "results/smoke/tables/levels.csv").set_index(
        ["arm", "level", "replicate", "draw"]
    )
    for name, folder in folders(smoke).items():
        arm, level = name.split("/level")
        history = pd.read_csv(folder / "history.csv")
        assert history["iteration"].unique().tolist() == [0, 20, 40, 60]
        for (replicate, draw), rows in history.groupby(["replicate", "draw"]):
            row = indexed.loc[(arm, int(level), replicate, draw)]
            best = rows.loc[rows["validation_loss"].idxmin()]
            assert row["early_stop_iteration"] == best["iteration"]
            assert row["validation_loss_at_early_stop"] == best["validation_loss"]
            assert row["test_accuracy_at_early_stop"] == best["test_accuracy"]


def test_figures_are_drawn_from_the_tables_alone(smoke, tmp_path):
    """Deleting pictures redraws them and trains nothing."""
    copy = Workflow(tmp_path / "copy")
    shutil.copytree(smoke.folder, copy.folder)
    (copy.folder / "results/smoke/figures/figure3.png").unlink()
    assert copy.jobs(*SMOKE) == {"plot": 1, "all": 1}


def test_progress_tells_what_is_done_and_how_long_the_rest_takes(smoke):
    said = smoke.said
    assert "Train iterative at level 2, 64.1% of the weights: lenet-mnist, replicates r0-1" in said
    assert re.search(r"Progress: 1 of 8 training jobs done, about \d+ (s|min) left, \d+ s since the start", said)
    assert "Progress: all 8 training jobs done" in said
    log = (smoke.folder / "results/smoke/logs/train_dense/lenet-mnist.r0-1.log").read_text()
    assert "100% done" in log


def test_report_shows_figures_and_claims_offline(smoke):
    report = smoke.folder / "report.html"
    smoke("--report", "report.html", *SMOKE)
    page = report.read_text()
    report.unlink()
    for expected in [*FIGURES, "claims.html", "Claims", "Figures", "winning tickets and random sparse networks"]:
        assert expected in page, expected
    assert not re.search(r'<(script|link|img)[^>]+(src|href)="https?:', page), "nothing is fetched"


# ---- what is repeated when something changes


def test_again_there_is_nothing_to_do(smoke):
    assert smoke.jobs(*SMOKE) == {}


def test_a_touched_source_file_repeats_nothing(smoke):
    sources = list((smoke.folder / "src").rglob("*.py"))
    before = {path: path.stat().st_mtime for path in sources}
    for path in sources:
        path.touch()
    assert smoke.jobs(*SMOKE) == {}
    for path, time in before.items():
        os.utime(path, (time, time))


@pytest.mark.parametrize(
    ("edited", "repeated"),
    [
        ("training/loop.py", {"train_dense": 1, "train_ticket": 6, "train_small": 1, "prune": 4}),
        ("datasets/idx.py", {"prepare_dataset": 1, "train_dense": 1, "train_ticket": 6, "train_small": 1, "prune": 4}),
        ("figures/style.py", {"plot": 6, "all": 1}),
        ("analysis/claims.py", {"judge_claims": 1, "all": 1}),
        ("settings_reference.py", {}),
    ],
)
def test_edited_code_repeats_what_it_decides(smoke, edited, repeated):
    path = smoke.folder / "src/lottery" / edited
    original, status = path.read_text(), path.stat()
    path.write_text(original + "\n# Another remark.\n")
    try:
        jobs = smoke.jobs(*SMOKE)
    finally:
        path.write_text(original)
        os.utime(path, (status.st_atime, status.st_mtime))
    assert {rule: jobs.get(rule, 0) for rule in repeated} == repeated
    if "train_dense" not in repeated:
        assert jobs == repeated
    assert "initialize" not in jobs


@pytest.fixture(scope="module")
def two_experiments(tmp_path_factory) -> Workflow:
    """A copy in which a run of two small experiments is complete."""
    workflow = copy_of_repository(tmp_path_factory.mktemp("two"))
    workflow("--cores", "2", *pair_of_experiments(workflow))
    return workflow


def pair_of_experiments(workflow: Workflow, **changes: object) -> tuple[str, str]:
    """Options for the run of two experiments, the first of them changed."""
    return overlay(
        workflow,
        "two",
        run="two",
        run_experiments=["first", "second"],
        experiments={"first": experiment(**changes), "second": experiment()},
    )


ANALYSIS = {"collect": 1, "judge_claims": 1, "plot": 3, "all": 1}


def test_two_experiments_are_complete(two_experiments):
    assert two_experiments.jobs(*pair_of_experiments(two_experiments)) == {}


def test_another_learning_rate_repeats_its_experiment_only(two_experiments):
    options = pair_of_experiments(
        two_experiments,
        training={"iterations": 20, "validation_every": 10, "test_every": 20, "learning_rate": 0.002},
    )
    said = two_experiments("-n", *options)
    expected = {"train_dense": 1, "prune": 1, "rewind": 1, "train_ticket": 1, **ANALYSIS}
    assert two_experiments.jobs(*options) == expected
    assert not re.search(r"(Train|Prune|Rewind).*second", said)


@pytest.mark.parametrize(
    ("changes", "added"),
    [
        (
            {"replicates": 2},
            {"initialize": 1, "train_dense": 1, "prune": 1, "rewind": 1, "train_ticket": 1},
        ),
        ({"levels": 2}, {"prune": 1, "rewind": 1, "train_ticket": 1}),
        (
            {"arms": [{"arm": "iterative"}, {"arm": "iterative-reinit"}]},
            {"reinitialize": 1, "train_ticket": 1},
        ),
        ({"threads_per_job": 2}, {}),
    ],
    ids=["replicate", "level", "arm", "threads"],
)
def test_more_of_something_adds_jobs_only(two_experiments, changes, added):
    jobs = two_experiments.jobs(*pair_of_experiments(two_experiments, **changes))
    assert jobs == ({**added, **ANALYSIS} if added else {})


def test_results_do_not_depend_on_cores_or_stacks(two_experiments):
    """The same settings in other jobs: byte-equal weights, masks and histories."""
    shape = {"replicates": 2, "levels": 2, "arms": [{"arm": "iterative"}, {"arm": "iterative-reinit", "draws": 2}]}

    def outcome(name: str, cores: str, **cut: int) -> dict[str, bytes]:
        options = overlay(
            two_experiments,
            name,
            run=name,
            run_experiments=["first"],
            experiments={"first": experiment(**shape, **cut)},
        )
        two_experiments("--cores", cores, *options, "--", "tables")
        members = {}
        for folder in (two_experiments.folder / "results" / name / "first").glob("*/*/level*"):
            stack = Stack.parse(folder.parts[-3])
            draws = 2 if folder.parts[-2].endswith("reinit") else 1
            history = (folder / "history.csv").read_text().splitlines()[1:]
            for index, member in enumerate(stack.members(draws)):
                key = f"{folder.parts[-2]}/{folder.parts[-1]}/{member}"
                own = [line for line in history if line.startswith(f"{member.replicate},{member.draw},")]
                assert len(own) == 3
                members[f"{key}/history"] = "\n".join(own).encode()
                for path in folder.glob("*.safetensors"):
                    for parameter, values in read_arrays(path).items():
                        members[f"{key}/{path.stem}/{parameter}"] = values[index].tobytes()
        return members

    together = outcome("together", "2", replicates_per_job=2, threads_per_job=2)
    apart = outcome("apart", "1", replicates_per_job=1, threads_per_job=1)
    assert len(together) == 2 * (13 + 2 * 16 + 2 * 2 * 16)
    assert together == apart


# ---- what is declared, and what is refused


def test_the_rule_graph_of_the_readme_is_that_of_the_rules(smoke):
    said = smoke("--rulegraph", "mermaid-js")
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", said))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", said)}
    shown = (REPOSITORY / "README.md").read_text().split("```mermaid")[1].split("```")[0]
    assert set(re.findall(r"(\w+) --> (\w+)", shown)) == edges


def test_paper_mnist_is_declared_in_full(fresh):
    jobs = fresh.jobs("--configfile", "config/paper-mnist.yaml")
    assert jobs == {
        "prepare_dataset": 1,
        "initialize": 1,
        "train_dense": 1,
        # 28 iterative levels, 9 one-shot levels of Figure 4a, 7 of Figure 4c.
        "prune": 28 + 9 + 7,
        "rewind": 28 + 9 + 7,
        "reinitialize": 28 + 9 + 7,
        "randomize_mask": 28,
        "train_ticket": 2 * (28 + 9 + 7) + 28,
        "initialize_small": 9,
        "train_small": 9,
        "collect": 1,
        "judge_claims": 1,
        "plot": 6,
        "all": 1,
    }


@pytest.mark.parametrize(
    ("target", "figures"),
    [
        ("figure1", 1),
        ("figure3", 1),
        ("figure4", 3),
        ("figure4b", 1),
        ("figure_size", 1),
        ("figures", 6),
        ("claims", 0),
    ],
)
def test_targets(smoke, target, figures):
    copy_jobs = job_counts(smoke("-n", "--forceall", *SMOKE, "--", target))
    assert copy_jobs.get("plot", 0) == figures
    assert copy_jobs["train_dense"] == 1


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"experiments": {"lenet-mnist": {"network": "lenet5"}}},
            "experiments.lenet-mnist.network: unknown network 'lenet5'",
        ),
        ({"experiments": {"lenet-mnist": {"replicate": 3}}}, "experiments.lenet-mnist.replicate: unknown key"),
        ({"run": "it's; touch owned"}, "run: string should match pattern"),
    ],
)
def test_a_wrong_setting_stops_before_anything_runs(fresh, values, told):
    said = fresh("--cores", "1", *overlay(fresh, "wrong", **values), fails=True)
    assert f"config: {told}" in said
    assert "Traceback" not in said
    assert not (fresh.folder / "results").exists()


def test_a_failed_job_leaves_a_message_and_no_output(fresh):
    (fresh.folder / "resources/mnist/train-labels-idx1-ubyte.gz").write_bytes(b"not gzip")
    said = fresh("--profile", "workflow/profiles/local", *SMOKE, fails=True)
    assert "train-labels-idx1-ubyte.gz: cannot be read: Not a gzipped file" in said
    assert not list((fresh.folder / "results/data").glob("*.safetensors"))
    assert not list((fresh.folder / "results").rglob("trained.safetensors"))
