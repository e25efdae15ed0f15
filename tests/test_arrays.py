"""Files appear whole or not at all, and damaged ones are named."""

import errno
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from lottery.arrays import (
    check_arrays,
    of_member,
    read_arrays,
    read_arrays_with_texts,
    reason,
    replacing,
    stack,
    write_arrays,
)
from lottery.errors import LotteryError


def test_round_trip_is_exact_and_repeatable(tmp_path):
    arrays = {"b": np.array([[0.1, -0.0]], np.float32), "a": np.array([1, 0], np.uint8)}
    write_arrays(tmp_path / "one.safetensors", arrays)
    write_arrays(tmp_path / "two.safetensors", dict(reversed(arrays.items())))
    again = read_arrays(tmp_path / "one.safetensors")
    assert list(again) == ["a", "b"]
    assert {name: (array.dtype, array.tobytes()) for name, array in again.items()} == {
        name: (array.dtype, array.tobytes()) for name, array in arrays.items()
    }
    assert (tmp_path / "one.safetensors").read_bytes() == (tmp_path / "two.safetensors").read_bytes()


def test_named_texts_are_written_in_one_order(tmp_path):
    """The library writes them in any: twenty times nine texts would not be alike by chance."""
    arrays, texts = {"a": np.zeros(3, np.float32)}, {f"text {number}": f'"{number}" é' for number in range(9)}
    written = set()
    for _ in range(20):
        write_arrays(tmp_path / "x.safetensors", arrays, texts)
        written.add((tmp_path / "x.safetensors").read_bytes())
    assert len(written) == 1
    again, told = read_arrays_with_texts(tmp_path / "x.safetensors")
    assert told == texts
    assert (again["a"] == arrays["a"]).all()
    assert (load_file(tmp_path / "x.safetensors")["a"] == arrays["a"]).all()


def test_views_are_written_as_they_look(tmp_path):
    view = np.arange(6, dtype=np.float32).reshape(2, 3).T
    write_arrays(tmp_path / "view.safetensors", {"v": view})
    assert (read_arrays(tmp_path / "view.safetensors")["v"] == view).all()


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def interrupted() -> None:
        with replacing(path) as aside:
            aside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    write_arrays(path, {"w": np.zeros(100, np.float32)})
    before = path.read_bytes()

    def half(self, content: bytes) -> None:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(LotteryError, match="weights.safetensors: cannot be written: No space left on device"):
        write_arrays(path, {"w": np.ones(100, np.float32)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("keep", [0, 5, 100])
def test_truncated_file_is_named(tmp_path, keep):
    path = tmp_path / "weights.safetensors"
    write_arrays(path, {"w": np.ones(1000, np.float32)})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(LotteryError, match="weights.safetensors: is not a whole safetensors file"):
        read_arrays(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(LotteryError, match="absent.safetensors: cannot be read: No such file"):
        read_arrays(tmp_path / "absent.safetensors")


def test_names_with_control_characters_reach_no_terminal(tmp_path):
    """An array's name may hold anything; what a terminal would obey is written as an escape, in one line."""
    path = tmp_path / "mask.safetensors"
    write_arrays(path, {"\x1b[2Jfc1.weight\n\x07": np.ones(3, np.uint8), "fc1.weight": np.ones(3, np.uint8)})
    with pytest.raises(LotteryError) as error:
        check_arrays(path, read_arrays(path), np.uint8, {"fc1.weight": (3,)})
    told = f"{path}: the array \\x1b[2Jfc1.weight\\n\\x07 should not be there; expected: fc1.weight"
    assert str(error.value) == told


def test_reasons_are_one_printable_line():
    assert reason(ValueError("bad name: \x1b[31m\nmore")) == "bad name: \\x1b[31m"
    assert reason(EOFError()) == "EOFError"
    assert reason(OSError(errno.ENOENT, "No such file")) == "No such file"


def test_stack_and_member():
    members = [{"w": np.full((2, 3), value)} for value in (1, 2)]
    stacked = stack(members)
    assert stacked["w"].shape == (2, 2, 3)
    assert (of_member(stacked, 1)["w"] == 2).all()
