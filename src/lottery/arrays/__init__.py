"""Named arrays: their files (`files`), and files of a network's parameters and masks (`weights`)."""

from lottery.arrays.files import (
    FULL,
    Arrays,
    Shapes,
    check_arrays,
    of_member,
    read_arrays,
    read_arrays_with_texts,
    read_bytes,
    reason,
    replacing,
    stack,
    write_arrays,
    write_bytes,
    write_text,
)

__all__ = [
    "FULL",
    "Arrays",
    "Shapes",
    "check_arrays",
    "of_member",
    "read_arrays",
    "read_arrays_with_texts",
    "read_bytes",
    "reason",
    "replacing",
    "stack",
    "write_arrays",
    "write_bytes",
    "write_text",
]
