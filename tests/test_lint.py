"""The code and the rules as their checkers want them."""

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        pytest.param(["mypy"], marks=pytest.mark.long),
        ["snakefmt", "--check", "Snakefile", "workflow"],
        pytest.param(["snakemake", "--lint"], marks=pytest.mark.long),
    ],
    ids=" ".join,
)
def test_checker_finds_nothing(command):
    program, *options = command
    done = subprocess.run([str(BIN / program), *options], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
