"""Another workflow imports this one, as `docs/extending.md` and `docs/module.md` tell; their very text is run."""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest
from conftest import REPOSITORY, Workflow, copy_of_repository, examples

import lottery
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


@pytest.fixture
def remote(tmp_path, monkeypatch) -> Workflow:
    """The workflow of docs/module.md; git takes a repository of this machine for that of the host, and pip has
    installed the package from it.
    """
    checkout, installed = tmp_path / "checkout", tmp_path / "installed"
    copy_of_repository(checkout)
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message=All"], ["tag", "v1.0.0"]):
        subprocess.run([*git, *command], cwd=checkout, check=True)
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(installed)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(checkout)], check=True)
    host = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{checkout}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/OWNER/lottery-ticket-workflow",
    }
    data = {"LOTTERY_DATA": str(REPOSITORY / "resources"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for name, value in (host | data | {"PYTHONPATH": str(installed)}).items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "outer"
    folder.mkdir()
    document = (REPOSITORY / "docs/module.md").read_text()
    for name, language in [("Snakefile", "python"), ("config.yaml", "yaml")]:
        (text,) = re.findall(rf"^```{language}\n(.*?)^```$", document, flags=re.MULTILINE | re.DOTALL)
        (folder / name).write_text(text)
    return Workflow(folder)


@pytest.mark.long
def test_rules_from_a_host_run_the_installed_package(remote):
    remote("--cores", "2", "lottery_tables")
    results = remote.folder / "tickets/results/first"
    assert pd.read_csv(results / "tables/levels.csv")["arm"].tolist() == ["dense", "iterative"]
    summary = json.loads((results / "small/r0-0/dense/level0/summary.json").read_text())
    assert summary["versions"]["lottery-ticket-workflow"] == lottery.__version__
    assert remote.jobs("lottery_tables") == {}
    assert remote.jobs("lottery_figures")["lottery_plot"] == 1


@pytest.mark.long
def test_what_rules_from_a_host_lack_is_told_before_anything_runs(remote):
    snakefile = remote.folder / "Snakefile"
    other, tagged = snakefile.read_text().replace("v1.0.0", "v0.9.0"), snakefile.read_text()
    subprocess.run(["git", "tag", "v0.9.0"], cwd=remote.folder.parent / "checkout", check=True)
    snakefile.write_text(other)
    told = f"lottery: the package is of version {lottery.__version__}, the rules of v0.9.0"
    assert told in remote("-n", "lottery_tables", fails=True)
    snakefile.write_text(tagged)
    assert "do not hold the package" in remote("-n", "--sdm", "conda", "--", "lottery_tables", fails=True)


def files_of(folder) -> set[str]:
    """All files but compiled code."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if "__pycache__" not in str(path)}
