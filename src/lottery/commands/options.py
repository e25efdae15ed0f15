"""From a verb's function to its command line: annotated parameters become arguments and options."""

import argparse
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NewType

from lottery.arms.places import Place
from lottery.errors import LotteryError


@dataclass(frozen=True)
class Told:
    """What the help says of a parameter; metavar: the name of its value there."""

    help: str
    metavar: str | None = None


Run = Annotated[Path, Told("folder of the run: results/<run>", "RUN")]
SettingsFile = Annotated[Path | None, Told("the run's settings; default: settings.json in its folder", "FILE")]
At = Annotated[Place, Told("folder below it, such as lenet-mnist/r0-2/iterative/level3", "PLACE")]


Number = NewType("Number", int)
"""One that counts from 0, as replicates and draws do."""


def number(text: str) -> Number:
    """The parser of a number that counts from 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return Number(int(text))


def positive(text: str) -> int:
    """The parser of a number that counts something."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def place(text: str) -> Place:
    """The parser of a place."""
    try:
        return Place.parse(text)
    except LotteryError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


PARSERS: dict[Any, Callable[[str], Any]] = {int: positive, Number: number, Place: place}
"""How values are read that their type alone does not read: whole numbers count something, from 1 or from 0 on."""


def add_arguments(parser: argparse.ArgumentParser, verb: Callable[..., None]) -> None:
    """An argument for each positional parameter of a verb, which may be left out where it has a default, an option for
    each keyword; lists take several values.
    """
    hints = typing.get_type_hints(verb, include_extras=True)
    for name, parameter in inspect.signature(verb).parameters.items():
        kind, told = typing.get_args(hints[name])
        options: dict[str, Any] = {"help": told.help, "metavar": told.metavar}
        if type(None) in typing.get_args(kind):
            (kind,) = (each for each in typing.get_args(kind) if each is not type(None))
        if typing.get_origin(kind) is list:
            (kind,) = typing.get_args(kind)
            options["nargs"] = "+"
        if typing.get_origin(kind) is typing.Literal:
            options["choices"] = typing.get_args(kind)
        elif kind is bool:
            options = {"help": told.help, "action": "store_true"}
        else:
            options["type"] = PARSERS.get(kind, kind)
        if parameter.kind is parameter.KEYWORD_ONLY:
            required = parameter.default is parameter.empty
            options |= {"required": True} if required else {"default": parameter.default}
            parser.add_argument(f"--{name.replace('_', '-')}", **options)
        else:
            if parameter.default is not parameter.empty:
                options |= {"nargs": "*" if "nargs" in options else "?", "default": parameter.default}
            parser.add_argument(name, **options)
