"""The Lottery Ticket Hypothesis as three operations on named arrays: train, prune, rewind."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lottery.tickets.loading import AnyTicket

__version__ = "1.0.0"


def load_ticket(path: str | Path) -> "AnyTicket":
    """The ticket in a file that `lottery export` wrote. Runs nothing that stands in it.

    Raises LotteryError, naming the file, for one that is damaged, cut short or of another kind.
    """
    from lottery.tickets.loading import load

    return load(Path(path))
