"""From a file to the ticket in it, by what the file says it is. Imports only what that kind needs."""

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from lottery.arrays import read_arrays_with_texts
from lottery.errors import LotteryError, printable
from lottery.tickets import compact_file

if TYPE_CHECKING:
    from lottery.tickets.compact_file import CompactTicket
    from lottery.tickets.ticket import Ticket

AnyTicket: TypeAlias = Union["Ticket", "CompactTicket"]

TICKET = "lottery ticket 1"


def load(path: Path) -> AnyTicket:
    """Raises LotteryError naming the file."""
    arrays, texts = read_arrays_with_texts(path)
    found = texts.get("format")
    if found == compact_file.FORMAT:
        return compact_file.compact_in(path, arrays, texts)
    if found == TICKET:
        from lottery.tickets.file import ticket_in
        from lottery.tickets.ticket import Ticket

        return Ticket(ticket_in(path, arrays, texts))
    told = f"its format is {printable(found)!r}" if found else "it says no format"
    raise LotteryError(f"{path}: is no ticket that `lottery export` wrote: {told}")
