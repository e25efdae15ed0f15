"""The same workflow on a Slurm cluster: a private one on this machine, or none and a record of what would be asked."""

import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import REPOSITORY, SMOKE, Workflow, experiment, job_counts, overlay

CLUSTER = REPOSITORY / "tests/slurm/cluster.sh"
PROFILE = ("--workflow-profile", "slurm")
QUICK = ("--slurm-init-seconds-before-status-checks", "1")


@pytest.fixture
def record(tmp_path, monkeypatch) -> Callable[[], list[str]]:
    """Programs in place of Slurm's that refuse every job; returns what each call of sbatch asked for."""
    programs, asked = tmp_path / "programs", tmp_path / "asked"
    programs.mkdir()
    scripts = dict.fromkeys(("sacct", "squeue", "sinfo", "scontrol"), "true")
    scripts |= {"sacctmgr": "echo my-project", "sbatch": f'echo "$@" >> {asked}; echo refused >&2; exit 1'}
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return lambda: [line.partition("--wrap=")[0] for line in asked.read_text().splitlines()]


def dense_network(workflow: Workflow, run: str, iterations: int = 100, **changes: object) -> tuple[str, ...]:
    """Options of a run of one training; by torch, which has nothing to compile in a fresh copy."""
    training = {"engine": "torch", "iterations": iterations, "validation_every": 100, "test_every": iterations}
    values = experiment(training=training | changes, checkpoint_seconds=0.2)
    options = overlay(workflow, run, run=run, experiments={"lenet-mnist": values})
    return *options, "--", f"results/{run}/lenet-mnist/r0-0/dense/level0/summary.json"


def submit(workflow: Workflow, profile: tuple[str, str] = PROFILE, **changes: object) -> None:
    """Try to submit the training of a dense network."""
    workflow(*profile, *QUICK, *dense_network(workflow, "tried", **changes), fails=True)


def limits(asked: list[str]) -> list[tuple[str, str]]:
    """Minutes and MB."""
    return [re.search(r" -t (\d+) .*--mem (\d+) ", line).groups() for line in asked]


@pytest.mark.long
def test_each_attempt_asks_for_more_time_and_memory_and_no_gpu(fresh, record):
    submit(fresh)
    asked = record()
    assert limits(asked) == [("60", "3000"), ("120", "6000"), ("180", "9000")]
    for line in asked:
        assert " --requeue " in line
        assert f" --output {fresh.folder}/results/slurm-logs/rule_train/lenet-mnist_r0-0_dense_0/%j.log " in line
        assert "--gpus" not in line
        assert " -A " not in line


@pytest.mark.long
def test_a_training_on_a_gpu_asks_for_one(fresh, record):
    submit(fresh, device="cuda")
    assert all(" --gpus=1 " in line for line in record())


def uncomment(workflow: Workflow, **values: str) -> tuple[str, str]:
    """Options for a copy of the profile in which these site settings, or else all its examples, are set."""
    text = (REPOSITORY / "workflow/profiles/slurm/profile.yaml").read_text()
    for name, value in values.items():
        text, found = re.subn(rf"^  # {name}: +(\S+)", f"  {name}: {value}", text, flags=re.MULTILINE)
        assert found == 1, name
    if not values:
        text = re.sub(r"^(  )# (\w+:)|^# (set-resources:|  .+)$", r"\1\2\3", text, flags=re.MULTILINE)
    folder = workflow.folder / "workflow/profiles/site"
    folder.mkdir()
    (folder / "profile.yaml").write_text(text)
    return "--workflow-profile", str(folder)


@pytest.mark.long
def test_every_site_setting_named_in_the_profile_reaches_slurm(fresh, record):
    submit(fresh, uncomment(fresh), device="cuda")
    asked = record()
    for line in asked:
        for option in ("-A my-project", "-p cpu", "--qos=normal", "-C skylake", "--gpus=a100:1", "--exclude=n7"):
            assert f" {option} " in line
    assert limits(asked) == [("240", "8000"), ("480", "16000"), ("720", "24000")]


@pytest.mark.long
def test_the_profile_changes_no_step_and_submits_trainings_only(fresh):
    """A dry run with it needs no Slurm; Snakemake refuses a profile with a key that it does not know."""
    jobs = fresh.jobs(*PROFILE, *SMOKE)
    assert jobs == fresh.jobs(*SMOKE)
    local = re.search(r"^localrules:\n((?:    .*\n)+)", (fresh.folder / "Snakefile").read_text(), flags=re.MULTILINE)
    submitted = set(jobs) - set(re.findall(r"\w+", local[1]))
    assert submitted == {"train", "all"}


def test_without_slurm_the_profile_says_so_before_anything_runs(fresh, tmp_path, monkeypatch):
    """On a machine whose programs are all there but Slurm's."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in {file.name: file for folder in os.get_exec_path() for file in Path(folder).glob("*")}.values():
        if not program.name.startswith(("s", "python", "lottery")) or program.name in ("sh", "sort", "sed"):
            (programs / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(programs))
    said = fresh(*PROFILE, *SMOKE, fails=True)
    assert "sbatch is not here: the profile for Slurm is for a machine from which jobs are submitted" in said
    assert "Traceback" not in said
    assert not (fresh.folder / "results/data").exists()


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    if os.geteuid():
        pytest.skip("a private Slurm for tests needs root")
    with Path("/run/lottery-slurm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([CLUSTER, "start"], capture_output=True, text=True)
        if done.returncode == 3:
            pytest.skip(done.stderr.splitlines()[-1])
        assert done.returncode == 0, done.stderr
        yield
        subprocess.run([CLUSTER, "stop"], check=True)


def results(workflow: Workflow, run: str) -> dict[str, bytes]:
    """Weights, masks and histories of a run."""
    folder = workflow.folder / "results" / run
    files = [path for path in folder.glob("lenet-mnist/**/*") if path.suffix in (".safetensors", ".csv")]
    assert files
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def slurm(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.strip()


def ended(job: str) -> str:
    """Partition, feature, memory, time limit and state of a job that has ended."""
    return slurm("squeue", "--states=all", "--noheader", f"--jobs={job}", "--format=%P %f %m %l %T")


def jobs_in(said: str) -> list[str]:
    return re.findall(r"submitted with SLURM jobid (\d+) ", said)


@pytest.mark.long
def test_a_training_through_slurm_gives_the_bytes_of_a_local_one(cluster, fresh):
    fresh("--cores", "1", *dense_network(fresh, "local"))
    site = uncomment(fresh, slurm_partition="urgent", constraint="pretended")
    said = fresh(*site, *QUICK, *dense_network(fresh, "slurm"))
    (job,) = jobs_in(said)
    assert ended(job) == "urgent pretended 3000M 1:00:00 COMPLETED"
    assert results(fresh, "slurm") == results(fresh, "local")


@pytest.mark.slow
def test_a_whole_run_through_slurm_gives_the_bytes_of_a_local_one(cluster, fresh, smoke):
    said = fresh(*PROFILE, *QUICK, *SMOKE)
    assert len(jobs_in(said)) == job_counts(said)["train"] == 8
    assert results(fresh, "smoke") == results(smoke, "smoke")
    claims = "results/smoke/tables/claims.csv"
    assert (fresh.folder / claims).read_bytes() == (smoke.folder / claims).read_bytes()


def training_log(workflow: Workflow, run: str) -> str:
    return (workflow.folder / f"results/{run}/logs/train/lenet-mnist.r0-0.dense.level0.log").read_text()


def cancel(job: str) -> None:
    slurm("scancel", job)


def preempt(job: str) -> None:
    """Let a job of the urgent partition take both CPUs, so that Slurm puts the other back in the queue."""
    slurm("sbatch", "--wait", "--partition=urgent", "--cpus-per-task=2", "--output=/dev/null", "--wrap=true")


@pytest.mark.slow
@pytest.mark.parametrize(("stop", "attempts"), [(cancel, ["CANCELLED", "COMPLETED"]), (preempt, ["COMPLETED"])])
def test_a_stopped_job_goes_on_from_its_checkpoint(cluster, fresh, stop, attempts):
    fresh("--cores", "1", *dense_network(fresh, "local", iterations=10_000))
    options = dense_network(fresh, "stopped", iterations=10_000)
    said = fresh.folder / "said"
    command = [sys.executable, "-m", "snakemake", *PROFILE, *QUICK, *options]
    with said.open("w") as output, subprocess.Popen(command, cwd=fresh.folder, stdout=output, stderr=output) as running:
        while not list(fresh.folder.glob("results/stopped/checkpoints/*.safetensors")):
            assert running.poll() is None, said.read_text()
            time.sleep(0.05)
        stop(slurm("squeue", "--noheader", "--states=running", "--format=%i"))
        assert running.wait(timeout=400) == 0, said.read_text()
    assert [ended(job).split()[-1] for job in jobs_in(said.read_text())] == attempts
    assert re.search(r"going on from iteration [1-9]", training_log(fresh, "stopped"))
    assert results(fresh, "stopped") == results(fresh, "local")


@pytest.mark.slow
def test_a_job_over_its_time_limit_gets_more_time(cluster, fresh):
    """Minutes of training, given one minute and then two or three; Slurm may take half a minute more to notice."""
    longer = ("--set-resources", "train:runtime=attempt")
    said = fresh(*PROFILE, *QUICK, *longer, *dense_network(fresh, "late", iterations=300_000))
    first, *_, last = [ended(job).split()[-2:] for job in jobs_in(said)]
    assert first == ["1:00", "TIMEOUT"]
    assert last[0] in ("2:00", "3:00")
    assert last[1] == "COMPLETED"
    assert re.search(r"going on from iteration [1-9]", training_log(fresh, "late"))


@pytest.mark.slow
def test_a_job_with_a_gpu_sees_it(cluster, tmp_path):
    (tmp_path / "Snakefile").write_text(
        'rule all:\n    input: "0", "1"\n'
        'rule show:\n    output: "{gpu}"\n    resources: gpu=lambda wildcards: int(wildcards.gpu)\n'
        '    shell: "echo ${{CUDA_VISIBLE_DEVICES-none}} > {output}"\n'
    )
    Workflow(tmp_path)("--workflow-profile", str(REPOSITORY / "workflow/profiles/slurm"), *QUICK)
    assert [(tmp_path / name).read_text().strip() for name in ("0", "1")] == ["none", "0"]
