"""What is told before a run starts, against what Snakemake plans and what finished runs took."""

import json
from pathlib import Path

import pandas as pd
import pytest
from conftest import SMOKE, configured, experiment, overlay

from lottery.commands.main import main
from lottery.errors import LotteryError
from lottery.networks import build
from lottery.planning.plan import Plan, as_text
from lottery.planning.speed import COSTS, Speed, Work, interpolated, measured_speed
from lottery.runs.reading import read_finished_run, read_run
from lottery.settings import Training

VERB_OF = {
    "prepare_dataset": "prepare-dataset",
    "initialize": "initialize",
    "train": "train",
    "score": "score",
    "prune": "prune",
    "rewind": "rewind",
    "make_control": "make-control",
    "describe_tickets": "describe-tickets",
    "collect": "collect",
    "judge_claims": "judge-claims",
    "plot": "plot",
}
"""The verb that each rule calls."""

TANGLED = {
    "replicates": 3,
    "replicates_per_job": 2,
    "levels": 5,
    "arms": [
        {"arm": "one-shot-linear-reinit", "levels": [2], "draws": 2},
        {"arm": "random", "levels": [3], "draws": 2},
        {"arm": "small-dense", "levels": [2]},
        {"arm": "iterative", "levels": [5]},
        {"arm": "continued", "levels": [3]},
        {"arm": "initial-magnitude", "levels": [2]},
        {"arm": "noise-0.5", "levels": [4]},
    ],
}
"""Arms that need masks and trainings of levels and arms that are not asked for."""


def run_of(**experiments: dict) -> dict:
    return {"run": "made-up", "run_experiments": list(experiments), "experiments": experiments}


@pytest.mark.parametrize(
    ("values", "options"),
    [
        pytest.param(configured(), (), marks=pytest.mark.long),
        pytest.param(configured("paper-mnist"), ("--configfile", "config/paper-mnist.yaml"), marks=pytest.mark.long),
        (configured("smoke-conv"), ("--configfile", "config/smoke-conv.yaml")),
        (run_of(plain=experiment(), tangled=experiment(**TANGLED)), None),
    ],
    ids=["quick", "paper-mnist", "smoke-conv", "tangled"],
)
def test_the_tasks_are_those_of_the_workflow(fresh, values, options):
    if options is None:
        options = overlay(fresh, "tangled", **values)
    planned = Plan(read_run(values)).verbs
    jobs = fresh.jobs(*options)
    # What takes no time is not planned.
    assert jobs.pop("all") == 1
    assert sum(jobs.values()) == planned.total()
    for verb, count in planned.items():
        assert count == sum(jobs[rule] for rule in jobs if VERB_OF[rule] == verb), verb


def test_a_finished_run_has_the_trainings_and_the_size_that_were_told(smoke):
    folder = smoke.folder / "results/smoke"
    plan = Plan(read_finished_run(folder / "tables/settings.json"))
    assert {place.folder for place in plan.trainings} == {
        str(path.parent.relative_to(folder)) for path in folder.rglob("trained.safetensors")
    }
    assert plan.networks == len(pd.read_csv(folder / "tables/levels.csv"))
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert plan.bytes == pytest.approx(size, rel=0.05)
    dataset = smoke.folder / "results/data/mnist.safetensors"
    assert plan.dataset_bytes == pytest.approx(dataset.stat().st_size, rel=0.01)


def test_speeds_of_a_finished_run_give_its_times_back(smoke):
    folder = smoke.folder / "results/smoke"
    table = pd.read_csv(folder / "tables/levels.csv")
    plan = Plan(read_finished_run(folder / "tables/settings.json"), speed=measured_speed(folder))
    for place in plan.trainings:
        network = plan.work(place)
        times = table[table["weights"] == network.kept]["train_seconds"]
        # Arms of one size share their median.
        assert times.min() <= plan.speed.seconds(network) <= times.max(), place
    assert f"{'speed':16} sparse on cpu as in {folder}" in as_text(plan)


@pytest.mark.slow
def test_declared_speeds_are_of_the_right_size(fresh):
    long = experiment(network="lenet-300-100", levels=12, training={"iterations": 1000})
    arms = [{"arm": "one-shot", "levels": [3, 7, 12]}]
    values = run_of(tiny=long | {"arms": arms})
    # The first run compiles the kernels.
    fresh("--cores", "1", *SMOKE, "--", "tables")
    fresh("--cores", "1", *overlay(fresh, "long", **values), "--", "tables")
    table = pd.read_csv(fresh.folder / "results/made-up/tables/levels.csv")
    plan = Plan(read_run(values))
    for place in plan.trainings:
        (seconds,) = table[table["level"] == place.level]["train_seconds"]
        assert plan.speed.seconds(plan.work(place)) / 4 < seconds < 4 * plan.speed.seconds(plan.work(place))


def test_time_is_bounded_by_cores_and_by_the_longest_chain():
    values = run_of(tiny=experiment(levels=4, replicates=4, arms=[{"arm": "iterative"}, {"arm": "one-shot"}]))
    one, many = Plan(read_run(values), 1), Plan(read_run(values), 1000)
    assert one.wall_seconds == one.core_seconds == sum(one.seconds.values())
    assert many.wall_seconds == many.chain_seconds < one.wall_seconds
    chain = [task.training for task in many.longest_chain if task.training]
    assert [(place.arm, place.level) for place in chain] == [
        ("dense", 0),
        *(("iterative", level) for level in (1, 2, 3, 4)),
    ]


def test_threads_of_a_job_hold_cores_and_shorten_it():
    values = run_of(tiny=experiment(replicates=4, replicates_per_job=4, threads_per_job=2))
    plan = Plan(read_run(values), 2)
    task = next(task for task in plan.tasks if task.training)
    assert plan.threads(task) == 2
    assert plan.seconds[task] == pytest.approx(1.0 + 2 * plan.speed.seconds(plan.work(task.training)))
    assert Plan(read_run(values), 1).seconds[task] > plan.seconds[task]


def test_hours_of_a_gpu_are_those_measured_or_unknown():
    """Never those of a core: by the card's name, network, batch size and arithmetic, or by a finished run."""
    convolved = experiment(
        dataset="cifar-10", network="conv-2", training={"device": "cuda", "tf32": True, "iterations": 20_000}
    )
    values = run_of(convolved=convolved)
    plan = Plan(read_run(values), 8, Speed(card="NVIDIA H200"))
    place = plan.trainings[0]
    images = plan.work(place).evaluated_images
    seconds = 20_000 * 60 / 98_223 + images / 649_976
    assert plan.speed.seconds(plan.work(place)) == pytest.approx(seconds)
    text = as_text(plan)
    assert f"{2 * (seconds + 5):.0f} s on one GPU" in text
    assert "torch on one NVIDIA H200 as measured (docs/gpu.md)" in text
    assert "unknown" not in text

    for card, told in [
        ("", "as no card is named; known: --card 'NVIDIA H200'"),
        ("NVIDIA A1", "on the card NVIDIA A1"),
    ]:
        text = as_text(Plan(plan.settings, 8, Speed(card=card)))
        assert "                 unknown on one GPU" in text
        assert "time             unknown on 8 cores and one GPU" in text
        assert "longest chain    unknown" in text
        assert f"torch on cuda unknown, {told}" in text

    both = Plan(read_run(run_of(convolved=convolved, other=convolved | {"network": "conv-4"})), 8, plan.speed)
    assert both.unknown == ["conv-4"]
    assert "more than" in as_text(both)
    assert "of conv-4 unknown, `lottery check-card` measures it" in as_text(both)
    for changes in ({"batch_size": 128}, {"precision": "float64", "tf32": False}):
        changed = run_of(convolved=convolved | {"training": convolved["training"] | changes})
        assert Plan(read_run(changed), 8, plan.speed).unknown == ["conv-2"], changes

    finished = Speed(Path("results/gpu"), {("torch", "cuda"): {266_200: 0.1}})
    assert "torch on cuda as in results/gpu" in as_text(Plan(plan.settings, 8, finished))
    assert Plan(plan.settings, 8, finished).unknown == []


@pytest.mark.parametrize("engine", COSTS)
def test_costs_are_those_measured_and_rise_between(engine):
    for size, cost in COSTS[engine].items():
        assert interpolated(COSTS[engine], size) == pytest.approx(cost)
    largest = max(COSTS[engine])
    between = [interpolated(COSTS[engine], size)[0] for size in range(1_000, 2 * largest, largest // 200)]
    assert between == sorted(between)
    assert interpolated(COSTS[engine], 2 * largest)[0] == pytest.approx(2 * COSTS[engine][largest][0])


def test_evaluated_images_are_counted():
    recipe = Training(iterations=1000, validation_every=100, test_every=500, validation_images=5_000)
    work = Work(recipe, "mnist", build("lenet-300-100", (28, 28), 10), 266_200)
    assert work.evaluated_images == 11 * 5_000 + 3 * 10_000 + 2 * (10_000 + 55_000)


def test_the_verb_tells_a_plan_and_starts_nothing(tmp_path, capsys, monkeypatch):
    settings, elsewhere = tmp_path / "settings.json", tmp_path / "elsewhere"
    settings.write_text(json.dumps(configured()))
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["plan", "--cores", "2", str(settings)]) == 0
    said = capsys.readouterr().out
    assert "run 'quick' from nothing" in said
    assert "108, of which 41 train 123 networks" in said
    assert "379 MB" in said
    assert "263 MB with keep: without-early-stop" in said
    assert not list(elsewhere.iterdir())


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        ("{]", "is not JSON"),
        (json.dumps(run_of(tiny=experiment(network="lenet5"))), "unknown network 'lenet5'"),
    ],
)
def test_the_verb_refuses_wrong_settings(tmp_path, capsys, content, told):
    path = tmp_path / "settings.json"
    if content is not None:
        path.write_text(content)
    assert main(["plan", str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"lottery plan: {path}: ")
    assert told in line


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(LotteryError, match="settings.json: cannot be read"):
        measured_speed(tmp_path)


@pytest.mark.long
def test_the_target_plan_tells_the_merged_settings(fresh):
    said = fresh("--cores", "3", "--quiet", "all", *SMOKE, "--", "plan")
    assert "25, of which 8 train 18 networks" in said
    assert "on 3 cores" in said
    assert not list((fresh.folder / "results").rglob("*.safetensors"))
    assert fresh.jobs(*SMOKE, "--", "plan") == {"plan": 1}
