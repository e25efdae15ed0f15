"""The parts of the repository's pages that are written from its declarations and its published runs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from lottery.arrays import write_text
from lottery.commands.options import Told
from lottery.errors import LotteryError


@dataclass(frozen=True)
class Part:
    """What stands in a page between the comments `name: begin` and `name: end`; text: it, for a repository."""

    page: str
    name: str
    text: Callable[[Path], str]

    def written(self, repository: Path) -> str:
        """The page with the part as it is today. Raises LotteryError for a page without these comments."""
        begin, end = (f"<!-- {self.name}: {word} -->" for word in ("begin", "end"))
        page = (repository / self.page).read_text()
        before, found, rest = page.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise LotteryError(f"{self.page}: needs the lines {begin} and {end}, between which {self.name} is written")
        return f"{before}{begin}\n\n{self.text(repository)}\n\n{end}{after}"


def settings_of(_: Path) -> str:
    from lottery.settings.reference import as_markdown

    return as_markdown()


def commands_of(_: Path) -> str:
    from lottery.commands.reference import as_markdown

    return as_markdown()


def scoreboard_of(repository: Path) -> str:
    from lottery.evidence.scoreboard import scoreboard

    return scoreboard(repository / "docs/results")


def runs_of(repository: Path) -> str:
    from lottery.evidence.scoreboard import runs

    return runs(repository / "docs/results", repository / "config")


def figures_of(repository: Path) -> str:
    from lottery.evidence.scoreboard import figures

    return figures(repository / "docs/results")


PARTS = [
    Part("config/README.md", "reference", settings_of),
    Part("docs/command-line.md", "commands", commands_of),
    Part("docs/figures.md", "figures", figures_of),
    Part("docs/findings.md", "scoreboard", scoreboard_of),
    Part("docs/status.md", "runs", runs_of),
]


def document(repository: Annotated[Path, Told("folder of the repository; default: where it is run")] = Path()) -> None:
    """Write the generated parts of the repository's pages anew, and the JSON schema of the settings."""
    from lottery.settings.reference import schema

    write_text(repository / "workflow/schemas/config.schema.json", schema())
    for part in PARTS:
        write_text(repository / part.page, part.written(repository))
