"""Files as PyTorch writes them, made without it, for the tests of src/weights."""

import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np


class FakeStorage:
    """Stands for the class of a storage; `persistent_id` below writes its name as PyTorch does."""

    def __init__(self, key, array):
        self.key, self.array = key, array


def fake_torch(monkeypatch):
    """A pickler that writes tensors as PyTorch does, made from stand-ins of the few names that its files mention."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*_):
        raise AssertionError("only written, never called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    kinds = {"<f4": "FloatStorage", "<i8": "LongStorage", "<f2": "HalfStorage", "<u2": "BFloat16Storage"}
    for name in kinds.values():
        setattr(torch, name, type(name, (), {"__module__": "torch"}))
    torch._utils = utils
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    class Tensor:
        def __init__(self, storage, offset, shape, strides):
            self.arguments = (storage, offset, shape, strides, False, OrderedDict())

        def __reduce__(self):
            return _rebuild_tensor_v2, self.arguments

    class Pickler(pickle.Pickler):
        legacy = False

        def persistent_id(self, value):
            if isinstance(value, FakeStorage):
                kind = getattr(torch, kinds[value.array.dtype.str])
                pid = ("storage", kind, value.key, "cpu", value.array.size)
                return (*pid, None) if self.legacy else pid
            return None

    def tensor(key, array, offset=0, shape=None, strides=None):
        array = np.ascontiguousarray(array)
        strides = strides or tuple(s // array.itemsize for s in array.strides)
        return Tensor(FakeStorage(key, array.reshape(-1)), offset, shape or array.shape, strides)

    return types.SimpleNamespace(Pickler=Pickler, tensor=tensor)


def write_pth(path, arrays, torch_pickler):
    """A zip archive, as PyTorch writes since 1.6."""
    tensors = OrderedDict((n, torch_pickler.tensor(str(i), a)) for i, (n, a) in enumerate(arrays.items()))
    with zipfile.ZipFile(path, "w") as archive:
        with archive.open("archive/data.pkl", "w") as stream:
            torch_pickler.Pickler(stream, protocol=2).dump(tensors)
        for i, array in enumerate(arrays.values()):
            archive.writestr(f"archive/data/{i}", np.ascontiguousarray(array).tobytes())
    return path


def write_legacy_pth(path, arrays, torch_pickler):
    """Pickles one after another and the numbers behind them, as PyTorch wrote before 1.6."""
    tensors = OrderedDict((n, torch_pickler.tensor(str(i), a)) for i, (n, a) in enumerate(arrays.items()))
    with path.open("wb") as file:
        for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(value, file, protocol=2)
        pickler = torch_pickler.Pickler(file, protocol=2)
        pickler.legacy = True
        pickler.dump(tensors)
        pickle.dump([str(i) for i in range(len(arrays))], file, protocol=2)
        for array in arrays.values():
            file.write(struct.pack("<q", array.size) + np.ascontiguousarray(array).tobytes())
    return path
