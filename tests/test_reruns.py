"""What the real Snakemake repeats when something changes, and what must not change."""

import json
import os
import re

import pytest
from conftest import BY, SMOKE, Workflow, copy_of_repository, experiment, made_by_verbs, overlay

from lottery.arms.places import Replicates
from lottery.arrays import read_arrays
from lottery.code import PACKAGE, TOLD, VERBS, modules_of, of_verb


def test_again_there_is_nothing_to_do(smoke):
    assert smoke.jobs(*SMOKE) == {}


@pytest.mark.long
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
        ("training/loop.py", {"train": 8, "prune": 4}),
        ("datasets/idx.py", {"prepare_dataset": 1, "train": 8, "prune": 4}),
        ("figures/style.py", {"plot": 1, "all": 1}),
        ("analysis/claims.py", {"judge_claims": 1, "all": 1}),
        ("settings/sections.py", {}),
        pytest.param("settings/reference.py", {}, marks=pytest.mark.long),
        pytest.param("arms/lineage.py", {}, marks=pytest.mark.long),
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
    if "train" not in repeated:
        assert jobs == repeated
    assert "initialize" not in jobs


@pytest.mark.parametrize(
    ("verb", "code", "beyond"),
    [
        (
            "train",
            {"training/loop.py", "training/sparse/update.py", "datasets/batches.py", "randomness.py"},
            "analysis/",
        ),
        ("prune", {"pruning/selection.py", "arms/operations.py", "arrays/files.py"}, "training/"),
        ("make-control", {"arms/masks.py", "networks/steps.py", "randomness.py"}, "training/"),
        ("collect", {"analysis/tables.py", "analysis/speed.py", "settings/columns.py"}, "training/torch_engine.py"),
        (
            "describe-tickets",
            {"analysis/ticket_weights.py", "analysis/pixels.py", "analysis/experiment.py"},
            "figures/",
        ),
        ("judge-claims", {"analysis/claims_lenet.py", "analysis/statistics.py", "analysis/claims_text.py"}, "figures/"),
        ("plot", {"figures/style.py", "analysis/measures.py", "analysis/tables.py"}, "analysis/claims_lenet.py"),
    ],
)
def test_a_verb_names_the_code_that_it_runs_and_no_other(verb, code, beyond):
    own = {file.relative_to(PACKAGE).as_posix() for file in modules_of(*VERBS[verb])}
    assert code <= own
    assert not [name for name in own if name.startswith(beyond)]
    assert not own & set(TOLD)


def test_every_rule_names_the_code_of_its_verb(smoke):
    """As Snakemake wrote it down for each file of a finished run."""
    named = {
        (metadata["rule"].replace("_", "-"), param)
        for path in (smoke.folder / ".snakemake/metadata").rglob("*")
        if path.is_file()
        for metadata in [json.loads(path.read_text())]
        for param in metadata["params"]
        if re.fullmatch("'[0-9a-f]{64}'", param)
    }
    made = {rule for rule, _ in named}
    asked_for = {"score", "interpolate", "collect-barriers", "compare-masks", "export", "describe-structure"}
    assert made == set(VERBS) - asked_for - {"bench-inference"}, "what the smoke run does not ask for"
    assert named == {(verb, repr(of_verb(verb))) for verb in made}


def test_imports_within_functions_and_of_modules_count():
    named = {file.relative_to(PACKAGE).as_posix() for file in modules_of("training/job.py")}
    assert {"training/sparse/passes.py", "training/torch_network.py", "arrays/weights.py"} <= named
    assert all((PACKAGE / name).is_file() for name in TOLD)


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
        figures=["figure3"],
        experiments={"first": experiment(**changes), "second": experiment()},
    )


ANALYSIS = {"collect": 1, "describe_tickets": 1, "judge_claims": 1, "plot": 1, "all": 1}


@pytest.mark.long
def test_two_experiments_are_complete(two_experiments):
    assert two_experiments.jobs(*pair_of_experiments(two_experiments)) == {}


@pytest.mark.long
def test_another_learning_rate_repeats_its_experiment_only(two_experiments):
    options = pair_of_experiments(
        two_experiments,
        training={"iterations": 20, "validation_every": 10, "test_every": 20, "learning_rate": 0.002},
    )
    said = two_experiments("-n", *options)
    expected = {"train": 2, "prune": 1, "rewind": 1, **ANALYSIS}
    assert two_experiments.jobs(*options) == expected
    assert not re.search(r"(Train|Prune|Rewind).*second", said)


@pytest.mark.parametrize(
    ("changes", "added"),
    [
        (
            {"replicates": 2},
            {"initialize": 1, "train": 2, "prune": 1, "rewind": 1},
        ),
        ({"levels": 2}, {"prune": 1, "rewind": 1, "train": 1}),
        (
            {"arms": [{"arm": "iterative"}, {"arm": "iterative-reinit"}]},
            {"make_control": 1, "train": 1},
        ),
        ({"threads_per_job": 2}, {}),
        ({"trainings_per_card": 2}, {}),
    ],
    ids=["replicate", "level", "arm", "threads", "sharing"],
)
def test_more_of_something_adds_jobs_only(two_experiments, changes, added):
    jobs = two_experiments.jobs(*pair_of_experiments(two_experiments, **changes))
    assert jobs == ({**added, **ANALYSIS} if added else {})


@pytest.mark.long
@pytest.mark.parametrize("by", BY)
def test_results_do_not_depend_on_cores_or_jobs(by, mnist, tmp_path, request):
    """The same settings in other jobs: byte-equal weights, masks and histories."""
    shape = {"replicates": 2, "levels": 2, "arms": [{"arm": "iterative"}, {"arm": "iterative-reinit", "draws": 2}]}

    def outcome(name: str, cores: str, **cut: int) -> dict[str, bytes]:
        experiments = {"first": experiment(**shape, **cut)}
        values = {"run": name, "run_experiments": ["first"], "figures": [], "experiments": experiments}
        if by == "verbs":
            run = made_by_verbs(tmp_path, mnist, **values)
        else:
            workflow = request.getfixturevalue("two_experiments")
            workflow("--cores", cores, *overlay(workflow, name, **values), "--", "tables")
            run = workflow.folder / "results" / name
        members = {}
        for folder in (run / "first").glob("*/*/level*"):
            replicates = Replicates.parse(folder.parts[-3])
            draws = 2 if folder.parts[-2].endswith("reinit") else 1
            history = (folder / "history.csv").read_text().splitlines()[1:]
            for index, member in enumerate(replicates.members(draws)):
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
    assert len(together) == 2 * (19 + 2 * 22 + 2 * 2 * 22)
    assert together == apart
