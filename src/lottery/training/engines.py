"""The engines by name: what each refuses to train and why, and its code. Imports neither torch nor numba."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from lottery.arrays import Arrays
from lottery.datasets.images import Part, Split
from lottery.errors import LotteryError
from lottery.networks import Network
from lottery.settings import Training


@dataclass(frozen=True)
class Stretch:
    """What an engine's members are trained on from one point of the evaluation grid to the next.

    batches: int64 [members, updates, batch_size], places among the member's own training images; rates: the step size
    of each update; views: uint8 [members, updates, batch_size, 3], None without augmentation; noise: a seed for each
    member's dropout, None without it.
    """

    batches: NDArray
    rates: Sequence[float]
    views: NDArray | None = None
    noise: Sequence[int] | None = None


class Engine(Protocol):
    """Networks in training side by side: their weights, optimisers and images, wherever they are kept.

    The leading axis of every array is the members.
    """

    def advance(self, stretch: Stretch) -> NDArray:
        """Update every member once with each of its batches; the mean of their losses, float64 [members]."""
        ...

    def evaluate(self, part: Part) -> tuple[NDArray, NDArray]:
        """Mean cross-entropy (natural logarithm) and accuracy, as a fraction, on one part of the images, [members]."""
        ...

    def parameters(self) -> Arrays:
        """A copy of all parameters, float32 [members, *shape]."""
        ...

    def load(self, parameters: Arrays) -> None:
        """Set all parameters; the optimisers' state stays."""
        ...

    def state(self) -> Arrays:
        """Everything that changes in training, bit for bit, under names and in shapes of the engine's own."""
        ...

    def restore(self, state: Arrays) -> None:
        """Go back to where `state` was taken, in an engine made from the same start, mask, images and recipe."""
        ...


class EngineMaker(Protocol):
    """The class of an engine's networks."""

    def __call__(
        self,
        network: Network,
        start: Mapping[str, NDArray],
        mask: Mapping[str, NDArray] | None,
        images: Sequence[Mapping[Part, Any]],
        recipe: Training,
    ) -> Engine:
        """start: float32 [members, *shape] of every parameter; mask: uint8 [members, *shape] of every weight, None when
        dense; images: those of each member, as `resident` gives them.
        """
        ...


class EngineModule(Protocol):
    """What the module of an engine holds."""

    @property
    def PACKAGES(self) -> tuple[str, ...]:  # noqa: N802 - a constant of a module
        """The packages whose versions can matter."""
        ...

    @property
    def Engine(self) -> EngineMaker: ...  # noqa: N802 - a class

    def resident(self, splits: Iterable[Split], recipe: Training, /) -> list[dict[Part, Any]]:
        """The images of each split, as the engine reads them."""
        ...

    def together(self, recipe: Training, network: Network, /) -> bool:
        """Whether a job's members are trained as one, or each by itself."""
        ...

    def one_thread(self) -> None:
        """What every thread calls before it computes."""
        ...


@dataclass(frozen=True)
class Row:
    """An engine. refuses: why it cannot train a network by a recipe, beginning with the key; empty where it can."""

    refuses: Callable[[Network, Training], str]
    load: Callable[[], EngineModule]
    """Imports it, which takes torch seconds, so only its own jobs pay."""


def sparse_refuses(network: Network, recipe: Training) -> str:
    """It trains fully connected networks on a CPU, at a constant rate, on images as they are."""
    if not network.fully_connected:
        return "network: it trains fully connected networks"
    if recipe.device != "cpu":
        return f"device: {recipe.device}"
    plain = Training()
    torch_alone = ("weight_decay", "warmup_iterations", "rate_drops", "dropout", "autocast", "tf32", "compile")
    for name in (*torch_alone, "input_scaling", "augmentation"):
        if getattr(recipe, name) != getattr(plain, name):
            return f"{name}: {getattr(recipe, name)}"
    return ""


def load_sparse() -> EngineModule:
    from lottery.training import sparse_engine

    return sparse_engine


def load_torch() -> EngineModule:
    from lottery.training import torch_engine

    return torch_engine


ENGINES = {"sparse": Row(sparse_refuses, load_sparse), "torch": Row(lambda _, __: "", load_torch)}
"""`engine: auto` is the first that does not refuse: the quicker ones come first."""


def engine_name(network: Network, recipe: Training) -> str:
    """The engine that trains a network. Raises LotteryError, beginning with the key, when the one asked for refuses."""
    if recipe.engine == "auto":
        return next(name for name, row in ENGINES.items() if not row.refuses(network, recipe))
    if refused := ENGINES[recipe.engine].refuses(network, recipe):
        raise LotteryError(f"engine: {recipe.engine} cannot train with {refused}; use engine: torch, or auto")
    return recipe.engine


def engine_of(network: Network, recipe: Training) -> EngineModule:
    """The module of the engine that trains a network."""
    return ENGINES[engine_name(network, recipe)].load()
