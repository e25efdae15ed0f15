"""Profiles: the one that Snakemake finds by itself, and those for clusters."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec

import pytest
import yaml
from conftest import REPOSITORY, SMOKE, Workflow, experiment, overlay

PROFILES = sorted((REPOSITORY / "workflow/profiles").iterdir())

FOUND = "Using workflow specific profile"


def settings_of(profile: str) -> dict:
    return yaml.safe_load((REPOSITORY / f"workflow/profiles/{profile}/profile.yaml").read_text())


def test_a_profile_for_a_cluster_limits_jobs_and_names_no_cores():
    assert {path.name for path in PROFILES} == {"default", "slurm", "cluster", "kubernetes"}
    for path in PROFILES:
        chosen = settings_of(path.name)
        assert ("cores" in chosen, "jobs" in chosen) == ((True, False) if path.name == "default" else (False, True))
        assert chosen["show-failed-logs"]
        assert chosen["rerun-incomplete"]


def test_plain_snakemake_needs_no_option_and_shows_the_log_of_a_failed_job(fresh):
    options = overlay(
        fresh,
        "bad",
        run="bad",
        run_experiments=["e"],
        data_mirror="nowhere",
        experiments={"e": experiment(dataset="fashion-mnist")},
    )
    said = fresh(*options, "--", "tables", fails=True)
    assert f"{FOUND} profiles/default" in said
    assert "lottery prepare-dataset: nowhere: data_mirror (or LOTTERY_DATA)" in said
    assert "Traceback" not in said


@pytest.mark.long
def test_it_is_found_from_another_folder(fresh, tmp_path_factory):
    elsewhere = Workflow(tmp_path_factory.mktemp("elsewhere"))
    said = elsewhere("-n", "--snakefile", str(fresh.folder / "Snakefile"))
    assert f"{FOUND} {fresh.folder}/profiles/default" in said
    assert re.search(r"^train +\d+$", said, flags=re.MULTILINE)
    assert FOUND not in elsewhere("-n", "--snakefile", str(fresh.folder / "Snakefile"), "--workflow-profile", "none")


def test_a_cluster_whose_jobs_would_share_the_cores_of_this_machine_is_told_before_anything_runs(fresh):
    """A profile named by --profile is joined with the default one."""
    said = fresh("--profile", "workflow/profiles/slurm", *SMOKE, fails=True)
    assert re.search(r"cores: \d+: would be all that the cluster's jobs have together; a cluster's profile", said)
    assert "Traceback" not in said
    assert not (fresh.folder / "results/data").exists()


def dense_network(workflow: Workflow, run: str) -> tuple[str, ...]:
    """Options of a run of one training, by an engine that has nothing to compile in a fresh copy."""
    training = {"engine": "torch", "iterations": 100, "validation_every": 100, "test_every": 100}
    options = overlay(workflow, run, run=run, experiments={"lenet-mnist": experiment(training=training)})
    return *options, "--", f"results/{run}/lenet-mnist/r0-0/dense/level0/summary.json"


@pytest.mark.long
def test_a_training_through_another_queue_gives_the_bytes_of_a_local_one(fresh, tmp_path_factory, monkeypatch):
    """A program in place of PBS's, which notes what it is asked for and runs the job's script."""
    programs = tmp_path_factory.mktemp("programs")
    script = f'echo "$@" >> {programs}/asked\nfor last; do :; done\nsh "$last" > /dev/null 2>&1 &\necho $!\n'
    (programs / "qsub").write_text(f"#!/bin/sh\n{script}")
    (programs / "qsub").chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)
    fresh(*dense_network(fresh, "local"))
    fresh("--workflow-profile", "cluster", "--latency-wait", "5", *dense_network(fresh, "queue"))
    (asked,) = (programs / "asked").read_text().splitlines()
    assert asked.startswith("-N train -l select=1:ncpus=1:mem=3000mb -l walltime=60:00 /")
    trained = "lenet-mnist/r0-0/dense/level0/trained.safetensors"
    local, queue = ((fresh.folder / "results" / run / trained).read_bytes() for run in ("local", "queue"))
    assert local == queue


PLUGINS = ("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_s3", "moto")


@pytest.fixture
def storage(monkeypatch) -> Iterator[str]:
    """The address of a storage on this machine that speaks S3, with an empty bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{name}", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]) as server:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert server.poll() is None
            time.sleep(0.1)
        import boto3

        boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}").create_bucket(Bucket="lottery")
        yield f"http://127.0.0.1:{port}"
        server.terminate()


@pytest.mark.slow
@pytest.mark.skipif(not all(map(find_spec, PLUGINS)), reason="needs the extra `kubernetes` and moto[server]")
def test_the_profile_for_kubernetes_plans_the_same_jobs_with_results_in_a_storage(fresh, storage):
    options = ("--workflow-profile", "kubernetes", "--storage-s3-endpoint-url", storage, *SMOKE)
    assert fresh.jobs(*options) == fresh.jobs(*SMOKE)
    said = fresh("-n", *options)
    assert "s3://lottery/results/smoke/tables/levels.csv" in said
