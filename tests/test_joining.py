"""Runs, or parts of one, put together: tables, verdicts and figures of a single run, or a line that says why not."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import REPOSITORY

from lottery.analysis.tables import LEVELS, collect_curves, collect_levels, read_table, write_table
from lottery.analysis.ticket_weights import describe
from lottery.commands.main import main
from lottery.evidence.joining import KEYS
from lottery.evidence.publication import publish
from lottery.runs.listing import trainings
from lottery.runs.reading import read_finished_run, read_run

Row = dict[str, str]

SECOND = "lenet-again"
"""The name of a second experiment, of the same networks as the first."""

WITHOUT_HISTOGRAMS = ["figure1", "figure3", "figure11"]

FIGURES = ["figure1", "figure3", "figure15", "figure23", "figure-masks"]
"""Lines by size and along training, histograms of weights and of movement, images: all tables are drawn."""


def settings_of(run: Path) -> dict:
    return json.loads((run / "tables/settings.json").read_text())


def write_tables(run: Path, values: dict) -> None:
    """Collect the tables of a run from its files."""
    settings, tables = read_run(values), run / "tables"
    folders = [run / job.place.folder for job in trainings(settings)]
    made = {"levels": collect_levels(folders, settings), "curves": collect_curves(folders)}
    for name, table in (made | describe(run, settings)).items():
        write_table(tables / f"{name}.csv", table)
    (tables / "settings.json").write_text(settings.model_dump_json(indent=1) + "\n")


@pytest.fixture(scope="module")
def runs(smoke, tmp_path_factory) -> dict[str, Path]:
    """The finished run `smoke`, another one of other experiments, and one of the experiments of both."""
    folder = tmp_path_factory.mktemp("runs")
    first, second, both = folder / "smoke", folder / "again", folder / "both"
    shutil.copytree(smoke.folder / "results/smoke", first, ignore=shutil.ignore_patterns("figures"))
    values = settings_of(first) | {"figures": FIGURES}
    (first / "tables/settings.json").write_text(json.dumps(values, indent=1))
    shutil.copytree(first / "lenet-mnist", second / SECOND)
    for path in second.rglob("summary.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"experiment": SECOND}))
    shutil.copytree(first / "lenet-mnist", both / "lenet-mnist")
    shutil.copytree(second / SECOND, both / SECOND)
    experiments = {SECOND: values["experiments"]["lenet-mnist"], **values["experiments"]}
    write_tables(second, values | {"run": "again", "run_experiments": [SECOND], "experiments": experiments})
    write_tables(both, values | {"run": "both", "run_experiments": ["lenet-mnist", SECOND], "experiments": experiments})
    return {"first": first, "second": second, "both": both}


@pytest.fixture(scope="module")
def whole(runs, tmp_path_factory) -> Path:
    """The run of both experiments, published."""
    folder = tmp_path_factory.mktemp("whole") / "both"
    publish(runs["both"], folder)
    return folder


@pytest.fixture(scope="module")
def plain(runs, tmp_path_factory) -> Path:
    """The same, published without figures that draw histograms."""
    folder = tmp_path_factory.mktemp("plain")
    shutil.copytree(runs["both"], folder / "run")
    (folder / "run/tables/settings.json").write_text(
        json.dumps(settings_of(folder / "run") | {"figures": WITHOUT_HISTOGRAMS}, indent=1)
    )
    publish(folder / "run", folder / "both")
    return folder / "both"


def part(published: Path, folder: Path, keep: Callable[[Row], bool], **changes: object) -> Path:
    """A published folder with some of the rows of another one, byte by byte, and settings with changes."""
    folder.mkdir()
    counts = {}
    for path in filter(Path.exists, (published / f"{name}.csv" for name in KEYS)):
        header, *lines = path.read_text().splitlines(keepends=True)
        kept = [line for line, row in zip(lines, csv.DictReader([header, *lines]), strict=True) if keep(row)]
        counts[path.stem] = len(kept)
        (folder / path.name).write_text(header + "".join(kept))
    (folder / "settings.json").write_text(json.dumps(json.loads((published / "settings.json").read_text()) | changes))
    made = {"networks": counts["levels"], "git_commit": {"abc": 1}, "versions": {"numpy": ["2.0"]}}
    (folder / "machine.json").write_text(json.dumps(made))
    return folder


def with_first(published: Path, **changes: object) -> dict:
    """The experiments of published settings, the first with changes."""
    experiments = json.loads((published / "settings.json").read_text())["experiments"]
    return {"experiments": experiments | {"lenet-mnist": experiments["lenet-mnist"] | changes}}


def assert_same(joined: Path, published: Path) -> None:
    """All files but machine.json are the same bytes."""
    names = {path.name for path in published.iterdir()}
    assert {path.name for path in joined.iterdir()} == names
    assert names >= {"levels.csv", "curves.csv", "layers.csv", "claims.csv", "claims.md"}
    differing = [
        name
        for name in names - {"machine.json", "settings.json"}
        if (joined / name).read_bytes() != (published / name).read_bytes()
    ]
    assert not differing
    assert json.loads((joined / "settings.json").read_text()) == json.loads((published / "settings.json").read_text())


def refusal(capsys, tmp_path: Path, *arguments: object) -> str:
    """What `lottery join` says when it refuses; it has written nothing."""
    before = sorted(tmp_path.iterdir())
    assert main(["join", *map(str, arguments), "--output", str(tmp_path / "both")]) == 1
    assert sorted(tmp_path.iterdir()) == before
    return capsys.readouterr().err


def test_finished_runs_become_what_one_run_publishes(runs, whole, tmp_path):
    assert main(["join", str(runs["first"]), str(runs["second"]), "--output", str(tmp_path / "both")]) == 0
    assert_same(tmp_path / "both", whole)
    assert (tmp_path / "both/settings.json").read_bytes() == (whole / "settings.json").read_bytes()
    assert (tmp_path / "both/machine.json").read_bytes() == (whole / "machine.json").read_bytes()


@pytest.mark.long
def test_parts_by_experiment(whole, tmp_path):
    names = ["lenet-mnist", SECOND]
    parts = [
        part(whole, tmp_path / f"part-{name}", lambda row, name=name: row["experiment"] == name, run_experiments=[name])
        for name in names
    ]
    assert main(["join", *map(str, parts), "--output", str(tmp_path / "both")]) == 0
    assert_same(tmp_path / "both", whole)
    # The order is told where it is not that of the parts; a folder that is there keeps its other files.
    shutil.rmtree(tmp_path / "both")
    (tmp_path / "both").mkdir()
    (tmp_path / "both/README.md").write_text("what it is")
    order = ["--experiments", *names]
    assert main(["join", *map(str, parts[::-1]), "--output", str(tmp_path / "both"), *order]) == 0
    assert (tmp_path / "both/README.md").read_text() == "what it is"
    (tmp_path / "both/README.md").unlink()
    assert_same(tmp_path / "both", whole)


def test_parts_by_replicates(plain, tmp_path):
    """The later ones first, and with settings that speak of fewer replicates and change no result."""
    first = with_first(plain, replicates=1, replicates_per_job=2, threads_per_job=2, checkpoint_seconds=5.0)
    parts = [
        part(plain, tmp_path / "later", lambda row: row.get("replicate") == "1"),
        part(plain, tmp_path / "first", lambda row: row.get("replicate") == "0", data_mirror="elsewhere", **first),
    ]
    assert main(["join", *map(str, parts), "--output", str(tmp_path / "both")]) == 0
    assert_same(tmp_path / "both", plain)


@pytest.mark.long
def test_parts_by_arm_and_by_level(whole, tmp_path):
    def early(row: Row) -> bool:
        return row.get("arm", "iterative") in ("dense", "iterative") and int(row["level"]) < 2

    parts = [
        part(whole, tmp_path / "early", early),
        part(whole, tmp_path / "late", lambda row: not early(row)),
    ]
    assert main(["join", *map(str, parts), "--output", str(tmp_path / "both")]) == 0
    assert_same(tmp_path / "both", whole)


@pytest.mark.long
def test_it_tells_what_made_the_parts(whole, tmp_path):
    parts = [
        part(whole, tmp_path / name, lambda row, name=name: row["experiment"] == name, run_experiments=[name])
        for name in ("lenet-mnist", SECOND)
    ]
    made = json.loads((parts[1] / "machine.json").read_text())
    own = made | {"git_commit": {"abc": 2, "def": 1}, "card": {"H": 3}, "versions": {"numpy": ["1.9"], "torch": ["2"]}}
    (parts[1] / "machine.json").write_text(json.dumps(own))
    assert main(["join", *map(str, parts), "--output", str(tmp_path / "both")]) == 0
    joined = json.loads((tmp_path / "both/machine.json").read_text())
    levels = read_table(whole / "levels.csv", LEVELS)
    assert joined["networks"] == len(levels)
    assert joined["core_hours_of_training"] == round(levels["train_seconds"].sum() / 3600, 2)
    assert joined["git_commit"] == {"abc": 3, "def": 1}
    assert joined["card"] == {"H": 3}
    assert joined["versions"] == {"numpy": ["1.9", "2.0"], "torch": ["2"]}


@pytest.mark.long
def test_networks_that_diverged(plain, tmp_path):
    """Numbers that are empty in some rows stay whole numbers in the others."""
    table = read_table(plain / "levels.csv", LEVELS)
    table["early_stop_iteration"] = table["early_stop_iteration"].astype("Int64")
    table["diverged_iteration"] = table["diverged_iteration"].astype("Int64")
    lost = (table["arm"] == "random") & (table["replicate"] == 1)
    table.loc[lost, "diverged_iteration"] = 20
    table.loc[lost, "early_stop_iteration"] = None
    shutil.copytree(plain, tmp_path / "whole")
    write_table(tmp_path / "whole/levels.csv", table)
    parts = [
        part(tmp_path / "whole", tmp_path / f"part{each}", lambda row, each=each: row.get("replicate") == each)
        for each in ("0", "1")
    ]
    assert main(["join", *map(str, parts), "--output", str(tmp_path / "both")]) == 0
    assert (tmp_path / "both/levels.csv").read_bytes() == (tmp_path / "whole/levels.csv").read_bytes()


def test_a_network_that_is_in_two_parts(whole, plain, capsys, tmp_path):
    said = refusal(capsys, tmp_path, whole, plain)
    first = "experiment lenet-mnist, arm dense, level 0, replicate 0, draw 0"
    assert said == f"lottery join: levels.csv: {first} is there twice: in {whole} and in {plain}\n"


def test_settings_that_differ(plain, capsys, tmp_path):
    """A line for each key, whichever part has it."""
    experiments = json.loads((plain / "settings.json").read_text())["experiments"]
    training = experiments["lenet-mnist"]["training"] | {"learning_rate": 0.5, "batch_size": 30}
    arms = [arm | {"levels": [2, 3]} for arm in experiments["lenet-mnist"]["arms"] if arm["arm"] != "one-shot"]
    parts = [
        part(plain, tmp_path / "a", lambda row: row.get("replicate") == "0"),
        part(
            plain,
            tmp_path / "b",
            lambda row: row.get("replicate") == "1",
            seed=7,
            **with_first(plain, training=training, arms=arms),
        ),
    ]
    lines = refusal(capsys, tmp_path, *parts).removeprefix("lottery join: ").splitlines()
    a, b = parts
    key = "experiments.lenet-mnist"
    assert lines[0] == f"{b}: seed is 7, in {a} it is 0"
    assert f"{b}: {key}.training.learning_rate is 0.5, in {a} it is 0.0012" in lines
    assert f"{b}: {key}.training.batch_size is 30, in {a} it is 60" in lines
    assert f"{b}: {key}.arms.random.levels is [2, 3], in {a} it is [3]" in lines
    assert f"{b}: {key}.arms.one-shot.levels is absent, in {a} it is [3]" in lines


def test_what_no_part_has(whole, plain, capsys, tmp_path):
    """A network, a row about a ticket, a curve, a histogram."""
    keeps: dict[str, tuple[Path, Callable[[Row], bool], str]] = {
        "network": (
            plain,
            lambda row: row.get("arm") != "one-shot",
            "levels.csv: no part has .* arm one-shot, level 3",
        ),
        "layer": (
            plain,
            lambda row: row.get("near_zero") is None or row["layer"] != "2",
            "layers.csv: no part has .* 2",
        ),
        "curve": (
            plain,
            lambda row: "train_loss" not in row or row["arm"] != "iterative",
            "curves.csv: no part has .*",
        ),
        "histogram": (
            whole,
            lambda row: row.get("quantity") != "movement",
            "distributions.csv: no part has .*movement",
        ),
    }
    for name, (published, keep, told) in keeps.items():
        said = refusal(capsys, tmp_path, part(published, tmp_path / name, keep))
        assert said.count("\n") == 1
        assert re.search(told, said), said
        assert ("--figures" in said) == (name in ("curve", "histogram"))


def test_what_the_settings_do_not_ask_for(plain, capsys, tmp_path):
    arms = [{"arm": "iterative", "levels": "all", "draws": 1}]
    more = part(plain, tmp_path / "more", lambda row: True, **with_first(plain, arms=arms))
    assert "arm iterative-reinit, level 3, replicate 0, draw 0 is not among" in refusal(capsys, tmp_path, more)
    other = part(plain, tmp_path / "other", lambda row: True, run_experiments=[SECOND])
    said = refusal(capsys, tmp_path, other)
    assert f"{other}/levels.csv: experiment 'lenet-mnist' is none of its run's: {SECOND}" in said


def test_a_replicate_that_no_part_has(plain, capsys, tmp_path):
    parts = [part(plain, tmp_path / "later", lambda row: row.get("replicate") == "1")]
    assert "no part has experiment lenet-mnist, arm dense, level 0, replicate 0" in refusal(capsys, tmp_path, *parts)


@pytest.mark.long
def test_histograms_of_some_replicates_are_none_of_all(whole, capsys, tmp_path):
    parts = [
        part(whole, tmp_path / name, lambda row, each=each: row.get("replicate", each) == each)
        for name, each in (("a", "0"), ("b", "1"))
    ]
    (parts[1] / "distributions.csv").unlink()
    said = refusal(capsys, tmp_path, *parts)
    assert "tells of its replicates 0 alone" in said
    assert "--figures" in said
    figures = ["--figures", *WITHOUT_HISTOGRAMS]
    assert main(["join", *map(str, parts), "--output", str(tmp_path / "both"), *figures]) == 0
    assert not (tmp_path / "both/distributions.csv").exists()
    assert {path.stem for path in (tmp_path / "both").glob("*.svg")} == {*WITHOUT_HISTOGRAMS}


def test_other_wrong_parts(plain, capsys, tmp_path):
    empty = tmp_path / "nothing"
    empty.mkdir()
    assert "nothing: is neither a finished run nor a published one" in refusal(capsys, tmp_path, plain, empty)
    assert "each experiment of the parts, once" in refusal(capsys, tmp_path, plain, "--experiments", SECOND)
    assert "unknown figure 'figure99'" in refusal(capsys, tmp_path, plain, "--figures", "figure99")
    fewer = part(plain, tmp_path / "fewer", lambda row: True)
    (fewer / "machine.json").write_text('{"networks": 1}')
    assert "fewer: 1 networks by machine.json, 36 in levels.csv" in refusal(capsys, tmp_path, fewer)
    for wrong, told in (("[]", "object"), ('{"networks": "many"}', "networks: "), ("{", "JSON")):
        (fewer / "machine.json").write_text(wrong)
        said = refusal(capsys, tmp_path, fewer)
        assert f"{fewer}/machine.json: " in said
        assert told in said
    (fewer / "machine.json").unlink()
    assert f"{fewer}/machine.json: " in refusal(capsys, tmp_path, fewer)
    assert main(["join", str(plain), "--output", str(tmp_path / "Not A Name")]) == 1
    assert "which must be of the form lenet-mnist" in capsys.readouterr().err


def test_nothing_is_written_when_a_figure_cannot_be_drawn(plain, capsys, tmp_path, monkeypatch):
    """A folder that is there stays as it was."""
    shutil.copytree(plain, tmp_path / "both")
    before = {path.name: path.read_bytes() for path in (tmp_path / "both").iterdir()}
    monkeypatch.setattr("lottery.figures.drawing.save", lambda *_: (_ for _ in ()).throw(OSError("no room")))
    assert "no room" in refusal(capsys, tmp_path, plain, "--figures", "figure1")
    assert {path.name: path.read_bytes() for path in (tmp_path / "both").iterdir()} == before


PUBLISHED = {
    "recipes": ["inputs-image-norm", "batch-128", "initialisation-truncated", "initialisation-kaiming"],
    "appendix-g-part": ["pruning-0-1"],
    "appendix-b-f": ["lenet-mnist-sgd"],
}
"""Runs of docs/results whose experiments may be trained apart, and those of one part, which stand among the others."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "recipes" else pytest.mark.long) for name in PUBLISHED]
)
def test_published_runs_can_be_joined_of_two_parts(name, tmp_path):
    published, late = REPOSITORY / "docs/results" / name, PUBLISHED[name]
    settings = json.loads((published / "settings.json").read_text())
    order, figures = settings["run_experiments"], settings["figures"]
    parts = [
        part(
            published,
            tmp_path / of,
            lambda row, chosen=chosen: row["experiment"] in chosen,
            run_experiments=chosen,
            figures=[],
        )
        for of, chosen in (("early", [each for each in order if each not in late]), ("late", late))
    ]
    # Beside it the other published runs, which judge what they have in common with it.
    joined_to = tmp_path / "results" / name
    joined_to.parent.mkdir()
    for other in published.parent.glob("*/levels.csv"):
        if other.parent != published:
            (joined_to.parent / other.parent.name).symlink_to(other.parent)
    options = ["--experiments", *order, "--figures", *figures]
    assert main(["join", *map(str, parts), "--output", str(joined_to), *options]) == 0
    assert {path.name for path in joined_to.iterdir()} == {path.name for path in published.iterdir()} - {"README.md"}
    same = [*(f"{table}.csv" for table in KEYS), "claims.md", *(f"{figure}.svg" for figure in figures)]
    for file in filter(lambda file: (published / file).exists(), same):
        assert (joined_to / file).read_bytes() == (published / file).read_bytes(), file
    # A published file of settings lacks keys that came later, which have their defaults.
    joined, whole = (read_finished_run(folder / "settings.json") for folder in (joined_to, published))
    assert joined == whole
