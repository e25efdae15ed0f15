"""Tickets in files of their own: what `lottery export` writes, and what can be done with it elsewhere."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from safetensors.torch import load_file as load_tensors
from small_runs import conv, finish, lenet

import lottery
from lottery.arrays import read_arrays, read_arrays_with_texts
from lottery.benchmark.plain_networks import arrays_of, plain_network
from lottery.commands.main import main
from lottery.errors import LotteryError
from lottery.tickets.file import read_ticket, write_ticket

TICKET = "lenet-mnist/iterative/level2"


@pytest.fixture(scope="module")
def run(tmp_path_factory, mnist) -> Path:
    """A finished run of a small LeNet."""
    return finish(tmp_path_factory.mktemp("tickets"), mnist, {"lenet-mnist": lenet()})


@pytest.fixture(scope="module")
def images(mnist) -> np.ndarray:
    return read_arrays(mnist)["test_images"]


@pytest.fixture(scope="module")
def labels(mnist) -> np.ndarray:
    return read_arrays(mnist)["test_labels"]


def exported(run: Path, path: Path, place: str = TICKET, *options: str) -> Path:
    replicate = () if "--replicate" in options or "/" not in place else ("--replicate", "1")
    assert main(["export", str(run), place, *replicate, "--output", str(path), *options]) == 0
    return path


@pytest.fixture(scope="module")
def file(run, tmp_path_factory) -> Path:
    """The ticket of replicate 1."""
    return exported(run, tmp_path_factory.mktemp("file") / "ticket.safetensors")


def told(capsys, *arguments: object, fails: bool = False) -> str:
    """What a verb says; an error is told in one line."""
    assert main([str(each) for each in arguments]) == (1 if fails else 0)
    said = capsys.readouterr()
    if fails:
        assert len(said.err.strip().splitlines()) == 1, said.err
    return said.err if fails else said.out


def test_a_ticket_is_the_runs_network_without_the_leading_axis(run, file):
    ticket = lottery.load_ticket(file)
    folder = run / "lenet-mnist/r1-1/iterative/level2"
    for part, name in ((ticket.weights, "trained"), (ticket.mask, "mask"), (ticket.start, "start")):
        arrays = read_arrays(folder / f"{name}.safetensors")
        assert set(part) == set(arrays)
        for key, values in part.items():
            assert values.tobytes() == np.ascontiguousarray(arrays[key][0]).tobytes(), (name, key)
    (member,) = json.loads((folder / "summary.json").read_text())["members"]
    description = ticket.description
    assert description.test_accuracy == member["test_accuracy_final"]
    assert (description.replicate, description.level, description.iteration) == (1, 2, 20)
    others = [json.loads(path.read_text()) for path in run.glob("lenet-mnist/r*-*/iterative/level2/summary.json")]
    accuracies = [each["members"][0]["test_accuracy_final"] for each in others]
    assert description.test_accuracies.replicates == 2
    assert description.test_accuracies.mean == pytest.approx(np.mean(accuracies))
    assert description.test_accuracies.sd == pytest.approx(np.std(accuracies, ddof=1))
    assert description.parents["lenet-mnist/r1-1/iterative/level1/mask.safetensors"]
    assert equal_bytes(file, exported(run, file.with_name("again.safetensors")))


def equal_bytes(first: Path, second: Path) -> bool:
    return first.read_bytes() == second.read_bytes()


def test_a_draw_of_a_control_is_the_one_named(run, tmp_path):
    place, folder = "lenet-mnist/iterative-reinit/level2", run / "lenet-mnist/r0-0/iterative-reinit/level2"
    trained = read_arrays(folder / "trained.safetensors")
    for draw in (0, 1):
        options = ("--replicate", "0", "--draw", str(draw))
        ticket = lottery.load_ticket(exported(run, tmp_path / f"{draw}.safetensors", place, *options))
        assert (ticket.weights["fc1.weight"] == trained["fc1.weight"][draw]).all()


def test_a_dense_network_is_a_ticket_of_all_weights(run, tmp_path):
    ticket = lottery.load_ticket(exported(run, tmp_path / "dense.safetensors", "lenet-mnist/dense/level0"))
    assert ticket.weights_remaining == 1


def test_inspect_tells_what_it_is(file, capsys):
    said = told(capsys, "inspect", file)
    assert "lenet-30-10 on mnist" in said
    assert "replicate 1, draw 0" in said
    assert "test over 2 replicates" in said
    kept = int(lottery.load_ticket(file).mask["fc1.weight"].sum())
    assert f"{kept:,}" in said


def test_its_accuracy_is_recomputed_exactly(run, file, tmp_path, capsys):
    assert "as told" in told(capsys, "verify", file, "--data", run.parent / "data")
    ticket = read_ticket(file)
    one_image = 1 / 10_000
    wrong = ticket.description.model_copy(update={"test_accuracy": ticket.description.test_accuracy + one_image})
    write_ticket(tmp_path / "wrong.safetensors", ticket.model_copy(update={"description": wrong}))
    said = told(capsys, "verify", tmp_path / "wrong.safetensors", "--data", run.parent / "data", fails=True)
    assert "1 of 10000 images apart" in said


def test_another_network_with_the_same_accuracy_told_is_found(run, file, tmp_path, capsys):
    ticket = read_ticket(file)
    weights = ticket.weights | {"output.bias": ticket.weights["output.bias"] + np.linspace(0, 3, 10, dtype=np.float32)}
    write_ticket(tmp_path / "wrong.safetensors", ticket.model_copy(update={"weights": weights}))
    said = told(capsys, "verify", tmp_path / "wrong.safetensors", "--data", run.parent / "data", fails=True)
    assert "images apart" in said


def test_it_predicts_bytes_and_floats_alike(file, images, labels):
    ticket = lottery.load_ticket(file)
    found = ticket.predict(images)
    assert found.dtype == np.int64
    assert (found == labels).mean() == pytest.approx(ticket.description.test_accuracy, abs=2e-4)
    floats = images[:500].astype(np.float32) / 255
    assert (ticket.predict(floats) == found[:500]).all()
    assert (ticket.predict(floats.astype(np.float64)) == found[:500]).all()
    assert ticket.predict(images[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda images: images[0], r"one image is images\[None\]"),
        (lambda images: images.reshape(-1, 784), "expected"),
        (lambda images: images[:, None], "expected"),
        (lambda images: images.astype(np.float32), "floats from 0 to 255, expected 0 to 1"),
        (lambda images: images.astype(np.int64), "int64, expected uint8, or floats"),
        (lambda images: np.full(images.shape, np.nan), "floats from nan"),
        (lambda images: images.astype(np.float32) / 255 - 0.5, "expected 0 to 1"),
    ],
)
@pytest.mark.parametrize("form", ["ticket", "compact"])
def test_other_shapes_types_and_ranges_are_errors(run, tmp_path, images, wrong, message, form):
    ticket = lottery.load_ticket(exported(run, tmp_path / "file", TICKET, "--format", form))
    with pytest.raises(LotteryError, match=message):
        ticket.predict(wrong(images[:5]))


def test_the_module_computes_what_the_engine_measured(file, images, labels):
    ticket = lottery.load_ticket(file)
    module = ticket.to_torch()
    with torch.no_grad():
        outputs = module(torch.tensor(images, dtype=torch.float32) / 255)
    right = (outputs.argmax(1).numpy() == labels).mean()
    assert right == pytest.approx(ticket.description.test_accuracy, abs=2e-4)
    np.testing.assert_allclose(outputs.numpy()[:100], ticket.logits(images[:100]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [{"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}, {"lr": 0.1}])
def test_pruned_weights_stay_0_while_the_module_is_fine_tuned(file, images, labels, options):
    ticket = lottery.load_ticket(file)
    module = ticket.to_torch().train()
    optimizer = torch.optim.SGD(module.parameters(), **options)
    for _ in range(3):
        optimizer.zero_grad()
        outputs = module(torch.tensor(images[:64], dtype=torch.float32) / 255)
        torch.nn.functional.cross_entropy(outputs, torch.tensor(labels[:64], dtype=torch.int64)).backward()
        optimizer.step()
    for name, kept in ticket.mask.items():
        weight = module.get_submodule(name.removesuffix(".weight")).weight.detach().numpy()
        assert not weight[kept == 0].any()
        assert (weight != ticket.weights[name])[kept == 1].any()


@pytest.fixture(scope="module")
def networks(tmp_path_factory, mnist) -> Path:
    """A finished run of networks of convolutions, and of one with another input scaling for each kind there is."""
    experiments = {name: conv(name) for name in ("conv-2", "resnet-20")}
    experiments |= {
        scaling: lenet(training=QUICK_SCALED | {"input_scaling": scaling}, replicates=1, levels=1, arms=[ITERATIVE])
        for scaling in SCALINGS
    }
    experiments["conv-standardised"] = conv("conv-2", input_scaling="standardised", dropout=0.5)
    return finish(tmp_path_factory.mktemp("networks"), mnist, experiments)


ITERATIVE = {"arm": "iterative"}
QUICK_SCALED = {"iterations": 10, "validation_every": 10, "test_every": 10, "training_images": 600, "test_images": 300}
SCALINGS = ("standardised", "image-norm", "image-standardised", "bytes")
EXPERIMENTS = ("conv-2", "resnet-20", *SCALINGS, "conv-standardised")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_network_and_scaling_is_verified_and_computed_alike_everywhere(
    networks, tmp_path, images, experiment, capsys
):
    """The engine's accuracy, and the same outputs from the module, ONNX (as it is and made smaller) and compact."""
    import onnxruntime

    place, first = f"{experiment}/iterative/level1", ("--replicate", "0")
    path = exported(networks, tmp_path / "ticket", place, *first)
    assert "as told" in told(capsys, "verify", path, "--data", networks.parent / "data")
    ticket = lottery.load_ticket(path)
    shown = images[:60]
    expected = ticket.logits(shown)
    small = lottery.load_ticket(exported(networks, tmp_path / "compact", place, *first, "--format", "compact"))
    tolerance = {"rtol": 1e-4, "atol": 1e-4 * np.abs(expected).max()}
    np.testing.assert_allclose(small.logits(shown), expected, **tolerance)
    np.testing.assert_allclose(small.to_torch()(scaled(shown)).detach().numpy(), expected, **tolerance)
    for form in ("onnx", "onnx-compact"):
        model = exported(networks, tmp_path / form, place, *first, "--format", form)
        session = onnxruntime.InferenceSession(str(model))
        (outputs,) = session.run(None, {"images": scaled(shown).numpy()})
        np.testing.assert_allclose(outputs, expected, **tolerance, err_msg=form)
    assert "as told" in told(capsys, "verify", tmp_path / "compact", "--data", networks.parent / "data")
    assert told(capsys, "inspect", tmp_path / "compact")


def scaled(images: np.ndarray) -> torch.Tensor:
    return torch.tensor(images, dtype=torch.float32) / 255


def test_the_state_dict_is_taken_as_it_is(run, tmp_path, images):
    """By a module of these names that somebody else wrote."""
    path = exported(run, tmp_path / "state.safetensors", TICKET, "--format", "pytorch")
    module = torch.nn.Module()
    for name, (inputs, outputs) in {"fc1": (784, 30), "fc2": (30, 10), "output": (10, 10)}.items():
        module.add_module(name, torch.nn.Linear(inputs, outputs))
    assert str(module.load_state_dict(load_tensors(path))) == "<All keys matched successfully>"
    row = scaled(images[:5]).flatten(1)
    with torch.no_grad():
        outputs = module.output(module.fc2(module.fc1(row).relu()).relu()).numpy()
    ticket = lottery.load_ticket(exported(run, tmp_path / "ticket"))
    np.testing.assert_allclose(outputs, ticket.logits(images[:5]), rtol=1e-5, atol=1e-6)


def test_the_module_of_a_residual_network_is_the_one_that_pytorch_users_write(networks, tmp_path, images):
    ticket = lottery.load_ticket(
        exported(networks, tmp_path / "file", "resnet-20/iterative/level1", "--replicate", "0")
    )
    plain = plain_network("resnet-20", (1, 28, 28)).eval()
    for tensor, values in zip(arrays_of(plain), ticket.weights.values(), strict=True):
        assert tensor.shape == values.shape
        tensor.data.copy_(torch.tensor(values))
    with torch.no_grad():
        outputs = plain(scaled(images[:20])[:, None]).numpy()
    np.testing.assert_allclose(outputs, ticket.logits(images[:20]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("half", [False, True])
def test_compressed_rows_are_those_of_scipy_and_pytorch(run, tmp_path, half):
    from scipy.sparse import csr_matrix

    options = ("--format", "csr", *(["--half"] if half else []))
    arrays = load_file(exported(run, tmp_path / "file.csr", TICKET, *options))
    ticket = lottery.load_ticket(exported(run, tmp_path / "ticket"))
    for name in ticket.mask:
        crow, col, values = (arrays[f"{name}.{part}"] for part in ("crow_indices", "col_indices", "values"))
        expected = ticket.weights[name].astype(np.float16 if half else np.float32)
        shape = expected.shape
        rows = csr_matrix((values.astype(np.float32), col.astype(np.int32), crow.astype(np.int32)), shape)
        assert (rows.toarray() == expected).all()
        tensor = torch.sparse_csr_tensor(*(torch.tensor(each.astype(np.int64)) for each in (crow, col)), values, shape)
        assert (tensor.to_dense().numpy() == expected).all()
    assert arrays["fc2.weight.col_indices"].dtype == np.uint8
    assert arrays["fc1.weight.col_indices"].dtype == np.uint16


def test_training_from_its_start_gives_the_runs_weights_byte_for_byte(run, file, tmp_path, capsys):
    data = run.parent / "data/mnist.safetensors"
    again = tmp_path / "again.safetensors"
    told(capsys, "train", file, "--dataset", data, "--output", again)
    first, second = read_ticket(file), read_ticket(again)
    assert {name: values.tobytes() for name, values in first.weights.items()} == {
        name: values.tobytes() for name, values in second.weights.items()
    }
    assert second.description.test_accuracy == first.description.test_accuracy
    assert list(second.description.parents) == ["ticket.safetensors"]
    assert "as told" in told(capsys, "verify", again, "--data", data.parent)


def test_training_goes_on_from_its_weights_under_its_mask(run, file, tmp_path, capsys):
    on = tmp_path / "on.safetensors"
    options = ("--origin", "weights", "--iterations", "30", "--learning-rate", "0.0005", "--moment", "early-stop")
    told(capsys, "train", file, "--dataset", run.parent / "data/mnist.safetensors", "--output", on, *options)
    before, after = read_ticket(file), read_ticket(on)
    assert all((after.start[name] == values).all() for name, values in before.weights.items())
    assert (after.weights["fc1.weight"] != before.weights["fc1.weight"]).any()
    assert not after.weights["fc1.weight"][before.mask["fc1.weight"] == 0].any()
    assert (after.description.training.iterations, after.description.training.learning_rate) == (30, 0.0005)
    assert "as told" in told(capsys, "verify", on, "--data", run.parent / "data")


def test_the_best_ticket_is_chosen_by_validation_images(run, tmp_path):
    import pandas as pd

    levels = pd.read_csv(run / "tables/levels.csv")
    levels.loc[levels["arm"] == "dense", "validation_accuracy_at_early_stop"] = 0.5
    tickets = levels["arm"] == "iterative"
    for level, replicate, accuracy in [(1, 0, 0.9), (1, 1, 0.9), (2, 0, 0.5), (2, 1, 0.6)]:
        row = tickets & (levels["level"] == level) & (levels["replicate"] == replicate)
        levels.loc[row, "validation_accuracy_at_early_stop"] = accuracy
    levels["test_accuracy_at_early_stop"] = 1 - levels["validation_accuracy_at_early_stop"]
    other = tmp_path / "results/small"
    shutil.copytree(run, other)
    levels.to_csv(other / "tables/levels.csv", index=False)
    description = lottery.load_ticket(exported(other, tmp_path / "best", "lenet-mnist")).description
    assert (description.arm, description.level, description.replicate) == ("iterative", 2, 1)
    levels.loc[levels["arm"] == "dense", "validation_accuracy_at_early_stop"] = 0.95
    levels.to_csv(other / "tables/levels.csv", index=False)
    description = lottery.load_ticket(exported(other, tmp_path / "best", "lenet-mnist")).description
    assert (description.level, description.replicate) == (1, 0), "none is as accurate: the most accurate size"


def test_weights_at_early_stop_are_those_of_the_file_that_a_run_keeps(run, tmp_path, capsys):
    """A run that keeps none says so, unless its early stop is its end."""
    other = tmp_path / "results/small"
    shutil.copytree(run, other)
    folder = other / "lenet-mnist/r1-1/iterative/level2"
    summary = json.loads((folder / "summary.json").read_text())
    summary["members"][0]["early_stop_iteration"] = 10
    (folder / "summary.json").write_text(json.dumps(summary))
    arguments = ("export", other, TICKET, "--replicate", 1, "--output", tmp_path / "x", "--moment", "early-stop")
    (folder / "early-stop.safetensors").unlink()
    said = told(capsys, *arguments, fails=True)
    assert "keeps no weights of its early stop at iteration 10" in said
    trained = load_file(folder / "trained.safetensors")
    save_file(
        {name: values + 0 for name, values in trained.items()} | {"fc1.bias": trained["fc1.bias"] + 1},
        folder / "early-stop.safetensors",
    )
    told(capsys, *arguments)
    ticket = lottery.load_ticket(tmp_path / "x")
    assert (ticket.weights["fc1.bias"] == trained["fc1.bias"][0] + 1).all()
    assert (ticket.description.moment, ticket.description.iteration) == ("early-stop", 10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lenet-mnist/iterative/level9", "--replicate", "0"), "at the levels 1, 2, not at level 9"),
        (("lenet-mnist/iterative/level1", "--replicate", "7"), "its replicates are 0 to 1; there is no replicate 7"),
        (("lenet-mnist/iterative/level1",), "--replicate is missing"),
        (("lenet-mnist/iterative-reinit/level2", "--replicate", "0", "--draw", "5"), "draws are 0 to 1; there is no"),
        (("lenet/iterative/level1", "--replicate", "0"), "no experiment of the run is called 'lenet'"),
        (("lenet-mnist/iterativ/level1", "--replicate", "0"), "unknown arm 'iterativ'"),
        (("lenet-mnist/one-shot/level1", "--replicate", "0"), "one-shot is trained nowhere"),
        (("nonsense", "--replicate", "0"), "'nonsense' is neither an experiment"),
        (("lenet-mnist", "--replicate", "0"), "its best ticket is that of one replicate"),
        (("lenet-mnist/iterative/level1", "--replicate", "0", "--half"), "--half is for the formats csr and compact"),
    ],
)
def test_what_is_not_there_is_told_in_a_line(run, tmp_path, capsys, arguments, message):
    said = told(capsys, "export", run, *arguments, "--output", tmp_path / "x", fails=True)
    assert message in said
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "{file}"), "--dataset and --output must be given"),
        (("train", "{file}", "--dataset", "{data}"), "--output must be given"),
        (("train", "{file}", "--dataset", "missing", "--output", "{out}"), "missing: cannot be read"),
        (("train", "{run}"), "is no file of a ticket; of a run, name a place too"),
        (("train", "{file}", "--dataset", "{data}", "--output", "{out}", "--iterations", "15"), "must be a multiple"),
        (("train", "{run}", "lenet-mnist/r0-0/dense/level0", "--output", "{out}"), "are for the file of a ticket"),
        (("verify", "{file}", "--data", "{out}"), "mnist.safetensors: cannot be read"),
        (("inspect", "{data}"), "is no ticket that `lottery export` wrote"),
        (("inspect", "missing"), "missing: cannot be read"),
    ],
)
def test_wrong_files_and_options_are_told_in_a_line(run, file, tmp_path, capsys, arguments, message):
    names = {"file": file, "run": run, "data": run.parent / "data/mnist.safetensors", "out": tmp_path / "out"}
    assert message in told(capsys, *(each.format(**names) for each in arguments), fails=True)


def test_images_of_another_shape_do_not_train_it(run, file, tmp_path, capsys):
    small = {"train_images": np.zeros((6000, 5, 5), np.uint8), "train_labels": np.zeros(6000, np.uint8)}
    small |= {"test_images": np.zeros((10, 5, 5), np.uint8), "test_labels": np.zeros(10, np.uint8)}
    save_file(small, tmp_path / "small.safetensors")
    options = ("--dataset", tmp_path / "small.safetensors", "--output", tmp_path / "x")
    assert "[10, 5, 5], expected uint8 [10, 28, 28]" in told(capsys, "train", file, *options, fails=True)


def damaged(path: Path, target: Path, change) -> Path:
    """The file with its description changed."""
    arrays, texts = read_arrays_with_texts(path)
    description = json.loads(texts["ticket"])
    change(description, arrays, texts)
    if "ticket" in texts:
        texts["ticket"] = json.dumps(description)
    save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, target, texts)
    return target


def told_wrong(name: str, value: object):
    return lambda description, arrays, texts: description.update({name: value})


DAMAGE = {
    "another format": (lambda d, a, texts: texts.update(format="lottery ticket 9"), "format is 'lottery ticket 9'"),
    "no format": (lambda d, a, texts: texts.pop("format"), "says no format"),
    "an escape in the format": (lambda d, a, texts: texts.update(format="\x1b[2J"), r"format is '\\x1b[2J'"),
    "no description": (lambda d, a, texts: texts.pop("ticket"), "description"),
    "no array": (lambda d, arrays, t: arrays.pop("weights:fc1.bias"), "weights:fc1.bias is missing"),
    "one more array": (lambda d, arrays, t: arrays.update(extra=np.zeros(1)), "extra should not be there"),
    "not a number": (lambda d, arrays, t: arrays["weights:fc1.bias"].__setitem__(0, np.nan), "not finite"),
    "a mask of 2": (lambda d, arrays, t: arrays["mask:fc1.weight"].__setitem__((0, 0), 2), "a mask holds 0"),
    "a pruned weight": (lambda d, arrays, t: arrays["weights:fc1.weight"].fill(1), "pruned weights that are not 0"),
    "steps that do not fit": (told_wrong("steps", ["flatten"]), "network: "),
    "a step of no kind": (told_wrong("steps", [{"kind": "os.system"}]), "is no step"),
    "steps that are text": (told_wrong("steps", "flatten"), "steps"),
    "an unknown key": (told_wrong("run_this", "x"), "run_this"),
    "a shape of nothing": (told_wrong("image_shape", []), "must be shapes of an image"),
    "one class": (told_wrong("class_names", ["a"]), "class_names"),
    "an escape in a name": (told_wrong("class_names", ["\x1b[2J"] * 10), "class_names"),
    "a recipe that cannot be": (told_wrong("training", {"learning_rate": -1}), "training.learning_rate"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_told_in_a_line(file, tmp_path, capsys, damage):
    change, message = DAMAGE[damage]
    said = told(capsys, "inspect", damaged(file, tmp_path / "damaged", change), fails=True)
    assert message in said
    assert str(tmp_path / "damaged") in said
    assert "\x1b" not in said


@pytest.mark.parametrize("share", [0, 0.0001, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("form", ["ticket", "compact"])
def test_a_file_cut_short_is_told_in_a_line(run, tmp_path, capsys, share, form):
    path = exported(run, tmp_path / "file", TICKET, "--format", form)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    capsys.readouterr()
    assert "is not a whole safetensors file" in told(capsys, "inspect", path, fails=True)


def test_the_format_of_a_pickled_module_is_refused(tmp_path, capsys):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    assert "is not a whole safetensors file" in told(capsys, "inspect", tmp_path / "module.pt", fails=True)


COMPACT_DAMAGE = {
    "steps of no chain": (told_wrong("steps", ["relu"]), "network: "),
    "a wider layer": (lambda d, a, t: d["steps"][-1].update(outputs=11), "network: "),
    "more than there is memory for": (
        lambda d, a, t: (d["steps"][-3].update(outputs=2**30), d["steps"][-1].update(inputs=2**30)),
        "more than the 268,435,456 that are taken",
    ),
    "no biases told": (lambda d, a, t: d["steps"][-1].update(has_bias=False), "should not be there"),
    "a text for a number": (told_wrong("seed", "0"), "seed must be int"),
    "an unknown scaling": (told_wrong("scaling", "other"), "scaling must be one of"),
    "an escape in a name": (told_wrong("source", "\x1b[2J"), "printable"),
    "an unknown key": (told_wrong("more", 1), "must tell"),
    "places beyond": (lambda d, a, t: a.update({"fc2.weight:gaps": np.full(9, 254, np.uint8)}), "lies beyond"),
    "too few values": (lambda d, a, t: a.update({"fc1.weight:values": a["fc1.weight:values"][1:]}), "places for"),
    "infinite": (lambda d, arrays, t: arrays["fc1.weight:values"].__setitem__(0, np.inf), "not finite"),
    "no biases": (lambda d, arrays, t: arrays.pop("fc1.bias"), "fc1.bias is missing"),
    "one more array": (lambda d, arrays, t: arrays.update(extra=np.zeros(1)), "extra should not be there"),
}


@pytest.mark.parametrize("damage", COMPACT_DAMAGE)
def test_a_damaged_compact_file_is_told_in_a_line(run, tmp_path, capsys, damage):
    path = exported(run, tmp_path / "compact", TICKET, "--format", "compact")
    arrays, _ = read_arrays_with_texts(path)
    change, message = COMPACT_DAMAGE[damage]
    capsys.readouterr()
    said = told(capsys, "inspect", damaged(path, tmp_path / "damaged", change), fails=True)
    assert message in said, arrays.keys()


def test_predicting_from_a_compact_file_imports_little(run, tmp_path):
    path = exported(run, tmp_path / "compact", TICKET, "--format", "compact")
    program = (
        "import sys, numpy, lottery\n"
        f"ticket = lottery.load_ticket({str(path)!r})\n"
        "images = numpy.zeros((3, 28, 28), numpy.uint8)\n"
        "ticket.predict(images), ticket.predict_one(images[0])\n"
        "print(sorted({'torch', 'pandas', 'numba', 'pydantic', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture(scope="module")
def contents(run, tmp_path_factory) -> dict[str, bytes]:
    """A ticket's file and a compact one's, as bytes."""
    folder = tmp_path_factory.mktemp("contents")
    forms = ("ticket", "compact")
    return {form: exported(run, folder / form, TICKET, "--format", form).read_bytes() for form in forms}


@pytest.mark.parametrize("form", ["ticket", "compact"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_other_bytes_is_an_error_or_a_ticket(contents, tmp_path, form, data):
    """Of the header mostly, where a single byte changes what the rest is taken for."""
    content = bytearray(contents[form])
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.one_of(st.integers(0, header - 1), st.integers(0, len(content) - 1)))
        content[place] = data.draw(st.sampled_from([*b'0123456789"{}[],:-', 0, 255]))
    (tmp_path / "file").write_bytes(content)
    try:
        ticket = lottery.load_ticket(tmp_path / "file")
    except LotteryError as error:
        told = str(error)
    else:
        told = f"{tmp_path / 'file'}: is a ticket"
        ticket.predict(np.zeros((2, *ticket.image_shape), np.uint8))
    assert told.startswith(f"{tmp_path / 'file'}: ")
