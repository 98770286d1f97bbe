"""What the installed MindSpore says of an operator on Ascend: its definition, and the wheel's plug-ins for Ascend."""

import importlib
import mmap
import re
from importlib.util import find_spec
from pathlib import Path

from src.errors import UserError

DEFINITIONS = (
    "mindspore.ops.operations",
    "mindspore.ops.auto_generate.gen_ops_prim",
    "mindspore.ops.operations._grad_ops",
    "mindspore.ops.operations._inner_ops",
)
# CANN's name of an operator where MindSpore's is another
CANN_NAMES = {"Unstack": "Unpack"}
REFERENCE = re.compile(r":func:`mindspore\.ops\.(\w+)`")
PLATFORMS = re.compile(r"Supported Platforms:\s*\n\s*((?:``\w+``\s*)+)")


def documented_platforms(name) -> tuple:
    """The devices under "Supported Platforms" in the definition of a primitive, or in that of the function to which the
    definition refers; () where neither names any."""
    for module in map(importlib.import_module, DEFINITIONS):
        text = getattr(getattr(module, name, None), "__doc__", "") or ""
        for function in REFERENCE.findall(text):
            text += getattr(getattr(importlib.import_module("mindspore.ops"), function, None), "__doc__", "") or ""
        found = PLATFORMS.search(text)
        if found:
            return tuple(re.findall(r"``(\w+)``", found[1]))
    return ()


class AscendPlugins:
    """The libraries for Ascend of a MindSpore wheel, searched for operators by name.

    Args:
        folder: lib/plugin of a wheel; None for the installed one.

    Raises:
        UserError: a MindSpore without them.
    """

    def __init__(self, folder=None):
        folder = Path(folder or Path(find_spec("mindspore").origin).parent / "lib/plugin")
        paths = [*folder.glob("libmindspore_*ascend*"), *folder.glob("ascend/libmindspore_*.so")]
        # what runs on the host beside the device is no operator of the device
        self._paths = sorted(path for path in paths if "cpu" not in path.name)
        if not self._paths:
            raise UserError(f"no Ascend plug-in in {folder}: install MindSpore's wheel for Linux, 2.8.0 has them")

    def find(self, name) -> str:
        """How the plug-ins know an operator: "aclnn", "name", "kernel", "graph" or "custom"; "" where they do not.

        aclnn: an API of CANN's operator library. name: the name itself, which CANN's operators are looked up by.
        kernel: a class <Name>Ascend. graph: a class of GE's operators. custom: an operator of MindSpore's own for
        Ascend's host processor.
        """
        text = CANN_NAMES.get(name, name).encode()
        marks = {
            "aclnn": b"aclnn%s\0" % text,
            "name": b"\0%s\0" % text,
            "kernel": b"%d%sAscend" % (len(text) + len("Ascend"), text),
            "graph": b"2op%d%sE" % (len(text), text),
            "custom": b"%dCust%sE" % (len(text) + len("Cust"), text),
        }
        for way, mark in marks.items():
            for path in self._paths:
                with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                    if content.find(mark) >= 0:
                        return way
        return ""
