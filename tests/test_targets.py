"""What can be asked of the workflow, what is declared, and what is refused before anything runs."""

import json
import re

import pytest
from conftest import REPOSITORY, SMOKE, job_counts, overlay


def test_the_rule_graph_of_the_pages_is_that_of_the_rules(smoke):
    said = smoke("--rulegraph", "mermaid-js")
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", said))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(id\d+) --> (id\d+)", said)}
    shown = (REPOSITORY / "docs/design.md").read_text().split("```mermaid")[1].split("```")[0]
    assert set(re.findall(r"(\w+) --> (\w+)", shown)) == edges


def test_paper_mnist_is_declared_in_full(fresh):
    jobs = fresh.jobs("--configfile", "config/paper-mnist.yaml")
    assert jobs == {
        "prepare_dataset": 1,
        "initialize": 1 + 9,
        # 28 iterative levels, 9 one-shot levels of Figure 4a, 7 of Figure 4c.
        "prune": 28 + 9 + 7,
        "rewind": 28 + 9 + 7,
        "make_control": 28 + 9 + 7 + 28,
        "describe_tickets": 1,
        # The dense network, tickets, controls, and 9 small dense networks.
        "train": 1 + 2 * (28 + 9 + 7) + 28 + 9,
        "collect": 1,
        "judge_claims": 1,
        "plot": 1,
        "all": 1,
    }


@pytest.mark.long
def test_paper_cifar10_is_declared_in_full(fresh):
    jobs = fresh.jobs("--configfile", "config/paper-cifar10.yaml")
    conv, deep = 5 * (22 + 26 + 26), 3 * 3 * (32 + 14)
    # With dropout there are tickets alone.
    tickets, reinitialized = 2 * conv + deep, conv + deep
    assert jobs == {
        "prepare_dataset": 1,
        "initialize": 2 * 15 + 18,
        "prune": tickets,
        "rewind": tickets,
        "make_control": reinitialized,
        "train": 2 * 15 + 18 + tickets + reinitialized,
        "collect": 1,
        "judge_claims": 1,
        "plot": 1,
        "all": 1,
    }


@pytest.mark.long
def test_a_tenth_of_paper_mnist_is_the_same_jobs(fresh):
    whole = fresh.jobs("--configfile", "config/paper-mnist.yaml")
    options = ("--configfile", "config/paper-mnist.yaml", "config/paper-mnist-tenth.yaml")
    tenth = fresh("-n", "-p", *options)
    assert job_counts(tenth) == whole
    assert "results/paper-mnist-tenth/tables/levels.csv" in tenth
    (named,) = set(re.findall(r"--settings (\S+)", tenth))
    settings = json.loads((fresh.folder / named).read_text())
    assert settings["experiments"]["lenet-mnist"]["training"]["iterations"] == 5000


@pytest.mark.long
def test_the_grid_of_figure_4c_has_the_papers_steps(fresh):
    """2.5 points of the hidden layers: 39 steps instead of 7, each a ticket and its mask reinitialised."""
    coarse, fine = (
        fresh.jobs("--configfile", "config/paper-mnist.yaml", *more) for more in ([], ["config/paper-mnist-grid.yaml"])
    )
    assert {rule: fine[rule] - coarse[rule] for rule in fine if fine[rule] != coarse[rule]} == {
        "prune": 32,
        "rewind": 32,
        "make_control": 32,
        "train": 64,
    }


@pytest.mark.parametrize(
    ("target", "drawn"),
    [
        ("figure4", 1),
        ("figure_speed", 1),
        ("claims", 0),
        *(pytest.param(f"figure{part}", 1, marks=pytest.mark.long) for part in ("1", "3", "4b", "_size", "23", "s")),
    ],
)
def test_targets(smoke, target, drawn):
    copy_jobs = job_counts(smoke("-n", "--forceall", *SMOKE, "--", target))
    assert copy_jobs.get("plot", 0) == drawn, "one job draws all"
    assert copy_jobs["initialize"] == 2, "the dense network and a small one"
    assert copy_jobs["train"] == 8


@pytest.mark.long
@pytest.mark.parametrize(
    ("target", "figures", "told"),
    [
        ("figure5", "all", "config: figures: figure5 needs the arm iterative of a conv network without dropout"),
        ("figure4", '["figure1"]', "config: figures: does not name figure4a, so this run does not draw it"),
    ],
)
def test_a_figure_that_the_run_does_not_draw_is_told_before_anything_runs(smoke, target, figures, told):
    said = smoke("-n", *SMOKE, "--config", f"figures={figures}", "--", target, fails=True)
    assert told in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            {"experiments": {"lenet-mnist": {"network": "lenet5"}}},
            "experiments.lenet-mnist.network: unknown network 'lenet5'",
        ),
        ({"experiments": {"lenet-mnist": {"replicate": 3}}}, "experiments.lenet-mnist.replicate: unknown key"),
        ({"run": "it's; touch owned"}, "run: string should match pattern"),
    ],
)
def test_a_wrong_setting_stops_before_anything_runs(fresh, values, told):
    said = fresh("--cores", "1", *overlay(fresh, "wrong", **values), fails=True)
    assert f"config: {told}" in said
    assert "Traceback" not in said
    assert not (fresh.folder / "results").exists()


@pytest.mark.long
def test_a_failed_job_leaves_a_message_and_no_output(fresh):
    (fresh.folder / "resources/mnist/train-labels-idx1-ubyte.gz").write_bytes(b"not gzip")
    said = fresh(*SMOKE, fails=True)
    assert "train-labels-idx1-ubyte.gz: cannot be read: Not a gzipped file" in said
    assert not list((fresh.folder / "results/data").glob("*.safetensors"))
    assert not list((fresh.folder / "results").rglob("trained.safetensors"))
