"""Files appear whole or not at all, whenever the writer is killed and however full the disk is."""

import random
import shlex
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY

from lottery.arrays import read_arrays, replacing, write_arrays, write_text
from lottery.errors import LotteryError
from lottery.settings import Experiment, Settings

WRITER = """
import itertools, sys
import numpy as np
from pathlib import Path
from lottery.arrays import write_arrays
for number in itertools.count():
    write_arrays(Path(sys.argv[1]), {"w": np.full(300_000, number % 100, np.float32)})
    if number == 0:
        print("writing", flush=True)
"""
SETTINGS = Settings(
    run="run",
    run_experiments=["x"],
    experiments={
        "x": Experiment(dataset="mnist", network="lenet-300-100", levels=1, replicates=1, replicates_per_job=1, arms=[])
    },
)
PLACE = "x/r0-0/dense/level0"


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "weights.safetensors"
    half_written = 0
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
            writer.stdout.readline()
            time.sleep(random.uniform(0, 0.05))
            writer.kill()
        assert len(np.unique(read_arrays(path)["w"])) == 1
        half_written += len(list(tmp_path.iterdir())) - 1
    assert half_written, "kills came in the middle of a write"
    write_arrays(path, {"w": np.zeros(1)})
    assert list(tmp_path.iterdir()) == [path], "what killed writers left is gone"


def test_a_reader_never_sees_half_a_file(tmp_path):
    path, stop = tmp_path / "weights.safetensors", threading.Event()
    write_arrays(path, {"w": np.zeros(300_000)})

    def write() -> None:
        for number in range(100):
            write_arrays(path, {"w": np.full(300_000, float(number))})
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not stop.is_set():
        seen.update(np.unique(read_arrays(path)["w"], return_counts=True)[1].tolist())
    writer.join()
    assert seen == {300_000}


def test_a_file_of_a_living_writer_is_left_alone(tmp_path):
    with replacing(tmp_path / "a.txt") as aside:
        aside.write_text("mine")
        name = aside.name.replace(str(aside.name.split(".")[-2]), "1")  # process 1 always lives
        (tmp_path / name).write_text("of another process")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "a.txt"])


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LotteryError, match=r"file/deep/a.txt: cannot be written: Not a directory"):
        write_text(tmp_path / "file/deep/a.txt", "")


@pytest.fixture
def place(tmp_path) -> Path:
    """The folder of a dense network, empty, in that of a run which has its settings."""
    write_text(tmp_path / "settings.json", SETTINGS.canonical_json())
    (tmp_path / PLACE).mkdir(parents=True)
    return tmp_path / PLACE


def initialize(place: Path) -> str:
    """The command that writes initial weights of 1.07 MB there."""
    run = place.parents[len(Path(PLACE).parts) - 1]
    return shlex.join([sys.executable, "-m", "lottery", "initialize", str(run), PLACE])


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", script], cwd=REPOSITORY, capture_output=True, text=True)


def test_a_quota_is_told_in_one_line(place):
    done = run(f"ulimit -f 500; {initialize(place)}")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{place}/start.safetensors: cannot be written: File too large; 1,066," in done.stderr
    assert not list(place.iterdir())
    assert run(initialize(place)).returncode == 0


def private_mounts() -> bool:
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not private_mounts(), reason="a small disk needs user namespaces (unshare -rm), which are off here")
def test_a_full_disk_is_told_in_one_line_and_a_later_run_completes(place):
    small = f"mount -t tmpfs -o size=600k tmpfs {place}"
    script = (
        f"{small}; {initialize(place)}; echo status $?; ls -A {place}; echo listed;"
        f" mount -o remount,size=9m {place}; {initialize(place)}; echo status $?; ls -A {place}"
    )
    done = run(f"unshare -rm bash -c {shlex.quote(script)}")
    assert "start.safetensors: cannot be written: No space left on device; 1,066," in done.stderr
    assert " bytes are needed, 614,400 are free there; make room and run it again" in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout.split() == ["status", "1", "listed", "status", "0", "start.safetensors"]


@pytest.mark.long
@pytest.mark.skipif(not private_mounts(), reason="a small disk needs user namespaces (unshare -rm), which are off here")
def test_a_run_on_a_full_disk_stops_and_completes_when_there_is_room(fresh):
    results = fresh.folder / "results"
    results.mkdir()
    snakemake = f"cd {fresh.folder}; {sys.executable} -m snakemake --cores 1"
    wanted = "results/data/mnist.safetensors"
    script = (
        f"mount -t tmpfs -o size=30m tmpfs {results}; {snakemake} -- {wanted}; echo status $?; ls -A {results}/data;"
        f" mount -o remount,size=90m {results}; {snakemake} -- {wanted}; echo status $?; ls -A {results}/data"
    )
    done = run(f"unshare -rm bash -c {shlex.quote(script)}")
    assert "mnist.safetensors: cannot be written: No space left on device" in done.stdout + done.stderr
    second = done.stdout.split("status 1")[1]
    assert "mnist.safetensors" not in second.split("status 0")[0].split(), "nothing half-written"
    assert "mnist.safetensors" in second.split("status 0")[1].split()
