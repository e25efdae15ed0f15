"""The example of `docs/extending.md` with an arm, a criterion and a figure, word for word, in a real run."""

import numpy as np
import pandas as pd
import pytest
from conftest import Workflow, copy_of_repository, examples, job_counts

from lottery.arrays import read_arrays
from lottery.networks import build
from lottery.pruning.allocation import ladder
from lottery.settings import Pruning

SECTION = "An arm, a criterion and a figure of your own"
(EXTENSION,) = examples(SECTION, "python")
(CONFIG,) = examples(SECTION, "yaml")
OPTIONS = ("--configfile", "my/smallest.yaml")


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Workflow:
    """A copy with the document's files."""
    made = copy_of_repository(tmp_path_factory.mktemp("smallest"))
    (made.folder / "my").mkdir()
    (made.folder / "my/smallest.py").write_text(EXTENSION)
    (made.folder / "my/smallest.yaml").write_text(CONFIG)
    return made


@pytest.fixture(scope="module")
def workflow(example) -> Workflow:
    """The same, with the document's run complete."""
    example("--cores", "2", *OPTIONS)
    return example


def test_the_example_is_taken(example):
    jobs = job_counts(example("-n", "--forceall", *OPTIONS))
    assert {name: jobs[name] for name in ("prune", "make_control", "plot")} == {
        "prune": 6,
        "make_control": 3,
        "plot": 1,
    }


@pytest.mark.long
def test_the_smallest_weights_stay(workflow):
    folder = workflow.folder / "results/smallest/lenet-mnist/r0-1"
    trained = read_arrays(folder / "dense/level0/trained.safetensors")
    mask = read_arrays(folder / "smallest/level1/mask.safetensors")
    for (name,), count in ladder(build("lenet-30-10", (28, 28), 10), Pruning(), 1).items():
        for weights, kept in zip(np.abs(trained[name]), mask[name] == 1, strict=True):
            assert kept.sum() == count
            assert weights[kept].max() <= weights[~kept].min()
    levels = pd.read_csv(workflow.folder / "results/smallest/tables/levels.csv")
    assert set(levels["arm"]) == {"dense", "iterative", "smallest", "smallest-reinit"}
    assert sorted(file.name for file in (workflow.folder / "results/smallest/figures").iterdir()) == [
        f"figure-smallest.{suffix}" for suffix in ("pdf", "png", "svg")
    ]


@pytest.mark.long
def test_an_edit_repeats_the_arms_that_the_file_adds_and_their_figure(workflow):
    path = workflow.folder / "my/smallest.py"
    path.write_text(EXTENSION + "\n# A remark.\n")
    try:
        jobs = workflow.jobs(*OPTIONS)
    finally:
        path.write_text(EXTENSION)
    tables = {"collect": 1, "judge_claims": 1, "plot": 1, "all": 1}
    assert jobs == {"prune": 3, "rewind": 3, "make_control": 3, "train": 6, **tables}
