"""Tickets that people take home: from a run to a file, and what is done with the file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from lottery.commands.options import Number, Run, SettingsFile, Told
from lottery.errors import LotteryError
from lottery.runs.reading import read_settings_of

if TYPE_CHECKING:
    from lottery.settings import Settings
    from lottery.tickets.export import Chosen

Form = Literal["ticket", "pytorch", "onnx", "onnx-compact", "csr", "compact"]

MomentOption = Annotated[
    Literal["final", "early-stop"], Told("which weights of the training: its last, or those of its early stop")
]

PLACE = re.compile(r"([a-z0-9-]+)/(?:r[0-9]+-[0-9]+/)?([a-z0-9.-]+)/level([0-9]+)")


def export(
    run: Run,
    network: Annotated[
        str, Told("such as lenet-mnist/iterative/level3; lenet-mnist alone: its best ticket", "NETWORK")
    ],
    *,
    replicate: Annotated[Number | None, Told("which; not of the best ticket, which is that of one replicate")] = None,
    draw: Annotated[Number, Told("of an arm that samples: which draw")] = Number(0),  # noqa: B008 - a number
    output: Annotated[Path, Told("file to write")],
    format: Annotated[Form, Told("what the file is; default: a ticket, which has everything in it")] = "ticket",  # noqa: A002
    moment: MomentOption = "final",
    half: Annotated[bool, Told("weights of csr and compact in two bytes (float16) instead of four")] = False,
    data: Annotated[Path | None, Told("folder of prepared datasets; default: data beside the run")] = None,
    settings: SettingsFile = None,
) -> None:
    """Write one network of a run into a file of its own: a ticket, or another format of it."""
    from lottery.tickets import export as tickets
    from lottery.tickets.formats import Order, write
    from lottery.tickets.further import images_for

    chosen_settings = read_settings_of(run, settings)
    chosen = named(run, chosen_settings, network, replicate, draw)
    datasets = data or run.parent / "data"
    ticket = tickets.export(run, chosen_settings, chosen, moment, datasets)
    told = ticket.description
    dataset = datasets / f"{told.dataset}.safetensors"
    accuracy = write(ticket, format, Order(output, half, lambda: images_for(told, told.training, dataset)))
    print(
        f"{output}: {told.experiment}, {told.arm}, level {told.level}, replicate {told.replicate}, draw {told.draw}:"
        f" {output.stat().st_size:,} bytes, {accuracy:.2%} of the test images"
    )


def named(run: Path, settings: "Settings", network: str, replicate: int | None, draw: int) -> "Chosen":
    """The network of a run that is named. Raises LotteryError for a name of another form."""
    from lottery.tickets.export import Chosen, best

    if network in settings.run_experiments:
        if replicate is not None or draw:
            raise LotteryError(f"{network}: its best ticket is that of one replicate; name the arm and the level too")
        return best(run, network)
    match = PLACE.fullmatch(network.strip("/"))
    if not match:
        known = ", ".join(settings.run_experiments)
        raise LotteryError(f"{network!r} is neither an experiment ({known}) nor such as lenet-mnist/iterative/level3")
    if replicate is None:
        raise LotteryError(f"{network}: --replicate is missing: which of its replicates, from 0 on")
    return Chosen(match[1], match[2], int(match[3]), replicate, draw)


def inspect(file: Annotated[Path, Told("the file of a ticket")]) -> None:
    """Tell what a ticket is, where it comes from, and what each of its layers keeps. Runs nothing that stands in it."""
    from lottery.tickets.inspection import as_text
    from lottery.tickets.loading import load

    print(as_text(load(file), file.stat().st_size))


def verify_file(file: Path, datasets: Path) -> None:
    """Recompute the accuracies that a ticket's file tells; datasets: the folder of prepared datasets."""
    from lottery.tickets.loading import load
    from lottery.tickets.verification import verify

    ticket = load(file)
    print(verify(file, ticket, datasets / f"{ticket.description.dataset}.safetensors"))


def train_file(
    file: Path,
    dataset: Path | None,
    output: Path | None,
    origin: Literal["start", "weights"],
    moment: Literal["final", "early-stop"],
    changes: Mapping[str, Any],
) -> None:
    """Train the ticket in a file, and write it into another. Raises LotteryError where an option is missing."""
    if not file.is_file():
        raise LotteryError(f"{file}: is no file of a ticket; of a run, name a place too: iterative/level3 and so on")
    missing = [name for name, value in {"--dataset": dataset, "--output": output}.items() if value is None]
    if missing or dataset is None or output is None:
        raise LotteryError(f"{file}: {' and '.join(missing)} must be given to train a ticket")
    from lottery.tickets.file import read_ticket, write_ticket
    from lottery.tickets.further import changed, train

    ticket = read_ticket(file)
    trained = train(file, ticket, dataset, changed(ticket.description.training, changes), origin, moment)
    write_ticket(output, trained)
    told = trained.description
    print(f"{output}: {told.test_accuracy:.2%} of {told.test_images:,} test images at iteration {told.iteration}")
