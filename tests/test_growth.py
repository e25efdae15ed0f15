"""A finished run stays finished when the project grows: each kind of row, planted in a copy, plans no training."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import SMOKE, Workflow

FIGURE = """        Figure(
            "figure-more",
            "One more",
            BySize(("iterative",), ("test_accuracy_final",)),
            "One more figure.",
        ),
"""

CLAIM = """    Claim(
        "X1",
        "The 51.3% ticket is more accurate than the dense network, once more",
        "nowhere",
        Gain("iterative", 0.513),
        BETTER,
    ),
"""

CRITERION = '''def smallest(weights: NDArray, _: NDArray, __: np.random.Generator) -> NDArray:
    """-|w|."""
    return -np.abs(weights)


@dataclass(frozen=True)
class Criterion:'''

EDITS: dict[str, list[tuple[str, str, str]]] = {
    "an arm": [
        ("arms/rows.py", 'Arm("random",', 'Arm("one-more", Borrowed("iterative"), Noisy(0.1)),\n        Arm("random",')
    ],
    "a key of the training": [
        (
            "settings/sections.py",
            '    batch_size: int = key("Images',
            '    one_more: float = key("One more.", default=0.0)\n    batch_size: int = key("Images',
        )
    ],
    "a key of the pruning": [
        (
            "settings/sections.py",
            '    output_rate: float = key("Share',
            '    one_more: bool = key("One more.", default=False)\n    output_rate: float = key("Share',
        )
    ],
    "a key of an experiment": [
        (
            "settings/sections.py",
            "    levels: int = key(",
            '    one_more: list[int] = key("One more.", default=[])\n    levels: int = key(',
        )
    ],
    "a network": [
        (
            "networks/catalog.py",
            '    "vgg-16": partial(',
            '    "conv-3": partial(convolutional, [[64, 64, 64]]),\n    "vgg-16": partial(',
        )
    ],
    "a pair of networks": [
        (
            "arms/pairs.py",
            '        twins("dense-twins",',
            '        twins("more", DENSE, "dense-twin"),\n        twins("dense-twins",',
        )
    ],
    "a comment at a dataset": [
        ("datasets/catalog.py", '    "mnist": Source(', '    # One more.\n    "mnist": Source(')
    ],
    "another address of a dataset": [
        (
            "datasets/catalog.py",
            "https://ossci",
            "https://mirror.example/",
        )
    ],
    "a criterion": [
        ("pruning/criteria.py", "@dataclass(frozen=True)\nclass Criterion:", CRITERION),
        (
            "pruning/criteria.py",
            '    "movement": Criterion(',
            '    "smallest": Criterion(smallest),\n    "movement": Criterion(',
        ),
    ],
    "a kind of start": [
        ("arms/starts.py", "\nStart = ", "\n@dataclass(frozen=True)\nclass Zero(Fresh):\n    pass\n\n\nStart = ")
    ],
}
"""What is planted: in which file, before what, and what is put there."""


@contextmanager
def planted(workflow: Workflow, edits: list[tuple[str, str, str]]) -> Iterator[None]:
    """The copy with these edits, and afterwards as it was."""
    before: dict[Path, tuple[str, os.stat_result]] = {}
    try:
        for name, old, new in edits:
            path = workflow.folder / "src/lottery" / name
            text = path.read_text()
            before.setdefault(path, (text, path.stat()))
            assert text.count(old) >= 1, f"{name} has no {old!r}"
            path.write_text(text.replace(old, new, 1))
        yield
    finally:
        for path, (text, status) in before.items():
            path.write_text(text)
            os.utime(path, (status.st_atime, status.st_mtime))


def test_growth_repeats_nothing(smoke):
    with planted(smoke, [edit for edits in EDITS.values() for edit in edits]):
        assert smoke.jobs(*SMOKE) == {}


@pytest.mark.long
@pytest.mark.parametrize("what", EDITS)
def test_each_kind_of_growth_repeats_nothing(smoke, what):
    with planted(smoke, EDITS[what]):
        assert smoke.jobs(*SMOKE) == {}


def test_a_further_figure_repeats_the_figures_alone(smoke):
    edit = (
        "figures/catalog.py",
        '        Figure(\n            "figure3",',
        f'{FIGURE}        Figure(\n            "figure3",',
    )
    with planted(smoke, [edit]):
        assert smoke.jobs(*SMOKE) == {"plot": 1, "all": 1}


def test_a_further_claim_is_judged_alone(smoke):
    edit = ("analysis/claims_lenet.py", '    Claim(\n        "L1a",', f'{CLAIM}    Claim(\n        "L1a",')
    with planted(smoke, [edit]):
        assert smoke.jobs(*SMOKE) == {"judge_claims": 1, "all": 1}


ANALYSIS = {"collect": 1, "describe_tickets": 1, "judge_claims": 1, "plot": 1, "all": 1}


@pytest.mark.parametrize(
    ("edits", "repeated"),
    [
        (
            [
                (
                    "arms/rows.py",
                    'Arm("iterative-reinit", Borrowed("iterative"), Fresh())',
                    'Arm("iterative-reinit", Borrowed("iterative"), SameSign())',
                )
            ],
            {"make_control": 1, "train": 1},
        ),
        (
            [("arms/starts.py", "rewind(made.fresh(), made.mask)", "rewind(dict(made.fresh()), made.mask)")],
            {"initialize": 2, "train": 8},
        ),
        (
            [("pruning/criteria.py", "    return np.abs(weights)\n", "    return abs(weights)\n")],
            {"prune": 4, "train": 6},
        ),
        ([("networks/catalog.py", '"relu", "dropout"]', '"relu"]')], {"initialize": 2, "train": 8}),
    ],
    ids=["an arm", "a kind of start", "a criterion", "a network"],
)
def test_a_row_that_changes_repeats_what_depends_on_it(smoke, edits, repeated):
    with planted(smoke, edits):
        jobs = smoke.jobs(*SMOKE)
    assert {rule: jobs.get(rule, 0) for rule in repeated} == repeated
    assert jobs["all"] == 1
    if repeated == {"make_control": 1, "train": 1}:
        assert {rule: count for rule, count in jobs.items() if rule not in repeated} == {
            name: count for name, count in ANALYSIS.items() if name != "describe_tickets"
        }
