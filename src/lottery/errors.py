"""The one exception that the package raises for its user, and what its messages have in common."""

import difflib
from collections.abc import Iterable


class LotteryError(Exception):
    """Something the user can put right: the message says what is wrong, where, and what would be right."""


def printable(text: str) -> str:
    """A text from a file, for a message: control characters, which a terminal would obey, are written as escapes."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"
