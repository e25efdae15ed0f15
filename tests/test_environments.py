"""Versions: pinned once, the same for pip and conda; environments of every rule exist."""

import os
import re
import tomllib

import pytest
import yaml
from conftest import REPOSITORY, SMOKE, experiment

from lottery.arms.places import Place
from lottery.runs.jobs import Job
from lottery.settings import Settings
from lottery.training import job

ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))

CONDA_NAMES = {
    "pytorch": "torch",
    "matplotlib-base": "matplotlib",
    "seaborn-base": "seaborn",
    "snakemake-minimal": "snakemake",
}
"""Packages whose name on conda-forge differs from that on PyPI."""


def locked(python: tuple[int, int] = (3, 11)) -> dict[str, str]:
    """Exact versions of requirements.lock for a version of Python."""
    versions = {}
    for line in (REPOSITORY / "requirements.lock").read_text().splitlines():
        if line.startswith("    --hash="):
            continue
        requirement, _, marker = line.removesuffix(" \\").partition(" ; ")
        name, version = requirement.split("==")
        bound = re.search(r"python_full_version (<|>=) '(\d+)\.(\d+)'", marker)
        if bound:
            below = python < (int(bound[2]), int(bound[3]))
            if below != (bound[1] == "<"):
                continue
        versions[name.split("[")[0]] = version
    return versions


def test_lock_names_no_host_and_pins_everything():
    text = (REPOSITORY / "requirements.lock").read_text()
    assert "://" not in text
    assert " @ " not in text
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[\[=<>]", requirement)[0].lower() for requirement in wanted}
    assert names <= set(locked())
    assert locked()["torch"] == "2.14.1"
    assert locked()["torchvision"] == "0.29.1"


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_conda_versions_equal_the_lock(path):
    environment = yaml.safe_load(path.read_text())
    assert set(environment) == {"channels", "dependencies"}
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    versions = locked() | {"python": "3.11"}
    for dependency in environment["dependencies"]:
        pinned = re.fullmatch(r"([a-z0-9-]+) =(\d+(?:\.\d+)*)", dependency)
        assert pinned, f"{dependency!r} is not of the form `name =1.2.3`"
        name, version = pinned.groups()
        assert version == versions[CONDA_NAMES.get(name, name)], dependency


@pytest.mark.parametrize("engine", ["sparse", "torch"])
def test_a_training_asks_for_versions_of_its_environments_packages_alone(monkeypatch, engine):
    """The project's own is not installed there: rules find it by its path."""
    asked = []
    monkeypatch.setattr(job, "version", lambda name: asked.append(name) or "1.0")
    run = {"run": "x", "run_experiments": ["x"], "experiments": {"x": experiment(training={"engine": engine})}}
    job.versions(Job(Settings.model_validate(run), Place.parse("x/r0-0/dense/level0")))
    dependencies = yaml.safe_load((REPOSITORY / "envs/training.yaml").read_text())["dependencies"]
    names = [dependency.partition(" ")[0] for dependency in dependencies]
    assert asked
    assert set(asked) <= {CONDA_NAMES.get(name, name) for name in names}


def rules() -> dict[str, tuple[str, bool]]:
    """The text of every rule that runs something, and whether it inherits the directives that it does not have."""
    found = {}
    for path in sorted((REPOSITORY / "workflow/rules").glob("*.smk")):
        for name, heir, body in re.findall(
            r"^(?:rule (\w+)|use rule \w+ as (\w+) with):\n((?:(?:    .*)?\n)+)", path.read_text(), flags=re.MULTILINE
        ):
            found[name or heir] = (body, bool(heir))
    return found


def test_every_rule_says_what_it_needs():
    found = rules()
    made = {"prepare_dataset", "initialize", "train", "score", "prune", "rewind", "make_control"}
    made |= {"export_ticket", "compact_ticket", "describe_structure", "measure_inference"}
    made |= {"interpolate", "collect_barriers", "compare_masks"}
    assert made | {"collect", "describe_tickets", "judge_claims", "plot", "plan"} == set(found)
    heirs = {name for name, (_, inherits) in found.items() if inherits}
    assert heirs == {
        "prune",
        "rewind",
        "make_control",
        "describe_tickets",
        "compact_ticket",
        "describe_structure",
        "compare_masks",
    }
    files_of: dict[str, list[str]] = {"plan": []}
    for name, (body, inherits) in found.items():
        files = files_of.get(name, ["input", "output", "benchmark"])
        for directive in ["message", "log", *files]:
            assert f"    {directive}:" in body, (name, directive)
        for directive in ["conda", "threads", "resources", "shell"]:
            assert (f"    {directive}:" in body) != inherits, (name, directive)


def test_every_conda_path_exists():
    used = {path for body, _ in rules().values() for path in re.findall(r'conda:\n\s+"([^"]+)"', body)}
    # The environment of Snakemake itself belongs to no rule.
    rules_environments = {path for path in ENVIRONMENTS if path.stem != "workflow"}
    assert {(REPOSITORY / "workflow/rules" / path).resolve() for path in used} == rules_environments


CONDA = """#!/bin/sh
case "$1 $2" in
  "info --json") echo '{"conda_prefix": "/nowhere", "root_prefix": "/nowhere", "platform": "linux-64"}' ;;
  "--version ") echo "conda 25.1.0" ;;
  "config --get") echo '{"get": {"channel_priority": "strict"}}' ;;
  "env create")
    while [ "$1" != --file ]; do shift; done
    mkdir -p "$4" && cp "$2" "$4/asked.yaml" ;;
  "clean -y") ;;
  *) echo "unexpected: conda $*" >&2 && exit 1 ;;
esac
"""
"""A stand-in that says what Snakemake asks conda, and keeps the file of each environment in place of its packages."""


@pytest.fixture
def conda(tmp_path_factory, monkeypatch):
    program = tmp_path_factory.mktemp("conda") / "conda"
    program.write_text(CONDA)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.mark.long
@pytest.mark.usefixtures("conda")
def test_snakemake_finds_the_environments_and_hands_them_to_conda(fresh):
    said = fresh("--sdm", "conda", "--list-conda-envs", *SMOKE)
    assert set(re.findall(r"^envs/(\w+)\.yaml", said, flags=re.MULTILINE)) == {"analysis", "training"}
    assert "envs/analysis.yaml" in fresh("--sdm", "conda", "--list-conda-envs", "plan")
    fresh("--sdm", "conda", "--conda-create-envs-only", "--cores", "1", *SMOKE)
    asked = {path.read_text() for path in (fresh.folder / ".snakemake/conda").rglob("asked.yaml")}
    assert asked == {(REPOSITORY / f"envs/{name}.yaml").read_text() for name in ("analysis", "training")}


@pytest.mark.usefixtures("conda")
def test_an_environment_that_is_not_there_stops_before_anything_runs(fresh):
    (fresh.folder / "envs/training.yaml").unlink()
    said = fresh("--sdm", "conda", "--cores", "1", *SMOKE, fails=True)
    assert "envs/training.yaml" in said
    assert not (fresh.folder / "results").exists()
