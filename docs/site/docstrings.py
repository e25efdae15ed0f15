"""Docstrings as Markdown: the star of a shape such as [members, *shape] is a star."""

import re

import griffe


class Stars(griffe.Extension):
    """Escapes stars that begin a name, which Markdown would take for emphasis."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        if obj.docstring:
            obj.docstring.value = re.sub(r"\*(?=\w)", r"\\*", obj.docstring.value)
