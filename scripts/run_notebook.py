"""Runs docs/stylize.ipynb and keeps its pictures in it: needed after a change of the bundled models.

python scripts/run_notebook.py
"""

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import ROOT, parse
from src.errors import UserError, run_entry
from src.files import atomic_write

NOTEBOOK = ROOT / "docs" / "stylize.ipynb"
SECONDS_A_CELL = 300


def execute(notebook):
    """Runs every cell of a notebook, as a reader of docs/ would, and stores the outputs in it.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell that fails.
    """
    from nbclient import NotebookClient

    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    place = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(notebook, timeout=SECONDS_A_CELL, resources=place, record_timing=False).execute()


def main(argv):
    """Runs the notebook and writes it, returns the exit code."""
    parse(argv, (), "Runs docs/stylize.ipynb and keeps its pictures in it.")
    missing = [name for name in ("nbformat", "nbclient", "ipykernel") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{' and '.join(missing)}: not installed here; run 'pip install -r requirements-test.txt'")
    import nbformat

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    execute(notebook)
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    with atomic_write(NOTEBOOK) as temporary:
        nbformat.write(notebook, temporary)
    print(f"{NOTEBOOK}: {NOTEBOOK.stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
