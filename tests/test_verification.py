"""`lottery verify` finds every damaged file of a finished run, and nothing wrong with one that is whole."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import configured, made_by_verbs, merged

from lottery.arrays import read_arrays, write_arrays, write_text
from lottery.commands.main import main
from lottery.evidence.verification import verify

STACK = "lenet-mnist/r0-1"


@pytest.fixture(scope="module")
def finished(mnist, tmp_path_factory) -> Path:
    """The run `smoke` with fewer images and figures, and so verified in a moment."""
    images = dict.fromkeys(("training_images", "validation_images", "test_images"), 1000)
    own = {"figures": ["figure1", "figure4b", "figure15"], "experiments": {"lenet-mnist": {"training": images}}}
    return made_by_verbs(tmp_path_factory.mktemp("finished"), mnist, **merged(configured("smoke"), own)).parent


def test_a_whole_run_is_what_it_says(finished, capsys):
    assert main(["verify", str(finished / "smoke")]) == 0
    assert "masks, starts, weights, accuracies and tables are what they should be" in capsys.readouterr().out


@pytest.mark.long
def test_the_smoke_run_is_what_it_says(smoke, capsys):
    assert main(["verify", str(smoke.folder / "results/smoke")]) == 0
    assert "masks, starts, weights, accuracies and tables are what they should be" in capsys.readouterr().out


def array_change(name, index, value):
    def damage(path: Path) -> None:
        arrays = read_arrays(path)
        changed = arrays[name].copy()
        changed[index] = value(changed[index])
        write_arrays(path, arrays | {name: changed})

    return damage


def one_more_pruned(path: Path) -> None:
    arrays = read_arrays(path)
    mask = arrays["fc2.weight"].copy()
    mask[0].flat[int(np.flatnonzero(mask[0])[0])] = 0
    write_arrays(path, arrays | {"fc2.weight": mask})


def two_swapped(path: Path) -> None:
    """As many weights as before, but not the largest."""
    arrays = read_arrays(path)
    mask = arrays["fc1.weight"].copy()
    kept, pruned = (int(np.flatnonzero(mask[1] == value)[0]) for value in (1, 0))
    mask[1].flat[kept], mask[1].flat[pruned] = 0, 1
    write_arrays(path, arrays | {"fc1.weight": mask})


def text(old: str, new: str):
    def damage(path: Path) -> None:
        content = path.read_text()
        assert old in content
        path.write_text(content.replace(old, new, 1))

    return damage


def higher_accuracy(path: Path) -> None:
    summary = json.loads(path.read_text())
    summary["members"][0]["test_accuracy_final"] += 0.01
    path.write_text(json.dumps(summary))


def no_accuracy(path: Path) -> None:
    summary = json.loads(path.read_text())
    summary["members"][0]["test_accuracy_final"] = None
    path.write_text(json.dumps(summary))


def of_other_validation_images(path: Path) -> None:
    """The last accuracy on them, there and where the summary repeats it."""
    history = pd.read_csv(path)
    changed = history["iteration"] == history["iteration"].max()
    history.loc[changed, "validation_accuracy"] -= 0.01
    history.to_csv(path, index=False)
    summary = json.loads(path.with_name("summary.json").read_text())
    for member in summary["members"]:
        if member["early_stop_iteration"] == history["iteration"].max():
            member["validation_accuracy_at_early_stop"] -= 0.01
    path.with_name("summary.json").write_text(json.dumps(summary))


def of_another_replicate(path: Path) -> None:
    arrays = read_arrays(path)
    write_arrays(path, {name: values[::-1] for name, values in arrays.items()})


def no_checksums(path: Path) -> None:
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"sha256": {}}))


def forged(damage):
    """Damage a file and put its new checksum into summary.json, as a careless tool would."""

    def both(path: Path) -> None:
        damage(path)
        summary = path.with_name("summary.json")
        content = json.loads(summary.read_text())
        content["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        summary.write_text(json.dumps(content))

    return both


DAMAGES = {
    "a weight of the initialisation": (
        "dense/level0/start.safetensors",
        array_change("fc1.weight", (0, 3, 4), lambda value: value + 1),
    ),
    "the same, forged": (
        "dense/level0/start.safetensors",
        forged(array_change("fc1.weight", (0, 3, 4), lambda value: value + 1)),
    ),
    "one weight too many pruned": ("iterative/level2/mask.safetensors", forged(one_more_pruned)),
    "a mask that is not of the largest": ("iterative/level2/mask.safetensors", forged(two_swapped)),
    "a random mask": ("random/level3/mask.safetensors", forged(two_swapped)),
    "a ticket's start": (
        "iterative/level1/start.safetensors",
        forged(array_change("output.bias", (1, 0), lambda value: value + 1e-6)),
    ),
    "a reinitialised start": (
        "iterative-reinit/level3/start.safetensors",
        forged(array_change("fc1.bias", (2, 0), lambda value: value + 1)),
    ),
    "trained weights": (
        "one-shot/level3/trained.safetensors",
        array_change("output.weight", (1, 0, 0), lambda value: value + 1),
    ),
    "trained weights of another replicate": ("small-dense/level3/trained.safetensors", forged(of_another_replicate)),
    "an accuracy": ("iterative/level3/summary.json", higher_accuracy),
    "no accuracy": ("iterative/level3/summary.json", no_accuracy),
    "a validation accuracy": ("iterative/level2/history.csv", forged(of_other_validation_images)),
    "the kept weights in the summary": ("random/level3/summary.json", text('"weights": ', '"weights": 1')),
    "a history": ("iterative/level1/history.csv", forged(text("\n0,0,20,", "\n0,0,40,"))),
    "an image": ("../../../data/mnist.safetensors", array_change("test_images", (5, 14, 14), lambda value: value + 1)),
    "a missing file": ("iterative/level3/trained.safetensors", Path.unlink),
    "a snapshot that was not asked for": (
        "dense/level0/snapshots.safetensors",
        lambda path: write_arrays(path, {"20:fc1.weight": np.zeros((2, 300, 784), np.float32)}),
    ),
    "no checksums": ("random/level3/summary.json", no_checksums),
    "another engine": ("random/level3/summary.json", text('"engine": "sparse"', '"engine": "torch"')),
    "half a file": ("one-shot/level3/start.safetensors", lambda path: path.write_bytes(path.read_bytes()[:1000])),
}


WITHOUT_FIGURES = shutil.ignore_patterns("figures")
"""What is copied of a run where its figures, which take seconds to draw again, do not matter."""


@pytest.mark.parametrize(("name", "damage"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_found(finished, tmp_path, name, damage):
    shutil.copytree(finished / "smoke", tmp_path / "smoke", ignore=WITHOUT_FIGURES)
    shutil.copytree(finished / "data", tmp_path / "data", ignore=shutil.ignore_patterns("logs"))
    path = (tmp_path / "smoke" / STACK / name).resolve()
    damage(path)
    wrong = list(verify(tmp_path / "smoke", tmp_path / "data"))
    assert any(line.startswith((f"{path}: ", f"{path.with_name('summary.json')}: ")) for line in wrong), wrong
    assert all(str(tmp_path) in line for line in wrong)


def test_a_damaged_dataset_is_told_once_and_hides_nothing(finished, tmp_path):
    shutil.copytree(finished / "smoke", tmp_path / "smoke", ignore=WITHOUT_FIGURES)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/mnist.safetensors").write_bytes(b"damaged")
    mask = tmp_path / "smoke" / STACK / "iterative/level2/mask.safetensors"
    mask.unlink()
    first, *others = verify(tmp_path / "smoke", tmp_path / "data")
    assert first.startswith(f"{tmp_path}/data/mnist.safetensors: ")
    assert others
    assert all(str(mask) in line for line in others), "every file that is made from it names it"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("levels.csv", "lenet-mnist,dense,0,0,0,", "lenet-mnist,dense,1,0,0,"),
        ("curves.csv", ",20,", ",21,"),
        ("speed.csv", ",60,0.", ",40,0."),
        ("layers.csv", "lenet-mnist,1,0,", "lenet-mnist,0,0,"),
        ("distributions.csv", "initial,0,", "initial,1,"),
        ("claims.csv", "inconclusive", "replicated"),
        ("settings.json", '"learning_rate": 0.0012', '"learning_rate": 0.0013'),
    ],
)
def test_a_damaged_table_is_found(finished, tmp_path, name, old, new):
    shutil.copytree(finished / "smoke", tmp_path / "smoke")
    path = tmp_path / "smoke/tables" / name
    text(old, new)(path)
    wrong = list(verify(tmp_path / "smoke", finished / "data"))
    assert any(line.startswith(f"{path}: ") or f"tables/{name}" in line for line in wrong), wrong


def test_a_folder_that_is_no_run_is_named(tmp_path, capsys):
    assert main(["verify", str(tmp_path)]) == 1
    assert f"{tmp_path}/tables/settings.json: cannot be read: No such file" in capsys.readouterr().err


def test_a_level_too_many_is_found(finished, tmp_path):
    shutil.copytree(finished / "smoke", tmp_path / "smoke", ignore=WITHOUT_FIGURES)
    folder = tmp_path / "smoke" / STACK / "iterative"
    shutil.copytree(folder / "level3", folder / "level4")
    assert list(verify(tmp_path / "smoke", finished / "data")) == [
        f"{folder / 'level4'}: is no place of the run that its settings describe"
    ]


@pytest.mark.parametrize("name", ["tables/claims.md", "tables/claims.html", "figures/figure4b.svg"])
def test_verdicts_and_figures_that_are_not_of_the_tables_are_found(finished, tmp_path, name):
    keep = (
        shutil.ignore_patterns(*(f"figure{n}*" for n in (1, 3, "4a", "4c", 9, *range(11, 24))))
        if "figure" in name
        else WITHOUT_FIGURES
    )
    shutil.copytree(finished / "smoke", tmp_path / "smoke", ignore=keep)
    path = tmp_path / "smoke" / name
    path.write_text(path.read_text().replace("0", "1", 1))
    (wrong,) = verify(tmp_path / "smoke", finished / "data")
    assert wrong.startswith(f"{path}: ")


def test_a_run_that_was_asked_for_tables_alone_is_verified_for_them(finished, tmp_path):
    shutil.copytree(finished / "smoke", tmp_path / "smoke", ignore=WITHOUT_FIGURES)
    for path in (tmp_path / "smoke/tables").glob("claims.*"):
        path.unlink()
    assert list(verify(tmp_path / "smoke", finished / "data")) == []


OVERTRAINED = {
    "run": "run",
    "run_experiments": ["e"],
    "experiments": {
        "e": {
            "dataset": "mnist",
            "network": "lenet-20-10",
            "levels": 1,
            "replicates": 2,
            "replicates_per_job": 2,
            "training": {
                "learning_rate": 0.03,
                "batch_size": 20,
                "iterations": 200,
                "training_images": 60,
                "validation_images": 200,
                "test_images": 200,
                "validation_every": 20,
                "test_every": 200,
            },
            "arms": [{"arm": "iterative"}],
        }
    },
}
"""Networks that have learnt their few images by heart long before the end, so early stop is before it."""

DENSE, TICKET = "e/r0-1/dense/level0", "e/r0-1/iterative/level1"


@pytest.fixture(scope="module", params=["sparse", "torch"])
def overtrained(request, mnist, tmp_path_factory) -> Path:
    """The results folder of such a run, with tables and verdicts."""
    results = tmp_path_factory.mktemp(request.param)
    (results / "data").mkdir()
    (results / "data/mnist.safetensors").symlink_to(mnist)
    settings = json.loads(json.dumps(OVERTRAINED))
    settings["experiments"]["e"]["training"]["engine"] = request.param
    write_text(results / "run/settings.json", json.dumps(settings))
    for verb, place in [*((verb, DENSE) for verb in ("initialize", "train")), *((verb, TICKET) for verb in STEPS)]:
        assert main([verb, str(results / "run"), place]) == 0
    make_tables(results / "run")
    return results


STEPS = ("prune", "rewind", "train")


def make_tables(run: Path) -> None:
    for verb in ("collect", "describe-tickets", "judge-claims"):
        assert main([verb, str(run)]) == 0


def copied(results: Path, tmp_path: Path) -> Path:
    """The run in a copy of its results."""
    shutil.copytree(results, tmp_path / "results", symlinks=True)
    return tmp_path / "results/run"


def wrong_in(run: Path) -> list[str]:
    return list(verify(run, run.parent / "data"))


def stops(run: Path) -> list[int]:
    return pd.read_csv(run / "tables/levels.csv")["early_stop_iteration"].tolist()


def tell(folder: Path, key: str, value: float) -> None:
    """Tell another result at early stop of the first member: in the summary, and in the history where it has it."""
    summary = json.loads((folder / "summary.json").read_text())
    member = summary["members"][0]
    member[f"{key}_at_early_stop"] = value
    history = pd.read_csv(folder / "history.csv")
    if key in history:
        at = (history["iteration"] == member["early_stop_iteration"]) & (history["replicate"] == 0)
        history.loc[at, key] = value
        history.to_csv(folder / "history.csv", index=False)
    summary["sha256"]["history.csv"] = hashlib.sha256((folder / "history.csv").read_bytes()).hexdigest()
    (folder / "summary.json").write_text(json.dumps(summary))


@pytest.mark.long
@pytest.mark.parametrize(
    ("key", "value"),
    [("train_accuracy", 0.1), ("test_accuracy", 0.99), ("validation_accuracy", 0.99), ("validation_loss", 0.01)],
)
def test_a_wrong_result_at_early_stop_is_found_though_history_and_tables_agree(overtrained, tmp_path, key, value):
    run = copied(overtrained, tmp_path)
    assert max(stops(run)) < 200
    assert wrong_in(run) == []
    tell(run / TICKET, key, value)
    make_tables(run)
    (wrong,) = wrong_in(run)
    told = f"{key.replace('_', ' ')} at early stop is told as {value}, early-stop.safetensors has "
    assert wrong.startswith(f"{run / TICKET}/summary.json: replicate 0, draw 0: {told}")


def test_weights_that_are_not_of_the_early_stop_are_found(overtrained, tmp_path):
    run = copied(overtrained, tmp_path)
    forged(lambda path: shutil.copyfile(path.with_name("trained.safetensors"), path))(
        run / TICKET / "early-stop.safetensors"
    )
    (wrong,) = wrong_in(run)
    assert wrong.startswith(f"{run / TICKET}/summary.json: replicate 0, draw 0: ")
    assert "at early stop is told as" in wrong


def test_pruned_weights_at_early_stop_are_0(overtrained, tmp_path):
    run = copied(overtrained, tmp_path)
    pruned = np.argwhere(read_arrays(run / TICKET / "mask.safetensors")["fc1.weight"] == 0)[0]
    change = array_change("fc1.weight", tuple(pruned), lambda value: value + 1)
    forged(change)(run / TICKET / "early-stop.safetensors")
    assert wrong_in(run) == [f"{run / TICKET}/early-stop.safetensors: fc1.weight has pruned weights that are not 0"]


def forget_early_stop(folder: Path) -> None:
    """As older code left a training."""
    (folder / "early-stop.safetensors").unlink()
    summary = json.loads((folder / "summary.json").read_text())
    del summary["sha256"]["early-stop.safetensors"]
    (folder / "summary.json").write_text(json.dumps(summary))


def test_an_older_run_is_verified_for_what_it_has_and_says_so(overtrained, tmp_path, capsys):
    run = copied(overtrained, tmp_path)
    forget_early_stop(run / TICKET)
    assert main(["verify", str(run)]) == 0
    assert "1 of 2 trainings kept no weights at early stop, so the accuracies there were not recomputed" in (
        capsys.readouterr().out
    )
    tell(run / TICKET, "train_accuracy", 0.1)
    make_tables(run)
    assert wrong_in(run) == [], "nothing is left that would tell"


def test_a_run_that_lets_go_of_weights_at_early_stop_says_so(overtrained, tmp_path, capsys):
    run = copied(overtrained, tmp_path)
    for path in (run / "settings.json", run / "tables/settings.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"keep": "without-early-stop"}))
    assert main(["let-go", str(run)]) == 0
    assert not list(run.rglob("early-stop.safetensors"))
    capsys.readouterr()
    assert main(["verify", str(run)]) == 0
    assert "2 of 2 trainings kept no weights at early stop" in capsys.readouterr().out


def test_weights_at_early_stop_that_are_missing_or_not_named_are_found(overtrained, tmp_path):
    run = copied(overtrained, tmp_path)
    path = run / TICKET / "early-stop.safetensors"
    (run / "elsewhere").write_bytes(path.read_bytes())
    path.unlink()
    (wrong,) = wrong_in(run)
    assert wrong.startswith(f"{path}: cannot be read: No such file")
    path.write_bytes((run / "elsewhere").read_bytes())
    text('"early-stop.safetensors"', '"history.csv"')(run / TICKET / "summary.json")
    (wrong,) = wrong_in(run)
    assert wrong.startswith(f"{run / TICKET}/summary.json: sha256 names ['history.csv', ")
