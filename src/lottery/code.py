"""Which files of the package a result depends on: a module and all that it imports, tables and settings apart."""

import ast
import hashlib
import threading
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent

REPOSITORY = PACKAGE.parents[1]
"""Where the workflow lies, and the datasets that it brings."""

TOLD = (
    "arms/arm.py",
    "arms/lineage.py",
    "arms/pairs.py",
    "arms/places.py",
    "arms/rows.py",
    "arms/starts.py",
    "code.py",
    "errors.py",
    "extensions.py",
    "datasets/catalog.py",
    "figures/catalog.py",
    "figures/figure.py",
    "figures/follow_ups.py",
    "figures/looks.py",
    "networks/catalog.py",
    "pruning/allocation.py",
    "pruning/criteria.py",
    "runs/dependence.py",
    "runs/jobs.py",
    "runs/lines.py",
    "runs/listing.py",
    "runs/reading.py",
    "settings/__init__.py",
    "settings/reading.py",
    "settings/sections.py",
    "training/cards.py",
)
"""Files whose edit repeats nothing by itself: what they say of a job is among its parameters (`runs.dependence`) or
chooses its inputs, or it changes no result.
"""


VERBS = {
    "prepare-dataset": ("datasets/images.py",),
    **dict.fromkeys(("initialize", "rewind", "make-control", "prune"), ("runs/steps.py",)),
    "train": ("training/job.py",),
    "score": ("training/scores.py",),
    "interpolate": ("training/interpolation.py",),
    "collect": ("analysis/collecting.py",),
    "describe-tickets": ("analysis/ticket_weights.py",),
    "collect-barriers": ("analysis/barriers.py",),
    "compare-masks": ("analysis/overlaps.py",),
    "judge-claims": ("analysis/judging.py",),
    "plot": ("figures/drawing.py",),
    "export": ("tickets/export.py", "tickets/formats.py"),
    "describe-structure": ("tickets/structure.py",),
    "bench-inference": ("benchmark/inference.py", "benchmark/worth.py", "figures/inference.py"),
}
"""The modules that do what a verb promises: what it makes is made anew when they, or what they import, are edited."""


@cache
def of_verb(verb: str) -> str:
    """A hash of the code that a verb's results depend on."""
    return digest_of(modules_of(*VERBS[verb]))


def modules_of(*names: str) -> list[Path]:
    """The files of these modules, named as below the package, and of all that they import, but those TOLD and what only
    these import.
    """
    told, seen = {PACKAGE / name for name in TOLD}, set[Path]()
    waiting = [PACKAGE / name for name in names]
    while waiting:
        module = waiting.pop()
        if module not in seen | told:
            seen.add(module)
            waiting += imported(module)
    return sorted(seen)


ONE_AT_A_TIME = threading.Lock()
"""Python 3.11 makes errors of two threads that parse at once (AST constructor recursion depth mismatch)."""


@cache
def imported(module: Path) -> list[Path]:
    """The files of the package that a module imports, inside its functions too."""
    found: set[Path] = set()
    with ONE_AT_A_TIME:
        statements = list(ast.walk(ast.parse(module.read_bytes())))
    for statement in statements:
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")[0] == "lottery":
            folder = PACKAGE.joinpath(*(statement.module or "").split(".")[1:])
            names = [folder, *(folder / name.name for name in statement.names)]
            found |= {file for name in names for file in (name.with_suffix(".py"), name / "__init__.py")}
    return sorted(file for file in found if file.is_file() and file != PACKAGE / "__init__.py")


def digest_of(files: Iterable[Path]) -> str:
    """A hash of the content of these files."""
    content = hashlib.sha256()
    for file in files:
        content.update(file.read_bytes())
    return content.hexdigest()
