"""Profiles: the one that Snakemake finds by itself, and those for clusters."""

import re

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
