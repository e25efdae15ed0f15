"""A run that was moved, or lost files: what of it is taken, what is made again, and that nothing wrong is taken."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import SMOKE, Workflow, copy_of_repository, experiment, made_by_verbs, overlay

from lottery.commands.main import main
from lottery.evidence.adoption import Adoption, State
from lottery.runs.reading import read_settings_of

RUN = Path("results/tiny")
PLACES = RUN / "x/r0-0"
TABLES = {"collect": 1, "judge_claims": 1, "plot": 1, "all": 1}
EVERYTHING = {"train": 5, "prune": 2, "rewind": 2, "make_control": 1, "describe_tickets": 1, **TABLES}


def tiny(**changes: object) -> dict:
    """A run of seconds: a dense network, two tickets, a control and a small dense network."""
    arms = [{"arm": "iterative"}, {"arm": "iterative-reinit", "levels": [2]}, {"arm": "small-dense", "levels": [2]}]
    own = {"experiments": {"x": experiment(levels=2, arms=arms, **changes)}}
    return {"run": "tiny", "run_experiments": ["x"], "figures": ["figure15"]} | own


def options(workflow: Workflow, **changes: object) -> tuple[str, str]:
    return overlay(workflow, "tiny", **tiny(**changes))


@pytest.fixture(scope="module")
def made(mnist, tmp_path_factory) -> Path:
    """The folder of results of the run, made without Snakemake."""
    return made_by_verbs(tmp_path_factory.mktemp("made") / "results", mnist, seed=0, **tiny()).parent


@pytest.fixture
def run(made, tmp_path) -> Path:
    """A copy of it."""
    shutil.copytree(made, tmp_path / "results")
    return tmp_path / RUN


def look(run: Path) -> Adoption:
    found = Adoption(run, read_settings_of(run))
    found.look()
    return found


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Workflow:
    """A copy of the repository in which the run is complete. Tests must leave it as it is."""
    workflow = copy_of_repository(tmp_path_factory.mktemp("finished"))
    workflow("--cores", "2", *options(workflow))
    return workflow


@pytest.fixture
def copy(finished, tmp_path) -> Workflow:
    """The finished run, with Snakemake's records of it."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    return Workflow(tmp_path / "copy")


def moved(workflow: Workflow, folder: Path, preserve: bool = False) -> Workflow:
    """A fresh copy of the repository into which a finished run was copied, with its times or not; without records."""
    shutil.copytree(workflow.folder, folder, symlinks=True, ignore=shutil.ignore_patterns(".snakemake", "results"))
    copying = shutil.copy2 if preserve else shutil.copyfile
    shutil.copytree(workflow.folder / "results", folder / "results", copy_function=copying)
    return Workflow(folder)


def lottery(workflow: Workflow, *arguments: str, fails: bool = False) -> str:
    """What `lottery ARGUMENTS` says in a copy of the repository."""
    environment = os.environ | {"PYTHONPATH": str(workflow.folder / "src")}
    command = [sys.executable, "-m", "lottery", *arguments]
    done = subprocess.run(command, cwd=workflow.folder, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, said
    assert "Traceback" not in said
    return said


def contents(workflow: Workflow, run: Path = RUN) -> dict[str, object]:
    """All that a run made, but for logs and for what no training has twice: its seconds."""
    found: dict[str, object] = {}
    for path in sorted((workflow.folder / run).rglob("*")):
        name = str(path.relative_to(workflow.folder / run))
        if path.is_dir() or name.startswith(("logs", "benchmarks", "settings")) or path.name == "levels.csv":
            continue
        found[name] = without_seconds(path) if path.name == "summary.json" else path.read_bytes()
    return found


def without_seconds(path: Path) -> dict:
    summary = json.loads(path.read_text()) | {"job_seconds": 0}
    summary["members"] = [member | {"train_seconds": 0} for member in summary["members"]]
    return summary


def changed(path: Path) -> None:
    """Another last byte; size and time are as before."""
    content, status = bytearray(path.read_bytes()), path.stat()
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, (status.st_atime, status.st_mtime))


@pytest.mark.long
def test_a_moved_run_must_be_adopted_and_then_repeats_nothing(smoke, tmp_path):
    """With its times, which are older than those of the code here."""
    copy, run = moved(smoke, tmp_path / "copy", preserve=True), Path("results/smoke")
    before = contents(copy, run)
    said = copy("-n", *SMOKE, fails=True)
    assert "results/smoke/lenet-mnist/r0-1: was not made in this folder" in said
    assert "`lottery adopt results/smoke`" in said
    assert "Traceback" not in said
    said = lottery(copy, "adopt", str(run))
    assert said == "results/smoke: 25 steps are right and recorded, 0 are to be made again, 0 were not done yet\n"
    assert copy.jobs(*SMOKE) == {}
    assert contents(copy, run) == before


@pytest.mark.long
def test_of_a_moved_run_is_repeated_what_settings_and_code_change(finished, tmp_path):
    """Without its times, so that all is newer than the code here."""
    copy = moved(finished, tmp_path / "copy")
    assert "was not made in this folder" in copy("-n", *options(copy), fails=True)
    lottery(copy, "adopt", str(RUN))
    assert copy.jobs(*options(copy)) == {}
    assert (
        copy.jobs(*options(copy, training={"iterations": 30, "validation_every": 10, "test_every": 30})) == EVERYTHING
    )
    shutil.rmtree(copy.folder / ".snakemake")
    with (copy.folder / "src/lottery/training/loop.py").open("a") as file:
        file.write("\n# A remark.\n")
    said = lottery(copy, "adopt", str(RUN))
    assert "dense/level0/summary.json: was made by other code than this of `lottery train`" in said
    assert copy.jobs(*options(copy)) == EVERYTHING


@pytest.mark.long
def test_deleted_masks_starts_and_data_are_made_again_alone(copy):
    before = contents(copy)
    gone = ["iterative/level1/mask", "iterative/level1/start", "iterative-reinit/level2/mask", "dense/level0/start"]
    for name in gone:
        (copy.folder / PLACES / f"{name}.safetensors").unlink()
    (copy.folder / "results/data/mnist.safetensors").unlink()
    said = copy("-n", *options(copy))
    assert f"{PLACES}/dense/level0/start.safetensors and 3 other files are gone of trainings that are done" in said
    assert "`lottery adopt results/tiny`" in said
    assert "Nothing to be done" in said
    said = lottery(copy, "adopt", str(RUN))
    for name in (*(f"x/r0-0/{name}" for name in gone), "../data/mnist"):
        assert f"{RUN}/{name}.safetensors: made again" in said
    assert contents(copy) == before
    assert copy.jobs(*options(copy)) == {}


@pytest.mark.long
def test_a_training_without_its_summary_is_made_again_with_what_follows(copy):
    before = contents(copy)
    (copy.folder / PLACES / "small-dense/level2/summary.json").unlink()
    said = copy("-n", *options(copy))
    assert f"{PLACES}/small-dense/level2/summary.json is gone of trainings that are done" in said
    assert "small-dense/level2/summary.json: cannot be read" in lottery(copy, "adopt", str(RUN))
    assert copy.jobs(*options(copy)) == {"train": 1, **TABLES}
    copy("--cores", "2", *options(copy))
    assert contents(copy) == before
    assert copy.jobs(*options(copy)) == {}


@pytest.mark.long
def test_a_training_made_again_by_hand_repeats_no_other(copy):
    before = contents(copy)
    (copy.folder / PLACES / "dense/level0/trained.safetensors").unlink()
    lottery(copy, "train", str(RUN), "x/r0-0/dense/level0")
    lottery(copy, "adopt", str(RUN))
    assert copy.jobs(*options(copy)) == TABLES
    assert contents(copy) == before


@pytest.mark.long
def test_a_training_that_was_tampered_with_is_made_again(copy):
    """Though its size and its time are as before, and Snakemake has a record of it."""
    before, place = contents(copy), PLACES / "iterative-reinit/level2"
    changed(copy.folder / place / "trained.safetensors")
    assert copy.jobs(*options(copy)) == {}
    said = lottery(copy, "adopt", str(RUN))
    assert f"{place}/trained.safetensors: is not the file that summary.json speaks of (SHA-256)" in said
    assert copy.jobs(*options(copy)) == {"train": 1, **TABLES}
    copy("--cores", "2", *options(copy))
    assert contents(copy) == before


@pytest.mark.long
def test_each_deleted_file_of_a_figure_or_table_is_made_again(copy):
    before = contents(copy)
    expected = {
        "figures/figure15.pdf": {"plot": 1, "all": 1},
        "figures/figure15.svg": {"plot": 1, "all": 1},
        "tables/claims.md": {"judge_claims": 1, "all": 1},
        "tables/distributions.csv": {"describe_tickets": 1, "judge_claims": 1, "plot": 1, "all": 1},
    }
    for name, jobs in expected.items():
        path = copy.folder / RUN / name
        path.rename(path.with_name("aside"))
        assert copy.jobs(*options(copy)) == jobs
        path.with_name("aside").rename(path)
    for name in expected:
        (copy.folder / RUN / name).unlink()
    copy("--cores", "2", *options(copy))
    assert contents(copy) == before


@pytest.mark.long
@pytest.mark.parametrize(
    ("keep", "gone", "told"),
    [
        ("last-level", "iterative/level1/start", "layers.csv: line 2 is not what the run's other files give"),
        ("tables", "dense/level0/trained", "let-go.json: tells of other tables, code or settings"),
    ],
)
def test_what_was_let_go_is_not_missed(copy, keep, gone, told):
    """Nor are tables taken that are not those which were made from it."""
    settings = options(copy)
    with Path(settings[1]).open("a") as file:
        file.write(f"keep: {keep}\n")
    copy("--cores", "1", "--forcerun", "judge_claims", *settings)
    before = contents(copy)
    assert f"x/r0-0/{gone}.safetensors" not in before
    shutil.rmtree(copy.folder / ".snakemake")
    said = lottery(copy, "adopt", str(RUN))
    assert said == f"{RUN}: 17 steps are right and recorded, 0 are to be made again, 0 were not done yet\n"
    assert copy.jobs(*settings) == {}
    assert contents(copy) == before
    higher(copy.folder / RUN / "tables/layers.csv")
    assert told in lottery(copy, "adopt", str(RUN))
    assert copy.jobs(*settings)["describe_tickets"] == 1


def edited(**values: object) -> Callable[[Path], None]:
    """Other values in a file of JSON."""

    def edit(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | values))

    return edit


def higher(path: Path) -> None:
    path.write_text(path.read_text().replace("0.", "0.9", 1))


LEAF = "x/r0-0/small-dense/level2"

STALE: dict[str, tuple[str, Callable[[Path], None], str, int]] = {
    "a history": (f"{LEAF}/history.csv", changed, "is not the file that summary.json speaks of", 4),
    "no history": (f"{LEAF}/history.csv", Path.unlink, "cannot be read", 4),
    "a dense network, and all after it": ("x/r0-0/dense/level0/trained.safetensors", changed, "is not the file", 13),
    "no checksums": (f"{LEAF}/summary.json", edited(sha256={}), "sha256 names []", 4),
    "another seed": (f"{LEAF}/summary.json", edited(seed=1), "seed is 1", 4),
    "of no code": (f"{LEAF}/summary.json", edited(code={}), "does not say by which code", 4),
    "of other code": (f"{LEAF}/summary.json", edited(code={"train": "0"}), "by other code", 4),
    "of other settings": (f"{LEAF}/summary.json", edited(depends_on={}), "with other settings", 4),
    "a summary that is none": (f"{LEAF}/summary.json", changed, "summary.json", 4),
    "a table": ("tables/levels.csv", higher, "is not what the run's other files give", 3),
    "settings of tables": ("tables/settings.json", edited(seed=1), "tells of other settings", 3),
    "a table of weights": ("tables/layers.csv", higher, "is not what the run's other files give", 3),
    "claims": ("tables/claims.html", higher, "is not what the run's other files give", 1),
    "a figure": ("figures/figure15.pdf", changed, "is not what this code draws from the tables", 1),
    "no figure": ("figures/figure15.png", Path.unlink, "is gone", 1),
}
"""What is damaged, how, what is told of it, and how many steps are to be made again."""


@pytest.mark.parametrize("what", STALE)
def test_nothing_wrong_is_taken_nor_what_is_made_from_it(run, what):
    name, damage, told, stale = STALE[what]
    damage(run / name)
    found = look(run)
    assert len(found.in_state(State.STALE)) == stale
    (line,) = found.wrong
    assert line.startswith(f"{run / name}: ")
    assert told in line
    assert found.made == []


@pytest.mark.parametrize("damage", [changed, Path.unlink, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("name", ["iterative/level2/mask", "iterative/level1/start", "iterative-reinit/level2/start"])
def test_what_takes_no_training_is_put_right_at_once(run, name, damage):
    path = run / "x/r0-0" / f"{name}.safetensors"
    before = path.read_bytes()
    damage(path)
    found = look(run)
    assert path in found.made
    assert path.read_bytes() == before
    assert found.wrong == []
    assert set(found.states.values()) == {State.RIGHT}


def test_an_unfinished_run_is_taken_as_far_as_it_is(run):
    for name in ("tables", "figures", "x/r0-0/iterative/level2", "x/r0-0/iterative-reinit"):
        shutil.rmtree(run / name)
    found = look(run)
    assert found.in_state(State.STALE) == []
    assert len(found.in_state(State.ABSENT)) == 3 + 2 + 4
    named = [f"{PLACES}/iterative/level1/trained.safetensors", f"{PLACES}/small-dense/level2/trained.safetensors"]
    assert sorted(found.named(found.last_right(), one_each=True)) == named


def test_a_folder_of_another_name_is_refused_in_a_line(run, capsys):
    run.rename(run.with_name("other"))
    assert main(["adopt", str(run.with_name("other"))]) == 1
    told = "is not the folder results/tiny, which its settings name"
    assert capsys.readouterr().err.splitlines() == [f"lottery adopt: {run.with_name('other')}: {told}"]
