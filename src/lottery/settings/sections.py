"""Typed settings: the one place that says which keys exist, their types, units, defaults and bounds.

`workflow/schemas/config.schema.json` and `config/README.md` are written from these classes
(`python -m lottery document`), and a test fails when they differ.
"""

import json
import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lottery.errors import suggest

NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"

LONGEST_NAME = 80
"""Letters of the name of a run or an experiment, which stand in names of files together with others."""

OTHER_FOLDERS = ("data", "bench", "slurm-logs")
"""What `results` holds besides runs."""


def key(description: str, *, unit: str = "", paper: str = "", **rules: Any) -> Any:
    """A settings key: its meaning, unit and place in the paper, with pydantic's own rules (`default`, `gt`, ...)."""
    return Field(description=description, json_schema_extra={"unit": unit, "paper": paper}, **rules)


class Section(BaseModel):
    """A group of keys. Unknown keys and values of another type are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    def canonical_json(self, exclude: Any = None) -> str:
        """What the section says, as JSON text that does not depend on the order of keys; texts are equal where the
        settings are.

        Values that equal the default are left out, so that a further key changes no text; no default may be changed.
        exclude: keys to leave out, as pydantic takes them.
        """
        told = self.model_dump(mode="json", exclude=exclude, exclude_defaults=True)
        return json.dumps(told, sort_keys=True, separators=(",", ":"))


class Training(Section):
    """How one network is trained. Training always runs to its end; the early-stop iteration is found afterwards."""

    engine: Literal["auto", "sparse", "torch"] = key(
        "What computes: `torch`, the reference, for any network and device; `sparse`, for fully connected networks on a"
        " CPU at a cost that follows the weights kept; `auto`, the quicker one that can. They round differently, so a"
        " change of engine is a change of the recipe.",
        default="auto",
    )
    device: Literal["cpu", "cuda"] = key("Where `torch` computes.", default="cpu")
    compile: bool = key(
        "Let `torch` compile losses and gradients with `torch.compile`, which costs each job some seconds, needs a C++"
        " compiler and rounds differently. On a CPU it made LeNet slower.",
        default=False,
    )
    deterministic: bool = key(
        "On a GPU: only kernels that give the same bytes every time; PyTorch refuses those that cannot.", default=True
    )
    precision: Literal["float32", "float64"] = key("Precision of all arithmetic.", default="float32", paper="float32")
    optimizer: Literal["adam", "sgd"] = key("Update rule.", default="adam", paper="Fig. 2; G.2, G.3")
    learning_rate: float = key("Step size.", default=1.2e-3, gt=0, allow_inf_nan=False, paper="Fig. 2: 1.2e-3")
    momentum: float = key("Momentum of `sgd`.", default=0.0, ge=0, lt=1, paper="G.3: 0 or 0.9")
    weight_decay: float = key(
        "This times each parameter is added to its gradient.",
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        paper="App. I: 1e-4",
    )
    warmup_iterations: int = key(
        "The step size rises from 0 to `learning_rate` in a straight line over so many updates.",
        default=0,
        ge=0,
        unit="updates",
        paper="section 4: 10,000 or 20,000",
    )
    rate_drops: list[int] = key(
        "Updates after which the step size is a tenth of what it was.", default=[], unit="updates", paper="section 4"
    )
    dropout: float = key(
        "Share of each hidden dense layer's outputs set to 0 while training; the others are enlarged to make up for it."
        " The paper does not say which layers its dropout follows.",
        default=0.0,
        ge=0,
        lt=1,
        paper="section 3, Fig. 6: 0.5",
    )
    augmentation: Literal["none", "flip-and-crop"] = key(
        "What training images undergo each time they are seen: `flip-and-crop`, half of them mirrored, and a part of"
        " the image's size cut out at random of the image with a margin of 4 zeros.",
        default="none",
        paper="App. I: flips and crops",
    )
    autocast: bool = key(
        "Let `torch` compute products in bfloat16, weights and sums staying as in `precision`.", default=False
    )
    tf32: bool = key(
        "On a GPU: let `torch` round what products multiply to 10 bits (TF32), which its matrix units take quicker;"
        " weights and sums stay as in `precision`. A CPU takes no notice.",
        default=False,
    )
    graphs: bool = key(
        "On a GPU: record the kernels of an update once, as a CUDA graph, and start them all at once from then on. It"
        " changes no byte of a result.",
        default=True,
    )
    input_scaling: Literal["unit", "standardised", "image-norm", "image-standardised", "bytes"] = key(
        "What networks see of an image: `unit`, its bytes / 255; `standardised`, these less the mean of all the"
        " dataset's training images, validation images among them, over their standard deviation, channel by channel;"
        " `image-norm`, its bytes over their Euclidean norm; `image-standardised`, its bytes less their own mean, over"
        " their own standard deviation, as TensorFlow's `per_image_standardization`; `bytes`, these as they are. The"
        " paper does not say what it used.",
        default="unit",
    )
    batch_size: int = key("Images in one update.", default=60, gt=0, unit="images", paper="Fig. 2: 60")
    iterations: int = key("Length of every training.", default=50_000, gt=0, unit="updates", paper="Fig. 2: 50,000")
    validation_images: int = key(
        "Images set aside from the training set, at random; they alone choose the early-stop iteration. Each replicate"
        " has others, and replicates of the same number the same ones in all experiments.",
        default=5_000,
        gt=0,
        unit="images",
        paper="section 2: 5,000",
    )
    training_images: int | None = key(
        "Train on so many of the other training images alone, for trials, other ones for each replicate; all of them"
        " when absent.",
        default=None,
        gt=0,
        unit="images",
        paper="all",
    )
    label_noise: float = key(
        "Share of the images that train whose label is a wrong one, every other class equally likely; others for each"
        " replicate, the same for all its networks, and those of a smaller share among those of a larger one."
        " Validation and test images keep the right labels; training accuracy is of the labels that train.",
        default=0.0,
        ge=0,
        le=1,
    )
    test_images: int | None = key(
        "Measure on so many of the test images alone, for trials, the same ones always; all of them when absent.",
        default=None,
        gt=0,
        unit="images",
        paper="all",
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
    on_divergence: Literal["fail", "record"] = key(
        "What becomes of a network whose loss stops being a number: `fail`, the run stops with an error; `record`, it"
        " counts as diverged in tables, figures and claims, and pruning goes on from its weights of least validation"
        " loss before.",
        default="fail",
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
        if self.momentum and self.optimizer != "sgd":
            raise ValueError("momentum needs optimizer: sgd")
        if sorted(set(self.rate_drops)) != self.rate_drops or any(drop < 1 for drop in self.rate_drops):
            raise ValueError(f"rate_drops {self.rate_drops} must be whole numbers from 1 on, rising, none twice")
        if self.rate_drops and self.rate_drops[-1] >= self.iterations:
            raise ValueError(f"rate_drops {self.rate_drops} must come before the last of {self.iterations} iterations")
        if self.warmup_iterations > self.iterations:
            raise ValueError(f"warmup_iterations ({self.warmup_iterations}) must end by iterations ({self.iterations})")
        if self.autocast and self.precision != "float32":
            raise ValueError("autocast needs precision: float32")
        if self.tf32 and self.precision != "float32":
            raise ValueError("tf32 needs precision: float32")
        return self


class Initialisation(Section):
    """What initial weights are drawn from, layer by layer."""

    weights: Literal["glorot-normal", "truncated-glorot-normal", "kaiming-normal", "normal"] = key(
        "Distribution of the weights: normal, of the standard deviation of Glorot & Bengio (2010); the same cut off at"
        " two standard deviations and widened to make up for it, as in TensorFlow 1; normal, of the standard deviation"
        " of He et al. (2015) for inputs; normal, of the standard deviation `sd` in every layer.",
        default="glorot-normal",
        paper="Fig. 2: Gaussian Glorot; G.5: normal",
    )
    sd: float | None = key(
        "Standard deviation of `weights: normal`, which needs it.",
        default=None,
        gt=0,
        allow_inf_nan=False,
        paper="G.5: 0.0125 to 0.4",
    )
    biases: Literal["zero", "uniform"] = key(
        "Biases: 0, or uniform up to 1 / sqrt(inputs of a unit), as PyTorch's layers have them.", default="zero"
    )

    @model_validator(mode="after")
    def check_sd(self) -> Self:
        if (self.weights == "normal") != (self.sd is not None):
            raise ValueError(f"sd belongs to weights: normal, not to {self.weights}" if self.sd else "sd is missing")
        return self

    def __str__(self) -> str:
        deviation = f" {self.sd:g}" if self.sd else ""
        return f"{self.weights}{deviation}" + ", uniform biases" * (self.biases == "uniform")


class Pruning(Section):
    """How much one pruning removes of the weights that are still there."""

    scope: Literal["layer", "global"] = key(
        "`layer`: each layer gives its own share; `global`: the smallest of all layers' weights together go.",
        default="layer",
        paper="sections 2, 3: layer; 4: global",
    )
    global_rate: float = key(
        "Share removed of all layers together, with `scope: global`.", default=0.2, gt=0, lt=1, paper="App. I: 20%"
    )
    excluded_layers: list[str] = key(
        "What is never pruned: names of layers (`conv1`), or what they are (`conv`, `shortcut`, `dense`, `output`).",
        default=[],
        paper="App. I: shortcut, output",
    )
    conv_rate: float = key(
        "Share removed from each convolution.", default=0.1, ge=0, lt=1, paper="Fig. 2: 10%, Conv-6 15%"
    )
    dense_rate: float = key("Share removed from each hidden dense layer.", default=0.2, gt=0, lt=1, paper="Fig. 2: 20%")
    output_rate: float = key("Share removed from the output layer.", default=0.1, ge=0, lt=1, paper="Fig. 2: 10%")
    linear_step: float = key(
        "Distance of the levels of the arms `one-shot-linear...`: level k removes k times this share of each hidden"
        " layer (of the output layer, in proportion of the two rates).",
        default=0.125,
        ge=0.001,
        lt=1,
        paper="Fig. 4c: 12.5 points",
    )


class ArmSettings(Section):
    """One arm of an experiment."""

    arm: str = key(
        "Name of the arm, from the table in `src/lottery/arms/rows.py`. The dense network is always trained; naming it"
        " gives it snapshots.",
        paper="section 2; App. E",
    )
    levels: list[int] | Literal["all"] = key(
        "Levels at which the arm's networks are trained: a list, or `all`: from 1 to the experiment's `levels`, for a"
        " linear arm as many steps of `linear_step` as leave something, for whole networks 0.",
        default="all",
        paper="Fig. 4",
    )
    draws: int = key("Samples for each replicate, of an arm that samples.", default=1, ge=1, paper="section 2: 3")
    snapshots: list[int] = key(
        "Iterations at which the arm's trainings write their weights, multiples of `validation_every`. The dense"
        " network also writes those that an arm is rewound to; a further one repeats its training.",
        default=[],
        unit="updates",
    )
    from_experiment: str = key(
        "Of an arm with tickets of another experiment: that experiment, of the same run, replicates and pruning, and a"
        " network of the same shapes.",
        default="",
        paper="arXiv 1906.02773: transfer",
    )

    @model_validator(mode="after")
    def check_levels(self) -> Self:
        for name, given, least in (("levels", self.levels, 0), ("snapshots", self.snapshots, 1)):
            if given != "all" and (sorted(set(given)) != given or min(given, default=least) < least):
                raise ValueError(f"{name} {given} must be whole numbers from {least} on, rising, none twice")
        if not self.levels:
            raise ValueError("levels [] must name at least one")
        return self


class Interpolation(Section):
    """Pairs of trained networks, and the error of the networks on the line between their weights."""

    pairs: list[str] = key(
        "Names of pairs from the table in `src/lottery/arms/pairs.py`, such as `dense-twins` or `pruned-solution`; each"
        " at every level at which the experiment trains both.",
        default=[],
        paper="arXiv 1912.05671: instability; 2210.03044",
    )
    points: int = key(
        "Points of a line, evenly spaced, its two ends among them.", default=30, ge=3, paper="arXiv 1912.05671: 30"
    )
    images: int | None = key(
        "Measure on so many of the training images, and so many of the test images, evenly spaced among them; all when"
        " absent. The statistics of batch normalisation are computed anew at every point, on these training images.",
        default=None,
        gt=0,
        unit="images",
    )

    @model_validator(mode="after")
    def check_pairs(self) -> Self:
        if len(set(self.pairs)) != len(self.pairs):
            raise ValueError(f"pairs names one pair twice: {', '.join(self.pairs)}")
        return self


class Experiment(Section):
    """One network on one dataset with one training recipe and one pruning recipe."""

    dataset: str = key(
        "Name of the dataset: `mnist`, `fashion-mnist`, `cifar-10`, or one of `datasets` or `extensions`.",
        paper="Fig. 2",
    )
    network: str = key("Name of the network: one of the paper's, or of `extensions`.", paper="Fig. 2")
    initialisation: Initialisation = key("What initial weights are drawn from, below.", default=Initialisation())
    training: Training = key("The training recipe, below.", default=Training())
    pruning: Pruning = key("The pruning recipe, below.", default=Pruning())
    seed_name: str = key(
        "Name in the seeds of the experiment's replicates, by default its own. Experiments of the same name share them:"
        " their initial weights, images and batches are the same, so that recipes are compared in pairs. They need the"
        " same network, dataset and initialisation.",
        default="",
        pattern=f"^$|{NAME}",
    )
    rewind_iteration: int = key(
        "Iteration whose weights survivors are set back to, and at which their training and schedule begin; 0 is the"
        " initialisation. A multiple of `validation_every`. Arms that name an iteration go back to that.",
        default=0,
        ge=0,
        unit="updates",
        paper="0; arXiv 1903.01611: late rewinding",
    )
    levels: int = key("Number of prunings of the arm `iterative`.", ge=1, le=1_000, paper="Fig. 4: 28")
    replicates: int = key(
        "Initialisations, each with validation images of its own and its whole chain.",
        ge=1,
        le=10_000,
        paper="section 2: 5",
    )
    replicates_per_job: int = key(
        "Replicates that one job trains. They are counted off in groups of this size, so adding replicates after a full"
        " group adds jobs and repeats none; a last group that is not full is trained again when it grows.",
        ge=1,
    )
    checkpoint_seconds: float = key(
        "How often a training job saves where it is, to go on from there after it was killed; it changes no result.",
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        unit="seconds",
    )
    threads_per_job: int = key(
        "Cores of one training job; they change no byte of a result. On a GPU: so many of a job's networks of"
        " convolutions are trained side by side on its card.",
        default=1,
        ge=1,
    )
    trainings_per_card: int = key(
        "Jobs for a GPU that may share a card; they change no byte of a result.", default=1, ge=1
    )
    interpolation: Interpolation = key("Lines between trained networks, below.", default=Interpolation())
    compared_masks: list[int] = key(
        "Levels at which masks are compared with one another: those that the dense network, and twins of it, would be"
        " pruned to at each of their snapshots, and those of arms that are trained at these levels.",
        default=[],
    )
    arms: list[ArmSettings] = key("The arms to train besides the dense network, below. An overlay replaces the list.")

    @model_validator(mode="after")
    def check_arms(self) -> Self:
        grid, end = self.training.validation_every, self.training.iterations
        if self.rewind_iteration % grid or self.rewind_iteration >= end:
            raise ValueError(
                f"rewind_iteration ({self.rewind_iteration}) must be a multiple of validation_every ({grid}) below"
                f" iterations ({end})"
            )
        names = [arm.arm for arm in self.arms]
        if len(set(names)) != len(names):
            raise ValueError(f"arms names one arm twice: {', '.join(names)}")
        return self


class Pictures(Section):
    """A folder of your own images that is a dataset: PNG or JPEG files of one size, in a sub-folder for each class.

    `lottery describe-images FOLDER` prints such a section.
    """

    folder: str = key(
        "The folder; a relative path starts at the working directory. It has a sub-folder for each class, or `train`"
        " and `test` with such sub-folders in each. Where it lies changes nothing.",
        min_length=1,
    )
    sha256: str = key(
        "SHA-256 of what `sha256sum` prints of all files in the order of their paths. An error tells the right one.",
        pattern=r"^[0-9a-f]{64}$",
    )
    test_share: float | None = key(
        "Share of each class's images that is set aside to test, those of smallest SHA-256; needed where there are no"
        " `train` and `test`.",
        default=None,
        gt=0,
        lt=1,
    )
    image_shape: list[int] = key(
        "Channels (1 or 3), height and width of every image; pictures are read in so many channels.",
        min_length=3,
        max_length=3,
        unit="pixels",
    )
    classes: int = key("How many classes there are; labels follow the order of their names.", ge=2, le=1 << 16)
    training_images: int = key("How many images train, validation images among them.", ge=1, unit="images")
    test_images: int = key("How many images test.", ge=1, unit="images")

    @model_validator(mode="after")
    def check_shape(self) -> Self:
        if self.image_shape[0] not in (1, 3) or min(self.image_shape) < 1:
            raise ValueError(f"image_shape {self.image_shape} must be 1 or 3 channels, a height and a width")
        if not self.folder.isprintable():
            raise ValueError(f"folder {self.folder!r} must be the path of a folder, in printable characters")
        return self


class Settings(Section):
    """A run: a named set of experiments and its results folder."""

    run: str = key("Name of the run; its files go to `results/<run>`.", pattern=NAME, max_length=LONGEST_NAME)
    seed: int = key("Root of every random number.", default=0, ge=0)
    data_mirror: str | None = key(
        "Folder with raw files of datasets, for machines without internet; it is only read. It holds a folder for each"
        " dataset (`fashion-mnist`, `cifar-10`), or is the `root` of torchvision. The environment variable"
        " `LOTTERY_DATA` names one too; this key wins. Changing it repeats nothing, since data is known by checksum.",
        default=None,
        min_length=1,
    )
    extensions: list[str] = key(
        "Python files of your own that add networks, datasets, arms, criteria and figures, in the order in which they"
        " are run; relative paths start at the working directory. They are run as they are, as a Snakefile is. An"
        " overlay replaces the list. An edit repeats the experiments that use what the file, or one after it, adds.",
        default=[],
    )
    datasets: dict[str, Pictures] = key(
        "Folders of your own images that are datasets, by the names that experiments give them, below.", default={}
    )
    run_experiments: list[str] = key("Names of the experiments to run, from `experiments`.", min_length=1)
    experiments: dict[str, Experiment] = key("The experiments by name, below.", min_length=1)
    keep: Literal["everything", "without-early-stop", "last-level", "tables"] = key(
        "What a finished run keeps of its trainings: `everything`; `without-early-stop`, all but the weights at early"
        " stop, by which `lottery verify` recomputes the accuracies there; `last-level`, of weights those of each arm's"
        " last level, and all masks; `tables`, no weights and no masks. What is let go is made anew, with all that it"
        " needs, when something asks for it.",
        default="everything",
    )
    figures: list[str] | Literal["all"] = key(
        "Names of the figures to draw, or `all` that the run's experiments allow. An overlay replaces the list.",
        default="all",
    )

    @model_validator(mode="after")
    def check_experiments(self) -> Self:
        if self.run in OTHER_FOLDERS:
            raise ValueError(f"run: results/{self.run} is not for a run; choose another name")
        if self.data_mirror and not self.data_mirror.isprintable():
            raise ValueError(f"data_mirror: {self.data_mirror!r} must be the path of a folder, in printable characters")
        for file in self.extensions:
            if not file or not file.isprintable():
                raise ValueError(f"extensions: {file!r} must be the path of a Python file, in printable characters")
        if len(set(self.extensions)) != len(self.extensions):
            raise ValueError("extensions: names one file twice")
        for name in self.run_experiments:
            if name not in self.experiments:
                raise ValueError(f"run_experiments: no experiment is called {name!r}{suggest(name, self.experiments)}")
        if len(set(self.run_experiments)) != len(self.run_experiments):
            raise ValueError("run_experiments: names one experiment twice")
        for key_name, names in (("experiments", self.experiments), ("datasets", self.datasets)):
            for name in names:
                if not re.fullmatch(NAME, name) or len(name) > LONGEST_NAME:
                    told = f"must be of the form lenet-mnist (a-z, 0-9, -), of at most {LONGEST_NAME} letters"
                    raise ValueError(f"{key_name}: the name {name!r} {told}")
        return self
