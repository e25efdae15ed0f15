"""Settings that mean nothing are told in one line, in seconds, before anything runs."""

import os
import sys
import time

import pytest
from conftest import REPOSITORY, experiment

from lottery.datasets.raw import Places, read_raw
from lottery.datasets.sources import RawFile, Source
from lottery.errors import LotteryError
from lottery.runs.reading import read_run
from lottery.settings.reading import keys_given_twice


def run(**changes: object) -> dict:
    values = {"run": "r", "run_experiments": ["e"], "experiments": {"e": experiment()}}
    return values | changes


def of_training(**changes: object) -> dict:
    training = {"iterations": 20, "validation_every": 10, "test_every": 20} | changes
    return run(experiments={"e": experiment(training=training)})


NONSENSE = {
    "rates that remove nothing": (
        run(experiments={"e": experiment(pruning={"dense_rate": 1e-9, "output_rate": 1e-9})}),
        "arms.0.levels: the first pruning removes no weight; the rates of pruning are too small",
    ),
    "a batch of all": (of_training(batch_size=10**9), "training.batch_size: 1000000000 images are more than the 55000"),
    "a late drop": (of_training(engine="torch", rate_drops=[20]), "rate_drops [20] must come before the last of 20"),
    "a long warmup": (of_training(engine="torch", warmup_iterations=21), "warmup_iterations (21) must end by"),
    "the data's folder": (run(run="data"), "run: results/data is not for a run; choose another name"),
    "a number that is a text": (of_training(learning_rate="1e-3"), "takes for a text; write 1.0e-3"),
    "many levels": (
        run(experiments={"e": experiment(levels=10**9)}),
        "e.levels: input should be less than",
    ),
    "many replicates": (
        run(experiments={"e": experiment(replicates=10**6)}),
        "e.replicates: input should be",
    ),
    "small steps": (
        run(experiments={"e": experiment(pruning={"linear_step": 1e-9}, arms=[{"arm": "one-shot-linear"}])}),
        "pruning.linear_step: input should be greater than or equal to 0.001",
    ),
    "a wide network": (run(experiments={"e": experiment(network="lenet-99999999999-1")}), "network: unknown network"),
    "a long name of the run": (run(run="a" * 300), "run: string should have at most 80 characters"),
    "a long name": (
        run(run_experiments=["a" * 100], experiments={"a" * 100: experiment()}),
        "must be of the form lenet-mnist (a-z, 0-9, -), of at most 80 letters",
    ),
    "a NUL in a path": (run(data_mirror="a\0b"), "data_mirror: 'a\\x00b' must be the path of a folder, in printable"),
}


@pytest.mark.parametrize(("values", "told"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_is_told_in_a_line_in_seconds(values, told):
    began = time.monotonic()
    with pytest.raises(LotteryError) as raised:
        read_run(values)
    assert time.monotonic() - began < 5
    (line,) = str(raised.value).splitlines()
    assert told in line


def of_arms(*arms: dict, **changes: object) -> dict:
    training = {"iterations": 400, "validation_every": 20, "test_every": 20}
    return experiment(training=training, arms=list(arms)) | changes


def test_snapshots_before_the_start_are_told():
    arms = of_arms({"arm": "iterative", "snapshots": [20]}, rewind_iteration=100)
    with pytest.raises(LotteryError, match="arms.0.snapshots: iterative starts at iteration 100, after 20"):
        read_run(run(experiments={"e": arms}))


def test_what_tickets_of_another_experiment_need_is_told():
    taken = of_arms({"arm": "transferred", "from_experiment": "a"})
    both = {"a": of_arms({"arm": "iterative"}), "b": taken}
    assert read_run(run(run_experiments=["a", "b"], experiments=both))
    assert read_run(run(run_experiments=["a"], experiments=both)), "what is not run need not fit"
    with pytest.raises(LotteryError, match="b.arms.0.from_experiment: 'a' is no experiment of the run"):
        read_run(run(run_experiments=["b"], experiments=both))
    own = of_arms({"arm": "transferred", "from_experiment": "b"})
    with pytest.raises(LotteryError, match="b.arms.0.from_experiment: names the experiment itself"):
        read_run(run(run_experiments=["b"], experiments={"b": own}))


def test_small_images_for_a_deep_network_are_told(own_names):
    from lottery.extensions import add_dataset

    files = tuple(RawFile(f"{name}.gz", "0" * 64, 1, gzipped=True) for name in "abcd")
    add_dataset(Source("tiny", "idx", 10, 60_000, 10_000, (8, 8), files))
    add_dataset(Source("tinier", "idx", 10, 60_000, 10_000, (4, 4), files))
    for network, dataset in (("vgg-16", "tiny"), ("conv-6", "tinier")):
        told = rf"e.network: {network} on images of {dataset}: max-pool: expects images, gets"
        with pytest.raises(LotteryError, match=told):
            read_run(run(experiments={"e": experiment(network=network, dataset=dataset)}))


def test_a_network_that_ends_the_program_is_told(own_names):
    from lottery.extensions import add_network

    add_network("conv-exit", lambda shape, classes: sys.exit(0))
    with pytest.raises(LotteryError, match="network: conv-exit: SystemExit: 0"):
        read_run(run(experiments={"e": experiment(network="conv-exit")}))


def test_a_pipe_as_a_raw_file_is_told(tmp_path):
    (tmp_path / "mirror/d").mkdir(parents=True)
    os.mkfifo(tmp_path / "mirror/d/a")
    data = Source("d", "idx", 10, 1, 1, (2, 2), (RawFile("a", "0" * 64, 1),))
    with pytest.raises(LotteryError, match="mirror/d/a: is a pipe, socket or device, expected a regular file"):
        read_raw(data, Places(tmp_path / "none", tmp_path / "mirror", tmp_path / "downloads"))


def test_a_key_given_twice_is_told():
    assert keys_given_twice("run: a\nexperiments:\n  e: {levels: 1}\n  e: {levels: 2}\nrun: b\n") == [
        "experiments.e: given twice, again in line 4",
        "run: given twice, again in line 5",
    ]
    for path in REPOSITORY.glob("config/*.yaml"):
        assert keys_given_twice(path.read_text()) == [], path


def test_a_key_given_twice_stops_a_run(fresh):
    path = fresh.folder / "config/twice.yaml"
    path.write_text("run: twice\nrun: thrice\n")
    said = fresh("-n", "--configfile", str(path), fails=True)
    assert "twice.yaml: run: given twice, again in line 2" in said
