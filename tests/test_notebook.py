"""docs/stylize.ipynb runs from its first cell to its last, and has the pictures in it that it makes."""

import base64
import io
import runpy
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "docs" / "stylize.ipynb"
LARGEST = 2_000_000


def pictures(notebook):
    """For each cell with code the picture that it shows, or None."""
    shown = []
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        found = [output["data"]["image/jpeg"] for output in cell.outputs if "image/jpeg" in output.get("data", {})]
        shown.append(np.array(Image.open(io.BytesIO(base64.b64decode(found[0]))), float) if found else None)
    return shown


def test_the_notebook_runs_and_shows_what_is_kept_in_it():
    for package in ("nbformat", "nbclient", "ipykernel", "av", "cv2", "onnxruntime"):
        pytest.importorskip(package)
    import nbformat

    script = runpy.run_path(str(ROOT / "scripts" / "run_notebook.py"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    kept = pictures(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    script["execute"](notebook)
    made = pictures(notebook)
    assert [picture is None for picture in made] == [True, True] + [False] * 8
    for number, (old, new) in enumerate(zip(kept[2:], made[2:], strict=True), 3):
        assert old.shape == new.shape, f"cell {number} with code: run scripts/run_notebook.py"
        error = np.square(old - new).mean()
        assert 10 * np.log10(255**2 / max(error, 1e-9)) > 30, f"cell {number} with code: run scripts/run_notebook.py"


def test_the_notebook_is_small():
    assert NOTEBOOK.stat().st_size < LARGEST
