"""The list of slow tests names tests that exist."""

import ast
from pathlib import Path

import slow_tests

TESTS = Path(__file__).parent


def functions(file):
    return {node.name for node in ast.parse((TESTS / file).read_text()).body if isinstance(node, ast.FunctionDef)}


def test_every_slow_test_exists():
    for file in slow_tests.WHOLE_FILES:
        assert (TESTS / file).is_file(), file
    for file, names in slow_tests.TESTS.items():
        assert set(names) <= functions(file), f"{file}: {set(names) - functions(file)}"


def test_a_test_is_slow_by_its_file_or_its_name():
    assert slow_tests.is_slow(slow_tests.WHOLE_FILES[0], "test_anything")
    file, names = next(iter(slow_tests.TESTS.items()))
    assert slow_tests.is_slow(file, names[0]) and not slow_tests.is_slow(file, "test_anything")
    assert not slow_tests.is_slow("test_config.py", names[0])
