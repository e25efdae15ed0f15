"""Versions: pinned once, the same for pip and conda; environments of every rule exist."""

import re
import tomllib

import pytest
import yaml
from conftest import REPOSITORY

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
        requirement, _, marker = line.partition(" ; ")
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
        name, version = re.fullmatch(r"([a-z0-9-]+) =(\d+(?:\.\d+)*)", dependency).groups()
        assert version == versions[CONDA_NAMES.get(name, name)], dependency


def rules() -> dict[str, str]:
    """The text of every rule that runs something, with the directives it inherits."""
    text = {}
    for path in sorted((REPOSITORY / "workflow/rules").glob("*.smk")):
        for name, base, body in re.findall(
            r"^(?:rule (\w+)|use rule \w+ as (\w+) with):\n((?:(?:    .*)?\n)+)", path.read_text(), flags=re.MULTILINE
        ):
            text[name or base] = body
    return text


def test_every_rule_says_what_it_needs():
    found = rules()
    assert {"prepare_dataset", "initialize", "train_dense", "train_ticket", "prune", "rewind", "reinitialize"} <= set(
        found
    )
    for name, body in found.items():
        inherited = name in ("train_ticket", "train_small")
        for directive in ["message", "input", "output", "log", "benchmark"]:
            assert f"    {directive}:" in body, (name, directive)
        for directive in ["conda", "threads", "resources", "shell"]:
            assert (f"    {directive}:" in body) != inherited, (name, directive)


def test_every_conda_path_exists():
    used = {path for body in rules().values() for path in re.findall(r'conda:\n\s+"([^"]+)"', body)}
    # The environment of Snakemake itself belongs to no rule.
    rules_environments = {path for path in ENVIRONMENTS if path.stem != "workflow"}
    assert {(REPOSITORY / "workflow/rules" / path).resolve() for path in used} == rules_environments
