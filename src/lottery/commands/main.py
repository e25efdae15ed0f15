"""`python -m lottery VERB ...`: one sub-command for each step, and for what is asked of finished runs."""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

from lottery import __version__, extensions
from lottery.commands import benchmarks, documents, finished, steps, tables, tickets
from lottery.commands.options import add_arguments
from lottery.errors import LotteryError

VERBS: list[Callable[..., None]] = [
    steps.prepare_dataset,
    steps.describe_images,
    steps.initialize,
    steps.score,
    steps.prune,
    steps.rewind,
    steps.make_control,
    steps.train,
    steps.interpolate,
    tables.collect,
    tables.describe_tickets,
    tables.describe_structure,
    tables.collect_barriers,
    tables.compare_masks,
    tables.judge_claims,
    tables.plot,
    finished.plan,
    finished.verify,
    finished.adopt,
    finished.tell_worth,
    finished.let_go,
    finished.publish,
    finished.report,
    finished.join,
    finished.pool,
    finished.compare,
    tickets.export,
    tickets.inspect,
    benchmarks.bench,
    benchmarks.bench_networks,
    benchmarks.bench_inference,
    benchmarks.check_card,
    benchmarks.compile_kernels,
    documents.document,
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Returns the exit status: 0, or 1 after an error told in one line."""
    chosen = vars(make_parser().parse_args(arguments))
    verb, name, debug = chosen.pop("run_verb"), chosen.pop("verb"), chosen.pop("debug")
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("lottery").setLevel(logging.INFO)
    try:
        extensions.load(chosen.pop("extension"))
        verb(**chosen)
    except LotteryError as error:
        if debug:
            raise
        print(f"lottery {name}: {error}", file=sys.stderr)
        return 1
    return 0


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lottery", description=__doc__)
    parser.add_argument("--version", action="version", version=f"lottery {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        added = commands.add_parser(verb.__name__.replace("_", "-"), help=verb.__doc__, description=verb.__doc__)
        added.set_defaults(run_verb=verb)
        told = "Python file that adds networks, arms and other rows, and is run first; may be given several times"
        added.add_argument("--extension", action="append", default=[], metavar="FILE", help=told)
        add_arguments(added, verb)
    return parser
