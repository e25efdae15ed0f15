# Settings, paths and the functions that rules ask.
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(os.path.relpath(workflow.basedir))
sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from lottery import runs, stacks
from lottery.datasets.sources import source
from lottery.errors import LotteryError
from lottery.figures.catalog import CATALOG, figures_of
from lottery.pruning import allocation
from lottery.tickets import ARMS

try:
    SETTINGS = runs.read_run(config)
except LotteryError as error:
    raise WorkflowError(str(error))

# The interpreter that runs Snakemake also runs the jobs, unless a conda environment is activated on top of it.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))
shell.prefix(f"export PYTHONPATH={shlex.quote(str(Path(workflow.basedir) / 'src'))}; ")


pathvars:
    results=f"results/{SETTINGS.run}",
    logs=f"results/{SETTINGS.run}/logs",
    benchmarks=f"results/{SETTINGS.run}/benchmarks",


wildcard_constraints:
    experiment="|".join(SETTINGS.experiments),
    stack=r"r(0|[1-9]\d*)-(0|[1-9]\d*)",
    arm="|".join(ARMS),
    level=r"0|[1-9]\d*",
    dataset=r"[a-z0-9-]+",
    figure="|".join(CATALOG),


def arms_where(condition):
    """A wildcard constraint: the arms whose row in the table of arms fulfils a condition."""
    return "|".join(name for name, arm in ARMS.items() if condition(arm)) or "none"


def modules(*names):
    """The package's files whose editing must repeat a rule; a folder stands for all files in it."""
    package = ROOT / "src" / "lottery"
    return [
        str(file)
        for name in names
        for file in (sorted((package / name).rglob("*.py")) if (package / name).is_dir() else [package / name])
    ]


STARTING_CODE = modules("arrays.py", "networks.py", "randomness.py", "stacks.py", "tickets.py")
PRUNING_CODE = modules("arrays.py", "networks.py", "stacks.py", "tickets.py", "pruning")
TRAINING_CODE = modules("arrays.py", "networks.py", "randomness.py", "stacks.py", "datasets", "training")


def experiment_of(wildcards):
    return SETTINGS.experiments[wildcards.experiment]


def key(wildcards):
    """What seeds an experiment's random numbers and names its images, as canonical text."""
    experiment = experiment_of(wildcards)
    return stacks.ExperimentKey(
        experiment=wildcards.experiment, seed=SETTINGS.seed, dataset=experiment.dataset
    ).canonical_json()


def recipe(wildcards):
    """The training recipe as canonical text: a job is repeated when it changes."""
    return experiment_of(wildcards).training.canonical_json()


def pruning(wildcards):
    """The part of the pruning recipe that an arm's masks depend on, as canonical text."""
    recipe = experiment_of(wildcards).pruning
    return recipe.canonical_json(exclude=set() if ARMS[wildcards.arm].linear else {"linear_step"})


def network(wildcards):
    """The network trained by an arm at a level."""
    return runs.network_name_at(
        experiment_of(wildcards), wildcards.get("arm", runs.DENSE), int(wildcards.get("level", 0))
    )


def draws(wildcards):
    return runs.draws_of(experiment_of(wildcards), wildcards.arm)


def place(wildcards):
    """Which networks of an experiment a training job trains, as options."""
    return f"--arm {wildcards.arm} --level {wildcards.level} --draws {draws(wildcards)}"


def raw_files(wildcards):
    """The dataset's raw files. Their content is known by checksum, so their age means nothing."""
    data = source(wildcards.dataset)
    return [ancient(str(ROOT / data.folder / file.name)) for file in data.files]


def dataset(wildcards):
    return f"results/data/{experiment_of(wildcards).dataset}.safetensors"


def job_threads(wildcards):
    return experiment_of(wildcards).threads_per_job


def remaining(wildcards):
    """Percent of weights remaining, for messages."""
    experiment = experiment_of(wildcards)
    counts = runs.counts_at(experiment, wildcards.arm, int(wildcards.level))
    return f"{100 * allocation.remaining(runs.network_of(experiment), counts):.1f}%"


def stack_file(wildcards, arm, level, name):
    """A file of the same stack, of another arm or level."""
    return f"<results>/{wildcards.experiment}/{wildcards.stack}/{arm}/level{level}/{name}"


def scored_weights(wildcards):
    """The trained weights that pruning scores: those of the level before, or the dense network's."""
    level = int(wildcards.level)
    if ARMS[wildcards.arm].mask == "pruned at once" or level == 1:
        return stack_file(wildcards, runs.DENSE, 0, "trained.safetensors")
    return stack_file(wildcards, wildcards.arm, level - 1, "trained.safetensors")


def survivors(wildcards):
    """The mask that a further pruning shrinks; none when pruning starts from the dense network."""
    level = int(wildcards.level)
    if ARMS[wildcards.arm].mask == "pruned at once" or level == 1:
        return []
    return stack_file(wildcards, wildcards.arm, level - 1, "mask.safetensors")


def ticket_mask(wildcards):
    """The mask that a control shares or imitates."""
    return stack_file(wildcards, ARMS[wildcards.arm].of, wildcards.level, "mask.safetensors")


def trained_stacks(filename):
    """This file of every training that the run's results are collected from."""
    return [f"<results>/{training.folder}/{filename}" for training in runs.trainings(SETTINGS)]


def figure_names():
    """The figures that the arms of at least one experiment allow."""
    possible = {
        figure.name
        for name in SETTINGS.run_experiments
        for figure in figures_of([arm.arm for arm in SETTINGS.experiments[name].arms])
    }
    return [name for name in CATALOG if name in possible]
