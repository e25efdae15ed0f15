"""Every command of docs/tutorial.md is typed, in its order, and what it prints is compared with the page."""

import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LONGEST, REPOSITORY, copy_of_repository

PAGE = (REPOSITORY / "docs/tutorial.md").read_text()

BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


MEASURED = re.compile(r"[\d.]+ (?:s|min)(?= since)|-?\d+\.\d+|[\d,]+(?= bytes)")
"""Numbers that differ from machine to machine: decimals, sizes of files, seconds."""


def words(line: str) -> list[str]:
    """The words of a line; measured numbers are all alike."""
    return MEASURED.sub("measured", line).split()


def assert_printed(shown: str, said: str) -> None:
    """Each line that the page shows was printed, in this order; others may stand between."""
    printed = iter([words(line) for line in said.splitlines()])
    for line in filter(str.strip, shown.splitlines()):
        assert words(line) in printed, f"{line!r} of the page, not in:\n{said}"


def typed(command: str, folder: Path) -> str:
    """What a shell prints for a command."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"
    return done.stdout


@pytest.mark.long
def test_the_tutorial_works_as_it_says(tmp_path, monkeypatch):
    folder = copy_of_repository(tmp_path).folder
    monkeypatch.chdir(folder)
    names: dict = {}
    said, compared = "", 0
    for language, text in BLOCKS[1:]:
        if language == "console":
            said = "\n".join(typed(command, folder) for command in text.splitlines())
        elif language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(text, "docs/tutorial.md", "exec"), names)
            said = printed.getvalue()
        elif language == "yaml":
            (file,) = re.findall(r"Write `(my/\S+\.yaml)`", PAGE)
            (folder / file).parent.mkdir()
            (folder / file).write_text(text)
        else:
            assert_printed(text, said)
            compared += 1
    assert compared > 5
    assert (folder / "results/halves/figures").is_dir()
    shutil.rmtree(folder / "results")


def test_a_page_that_says_something_else_is_noticed():
    assert_printed("a 1 0.97\nc", "a 1 0.98\nb 2\nc")
    for shown in ("a 2 0.98", "c\na 1 0.98", "a 1"):
        with pytest.raises(AssertionError, match="of the page"):
            assert_printed(shown, "a 1 0.98\nb 2\nc")
