"""Files of a user that add names: how they are found and run, and what their errors say."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import examples, experiment

from lottery import extensions
from lottery.arms.places import Place
from lottery.errors import LotteryError
from lottery.extensions import LOADED, add_network, load, needed
from lottery.networks import NETWORKS, build
from lottery.pruning.criteria import CRITERIA
from lottery.runs.jobs import Job
from lottery.runs.reading import read_run
from lottery.settings import Settings
from lottery.training.job import checkpoint_key

EXTENSION, _ = examples("A network or a dataset of your own", "python")
pytestmark = pytest.mark.usefixtures("own_names")


def run_with(path: Path | str, **changes: object) -> dict:
    return {
        "run": "x",
        "extensions": [str(path)],
        "run_experiments": ["x"],
        "experiments": {"x": experiment(**changes)},
    }


def test_settings_are_read_without_torch(tmp_path):
    (tmp_path / "own.py").write_text(EXTENSION)
    read = f"from lottery.runs.reading import read_run; read_run({run_with('own.py', network='conv-stripes')!r})"
    done = subprocess.run(
        [sys.executable, "-c", f"{read}; import sys; sys.exit('torch' in sys.modules)"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(extensions.__file__).parents[1])},
    )
    assert done.returncode == 0


ADD = "from lottery.extensions import add_arm, add_criterion, add_dataset, add_network\n"

ROW = """
from lottery.arms.arm import Arm
from lottery.arms.masks import Borrowed, Pruned, Shuffled
from lottery.arms.starts import Continued, Fresh, Rewound
"""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\ny = (\n", ", line 2: SyntaxError: '(' was never closed"),
        ("x = 1\n\ny\n", ", line 3: NameError: name 'y' is not defined"),
        ("def f():\n    raise ValueError('two\\nlines')\nf()\n", ", line 2: ValueError: two lines"),
        ("raise ValueError('\\x1b[31mred')\n", r", line 1: ValueError: '\x1b[31mred'"),
        ("import sys\nsys.exit('bye')\n", ", line 2: SystemExit: bye"),
        ("import neighbour\n", ", line 1: ModuleNotFoundError: No module named 'neighbour'"),
        (ADD + "add_network('conv-2', print)\n", ", line 2: there is a network 'conv-2' already"),
        (ADD + "add_network('lenet-5-5', print)\n", ", line 2: there is a network 'lenet-5-5' already"),
        (ADD + "for _ in 'ab':\n    add_network('own', print)\n", ", line 3: there is a network 'own' already"),
        (
            ADD + "add_network('x; touch owned', print)\n",
            "the name of the network 'x; touch owned' must be of the form",
        ),
        (ADD + "add_network('x\\n', print)\n", r"the name of the network 'x\n' must be of the form"),
        (ADD + "add_criterion('magnitude', print)\n", ", line 2: there is a criterion 'magnitude' already"),
        (ADD + "add_criterion('A', print)\n", ", line 2: the name of the criterion 'A' must be of the form"),
        (
            ADD + ROW + "add_arm(Arm('iterative', Pruned(), Rewound()))\n",
            ", line 6: there is an arm 'iterative' already",
        ),
        (ADD + ROW + "add_arm(Arm('x; y', Pruned(), Rewound()))\n", "the name of the arm 'x; y' must be of the form"),
        (
            ADD + ROW + "add_arm(Arm('own', Pruned('magnitud'), Rewound()))\n",
            ", line 6: arm own: unknown criterion 'magnitud'; did you mean 'magnitude'?",
        ),
        (
            ADD + ROW + "add_arm(Arm('own', Borrowed('iterativ'), Fresh()))\n",
            ", line 6: arm own: 'iterativ' is no arm whose masks can be taken; known: iterative, ",
        ),
        (
            ADD + ROW + "add_arm(Arm('own', Shuffled('dense'), Fresh()))\n",
            ", line 6: arm own: 'dense' is no arm whose masks can be taken",
        ),
        (
            ADD + ROW + "add_arm(Arm('own', Borrowed('iterative'), Continued()))\n",
            ", line 6: arm own: only a pruned mask has weights that it was pruned from",
        ),
        ("\x00", ": "),
    ],
)
def test_an_error_in_a_file_is_one_line_that_names_it(tmp_path, text, told):
    path = tmp_path / "own.py"
    path.write_text(text)
    (tmp_path / "neighbour.py").write_text("")
    with pytest.raises(LotteryError) as error:
        read_run(run_with(path))
    assert str(error.value).startswith(f"config: extensions: {path}")
    assert told in str(error.value)
    assert str(error.value).isprintable()


def test_a_file_is_looked_for_where_it_is_named_and_nowhere_else(tmp_path, monkeypatch):
    (tmp_path / "library").mkdir()
    (tmp_path / "library/own.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "library")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LotteryError, match=f"own.py: cannot be read: No such file .* working directory, {tmp_path}$"):
        read_run(run_with("own.py"))
    with pytest.raises(LotteryError, match="library: cannot be read: Is a directory"):
        read_run(run_with("library"))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([""], "'' must be the path of a Python file"),
        (["a\nb.py"], "'a\\nb.py' must be the path of a Python file"),
        (["a\0.py"], "must be the path of a Python file"),
        (["a.py", "a.py"], "names one file twice"),
    ],
)
def test_settings_name_files(value, told):
    with pytest.raises(LotteryError) as error:
        read_run(run_with("") | {"extensions": value})
    assert str(error.value).startswith("config: extensions: ")
    assert told in str(error.value)
    assert str(error.value).isprintable()


def test_a_file_is_run_once_and_as_it_is_now(tmp_path):
    path = tmp_path / "own.py"
    for name in ("a", "b"):
        path.write_text(f"{ADD}add_network('{name}', print)\n")
        os.utime(path, (0, 0))
        load([path, str(path), tmp_path / "../" / tmp_path.name / "own.py"])
        assert LOADED.popitem()[1].names == {("network", name)}
    assert list(tmp_path.iterdir()) == [path]


def test_experiments_depend_on_the_file_that_adds_a_name_and_those_before_it(tmp_path):
    paths = [str(tmp_path / f"{name}.py") for name in "abc"]
    for path in paths:
        Path(path).write_text(f"{ADD}add_network('net-{Path(path).stem}', print)\n")
    load(paths)
    assert needed(paths, {("network", "net-b"), ("dataset", "mnist")}) == paths[:2]
    assert needed(paths, {("network", "net-c"), ("dataset", "mnist")}) == paths
    assert needed(paths, {("network", "conv-2"), ("arm", "net-b")}) == []


def test_jobs_of_an_arm_depend_on_the_files_of_the_arm_and_of_its_criterion(tmp_path):
    texts = {
        "criterion": "add_criterion('own', lambda weights, initial, random: weights)",
        "arm": f"{ROW}add_arm(Arm('own-arm', Pruned('own'), Rewound()))",
        "control": f"{ROW}add_arm(Arm('own-control', Borrowed('own-arm'), Rewound()))",
        "network": "add_network('unused', print)",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(f"{ADD}{text}\n")
    paths = [str(tmp_path / f"{name}.py") for name in texts]
    arms = [{"arm": "own-control", "levels": [1]}, {"arm": "iterative", "levels": [1]}]
    settings = read_run(run_with("", arms=arms) | {"extensions": paths})
    for arm, count in (("own-arm", 2), ("own-control", 3), ("iterative", 0), ("dense", 0)):
        job = Job(settings, Place.parse(f"x/r0-0/{arm}/level1"))
        assert job.extensions == paths[:count], arm


def test_an_arm_may_have_the_name_of_a_criterion(tmp_path):
    (tmp_path / "own.py").write_text(f"{ADD}{ROW}add_arm(Arm('movement', Pruned('movement'), Rewound()))\n")
    arms = [{"arm": "movement", "levels": [1]}]
    settings = read_run(run_with("", arms=arms) | {"extensions": [str(tmp_path / "own.py")]})
    assert Job(settings, Place.parse("x/r0-0/movement/level1")).extensions == [str(tmp_path / "own.py")]


def test_a_dense_job_depends_on_the_arms_whose_rewind_points_it_keeps(tmp_path):
    own = f"{ADD}{ROW}add_arm(Arm('late', Borrowed('iterative-at-100'), Rewound()))\n"
    (tmp_path / "own.py").write_text(own)
    training = {"iterations": 200, "validation_every": 100, "test_every": 100}
    run = run_with("", arms=[{"arm": "late", "levels": [1]}], training=training)
    settings = read_run(run | {"extensions": [str(tmp_path / "own.py")]})
    dense = Job(settings, Place.parse("x/r0-0/dense/level0"))
    assert dense.snapshots == [100]
    assert dense.extensions == [str(tmp_path / "own.py")]


def test_tickets_of_other_experiments_are_not_borrowed_again(tmp_path):
    own = f"{ADD}{ROW}add_arm(Arm('own', Borrowed('transferred'), Rewound()))\n"
    (tmp_path / "own.py").write_text(own)
    with pytest.raises(LotteryError, match="arm own: 'transferred' is no arm whose masks can be taken"):
        load([tmp_path / "own.py"])


@pytest.mark.parametrize(
    ("score", "told"),
    [
        ("weights[:1]", "criterion own: gives float32 [1], expected numbers [3]"),
        ("None", "criterion own: gives object [], expected numbers [3]"),
        ("weights > 0", "criterion own: gives bool [3], expected numbers [3]"),
        ("weights.x", "criterion own: {path}, line 2: AttributeError: 'numpy.ndarray' object has no attribute 'x'"),
    ],
)
def test_a_criterion_that_gives_no_scores_is_told(tmp_path, score, told):
    path = tmp_path / "own.py"
    path.write_text(f"{ADD}add_criterion('own', lambda weights, initial, random: {score})\n")
    load([path])
    weights = np.zeros(3, np.float32)
    with pytest.raises(LotteryError) as error:
        CRITERIA["own"].score(weights, weights, np.random.default_rng(0))
    assert str(error.value) == told.format(path=path)


def test_what_a_file_adds_is_in_the_checkpoints_key(tmp_path):
    place = Place.parse("x/r0-0/dense/level0")
    keys = set()
    for rate in (1, 2):
        (tmp_path / f"{rate}.py").write_text(f"{ADD}add_network('own', lambda *_: {rate})\n")
        NETWORKS.pop("own", None)
        LOADED.clear()
        load([tmp_path / f"{rate}.py"])
        NETWORKS["own"] = NETWORKS["conv-2"]
        job = Job(Settings.model_validate(run_with(tmp_path / f"{rate}.py", network="own")), place)
        keys.add(checkpoint_key(job, job.members, {}, {}, lambda: "dataset", "code"))
    assert len(keys) == 2


def test_a_function_that_fails_is_told_with_its_line(tmp_path):
    (tmp_path / "own.py").write_text(f"{ADD}def net(shape, classes):\n    return shape.x\nadd_network('own', net)\n")
    with pytest.raises(LotteryError) as error:
        read_run(run_with(tmp_path / "own.py", network="own"))
    told = f"config: experiments.x.network: own: {tmp_path}/own.py, line 3: AttributeError: 'tuple' object has no"
    assert str(error.value).startswith(told)
    add_network("none", lambda *_: None)
    with pytest.raises(LotteryError, match="network: none: the function that makes it returns None, not a Network"):
        build("none", (2, 4, 4), 3)
