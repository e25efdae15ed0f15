"""The sparse engine's compiled code: a file of it that is cut short is made anew, and named."""

import logging

import pytest
from numba.core import caching

from lottery.training.sparse import CheckedCacheFile, passes

CODE = {"of": "machine code", "bytes": bytes(range(256)) * 8}


@pytest.fixture
def stored(tmp_path) -> CheckedCacheFile:
    """The file of one function, with code for two kinds of arguments."""
    cache = CheckedCacheFile(str(tmp_path), "forward-1.py311", ("time", 17))
    for kind in ("float32", "float64"):
        cache.save(kind, CODE | {"kind": kind})
    return cache


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("damaged", ["forward-1.py311.nbi", "forward-1.py311.1.nbc"])
def test_a_file_cut_short_is_named_and_made_anew(damaged, share, stored, tmp_path, caplog):
    path = tmp_path / damaged
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with caplog.at_level(logging.WARNING, logger="lottery"):
        assert stored.load("float32") is None, "so it is compiled"
        assert f"{path}: is damaged" in caplog.text
        stored.save("float32", CODE | {"kind": "float32"})
    assert len(caplog.records) == 1, "told once"
    again = CheckedCacheFile(str(tmp_path), "forward-1.py311", ("time", 17))
    assert again.load("float32") == CODE | {"kind": "float32"}
    assert again.load("float64") in (CODE | {"kind": "float64"}, None), (
        "code of the other kind, or none; never a wrong one"
    )


def test_the_kernels_are_stored_so():
    assert caching.IndexDataCacheFile is CheckedCacheFile
    kernels = [each for each in vars(passes).values() if hasattr(each, "_cache")]
    assert kernels
    assert all(isinstance(kernel._cache._cache_file, CheckedCacheFile) for kernel in kernels)
