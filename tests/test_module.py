"""Another workflow imports this one, as `docs/extending.md` tells; its very text is run."""

import json
import re

import pandas as pd
import pytest
from conftest import Workflow, copy_of_repository, examples

from lottery.arrays import read_arrays


@pytest.fixture
def outer(tmp_path) -> Workflow:
    """The document's workflow, beside a checkout of this one."""
    copy_of_repository(tmp_path / "lottery-ticket-workflow")
    folder = tmp_path / "outer"
    folder.mkdir()
    for name, language in [("Snakefile", "python"), ("config.yaml", "yaml")]:
        (text,) = examples("Use within another workflow", language)
        (folder / name).write_text(text)
    return Workflow(folder)


@pytest.mark.long
def test_the_example_runs_and_writes_nothing_elsewhere(outer):
    before = files_of(outer.folder.parent / "lottery-ticket-workflow")
    outer("--cores", "2")
    levels = pd.read_csv(outer.folder / "tickets/results/first/tables/levels.csv")
    assert levels["arm"].tolist() == ["dense", "iterative", "iterative"]
    (best,) = pd.read_csv(outer.folder / "best.csv").to_dict("records")
    tickets = levels[levels["arm"] == "iterative"]
    assert best["validation_accuracy_at_early_stop"] == tickets["validation_accuracy_at_early_stop"].max()
    made = {path.name for path in outer.folder.iterdir()} - {".snakemake"}
    assert made == {"Snakefile", "config.yaml", "best.csv", "tickets"}
    assert files_of(outer.folder.parent / "lottery-ticket-workflow") == before
    assert outer.jobs() == {}
    assert not re.search(r"(?<!tickets/)results/", outer("-n", "-p", "--forceall", "lottery_all"))
    assert outer.jobs("lottery_figures")["lottery_plot"] == 1


@pytest.mark.long
def test_a_second_import_has_files_and_settings_of_its_own(outer):
    second = """
module deeper:
    snakefile: "../lottery-ticket-workflow/Snakefile"
    config: config["lottery"] | {"run": "second", "seed": 1}
    prefix: "deeper"

use rule * from deeper as deeper_*

rule both:
    input: rules.lottery_collect.output, rules.deeper_collect.output
"""
    with (outer.folder / "Snakefile").open("a") as snakefile:
        snakefile.write(second)
    jobs = outer.jobs("both")
    assert jobs["lottery_train"] == jobs["deeper_train"] == 3
    said = outer("-n", "-p", "both")
    assert "deeper/results/second/tables/levels.csv" in said
    named = [json.loads((outer.folder / path).read_text()) for path in set(re.findall(r"--settings (\S+)", said))]
    assert sorted((each["run"], each.get("seed", 0)) for each in named) == [("first", 0), ("second", 1)]
    assert "Estimate of the run 'second'" in outer("--cores", "1", "deeper_plan")


@pytest.mark.long
def test_relative_paths_of_extensions_start_at_the_working_directory(outer):
    own = outer.folder / "my own.py"
    own.write_text(examples("A network or a dataset", "python")[0])
    config = (outer.folder / "config.yaml").read_text().replace("lenet-30-10", "conv-stripes")
    (outer.folder / "config.yaml").write_text(config + "  extensions: [my own.py]\n")
    start = "tickets/results/first/small/r0-0/dense/level0/start.safetensors"
    outer("--cores", "1", start)
    assert "conv1.weight" in read_arrays(outer.folder / start)
    assert outer.jobs(start) == {}
    own.write_text(own.read_text() + "\n# Another remark.\n")
    assert outer.jobs(start) == {"lottery_initialize": 1}


def files_of(folder) -> set[str]:
    """All files but compiled code."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in str(path)}
