"""PyTorch's files: read without running what is in them."""

import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from torch_files import write_legacy_pth, write_pth

from src.errors import UserError
from src.weights.torch_file import read_torch_file


@pytest.mark.parametrize("write", [write_pth, write_legacy_pth])
def test_pth_is_read_without_torch(tmp_path, torch_pickler, write):
    arrays = {
        "half": np.arange(6, dtype=np.float16).reshape(2, 3),
        "float": np.random.default_rng(0).standard_normal((4, 3, 2)).astype(np.float32),
        "count": np.array([7], np.int64),
    }
    found = read_torch_file(write(tmp_path / "file.pth", arrays, torch_pickler))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    assert found["half"].dtype == found["float"].dtype == np.float32


def write_one(path, tensor, torch_pickler, raw):
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("x/data.pkl", "w") as stream:
            torch_pickler.Pickler(stream, protocol=2).dump({"state_dict": {"module.t": tensor, "epoch": 3}})
        archive.writestr("x/data/0", raw.tobytes())
    return path


def test_views_and_bfloat16(tmp_path, torch_pickler):
    values = np.arange(12, dtype=np.float32)
    turned = torch_pickler.tensor("0", values, offset=2, shape=(2, 3), strides=(1, 3))
    found = read_torch_file(write_one(tmp_path / "view.pth", turned, torch_pickler, values))
    np.testing.assert_array_equal(found["module.t"], [[2, 5, 8], [3, 6, 9]])
    upper = np.array([0x3FC0, 0xC000], "<u2")  # 1.5 and -2
    brain = torch_pickler.tensor("0", upper)
    found = read_torch_file(write_one(tmp_path / "brain.pth", brain, torch_pickler, upper))
    np.testing.assert_array_equal(found["module.t"], [1.5, -2])


def test_tensor_outside_of_its_storage_is_refused(tmp_path, torch_pickler):
    values = np.arange(4, dtype=np.float32)
    outside = torch_pickler.tensor("0", values, offset=1, shape=(4,), strides=(1,))
    with pytest.raises(UserError, match="outside of its storage"):
        read_torch_file(write_one(tmp_path / "file.pth", outside, torch_pickler, values))


def test_pickle_that_runs_something_is_refused_unrun(tmp_path):
    class Attack:
        def __reduce__(self):
            return (open, (str(tmp_path / "proof"), "w"))

    with zipfile.ZipFile(tmp_path / "bad.pth", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": Attack()}, protocol=2))
    with pytest.raises(UserError, match="open, which a state dict does not need"):
        read_torch_file(tmp_path / "bad.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Attack(), protocol=2))
    with pytest.raises(UserError, match="open, which a state dict does not need"):
        read_torch_file(tmp_path / "old.pth")
    assert not (tmp_path / "proof").exists()


@pytest.mark.parametrize("write", [write_pth, write_legacy_pth])
def test_damaged_pth_is_refused(tmp_path, torch_pickler, write):
    path = write(tmp_path / "file.pth", {"weight": np.ones((50, 50), np.float32)}, torch_pickler)
    whole = path.read_bytes()
    for length in (0, 1, 40, len(whole) // 2, len(whole) - 40):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"file.pth: .*(damaged|does not need)") as error:
            read_torch_file(path)
        assert "\n" not in str(error.value)


def test_files_of_torch_itself(tmp_path):
    torch = pytest.importorskip("torch")
    state = OrderedDict(a=torch.randn(3, 4).t(), b=torch.nn.Parameter(torch.randn(5)), c=torch.randn(2).half())
    for new in (True, False):
        torch.save(state, tmp_path / "file.pth", _use_new_zipfile_serialization=new)
        found = read_torch_file(tmp_path / "file.pth")
        for name, tensor in state.items():
            np.testing.assert_array_equal(found[name], tensor.detach().float().numpy())
