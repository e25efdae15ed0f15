"""The smoke runs' masks, starts, trained weights and histories are the bytes that they were when recorded."""

import json

import pytest
from conftest import BY, configured, made_by_verbs
from digests import EXPERIMENTS, RECORDED, digests

from lottery.training.job import processor

recorded = json.loads(RECORDED.read_text())
SPARSE, CONVOLUTIONAL = EXPERIMENTS


def test_the_smoke_run_gives_the_recorded_bytes(smoke):
    assert digests(smoke.folder / "results", SPARSE) == recorded["experiments"][SPARSE]


@pytest.mark.parametrize("by", BY)
def test_a_convolutional_experiment_gives_the_recorded_bytes(by, mnist, tmp_path, request):
    own = {"run_experiments": ["conv2-mnist"], "figures": []}
    if by == "verbs":
        results = made_by_verbs(tmp_path, mnist, **configured("smoke-conv") | own).parent
    else:
        fresh = request.getfixturevalue("fresh")
        options = ("--cores", "2", "--configfile", "config/smoke-conv.yaml")
        fresh(*options, "--config", *(f"{key}={value}" for key, value in own.items()), "--", "tables")
        results = fresh.folder / "results"
    found, expected = digests(results, CONVOLUTIONAL), recorded["experiments"][CONVOLUTIONAL]
    assert found.keys() == expected.keys()
    # Initial weights are the same everywhere; how torch adds up differs between processors.
    initial = f"{CONVOLUTIONAL}/r0-0/dense/level0/start.safetensors"
    assert found[initial] == expected[initial]
    if processor() != recorded["processor"]:
        pytest.skip(f"trained weights were recorded on {recorded['processor']}, this is {processor()}")
    assert found == expected
