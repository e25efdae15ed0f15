# Settings, paths and the functions that rules ask.
import hashlib
import os
import re
import shlex
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.types import DeploymentMethod
from snakemake.sourcecache import LocalSourceFile

IS_MODULE = workflow.modifier.parent_modifier is not None
RULES = workflow.current_basedir


def check_installed(tag):
    """Stop where the rules come from a host of repositories and the package that their jobs run is not beside them."""
    install = "install it beside Snakemake by pip, from the repository at the same tag"
    try:
        installed = version("lottery-ticket-workflow")
    except PackageNotFoundError:
        raise WorkflowError(f"lottery: the package is not installed, and {RULES} brings the rules alone: {install}")
    if re.fullmatch(r"v\d+\.\d+\.\d+", tag or "") and tag != f"v{installed}":
        raise WorkflowError(f"lottery: the package is of version {installed}, the rules of {tag}: {install}")
    if DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method:
        raise WorkflowError(
            f"--sdm conda: the environments of {RULES} do not hold the package; import a checkout of the repository"
        )


# The repository, wherever the workflow that imports this one as a module lies. Such a workflow may put a prefix before
# relative paths, which must not come before those of the repository. Of one on a host Snakemake reads the rules alone:
# jobs then run the installed package, and the folder of the repository's datasets is that of the working directory.
if isinstance(RULES, LocalSourceFile):
    REPOSITORY = Path(RULES.get_path_or_uri(secret_free=True)).parents[1]
    ROOT = REPOSITORY if IS_MODULE else Path(os.path.relpath(REPOSITORY))
    sys.path.insert(0, str(REPOSITORY / "src"))
else:
    check_installed(getattr(RULES, "tag", None))
    REPOSITORY, ROOT = None, Path()

from lottery import code, extensions
from lottery.arms import lineage, pairs
from lottery.arms.pairs import PAIRS
from lottery.arms.places import DENSE, Place, Replicates
from lottery.arms.rows import ARMS
from lottery.arrays import read_bytes, write_text
from lottery.datasets.catalog import SOURCES
from lottery.errors import LotteryError
from lottery.figures.catalog import CATALOG, figures_of_run
from lottery.pruning import allocation
from lottery.runs import dependence, keeping, lines, listing, reading
from lottery.runs.jobs import Job
from lottery.settings.reading import keys_given_twice
from lottery.training import cards

try:
    for path in [] if IS_MODULE else map(Path, workflow.configfiles):
        if twice := keys_given_twice(read_bytes(path).decode(errors="replace")):
            raise LotteryError("\n".join(f"{path}: {line}" for line in twice))
    SETTINGS = reading.read_run(config)
except LotteryError as error:
    raise WorkflowError(str(error))

# Snakemake takes braces in commands, and braces and angle brackets in paths, as its own; Python splits PYTHONPATH at
# colons.
if REPOSITORY and (set("{}:") & set(str(REPOSITORY)) or set("<>") & set(str(ROOT))):
    raise WorkflowError(f"{REPOSITORY}: the workflow cannot run from a folder with one of {{ }} < > : in its path")

for path in SETTINGS.extensions:
    if set("{}<>") & set(path):
        raise WorkflowError(f"config: extensions: {path}: a file with one of {{ }} < > in its path cannot be used")

# The interpreter that runs Snakemake also runs the jobs, unless a conda environment is activated on top of it.
os.environ.update(PATH=os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()]))
if REPOSITORY:
    shell.prefix(f"export PYTHONPATH={shlex.quote(str(REPOSITORY / 'src'))}; ")

# Not among a rule's parameters: data is known by its checksum, so another mirror must repeat nothing.
if SETTINGS.data_mirror:
    os.environ.update(LOTTERY_DATA=SETTINGS.data_mirror)


def kept_file(text, suffix):
    """A file of this text, named for it, so that no job reads what a later dry run has changed."""
    path = Path(".snakemake", "lottery", hashlib.sha256(text.encode()).hexdigest()[:16] + suffix)
    if not path.exists():
        write_text(path, text)
    return str(path)


# The run's settings, which every command reads: in a command there is no room for many experiments. As a resource of
# rules they repeat nothing: what a job depends on stands among its parameters.
SETTINGS_FILE = kept_file(SETTINGS.canonical_json() + "\n", ".json")


def caption_file(figure):
    """What the report says of a figure."""
    replicates = [f"{SETTINGS.experiments[name].replicates} replicates of {name}" for name in SETTINGS.run_experiments]
    entry = CATALOG[figure]
    text = f"**{entry.title}.** {entry.caption}\nRun {SETTINGS.run}, n = {', '.join(replicates)}; bars and bands reach from the"
    return os.path.abspath(kept_file(f"{text} least to the greatest network.\n", ".rst"))


pathvars:
    results=f"results/{SETTINGS.run}",
    logs=f"results/{SETTINGS.run}/logs",
    benchmarks=f"results/{SETTINGS.run}/benchmarks",


wildcard_constraints:
    experiment="|".join(SETTINGS.experiments),
    replicates=r"r(0|[1-9][0-9]*)-(0|[1-9][0-9]*)",
    arm="|".join(map(re.escape, ARMS)),
    level=r"0|[1-9][0-9]*",
    dataset=r"[a-z0-9-]+",
    pair="|".join(PAIRS),


def arms_made_by(verb, file):
    """A wildcard constraint: the arms whose file of this kind a verb writes."""
    return "|".join(
        re.escape(name) for name in ARMS if lineage.maker(Place("", Replicates(0, 0), name, 0), file) == verb
    )


def own_files(paths):
    """The user's files, out of the reach of a module's prefix. Snakemake warns of paths that begin with "./", and names
    files by the text of their paths.
    """
    return [local(os.path.abspath(path) if IS_MODULE else str(Path(path))) for path in paths]


def job(wildcards):
    """The training job that a rule's wildcards name."""
    return job_at(*(str(wildcards[name]) for name in ("experiment", "replicates", "arm", "level")))


@cache
def job_at(experiment, replicates, arm, level):
    """A training job, which remembers what was asked of it: Snakemake asks many times."""
    return Job(SETTINGS, Place(experiment, Replicates.parse(replicates), arm, int(level)))


def files_read(verb):
    """The files that a verb reads to make those of a place: of places, the images, and the user's own code.

    The package's own code is a parameter: as inputs, its files would be most of what Snakemake looks at.
    """

    def files(wildcards):
        asked = job(wildcards)
        read = lineage.files_read(asked.place, verb, asked.experiment)
        found = [f"<results>/{place.folder}/{file}.safetensors" for place, file in read]
        images = [f"results/data/{asked.experiment.dataset}.safetensors"] * (verb in ("score", "train"))
        return found + images + own_files(asked.extensions)

    return files


def line(wildcards):
    """The pair of networks that a rule's wildcards name."""
    return lines.Line(job(wildcards), PAIRS[wildcards.pair])


def line_files_read(wildcards):
    """The files that the error along a line is measured from."""
    asked = job(wildcards)
    found = [f"<results>/{file}" for file in pairs.files_of_ends(PAIRS[wildcards.pair], asked.place)]
    return found + [f"results/data/{asked.experiment.dataset}.safetensors"] + own_files(asked.extensions)


def line_files():
    """The files of all lines of the run."""
    return [f"<results>/{each.job.place.folder}/{each.file}" for each in lines.lines(SETTINGS)]


def line_summaries():
    """What became of the networks at the ends of all lines of the run."""
    ends = [job.place.folder for line in lines.lines(SETTINGS) for job in line.jobs()]
    return [f"<results>/{folder}/summary.json" for folder in dict.fromkeys(ends)]


def of_job(verb):
    """What the command of a verb names, and what else a job depends on."""
    return dict(
        run=lambda wildcards, output: run_folder(output),
        place=lambda wildcards: job(wildcards).place.folder,
        extensions=lambda wildcards: options(job(wildcards).extensions),
        depends_on=lambda wildcards: dependence.depends_on(job(wildcards), verb),
        code=code.of_verb(verb),
        verb=verb,
    )


def run_folder(output):
    """The folder results/<run> that a place's file lies in, wherever a storage keeps it."""
    return str(Path(output[0]).parents[4])


def told(wildcards):
    """A job in the words of messages."""
    asked = job(wildcards)
    percent = 100 * allocation.remaining(asked.network, asked.counts) if asked.arm.masked else 100
    size = f" at level {asked.place.level}, {percent:.1f}% of the weights" if asked.arm.masked else ""
    return f"{asked.place.arm}{size}: {asked.place.experiment}, replicates {asked.place.replicates}"


def more_each_attempt(amount):
    """A resource of a job that is killed when it takes more: at the n-th attempt n times the amount."""
    return lambda wildcards, attempt: attempt * amount


def gpus(wildcards):
    """GPUs of a training job."""
    return 1 if job(wildcards).training.device == "cuda" else 0


def cards_here():
    """How many trainings this machine's cards have room for; 0 when none needs one, or no card can be told."""
    experiments = [SETTINGS.experiments[name] for name in SETTINGS.run_experiments]
    sharing = [each.trainings_per_card for each in experiments if each.training.device == "cuda"]
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
    return job(wildcards).experiment.threads_per_job


def cores_at_once(wildcards):
    """How many cores the run will have: --cores, or on a cluster --jobs, of a core each."""
    return workflow.resource_settings.cores or workflow.resource_settings.nodes or os.cpu_count()


def trained(filename):
    """This file of every training that the run's results are collected from."""
    return [f"<results>/{job.place.folder}/{filename}" for job in listing.trainings(SETTINGS)]


def details():
    """The tables that figures draw beside levels.csv."""
    return [f"<results>/tables/{name}.csv" for name in sorted({CATALOG[figure].details for figure in figure_names()})]


def with_tickets():
    """The experiments of the run that train tickets of the arm whose best one is exported."""
    return [
        name
        for name in SETTINGS.run_experiments
        if listing.levels_of(SETTINGS.experiments[name], listing.DESCRIBED_ARM)
    ]


def networks_of_tickets(wildcards):
    """The files of an experiment's dense networks and tickets."""
    arms = (DENSE, listing.DESCRIBED_ARM)
    jobs = [job for job in listing.trainings(SETTINGS) if job.place.experiment == wildcards.experiment]
    return [
        f"<results>/{job.place.folder}/{file}"
        for job in jobs
        if job.place.arm in arms
        for file in ("trained.safetensors", "start.safetensors", "summary.json", *["mask.safetensors"] * job.arm.masked)
    ]


def dataset_of(wildcards):
    """The prepared dataset of an experiment."""
    return f"results/data/{SETTINGS.experiments[wildcards.experiment].dataset}.safetensors"


def layers():
    """What claims about tickets' weights are judged by, if the run has any."""
    return ["<results>/tables/layers.csv"] if listing.described(SETTINGS) else []


def barriers():
    """What claims about lines between networks are judged by, if the run has any."""
    return ["<results>/tables/barriers.csv"] if lines.lines(SETTINGS) else []


def overlaps():
    """What claims about how alike masks are, are judged by, if the run compares any."""
    return ["<results>/tables/overlaps.csv"] if listing.compared_files(SETTINGS) else []


def figure_names():
    """The figures that the arms of at least one experiment allow."""
    return figures_of_run(SETTINGS)


def drawn(figures):
    """The files of these figures: asked for one by one, so that each that is gone is drawn again."""
    return [f"<results>/figures/{figure}.{suffix}" for figure in figures for suffix in ("pdf", "svg", "png")]


def extensions_of_dataset(wildcards):
    """The user's files that a dataset depends on."""
    return extensions.needed(SETTINGS.extensions, [("dataset", wildcards.dataset)])


def extensions_of_figures():
    """The user's files that the figures depend on."""
    arms = [("arm", name) for figure in figure_names() for name in CATALOG[figure].arms]
    return extensions.needed(SETTINGS.extensions, [*(("figure", figure) for figure in figure_names()), *arms])


def drawn_or_why_not(figure):
    """A figure's files; of one that the run does not draw the reason, which Snakemake then tells as what is missing."""
    if figure in figure_names():
        return drawn([figure])
    try:
        figures_of_run(SETTINGS.model_copy(update={"figures": [figure]}))
    except LotteryError as error:
        return [local(str(error))]
    return [local(f"config: figures: does not name {figure}, so this run does not draw it")]


def of_run(wildcards, output):
    """The folder results/<run> of a table or a figure."""
    return str(Path(output[0]).parents[1])


def options(paths):
    """The user's files as options. They are relative to the working directory, in a module too."""
    return [f"--extension={path}" for path in paths]
