"""The table of methods and the map in src/__init__.py: what they name is there, and what others say of it agrees."""

import ast
import re
from pathlib import Path

import pytest

import src
from src.config import defaults
from src.methods import METHODS, ROWS
from src.options.training import NetworkConfig

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"


def test_each_method_has_one_row_and_is_an_option():
    assert len(METHODS) == len(ROWS) == 4
    assert NetworkConfig.schema()["method"].limits.choices == tuple(METHODS)
    assert NetworkConfig.schema()["method"].value == ROWS[0].name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_agrees_with_its_recipe_and_with_what_users_read(row):
    assert defaults(ROOT / row.recipe)["network"].traits is row
    readme = (ROOT / "README.md").read_text("utf-8")
    line = next(line for line in readme.splitlines() if line.startswith(f"| `{row.name}`"))
    assert row.arxiv in line and row.paper.split()[0] in line
    assert row.paper in src.__doc__ and row.recipe in src.__doc__
    train = ast.get_docstring(ast.parse((ROOT / "train.py").read_text("utf-8")))
    told = re.search(rf"^--method {row.name} .*{row.paper}.*{Path(row.recipe).name}", train, flags=re.MULTILINE)
    assert bool(told) == row.has_networks


def test_facts_of_a_row_do_not_contradict_each_other():
    for row in ROWS:
        assert row.has_networks or not row.has_table
        assert row.has_table or not (row.has_one_style or row.takes_more_styles)
        assert not (row.has_one_style and row.takes_more_styles)


def has_a_name(node):
    return any(isinstance(part, ast.Constant) and part.value in METHODS for part in ast.walk(node))


def branches_on_names(text):
    """Line numbers where a module's text compares with a method's name, or picks by it from a dict of its own."""
    for node in ast.walk(ast.parse(text)):
        picks = isinstance(node, ast.Subscript) or isinstance(node, ast.Attribute) and node.attr == "get"
        if isinstance(node, ast.Compare) and has_a_name(node):
            yield node.lineno
        elif picks and isinstance(node.value, ast.Dict) and any(map(has_a_name, filter(None, node.value.keys))):
            yield node.lineno


def test_no_code_asks_for_a_method_by_its_name():
    for path in [*ROOT.glob("*.py"), *SOURCE.rglob("*.py")]:
        assert not list(branches_on_names(path.read_text("utf-8"))), path


@pytest.mark.parametrize(
    "code",
    [
        'network.method == "optimize"',
        'method in ("n_styles", "single_style")',
        '{"n_styles": 2, "b": 1}.get(method, 0)',
    ],
)
def test_a_branch_on_a_name_is_noticed(code):
    assert list(branches_on_names(f"if {code}:\n    pass"))
    assert not list(branches_on_names('network = {"method": "single_style"} if network.traits.has_table else {}'))


def named_in_the_map():
    """What the map names: (file, class) of each class, and paths."""
    text = src.__doc__
    names = re.findall(r"\b((?:[a-z_]+\.)+)([A-Z]\w+)", text)
    classes = [(SOURCE.joinpath(*module.split(".")[:-1]).with_suffix(".py"), name) for module, name in names]
    paths = re.findall(r"(?<![\w.])((?:src/|tests/|configs/)?[a-z_0-9/]+(?:\.py|\.yaml|/))(?![\w/])", text)
    return classes, paths


def test_the_map_names_files_and_classes_that_are_there():
    classes, paths = named_in_the_map()
    assert len(classes) >= 12 and len(paths) >= 20
    for file, name in classes:
        defined = [node.name for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, ast.ClassDef)]
        assert name in defined, f"{file} has no class {name}"
    for path in paths:
        assert (ROOT / path).exists() or (SOURCE / path).exists(), path


def test_the_map_names_every_recipe():
    recipes = {path.name for path in (ROOT / "configs").glob("*.yaml") if not path.name.startswith("ascend_")}
    assert recipes <= {Path(path).name for path in named_in_the_map()[1]}
