"""A run whose results lie in a storage: each job fetches what it reads and stores what it makes."""

import shutil

import pytest
from digests import EXPERIMENTS, RECORDED, digests, json


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("rsync") is None, reason="snakemake-storage-plugin-fs needs rsync")
def test_the_smoke_run_finishes_through_a_storage(fresh, tmp_path_factory):
    store = tmp_path_factory.mktemp("store")
    options = ("--default-storage-provider", "fs", "--default-storage-prefix", str(store), "--shared-fs-usage", "none")
    fresh("--cores", "2", "--configfile", "config/smoke.yaml", *options)
    recorded = json.loads(RECORDED.read_text())["experiments"][EXPERIMENTS[0]]
    assert digests(store / "results", EXPERIMENTS[0]) == recorded
    assert {file.name for file in (store / "results/smoke/tables").iterdir()} >= {"levels.csv", "claims.md"}
    here = {file.name for file in (fresh.folder / "results/smoke").rglob("*") if file.is_file()}
    assert here == {"settings.json"}, "which is for commands typed by hand"
