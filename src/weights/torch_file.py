"""Reads tensors from PyTorch's files without PyTorch, and without running code from a file.

A .pth file is a pickle, which can call any function when it is opened. The reader here knows the few names that a state
dict needs, builds these objects itself, and refuses every other name. Tensors are read from the raw bytes beside the
pickle.
Both layouts are read: the zip archive of PyTorch 1.6 and later, and the older one that torchvision's VGG files have.
"""

import pickle
import pickletools
import struct
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from src.errors import UserError, os_error_line

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
# opcodes of pickles that keep an object for later
REMEMBERING = ("PUT", "BINPUT", "LONG_BINPUT")


class _Unsafe(Exception):
    """The pickle asks for something that a state dict does not need."""


@dataclass(frozen=True)
class _Storage:
    kind: str
    key: str
    count: int


@dataclass
class _Tensor:
    """A tensor whose numbers are still in the file."""

    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple

    def __setstate__(self, state):
        """Ignores the flags that old files set after they have built a Parameter."""

    def array(self, raw) -> np.ndarray:
        kind = np.dtype(STORAGES[self.storage.kind])
        values = np.frombuffer(raw, kind)
        if prod(self.shape) > values.size:  # with strides of 0, a short file would fill the memory
            raise ValueError("a tensor has more numbers than its storage")
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides), default=0) < 0 or (prod(self.shape) and last >= values.size):
            raise ValueError("a tensor lies outside of its storage")
        strides = [s * kind.itemsize for s in self.strides]
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides, writeable=False)
        if self.storage.kind == "BFloat16Storage":
            return (view.astype(np.uint32) << 16).view(np.float32)
        return view.astype(np.float32) if kind.kind == "f" else view.copy()


def _refuse_state(*_):
    raise _Unsafe("a new state for a function")


def _unchangeable(called):
    """Lets no pickle set attributes of a function or class: a change would hold for all files read after this one."""
    called.__setstate__ = _refuse_state
    return called


@_unchangeable
def _rebuild(storage, offset, size, stride, *_):
    return _Tensor(storage, int(offset), tuple(map(int, size)), tuple(map(int, stride)))


@_unchangeable
def _rebuild_parameter(tensor, *_):
    return tensor


@_unchangeable
class _Parameter:
    """Old files build `torch.nn.parameter.Parameter` from a tensor."""

    def __new__(cls, tensor=None, *_):
        return tensor


class _Unpickler(pickle.Unpickler):
    ALLOWED = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor"): _rebuild,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        ("torch.nn.parameter", "Parameter"): _Parameter,
    }

    def __init__(self, file):
        super().__init__(file, encoding="utf-8")
        self.file = file
        self.kinds = {}

    def find_class(self, module, name):
        if (module, name) in self.ALLOWED:
            return self.ALLOWED[module, name]
        if module in ("torch", "torch.cuda") and name in STORAGES:
            return name  # the name of a storage's class says the type of its numbers
        raise _Unsafe(f"{module}.{name}")

    def persistent_load(self, pid):
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or pid[1] not in STORAGES:
            raise _Unsafe(f"storage {pid!r}"[:80])
        if len(pid) > 5 and pid[5] is not None:
            raise ValueError("a storage is part of another one")
        self.kinds[str(pid[2])] = np.dtype(STORAGES[pid[1]])
        return _Storage(pid[1], str(pid[2]), int(pid[4]))

    def load(self):
        """The next pickle of the file.

        Raises:
            ValueError: it is damaged, or remembers an object under a number beyond its own length. Python makes room
                for all numbers below that one: for 16 GB, six bytes are enough.
        """
        start = self.file.tell()
        for opcode, argument, place in pickletools.genops(self.file):
            if opcode.name in REMEMBERING and argument > place - start:
                raise ValueError("an object has a number beyond the file")
        self.file.seek(start)
        return super().load()


def _tensors(loaded):
    """The state dict of a file: the loaded object itself, or its entry under a usual key of a training checkpoint."""
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    if not isinstance(loaded, dict):
        raise ValueError("no state dict in it")
    tensors = {str(name): value for name, value in loaded.items() if isinstance(value, _Tensor)}
    if not tensors:
        raise ValueError("no tensors in it")
    return tensors


def _read_zip(file):
    with zipfile.ZipFile(file) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            # a small file could unpack to more than the memory
            raise ValueError("packed, as PyTorch writes no file")
        root = next((name[: -len("data.pkl")] for name in archive.namelist() if name.endswith("data.pkl")), None)
        if root is None:
            raise ValueError("no data.pkl in the archive")
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("written on a big-endian machine")
        with archive.open(f"{root}data.pkl") as stream:
            tensors = _tensors(_Unpickler(stream).load())
        data = f"{root}data/"
        return {name: tensor.array(archive.read(data + tensor.storage.key)) for name, tensor in tensors.items()}


def _read_legacy(file):
    if _Unpickler(file).load() != LEGACY_MAGIC:
        raise ValueError("not a PyTorch file")
    _Unpickler(file).load()  # version of the protocol
    _Unpickler(file).load()  # byte order and sizes of the machine that wrote it
    contents = _Unpickler(file)
    tensors = _tensors(contents.load())
    raw = {}
    for key in _Unpickler(file).load():
        (count,) = struct.unpack("<q", file.read(8))
        raw[str(key)] = file.read(count * contents.kinds[str(key)].itemsize)
    return {name: tensor.array(raw[tensor.storage.key]) for name, tensor in tensors.items()}


def read_torch_file(path) -> dict[str, np.ndarray]:
    """Tensors of a .pth or .pt file by name, floats as float32.

    Raises:
        UserError: no such file, not PyTorch's, damaged, or it needs anything but tensors (a whole pickled model, say).
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _read_zip(file) if zipfile.is_zipfile(path) else _read_legacy(file)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except _Unsafe as error:
        raise UserError(
            f"{path}: holds {error}, which a state dict does not need, so it was not opened further; save the "
            "weights alone with torch.save(model.state_dict(), file)"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: {os_error_line(error)}") from None
    except Exception as error:  # noqa: BLE001  of the modules pickle and zipfile, wherever damaged bytes lead them
        reason = " ".join(str(error).split()) or "ends early"
        raise UserError(f"{path}: not a PyTorch state dict, or damaged ({reason[:100]})") from None
