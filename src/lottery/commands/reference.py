"""The reference of the command line, from the verbs themselves."""

import inspect
import typing
from collections.abc import Callable

from lottery.commands.main import VERBS
from lottery.commands.options import Told


def as_markdown() -> str:
    """A section for each verb: what it does, and a table of its arguments and options."""
    return "\n\n".join(section(verb) for verb in VERBS)


def section(verb: Callable[..., None]) -> str:
    """What one verb takes."""
    parameters = inspect.signature(verb).parameters.values()
    hints = typing.get_type_hints(verb, include_extras=True)
    rows = [row(parameter, *typing.get_args(hints[parameter.name])) for parameter in parameters]
    name = verb.__name__.replace("_", "-")
    parts = [f"## {name}", inspect.cleandoc(verb.__doc__ or "")]
    if rows:
        parts.append("\n".join(["| argument | meaning | default |", "| --- | --- | --- |", *rows]))
    return "\n\n".join(parts)


def row(parameter: inspect.Parameter, kind: object, told: Told) -> str:
    """One argument: its name, what it means, which words it can be, and its default where the meaning does not tell."""
    option = parameter.kind is parameter.KEYWORD_ONLY
    name = f"--{parameter.name.replace('_', '-')}" if option else (told.metavar or parameter.name)
    words = [str(word) for part in (kind, *typing.get_args(kind)) if is_choice(part) for word in typing.get_args(part)]
    choices = f" ({', '.join(f'`{word}`' for word in words)})" if words else ""
    return f"| `{name}` | {told.help}{choices} | {default(parameter, told)} |"


def is_choice(kind: object) -> bool:
    return typing.get_origin(kind) is typing.Literal


def default(parameter: inspect.Parameter, told: Told) -> str:
    """What an argument is when it is not given."""
    if parameter.default is parameter.empty:
        return "must be given"
    if "default:" in told.help or parameter.default is None or parameter.default is False or parameter.default == []:
        return ""
    value = parameter.default
    return f"`{' '.join(map(str, value)) if isinstance(value, list) else value}`"
