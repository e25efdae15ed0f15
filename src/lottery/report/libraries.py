"""What others wrote of the report's page: two small libraries, as their authors publish them."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "libraries"


@dataclass(frozen=True)
class Library:
    """A published version of a library. files: SHA-256 of its files here, by name; licence: the file with its text."""

    name: str
    version: str
    use: str
    licence: str
    files: dict[str, str]


LIBRARIES = [
    Library(
        "datatables.net",
        "3.1.2",
        "sorts and filters the table of claims",
        "dataTables.licence.txt",
        {"dataTables-3.1.2.min.js": "2050bcff007823d21472681c2e74b1eaf96893830a92acf9f6bb961a58f5c617"},
    ),
    Library(
        "uplot",
        "1.6.32",
        "draws the charts of masks",
        "uPlot.licence.txt",
        {
            "uPlot-1.6.32.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
            "uPlot-1.6.32.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
        },
    ),
]
"""By their names on npm, whose packages have these very files. A newer version is new files and another row."""


def texts(suffix: str) -> list[str]:
    """The libraries' files of a kind, `.js` or `.css`."""
    return [
        (FOLDER / name).read_text() for library in LIBRARIES for name in library.files if Path(name).suffix == suffix
    ]
