"""Every command and snippet of docs/tickets.md runs, in their order."""

import re
import shlex

import pytest
from conftest import REPOSITORY
from small_runs import QUICK, finish, lenet

from lottery.commands.main import main

PAGE = (REPOSITORY / "docs/tickets.md").read_text()
BLOCKS = re.findall(r"^```(console|python)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, mnist):
    """A folder with a finished run `quick` that has the levels of the page."""
    path = tmp_path_factory.mktemp("page")
    values = {"network": "lenet-300-100", "levels": 7, "replicates": 1, "arms": [{"arm": "iterative"}]}
    finish(path, mnist, {"lenet-mnist": lenet(**values, training=QUICK | {"iterations": 10})}, name="quick")
    return path


def test_the_page_runs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    names: dict = {}
    verbs = []
    for language, text in BLOCKS:
        if language == "python":
            exec(compile(text, "docs/tickets.md", "exec"), names)
            continue
        for line in text.splitlines():
            program, verb, *arguments = shlex.split(line)
            assert program == "lottery"
            assert main([verb, *arguments]) == 0, capsys.readouterr().err
            verbs.append(verb)
    assert {"export", "inspect", "verify", "train"} == set(verbs)
    assert (folder / "small.safetensors").stat().st_size < 0.2 * (folder / "state.safetensors").stat().st_size


def test_every_format_of_the_page_is_one_and_the_other_way_round():
    from lottery.tickets.formats import FORMATS

    table = PAGE.split("| `--format` | what it is |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, flags=re.MULTILINE)) == set(FORMATS)
