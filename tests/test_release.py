"""What a release is: one version, a wheel that works by itself, and files that tell of it."""

import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import REPOSITORY, copy_of_repository
from small_runs import finish, lenet

import lottery
from lottery.arrays import read_arrays
from lottery.commands.main import main


def project() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def test_the_version_stands_in_one_place(capsys):
    assert "version" in project()["project"]["dynamic"]
    assert project()["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "lottery.__version__"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", lottery.__version__)
    newest = re.search(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert newest[1] == lottery.__version__
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"lottery {lottery.__version__}\n"


def test_pages_name_this_version():
    for path in [REPOSITORY / "docs/module.md", REPOSITORY / "workflow/profiles/kubernetes/profile.yaml"]:
        named = re.findall(r"(?:@v|tag=\"v|lottery:)(\d+\.\d+\.\d+)", path.read_text())
        assert named
        assert set(named) == {lottery.__version__}, path


def pythons() -> list[str]:
    """The versions of Python that the project names, oldest first."""
    return [f"3.{minor}" for minor in range(*map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", requires()).groups()))]


def requires() -> str:
    return project()["project"]["requires-python"]


def test_make_and_continuous_integration_take_the_versions_of_python_that_the_project_names():
    workflow = yaml.safe_load((REPOSITORY / ".github/workflows/test.yml").read_text())
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == pythons()
    assert {"run": "make test"} in workflow["jobs"]["test"]["steps"]
    (check,) = re.findall(r"\(PYTHON\) -c '(.+)'", (REPOSITORY / "Makefile").read_text())
    for minor in range(8, 20):
        pretended = check.replace("sys.version_info", f"(3, {minor}, 1)")
        done = subprocess.run([sys.executable, "-c", pretended], capture_output=True, text=True)
        assert (done.returncode == 0) == (f"3.{minor}" in pythons()), minor
        if done.returncode:
            assert done.stderr.startswith(f"Python {pythons()[0]} to {pythons()[-1]} is needed")


def test_forms_for_issues_are_whole():
    for path in (REPOSITORY / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text())
        if path.stem != "config":
            assert {"name", "description", "body"} == set(form)
            assert all({"type", "id", "attributes"} <= set(field) for field in form["body"])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel of a copy of the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    copy_of_repository(folder / "copy")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--wheel-dir", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, str(folder / "copy")], check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.long
def test_the_wheel_holds_the_package_and_its_licence_alone(wheel):
    assert wheel.name == f"lottery_ticket_workflow-{lottery.__version__}-py3-none-any.whl"
    names = zipfile.ZipFile(wheel).namelist()
    source = REPOSITORY / "src"
    files = [*source.rglob("lottery/**/*.py"), *source.rglob("lottery/report/page.*")]
    files += [path for path in source.rglob("lottery/report/libraries/*") if path.is_file()]
    package = {path.relative_to(source).as_posix() for path in files}
    assert {name for name in names if ".dist-info/" not in name} == package
    assert any(name.endswith("/licenses/LICENSE") for name in names)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The programs of an environment that holds this wheel, and beside it what it needs, without this repository."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    python = folder / "bin/python"
    options = ["--no-deps", "--no-index", "--quiet"]
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", *options, str(wheel)]
    subprocess.run(pip, check=True)
    # A folder that a .pth file names has no effect of its own .pth files, so the editable install is not among them.
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


@pytest.mark.long
def test_the_installed_package_works_from_another_folder(installed, tmp_path, mnist, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)

    def told(program: str, *arguments: str, fails: bool = False) -> str:
        done = subprocess.run([installed / program, *arguments], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    where = told("python", "-c", "import lottery; print(lottery.__file__)")
    assert Path(where.strip()).is_relative_to(installed.parent)
    assert "adopt" in told("lottery", "--help")
    run = finish(tmp_path, mnist, {"lenet-mnist": lenet()})
    place = "lenet-mnist/iterative/level2"
    told("lottery", "report", str(run), "--output", "report.html")
    assert "uPlot" in (tmp_path / "report.html").read_text(), "the libraries are in the wheel"
    assert main(["export", str(run), place, "--replicate", "1", "--output", str(tmp_path / "ticket.safetensors")]) == 0
    images = read_arrays(mnist)["test_images"][:100]
    np.save(tmp_path / "images.npy", images)
    told(
        "python",
        "-c",
        "import lottery, numpy\n"
        "ticket = lottery.load_ticket('ticket.safetensors')\n"
        "numpy.save('labels.npy', ticket.predict(numpy.load('images.npy')))",
    )
    expected = lottery.load_ticket(tmp_path / "ticket.safetensors").predict(images)
    np.testing.assert_array_equal(np.load(tmp_path / "labels.npy"), expected)
    said = told("lottery", "adopt", str(run), fails=True)
    assert "adopt with the package as it lies in its repository" in said
