"""The container's recipe, as far as it can be tested without building it."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import PathDistribution

import pytest
import yaml
from conftest import REPOSITORY

import lottery


def instructions() -> list[tuple[str, str]]:
    """The recipe's instructions with their arguments, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]


def of(name: str) -> list[str]:
    return [arguments for instruction, arguments in instructions() if instruction == name]


def copied() -> list[str]:
    """What the recipe takes from the repository."""
    return [path for arguments in of("COPY") for path in arguments.split()[:-1]]


def test_what_is_copied_is_there_and_is_not_ignored():
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert ignored[0] == "*"
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert let_through == set(copied())
    for path in copied():
        assert (REPOSITORY / path).exists(), path


def test_commands_are_shell():
    for command in of("RUN"):
        done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_versions_are_those_of_the_lock_and_of_conda():
    (base,) = of("FROM")
    python = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", base)
    assert python, f"{base}: not a release by its digest"
    for path in (REPOSITORY / "envs").glob("*.yaml"):
        assert f"python ={python[1]}" in yaml.safe_load(path.read_text())["dependencies"]


def test_it_starts_snakemake_for_a_user_who_is_not_root():
    names = [name for name, _ in instructions()]
    assert of("USER") == ["1000"]
    assert "RUN" not in names[names.index("USER") :]
    assert of("ENTRYPOINT") == ['["snakemake"]']


@pytest.mark.long
def test_the_package_can_be_built_from_what_is_copied(tmp_path):
    context, installed = tmp_path / "context", tmp_path / "installed"
    context.mkdir()
    for path in copied():
        if (REPOSITORY / path).is_dir():
            shutil.copytree(
                REPOSITORY / path, context / path, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__")
            )
        else:
            shutil.copy(REPOSITORY / path, context / path)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(installed)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "."], cwd=context, check=True)
    (metadata,) = installed.glob("*.dist-info")
    assert PathDistribution(metadata).version == lottery.__version__
    package = REPOSITORY / "src/lottery"
    assert {path.relative_to(package) for path in package.rglob("*.py")} == {
        path.relative_to(installed / "lottery") for path in (installed / "lottery").rglob("*.py")
    }
