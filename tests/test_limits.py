"""Sets of experiments after follow-ups: their configurations, and controls, lines and overlaps in a run of seconds."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import REPOSITORY, made_by_verbs
from test_claims import made_up_levels

from lottery.analysis.barriers import collect_barriers, column_of, with_barriers
from lottery.analysis.claims import CLAIMS, judge
from lottery.analysis.experiment import NotRun, TrainedExperiment
from lottery.analysis.measures_lines import Barrier, Beyond
from lottery.analysis.overlap_columns import with_overlaps
from lottery.analysis.speed import read_judged
from lottery.analysis.tables import BARRIERS, OVERLAPS, read_table, write_table
from lottery.arms.pairs import PAIRS, files_of_ends
from lottery.arms.places import Place, Replicates
from lottery.arms.rows import ARMS
from lottery.arrays import Arrays, read_arrays, write_text
from lottery.commands.main import main
from lottery.errors import LotteryError
from lottery.evidence.verification import verify
from lottery.figures.catalog import figures_of_run
from lottery.networks import build
from lottery.planning.tasks import tasks_of
from lottery.runs.keeping import let_go, of_described
from lottery.runs.lines import lines
from lottery.runs.listing import compared_files, trainings
from lottery.runs.reading import read_run, read_settings_of
from lottery.settings import Settings

SETS = ["basin", "stability", "signs", "transfer", "selection", "rewinding"]


def configured(name: str) -> Settings:
    return read_run(yaml.safe_load((REPOSITORY / f"config/{name}.yaml").read_text()))


@pytest.mark.parametrize("name", [*(f"limits-{each}" for each in SETS), "gpu-limits"])
def test_a_set_can_be_planned_and_drawn(name):
    settings = configured(name)
    assert settings.run == name
    verbs = {task.verb for task in tasks_of(settings)}
    assert {"train", "collect", "judge-claims", "plot"} <= verbs
    assert figures_of_run(settings) == settings.figures
    for line in lines(settings):
        for file in files_of_ends(line.pair, line.job.place):
            place = Place.parse(file.rsplit("/", 1)[0])
            assert any(task.place == place for task in tasks_of(settings)), file


def test_lines_and_sizes_of_the_sets():
    """What the page of limits says of each."""
    basin = lines(configured("limits-basin"))
    assert {(line.pair.name, line.job.place.level) for line in basin} == {
        *((pair, level) for pair in ("levels", "pruned-solution") for level in range(1, 17)),
        *(("reinit-and-pruned-solution", level) for level in (1, 4, 7, 10, 13, 16)),
    }
    rewinding = configured("limits-rewinding")
    at_once = [job for job in trainings(rewinding) if job.place.experiment == "resnet8-high" and job.arm.masked]
    kept = {sum(count for group, count in job.counts.items() if len(group) > 1) for job in at_once}
    assert kept == {14_832}, "a fifth of 74,160"
    assert build("resnet-8", (3, 32, 32), 10).weights == 77_360


RUN = {
    "run": "limits",
    "figures": ["figure-basin", "figure-selection", "figure-selected", "figure-signs", "figure-transfer"],
    "run_experiments": ["one", "other"],
}
ALIKE = {
    "dataset": "mnist",
    "network": "lenet-30-10",
    "levels": 2,
    "replicates": 2,
    "replicates_per_job": 2,
}
TRAINING = {"iterations": 200, "validation_every": 50, "test_every": 100, "training_images": 600, "test_images": 500}
LATE = {"validation_every": 50, "rate_drops": [100, 150], "engine": "torch"}
SECOND = {"levels": [2]}
ONE = ALIKE | {
    "training": TRAINING,
    "interpolation": {"pairs": ["levels", "pruned-solution", "reinit-and-pruned-solution", "dense-twins"], "points": 3},
    "compared_masks": [2],
    "arms": [
        {"arm": "dense", "snapshots": [50, 100, 150]},
        {"arm": "dense-twin", "draws": 2, "snapshots": [50, 100, 150]},
        {"arm": "iterative"},
        {"arm": "iterative-other-batches"} | SECOND,
        {"arm": "one-shot-movement"} | SECOND,
        {"arm": "iterative-reinit", "draws": 2} | SECOND,
        {"arm": "iterative-same-sign"} | SECOND,
        {"arm": "constant"} | SECOND,
        {"arm": "moved", "from_experiment": "other"} | SECOND,
        {"arm": "aligned", "from_experiment": "other"} | SECOND,
        {"arm": "transferred", "from_experiment": "other"} | SECOND,
        {"arm": "random"} | SECOND,
    ],
}
OTHER = ALIKE | {
    "training": TRAINING | LATE,
    "arms": [
        {"arm": "iterative"},
        {"arm": "learning-rate-rewinding-at-100"},
        {"arm": "fine-tuning-at-100"} | SECOND,
        {"arm": "low-rate-rewinding-at-100"} | SECOND,
    ],
}


@pytest.fixture(scope="module")
def run(tmp_path_factory, mnist) -> Path:
    results = tmp_path_factory.mktemp("limits") / "results"
    return made_by_verbs(results, mnist, **RUN, experiments={"one": ONE, "other": OTHER})


def arrays(run: Path, file: str) -> Arrays:
    experiment, _, rest = file.partition("/")
    return read_arrays(run / experiment / "r0-1" / f"{rest}.safetensors")


def test_verified(run):
    assert list(verify(run, run.parent / "data")) == []


@pytest.mark.long
def test_a_line_that_the_weights_do_not_give_is_found(run):
    path = run / "one/r0-1/dense-twin/level0/line-dense-twins.csv"
    told = path.read_text()
    tables = {file: file.read_text() for file in (run / "tables").iterdir()}
    header, first, second, *rest = told.splitlines()
    numbers = second.split(",")
    forged = ",".join([*numbers[:-1], "0.95"])
    try:
        write_text(path, "\n".join([header, first, forged, *rest]) + "\n")
        settings = read_settings_of(run)
        write_text(
            run / "tables/barriers.csv", collect_barriers(run, settings).to_csv(index=False, lineterminator="\n")
        )
        wrong = [line for line in verify(run, run.parent / "data") if "line-dense-twins" in line]
    finally:
        write_text(path, told)
        for file, text in tables.items():
            write_text(file, text)
    assert len(wrong) == 1
    assert "at 0.5 of the line the test error is told as 0.95" in wrong[0]


def test_barriers_are_the_greatest_error_less_the_mean_of_the_ends(run):
    barriers = read_table(run / "tables/barriers.csv", BARRIERS)
    assert barriers.groupby("pair").size().to_dict() == {
        "levels": 4,
        "pruned-solution": 4,
        "reinit-and-pruned-solution": 4,
        "dense-twins": 4,
    }
    levels = read_table(run / "tables/levels.csv", ["experiment", "arm"])
    final = levels.set_index(["experiment", "arm", "level", "replicate", "draw"])["test_accuracy_final"].sort_index()
    for row in barriers.to_dict("records"):
        place = run / "one/r0-1" / row["arm"] / f"level{row['level']}"
        line = pd.read_csv(place / f"line-{row['pair']}.csv")
        errors = line[(line["replicate"] == row["replicate"]) & (line["draw"] == row["draw"])]["test_error"].to_numpy()
        assert len(errors) == 3
        assert row["test_barrier"] == pytest.approx(errors.max() - (errors[0] + errors[-1]) / 2)
        ours = final["one", row["arm"], row["level"], row["replicate"], row["draw"]]
        assert errors[0] == pytest.approx(1 - ours), "the line begins at the network's own accuracy"
    dense = final["one", "dense", 0]
    twins = barriers[barriers["pair"] == "dense-twins"]
    assert twins["test_error_other"].tolist() == pytest.approx(
        [1 - dense[replicate, 0] for replicate in twins["replicate"]]
    )


def test_a_pruned_solution_is_the_level_before_times_the_mask(run):
    """Its error, at the end of the line, is that of these weights."""
    from lottery.datasets.images import read_splits
    from lottery.training import sparse_engine

    settings = read_settings_of(run)
    recipe = settings.experiments["one"].training
    (split, _) = read_splits(run.parent / "data/mnist.safetensors", recipe, 0, range(2))
    mask, before = arrays(run, "one/iterative/level2/mask"), arrays(run, "one/iterative/level1/trained")
    pruned = {name: values * mask[name] if name in mask else values for name, values in before.items()}
    one = {name: values[:1] for name, values in pruned.items()}
    images = sparse_engine.resident([split], recipe)
    engine = sparse_engine.Engine(build("lenet-30-10", (28, 28), 10), one, None, images, recipe)
    line = pd.read_csv(run / "one/r0-1/iterative/level2/line-pruned-solution.csv")
    (last,) = line[(line["replicate"] == 0) & (line["share"] == 1)].to_dict("records")
    assert last["test_error"] == pytest.approx(1 - engine.evaluate("test")[1][0])
    assert last["train_error"] == pytest.approx(1 - engine.evaluate("train")[1][0])


def test_a_moved_mask_is_the_other_starts_and_the_start_is_the_own(run):
    theirs, own = arrays(run, "other/iterative/level2/mask"), arrays(run, "one/dense/level0/start")
    moved, aligned = (arrays(run, f"one/{name}/level2/mask") for name in ("moved", "aligned"))
    start = arrays(run, "one/aligned/level2/start")
    assert (own["fc1.weight"] != arrays(run, "other/dense/level0/start")["fc1.weight"]).any()
    for name, kept in theirs.items():
        assert (moved[name] == kept).all()
        assert (aligned[name] != kept).any()
        assert (start[name] == own[name] * aligned[name]).all()
        for replicate in range(2):
            assert sorted(aligned[name][replicate].sum(1)) == sorted(kept[replicate].sum(1)), "links of units stay"
    assert (arrays(run, "one/transferred/level2/start")["fc1.weight"] != 0).sum() == theirs["fc1.weight"].sum()


def test_other_batches_from_the_first_training_on(run):
    """Its first mask is pruned from the twin's weights, not from the dense network's; its start is the same."""
    twin, dense = (arrays(run, f"one/{name}/level0/trained")["fc2.weight"] for name in ("dense-twin", "dense"))
    mask = arrays(run, "one/iterative-other-batches/level1/mask")["fc2.weight"]
    for replicate in range(2):
        kept = mask[replicate] == 1
        assert np.abs(twin[2 * replicate][kept]).min() >= np.abs(twin[2 * replicate][~kept]).max()
        assert np.abs(dense[replicate][kept]).min() < np.abs(dense[replicate][~kept]).max()
    start = arrays(run, "one/iterative-other-batches/level1/start")["fc2.weight"]
    assert (start == mask * arrays(run, "one/dense/level0/start")["fc2.weight"]).all()


def test_weights_and_schedule_set_back_in_a_run(run):
    mask = arrays(run, "other/fine-tuning-at-100/level2/mask")
    start, before = (
        arrays(run, "other/fine-tuning-at-100/level2/start"),
        arrays(run, "other/fine-tuning-at-100/level1/trained"),
    )
    assert (start["fc1.weight"] == before["fc1.weight"] * mask["fc1.weight"]).all()
    assert start["fc1.bias"].tobytes() == before["fc1.bias"].tobytes()
    late = arrays(run, "other/dense/level0/snapshots")
    low = arrays(run, "other/low-rate-rewinding-at-100/level2/start")
    assert low["fc1.bias"].tobytes() == late["100:fc1.bias"].tobytes()
    first = {
        name: arrays(run, f"other/{name}-at-100/level1/mask") for name in ("learning-rate-rewinding", "fine-tuning")
    }
    assert (first["learning-rate-rewinding"]["fc1.weight"] == first["fine-tuning"]["fc1.weight"]).all()
    ends = [arrays(run, f"other/{name}-at-100/level1/trained")["fc1.weight"] for name in first]
    assert (ends[0] != ends[1]).any(), "other rates"


def test_overlaps_of_a_run(run):
    table = read_table(run / "tables/overlaps.csv", OVERLAPS)
    assert set(table["level"]) == {2}
    of_dense = table[(table["of"] == "dense") & (table["layer"] == 1)].set_index(["quantity", "iteration"])
    at_end = of_dense.loc[("end of training", 200)]
    assert (at_end["value"] == 1).all(), "a mask and itself"
    assert at_end["over_chance"].to_numpy() == pytest.approx(1 / at_end["by_chance"].to_numpy())
    assert (of_dense.loc[("initial magnitude", 0), "value"] == 1).all()
    assert of_dense.loc[("another start", 200), "over_chance"].to_numpy() == pytest.approx(1, abs=0.1)
    same = table[(table["quantity"] == "same start") & (table["layer"] == 1) & (table["iteration"] == 200)]
    assert len(same) == 4, "two twins of each of two starts"
    assert (same["over_chance"] > 1.1).all()
    # By hand: the first twin of the first start at its end.
    kept = {}
    for name, place in (("dense", 0), ("dense-twin", 0)):
        weights = np.abs(arrays(run, f"one/{name}/level0/trained")["fc1.weight"][place]).ravel()
        kept[name] = set(np.argsort(-weights, kind="stable")[: int(0.64 * weights.size)])
    (row,) = same[(same["replicate"] == 0) & (same["draw"] == 0)].to_dict("records")
    assert row["value"] == pytest.approx(len(kept["dense"] & kept["dense-twin"]) / len(kept["dense"]), abs=1e-4)
    assert set(table["quantity"]) >= {"mask of iterative", "mask of one-shot-movement", "sign kept", "early bird"}


def test_of_different_starts_each_is_compared_with_the_next_alone(tmp_path):
    """By hand: 3 starts, the overlap of replicate r with another, o, being 10 r + o."""
    place = {"experiment": "e", "level": 2, "layer": 1}
    rows = [
        {**place, "quantity": "another start", "of": "dense", "replicate": own, "draw": 0, "other": other}
        | {"iteration": 200, "value": 0.5, "by_chance": 0.5, "over_chance": 10 * own + other}
        for own in range(3)
        for other in range(3)
        if own != other
    ]
    write_table(tmp_path / "overlaps.csv", pd.DataFrame(rows, columns=OVERLAPS))
    layers = pd.DataFrame([{**place, "replicate": replicate} for replicate in range(3)])
    assert list(with_overlaps(layers, tmp_path)["overlap_another_start"]) == [1, 12, 20]


def test_claims_see_barriers_and_overlaps(run):
    levels, layers = read_judged(run / "tables")
    assert column_of("dense-twins") in levels
    told = (layers["experiment"] == "one") & (layers["level"] == 2)
    assert (layers["overlap_same_start"].notna() == told).all()
    judged = judge(levels.replace({"network": {"lenet-30-10": "lenet-300-100"}}), layers).set_index(
        ["experiment", "id"]
    )
    assert judged.loc[("one", "ST1"), "n"] == 2
    barriers = read_table(run / "tables/barriers.csv", BARRIERS).query("pair == 'dense-twins'")
    assert judged.loc[("one", "ST1"), "ours"] == pytest.approx(100 * barriers["test_barrier"].mean())
    assert "ST1" not in judged.loc["other"].index, "no line was measured there"


def test_a_table_without_lines_is_as_it_was(run, tmp_path):
    levels = read_table(run / "tables/levels.csv", ["experiment"])
    assert with_barriers(levels, tmp_path) is levels


def test_every_pair_is_of_arms_that_are_there():
    for pair in PAIRS.values():
        for end in pair.ends:
            assert end.arm in ARMS
            assert not end.pruned_by or ARMS[end.pruned_by].masked
        if "twins" in pair.name:
            twin, own = ARMS[pair.one.arm], ARMS[pair.other.arm]
            assert (twin.batches, own.batches) == ("own", "shared")
            assert twin.samples
    place = Place("e", Replicates(0, 1), "iterative", 1)
    assert files_of_ends(PAIRS["pruned-solution"], place) == [
        "e/r0-1/iterative/level1/trained.safetensors",
        "e/r0-1/dense/level0/trained.safetensors",
        "e/r0-1/iterative/level1/mask.safetensors",
    ]


def test_claims_of_follow_ups_speak_of_no_published_run():
    """A run that measures no line and trains none of their arms is judged as before."""
    ours = {claim.id for claim in CLAIMS if claim.family == "follow-ups"}
    assert ours
    for folder in sorted((REPOSITORY / "docs/results").glob("*/levels.csv")):
        assert not set(judge(*read_judged(folder.parent))["id"]) & ours, folder


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("compared_masks", [3], "compared_masks: level 3 is none of 1 to 2"),
        (
            "interpolation",
            {"pairs": ["random-twins"]},
            "interpolation.pairs: random-twins needs random-twin and random",
        ),
        ("network", "conv-2", "arm: aligned matches units of fully connected networks; conv-2 is none"),
    ],
)
def test_what_cannot_be_is_told_before_anything_runs(key, value, told):
    experiments = {"one": ONE | {key: value}, "other": OTHER | ({key: value} if key == "network" else {})}
    with pytest.raises(LotteryError, match=told):
        read_run(RUN | {"experiments": experiments})


def test_what_tells_of_weights_that_were_let_go_is_written_down(run, tmp_path):
    copy = tmp_path / "limits"
    shutil.copytree(run, copy)
    settings = read_settings_of(run).model_copy(update={"keep": "tables"})
    assert let_go(copy, settings)
    told = json.loads((copy / "tables/let-go.json").read_text())
    assert set(told["interpolate"]["sha256"]) == {f"{line.job.place.folder}/{line.file}" for line in lines(settings)}
    assert list(told["compare-masks"]["sha256"]) == ["tables/overlaps.csv"]
    before = of_described(copy, settings)
    line = copy / "one/r0-1/dense-twin/level0/line-dense-twins.csv"
    line.write_text(line.read_text().replace("0.5,", "0.6,", 1))
    assert of_described(copy, settings) != before


def test_nothing_is_compared_where_nobody_asked():
    settings = read_run(RUN | {"figures": [], "run_experiments": ["other"], "experiments": {"other": OTHER}})
    assert compared_files(settings) == []
    assert lines(settings) == []
    assert not {"interpolate", "collect-barriers", "compare-masks"} & {task.verb for task in tasks_of(settings)}


def made_up(arms: dict[str, list[float]], **columns: list[float]) -> TrainedExperiment:
    """Three replicates of some arms at a quarter of the weights, with these accuracies at the end, and columns."""
    base = made_up_levels(tickets_win=True)
    rows = base[(base["arm"] == "iterative") & (base["level"] == 7) & (base["draw"] == 0)].head(3)
    tables = [base[base["arm"] == "dense"].head(3)]
    tables += [rows.assign(arm=arm, test_accuracy_final=accuracies, **columns) for arm, accuracies in arms.items()]
    return TrainedExperiment(pd.concat(tables, ignore_index=True))


def test_a_barrier_is_in_points_and_a_difference_of_two_pairs_is_taken_within_replicates():
    twins = {column_of("ticket-twins"): [0.01, 0.02, 0.03], column_of("reinit-twins"): [0.05, 0.05, 0.02]}
    ours = made_up({"iterative-twin": [0.9] * 3, "iterative-reinit-twin": [0.9] * 3}, **twins)
    assert Barrier("ticket-twins", 0.211).found(ours).numbers.tolist() == pytest.approx([1, 2, 3])
    minus = Barrier("ticket-twins", 0.211, minus="reinit-twins")
    assert minus.found(ours).numbers.tolist() == pytest.approx([-4, -3, 1])
    assert {place.arm for place in minus.places(ours)} == {"iterative-twin", "iterative-reinit-twin"}
    with pytest.raises(NotRun, match="tell no train barrier of ticket-twins"):
        Barrier("ticket-twins", 0.211, part="train").found(ours)


def test_what_a_control_recovers_is_counted_from_the_middle():
    """Half of the way from the mask reinitialised to the ticket is 0."""
    arms = {"iterative": [0.98, 0.97, 0.98], "iterative-reinit": [0.94, 0.95, 0.98], "constant": [0.97, 0.96, 0.97]}
    found = Beyond("constant", 0.211).found(made_up(arms)).numbers
    assert found.tolist() == pytest.approx([1, 0, -1])


def test_a_run_that_compares_networks_is_not_joined(run, tmp_path, capsys):
    assert main(["join", str(run), "--output", str(tmp_path / "both")]) == 1
    assert "does not carry barriers.csv and overlaps.csv" in capsys.readouterr().err
    assert not (tmp_path / "both").exists()
