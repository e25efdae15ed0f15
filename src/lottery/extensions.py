"""A user's own networks, datasets, arms, criteria and figures: Python files named by the settings, which add to tables.

A file is run as the user's own code, as a Snakefile is, and is never looked for anywhere but where it is named.
"""

import hashlib
import logging
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from lottery.arms.arm import Arm
from lottery.arms.rows import ARMS
from lottery.arrays import read_bytes
from lottery.datasets.catalog import SOURCES
from lottery.datasets.images import PARSERS, Parser
from lottery.datasets.sources import Source, check_source
from lottery.errors import LotteryError, suggest
from lottery.figures.catalog import CATALOG
from lottery.figures.figure import Figure
from lottery.figures.looks import LOOKS, Look
from lottery.networks import NETWORKS, Network, check_network, known_name
from lottery.pruning.criteria import CRITERIA, Criterion
from lottery.settings import NAME

log = logging.getLogger(__name__)

Score = Callable[[NDArray, NDArray, np.random.Generator], NDArray]

P = ParamSpec("P")
R = TypeVar("R")

NetworkMaker = Callable[[tuple[int, int, int], int], Network]
"""Makes a network for images of (channels, height, width) and a number of classes."""


Name = tuple[str, str]
"""What a table holds, such as `arm`, and a name in it."""


@dataclass(frozen=True)
class Extension:
    """A file that was loaded: its path as it was named, its content's SHA-256, the names that it added to tables."""

    path: str
    sha256: str
    names: frozenset[Name]


LOADED: dict[Path, Extension] = {}
"""The files loaded by this process, by absolute path, in their order."""


def add_network(name: str, make: NetworkMaker) -> None:
    """Let experiments name a network, which `make` makes for each kind of images.

    Raises LotteryError when the name is taken or not of the form `small-net`. What `make` gives is checked when it is
    asked for.
    """
    check_name("network", name)
    if known_name(name):
        raise LotteryError(f"there is a network {name!r} already")
    make_safely = told_in_one_line(f"network: {name}", make)

    def made(image_shape: tuple[int, ...], classes: int) -> Network:
        channels, height, width = image_shape
        network = make_safely((channels, height, width), classes)
        if not isinstance(network, Network):
            raise LotteryError(f"network: {name}: the function that makes it returns {network!r}, not a Network")
        try:
            check_network(network, (channels, height, width), classes)
        except LotteryError as error:
            raise LotteryError(f"network: {name}: {error}") from None
        return network

    NETWORKS[name] = made


def add_dataset(data: Source, parse: Parser | None = None) -> None:
    """Let experiments name a dataset.

    parse: the parser of its format, where that is new: from the source and the bytes of its raw files by name, unpacked
    and verified, to the uint8 arrays `data.shapes`. Raises LotteryError when a name is taken or anything in the source
    cannot be.
    """
    check_name("dataset", data.name)
    if data.name in SOURCES:
        raise LotteryError(f"there is a dataset {data.name!r} already")
    check_source(data)
    if parse:
        if data.format in PARSERS:
            raise LotteryError(f"there is a format {data.format!r} already; a parser of another one needs another name")
        PARSERS[data.format] = told_in_one_line(f"dataset: {data.name}", parse)
    elif data.format not in PARSERS:
        raise LotteryError(f"the format {data.format!r} has no parser; known: {', '.join(PARSERS)}")
    SOURCES[data.name] = data


def add_arm(row: Arm, look: Look | None = None) -> None:
    """Let experiments name an arm.

    look: how a figure draws it, if one does. Raises LotteryError when the name is taken, or the arm names another that
    is not there or has no masks.
    """
    check_name("arm", row.name)
    if row.name in ARMS:
        raise LotteryError(f"there is an arm {row.name!r} already")
    for name in row.named_arms:
        known = [each.name for each in ARMS.values() if each.masked and not each.samples and not each.transferred]
        if name not in known and not (row.as_small_as and name in ARMS and ARMS[name].masked):
            pruned = ", ".join(known)
            raise LotteryError(f"arm {row.name}: {name!r} is no arm whose masks can be taken; known: {pruned}")
    if row.criterion and row.criterion not in CRITERIA:
        raise LotteryError(f"arm {row.name}: unknown criterion {row.criterion!r}{suggest(row.criterion, CRITERIA)}")
    ARMS[row.name] = row
    if look:
        LOOKS[row.name] = look


def add_criterion(name: str, score: Score, *, compares: bool = False) -> None:
    """Let arms prune by a criterion of what weights tell.

    score: from the survivors' weights and initial weights of a layer, each float32 [survivors], and a generator, to
    their scores, [survivors]; those of the largest scores are kept. compares: whether it looks at the initial weights.
    Raises LotteryError when the name is taken.
    """
    check_name("criterion", name)
    if name in CRITERIA:
        raise LotteryError(f"there is a criterion {name!r} already")
    score_safely = told_in_one_line(f"criterion {name}", score)

    def scores(weights: NDArray, initial: NDArray, random: np.random.Generator) -> NDArray:
        found = np.asarray(score_safely(weights, initial, random))
        if found.shape != weights.shape or found.dtype.kind not in "fiu":
            given = f"{found.dtype} {list(found.shape)}"
            raise LotteryError(f"criterion {name}: gives {given}, expected numbers {list(weights.shape)}")
        return found

    CRITERIA[name] = Criterion(scores, compares)


def add_figure(row: Figure) -> None:
    """Let runs draw a figure: a row as those of the catalog, with a picture of one of the kinds there are.

    Raises LotteryError when the name is taken.
    """
    check_name("figure", row.name)
    if row.name in CATALOG:
        raise LotteryError(f"there is a figure {row.name!r} already")
    CATALOG[row.name] = row


def check_name(kind: str, name: str) -> None:
    """Raise LotteryError for a name that cannot stand in paths and commands."""
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise LotteryError(f"the name of the {kind} {name!r} must be of the form small-net (a-z, 0-9, -)")


def load(paths: Iterable[str | Path]) -> None:
    """Run these files in order, each once in a process. Relative paths start at the working directory.

    Raises LotteryError with the file and, where there is one, the line.
    """
    for path in map(Path, paths):
        if path.resolve() not in LOADED:
            LOADED[path.resolve()] = loaded(path)


def loaded(path: Path) -> Extension:
    """Run one file."""
    try:
        content = read_bytes(path)
    except LotteryError as error:
        below = "" if path.is_absolute() else f"; relative paths start at the working directory, {Path.cwd()}"
        raise LotteryError(f"{error}{below}") from None
    log.info("Loading %s", path)
    before = table_names()
    name = f"_lottery_extension_{len(LOADED)}"
    loader = AsItIsNow(name, str(path), content)
    spec = spec_from_file_location(name, path, loader=loader)
    assert spec
    # Classes find the module that they were defined in by its name, dataclasses among them.
    module = sys.modules[name] = module_from_spec(spec)
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise LotteryError(told(error, {str(path)}) or f"{path}: {what(error)}") from None
    return Extension(
        str(path),
        hashlib.sha256(content).hexdigest(),
        table_names() - before,
    )


def table_names() -> frozenset[Name]:
    """All names of the tables that a file can add to."""
    tables: dict[str, Iterable[str]] = {
        "network": NETWORKS,
        "dataset": SOURCES,
        "arm": ARMS,
        "criterion": CRITERIA,
        "figure": CATALOG,
    }
    return frozenset((kind, name) for kind, table in tables.items() for name in table)


class AsItIsNow(SourceFileLoader):
    """Compiles the very bytes that were read, and leaves no compiled copy beside them.

    Python takes such a copy for that of a file edited within the same second to the same size.
    """

    def __init__(self, name: str, path: str, content: bytes) -> None:
        super().__init__(name, path)
        self.content = content

    def get_code(self, _: str) -> CodeType:
        return self.source_to_code(self.content, self.path)


def needed(paths: Sequence[str], names: Collection[Name]) -> list[str]:
    """Of the loaded files named by a run, those that jobs of these names (network, dataset, arm, ...) depend on.

    They are the file that adds a name and all before it, which it may build on; none where all are known without them,
    so that an edit repeats nothing there.
    """
    adding = [LOADED[Path(path).resolve()] for path in paths]
    last = max((number for number, each in enumerate(adding, 1) if each.names & set(names)), default=0)
    return list(paths[:last])


def told_in_one_line(begins: str, function: Callable[P, R]) -> Callable[P, R]:
    """A user's function, whose errors become LotteryError: how they begin, the file and line, the error."""

    def call(*arguments: P.args, **options: P.kwargs) -> R:
        try:
            return function(*arguments, **options)
        except LotteryError as error:
            raise LotteryError(f"{begins}: {error}") from None
        except (Exception, SystemExit) as error:
            where = told(error, {each.path for each in LOADED.values()}) or what(error)
            raise LotteryError(f"{begins}: {where}") from error

    return call


def told(error: BaseException, files: Collection[str]) -> str:
    """An error in one line that begins with the last line of one of these files that it went through; empty if none."""
    if isinstance(error, SyntaxError) and error.filename in files:
        line = f", line {error.lineno}" if error.lineno else ""
        return f"{error.filename}{line}: {what(error)}"
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    return f"{lines[-1].filename}, line {lines[-1].lineno}: {what(error)}" if lines else ""


def what(error: BaseException) -> str:
    """The kind and the text of an error in one line."""
    text = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    kind = "" if isinstance(error, LotteryError) else type(error).__name__
    return ": ".join(filter(None, [kind, text if text.isprintable() else ascii(text)]))
