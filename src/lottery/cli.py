"""`python -m lottery VERB ...`: one thin sub-command for each step, every file named on the command line."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from lottery import arrays, stacks, tickets
from lottery.datasets.sources import source
from lottery.errors import LotteryError
from lottery.networks import Network, build
from lottery.settings import Pruning, Section, Training
from lottery.stacks import ExperimentKey, Stack

Arguments = argparse.Namespace
Verb = Callable[[Arguments], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit status: 0, or 1 after an error told in one line."""
    parser = make_parser()
    chosen = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("lottery").setLevel(logging.INFO)
    try:
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
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(run: Verb, name: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=run.__doc__, description=run.__doc__)
        added.set_defaults(run=run)
        return added

    def with_network(added: argparse.ArgumentParser) -> None:
        added.add_argument("--key", type=from_json(ExperimentKey), required=True, help="experiment, seed, dataset")
        added.add_argument("--network", required=True)
        added.add_argument("--stack", type=stack_name, required=True, metavar="rFIRST-LAST", help="replicates")

    def with_place(added: argparse.ArgumentParser) -> None:
        added.add_argument("--arm", required=True)
        added.add_argument("--level", type=int, required=True)

    added = verb(prepare_dataset, "prepare-dataset")
    added.add_argument("--dataset", required=True)
    added.add_argument("--raw", type=Path, required=True, help="folder of the raw files")
    added.add_argument("--output", type=Path, required=True)

    added = verb(initialize, "initialize")
    with_network(added)
    added.add_argument("--level", type=int, default=0)
    added.add_argument("--start", type=Path, required=True, help="to write: initial weights")

    added = verb(train, "train")
    with_network(added)
    with_place(added)
    added.add_argument("--draws", type=int, default=1)
    added.add_argument("--recipe", type=from_json(Training), required=True)
    added.add_argument("--threads", type=int, default=1)
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
    added.add_argument("--checkpoint", type=Path, required=True)
    added.add_argument("--mask", type=Path, required=True)
    added.add_argument("--start", type=Path, required=True, help="to write")

    added = verb(reinitialize, "reinitialize")
    with_network(added)
    added.add_argument("--level", type=int, required=True)
    added.add_argument("--draws", type=int, required=True)
    added.add_argument("--ticket", type=Path, required=True, help="mask of the ticket")
    added.add_argument("--mask", type=Path, required=True, help="to write: the ticket's mask for every draw")
    added.add_argument("--start", type=Path, required=True, help="to write")

    added = verb(randomize_mask, "randomize-mask")
    with_network(added)
    added.add_argument("--level", type=int, required=True)
    added.add_argument("--draws", type=int, required=True)
    added.add_argument("--ticket", type=Path, required=True, help="mask to imitate")
    added.add_argument("--checkpoint", type=Path, required=True, help="initial weights")
    added.add_argument("--mask", type=Path, required=True, help="to write")
    added.add_argument("--start", type=Path, required=True, help="to write")

    added = verb(collect, "collect")
    added.add_argument("--levels", type=Path, required=True, help="to write: one row for each trained network")
    added.add_argument("--curves", type=Path, required=True, help="to write: all histories")
    added.add_argument("folders", type=Path, nargs="+", help="folders of trained stacks")

    added = verb(plot, "plot")
    added.add_argument("--figure", required=True)
    added.add_argument("--levels", type=Path, required=True)
    added.add_argument("--curves", type=Path, required=True)
    added.add_argument(
        "--output", type=Path, required=True, nargs="+", help="pictures to write; the endings choose formats"
    )

    added = verb(judge_claims, "judge-claims")
    added.add_argument("--levels", type=Path, required=True)
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

    added = verb(document_settings, "document-settings")
    added.add_argument("--schema", type=Path, required=True)
    added.add_argument("--readme", type=Path, required=True)
    return parser


def prepare_dataset(chosen: Arguments) -> None:
    """Verify the raw files of a dataset and write them as one file of arrays."""
    from lottery.datasets.images import prepare

    prepare(chosen.dataset, chosen.raw, chosen.output)


def initialize(chosen: Arguments) -> None:
    """Draw the initial weights of every replicate."""
    arrays.write_arrays(chosen.start, stacks.initialize(chosen.stack, chosen.key, network_of(chosen), chosen.level))


def train(chosen: Arguments) -> None:
    """Train a stack of networks from their starting weights."""
    from lottery.training.job import Job, JobFiles, run_job

    job = Job(chosen.key, chosen.network, chosen.recipe, chosen.arm, chosen.level, chosen.stack.members(chosen.draws))
    files = JobFiles(chosen.dataset, chosen.start, chosen.mask, chosen.trained, chosen.history, chosen.summary)
    run_job(job, files, chosen.threads)


def prune(chosen: Arguments) -> None:
    """Remove the weights of smallest trained magnitude from a mask."""
    counts = tickets.arm(chosen.arm).counts(network_of(chosen), chosen.pruning, chosen.level)
    survivors = arrays.read_arrays(chosen.survivors) if chosen.survivors else None
    mask = stacks.prune(chosen.stack, arrays.read_arrays(chosen.trained), survivors, counts)
    arrays.write_arrays(chosen.mask, mask)


def rewind(chosen: Arguments) -> None:
    """Set the survivors of a mask back to a checkpoint and everything else that can be pruned to 0."""
    start = tickets.rewind(arrays.read_arrays(chosen.checkpoint), arrays.read_arrays(chosen.mask))
    arrays.write_arrays(chosen.start, start)


def reinitialize(chosen: Arguments) -> None:
    """Give a ticket's mask freshly drawn weights."""
    ticket = arrays.read_arrays(chosen.ticket)
    mask, start = stacks.reinitialize(chosen.stack, chosen.key, network_of(chosen), chosen.level, chosen.draws, ticket)
    arrays.write_arrays(chosen.mask, mask)
    arrays.write_arrays(chosen.start, start)


def randomize_mask(chosen: Arguments) -> None:
    """Keep as many weights in each layer as a ticket does, at random places, and rewind them."""
    ticket, checkpoint = arrays.read_arrays(chosen.ticket), arrays.read_arrays(chosen.checkpoint)
    mask, start = stacks.randomize_mask(chosen.stack, chosen.key, chosen.level, chosen.draws, ticket, checkpoint)
    arrays.write_arrays(chosen.mask, mask)
    arrays.write_arrays(chosen.start, start)


def collect(chosen: Arguments) -> None:
    """Gather the results of all trainings in two tables."""
    from lottery.analysis.tables import collect_curves, collect_levels, write_table

    write_table(chosen.levels, collect_levels(chosen.folders))
    write_table(chosen.curves, collect_curves(chosen.folders))


def plot(chosen: Arguments) -> None:
    """Draw one figure from the tables."""
    from lottery.analysis.tables import read_table
    from lottery.figures.drawing import draw

    draw(chosen.figure, read_table(chosen.levels), read_table(chosen.curves), chosen.output)


def judge_claims(chosen: Arguments) -> None:
    """Compare the tables with the paper's claims, each with an interval and a verdict."""
    from lottery.analysis.claims import judge
    from lottery.analysis.claims_text import as_html, as_markdown
    from lottery.analysis.tables import read_table, write_table

    verdicts = judge(read_table(chosen.levels))
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
    from lottery.analysis.tables import read_table

    first, second = (read_table(run / "tables" / "levels.csv") for run in chosen.runs)
    arrays.write_text(chosen.output, as_markdown(compare(first, second)))


def bench(chosen: Arguments) -> None:
    """Time a training iteration of every engine at many sizes."""
    from lottery import benchmark
    from lottery.analysis.tables import write_table
    from lottery.figures.cost import cost
    from lottery.figures.drawing import save, start_drawing

    table = benchmark.run(chosen.dataset, chosen.repeats)
    write_table(chosen.output / "cost.csv", table)
    page = benchmark.as_markdown(table)
    arrays.write_text(chosen.output / "cost.md", page)
    start_drawing()
    save(cost(table), [chosen.output / f"cost.{suffix}" for suffix in ("pdf", "svg", "png")])
    print(page)


def document_settings(chosen: Arguments) -> None:
    """Write the JSON schema and the reference of all settings from their declarations."""
    from lottery.settings_reference import readme_with_reference, schema

    arrays.write_text(chosen.schema, schema())
    arrays.write_text(chosen.readme, readme_with_reference(chosen.readme.read_text()))


def network_of(chosen: Arguments) -> Network:
    data = source(chosen.key.dataset)
    return build(chosen.network, data.inputs, data.classes)


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


def stack_name(text: str) -> Stack:
    """The parser of the option --stack."""
    try:
        return Stack.parse(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form r0-2") from None
