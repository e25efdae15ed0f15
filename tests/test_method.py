"""The page that shows the method as a program: it runs, and makes the workflow's masks and weights."""

import re

import numpy as np
from conftest import REPOSITORY

from lottery.arrays import read_arrays

PAGE = (REPOSITORY / "docs/method.md").read_text()


def test_the_page_finds_the_workflows_tickets(smoke, monkeypatch, capsys):
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert len([line for line in program.splitlines() if line]) <= 25
    monkeypatch.chdir(smoke.folder)
    found: dict = {}
    exec(compile(program, "docs/method.md", "exec"), found)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 4
    folder = smoke.folder / "results/smoke/lenet-mnist/r0-1/iterative/level3"
    trained = read_arrays(folder / "trained.safetensors")
    for name, values in found["record"].trained.items():
        assert values.tobytes() == np.ascontiguousarray(trained[name][0]).tobytes(), name
    # The page prunes once more, after level 3; its mask lies within the workflow's of that level.
    workflow = read_arrays(folder / "mask.safetensors")
    for name, kept in found["mask"].items():
        assert (kept <= workflow[name][0]).all()
        assert ((found["record"].trained[name] != 0) <= workflow[name][0]).all()
