"""What predictions take and what a ticket is worth: the measurement on a small run, and the numbers made of it."""

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from small_runs import conv, finish, lenet

from lottery.benchmark import inference
from lottery.benchmark.contenders import CONTENDERS, contenders
from lottery.benchmark.inference import BATCHES, break_even
from lottery.benchmark.worth import as_markdown, worth
from lottery.commands.main import main
from lottery.errors import LotteryError
from lottery.networks import build
from lottery.runs.reading import read_settings_of
from lottery.tickets.structure import STRUCTURE, layers


@pytest.fixture(scope="module")
def run(tmp_path_factory, mnist) -> Path:
    folder = tmp_path_factory.mktemp("inference")
    return finish(folder, mnist, {"lenet-mnist": lenet(), "conv-mnist": conv("conv-2")})


@pytest.fixture(autouse=True)
def quick(monkeypatch) -> None:
    """Measurements of an instant, without `torch.compile`, which takes longer than all else."""
    monkeypatch.setattr(inference, "SECONDS", 1e-4)
    monkeypatch.setattr("lottery.benchmark.contenders.COMPILERS", ())
    monkeypatch.setattr(inference, "STARTS", 1)


@pytest.mark.long
@pytest.mark.parametrize("experiment", ["lenet-mnist", "conv-mnist"])
def test_every_contender_is_measured_at_every_size(run, tmp_path, experiment, monkeypatch, capsys):
    if experiment == "conv-mnist":
        monkeypatch.setattr(inference, "BATCHES", (1, 10))
    assert main(["bench-inference", str(run), experiment, "--repeats", "2", "--output", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    table = pd.read_csv(tmp_path / "inference.csv")
    chain = experiment == "lenet-mnist"
    expected = {name for name, each in CONTENDERS.items() if each.needs == "" or (chain and each.needs == "chain")}
    assert set(table["contender"]) == expected
    assert sorted(set(table["level"])) == ([0, 1, 2] if chain else [0, 1])
    assert (table["low"] <= table["microseconds"]).all()
    assert (table["microseconds"] <= table["high"]).all()
    assert (table["microseconds"] > 0).all()
    if chain:
        started = table[table["level"].isin([0, 2]) & ~table["contender"].isin(["torch CSR"])]
        assert (started["start_seconds"] > 0).all()
        peaks = started.groupby("contender")["peak_megabytes"].mean()
        assert 10 < peaks["runtime"] < 0.5 * peaks["torch"]
        assert 10 < peaks["onnxruntime"] < 0.5 * peaks["torch"]
        assert table.loc[table["level"] == 1, "start_seconds"].isna().all()
        assert (table["call_microseconds"] > 0).all()
        assert set(table["batch"]) == set(BATCHES)
    files = table.drop_duplicates(["level", "contender"]).set_index(["level", "contender"])["file_bytes"]
    for level in set(table["level"]):
        assert files[level, "onnxruntime int8"] < 0.5 * files[level, "onnxruntime"]
        if chain:
            assert files[level, "runtime, float16"] < files[level, "runtime"]
    for name in ("inference.md", "inference.png", "inference.svg", "inference.pdf", "worth.csv", "worth.md"):
        assert (tmp_path / name).stat().st_size
    assert "No slower than the best dense contender in float32" in said


def test_contenders_predict_the_same_classes(run, tmp_path, mnist):
    from lottery.arrays import read_arrays
    from lottery.tickets.export import Chosen, export

    settings, images = read_settings_of(run), read_arrays(mnist)["test_images"][:200]
    ticket = export(run, settings, Chosen("lenet-mnist", "iterative", 2, 0, 0), "final", run.parent / "data")
    found = {}
    for name, each in contenders(ticket).items():
        prepared = each.prepare(inference.file_of(ticket, each, tmp_path / name.replace(" ", "-")), ticket, 1)
        made = prepared.call(prepared.shown(images))
        made = made[0] if isinstance(made, list) else made
        found[name] = np.asarray(made) if np.ndim(made) == 1 else np.asarray(made).argmax(1)
    for name, classes in found.items():
        assert (classes == found["torch"]).mean() >= (0.95 if "int8" in name else 0.995), name


def table_of(times: dict[float, dict[str, float]]) -> pd.DataFrame:
    rows = [
        {"weights_remaining": remaining, "contender": name, "microseconds": value, "batch": 1, "threads": 1}
        for remaining, own in times.items()
        for name, value in own.items()
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("own", "even"),
    [([9, 7, 4, 2], 0.2), ([9, 7, 6, 5.5], None), ([1, 1, 1, 1], 1), ([9, 4, 7, 2], 0.1), ([9, 9, 9, 5], 0.1)],
)
def test_the_break_even_is_against_the_best_dense_contender_and_has_no_gap(own, even):
    dense = {"torch": 8, "onnxruntime": 5, "onnxruntime int8": 1, "onnxruntime, compact": 2}
    times = {share: dense | {"runtime": value} for share, value in zip([1, 0.5, 0.2, 0.1], own, strict=True)}
    assert break_even(table_of(times), 1) == even


def test_without_the_runtime_the_compacted_model_stands_for_it():
    times = {1: {"torch": 8, "onnxruntime, compact": 9}, 0.1: {"torch": 8, "onnxruntime, compact": 3}}
    assert break_even(table_of(times), 1) == 0.1


def level(
    arm: str, number: int, remaining: float, seconds: float, stop: int, accuracy: float, replicate: int = 0
) -> dict:
    names = {"experiment": "x", "arm": arm, "level": number, "replicate": replicate, "weights_remaining": remaining}
    times = {"train_seconds": seconds, "early_stop_iteration": stop, "iterations": 100}
    return names | times | {"test_accuracy_at_early_stop": accuracy, "diverged_iteration": np.nan}


LEVELS = [
    level("dense", 0, 1, 10, 80, 0.97),
    level("dense", 0, 1, 12, 80, 0.97, replicate=1),
    level("iterative", 1, 0.8, 8, 50, 0.98),
    level("iterative", 2, 0.6, 6, 50, 0.975),
    level("iterative", 3, 0.4, 4, 50, 0.9),
    level("one-shot", 3, 0.4, 4, 50, 0.98),
    level("iterative-reinit", 1, 0.8, 8, 50, 0.98),
    level("random", 1, 0.8, 8, 50, 0.98),
]


def worths(inference: pd.DataFrame | None = None) -> pd.DataFrame:
    return worth(pd.DataFrame(LEVELS), inference, "x").set_index(["arm", "level"])


def test_a_ticket_costs_all_trainings_before_its_own():
    found = worths()
    assert set(found.index) == {("iterative", 1), ("iterative", 2), ("iterative", 3), ("one-shot", 3)}, "no controls"
    assert found["found_seconds"].to_dict() == {
        ("iterative", 1): 11,
        ("iterative", 2): 11 + 8,
        ("iterative", 3): 11 + 8 + 6,
        ("one-shot", 3): 11,
    }
    assert found.loc[("iterative", 3), "found_updates"] == 300


def test_it_has_paid_when_trainings_have_saved_that_much():
    found = worths()
    # The dense network trains 8.8 s to its early stop, the ticket of level 2 3 s.
    assert found.loc[("iterative", 2), "trainings_to_pay"] == pytest.approx(19 / (8.8 - 3))
    assert np.isnan(found.loc[("iterative", 3), "trainings_to_pay"]), "less accurate than the dense network"


def test_it_has_paid_when_predictions_have_saved_that_much():
    rows = [
        {"weights_remaining": 0.6, "contender": name, "microseconds": value, "batch": batch, "threads": 1}
        for batch in (1, 1000)
        for name, value in {"torch": 30, "onnxruntime": 20, "onnxruntime int8": 1, "runtime": 5 * batch**0.5}.items()
    ]
    found = worths(pd.DataFrame(rows))
    assert found.loc[("iterative", 2), "predictions_to_pay_1"] == pytest.approx(19e6 / 15)
    assert np.isnan(found.loc[("iterative", 2), "predictions_to_pay_1000"]), "slower than the dense network"
    assert np.isnan(found.loc[("iterative", 1), "predictions_to_pay_1"]), "not measured"
    less_accurate = worths(pd.DataFrame(rows).assign(weights_remaining=0.4)).loc[("iterative", 3)]
    assert less_accurate["microseconds_1"] == 5
    assert np.isnan(less_accurate["predictions_to_pay_1"])
    assert "| iterative" in as_markdown(found.reset_index())


def test_a_run_without_a_dense_network_has_nothing_to_compare_with():
    with pytest.raises(LotteryError, match="has no dense network"):
        worth(pd.DataFrame(LEVELS[2:]), None, "x")


def test_what_is_left_of_layers_is_told_of_any_network():
    network = build("conv-2", (1, 8, 8), 10)
    mask = {layer.weight_name: np.ones(layer.shape, np.uint8) for layer in network.layers}
    mask["conv1.weight"][:5] = 0  # channels that see nothing
    mask["conv2.weight"][:, 5:8] = 0  # channels that nothing reads
    mask["conv2.weight"][0] = 0
    mask["fc1.weight"][:, 16 : 2 * 16] = 0  # the second channel of conv2, 4 x 4 numbers
    rows = {row["layer"]: row for row in layers(network, mask)}
    assert (rows["conv1"]["units"], rows["conv1"]["units_without_inputs"], rows["conv1"]["units_left"]) == (64, 5, 56)
    assert (rows["conv2"]["units_without_inputs"], rows["conv2"]["units_left"]) == (1, 62)
    assert rows["conv1"]["weights"] == 59 * 9
    assert rows["conv1"]["multiplications"] == 59 * 9 * 64
    assert rows["fc1"]["multiplications"] == rows["fc1"]["weights"] == 256 * (1024 - 16)
    assert rows["output"]["weights_remaining"] == 1


def test_the_table_of_a_run_has_every_layer_of_every_network_with_a_mask(run, tmp_path):
    other = tmp_path / "results/small"
    shutil.copytree(run, other)
    assert main(["describe-structure", str(other)]) == 0
    table = pd.read_csv(other / "tables/structure.csv")
    assert list(table.columns) == STRUCTURE
    # Two levels of two replicates, two draws of a control of both, three layers; a level of Conv-2, five layers.
    assert len(table) == 3 * (2 * 2 + 2 * 2) + 5
    weights = pd.read_csv(other / "tables/weights.csv")
    for row in table.to_dict("records"):
        same = weights[["arm", "level", "replicate", "draw"]] == [row[k] for k in ("arm", "level", "replicate", "draw")]
        named = weights[same.all(axis=1) & (weights["layer"] == f"{row['layer']}.weight")]
        assert named[named["experiment"] == row["experiment"]]["weights"].tolist() == [row["weights"]]
    assert (table["units_left"] <= table["units"]).all()


def test_the_worth_told_on_the_page_is_that_of_the_published_run(capsys):
    """Each row of the page is one that the verb prints, and its sentence and the README say the same."""
    assert main(["tell-worth", str(REPOSITORY / "docs/results/paper-mnist")]) == 0
    printed = [cells(line) for line in capsys.readouterr().out.splitlines()]
    page = (REPOSITORY / "docs/tickets.md").read_text().split("## Worth it?")[1]
    rows = [cells(line) for line in page.splitlines() if line.startswith(("| iterative", "| one-shot"))]
    assert len(rows) == 8
    for row in rows[:4]:
        assert row in [line[: len(row)] for line in printed]
    measured = pd.read_csv(REPOSITORY / "docs/results/quick-inference/worth.csv")
    measured = measured.set_index(["arm", measured["weights_remaining"].mul(100).round(1)])
    numbers = ["found_seconds", "trainings_to_pay", "predictions_to_pay_1", "predictions_to_pay_1000"]
    for arm, size, *told in rows[4:]:
        expected = measured.loc[(arm, float(size.rstrip("%"))), numbers]
        assert [float(number.replace(",", "")) for number in told] == [
            float(f"{expected.iloc[0]:.0f}"),
            float(f"{expected.iloc[1]:.0f}"),
            *(float(f"{value:.2g}") for value in expected.iloc[2:]),
        ]
    said, readme = (" ".join(text.split()) for text in (page, (REPOSITORY / "README.md").read_text()))
    found, (own, dense), paid = rows[0][2], [float(each) for each in re.findall(r"[\d.]+", rows[0][5])], rows[0][6]
    assert f"334 core-seconds, and each training of it to its early stop saves {dense - own:.1f}" in said
    assert found == "334"
    once = f"{float(rows[3][6]):.0f}"
    assert f"paid after {float(paid):.0f} trainings; pruned in one shot to 13.5%, after {once}." in said
    assert f"paid after {float(paid):.0f} trainings, pruned in one shot one of 13.5% after {once}." in readme


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def test_the_worth_of_a_run_is_written_with_what_predictions_save(run, tmp_path, capsys):
    rows = [
        {"weights_remaining": 1 if not level else 0.64, "contender": name, "microseconds": value, "batch": batch}
        for level in (0, 2)
        for batch in (1, 1000)
        for name, value in {"torch": 30, "runtime": 5}.items()
    ]
    pd.DataFrame(rows).assign(threads=1).to_csv(tmp_path / "inference.csv", index=False)
    arguments = ["tell-worth", str(run), "lenet-mnist", "--output", str(tmp_path)]
    assert main([*arguments, "--inference", str(tmp_path / "inference.csv")]) == 0
    table = pd.read_csv(tmp_path / "worth.csv").set_index("level")
    assert table.loc[2, "predictions_to_pay_1"] == pytest.approx(table.loc[2, "found_seconds"] * 1e6 / 25)
    assert np.isnan(table.loc[1, "predictions_to_pay_1"])
    (tmp_path / "inference.csv").write_text("batch,threads,microseconds,weights_remaining\n1,1,1,1\n")
    assert main([*arguments, "--inference", str(tmp_path / "inference.csv")]) == 1
    assert "the column contender is missing" in capsys.readouterr().err
