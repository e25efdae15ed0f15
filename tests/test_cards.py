"""Jobs on a machine with several GPUs: each computes on a card of its own. The cards are pretended."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from conftest import REPOSITORY, SMOKE, Workflow, experiment, overlay

from lottery.arms.places import Place
from lottery.errors import LotteryError
from lottery.runs.jobs import Job as TrainingJob
from lottery.settings import Experiment, Settings, Training
from lottery.training import cards
from lottery.training import job as job_module
from lottery.training.job import run_job, summary
from lottery.training.loop import Record, Result

A, B, C = (f"GPU-{letter * 8}-0000-0000-0000-000000000000" for letter in "abc")
PART = "MIG-dddddddd-0000-0000-0000-000000000000"


@pytest.fixture
def machine(tmp_path_factory, monkeypatch) -> Callable[..., Path]:
    """Makes this a machine whose nvidia-smi lists these cards; returns the file that tells how often it was asked."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    programs = tmp_path_factory.mktemp("programs")
    asked = programs / "asked"

    def with_cards(*uuids: str) -> Path:
        lines = [f"GPU {number}: NVIDIA H100 80GB HBM3 (UUID: {uuid})" for number, uuid in enumerate(uuids)]
        lines.insert(1, f"  MIG 1g.10gb     Device  0: (UUID: {PART})")
        script = "\n".join(["#!/bin/sh", f"echo $@ >> {asked}", *(f"echo '{line}'" for line in lines)])
        (programs / "nvidia-smi").write_text(script + "\n")
        (programs / "nvidia-smi").chmod(0o755)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        return asked

    return with_cards


@pytest.mark.parametrize(
    ("chosen", "visible"),
    [
        (None, [A, B, C]),
        ("2,0", [C, A]),
        ("1", [B]),
        (" 1 , 2 ", [B, C]),
        (f"{C},{A}", [C, A]),
        ("GPU-bb", [B]),
        (PART, [PART]),
        ("MIG-GPU-aaaa/1/0", ["MIG-GPU-aaaa/1/0"]),
        ("1,1", [B]),
        ("1,-1,2", [B]),
        ("0,7,1", [A]),
        ("GPU-", []),
        ("", []),
        ("-1", []),
        ("NoDevFiles", []),
        ("GPU-../../x", []),
        ("\u0661", []),
    ],
)
def test_the_cards_are_those_that_cuda_would_use(machine, monkeypatch, chosen, visible):
    machine(A, B, C)
    if chosen is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    assert cards.visible_cards() == visible


def test_without_nvidia_smi_the_environment_tells_the_cards(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert cards.visible_cards() == []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", f"2,{A}")
    assert cards.visible_cards() == ["2", A]


def test_a_driver_that_hangs_is_an_error(machine, monkeypatch):
    machine(A)
    monkeypatch.setattr(cards, "LONGEST_LISTING", 0.0)
    with pytest.raises(LotteryError, match=r"nvidia-smi -L` did not answer in 0 s"):
        cards.visible_cards()


JOB = """
import logging, os, pathlib, sys
from lottery.training import cards
logging.basicConfig(level="INFO", format="%(message)s", stream=sys.stdout)
cards.SECONDS_BETWEEN_TRIES = 0.05
with cards.own_card(pathlib.Path(sys.argv[1]), int(os.environ.get("SHARING", 1))):
    print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    sys.stdin.read()
"""


class Job:
    """A process that takes a card and holds it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", JOB, str(folder)],
            env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")} | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def says(self) -> str:
        return self.process.stdout.readline().strip()

    def computes_on(self, card: str) -> bool:
        return self.says() == f"computing on {card}" and self.says() == card

    def waits(self) -> bool:
        return self.says().startswith("waiting for a GPU")

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture
def job(tmp_path) -> Iterator[Callable[..., Job]]:
    """Starts a job that locks cards in the same folder as the others."""
    started = []

    def start(**environment: str) -> Job:
        started.append(Job(tmp_path / "locks", **environment))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.end()


def test_each_job_has_a_card_of_its_own_and_one_too_many_waits_for_the_first_that_is_freed(machine, job):
    machine(A, B)
    first, second = job(), job()
    said = [(each.says(), each.says()) for each in (first, second)]
    assert sorted(said) == [(f"computing on {card}", card) for card in (A, B)]
    third = job()
    assert third.waits()
    second.end()
    assert third.computes_on(said[1][1])
    fourth = job()
    assert fourth.waits()
    first.process.send_signal(signal.SIGKILL)
    assert fourth.computes_on(said[0][1])


def test_so_many_jobs_as_are_wanted_share_a_card(machine, job):
    """The least taken card comes first, and one job too many waits for a share."""
    machine(A, B)
    said = []
    for _ in range(4):
        said.append(one := job(SHARING="2"))
        assert one.computes_on([A, B, A, B][len(said) - 1]), len(said)
    fifth = job(SHARING="2")
    assert fifth.waits()
    said[2].end()
    assert fifth.computes_on(A)


def test_a_card_is_the_same_card_whatever_it_is_called(machine, job):
    """As jobs of a cluster, each of which may see its card as number 0; and for runs that were given some cards."""
    machine(A, B, C)
    assert job(CUDA_VISIBLE_DEVICES="2").computes_on(C)
    machine(C)
    alone = job(CUDA_VISIBLE_DEVICES="0")
    assert alone.waits()
    machine(A, B, C)
    assert job(CUDA_VISIBLE_DEVICES=f"{C},{B}").computes_on(B)
    assert job(CUDA_VISIBLE_DEVICES="GPU-b,2,0").computes_on(A)


def test_a_program_that_a_job_started_does_not_hold_its_card(machine, tmp_path, job):
    machine(A)
    code = JOB.replace("sys.stdin.read()", "import subprocess; subprocess.Popen(['sleep', '60']); os.abort()")
    died = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "locks")],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert died.returncode == -signal.SIGABRT
    assert job().computes_on(A)


def test_where_no_card_can_be_told_none_is_locked_and_the_job_says_so(machine, tmp_path, job):
    machine(A)
    blind = job(CUDA_VISIBLE_DEVICES="")
    assert blind.says() == "no GPU is locked for this job: nvidia-smi and CUDA_VISIBLE_DEVICES name none"
    assert blind.says() == ""
    assert not (tmp_path / "locks").exists()


def refused(folder: Path, reason: str) -> None:
    with pytest.raises(LotteryError, match=reason), cards.own_card(folder):
        pass


def test_locks_are_kept_in_a_folder_of_the_user_alone(machine, tmp_path, monkeypatch):
    machine(A)
    elsewhere, link, file, shared, own = (tmp_path / name for name in ("elsewhere", "link", "file", "shared", "own"))
    elsewhere.mkdir(mode=0o700)
    link.symlink_to(elsewhere)
    refused(link, f"{link}: the folder for locks on GPUs cannot be used")
    assert not list(elsewhere.iterdir())
    file.touch()
    refused(file, f"{file}: the folder for locks on GPUs cannot be used: File exists")
    shared.mkdir()
    shared.chmod(0o770)
    refused(shared, f"{shared}: must be yours, with no access for others")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with cards.own_card(own) as card:
        assert card == A
        assert own.stat().st_mode & 0o777 == 0o700
        (lock,) = own.iterdir()
        assert (lock.name, lock.read_text()) == (f"{A}.lock", f"{os.getpid()}\n")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == A, "CUDA, once started, keeps to this card"
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    refused(own, f"{own}: must be yours")


def test_the_folder_is_the_same_for_all_runs_of_a_user(monkeypatch, tmp_path):
    before = cards.lock_folder()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert cards.lock_folder() == before
    assert before.is_absolute()
    assert str(os.geteuid()) in before.name


def dense_training(**recipe: object) -> TrainingJob:
    """The training of one dense network."""
    numbers = {"levels": 1, "replicates": 1, "replicates_per_job": 1}
    chosen = Experiment(dataset="mnist", network="lenet-300-100", training=Training(**recipe), arms=[], **numbers)
    settings = Settings(run="x", run_experiments=["x"], experiments={"x": chosen})
    return TrainingJob(settings, Place.parse("x/r0-0/dense/level0"))


def test_the_summary_names_the_card(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(job_module, "file_digest", lambda path: path.name)
    result = Record([], Result(), {}, {}, {})
    found = {}
    for device in ("cpu", "cuda"):
        found[device] = summary(dense_training(device=device, engine="torch"), tmp_path, [result], {}, 0.0, None)
    assert (found["cpu"]["device"], found["cpu"]["card"]) == ("cpu", None)
    assert (found["cuda"]["device"], found["cuda"]["card"]) == ("cuda", "NVIDIA H100 80GB HBM3")


def test_a_training_locks_a_card_only_if_it_computes_on_one(machine, tmp_path, monkeypatch):
    machine(A)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(cards, "lock_folder", lambda: tmp_path / "locks")
    held = []
    monkeypatch.setattr(job_module, "train_members", lambda *_: held.append(locks(tmp_path / "locks")))
    for device in ("cpu", "cuda"):
        run_job(dense_training(device=device), tmp_path, threads=1)
    assert held == [[], [f"{A}.lock"]]
    assert locks(tmp_path / "locks") == []


def test_names_of_cards_are_told_where_there_are_any(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cards.names_of_cards() == []
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho NVIDIA H200\necho NVIDIA H200\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    assert cards.names_of_cards() == ["NVIDIA H200", "NVIDIA H200"]
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho failed\nexit 9\n")
    assert cards.names_of_cards() == []


def locks(folder: Path) -> list[str]:
    """The files in the folder that are locked."""
    held = []
    for path in folder.glob("*"):
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(path.name)
    return held


TRAIN_BY_WAITING = """
import os, pathlib, sys, time

def note(what, card):
    with open("happened", "a") as file:
        file.write(f"{what} {card}\\n")

if sys.argv[1] == "train":
    note("begin", "-")

from lottery.commands.main import main
from lottery.training import cards, job

def train(job, run, threads):
    note("start", os.environ["CUDA_VISIBLE_DEVICES"])
    time.sleep(2)
    for file in ("trained", "early-stop", "snapshots", "history.csv", "summary.json"):
        job.path(run, file).touch()
    note("end", os.environ["CUDA_VISIBLE_DEVICES"])

cards.lock_folder = lambda: pathlib.Path("locks").absolute()
job.train_members = train
sys.exit(main())
"""
"""In the place of the package's `__main__.py`: trainings that take their card but only wait there."""


@pytest.fixture
def four_trainings(fresh) -> Callable[..., str]:
    """Runs the dense networks of four replicates, each a job on a GPU; returns what Snakemake says."""
    (fresh.folder / "src/lottery/__main__.py").write_text(TRAIN_BY_WAITING)
    return lambda *options: fresh(*options, *on_gpu(fresh), *networks(4))


def on_gpu(workflow: Workflow, **changes: int) -> tuple[str, str]:
    training = {"device": "cuda", "iterations": 20, "validation_every": 10}
    tiny = experiment(replicates=4, training=training, **changes)
    return overlay(workflow, "gpu", run="gpu", run_experiments=["x"], experiments={"x": tiny})


def networks(count: int) -> list[str]:
    return ["--", *(f"results/gpu/x/r{number}-{number}/dense/level0/trained.safetensors" for number in range(count))]


def at_once(folder: Path, first: str) -> int:
    """The largest number of jobs that were between `first` and their end."""
    now = most = 0
    for line in (folder / "happened").read_text().splitlines():
        now += {first: 1, "end": -1}.get(line.split()[0], 0)
        most = max(most, now)
    return most


@pytest.mark.long
def test_no_more_trainings_are_started_than_there_are_cards(machine, fresh, four_trainings):
    machine(A, B)
    four_trainings("--cores", "4")
    assert at_once(fresh.folder, "begin") == at_once(fresh.folder, "start") == 2
    used = [line.split()[1] for line in (fresh.folder / "happened").read_text().splitlines() if "start" in line]
    assert sorted(used) == [A, A, B, B]


@pytest.mark.long
def test_trainings_share_a_card_where_the_settings_say_so(machine, fresh):
    machine(A)
    (fresh.folder / "src/lottery/__main__.py").write_text(TRAIN_BY_WAITING)
    fresh("--cores", "4", *on_gpu(fresh, trainings_per_card=2), *networks(4))
    assert at_once(fresh.folder, "begin") == at_once(fresh.folder, "start") == 2


@pytest.mark.long
@pytest.mark.parametrize(("gpus", "begun", "started"), [(1, 1, 1), (4, 4, 2)])
def test_a_limit_given_by_the_user_stands(machine, fresh, four_trainings, gpus, begun, started):
    """Too high a one makes jobs wait for cards."""
    machine(A, B)
    four_trainings("--cores", "4", "--resources", f"gpu={gpus}")
    assert (at_once(fresh.folder, "begin"), at_once(fresh.folder, "start")) == (begun, started)


def test_a_run_on_a_gpu_can_be_planned_where_there_is_none(fresh, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert fresh.jobs(*on_gpu(fresh), *networks(4))["train"] == 4


@pytest.mark.long
def test_cards_are_counted_only_for_jobs_on_gpus_of_this_machine(machine, fresh):
    asked = machine(A, B)
    assert fresh.jobs(*SMOKE)
    assert fresh.jobs("--workflow-profile", "slurm", *on_gpu(fresh), *networks(4))["train"] == 4
    assert fresh.jobs("--mode", "remote", *on_gpu(fresh), *networks(1))["train"] == 1
    outer = Workflow(fresh.folder / "outer")
    outer.folder.mkdir()
    text = f'configfile: "{on_gpu(fresh)[1]}"\nmodule lottery:\n    snakefile: "../Snakefile"\n    config: config\n'
    (outer.folder / "Snakefile").write_text(text + "use rule * from lottery as lottery_*\n")
    assert outer.jobs(*networks(1))["lottery_train"] == 1
    assert not asked.exists()
    assert fresh.jobs(*on_gpu(fresh), *networks(4))["train"] == 4
    assert asked.read_text() == "-L\n"
