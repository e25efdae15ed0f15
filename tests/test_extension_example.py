"""The example of `docs/extending.md` with a network and a dataset of one's own, word for word, in real runs."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from conftest import Workflow, copy_of_repository, examples, experiment, job_counts, overlay

SECTION = "A network or a dataset of your own"
EXTENSION, MAKER = examples(SECTION, "python")
(CONFIG,) = examples(SECTION, "yaml")
STRIPES = ("--configfile", "my/stripes.yaml")


def with_example(workflow: Workflow) -> Workflow:
    """The document's files in a copy of the repository, its raw data made."""
    (workflow.folder / "my").mkdir()
    for name, text in [("stripes.py", EXTENSION), ("make_stripes.py", MAKER), ("stripes.yaml", CONFIG)]:
        (workflow.folder / "my" / name).write_text(text)
    subprocess.run([sys.executable, "my/make_stripes.py"], cwd=workflow.folder, check=True)
    return workflow


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Workflow:
    """A copy with the document's files."""
    return with_example(copy_of_repository(tmp_path_factory.mktemp("stripes")))


@pytest.fixture(scope="module")
def stripes(example) -> Workflow:
    """The same, with the document's run complete."""
    example("--cores", "2", *STRIPES)
    return example


def lottery(workflow: Workflow, *arguments: str, status: int = 0, folder: Path | None = None) -> str:
    """What `lottery ARGUMENTS` says, run by the copy's own package."""
    done = subprocess.run(
        [sys.executable, "-m", "lottery", *arguments],
        cwd=folder or workflow.folder,
        env=os.environ | {"PYTHONPATH": str(workflow.folder / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stderr


def test_the_example_is_taken(example):
    assert job_counts(example("-n", "--forceall", *STRIPES))["train"] == 5


@pytest.mark.long
def test_the_example_runs_and_its_network_learns(stripes):
    levels = pd.read_csv(stripes.folder / "results/stripes/tables/levels.csv")
    assert set(levels["network"]) == {"conv-stripes"}
    assert set(levels["dataset"]) == {"stripes"}
    assert levels["arm"].tolist() == ["dense"] * 2 + ["iterative"] * 4 + ["iterative-reinit"] * 4
    weights = 9 * (8 + 64 + 64) + 24
    assert levels["weights"].tolist()[:3] == [weights, weights, weights - 7 - 58 - 58 - 2]
    assert levels["test_accuracy_final"].min() > 0.8, "a third would be chance"
    assert {path.stem for path in (stripes.folder / "results/stripes/figures").iterdir()} == {"figure5"}
    summary = json.loads((stripes.folder / "results/stripes/stripes/r0-1/dense/level0/summary.json").read_text())
    assert summary["extensions"] == {"my/stripes.py": hashlib.sha256(EXTENSION.encode()).hexdigest()}
    assert stripes.jobs(*STRIPES) == {}
    assert {path.name for path in (stripes.folder / "my").iterdir()} == {
        *("data", "make_stripes.py", "stripes.py", "stripes.yaml")
    }, "nothing compiled is left there"


@pytest.mark.long
def test_the_finished_example_is_verified_and_planned(stripes):
    named = ("--extension", "my/stripes.py")
    assert "are what they should be" in lottery(stripes, "verify", *named, "results/stripes")
    plan = ("plan", *named, "results/stripes/settings.json", "--measured", "results/stripes")
    assert "5 train 10 networks" in lottery(stripes, *plan)
    assert "5 train 10 networks" in stripes("--cores", "1", *STRIPES, "--", "plan")


@pytest.mark.long
def test_a_file_that_is_no_longer_the_one_that_trained_is_named(stripes):
    path = stripes.folder / "my/stripes.py"
    path.write_text(EXTENSION + "\n# Another remark.\n")
    try:
        told = lottery(stripes, "verify", "--extension", "my/stripes.py", "results/stripes", status=1)
    finally:
        path.write_text(EXTENSION)
    wrong = [line for line in told.splitlines() if "summary.json: extensions is {'my/stripes.py': " in line]
    assert len(wrong) == 5, "every training"


@pytest.mark.long
def test_a_missing_file_of_a_finished_run_is_named(stripes, tmp_path):
    run = str(stripes.folder / "results/stripes")
    told = lottery(stripes, "verify", "--extension", "my/stripes.py", run, status=1, folder=tmp_path)
    assert len(told.splitlines()) == 1
    assert "my/stripes.py: cannot be read: No such file or directory; relative paths start at the working" in told


@pytest.mark.long
def test_looking_at_a_run_does_not_run_its_code(stripes, tmp_path):
    """Somebody else's run, whose settings name a file that is there."""
    run = str(stripes.folder / "results/stripes")
    (tmp_path / "my").mkdir()
    (tmp_path / "my/stripes.py").write_text("open('it-was-run', 'w')\n")
    for verb in (("verify", run), ("plan", f"{run}/settings.json")):
        told = lottery(stripes, *verb, status=1, folder=tmp_path)
        assert "the run needs my/stripes.py; to run that file, name it: --extension my/stripes.py" in told
        assert len(told.splitlines()) == 1
    assert not (tmp_path / "it-was-run").exists()


@pytest.mark.long
def test_an_edit_repeats_the_experiments_that_use_the_file_alone(stripes):
    both = overlay(
        stripes, "both", run_experiments=["stripes", "other"], experiments={"other": experiment(arms=[])}, run="both"
    )[1]
    options = (*STRIPES, both, "--", "tables")
    stripes("--cores", "2", *options)
    assert stripes.jobs(*options) == {}
    path = stripes.folder / "my/stripes.py"
    path.write_text(EXTENSION + "\n# Another remark.\n")
    try:
        said = stripes("-n", *options)
        jobs = stripes.jobs(*options)
    finally:
        path.write_text(EXTENSION)
    assert jobs["prepare_dataset"] == jobs["initialize"] == 1
    assert jobs["train"] == 1 + 4
    assert "other, replicates" not in said
    assert "mnist" not in said


HOSTILE = """it's; touch owned $(touch owned2) "x" & y.py"""


@pytest.mark.long
def test_a_file_with_a_hostile_name_is_a_file(stripes):
    (stripes.folder / HOSTILE).write_text(EXTENSION)
    options = overlay(stripes, "hostile", run="hostile", extensions=[HOSTILE])
    summary = "results/hostile/stripes/r0-1/dense/level0/summary.json"
    stripes("--cores", "1", *STRIPES, options[1], "--", summary)
    assert list(json.loads((stripes.folder / summary).read_text())["extensions"]) == [HOSTILE]
    assert not list(stripes.folder.rglob("owned*"))


@pytest.mark.parametrize("name", ["{config}.py", "<results>.py"])
def test_a_file_that_snakemake_would_take_for_a_pattern_is_refused(example, name):
    (example.folder / name).write_text(EXTENSION)
    said = example("-n", *STRIPES, overlay(example, "pattern", extensions=[name])[1], fails=True)
    assert f"extensions: {name}: a file with one of" in said
    assert "Traceback" not in said


def test_an_error_stops_snakemake_with_one_line(example):
    (example.folder / "my/broken.py").write_text("\n1 / 0\n")
    said = example("-n", *STRIPES, overlay(example, "broken", extensions=["my/broken.py"])[1], fails=True)
    assert "config: extensions: my/broken.py, line 2: ZeroDivisionError: division by zero" in said
    assert "Traceback" not in said
