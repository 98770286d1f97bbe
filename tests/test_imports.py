"""Everything imports with requirements.txt alone; --help and mistakes answer before the framework is loaded."""

import ast
import functools
import graphlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = {
    "fastapi",
    "starlette",
    "uvicorn",
    "python_multipart",
    "onnx",
    "onnxruntime",
    "matplotlib",
    "tensorboardX",
    "torch",
    "torchvision",
    "pytest",
    "ruff",
}
# loaded by export.py for --file_format ONNX only, and by app.py after it has asked for its packages
WITH_EXTRAS = {f"src.deploy.onnx_{part}" for part in ("graph", "emit", "transfer_cells", "predictor_cells")}
SERVICE = ("application", "forms", "gate", "inference", "routes", "server", "videos")
WITH_EXTRAS |= {f"src.service.{part}" for part in SERVICE}
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


def is_program(entry):
    return "run_entry(main)" in (ROOT / f"{entry}.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("entry", filter(is_program, modules()[0]))
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


@pytest.mark.parametrize(
    "line",
    [
        "train.py --content_path dataset/test/content --style_path dataset/test/style --output_dir {0}",
        "eval.py --content_path dataset/test/content --style_path dataset/test/style --output_path {0}",
        "export.py --ckpt_path pretrained_model/n_styles.ckpt --file_format ONNX --file_name {0}/out",
        "stylize.py dataset/test/content/cat.jpg dataset/test/style/washes.jpg -o {0}/out.png --method optimize",
    ],
    ids=lambda line: line.partition(" ")[0],
)
def test_what_needs_the_framework_says_so_where_it_is_missing(line, tmp_path):
    """As after `pip install -r requirements-runtime.txt`."""
    program, *arguments = line.format(tmp_path).split()
    text = f"import runpy, sys; sys.modules['mindspore'] = None; sys.argv = {[program, *arguments]!r}\n"
    text += f"runpy.run_path({program!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1, done.stderr
    assert "not installed in this Python; run 'pip install -r requirements.txt'" in done.stderr


# The folders of src/, lower ones first; a folder may import from those before it. `files` stands for the modules that
# lie in src/ itself and in options/, which all others build on; `api` for src/api.py, which builds on all.
ORDER = (
    "files",
    "images",
    "models",
    "weights",
    "engines",
    "stylize",
    "video",
    "service",
    "data",
    "evaluation",
    "training",
    "optimize",
    "deploy",
    "ascend",
    "api",
)
OWN_FOLDER_OF = {"options": "files", "api": "api"}


def folder_of(module):
    """The folder of ORDER that a module such as src.images.files belongs to."""
    parts = module.split(".")[1:] or ["files"]
    if parts[0] in OWN_FOLDER_OF:
        return OWN_FOLDER_OF[parts[0]]
    return parts[0] if (ROOT / "src" / parts[0]).is_dir() else "files"


def imported(source):
    """Names of the modules of this project that a module's text imports, those inside functions, too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "src":
            folder = ROOT.joinpath(*node.module.split("."))
            for alias in node.names:
                is_module = (folder / alias.name).is_dir() or (folder / f"{alias.name}.py").is_file()
                yield f"{node.module}.{alias.name}" if is_module else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("src."))


def arrows_back(modules):
    """The imports that run from a folder to a later one, of {name of a module: its text}."""
    return [
        f"{module} imports {other}"
        for module, source in modules.items()
        for other in imported(source)
        if ORDER.index(folder_of(other)) > ORDER.index(folder_of(module))
    ]


def circle(modules):
    """Modules that import each other in a circle, of {name of a module: its text}; empty when there is no circle."""
    try:
        graphlib.TopologicalSorter({module: set(imported(text)) for module, text in modules.items()}).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


@pytest.fixture(scope="module")
def sources():
    """The text of every module of src/ by its name, which of src/images/__init__.py is src.images."""
    paths = {path: path.parent if path.name == "__init__.py" else path for path in (ROOT / "src").rglob("*.py")}
    return {
        ".".join(named.relative_to(ROOT).with_suffix("").parts): path.read_text("utf-8")
        for path, named in paths.items()
    }


def test_imports_run_from_later_folders_to_earlier_ones(sources):
    assert {folder_of(module) for module in sources} == set(ORDER)
    assert not arrows_back(sources)


def test_no_modules_import_each_other_in_a_circle(sources):
    """Also within a folder, and by imports inside functions."""
    assert {"src", "src.errors", "src.images", "src.options.option"} <= set(sources) and not circle(sources)


def test_a_circle_is_noticed():
    late = "def late():\n    from src import signals\n"
    modules = {"src.errors": late, "src.signals": "from src.files import a", "src.files": "from src.errors import b"}
    assert set(circle(modules)) == set(modules)
    assert not circle({**modules, "src.files": "from src.user_error import b"})


def test_an_import_that_runs_back_is_noticed():
    inside = "def late():\n    from src.stylize.stylizer import Stylizer\n"
    assert arrows_back({"src.models.factory": inside}) == ["src.models.factory imports src.stylize.stylizer"]
    assert not arrows_back({"src.evaluation.pairs": inside})


@functools.cache
def names_in(path):
    """Names at the top of a module's file: defined, assigned or imported there, anywhere outside functions."""
    found, nodes = set(), list(ast.parse(path.read_text("utf-8")).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        nodes += ast.iter_child_nodes(node)
    return found


def missing_imports(source):
    """What a module's text imports from this project and is not there, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom) or (node.module or "").partition(".")[0] not in ("src", "benchmarks"):
            continue
        file = ROOT.joinpath(*node.module.split("."))
        folder, module = file, file.with_suffix(".py")
        if folder.is_dir():
            module = folder / "__init__.py"
        known = names_in(module) if module.exists() else set()
        for alias in node.names:
            if alias.name not in known and not (folder / alias.name).with_suffix(".py").exists():
                yield f"{node.module}.{alias.name}"


def test_every_import_of_this_project_is_there():
    """Programs import inside functions, and benchmarks are not run by tests: a moved name would be seen by a user."""
    names = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    paths = [ROOT / name for name in names] or [path for path in ROOT.rglob("*.py") if ".venv" not in path.parts]
    missing = {path.name: found for path in paths if (found := list(missing_imports(path.read_text("utf-8"))))}
    assert len(paths) > 200 and not missing


def test_a_name_that_moved_is_noticed():
    text = "def late():\n    from src.training.objectives import Stylization, loss_taps\n"
    text += "    from src import runtime, gone\n"
    assert list(missing_imports(text)) == ["src.training.objectives.loss_taps", "src.gone"]
