"""From a configuration to typed settings, or to one line for each thing that is wrong with it."""

import itertools
import re
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
            lines.append(f"{name}: {' or '.join(right).lower()}, not {found!r}{written_otherwise(found)}")
    return list(dict.fromkeys(lines))


def written_otherwise(found: Any) -> str:
    """For a number that YAML reads as text: how to write it."""
    if not isinstance(found, str) or not re.fullmatch(r"[+-]?\d+[eE][+-]?\d+", found):
        return ""
    mantissa, exponent = re.split("[eE]", found)
    return f", which YAML takes for a text; write {mantissa}.0e{int(exponent):+d}"


def keys_given_twice(text: str) -> list[str]:
    """One line for each key that a YAML file gives twice in one mapping, of which YAML takes the last."""
    import yaml  # which only Snakemake's own process needs, and has

    lines: list[str] = []

    def look(node: Any, path: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for name, value in node.value:
                here = str(name.value)
                if here in seen and here != "<<":
                    lines.append(f"{'.'.join((*path, here))}: given twice, again in line {name.start_mark.line + 1}")
                seen.add(here)
                look(value, (*path, here))
        elif isinstance(node, yaml.SequenceNode):
            for number, each in enumerate(node.value):
                look(each, (*path, str(number)))

    look(yaml.compose(text, Loader=yaml.SafeLoader), ())
    return lines


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
