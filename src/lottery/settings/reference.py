"""The reference of all settings, written from their declarations: a JSON schema and the tables of config/README.md."""

import json
import types
import typing

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from lottery.settings import (
    ArmSettings,
    Experiment,
    Initialisation,
    Interpolation,
    Pictures,
    Pruning,
    Section,
    Settings,
    Training,
)

SECTIONS: list[tuple[str, type[Section]]] = [
    ("Top level", Settings),
    ("`datasets.<name>`", Pictures),
    ("`experiments.<name>`", Experiment),
    ("`experiments.<name>.initialisation`", Initialisation),
    ("`experiments.<name>.training`", Training),
    ("`experiments.<name>.pruning`", Pruning),
    ("`experiments.<name>.interpolation`", Interpolation),
    ("`experiments.<name>.arms`, one entry for each arm", ArmSettings),
]


def schema() -> str:
    """The settings as a JSON schema (draft 2020-12), for editors."""
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Settings.model_json_schema()
    return json.dumps(described, indent=2) + "\n"


def as_markdown() -> str:
    """The tables of today's settings."""
    return "\n\n".join(f"### {title}\n\n{table(section)}" for title, section in SECTIONS)


def table(section: type[Section]) -> str:
    """One row for each key of a section."""
    rows = ["| key | type | unit | default | meaning | paper |", "| --- | --- | --- | --- | --- | --- |"]
    for name, field in section.model_fields.items():
        extra = typing.cast(dict[str, str], field.json_schema_extra or {})
        cells = [
            f"`{name}`",
            type_name(field.annotation) + bounds(field),
            extra.get("unit", ""),
            default(field),
            field.description or "",
            extra.get("paper", ""),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def type_name(annotation: object) -> str:
    """A type in a user's words."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(argument) for argument in arguments)
    if origin is list:
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return f"mapping of names to {type_name(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "section"
    names = {bool: "`true` or `false`", int: "whole number", float: "number", str: "text", types.NoneType: "`null`"}
    return names[typing.cast(type, annotation)]


def bounds(field: FieldInfo) -> str:
    """The limits of a number."""
    signs = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}
    limits = [
        f"{sign} {getattr(rule, name)}"
        for rule in field.metadata
        for name, sign in signs.items()
        if hasattr(rule, name)
    ]
    return f", {' and '.join(limits)}" if limits else ""


def default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "must be given"
    if isinstance(field.default, Section):
        return "see there"
    return f"`{field.default if isinstance(field.default, str) else json.dumps(field.default)}`"
