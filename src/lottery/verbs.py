"""What each verb of the command line does: read files, call the package, write files."""

import argparse
from pathlib import Path

from lottery import arrays, stacks, tickets
from lottery.datasets.sources import source
from lottery.errors import LotteryError
from lottery.networks import Network, build
from lottery.settings import Settings
from lottery.weights import read_mask, read_parameters

Arguments = argparse.Namespace


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
    run_job(job, files, chosen.threads, chosen.checkpoint_seconds, chosen.trainings_per_card)


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
    from lottery.training.cards import names_of_cards

    settings = settings_of(chosen.settings)
    card = chosen.card or next(iter(names_of_cards()), "")
    speed = measured(chosen.measured, card) if chosen.measured else Speed(card=card)
    print(as_text(Plan(settings, chosen.cores, speed)))


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


def check_card(chosen: Arguments) -> None:
    """Check a GPU in some minutes: tests, speeds, sharing, repeatability, and what trainings there is time for."""
    import time

    import torch

    from lottery.benchmark import card

    runs = [settings_of(text) for text in chosen.settings]
    if not runs and {"repeats", "trainings", "verification"} & set(chosen.parts):
        raise LotteryError("--settings: repeats, trainings and verification need the settings of a run")
    what = card.Check(
        device=chosen.device or ("cuda" if torch.cuda.is_available() else "cpu"),
        runs=runs,
        datasets=chosen.data,
        output=chosen.output,
        until=time.monotonic() + 60 * chosen.minutes,
        networks=chosen.networks,
        repeats=chosen.repeats,
        seconds=chosen.seconds,
        processes=chosen.processes,
        at_once=chosen.at_once,
        tests=chosen.tests,
    )
    card.check(what, chosen.parts)


def document_settings(chosen: Arguments) -> None:
    """Write the JSON schema and the reference of all settings from their declarations."""
    from lottery.settings_reference import readme_with_reference, schema

    arrays.write_text(chosen.schema, schema())
    arrays.write_text(chosen.readme, readme_with_reference(chosen.readme.read_text()))


def settings_of(text: str) -> Settings:
    """A run's settings: JSON, or the path of a file of it."""
    from lottery.runs import parsed_json, read_finished_run, read_run

    text = text.strip()
    return read_run(parsed_json(text)) if text.startswith("{") else read_finished_run(Path(text))


def network_of(chosen: Arguments) -> Network:
    data = source(chosen.key.dataset)
    return build(chosen.network, data.image_shape, data.classes)
