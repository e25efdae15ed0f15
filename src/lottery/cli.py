"""`python -m lottery VERB ...`: one thin sub-command for each step, every file named on the command line."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from lottery import arrays, extensions, stacks, tickets
from lottery.datasets.sources import source
from lottery.errors import LotteryError
from lottery.networks import Network, build
from lottery.settings import Initialisation, Pruning, Section, Settings, Training
from lottery.stacks import ExperimentKey, Stack
from lottery.weights import read_mask, read_parameters

Arguments = argparse.Namespace
Verb = Callable[[Arguments], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit status: 0, or 1 after an error told in one line."""
    parser = make_parser()
    chosen = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("lottery").setLevel(logging.INFO)
    try:
        extensions.load(chosen.extensions)
        chosen.run(chosen)
    except LotteryError as error:
        if chosen.debug:
            raise
        print(f"lottery {chosen.verb}: {error}", file=sys.stderr)
        return 1
    return 0


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lottery", description=__doc__)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.set_defaults(extensions=[])
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(run: Verb, name: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=run.__doc__, description=run.__doc__)
        added.set_defaults(run=run)
        return added

    def with_extensions(added: argparse.ArgumentParser) -> None:
        told = "Python file that adds networks or datasets and is run first; may be given several times"
        added.add_argument("--extension", action="append", default=[], dest="extensions", metavar="FILE", help=told)

    def with_network(added: argparse.ArgumentParser) -> None:
        with_extensions(added)
        added.add_argument("--key", type=from_json(ExperimentKey), required=True, help="experiment, seed, dataset")
        added.add_argument("--network", required=True)
        added.add_argument("--stack", type=stack_name, required=True, metavar="rFIRST-LAST", help="replicates")

    def with_initialisation(added: argparse.ArgumentParser) -> None:
        told = "what initial weights are drawn from"
        added.add_argument("--initialisation", type=from_json(Initialisation), required=True, help=told)

    def with_place(added: argparse.ArgumentParser) -> None:
        added.add_argument("--arm", required=True)
        added.add_argument("--level", type=int, required=True)

    added = verb(prepare_dataset, "prepare-dataset")
    with_extensions(added)
    added.add_argument("--dataset", required=True)
    added.add_argument("--resources", type=Path, required=True, help="folder of the repository's own datasets")
    added.add_argument("--downloads", type=Path, required=True, help="folder of raw files downloaded earlier and now")
    added.add_argument(
        "--mirror", type=Path, default=os.environ.get("LOTTERY_DATA") or None, help="default: $LOTTERY_DATA"
    )
    added.add_argument("--output", type=Path, required=True)

    added = verb(initialize, "initialize")
    with_network(added)
    with_initialisation(added)
    added.add_argument("--level", type=int, default=0)
    added.add_argument("--start", type=Path, required=True, help="to write: initial weights")

    added = verb(train, "train")
    with_network(added)
    with_place(added)
    added.add_argument("--draws", type=int, default=1)
    added.add_argument("--first", type=int, default=0, help="iteration at which training and its schedule begin")
    added.add_argument("--recipe", type=from_json(Training), required=True)
    added.add_argument("--threads", type=int, default=1)
    added.add_argument("--checkpoints", type=Path, required=True, help="folder to go on from after a kill")
    added.add_argument("--checkpoint-seconds", type=float, default=60, help="how often to write there")
    for name in ("dataset", "start", "trained", "history", "summary"):
        added.add_argument(f"--{name}", type=Path, required=True)
    added.add_argument("--mask", type=Path)

    added = verb(prune, "prune")
    with_network(added)
    with_place(added)
    added.add_argument("--pruning", type=from_json(Pruning), required=True)
    added.add_argument("--trained", type=Path, required=True, help="weights to score")
    added.add_argument("--survivors", type=Path, help="mask that the new one lies within")
    added.add_argument("--mask", type=Path, required=True, help="to write")

    added = verb(rewind, "rewind")
    with_network(added)
    added.add_argument("--checkpoint", type=Path, required=True)
    added.add_argument("--mask", type=Path, required=True)
    added.add_argument("--start", type=Path, required=True, help="to write")

    added = verb(make_control, "make-control")
    with_network(added)
    with_place(added)
    with_initialisation(added)
    added.add_argument("--draws", type=int, required=True)
    added.add_argument("--ticket", type=Path, required=True, help="mask to take or imitate")
    added.add_argument("--checkpoint", type=Path, required=True, help="what the ticket's survivors are set back to")
    added.add_argument("--mask", type=Path, required=True, help="to write: a mask for every draw")
    added.add_argument("--start", type=Path, required=True, help="to write")

    added = verb(collect, "collect")
    added.add_argument("--levels", type=Path, required=True, help="to write: one row for each trained network")
    added.add_argument("--curves", type=Path, required=True, help="to write: all histories")
    added.add_argument("--settings", type=from_json(Settings), required=True)
    added.add_argument("--settings-file", type=Path, required=True, help="to write: the settings")
    added.add_argument("folders", type=Path, nargs="+", help="folders of trained stacks")

    added = verb(describe_tickets, "describe-tickets")
    with_extensions(added)
    added.add_argument("--run", dest="run_folder", type=Path, required=True, help="folder of the run: results/<run>")
    added.add_argument("--settings", type=from_json(Settings), required=True)
    added.add_argument("--layers", type=Path, required=True, help="to write: a row for each layer of each ticket")
    added.add_argument("--distributions", type=Path, required=True, help="to write: histograms")

    added = verb(plan, "plan")
    with_extensions(added)
    added.add_argument("--settings", required=True, metavar="JSON", help="a run's settings, or a file of them")
    added.add_argument("--cores", type=positive, default=os.cpu_count(), help="default: those of this machine")
    added.add_argument("--measured", type=Path, metavar="RUN", help="take speeds from this finished run: results/<run>")

    added = verb(verify, "verify")
    with_extensions(added)
    added.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a finished run: results/<run>")
    added.add_argument("--data", type=Path, help="folder of prepared datasets; results/data beside the run")

    added = verb(publish, "publish")
    with_extensions(added)
    added.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a finished run: results/<run>")
    added.add_argument("--output", type=Path, required=True, help="folder to write to, such as docs/results/<run>")

    added = verb(plot, "plot")
    added.add_argument("--figure", required=True)
    added.add_argument("--levels", type=Path, required=True)
    added.add_argument("--details", type=Path, required=True, help="the figure's further table: curves, distributions")
    added.add_argument(
        "--output", type=Path, required=True, nargs="+", help="pictures to write; the endings choose formats"
    )

    added = verb(judge_claims, "judge-claims")
    added.add_argument("--levels", type=Path, required=True)
    added.add_argument("--layers", type=Path, help="what is known of the tickets' weights")
    added.add_argument("--csv", type=Path, required=True)
    added.add_argument("--markdown", type=Path, required=True)
    added.add_argument("--html", type=Path, required=True)

    verb(compile_kernels, "compile-kernels")

    added = verb(compare, "compare")
    added.add_argument("--runs", type=Path, nargs=2, required=True, metavar="FOLDER")
    added.add_argument("--output", type=Path, required=True, help="Markdown table to write")

    added = verb(bench, "bench")
    added.add_argument("--dataset", type=Path, required=True)
    added.add_argument("--repeats", type=int, default=7)
    added.add_argument("--output", type=Path, required=True, help="folder for the table and the figure")

    added = verb(bench_networks, "bench-networks")
    added.add_argument("--networks", nargs="+", metavar="NETWORK", help="default: every network of the paper")
    added.add_argument("--device", choices=["cpu", "cuda"], help="default: a GPU where PyTorch finds one")
    added.add_argument("--repeats", type=positive, default=5)
    added.add_argument("--seconds", type=float, default=1.0, help="about how long each measurement takes")
    added.add_argument("--compile", action="store_true", help="measure torch.compile too, which takes minutes more")
    added.add_argument("--output", type=Path, required=True, help="folder for the table")

    added = verb(document_settings, "document-settings")
    added.add_argument("--schema", type=Path, required=True)
    added.add_argument("--readme", type=Path, required=True)
    return parser


def prepare_dataset(chosen: Arguments) -> None:
    """Find or download the raw files of a dataset, verify them and write them as one file of arrays."""
    from lottery.datasets.images import prepare
    from lottery.datasets.raw import Places

    mirror = chosen.mirror and chosen.mirror.expanduser()
    prepare(chosen.dataset, Places(chosen.resources, mirror, chosen.downloads), chosen.output)


def initialize(chosen: Arguments) -> None:
    """Draw the initial weights of every replicate."""
    drawn = stacks.initialize(chosen.stack, chosen.key, network_of(chosen), chosen.level, chosen.initialisation)
    arrays.write_arrays(chosen.start, drawn)


def train(chosen: Arguments) -> None:
    """Train a stack of networks from their starting weights."""
    from lottery.training.job import Job, JobFiles, run_job

    members = chosen.stack.members(chosen.draws)
    job = Job(chosen.key, chosen.network, chosen.recipe, chosen.arm, chosen.level, members, chosen.first)
    files = JobFiles(
        chosen.dataset, chosen.start, chosen.mask, chosen.trained, chosen.history, chosen.summary, chosen.checkpoints
    )
    run_job(job, files, chosen.threads, chosen.checkpoint_seconds)


def prune(chosen: Arguments) -> None:
    """Remove the weights of smallest trained magnitude from a mask."""
    network, members = network_of(chosen), len(chosen.stack.members())
    counts = tickets.arm(chosen.arm).counts(network, chosen.pruning, chosen.level)
    survivors = read_mask(chosen.survivors, network, members) if chosen.survivors else None
    mask = stacks.prune(chosen.stack, read_parameters(chosen.trained, network, members), survivors, counts)
    arrays.write_arrays(chosen.mask, mask)


def rewind(chosen: Arguments) -> None:
    """Set the survivors of a mask back to a checkpoint and everything else that can be pruned to 0."""
    network, members = network_of(chosen), len(chosen.stack.members())
    checkpoint, mask = read_parameters(chosen.checkpoint, network, members), read_mask(chosen.mask, network, members)
    arrays.write_arrays(chosen.start, tickets.rewind(checkpoint, mask))


def make_control(chosen: Arguments) -> None:
    """Make a network that differs from a ticket in one thing: its weights, or where they are."""
    network, members = network_of(chosen), len(chosen.stack.members())
    ticket, checkpoint = (
        read_mask(chosen.ticket, network, members),
        read_parameters(chosen.checkpoint, network, members),
    )
    which = (tickets.arm(chosen.arm), chosen.level, chosen.draws)
    made = stacks.control(chosen.stack, chosen.key, network, *which, ticket, checkpoint, chosen.initialisation)
    for path, arrays_ in zip((chosen.mask, chosen.start), made, strict=True):
        arrays.write_arrays(path, arrays_)


def collect(chosen: Arguments) -> None:
    """Gather the results of all trainings in two tables."""
    from lottery.analysis.tables import collect_curves, collect_levels, write_table

    levels, curves = collect_levels(chosen.folders, chosen.settings), collect_curves(chosen.folders)
    write_table(chosen.levels, levels)
    write_table(chosen.curves, curves)
    arrays.write_text(chosen.settings_file, chosen.settings.model_dump_json(indent=1) + "\n")


def describe_tickets(chosen: Arguments) -> None:
    """Tell which weights are in the tickets: initial values, movement, links of units."""
    from lottery.analysis.tables import write_table
    from lottery.analysis.ticket_weights import describe

    layers, distributions = describe(chosen.run_folder, chosen.settings)
    write_table(chosen.layers, layers)
    write_table(chosen.distributions, distributions)


def plan(chosen: Arguments) -> None:
    """Tell what a run will cost: jobs, networks, hours, room on the disk. Starts nothing."""
    from lottery.planning.plan import Plan, as_text
    from lottery.planning.speed import Speed, measured
    from lottery.runs import parsed_json, read_finished_run, read_run

    text = chosen.settings.strip()
    settings = read_run(parsed_json(text)) if text.startswith("{") else read_finished_run(Path(text))
    print(as_text(Plan(settings, chosen.cores, measured(chosen.measured) if chosen.measured else Speed())))


def verify(chosen: Arguments) -> None:
    """Recompute a finished run from its files: masks, starts, accuracies and tables; names each file that is wrong."""
    from lottery.verification import verify

    wrong = list(verify(chosen.run_folder, chosen.data or chosen.run_folder.parent / "data"))
    if wrong:
        raise LotteryError("\n".join([f"{len(wrong)} files are wrong:", *wrong]))
    print(f"{chosen.run_folder}: masks, starts, weights, accuracies and tables are what they should be")


def publish(chosen: Arguments) -> None:
    """Write a finished run's tables, verdicts and figures, and what made them, into a folder of small files."""
    from lottery.publication import publish

    publish(chosen.run_folder, chosen.output)


def plot(chosen: Arguments) -> None:
    """Draw one figure from the tables."""
    from lottery.analysis.tables import LEVELS, columns_of, read_table
    from lottery.figures.drawing import details_of, draw

    details = read_table(chosen.details, columns_of(details_of(chosen.figure)))
    draw(chosen.figure, read_table(chosen.levels, LEVELS), details, chosen.output)


def judge_claims(chosen: Arguments) -> None:
    """Compare the tables with the paper's claims, each with an interval and a verdict."""
    from lottery.analysis.claims import judge
    from lottery.analysis.claims_text import as_html, as_markdown
    from lottery.analysis.tables import LAYERS, LEVELS, read_table, write_table

    layers = read_table(chosen.layers, LAYERS) if chosen.layers else None
    verdicts = judge(read_table(chosen.levels, LEVELS), layers)
    write_table(chosen.csv, verdicts)
    arrays.write_text(chosen.markdown, as_markdown(verdicts))
    arrays.write_text(chosen.html, as_html(verdicts))


def compile_kernels(_: Arguments) -> None:
    """Compile the sparse engine's kernels, which is otherwise done when they are first used."""
    from lottery.training.sparse_engine import compile_kernels

    compile_kernels()


def compare(chosen: Arguments) -> None:
    """Compare two runs of the same seeds, size by size."""
    from lottery.analysis.comparison import as_markdown, compare
    from lottery.analysis.tables import LEVELS, read_table

    first, second = (read_table(run / "tables" / "levels.csv", LEVELS) for run in chosen.runs)
    arrays.write_text(chosen.output, as_markdown(compare(first, second)))


def bench(chosen: Arguments) -> None:
    """Time a training iteration of every engine at many sizes, and what limits the sparse one."""
    from lottery.analysis.tables import write_table
    from lottery.benchmark import cost, limits
    from lottery.figures.cost import cost as draw_cost
    from lottery.figures.drawing import save, start_drawing

    setting = cost.Setting(chosen.dataset)
    table = cost.run(setting, chosen.repeats)
    write_table(chosen.output / "cost.csv", table)
    page = cost.as_markdown(table) + "\n" + limits.as_markdown(*limits.run(setting))
    arrays.write_text(chosen.output / "cost.md", page)
    start_drawing()
    save(draw_cost(table), [chosen.output / f"cost.{suffix}" for suffix in ("pdf", "svg", "png")])
    print(page)


def bench_networks(chosen: Arguments) -> None:
    """Measure images a second of every network against a plain PyTorch loop, on made-up images."""
    import torch

    from lottery.analysis.tables import write_table
    from lottery.benchmark import throughput

    device: throughput.Device = chosen.device or ("cuda" if torch.cuda.is_available() else "cpu")
    networks = chosen.networks or list(throughput.RECIPES)
    table = throughput.run(networks, device, chosen.repeats, chosen.seconds, compiled=chosen.compile)
    page = throughput.as_markdown(table, device, chosen.repeats)
    write_table(chosen.output / "networks.csv", table)
    arrays.write_text(chosen.output / "networks.md", page)
    print(page)


def document_settings(chosen: Arguments) -> None:
    """Write the JSON schema and the reference of all settings from their declarations."""
    from lottery.settings_reference import readme_with_reference, schema

    arrays.write_text(chosen.schema, schema())
    arrays.write_text(chosen.readme, readme_with_reference(chosen.readme.read_text()))


def network_of(chosen: Arguments) -> Network:
    data = source(chosen.key.dataset)
    return build(chosen.network, data.image_shape, data.classes)


def from_json(section: type[Section]) -> Callable[[str], Section]:
    """The parser of an option that holds a section of the settings as JSON."""

    def parse(text: str) -> Section:
        try:
            return section.model_validate_json(text)
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, problem["loc"]))
            raise argparse.ArgumentTypeError(f"{place or section.__name__}: {problem['msg']}") from None

    return parse


def positive(text: str) -> int:
    """The parser of an option that counts something."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def stack_name(text: str) -> Stack:
    """The parser of the option --stack."""
    try:
        return Stack.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form r0-2") from None
