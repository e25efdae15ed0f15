"""From a configuration to typed settings, or to one line for each thing that is wrong with it."""

import itertools
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lottery.errors import LotteryError, suggest
from lottery.settings import Section, Settings


def read_settings(values: Mapping[str, Any], *, where: str = "config") -> Settings:
    """Check `values` and return them typed.

    Raises LotteryError with one line per wrong key.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise LotteryError("\n".join(f"{where}: {line}" for line in explain(error))) from None


def explain(error: ValidationError) -> list[str]:
    """One line for each thing wrong: which key, what was found, what would be right."""
    lines = []
    for place, alike in itertools.groupby(error.errors(), place_of):
        # A key of several types has a problem for each of them.
        problem, *others = alike
        name = ".".join(place)
        found = problem["input"]
        if problem["type"] == "extra_forbidden":
            lines.append(f"{name}: unknown key{suggest(place[-1], keys_at(place[:-1]))}")
        elif problem["type"] == "missing":
            lines.append(f"{name}: missing key")
        elif problem["type"] == "value_error":
            lines.append(": ".join(filter(None, [name, str(problem["ctx"]["error"])])))
        else:
            right = [problem["msg"], *(other["msg"].removeprefix("Input should be ") for other in others)]
            lines.append(f"{name}: {' or '.join(right).lower()}, not {found!r}")
    return list(dict.fromkeys(lines))


def place_of(problem: ErrorDetails) -> list[str]:
    """The keys that lead to what is wrong, without the types that pydantic names among them."""
    parts = [str(part) for part in problem["loc"] if part not in ("list[int]", "list[str]", "literal['all']")]
    return [part if part.isprintable() else repr(part) for part in parts]


def keys_at(place: list[str]) -> list[str]:
    """The keys that the section at this place of the settings may hold."""
    section: type[Section] = Settings
    for part in place:
        if part in section.model_fields:
            section = section_in(section.model_fields[part].annotation) or section
    return list(section.model_fields)


def section_in(annotation: Any) -> type[Section] | None:
    """The section that a key of this type holds, alone or in a list or by name."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next(filter(None, map(section_in, typing.get_args(annotation))), None)
