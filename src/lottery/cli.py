"""`python -m lottery VERB ...`: one thin sub-command for each step, every file named on the command line."""

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import ValidationError

from lottery import extensions, verbs
from lottery.errors import LotteryError
from lottery.settings import Initialisation, Pruning, Section, Settings, Training
from lottery.stacks import ExperimentKey, Stack
from lottery.verbs import Arguments

PARTS = ("tests", "speeds", "sharing", "repeats", "trainings", "verification")
"""Of the check of a GPU, in their order."""

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
    commands = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(run: Verb, name: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
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

    added = verb(verbs.prepare_dataset, "prepare-dataset")
    with_extensions(added)
    added.add_argument("--dataset", required=True)
    added.add_argument("--resources", type=Path, required=True, help="folder of the repository's own datasets")
    added.add_argument("--downloads", type=Path, required=True, help="folder of raw files downloaded earlier and now")
    added.add_argument(
        "--mirror", type=Path, default=os.environ.get("LOTTERY_DATA") or None, help="default: $LOTTERY_DATA"
    )
    added.add_argument("--output", type=Path, required=True)

    added = verb(verbs.initialize, "initialize")
    with_network(added)
    with_initialisation(added)
    added.add_argument("--level", type=int, default=0)
    added.add_argument("--start", type=Path, required=True, help="to write: initial weights")

    added = verb(verbs.train, "train")
    with_network(added)
    with_place(added)
    added.add_argument("--draws", type=positive, default=1)
    added.add_argument("--first", type=int, default=0, help="iteration at which training and its schedule begin")
    added.add_argument("--recipe", type=from_json(Training), required=True)
    added.add_argument("--threads", type=int, default=1)
    added.add_argument("--trainings-per-card", type=positive, default=1, help="jobs that may share a GPU")
    added.add_argument("--checkpoints", type=Path, required=True, help="folder to go on from after a kill")
    added.add_argument("--checkpoint-seconds", type=float, default=60, help="how often to write there")
    for name in ("dataset", "start", "trained", "history", "summary"):
        added.add_argument(f"--{name}", type=Path, required=True)
    added.add_argument("--mask", type=Path)

    added = verb(verbs.prune, "prune")
    with_network(added)
    with_place(added)
    added.add_argument("--pruning", type=from_json(Pruning), required=True)
    added.add_argument("--trained", type=Path, required=True, help="weights to score")
    added.add_argument("--survivors", type=Path, help="mask that the new one lies within")
    added.add_argument("--mask", type=Path, required=True, help="to write")

    added = verb(verbs.rewind, "rewind")
    with_network(added)
    added.add_argument("--checkpoint", type=Path, required=True)
    added.add_argument("--mask", type=Path, required=True)
    added.add_argument("--start", type=Path, required=True, help="to write")

    added = verb(verbs.make_control, "make-control")
    with_network(added)
    with_place(added)
    with_initialisation(added)
    added.add_argument("--draws", type=positive, required=True)
    added.add_argument("--ticket", type=Path, required=True, help="mask to take or imitate")
    added.add_argument("--checkpoint", type=Path, required=True, help="what the ticket's survivors are set back to")
    added.add_argument("--mask", type=Path, required=True, help="to write: a mask for every draw")
    added.add_argument("--start", type=Path, required=True, help="to write")

    added = verb(verbs.collect, "collect")
    added.add_argument("--levels", type=Path, required=True, help="to write: one row for each trained network")
    added.add_argument("--curves", type=Path, required=True, help="to write: all histories")
    added.add_argument("--settings", type=from_json(Settings), required=True)
    added.add_argument("--settings-file", type=Path, required=True, help="to write: the settings")
    added.add_argument("folders", type=Path, nargs="+", help="folders of trained stacks")

    added = verb(verbs.describe_tickets, "describe-tickets")
    with_extensions(added)
    added.add_argument("--run", dest="run_folder", type=Path, required=True, help="folder of the run: results/<run>")
    added.add_argument("--settings", type=from_json(Settings), required=True)
    added.add_argument("--layers", type=Path, required=True, help="to write: a row for each layer of each ticket")
    added.add_argument("--distributions", type=Path, required=True, help="to write: histograms")

    added = verb(verbs.plan, "plan")
    with_extensions(added)
    added.add_argument("--settings", required=True, metavar="JSON", help="a run's settings, or a file of them")
    added.add_argument("--cores", type=positive, default=os.cpu_count(), help="default: those of this machine")
    added.add_argument("--measured", type=Path, metavar="RUN", help="take speeds from this finished run: results/<run>")
    added.add_argument("--card", metavar="NAME", help="a GPU whose speeds were measured; default: that of this machine")

    added = verb(verbs.verify, "verify")
    with_extensions(added)
    added.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a finished run: results/<run>")
    added.add_argument("--data", type=Path, help="folder of prepared datasets; results/data beside the run")

    added = verb(verbs.publish, "publish")
    with_extensions(added)
    added.add_argument("run_folder", type=Path, metavar="RUN", help="folder of a finished run: results/<run>")
    added.add_argument("--output", type=Path, required=True, help="folder to write to, such as docs/results/<run>")

    added = verb(verbs.plot, "plot")
    added.add_argument("--figure", required=True)
    added.add_argument("--levels", type=Path, required=True)
    added.add_argument("--details", type=Path, required=True, help="the figure's further table: curves, distributions")
    added.add_argument(
        "--output", type=Path, required=True, nargs="+", help="pictures to write; the endings choose formats"
    )

    added = verb(verbs.judge_claims, "judge-claims")
    added.add_argument("--levels", type=Path, required=True)
    added.add_argument("--layers", type=Path, help="what is known of the tickets' weights")
    added.add_argument("--csv", type=Path, required=True)
    added.add_argument("--markdown", type=Path, required=True)
    added.add_argument("--html", type=Path, required=True)

    verb(verbs.compile_kernels, "compile-kernels")

    added = verb(verbs.compare, "compare")
    added.add_argument("--runs", type=Path, nargs=2, required=True, metavar="FOLDER")
    added.add_argument("--output", type=Path, required=True, help="Markdown table to write")

    added = verb(verbs.bench, "bench")
    added.add_argument("--dataset", type=Path, required=True)
    added.add_argument("--repeats", type=int, default=7)
    added.add_argument("--output", type=Path, required=True, help="folder for the table and the figure")

    added = verb(verbs.bench_networks, "bench-networks")
    added.add_argument("--networks", nargs="+", metavar="NETWORK", help="default: every network of the paper")
    added.add_argument("--device", choices=["cpu", "cuda"], help="default: a GPU where PyTorch finds one")
    added.add_argument("--repeats", type=positive, default=5)
    added.add_argument("--seconds", type=float, default=1.0, help="about how long each measurement takes")
    added.add_argument("--compile", action="store_true", help="measure torch.compile too, which takes minutes more")
    added.add_argument("--output", type=Path, required=True, help="folder for the table")

    added = verb(verbs.check_card, "check-card")
    added.add_argument("--data", type=Path, default=Path("results/data"), help="folder of prepared datasets")
    added.add_argument("--minutes", type=float, default=8.0, help="after which nothing new is begun")
    added.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    added.add_argument("--settings", nargs="+", default=[], metavar="JSON", help="runs to train: settings or files")
    added.add_argument("--device", choices=["cpu", "cuda"], help="default: a GPU where PyTorch finds one")
    added.add_argument("--networks", nargs="+", default=["conv-2", "resnet-20"], help="whose speed is measured")
    added.add_argument("--repeats", type=positive, default=3, help="of each measurement")
    added.add_argument("--seconds", type=float, default=0.2, help="about how long each measurement takes")
    added.add_argument("--processes", type=positive, nargs="+", default=[1, 4], help="numbers that share the card")
    added.add_argument("--at-once", type=positive, default=4, help="trainings side by side")
    added.add_argument("--tests", type=Path, help="folder of the tests, to run those marked gpu")
    added.add_argument("--output", type=Path, required=True, help="folder for all results")

    added = verb(verbs.document_settings, "document-settings")
    added.add_argument("--schema", type=Path, required=True)
    added.add_argument("--readme", type=Path, required=True)
    return parser


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
