"""The backend by version and device, fixed shapes where GE compiles, and what is said of the overflow check."""

import ast
from pathlib import Path

import pytest

from src import compilation
from src.compilation import Compilation, choose_compilation, half_products_remark, overflow_check_remark
from src.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
GE, BUILT_IN = Compilation("GE", "O2", True), Compilation("ms_backend", "O0", False)


@pytest.mark.parametrize(
    ("version", "chip", "found"),
    [
        ((2, 7, 0), "ascend910", GE),
        ((2, 8, 0), "ascend910", GE),
        ((2, 8, 0), "Ascend910", GE),
        ((2, 9, 0), "ascend910", GE),
        ((2, 10, 0), "ascend910", BUILT_IN),
        ((2, 11, 0), "ascend910", BUILT_IN),
        ((2, 8, 0), "ascend910b", BUILT_IN),
        ((2, 8, 0), "ascend910_93", BUILT_IN),
        ((2, 8, 0), "ascend310p", BUILT_IN),
        ((2, 8, 0), "", BUILT_IN),
    ],
)
def test_backend_by_version_and_chip(version, chip, found):
    assert choose_compilation(version, "Ascend", chip) == found


def test_other_devices_keep_mindspores_own_level():
    for target in ("CPU", "GPU"):
        assert choose_compilation((2, 8, 0), target) == Compilation("ms_backend", "", False)


def test_options_go_over_the_rule():
    assert choose_compilation((2, 8, 0), "Ascend", "ascend910b", "GE") == GE
    assert choose_compilation((2, 8, 0), "Ascend", "ascend910", "ms_backend", "O1").jit_level == "O1"


@pytest.mark.parametrize(("version", "target", "named"), [((2, 10, 0), "Ascend", "2.10.0"), ((2, 8, 0), "CPU", "CPU")])
def test_ge_where_there_is_none_is_one_line(version, target, named):
    with pytest.raises(UserError, match=f"option backend.*{named}.*--backend ms_backend"):
        choose_compilation(version, target, "ascend910", "GE")


class Cell:
    inputs = None

    def set_inputs(self, *inputs):
        self.inputs = inputs


@pytest.mark.parametrize(("level", "free"), [(None, True), ({"jit_level": "O0"}, True), ({"jit_level": "O2"}, False)])
def test_sides_are_free_only_where_the_backend_takes_that(monkeypatch, level, free):
    from mindspore import context

    monkeypatch.setattr(context, "get_jit_config", lambda: level)
    cell = Cell()
    compilation.set_free_inputs(cell, "image")
    assert cell.inputs == (("image",) if free else None)


def test_no_other_module_asks_for_free_sides():
    for path in (ROOT / "src").rglob("*.py"):
        if path.name != "compilation.py":
            assert ".set_inputs(" not in path.read_text("utf-8"), path


def test_rank_tables_and_the_overflow_check():
    assert "AllFinite" in overflow_check_remark("float16", {"RANK_TABLE_FILE": "t.json"})
    assert not overflow_check_remark("float16", {})
    assert not overflow_check_remark("bfloat16", {"RANK_TABLE_FILE": "t.json"})


@pytest.mark.parametrize(
    ("precision", "chip", "said"),
    [
        ("float32", "Ascend910", True),
        ("bfloat16", "ascend910", True),
        ("float16", "ascend910", False),
        ("float32", "ascend910b", False),
        ("float32", "", False),
    ],
)
def test_a_910a_that_computes_in_float16_without_a_scaled_loss_is_said(precision, chip, said):
    assert bool(half_products_remark(precision, chip)) == said


def test_gram_matrices_of_a_910a_stay_within_float16(monkeypatch):
    """There, the sum over all positions may not be formed before the division."""
    import mindspore as ms
    import numpy as np

    from src.losses import gram_matrix

    features = ms.Tensor(np.full((1, 2, 64, 64), 100.0, np.float32))
    largest = []
    real = ms.ops.BatchMatMul

    def noting(**options):
        product = real(**options)

        def run(a, b):
            found = product(a, b)
            largest.append(float(found.asnumpy().max()))
            return found

        return run

    monkeypatch.setattr("src.losses.ops.BatchMatMul", noting)
    grams = []
    for chip in ("", "ascend910"):
        monkeypatch.setattr(compilation, "ascend_chip", lambda chip=chip: chip)
        grams.append(gram_matrix(features).asnumpy())
    np.testing.assert_allclose(grams[1], np.full((1, 2, 2), 1e4), rtol=1e-5)
    np.testing.assert_allclose(grams[0], grams[1], rtol=1e-5)
    assert largest[0] > 65504 > largest[1]


def test_nothing_captures_bytecode():
    """Python 3.12 has no bytecode capture in MindSpore."""
    for path in [*ROOT.glob("*.py"), *(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "capture_mode":
                assert getattr(node.value, "value", None) != "bytecode", path
