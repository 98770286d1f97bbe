"""Everything imports with requirements.txt alone; --help and mistakes answer before the framework is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {"onnx", "onnxruntime", "matplotlib", "tensorboardX", "torch", "torchvision", "pytest", "ruff"}
# loaded by export.py for --file_format ONNX only
WITH_EXTRAS = {f"src.deploy.onnx_{part}" for part in ("graph", "emit", "transfer_cells", "predictor_cells")}
IMPORT = """
import importlib, sys

class Absent:  # a package of the other requirements files
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in set(sys.argv[1].split(",")) and "mindspore" not in str(path):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
for name in sys.argv[2:]:
    importlib.import_module(name)
assert not set(sys.argv[1].split(",")) & set(sys.modules)
"""


def modules():
    """Names of all modules: the entry points first, as a user starts them."""
    entries = [path.stem for path in sorted(ROOT.glob("*.py"))]
    parts = [path.relative_to(ROOT).with_suffix("").parts for path in sorted((ROOT / "src").rglob("*.py"))]
    names = [".".join(part for part in names if part != "__init__") for names in parts]
    return entries, [name for name in names if name not in WITH_EXTRAS]


def test_all_modules_import_with_the_base_requirements_only():
    entries, parts = modules()
    assert len(parts) > 10
    command = [sys.executable, "-c", IMPORT, ",".join(sorted(EXTRAS)), *entries, *parts]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("entry", modules()[0])
def test_an_entry_point_shows_its_help_without_loading_the_framework(entry):
    text = (
        "import runpy, sys; sys.argv[1:] = ['--help']\n"
        f"try: runpy.run_path('{entry}.py', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'mindspore' not in sys.modules"
    )
    process = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    assert "--config_path" in process.stdout
