"""Operators on Ascend: those of every recipe are known to the wheel's plug-ins, and one that is not is named.

src/ascend/found.yaml holds the operators of every recipe's training step; scripts/ascend_operators.py writes it.
"""

from pathlib import Path

import pytest
import yaml

from src.ascend.operators import CHIPS, check, chips_of, read_table, unlisted_onnx
from src.ascend.plugins import AscendPlugins, documented_platforms
from src.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
FOUND = yaml.safe_load((ROOT / "src/ascend/found.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def plugins():
    try:
        return AscendPlugins()
    except UserError as error:
        pytest.skip(str(error))


def test_every_recipe_was_looked_at():
    assert set(FOUND) == {path.name for path in (ROOT / "configs").glob("*.yaml")}


def test_no_operator_of_any_recipe_is_missing(plugins):
    everything = {}
    for primitives in FOUND.values():
        for name, types in primitives.items():
            everything[name] = tuple(sorted({*everything.get(name, ()), *types}))
    assert {"Conv2D", "Conv2DBackpropFilter", "BatchNormGrad", "Adam"} <= set(everything)
    assert [f"{found.name}: {found.missing}" for found in check(everything, plugins) if found.missing] == []


def test_a_planted_operator_is_missing(plugins):
    planted = check({"NoSuchOperator": ("float",), "Conv2D": ("float16",)}, plugins)
    assert [found.name for found in planted if found.missing] == ["NoSuchOperator"]


def test_an_operator_that_its_definition_keeps_to_other_devices_is_missing(plugins):
    """Cholesky's definition of 2.8 names the GPU and the CPU."""
    assert documented_platforms("Conv2D") == ("Ascend", "GPU", "CPU")
    assert "Ascend" not in documented_platforms("Cholesky")
    assert check({"Cholesky": ("float",)}, plugins)[0].missing


def test_the_table_says_yes_no_or_unknown():
    table = read_table()
    assert chips_of("BatchNorm", ("bfloat16",), table) == {"910A": "no", "910B": "yes", "A3": "yes", "310P": "no"}
    assert chips_of("AllReduce", ("float",), table) == dict.fromkeys(CHIPS, "yes")
    assert chips_of("Erf", ("float",), table) == dict.fromkeys(CHIPS, "unknown")
    for name, row in table["operators"].items():
        assert row["source"].startswith("https://"), name
    assert set(table["primitives"].values()) <= set(table["operators"])
    assert table["registered_910A"]["source"].startswith("https://")


def test_the_register_of_the_910_speaks_of_the_910a_alone():
    table = read_table()
    others = dict.fromkeys(CHIPS, "unknown")
    assert chips_of("ReluGrad", ("float16",), table) == {**others, "910A": "yes"}
    assert chips_of("ReluGrad", ("bfloat16",), table) == {**others, "910A": "no"}
    # pooling of float32 is computed in float16
    assert chips_of("AvgPool", ("float", "float16"), table)["910A"] == "yes"
    assert chips_of("AvgPool", ("double",), table)["910A"] == "no"
    register = table["registered_910A"]
    assert set(register["cast_to_float16"]) <= set(register["operators"])
    assert not set(register["operators"]) & set(table["primitives"])


def test_most_operators_of_the_recipes_are_documented_for_a_910a():
    table, everything = read_table(), {}
    for primitives in FOUND.values():
        for name, types in primitives.items():
            everything[name] = {*everything.get(name, ()), *types}
    known = {name: chips_of(name, types, table)["910A"] for name, types in everything.items()}
    assert [name for name, found in known.items() if found == "no"] == []
    assert sum(found == "yes" for found in known.values()) >= 0.7 * len(known)


@pytest.mark.parametrize("path", sorted((ROOT / "pretrained_model").glob("*.onnx")), ids=lambda path: path.name)
def test_the_bundled_onnx_files_have_listed_operators(path):
    pytest.importorskip("onnx")
    assert unlisted_onnx(path) == []


def test_an_onnx_operator_that_is_not_listed_is_named(tmp_path):
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    nodes = [onnx.helper.make_node(kind, ["x"], [kind]) for kind in ("Relu", "GridSampleOfNobody")]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [value], [])), tmp_path / "a.onnx")
    assert unlisted_onnx(tmp_path / "a.onnx") == ["GridSampleOfNobody"]


@pytest.mark.parametrize("recipe", FOUND)
def test_in_float16_statistics_and_gram_matrices_stay_in_float32(recipe):
    found = FOUND[recipe]
    assert "float16" in found["Conv2D"]
    for name in ("BatchNorm", "BatchMatMul", "ReduceMean", "Adam"):
        assert set(found.get(name, [])) <= {"float"}, name
