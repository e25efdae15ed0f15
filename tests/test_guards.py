"""The tests' own guards: what hangs is told, and does not hold up the rest."""

import os
import shutil
import subprocess
import sys

import conftest
import psutil
import pytest
from conftest import Workflow


@pytest.mark.long
def test_a_snakemake_that_hangs_fails_its_test_and_leaves_nothing_running(tmp_path, monkeypatch):
    monkeypatch.setattr(conftest, "LONGEST", 6)
    (tmp_path / "Snakefile").write_text('rule hang:\n    output: "x"\n    shell: "sleep 1234"\n')
    with pytest.raises(pytest.fail.Exception, match=r"(?s)not at its end after 6 s.*sleep 1234"):
        Workflow(tmp_path)("--cores", "1")
    assert not [each for each in psutil.process_iter(["cmdline"]) if each.info["cmdline"] == ["sleep", "1234"]]


@pytest.mark.long
def test_a_difference_between_long_values_is_told_at_once(tmp_path):
    """Where continuous integration says that it is, pytest would compare the lines of both for hours."""
    shutil.copy(conftest.__file__, tmp_path)
    (tmp_path / "test_it.py").write_text(
        "import os\n\ndef test_it():\n    assert os.urandom(10**6) == os.urandom(10**6)\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", tmp_path]
    done = subprocess.run(command, env=os.environ | {"CI": "true"}, capture_output=True, text=True, timeout=60)
    assert "1 failed" in done.stdout
