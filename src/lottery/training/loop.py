"""One training from start to end, whatever engine computes it: stretches of updates with evaluations between."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.datasets.batches import Batches
from lottery.settings import Training

Part = Literal["train", "validation", "test"]


class Engine(Protocol):
    """A network in training: its weights, its optimiser's state and the images, wherever they are kept.

    An engine is a module with a class `Engine`, a function `resident` that prepares the images for it once for all
    members of a job, a function `one_thread` that every thread calls before it computes, and the names `PACKAGES` of
    the packages whose versions can matter.
    """

    def advance(self, batches: NDArray) -> float:
        """Make one update for each row of `batches` (int64 [updates, batch_size]); the mean of their losses."""

    def evaluate(self, part: Part) -> tuple[float, float]:
        """Mean cross-entropy (natural logarithm) and accuracy, as a fraction, on one part of the images."""

    def parameters(self) -> Arrays:
        """A copy of all parameters, float32."""

    def load(self, parameters: Arrays) -> None:
        """Set all parameters; the optimiser's state stays."""


@dataclass(frozen=True)
class Row:
    """One line of a history. Measures that were not taken at this iteration are NaN."""

    iteration: int
    validation_loss: float
    validation_accuracy: float
    test_accuracy: float
    train_loss: float


@dataclass(frozen=True)
class Result:
    """What one training comes to. Losses in nats, accuracies as fractions, iterations as numbers of updates."""

    early_stop_iteration: int
    validation_loss_at_early_stop: float
    validation_accuracy_at_early_stop: float
    test_accuracy_at_early_stop: float
    train_accuracy_at_early_stop: float
    test_accuracy_final: float
    train_accuracy_final: float
    train_seconds: float


@dataclass
class Record:
    """What a training leaves: its history, its result and its last weights."""

    rows: list[Row] = field(default_factory=list)
    result: Result | None = None
    trained: Arrays = field(default_factory=dict)


def train(engine: Engine, batches: Batches, recipe: Training, record: Record) -> Iterator[int]:
    """Train to the end, filling `record`; yields the iteration reached after each evaluation.

    The early-stop iteration is the first one of least validation loss on the evaluation grid (paper, App. C, G.1),
    found without a look at the test images; training always runs to its end.
    """
    seconds = 0.0
    best, best_parameters = None, Arrays()
    for iteration in range(0, recipe.iterations + 1, recipe.validation_every):
        began = time.perf_counter()
        train_loss = math.nan
        if iteration:
            train_loss = engine.advance(batches(iteration - recipe.validation_every, iteration))
        loss, accuracy = engine.evaluate("validation")
        curve_point = iteration % recipe.test_every == 0
        row = Row(iteration, loss, accuracy, engine.evaluate("test")[1] if curve_point else math.nan, train_loss)
        record.rows.append(row)
        if best is None or row.validation_loss < best.validation_loss:
            best, best_parameters = row, engine.parameters()
        seconds += time.perf_counter() - began
        yield iteration
    assert best is not None
    began = time.perf_counter()
    record.trained = engine.parameters()
    test_final, train_final = engine.evaluate("test")[1], engine.evaluate("train")[1]
    test_best, train_best = test_final, train_final
    if best.iteration < recipe.iterations:
        engine.load(best_parameters)
        test_best, train_best = engine.evaluate("test")[1], engine.evaluate("train")[1]
    record.result = Result(
        early_stop_iteration=best.iteration,
        validation_loss_at_early_stop=best.validation_loss,
        validation_accuracy_at_early_stop=best.validation_accuracy,
        test_accuracy_at_early_stop=test_best,
        train_accuracy_at_early_stop=train_best,
        test_accuracy_final=test_final,
        train_accuracy_final=train_final,
        train_seconds=seconds + time.perf_counter() - began,
    )
