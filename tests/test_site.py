"""The pages: generated parts are of today, and the site of them is whole and asks for nothing from outside."""

import hashlib
import inspect
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY

from lottery.analysis import claims, tables
from lottery.commands.documents import PARTS, Part
from lottery.commands.main import VERBS
from lottery.errors import LotteryError
from lottery.evidence import scoreboard
from lottery.settings.columns import RECIPE


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.page)
def test_generated_parts_are_of_today(part):
    assert (REPOSITORY / part.page).read_text() == part.written(REPOSITORY), "make documents"


def test_a_page_without_its_marks_is_told(tmp_path):
    (tmp_path / "page.md").write_text("<!-- claims: begin -->")
    with pytest.raises(
        LotteryError, match=r"page\.md: needs the lines <!-- claims: begin --> and <!-- claims: end -->"
    ):
        Part("page.md", "claims", lambda _: "").written(tmp_path)


def test_the_front_page_is_one_screen():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) < 120


def test_every_argument_of_every_verb_is_told():
    page = (REPOSITORY / "docs/command-line.md").read_text()
    for verb in VERBS:
        section = page.split(f"## {verb.__name__.replace('_', '-')}\n")[1].split("\n## ")[0]
        parameters = inspect.signature(verb).parameters.values()
        assert section.count("\n| `") == len(parameters), verb.__name__
        for option in (each.name for each in parameters if each.kind is each.KEYWORD_ONLY):
            assert f"| `--{option.replace('_', '-')}` |" in section


COLUMNS = {
    "levels": [column for column in tables.LEVELS if column not in RECIPE],
    "curves": tables.CURVES,
    "speed": tables.SPEED,
    "weights": tables.WEIGHTS,
    "layers": tables.LAYERS,
    "distributions": tables.DISTRIBUTIONS,
    "barriers": tables.BARRIERS,
    "overlaps": tables.OVERLAPS,
    "claims": claims.COLUMNS,
}


@pytest.mark.parametrize("table", COLUMNS)
def test_every_column_is_described_and_no_other(table):
    section = (REPOSITORY / "docs/files.md").read_text().split(f"## {table}.csv\n")[1].split("\n## ")[0]
    named = [
        name
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall("`(.+?)`", line.split("|")[1])
    ]
    assert sorted(named) == sorted([*COLUMNS[table], *(RECIPE if table == "levels" else [])])


def judged(*rows: tuple[str, str, int, int, str]) -> pd.DataFrame:
    """Rows of one claim: run, experiment, iterations, n, verdict."""
    return pd.DataFrame(rows, columns=["run", "experiment", "iterations", "n", "verdict"])


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        ([("a", "x", 100, 9, "replicated"), ("b", "x", 200, 2, "inconclusive")], "b"),
        ([("a", "x", 200, 5, "replicated"), ("b", "x", 200, 9, "inconclusive")], "b"),
        ([("a", "x", 200, 5, "replicated"), ("b", "x", 200, 5, "inconclusive"), ("b", "y", 200, 5, "replicated")], "b"),
        ([("b", "x", 200, 5, "replicated"), ("a", "x", 200, 5, "inconclusive")], "a"),
        ([("a", "x", 200, 0, "inconclusive"), ("b", "x", 100, 5, "inconclusive")], "b"),
        ([("a", "x", 200, 0, "inconclusive")], "a"),
    ],
    ids=["longest", "most replicates", "most experiments", "name", "with an estimate", "none has one"],
)
def test_the_run_that_tells_of_a_claim_is_chosen_whatever_it_found(rows, chosen):
    swapped = {"replicated": "not replicated", "inconclusive": "replicated"}
    for verdicts in (rows, [(*row[:4], swapped[row[4]]) for row in rows]):
        assert scoreboard.telling(judged(*verdicts)) == chosen


def test_every_claim_has_a_row_and_the_totals_are_those_of_the_rows():
    page = scoreboard.scoreboard(REPOSITORY / "docs/results")
    totals, *families = page.split("\n## ")
    rows = [
        [cell.strip() for cell in line.strip("| ").split(" | ")] for line in page.splitlines() if line.startswith("| ")
    ]
    ids = {row[0] for row in rows}
    assert {claim.id for claim in [*claims.CLAIMS, *scoreboard.GENERAL]} <= ids
    for family, line in zip(families, totals.splitlines()[2:], strict=True):
        counted = [
            len(re.findall(rf"^\| .* \| {verdict} \| .*\|$", family, flags=re.MULTILINE))
            for verdict in scoreboard.VERDICTS
        ]
        assert [int(cell) for cell in re.findall(r"\| (\d+)", line)] == counted


def test_every_configuration_is_published_or_told_not_to_be():
    page = (REPOSITORY / "docs/status.md").read_text()
    for path in (REPOSITORY / "config").glob("*.yaml"):
        run = yaml.safe_load(path.read_text())["run"]
        assert (f"[{run}](results/{run}/" in page) != (f"| `config/{path.name}` |" in page), path.name


class Asked(HTMLParser):
    """The addresses that a browser fetches by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in {"script", "img", "iframe", "source", "audio", "video"}:
            self.addresses += filter(None, [values.get("src")])
        if tag == "link" and values.get("rel") != "canonical":
            self.addresses += filter(None, [values.get("href")])


def build(repository: Path, output: Path) -> subprocess.CompletedProcess:
    command = [str(Path(sys.executable).parent / "mkdocs"), "build", "--strict", "--site-dir", str(output)]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, made with warnings as errors: every link leads somewhere."""
    output = tmp_path_factory.mktemp("site")
    made = build(REPOSITORY, output)
    assert made.returncode == 0, made.stdout + made.stderr
    return output


def test_the_site_has_every_page_and_shows_the_programs_own_words(site):
    sources = [*(path.stem for path in (REPOSITORY / "docs").glob("*.md")), "index", "settings", "contributing"]
    assert {path.stem for path in site.glob("*.html")} == {*sources, "404"}
    assert "Runs nothing that stands in it" in (site / "api.html").read_text(), "docstrings"
    front = (site / "index.html").read_text()
    assert 'href="hypothesis.html"' in front
    assert 'src="results/quick/figure-speed.png"' in front


def test_the_site_asks_for_nothing_from_outside(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 20
    for page in pages:
        asked = Asked()
        asked.feed(page.read_text())
        assert asked.addresses
        assert not [address for address in asked.addresses if re.match(r"(https?:)?//", address)], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", sheet.read_text()), sheet
    assert 'class="mermaid"' not in "".join(page.read_text() for page in pages), "the theme would fetch what draws it"


def test_the_search_finds_words_of_the_pages_from_a_folder(site):
    index = json.loads((site / "search/search_index.js").read_text().removeprefix("var __index = "))
    found = {entry["location"].partition("#")[0] for entry in index["docs"] if "Schuirmann" in entry["text"]}
    assert "statistics.html" in found
    assert 'src="site/iframe-worker.js"' in (site / "index.html").read_text()
    shim = (REPOSITORY / "docs/site/iframe-worker.js").read_bytes()
    # iframe-worker 1.0.4 of npm, shim/index.js.
    assert hashlib.sha256(shim).hexdigest() == "e8e412dbcfea9b7e31b5ffa288d7b6035915e714c542f4176a0cdbe262fc9609"


@pytest.mark.long
@pytest.mark.parametrize(
    ("page", "link", "told"),
    [
        ("docs/method.md", "[x](nowhere.md)", "nowhere.md"),
        ("docs/method.md", "[x](statistics.md#nowhere)", "#nowhere"),
        ("docs/method.md", "[x](../src/lottery/nowhere.py)", "nowhere.py"),
        ("README.md", "[x](docs/nowhere.md)", "nowhere.md"),
        ("config/README.md", "[x](../docs/limits.md#nowhere)", "#nowhere"),
    ],
)
def test_a_link_that_leads_nowhere_fails(tmp_path, page, link, told):
    for name in (
        "docs",
        "src",
        "config",
        "README.md",
        "CONTRIBUTING.md",
        "mkdocs.yml",
        "LICENSE",
        "CITATION.cff",
        "Dockerfile",
    ):
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copy
        copy(REPOSITORY / name, tmp_path / name)
    with (tmp_path / page).open("a") as file:
        file.write(f"\n{link}\n")
    made = build(tmp_path, tmp_path / "site")
    assert made.returncode != 0
    assert told in made.stderr
