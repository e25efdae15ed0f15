"""The report: one page that holds all of a run, asks for nothing from elsewhere, and runs nothing that a file says."""

import base64
import hashlib
import json
import re
import shutil
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import made_by_verbs
from small_runs import lenet

from lottery.analysis.claims import judge
from lottery.analysis.speed import read_judged
from lottery.arrays import read_arrays
from lottery.commands.main import main
from lottery.planning.tasks import tasks_of
from lottery.report.graph import graph_of
from lottery.report.libraries import FOLDER, LIBRARIES
from lottery.report.masks import explorer, layer_told
from lottery.report.page import figures_named, page_of
from lottery.runs.reading import read_finished_run, read_run

LARGEST = 10_000_000
"""Bytes that the page of the default run may have."""


@pytest.fixture(scope="module")
def run(tmp_path_factory, mnist) -> Path:
    """A finished run of two experiments, with two figures."""
    experiments = {"lenet-mnist": lenet(), "other": lenet(network="lenet-30-10", arms=[{"arm": "one-shot"}])}
    values = {"run": "small", "run_experiments": [*experiments], "experiments": experiments}
    return made_by_verbs(tmp_path_factory.mktemp("report"), mnist, **values, figures=["figure4a", "figure-masks"])


class Page(HTMLParser):
    """What a page holds: its elements with their attributes, its scripts, and the text of all but these."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data):
        if self.lasttag == "script" and self.scripts and not self.closed:
            self.scripts[-1] += data
        else:
            self.text += data

    @property
    def closed(self) -> bool:
        return self.cdata_elem is None

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def data(self) -> dict:
        """What the mask explorer reads."""
        types = [attributes.get("type") for attributes in self.of("script")]
        return json.loads(self.scripts[types.index("application/json")])


@pytest.fixture(scope="module")
def page(run) -> Page:
    return Page(page_of(run))


def test_all_of_the_run_is_in_it(run, page):
    claims = judge(*read_judged(run / "tables"))
    for text in [*claims["id"], *claims["claim"], "Figure 4a: early stop", "Which pixels tickets read", '"seed": 0']:
        assert text in page.text
    rows = [attributes["id"] for attributes in page.of("tr") if attributes.get("id", "").startswith("claim-")]
    assert len(rows) == len(claims)
    for verdict, count in claims["verdict"].value_counts().items():
        cells = [each for each in page.of("td") if each.get("data-search") == verdict]
        assert len(cells) == count
    pictures = [attributes["src"] for attributes in page.of("img")]
    for name in ("figure4a", "figure-masks"):
        drawn = base64.b64encode((run / f"figures/{name}.svg").read_bytes()).decode()
        assert f"data:image/svg+xml;base64,{drawn}" in pictures
    links = {each.get("download"): each["href"] for each in page.of("a")}
    for table in ("levels.csv", "pixels.csv", "speed.csv"):
        address = links[f"small-{table}"]
        assert base64.b64decode(address.partition("base64,")[2]) == (run / "tables" / table).read_bytes()


def test_it_asks_for_nothing_from_elsewhere(page):
    addresses = [each[key] for _, each in page.elements for key in ("src", "href", "action", "srcset") if key in each]
    assert addresses
    assert not [each for each in addresses if not each.startswith(("data:", "#"))]
    assert not page.of("link")
    styles = re.findall(r"@import|url\(", (FOLDER.parent / "page.css").read_text())
    assert not styles
    named = {each["id"] for _, each in page.elements if each.get("id")}
    assert {each[1:] for each in addresses if each.startswith("#")} <= named, "every link within it leads somewhere"
    ids = [each["id"] for _, each in page.elements if each.get("id")]
    assert len(ids) == len(set(ids))


def test_its_policy_allows_its_own_scripts_and_no_other(page):
    (policy,) = [each["content"] for each in page.of("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    types = [attributes.get("type") for attributes in page.of("script")]
    scripts = [text for kind, text in zip(types, page.scripts, strict=True) if kind != "application/json"]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert rules["script-src"].split() == [f"'sha256-{digest}'" for digest in digests]
    assert not [each for _, each in page.elements if any(key.startswith("on") for key in each)]


HOSTILE = (
    "</script></pre><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>{{ run }}"
)


@pytest.fixture(scope="module")
def hostile(run, tmp_path_factory) -> Path:
    """The same run with markup wherever a file of it may hold text."""
    copy = tmp_path_factory.mktemp("hostile") / "small"
    shutil.copytree(run, copy)
    settings = json.loads((copy / "tables/settings.json").read_text())
    (copy / "tables/settings.json").write_text(json.dumps(settings | {"data_mirror": HOSTILE}))
    for path in copy.rglob("summary.json"):
        summary = json.loads(path.read_text())
        versions = summary["versions"] | {HOSTILE: HOSTILE}
        path.write_text(json.dumps(summary | {"processor": HOSTILE, "git_commit": HOSTILE, "versions": versions}))
    (copy / "benchmarks").mkdir()
    (copy / "benchmarks" / f"{HOSTILE.replace('/', '')}.tsv").write_text(f"s\th:m:s\n1.5\t0\n{HOSTILE}\t0\n")
    return copy


def test_what_files_say_is_text(page, hostile):
    other = Page(page_of(hostile))
    assert other.text.count(HOSTILE) > 3
    assert [tag for tag, _ in other.elements].count("img") == [tag for tag, _ in page.elements].count("img")
    assert len(other.scripts) == len(page.scripts)


def test_the_libraries_are_those_that_are_told_of():
    told = {name: digest for library in LIBRARIES for name, digest in library.files.items()}
    for name, digest in told.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name
    licences = {library.licence for library in LIBRARIES}
    assert {path.name for path in FOLDER.iterdir()} == {*told, *licences}
    for library in LIBRARIES:
        assert "MIT License" in (FOLDER / library.licence).read_text()
        assert all(library.version in name for name in library.files)


def test_equal_runs_give_equal_bytes(run, tmp_path, capsys):
    shutil.copytree(run, tmp_path / "small")
    for folder, output in ((run, "a.html"), (tmp_path / "small", "b.html")):
        assert main(["report", str(folder), "--output", str(tmp_path / output)]) == 0
    same = (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert same
    assert f"a.html: {(tmp_path / 'a.html').stat().st_size:,} bytes" in capsys.readouterr().out


def test_what_is_missing_is_told_in_a_line(run, tmp_path, capsys):
    for name, told in {
        "figures/figure4a.svg": "`lottery plot .* figure4a` draws it",
        "tables/levels.csv": "levels.csv: cannot be read",
        "tables/settings.json": "settings.json: cannot be read",
        "lenet-mnist/r0-0/dense/level0/summary.json": "summary.json: cannot be read",
    }.items():
        copy = tmp_path / name.replace("/", "-") / "small"
        shutil.copytree(run, copy)
        (copy / name).unlink()
        assert main(["report", str(copy)]) == 1
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert re.search(told, said), said
        assert not (copy / "report.html").exists()


@pytest.mark.parametrize(
    ("claim", "named"),
    [
        ("It is so (s. 2, Fig. 4a)", ["4a"]),
        ("It is so (App. F.6, Figs. 21 and 23)", ["21", "23"]),
        ("It is so (App. G, Figs. 26, 27 and 28)", ["26", "27", "28"]),
        ("It is so (Fig. 4 caption)", ["4"]),
        ("A 21.1% ticket is so (App. B)", []),
    ],
)
def test_figures_that_a_claim_names(claim, named):
    assert figures_named(claim) == named


def test_a_figure_stands_beside_the_papers_numbers(smoke):
    page = page_of(smoke.folder / "results/smoke")
    claims = judge(*read_judged(smoke.folder / "results/smoke/tables"))
    judged = claims[claims["verdict"] != "not run"]
    found = {}
    for name, article in re.findall(r'<article id="figure(\w+)">(.*?)</article>', page, re.DOTALL):
        own = judged[[name in figures_named(claim) for claim in judged["claim"]]]
        assert article.count("<tr>") == len(own) + bool(len(own))
        found[name] = sorted(own["id"])
    assert {name: ids for name, ids in found.items() if ids} == {"3": ["L1a", "L1b"], "11": ["S1a"]}


def unpacked(text: str, count: int) -> np.ndarray:
    """The first bits of a mask in a page."""
    return np.unpackbits(np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8))[:count]


def test_masks_are_those_of_the_files(run, page):
    data = page.data()
    assert [(each["name"], [arm["name"] for arm in each["arms"]]) for each in data["experiments"]] == [
        ("lenet-mnist", ["iterative"]),
        ("other", ["one-shot"]),
    ]
    for each in data["experiments"]:
        assert each["image_shape"] == [28, 28]
        for arm in each["arms"]:
            assert [level["level"] for level in arm["levels"]] == [1, 2]
            for level in arm["levels"]:
                assert len(level["masks"]) == 2
                for replicate, text in enumerate(level["masks"]):
                    folder = run / each["name"] / f"r{replicate}-{replicate}" / arm["name"] / f"level{level['level']}"
                    mask = read_arrays(folder / "mask.safetensors")
                    bits = np.concatenate([mask[f"{layer['name']}.weight"].ravel() for layer in each["layers"]])
                    np.testing.assert_array_equal(unpacked(text, bits.size), bits)
    iterative = data["experiments"][0]["arms"][0]["levels"]
    assert [level["before"] for level in iterative] == [0, 1]
    assert iterative[1]["layers"][0]["stayed"] == pytest.approx(0.8, abs=1e-3)
    assert iterative[0]["layers"][0]["overlap"] == pytest.approx(iterative[0]["layers"][0]["by_chance"], abs=0.02)


def test_what_stayed_and_what_replicates_share():
    before = np.array([[[1, 1, 1, 1, 0, 0]], [[1, 1, 1, 0, 0, 0]]], bool)
    kept = np.array([[[1, 1, 0, 0, 1, 0]], [[0, 1, 0, 0, 0, 0]]], bool)
    told = layer_told(kept, before)
    assert told == {
        "kept": 2.0,
        "stayed": pytest.approx((2 / 4 + 1 / 3) / 2),
        "overlap": pytest.approx((1 / 3 + 1 / 1) / 2),
        "by_chance": pytest.approx(4 / 12),
    }
    assert layer_told(kept[:1], None) == {"kept": 3.0, "stayed": 0.5, "overlap": None, "by_chance": 0.5}
    assert layer_told(np.zeros((2, 1, 4), bool), None)["overlap"] is None


def test_masks_that_are_not_there_are_told(run, tmp_path):
    settings = read_finished_run(run / "tables/settings.json")
    whole = explorer(run, settings)
    assert whole["left_out"] == []
    size = sum(len(text) for level in whole["experiments"][0]["arms"][0]["levels"] for text in level["masks"])
    few = explorer(run, settings, size - 1)
    assert [len(level["masks"]) for level in few["experiments"][0]["arms"][0]["levels"]] == [1, 1]
    assert few["left_out"][0] == "lenet-mnist: iterative, replicate 1, for want of room in this page"
    shutil.copytree(run, tmp_path / "small")
    (tmp_path / "small/lenet-mnist/r1-1/iterative/level2/mask.safetensors").unlink()
    gone = explorer(tmp_path / "small", settings)
    assert gone["left_out"] == ["lenet-mnist: iterative at level 2, of which the run keeps no masks"]
    assert [level["level"] for level in gone["experiments"][0]["arms"][0]["levels"]] == [1]
    assert "Not here: lenet-mnist: iterative at level 2" in page_of(tmp_path / "small")


def test_a_run_of_convolutions_has_no_images_of_masks(run):
    settings = json.loads((run / "settings.json").read_text())
    settings["experiments"]["lenet-mnist"] |= {"network": "conv-2"}
    assert explorer(run, read_run(settings | {"run_experiments": ["lenet-mnist"]}))["experiments"] == []


def test_the_graph_is_that_of_the_steps(run):
    settings = read_finished_run(run / "tables/settings.json")
    graph, tasks = graph_of(settings), tasks_of(settings)
    assert sum(step.count for step in graph.steps) == len(tasks)
    links = {(one.verb, other.verb) for one, other in graph.links}
    assert links == {(one.verb, task.verb) for task in tasks for one in tasks[task] if one.verb != task.verb}
    assert len({(step.x, step.y) for step in graph.steps}) == len(graph.steps)
    assert all(step.x < graph.width and step.y < graph.height for step in graph.steps)


# In a browser.


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium that writes down what a page asks for and complains of."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("there is no chromium with its chromedriver (Debian: chromium, chromium-driver)")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=Service(driver))
    yield opened
    opened.quit()


def asked_for(browser) -> set[str]:
    """The addresses that were asked for since this was last called, those that hold their own content apart."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]
    return {url for url in sent if not url.startswith("data:")}


def look(browser, width: int, theme: str) -> None:
    """Take this width and theme."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})


@pytest.mark.long
def test_a_browser_shows_it(browser, smoke, hostile, tmp_path):
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
    from selenium.webdriver.support.ui import Select, WebDriverWait

    run = smoke.folder / "results/smoke"
    file = tmp_path / "report.html"
    assert main(["report", str(run), "--output", str(file)]) == 0
    assert file.stat().st_size < LARGEST
    look(browser, 1280, "light")
    browser.get(file.as_uri())
    wait = WebDriverWait(browser, 20)

    def of_id(name: str):
        return browser.find_element(By.ID, name)

    def column(number: int) -> list[str]:
        return [
            each.text for each in browser.find_elements(By.CSS_SELECTOR, f"#claims-table tbody td:nth-child({number})")
        ]

    claims = judge(*read_judged(run / "tables"))
    assert sorted(column(2)) == sorted(claims["id"])

    # Filtered, by a verdict and by a word.
    Select(of_id("filter-verdict")).select_by_visible_text("not run")
    assert sorted(column(2)) == sorted(claims.loc[claims["verdict"] == "not run", "id"])
    of_id("filter-text").send_keys("50000 iterations")
    assert {"L6", "E1"} <= set(column(2)) <= set(claims["id"])
    assert len(column(2)) < (claims["verdict"] == "not run").sum()
    browser.find_element(By.CSS_SELECTOR, "#filters button[type=reset]").send_keys(Keys.ENTER)
    wait.until(lambda _: len(column(2)) == len(claims))
    browser.find_element(By.CSS_SELECTOR, '.total[data-verdict="inconclusive"]').send_keys(Keys.ENTER)
    assert set(column(1)) == {"inconclusive"}
    browser.find_element(By.CSS_SELECTOR, "#filters button[type=reset]").send_keys(Keys.ENTER)
    wait.until(lambda _: len(column(2)) == len(claims))

    # Sorted by the keyboard, by numbers and not by their text.
    head = browser.find_element(By.CSS_SELECTOR, "#claims-table th:nth-child(4) .dt-column-order")
    head.send_keys(Keys.ENTER)
    numbers = [float(re.match(r"[\d.]+", text)[0]) for text in column(4) if text]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 3
    assert column(4)[-1] == "", "what has no number comes last"

    # Masks, by the keyboard.
    level, replicate = of_id("mask-level"), of_id("mask-replicate")
    level.send_keys(Keys.HOME)
    wait.until(lambda _: "level 1," in of_id("mask-told").text)
    level.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    replicate.send_keys(Keys.ARROW_RIGHT)
    wait.until(lambda _: "level 3," in of_id("mask-told").text and "replicate 1:" in of_id("mask-told").text)
    mask = read_arrays(run / "lenet-mnist/r0-1/iterative/level3/mask.safetensors")["fc1.weight"][1]
    assert f"keeps {mask.sum():,} of {mask.size:,} weights" in of_id("mask-told").text
    assert of_id("mask-scale").text == f"0 (dark) to {mask.sum(0).max()} (bright)"
    of_id("mask-unit").send_keys(*[Keys.ARROW_RIGHT] * 5)
    wait.until(lambda _: of_id("mask-of-unit-told").text == f"Unit 5 keeps {mask[5].sum()} of 784 links.")
    shown = browser.execute_script(
        "return [...document.getElementById('mask-of-unit').getContext('2d').getImageData(0, 0, 28, 28).data]"
    )
    bright = np.array(shown).reshape(784, 4)[:, 0] > 100
    np.testing.assert_array_equal(bright, mask[5] > 0)
    Select(of_id("mask-arm")).select_by_visible_text("random")
    wait.until(lambda _: of_id("mask-told").text.startswith("random, level 3"))
    assert len(browser.find_elements(By.CSS_SELECTOR, ".chart canvas")) == 3
    numbers = browser.find_elements(By.CSS_SELECTOR, "#mask-numbers tbody tr")
    assert len(numbers) == 3, "a row for each layer of the one level"

    # Whatever the width and theme: nothing wider than the page, no word as dark as the ground.
    for width in (1280, 390):
        for theme in ("light", "dark"):
            look(browser, width, theme)
            browser.get(file.as_uri())
            wait.until(lambda _: of_id("mask-told").text)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            ground, text = browser.execute_script(
                "const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]"
            )
            light = {name: sum(map(int, re.findall(r"\d+", value)[:3])) for name, value in (("g", ground), ("t", text))}
            assert (light["g"] > light["t"]) == (theme == "light")
            assert abs(light["g"] - light["t"]) > 500

    assert asked_for(browser) == {file.as_uri()}
    assert browser.get_log("browser") == []

    # Nothing that a file says is run.
    (tmp_path / "hostile.html").write_text(page_of(hostile))
    browser.get((tmp_path / "hostile.html").as_uri())
    wait.until(lambda _: of_id("mask-told").text)
    assert browser.title == "Lottery tickets: small"
    assert asked_for(browser) == {(tmp_path / "hostile.html").as_uri()}
    assert browser.get_log("browser") == []
