"""Nothing that is read can run: no code from files, no text of a user's in a shell, no markup in a page."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pandas as pd
import pytest
from conftest import REPOSITORY, SMOKE, Workflow, copy_of_repository, experiment, overlay
from hypothesis import given, settings
from hypothesis import strategies as st

from lottery.analysis.claims import COLUMNS
from lottery.analysis.claims_text import as_html
from lottery.arms.pairs import PAIRS
from lottery.arms.rows import ARMS
from lottery.errors import LotteryError
from lottery.figures.catalog import CATALOG
from lottery.networks import build, narrowed
from lottery.runs.reading import read_run
from lottery.settings import NAME

PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
"""Modules that run code when they read."""

CALLS = {"eval", "exec", "builtins.eval", "builtins.exec", "os.system", "os.popen", "subprocess.getoutput"}
CALLS |= {"subprocess.getstatusoutput", "yaml.unsafe_load", "yaml.full_load", "torch.load", "numpy.load"}
CALLS |= {"pandas.read_pickle", "shutil.unpack_archive"}

SAFE_LOADERS = {"yaml.SafeLoader", "yaml.CSafeLoader"}


def dangers(source: str) -> Iterator[str]:
    """What in a Python source can run code that is read, run a shell or write outside its folder."""
    tree = ast.parse(source)
    names: dict[str, str] = {}
    """What imported names stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                names[each.asname or each.name.split(".")[0]] = each.name if each.asname else each.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}

    def full(node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return names.get(node.id, node.id)
        return f"{full(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""

    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [each.name for each in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"import of {module}" for module in modules if module.split(".")[0] in PICKLES)
        if not isinstance(node, ast.Call):
            continue
        name = full(node.func)
        options = {option.arg: option.value for option in node.keywords}
        if name in CALLS:
            yield name
        if isinstance(node.func, ast.Attribute) and node.func.attr == "extractall":
            yield "extractall"
        if name in ("yaml.load", "yaml.load_all"):
            loader = options.get("Loader", node.args[1] if len(node.args) > 1 else ast.Constant(None))
            if full(loader) not in SAFE_LOADERS:
                yield name
        if "shell" in options and ast.unparse(options["shell"]) != "False":
            yield "shell=True"


TEXTS = [
    *(rf"\b(import|from)\s+{module}\b" for module in sorted(PICKLES)),
    r"(?<![.\w])(eval|exec)\s*\(",
    r"\bos\.(system|popen)\b",
    r"\bshell\s*=\s*True",
    r"\byaml\.(unsafe_|full_)?load\b",
    r"\b(torch|np|numpy)\.load\b",
    r"\bread_pickle\b",
    r"\b(extractall|unpack_archive)\b",
]
"""The same in rules, which only Snakemake can parse."""

PLANTED = [
    "import pickle",
    "from pickle import loads",
    "import joblib.memory",
    "eval('1')",
    "exec('1')",
    "import os\nos.system('ls')",
    "import os\nos.popen('ls')",
    "import subprocess\nsubprocess.run('ls', shell=True)",
    "import yaml\nyaml.load(text)",
    "import yaml\nyaml.load(text, Loader=yaml.Loader)",
    "import yaml\nyaml.unsafe_load(text)",
    "import torch\ntorch.load('x')",
    "import numpy as np\nnp.load('x')",
    "import pandas as pd\npd.read_pickle('x')",
    "import tarfile\ntarfile.open('x').extractall()",
    "import shutil\nshutil.unpack_archive('x')",
]


@pytest.mark.parametrize("example", PLANTED)
def test_each_danger_would_be_found(example):
    assert list(dangers(example))
    assert any(re.search(pattern, example) for pattern in TEXTS)


@pytest.mark.parametrize("renamed", ["from torch import load\nload('x')", "from os import system as ls\nls('x')"])
def test_a_danger_under_another_name_would_be_found(renamed):
    assert list(dangers(renamed))


def test_safe_relatives_are_no_dangers():
    assert not list(dangers("import yaml\nyaml.load(text, Loader=yaml.SafeLoader)\nyaml.safe_load(text)"))
    assert not list(dangers("from safetensors.numpy import load\nload(content)\nimport json\njson.load(file)"))


def test_no_danger_in_the_package_and_the_rules():
    sources = sorted((REPOSITORY / "src").rglob("*.py")) + sorted((REPOSITORY / "workflow").rglob("*.py"))
    rules = [REPOSITORY / "Snakefile", *sorted((REPOSITORY / "workflow").rglob("*.smk"))]
    assert len(sources) > 40
    assert len(rules) > 7
    found = [f"{path}: {danger}" for path in sources for danger in dangers(path.read_text())]
    found += [f"{path}: {pattern}" for path in rules for pattern in TEXTS if re.search(pattern, path.read_text())]
    assert not found


HARMLESS = re.compile(r"[A-Za-z0-9._/ -]*", re.ASCII)
"""Text that a shell takes as words and nothing else."""

ALLOWED = {
    "threads": "a number that Snakemake counts",
    "output": "paths of the rules' own making",
    "log": "paths of the rules' own making",
    "wildcards": "their constraints",
    "params.verb": "a word of the rules' own",
    "params.form": "a word of the rules' own",
    "params.cores": "a whole number of Snakemake's or of the machine",
    "params.place": "a folder of wildcards, which have constraints",
    "resources.settings": "the file of the settings, named for its content",
}
"""What stands unquoted in commands, and why it is harmless; the tests below hold each reason to be true."""


def commands(text: str) -> list[str]:
    """The shell commands in the text of a file of rules."""
    return [
        "".join(ast.literal_eval(piece) for piece in re.findall(r'"(?:[^"\\]|\\.)*"', block))
        for block in re.findall(r'^ +shell:((?:\s*"(?:[^"\\]|\\.)*")+)', text, flags=re.MULTILINE)
    ]


def unquoted(command: str) -> list[str]:
    """Placeholders of a command that are filled in as they are."""
    return [name for name in re.findall(r"\{([^{}]*)\}", command) if not name.endswith(":q")]


def allowed(name: str) -> bool:
    return name in ALLOWED or (name.split(".")[0] in ALLOWED and "." in name)


def test_every_value_in_a_command_is_quoted_or_known_to_be_harmless():
    found = [
        command for path in (REPOSITORY / "workflow/rules").glob("*.smk") for command in commands(path.read_text())
    ]
    rules = "".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
    assert len(found) == rules.count("shell:\n") == 12
    names = {name for command in found for name in unquoted(command)}
    assert not [name for name in names if not allowed(name)]
    needless = [name for name in ALLOWED if not any(each == name or each.startswith(f"{name}.") for each in names)]
    assert not needless
    assert not re.search(r"^ +(run|script|notebook|wrapper):", rules, flags=re.MULTILINE), "nor is there another way"


def test_an_unquoted_value_would_be_found():
    (command,) = commands('rule x:\n    shell:\n        "echo {params.key:q} {params.key}"\n        " > {log}"\n')
    assert unquoted(command) == ["params.key", "log"]
    assert not allowed("params.key")
    assert not allowed("config")


def constraints() -> dict[str, str]:
    """The constraints of all wildcards, as the rules set them."""
    text = (REPOSITORY / "workflow/rules/common.smk").read_text()
    block = text.split("\nwildcard_constraints:\n")[1].split("\n\n")[0]

    class SETTINGS:
        experiments = (NAME,)

    return eval(f"dict({block})", {"SETTINGS": SETTINGS, "ARMS": ARMS, "CATALOG": CATALOG, "PAIRS": PAIRS, "re": re})


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_wildcards_are_harmless(data):
    rules = "".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
    constrained = constraints()
    used = set(re.findall(r"\{wildcards\.(\w+)\}", " ".join(commands(rules))))
    assert used <= constrained.keys()
    for pattern in constrained.values():
        assert HARMLESS.fullmatch(data.draw(st.from_regex(pattern, fullmatch=True)))


HOSTILE = [
    "x; touch owned",
    "$(touch owned)",
    "`touch owned`",
    "x' ; touch owned '",
    'x" ; touch owned "',
    "x\ntouch owned",
    "x & touch owned",
    "../x",
    "/tmp/y",
    "x>owned",
    "{config}",
    "<results>",
    "--help",
    "lenet-300-100; touch owned",
    "lenet-300-100\n",
    "lenet-3\u0660-1\u0662",
    "\x1b[31mred",
    "",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("key", ["run", "experiment", "network", "dataset", "arm", "seed_name", "from_experiment"])
def test_hostile_names_are_refused_in_one_line(key, name):
    called = name if key == "experiment" else "x"
    values = experiment()
    if key == "arm":
        values["arms"] = [{"arm": name}]
    elif key == "from_experiment":
        values["arms"] = [{"arm": "transferred", "from_experiment": name}]
    elif key == "seed_name":
        values[key] = name or "-"
    elif key in values:
        values[key] = name
    run = {"run": name if key == "run" else "x", "run_experiments": [called], "experiments": {called: values}}
    with pytest.raises(LotteryError) as error:
        read_run(run)
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    "key",
    [
        "levels",
        "replicates",
        "replicates_per_job",
        "threads_per_job",
        "trainings_per_card",
        "checkpoint_seconds",
        "draws",
    ],
)
def test_text_is_no_number(key):
    values = experiment(arms=[{"arm": "random"}])
    (values["arms"][0] if key == "draws" else values)[key] = "1; touch owned"
    with pytest.raises(LotteryError, match=f"{key}: input should be a valid "):
        read_run({"run": "x", "run_experiments": ["x"], "experiments": {"x": values}})


@pytest.mark.parametrize("name", ["x\ny", "\x1b[31mred"])
def test_hostile_keys_are_told_in_printable_lines(name):
    for run in ({name: 1}, {"experiments": {name: {}}}):
        with pytest.raises(LotteryError) as error:
            read_run(run)
        lines = str(error.value).split("\n")
        assert all(line.isprintable() and line.startswith("config: ") for line in lines)


@given(st.integers(1, 10**6))
def test_names_of_networks_are_harmless(weights):
    name = narrowed("lenet-300-100", (28, 28), 10, weights)
    assert HARMLESS.fullmatch(name)
    assert build(name, (28, 28), 10)


@pytest.fixture(scope="module")
def harmless(tmp_path_factory) -> Workflow:
    """A copy to be asked with hostile settings."""
    return copy_of_repository(tmp_path_factory.mktemp("asked"))


@pytest.mark.long
@pytest.mark.parametrize("key", ["run", "experiment", "network", "dataset"])
def test_the_workflow_refuses_hostile_names_before_anything_runs(harmless, key):
    name = "x; touch owned $(touch owned)"
    called = name if key == "experiment" else "x"
    values = experiment(**({key: name} if key in ("network", "dataset") else {}))
    run = {"run": name if key == "run" else "x", "run_experiments": [called], "experiments": {called: values}}
    said = harmless("--cores", "1", *overlay(harmless, "hostile", **run), fails=True)
    assert "Traceback" not in said
    assert len([line for line in said.splitlines() if "touch owned" in line]) == 1
    assert not (harmless.folder / "results").exists()
    assert not list(harmless.folder.rglob("owned*"))


SOUND = re.compile(r"[\w./ :>&=-]*", re.ASCII)
"""What commands consist of outside quotes."""


def test_commands_hold_nothing_unquoted_but_words_and_paths(harmless):
    said = harmless("-n", "-p", *SMOKE)
    found = re.findall(r"python -m lottery .*", said)
    assert len(found) > 20
    for command in found:
        assert SOUND.fullmatch(re.sub(r"'[^']*'", "", command)), command
        assert re.fullmatch(r"[^>]* > [\w./-]+ 2>&1", re.sub(r"'[^']*'", "", command)), "written to one log"


@pytest.mark.long
def test_a_folder_with_a_hostile_name_is_a_folder(tmp_path):
    repository = tmp_path / """it's; touch owned $(touch owned2) "x" & y"""
    workflow = copy_of_repository(repository)
    elsewhere = Workflow(tmp_path / "else where")
    elsewhere.folder.mkdir()
    tiny = {"training": {"engine": "torch", "iterations": 20, "validation_every": 10, "test_every": 20}}
    options = overlay(workflow, "tiny", run="tiny", run_experiments=["x"], experiments={"x": experiment(**tiny)})
    default = ("--configfile", str(repository / "config/config.yaml"), options[1])
    elsewhere("-s", str(repository / "Snakefile"), "--cores", "2", *default, "--", "tables")
    assert (elsewhere.folder / "results/tiny/tables/levels.csv").exists()
    assert not (repository / "results").exists()
    made = {path.name for folder in (tmp_path, repository, elsewhere.folder) for path in folder.iterdir()}
    assert not [name for name in made if name.startswith("owned")]
    assert {path.name for path in tmp_path.iterdir()} == {repository.name, elsewhere.folder.name}


@pytest.mark.long
@pytest.mark.parametrize("name", ["a {b}", "a<b>", "a:b"])
def test_a_folder_that_cannot_be_used_is_refused_with_a_reason(tmp_path, name):
    repository = copy_of_repository(tmp_path / name).folder
    default = ("--configfile", *(str(repository / "config" / each) for each in ("config.yaml", "smoke.yaml")))
    elsewhere = Workflow(tmp_path / "elsewhere")
    elsewhere.folder.mkdir()
    said = elsewhere("-n", "-s", str(repository / "Snakefile"), *default, fails=True)
    assert f"{repository}: the workflow cannot run from a folder" in said
    assert "Traceback" not in said


class Page(HTMLParser):
    """The elements and the texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.texts.append(data)


ORDINARY = {"html", "meta", "title", "style", "h1", "p", "b", "table", "thead", "tbody", "tr", "th", "td"}
MARKUP = "<script>alert(\"1\")</script><img src=x onerror='alert(2)'> &lt;b&gt; & </td></table> é"
TEXT_COLUMNS = ["id", "claim", "experiment", "n", "verdict", "note", "unit", "rule"]


@pytest.mark.parametrize("column", TEXT_COLUMNS)
def test_the_page_of_claims_shows_markup_as_text(column):
    numbers = dict.fromkeys(COLUMNS, 1.0)
    rows = [numbers | {name: f"plain {name} {row}" for name in TEXT_COLUMNS} for row in range(2)]
    rows[0][column] = MARKUP
    page = Page(as_html(pd.DataFrame(rows, columns=COLUMNS)))
    assert page.elements <= ORDINARY
    assert page.attributes <= {"lang", "charset", "class", "style"}
    assert (MARKUP in page.texts) == (column != "unit"), "units are told by their signs"


def test_unescaped_markup_would_be_seen():
    page = Page(f"<table><tr><td>{MARKUP}</td></tr></table>")
    assert {"script", "img"} <= page.elements
    assert "onerror" in page.attributes
    assert MARKUP not in page.texts
