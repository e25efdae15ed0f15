"""Trainings from start to end, whatever engine computes it: stretches of updates with evaluations between."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lottery.arrays import Arrays, of_member
from lottery.arrays.weights import SEPARATOR, named_snapshots
from lottery.datasets.batches import Stretches
from lottery.datasets.images import Part
from lottery.settings import Training
from lottery.training.engines import Engine, Stretch


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
    """What one training comes to. Losses in nats, accuracies as fractions, iterations as numbers of updates.

    A training whose loss stopped being a number has nothing but the iteration at which that was seen.
    """

    early_stop_iteration: int | None = None
    validation_loss_at_early_stop: float | None = None
    validation_accuracy_at_early_stop: float | None = None
    test_accuracy_at_early_stop: float | None = None
    train_accuracy_at_early_stop: float | None = None
    test_accuracy_final: float | None = None
    train_accuracy_final: float | None = None
    diverged_iteration: int | None = None
    train_seconds: float = 0.0


@dataclass(frozen=True)
class Record:
    """What a training leaves: its history, its result, and its weights, float32 [*shape], at the end, at early stop and
    at the iterations of its snapshots.

    Where training diverged, they are those of its least validation loss before.
    """

    rows: list[Row]
    result: Result
    trained: Arrays
    early_stop: Arrays
    snapshots: dict[int, Arrays]


class Diverged(Exception):  # noqa: N818 - an outcome
    """Losses of these members stopped being numbers, and the recipe says `on_divergence: fail`."""

    def __init__(self, members: list[int], iteration: int) -> None:
        super().__init__(members, iteration)
        self.members, self.iteration = members, iteration


@dataclass(frozen=True)
class MemberData:
    """What one member is trained on: its batches, how their images are seen, by iteration the seed of its dropout."""

    batches: Stretches
    views: Stretches | None = None
    noise: Callable[[int], int] | None = None


class Course:
    """An engine's members on their way from start to end, from one point of the evaluation grid to the next.

    The early-stop iteration is the first one of least validation loss on that grid (paper, App. C, G.1), found without
    a look at the test images; training always runs to its end.
    """

    def __init__(
        self,
        engine: Engine,
        data: Sequence[MemberData],
        recipe: Training,
        first: int = 0,
        snapshots: Iterable[int] = (),
        last: int | None = None,
    ) -> None:
        """data: that of each member; first, last: the iterations at which training begins and ends, the latter the
        recipe's when absent; snapshots: points of the evaluation grid at which the weights are kept.
        """
        self.engine, self.data, self.recipe, self.first = engine, data, recipe, first
        self.last = recipe.iterations if last is None else last
        self.snapshots: dict[int, Arrays | None] = dict.fromkeys(snapshots)
        """Weights [members, *shape] by iteration; None where it was not reached."""
        self.history = np.empty((0, 4, len(data)))
        """float64 [points of the grid reached, the measures of a Row, members]."""
        self.diverged = np.full(len(data), -1)
        """Iteration at which a member's losses were first seen to be no numbers; -1 where they are."""
        self.best_parameters = engine.parameters()
        """Weights [members, *shape] of each member's least validation loss so far."""
        self.seconds = 0.0
        self.records: list[Record] = []
        """What each member leaves, once it has been measured."""

    @property
    def iteration(self) -> int:
        """The iteration reached; less than the first before the first evaluation."""
        return self.first + (len(self.history) - 1) * self.recipe.validation_every

    @property
    def finished(self) -> bool:
        return self.iteration >= self.last or bool((self.diverged >= 0).all())

    def advance(self) -> None:
        """Train to the next point of the grid and evaluate there. Raises Diverged where the recipe wants that."""
        began = time.perf_counter()
        unknown = np.full(len(self.data), math.nan)
        first, iteration = self.iteration, self.iteration + self.recipe.validation_every
        train_loss = unknown
        if len(self.history):
            train_loss = self.update(first, iteration)
        loss, accuracy = self.engine.evaluate("validation")
        test = self.engine.evaluate("test")[1] if iteration % self.recipe.test_every == 0 else unknown
        lost = ~np.isfinite(loss) | (len(self.history) > 0) & ~np.isfinite(train_loss)
        self.diverged[lost & (self.diverged < 0)] = iteration
        better = (self.diverged < 0) & (loss < np.min(self.history[:, 0], axis=0, initial=math.inf))
        if better.any():
            for name, values in self.engine.parameters().items():
                self.best_parameters[name][better] = values[better]
        self.history = np.concatenate([self.history, np.stack([loss, accuracy, test, train_loss])[None]])
        if iteration in self.snapshots:
            self.snapshots[iteration] = self.engine.parameters()
        self.seconds += time.perf_counter() - began
        if lost.any() and self.recipe.on_divergence == "fail":
            raise Diverged(np.flatnonzero(lost).tolist(), iteration)

    def update(self, first: int, last: int) -> NDArray:
        """Make the updates first, ..., last - 1; the mean of their losses, [members]."""
        views = [each.views(first, last) for each in self.data if each.views]
        stretch = Stretch(
            batches=np.stack([each.batches(first, last) for each in self.data]),
            rates=rates(self.recipe, first, last),
            views=np.stack(views) if views else None,
            noise=[each.noise(first) for each in self.data if each.noise] or None,
        )
        return self.engine.advance(stretch)

    def measure(self) -> None:
        """Fill `records`: measure the members at their end and at their early stop."""
        began = time.perf_counter()
        trained = self.engine.parameters()
        final = at_best = accuracies(self.engine)
        best = np.where(np.isnan(self.history[:, 0]), math.inf, self.history[:, 0]).argmin(axis=0)
        if (best < len(self.history) - 1).any():
            self.engine.load(self.best_parameters)
            at_best = accuracies(self.engine)
        seconds = (self.seconds + time.perf_counter() - began) / len(self.data)
        for index, diverged in enumerate(self.diverged.tolist()):
            early_stop = of_member(self.best_parameters, index)
            rows = [
                Row(self.first + number * self.recipe.validation_every, *measures)
                for number, measures in enumerate(self.history[:, :, index].tolist())
            ]
            assert diverged >= 0 or None not in self.snapshots.values(), "a snapshot before the start"
            kept = {
                iteration: of_member(
                    self.best_parameters if arrays is None or 0 <= diverged <= iteration else arrays, index
                )
                for iteration, arrays in self.snapshots.items()
            }
            if diverged >= 0:
                reached = [row for row in rows if row.iteration <= diverged]
                result = Result(diverged_iteration=diverged, train_seconds=seconds)
                self.records.append(Record(reached, result, early_stop, early_stop, kept))
                continue
            stop = rows[best[index]]
            result = Result(
                early_stop_iteration=stop.iteration,
                validation_loss_at_early_stop=stop.validation_loss,
                validation_accuracy_at_early_stop=stop.validation_accuracy,
                test_accuracy_at_early_stop=float(at_best["test"][index]),
                train_accuracy_at_early_stop=float(at_best["train"][index]),
                test_accuracy_final=float(final["test"][index]),
                train_accuracy_final=float(final["train"][index]),
                train_seconds=seconds,
            )
            self.records.append(Record(rows, result, of_member(trained, index), early_stop, kept))

    def state(self) -> Arrays:
        """Everything that the rest of the training depends on."""
        own = {"history": self.history, "diverged": self.diverged, "seconds": np.array([self.seconds])}
        best = {f"best.{name}": values for name, values in self.best_parameters.items()}
        reached = {iteration: arrays for iteration, arrays in self.snapshots.items() if arrays is not None}
        return (
            own
            | best
            | named_snapshots(reached)
            | {f"engine.{name}": values for name, values in self.engine.state().items()}
        )

    def restore(self, state: Arrays) -> None:
        """Go back to where `state` was taken, in a course of an engine and data like those it was taken of."""
        self.history, self.diverged, self.seconds = state["history"], state["diverged"], float(state["seconds"][0])
        self.best_parameters = {name: state[f"best.{name}"] for name in self.best_parameters}
        for iteration in self.snapshots:
            names = {name: f"{iteration}{SEPARATOR}{name}" for name in self.best_parameters}
            if all(stored in state for stored in names.values()):
                self.snapshots[iteration] = {name: state[stored] for name, stored in names.items()}
        self.engine.restore(
            {name.removeprefix("engine."): values for name, values in state.items() if name.startswith("engine.")}
        )


def rates(recipe: Training, first: int, last: int) -> list[float]:
    """The step size of the updates first, ..., last - 1, counted from 0."""
    return [
        recipe.learning_rate
        * (min(1.0, (update + 1) / recipe.warmup_iterations) if recipe.warmup_iterations else 1.0)
        * 0.1 ** sum(update >= drop for drop in recipe.rate_drops)
        for update in range(first, last)
    ]


def accuracies(engine: Engine) -> dict[Part, NDArray]:
    """Accuracy [members] on the test and the training images."""
    return {"test": engine.evaluate("test")[1], "train": engine.evaluate("train")[1]}
