"""MATLAB's files: read as SciPy reads them, and refused where SciPy's reader crashes."""

import struct

import numpy as np
import pytest
from scipy.io import savemat
from scipy.sparse import eye

from benchmarks.fuzz_files import WEIGHTS, whole_mat
from src.errors import UserError
from src.weights.convert import vgg_from_matconvnet
from src.weights.mat_file import read_mat


@pytest.mark.parametrize("packed", [False, True])
def test_numbers_texts_cells_and_structs(tmp_path, packed):
    cell = np.empty((1, 3), object)
    cell[0] = ["täxt", np.zeros((0, 0)), {"inner": np.arange(6.0).reshape(1, 2, 3)}]
    several = np.array([(1.0, "a"), (2.0, "b")], [("number", object), ("name", object)])
    variables = {"cell": cell, "several": several, "byte": np.uint8([[1, 2]]), "yes": np.array([True]), "n": 7}
    strange = {"sparse": eye(3, format="csc"), "complex": np.array([1j])}
    savemat(tmp_path / "a.mat", {**variables, **strange}, do_compression=packed)
    found = read_mat(tmp_path / "a.mat")
    text, empty, inner = found["cell"]
    assert text == "täxt" and empty.size == 0
    np.testing.assert_array_equal(inner.inner, np.arange(6.0).reshape(2, 3))
    assert [(int(one.number), one.name) for one in found["several"]] == [(1, "a"), (2, "b")]
    assert found["byte"].tolist() == [1, 2] and found["yes"] == 1 and found["n"] == 7
    assert not {"sparse", "complex"} & set(found)


def test_layers_of_a_network(tmp_path):
    (tmp_path / "a.mat").write_bytes(whole_mat())
    layers = read_mat(tmp_path / "a.mat")["layers"]
    assert [layer.name for layer in layers] == ["conv1_1", "conv1_2"]
    np.testing.assert_array_equal(layers[0].weights[0], WEIGHTS["a"])


def damaged():
    """{what is wrong: bytes}."""
    whole = whole_mat()
    deep = b""
    for _ in range(3000):  # cells of one cell each
        inside = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 1, 1) + struct.pack("<II", 1, 0) + deep
        deep = struct.pack("<II", 14, len(inside)) + inside
    shape = struct.pack("<IIii", 5, 8, 1, 2)
    assert shape in whole
    return {
        # scipy.io.loadmat of 1.17 ends with a segmentation fault
        "bytes are missing": whole[:656] + whole[664:792] + whole[803:],
        "a large cell": whole.replace(shape, struct.pack("<IIii", 5, 8, 2**30, 2**30)),
        "too deep": whole[:128] + deep,
        "no end": whole[:-20],
        "version 7.3": whole[:124] + b"\0\2IM" + whole[128:],
        "nothing": b"",
    }


@pytest.mark.parametrize("case", damaged())
def test_a_damaged_file_is_refused(tmp_path, case):
    (tmp_path / "a.mat").write_bytes(damaged()[case])
    with pytest.raises(UserError, match=r"a.mat: not a MatConvNet network, or damaged \(.+\)"):
        vgg_from_matconvnet(tmp_path / "a.mat")
