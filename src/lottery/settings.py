"""Typed settings: the one place that says which keys exist, their types, units, defaults and bounds.

`workflow/schemas/config.schema.json` and `config/README.md` are written from these classes
(`python -m lottery document-settings`), and a test fails when they differ.
"""

import difflib
import json
import re
from collections.abc import Mapping, Set
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lottery.errors import LotteryError

NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"


def key(description: str, *, unit: str = "", paper: str = "", **rules: Any) -> Any:
    """A settings key: its meaning, unit and place in the paper, with pydantic's own rules (`default`, `gt`, ...)."""
    return Field(description=description, json_schema_extra={"unit": unit, "paper": paper}, **rules)


class Section(BaseModel):
    """A group of keys. Unknown keys and values of another type are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def canonical_json(self, exclude: Set[str] = frozenset()) -> str:
        """The section as JSON text that does not depend on the order of keys, for comparison and command lines."""
        return json.dumps(self.model_dump(mode="json", exclude=set(exclude)), sort_keys=True, separators=(",", ":"))


class Training(Section):
    """How one network is trained. Training always runs to its end; the early-stop iteration is found afterwards."""

    engine: Literal["auto", "sparse", "torch"] = key(
        "What computes: `torch`, the reference, for any network and device; `sparse`, for fully connected networks on a"
        " CPU at a cost that follows the weights kept; `auto`, the quicker one that can. They round differently, so a"
        " change of engine is a change of the recipe.",
        default="auto",
    )
    device: Literal["cpu", "cuda"] = key("Where `torch` computes.", default="cpu")
    precision: Literal["float32", "float64"] = key("Precision of all arithmetic.", default="float32", paper="float32")
    optimizer: Literal["adam", "sgd"] = key("Update rule.", default="adam", paper="Fig. 2; G.2, G.3")
    learning_rate: float = key("Step size.", default=1.2e-3, gt=0, allow_inf_nan=False, paper="Fig. 2: 1.2e-3")
    momentum: float = key("Momentum of `sgd`.", default=0.0, ge=0, lt=1, paper="G.3: 0 or 0.9")
    batch_size: int = key("Images in one update.", default=60, gt=0, unit="images", paper="Fig. 2: 60")
    iterations: int = key("Length of every training.", default=50_000, gt=0, unit="updates", paper="Fig. 2: 50,000")
    validation_images: int = key(
        "Images set aside from the training set, at random; they alone choose the early-stop iteration.",
        default=5_000,
        gt=0,
        unit="images",
        paper="section 2: 5,000",
    )
    validation_every: int = key(
        "Distance of the evaluation grid, on which the early-stop iteration is sought.",
        default=100,
        gt=0,
        unit="updates",
        paper="G.1: 100",
    )
    test_every: int = key(
        "Distance of the points at which the curve of test accuracy is recorded as well (a multiple of"
        " `validation_every`). It changes no result: accuracies at early stop and at the end are always measured.",
        default=100,
        gt=0,
        unit="updates",
        paper="G.1: 100",
    )

    @model_validator(mode="after")
    def check_grid(self) -> Self:
        if self.iterations % self.validation_every:
            raise ValueError(
                f"iterations ({self.iterations}) must be a multiple of validation_every ({self.validation_every}),"
                " so that the last iteration is evaluated"
            )
        if self.test_every % self.validation_every:
            raise ValueError(
                f"test_every ({self.test_every}) must be a multiple of validation_every ({self.validation_every})"
            )
        if self.engine == "sparse" and self.device != "cpu":
            raise ValueError("engine: sparse needs device: cpu")
        if self.momentum and self.optimizer != "sgd":
            raise ValueError("momentum needs optimizer: sgd")
        return self

    def chosen_engine(self) -> Literal["sparse", "torch"]:
        """The engine that `auto` stands for: all networks so far are fully connected, so the device decides."""
        if self.engine == "auto":
            return "sparse" if self.device == "cpu" else "torch"
        return self.engine


class Pruning(Section):
    """How much one pruning removes of the weights that are still there, layer by layer."""

    dense_rate: float = key("Share removed from each hidden dense layer.", default=0.2, gt=0, lt=1, paper="Fig. 2: 20%")
    output_rate: float = key("Share removed from the output layer.", default=0.1, ge=0, lt=1, paper="Fig. 2: 10%")
    linear_step: float = key(
        "Distance of the levels of the arms `one-shot-linear...`: level k removes k times this share of each hidden"
        " layer (of the output layer, in proportion of the two rates).",
        default=0.125,
        gt=0,
        lt=1,
        paper="Fig. 4c: 12.5 points",
    )


class ArmSettings(Section):
    """One arm of an experiment."""

    arm: str = key("Name of the arm, from the table in `src/lottery/tickets.py`.", paper="section 2; App. E")
    levels: list[int] | Literal["all"] = key(
        "Levels at which the arm's networks are trained: a list, or `all`: from 1 to the experiment's `levels`, or for"
        " a linear arm as many steps of `linear_step` as leave something.",
        default="all",
        paper="Fig. 4",
    )
    draws: int = key("Samples for each ticket, of an arm that samples.", default=1, ge=1, paper="section 2: 3")

    @model_validator(mode="after")
    def check_levels(self) -> Self:
        if self.levels == "all":
            return self
        if not self.levels or sorted(set(self.levels)) != self.levels or self.levels[0] < 1:
            raise ValueError(f"levels {self.levels} must be whole numbers from 1 on, rising, none twice")
        return self


class Experiment(Section):
    """One network on one dataset with one training recipe and one pruning recipe."""

    dataset: str = key("Name of the dataset.", paper="Fig. 2")
    network: str = key("Name of the network.", paper="Fig. 2")
    training: Training = key("The training recipe, below.", default=Training())
    pruning: Pruning = key("The pruning recipe, below.", default=Pruning())
    levels: int = key("Number of prunings of the arm `iterative`.", ge=1, paper="Fig. 4: 28")
    replicates: int = key("Initialisations, each with its whole chain.", ge=1, paper="section 2: 5")
    replicates_per_job: int = key(
        "Replicates that one job trains. Replicates are counted off in stacks of this size, so adding replicates after"
        " a full stack adds jobs and repeats none; a last stack that is not full is trained again when it grows.",
        ge=1,
    )
    threads_per_job: int = key("Cores of one training job; they change no byte of a result.", default=1, ge=1)
    arms: list[ArmSettings] = key("The arms to train besides the dense network, below. An overlay replaces the list.")

    @model_validator(mode="after")
    def check_arms(self) -> Self:
        names = [arm.arm for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError(f"arms names one arm twice: {', '.join(names)}")
        return self


class Settings(Section):
    """A run: a named set of experiments and its results folder."""

    run: str = key("Name of the run; its files go to `results/<run>`.", pattern=NAME)
    seed: int = key("Root of every random number.", default=0, ge=0)
    run_experiments: list[str] = key("Names of the experiments to run, from `experiments`.", min_length=1)
    experiments: dict[str, Experiment] = key("The experiments by name, below.", min_length=1)

    @model_validator(mode="after")
    def check_experiments(self) -> Self:
        for name in self.run_experiments:
            if name not in self.experiments:
                raise ValueError(f"run_experiments: no experiment is called {name!r}{suggest(name, self.experiments)}")
        if len(set(self.run_experiments)) != len(self.run_experiments):
            raise ValueError("run_experiments: names one experiment twice")
        for name in self.experiments:
            if not re.fullmatch(NAME, name):
                raise ValueError(f"experiments: the name {name!r} must be of the form lenet-mnist (a-z, 0-9, -)")
        return self


def read_settings(values: Mapping[str, Any], *, where: str = "config") -> Settings:
    """Check `values` and return them typed.

    Raises LotteryError with one line per wrong key.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise LotteryError("\n".join(f"{where}: {line}" for line in explain(error))) from None


def explain(error: ValidationError) -> list[str]:
    """One line for each thing wrong: which key, what was found, what would be right."""
    lines = []
    for problem in error.errors():
        place = [str(part) for part in problem["loc"] if part not in ("list[int]", "literal['all']")]
        name = ".".join(place)
        found = problem["input"]
        if problem["type"] == "extra_forbidden":
            lines.append(f"{name}: unknown key{suggest(place[-1], keys_at(place[:-1]))}")
        elif problem["type"] == "missing":
            lines.append(f"{name}: missing key")
        elif problem["type"] == "value_error":
            lines.append(": ".join(filter(None, [name, str(problem["ctx"]["error"])])))
        else:
            lines.append(f"{name}: {problem['msg'].lower()}, not {found!r}")
    return list(dict.fromkeys(lines))


def keys_at(place: list[str]) -> list[str]:
    """The keys that the section at this place of the settings may hold."""
    model: type[Section] = Settings
    inner: dict[str, type[Section]] = {
        "experiments": Experiment,
        "training": Training,
        "pruning": Pruning,
        "arms": ArmSettings,
    }
    for part in place:
        model = inner.get(part, model)
    return list(model.model_fields)


def suggest(name: str, known: Any) -> str:
    """The end of a message about an unknown name: the nearest known one, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
