"""What is installed is what the locks name, byte for byte, and no build fetches anything."""

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile

import pytest
from conftest import REPOSITORY

LOCKS = ("requirements-build.lock", "requirements.lock")


def pins(lock: str) -> dict[str, list[str]]:
    """What is pinned, with its marker, and the hashes of its files."""
    text = (REPOSITORY / lock).read_text().replace(" \\\n    ", " ")
    found = [
        re.fullmatch(r"(\S+==\S+(?: ; [^\n]+?)?)((?: --hash=sha256:[0-9a-f]{64})+)", line) for line in text.splitlines()
    ]
    assert all(found), [line for line, pin in zip(text.splitlines(), found, strict=True) if not pin]
    return {pin[1]: pin[2].split() for pin in found}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_the_hashes_of_its_files(lock):
    assert pins(lock)
    assert all(len(set(hashes)) == len(hashes) for hashes in pins(lock).values())


def test_what_builds_the_package_is_pinned_once():
    (required,) = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["build-system"]["requires"]
    assert list(pins("requirements-build.lock")) == [required]
    assert pins("requirements.lock")[required] == pins("requirements-build.lock")[required]


@pytest.mark.parametrize("place", ["Makefile", "Dockerfile"])
def test_nothing_is_installed_but_from_the_locks_and_nothing_fetched_to_build_it(place):
    text = (REPOSITORY / place).read_text().replace("\\\n", " ")
    installs = [line.split() for line in re.findall(r"pip install ([^&\n]*)", text)]
    options = [[each for each in install if each not in ("--quiet", "--no-cache-dir")] for install in installs]
    assert options == [
        ["--require-hashes", "--requirement", "requirements-build.lock"],
        ["--require-hashes", "--no-build-isolation", "--requirement", "requirements.lock"],
        ["--no-build-isolation", "--no-deps", *(["--editable", "."] if place == "Makefile" else ["."])],
    ]


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """A folder with the Makefile, where pip finds the made-up packages `tool` and `library` alone, and their hashes."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, tmp_path)
    hashes = {}
    for name in ("tool", "library"):
        wheel = tmp_path / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for file, text in {
                "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
                "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                "RECORD": "",
            }.items():
                archive.writestr(f"{name}-1.0.dist-info/{file}", text)
        hashes[name] = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    return tmp_path, hashes


@pytest.mark.long
@pytest.mark.parametrize(
    ("locks", "told"),
    [
        (("tool==1.0 --hash=sha256:{library}", ""), "THESE PACKAGES DO NOT MATCH THE HASHES"),
        (("tool==1.0 --hash=sha256:{tool}", "library==1.0"), "Hashes are required in --require-hashes mode"),
    ],
    ids=["another file", "no hash"],
)
def test_a_file_of_another_hash_and_a_pin_without_one_are_refused(locks, told, made_up):
    folder, hashes = made_up
    for lock, text in zip(LOCKS, locks, strict=True):
        (folder / lock).write_text(text.format(**hashes) + "\n")
    command = ["make", f"PYTHON={sys.executable}", ".venv/.ready"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode != 0
    assert told in done.stderr
    assert not (folder / ".venv/.ready").exists()
