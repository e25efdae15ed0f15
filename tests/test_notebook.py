"""The notebook runs, cell by cell, on a finished run; it is kept without what its cells print."""

import nbformat
import pytest
from conftest import REPOSITORY
from nbclient import NotebookClient
from small_runs import QUICK, finish, lenet

NOTEBOOK = REPOSITORY / "docs/notebooks/ticket.ipynb"


def read() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_kept_without_outputs():
    cells = [cell for cell in read().cells if cell.cell_type == "code"]
    assert cells
    assert not any(cell.outputs or cell.execution_count for cell in cells)


@pytest.mark.long
def test_it_runs(tmp_path, mnist):
    arms = [{"arm": "iterative"}, {"arm": "iterative-reinit", "levels": [1]}]
    values = {"network": "lenet-300-100", "levels": 2, "replicates": 2, "arms": arms, "training": QUICK}
    finish(tmp_path, mnist, {"lenet-mnist": lenet(**values)}, name="quick")
    notebook = read()
    (tmp_path / "docs/notebooks").mkdir(parents=True)
    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path / "docs/notebooks")}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 2
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert "of the weights" in printed
    assert "% of 10,000 test images" in printed
    assert (tmp_path / "results/quick/tickets/best.safetensors").exists()
