# Settings, paths and the functions that rules ask.
import os
import re
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

# The repository, wherever the workflow that imports this one as a module lies. Such a workflow may put a prefix before
# relative paths, which must not come before those of the repository.
REPOSITORY = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
IS_MODULE = workflow.modifier.parent_modifier is not None
ROOT = REPOSITORY if IS_MODULE else Path(os.path.relpath(REPOSITORY))
sys.path.insert(0, str(REPOSITORY / "src"))

from lottery import extensions, runs, stacks
from lottery.errors import LotteryError
from lottery.figures.catalog import CATALOG, figures_of_run
from lottery.pruning import allocation
from lottery.tickets import ARMS
from lottery.training import cards

try:
    SETTINGS = runs.read_run(config)
except LotteryError as error:
    raise WorkflowError(str(error))

# Snakemake takes braces in commands, and braces and angle brackets in paths, as its own; Python splits PYTHONPATH at
# colons.
if set("{}:") & set(str(REPOSITORY)) or set("<>") & set(str(ROOT)):
    raise WorkflowError(f"{REPOSITORY}: the workflow cannot run from a folder with one of {{ }} < > : in its path")

for path in SETTINGS.extensions:
    if set("{}<>") & set(path):
        raise WorkflowError(f"config: extensions: {path}: a file with one of {{ }} < > in its path cannot be used")

# The interpreter that runs Snakemake also runs the jobs, unless a conda environment is activated on top of it.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))
shell.prefix(f"export PYTHONPATH={shlex.quote(str(REPOSITORY / 'src'))}; ")

# Not among a rule's parameters: data is known by its checksum, so another mirror must repeat nothing.
if SETTINGS.data_mirror:
    os.environ.update(LOTTERY_DATA=SETTINGS.data_mirror)


pathvars:
    results=f"results/{SETTINGS.run}",
    logs=f"results/{SETTINGS.run}/logs",
    benchmarks=f"results/{SETTINGS.run}/benchmarks",


wildcard_constraints:
    experiment="|".join(SETTINGS.experiments),
    stack=r"r(0|[1-9][0-9]*)-(0|[1-9][0-9]*)",
    arm="|".join(map(re.escape, ARMS)),
    level=r"0|[1-9][0-9]*",
    dataset=r"[a-z0-9-]+",
    figure="|".join(CATALOG),


def arms_where(condition):
    """A wildcard constraint: the arms whose row in the table of arms fulfils a condition."""
    return "|".join(re.escape(name) for name, arm in ARMS.items() if condition(arm)) or "none"


def modules(*names):
    """The package's files whose editing must repeat a rule; a folder stands for all files in it."""
    package = ROOT / "src" / "lottery"
    return [
        str(file)
        for name in names
        for file in (sorted((package / name).rglob("*.py")) if (package / name).is_dir() else [package / name])
    ]


def experiment_of(wildcards):
    return SETTINGS.experiments[wildcards.experiment]


def extension_files(wildcards):
    """The user's files that an experiment's network and dataset, or a dataset alone, depend on."""
    if wildcards.get("dataset"):
        return extensions.needed(SETTINGS.extensions, "", wildcards.dataset)
    experiment = experiment_of(wildcards)
    return extensions.needed(SETTINGS.extensions, experiment.network, experiment.dataset)


def extension_options(wildcards):
    """The same as options. They are relative to the working directory, in a module too."""
    return [f"--extension={path}" for path in extension_files(wildcards)]


def with_extensions(code):
    """Code with the user's files that a job depends on, out of the reach of a module's prefix."""

    def files(wildcards):
        # Snakemake warns of paths that begin with "./", and names files by the text of their paths.
        return code + [os.path.abspath(path) if IS_MODULE else str(Path(path)) for path in extension_files(wildcards)]

    return files


STARTING_CODE = with_extensions(
    modules("arrays.py", "networks", "randomness.py", "stacks.py", "tickets.py", "weights.py")
)
PRUNING_CODE = with_extensions(modules("arrays.py", "networks", "stacks.py", "tickets.py", "weights.py", "pruning"))
TRAINING_CODE = with_extensions(
    modules("arrays.py", "networks", "randomness.py", "stacks.py", "weights.py", "datasets", "training")
)


def key(wildcards):
    """What seeds an experiment's random numbers and names its images, as canonical text."""
    experiment = experiment_of(wildcards)
    return stacks.ExperimentKey(
        experiment=wildcards.experiment, seed=SETTINGS.seed, dataset=experiment.dataset
    ).canonical_json()


def settings_of_results():
    """All settings that results depend on, as canonical text."""
    indifferent = {"threads_per_job", "trainings_per_card", "checkpoint_seconds"}
    return SETTINGS.canonical_json(exclude={"data_mirror": True, "experiments": {"__all__": indifferent}})


def initialisation(wildcards):
    """What initial weights are drawn from, as canonical text."""
    return experiment_of(wildcards).initialisation.canonical_json()


def recipe(wildcards):
    """The training recipe as canonical text: a job is repeated when it changes."""
    return experiment_of(wildcards).training.canonical_json()


def recipe_to_rewind_point(wildcards):
    """The recipe of the dense network's training up to the rewind iteration."""
    return runs.recipe_of(experiment_of(wildcards), runs.REWIND_POINT).canonical_json()


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
    first = runs.first_iteration(experiment_of(wildcards), wildcards.arm)
    beginning = f" --first {first}" if first else ""
    return f"--arm {wildcards.arm} --level {wildcards.level} --draws {draws(wildcards)}{beginning}"


def dataset(wildcards):
    return f"results/data/{experiment_of(wildcards).dataset}.safetensors"


def checkpoints(wildcards, output):
    """The folder of the run's checkpoints: results/<run>/checkpoints."""
    return str(Path(output.trained).parents[4] / "checkpoints")


def checkpoint_seconds(wildcards):
    """How often a training job saves where it is: a resource, since it changes no result and repeats no job."""
    return str(experiment_of(wildcards).checkpoint_seconds)


def trainings_per_card(wildcards):
    """How many jobs may share a card: a resource too."""
    return str(experiment_of(wildcards).trainings_per_card)


def more_each_attempt(amount):
    """A resource of a job that is killed when it takes more: at the n-th attempt n times the amount."""
    return lambda wildcards, attempt: attempt * amount


def gpus(wildcards):
    """GPUs of a training job."""
    return 1 if experiment_of(wildcards).training.device == "cuda" else 0


def cards_here():
    """How many trainings this machine's cards have room for; 0 when none needs one, or no card can be told."""
    sharing = [each.trainings_per_card for each in SETTINGS.experiments.values() if each.training.device == "cuda"]
    if not sharing:
        return 0
    try:
        return min(sharing) * len(cards.visible_cards())
    except LotteryError as error:
        raise WorkflowError(str(error))


# Each training on a GPU takes a card, or its share of one, so no more are started here than cards have room for, unless
# --resources or a profile says how many. Not so in a module, whose importer decides; nor where a cluster (to which a
# number of jobs is given) has the cards; nor in a job of it, where Snakemake runs again.
if (
    not IS_MODULE
    and workflow.is_main_process
    and workflow.resource_settings.nodes is None
    and "gpu" not in workflow.global_resources
    and (CARDS := cards_here())
):
    workflow.register_resource("gpu", CARDS)


def job_threads(wildcards):
    return experiment_of(wildcards).threads_per_job


def cores_at_once(wildcards):
    """How many cores the run will have: --cores, or on a cluster --jobs, of a core each."""
    return workflow.resource_settings.cores or workflow.resource_settings.nodes or os.cpu_count()


def remaining(wildcards):
    """Percent of weights remaining, for messages."""
    experiment = experiment_of(wildcards)
    counts = runs.counts_at(experiment, wildcards.arm, int(wildcards.level))
    return f"{100 * allocation.remaining(runs.network_of(experiment), counts):.1f}%"


def stack_file(wildcards, arm, level, name):
    """A file of the same stack, of another arm or level."""
    return f"<results>/{wildcards.experiment}/{wildcards.stack}/{arm}/level{level}/{name}"


def rewind_point(wildcards):
    """The weights that survivors are set back to: the initial ones, or those of a later iteration."""
    if experiment_of(wildcards).rewind_iteration:
        return stack_file(wildcards, runs.REWIND_POINT, 0, "trained.safetensors")
    return stack_file(wildcards, runs.DENSE, 0, "start.safetensors")


def scored_weights(wildcards):
    """The weights that pruning scores: those trained at the level before, or the dense network's."""
    level = int(wildcards.level)
    if ARMS[wildcards.arm].mask == "pruned untrained":
        return stack_file(wildcards, runs.DENSE, 0, "start.safetensors")
    if ARMS[wildcards.arm].mask == "pruned at once" or level == 1:
        return stack_file(wildcards, runs.DENSE, 0, "trained.safetensors")
    return stack_file(wildcards, wildcards.arm, level - 1, "trained.safetensors")


def survivors(wildcards):
    """The mask that a further pruning shrinks; none when pruning starts from the dense network."""
    level = int(wildcards.level)
    if ARMS[wildcards.arm].mask != "pruned step by step" or level == 1:
        return []
    return stack_file(wildcards, wildcards.arm, level - 1, "mask.safetensors")


def kept_weights(wildcards):
    """The weights that survivors of a pruning go on from: the rewind point, or where they are."""
    continued = ARMS[wildcards.arm].start == "continued"
    return scored_weights(wildcards) if continued else rewind_point(wildcards)


def kept_iteration(wildcards):
    """The iteration of these weights."""
    experiment = experiment_of(wildcards)
    continued = ARMS[wildcards.arm].start == "continued"
    return experiment.training.iterations if continued else experiment.rewind_iteration


def ticket_mask(wildcards):
    """The mask that a control shares or imitates."""
    return stack_file(wildcards, ARMS[wildcards.arm].of, wildcards.level, "mask.safetensors")


def trained_stacks(filename):
    """This file of every training that the run's results are collected from."""
    return [f"<results>/{training.folder}/{filename}" for training in runs.trainings(SETTINGS)]


def details(wildcards):
    """The table that a figure draws beside levels.csv."""
    return f"<results>/tables/{CATALOG[wildcards.figure].details}.csv"


def layers():
    """What claims about tickets' weights are judged by, if the run has any."""
    return ["<results>/tables/layers.csv"] if runs.described(SETTINGS) else []


def figure_names():
    """The figures that the arms of at least one experiment allow."""
    return figures_of_run(SETTINGS)
