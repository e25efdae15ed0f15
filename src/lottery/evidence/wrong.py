"""What verification and adoption find."""

from pathlib import Path


class Wrong(Exception):  # noqa: N818 - a finding
    """A file that is not what it should be: its path, and what is wrong with it."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
