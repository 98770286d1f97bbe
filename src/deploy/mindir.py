"""MindIR, which MindSpore and MindSpore Lite run, and AIR, which Ascend's own tools convert."""

import shutil

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn

from src.engines.mindir import read_graph
from src.files import temporary_folder

ENGINE = "MindSpore"


def _export(part, path, file_format):
    inputs = [
        Tensor(shape=[None if isinstance(side, str) else side for side in port.shape], dtype=ms.float32)
        if any(isinstance(side, str) for side in port.shape)
        else Tensor(np.zeros(port.shape, np.float32))
        for port in part.inputs
    ]
    with temporary_folder() as folder:
        # MindSpore's export refuses folders with spaces or letters beyond ASCII in their names
        plain = folder / f"graph.{file_format.lower()}"
        ms.export(part.cell, *inputs, file_name=str(plain), file_format=file_format)
        shutil.copyfile(plain, path)


def write(part, path):
    """Writes a part as a MindIR file."""
    _export(part, path, "MINDIR")


def write_air(part, path):
    """Writes a part as an AIR file, by the documented call; needs an Ascend device. Not run on hardware."""
    _export(part, path, "AIR")


def load(path):
    """A function of arrays, in the order of the graph's inputs, to its output, computed by MindSpore."""
    cell = nn.GraphCell(read_graph(path))
    return lambda *arrays: cell(*(Tensor(array) for array in arrays)).asnumpy()


def versions() -> dict:
    """Versions for the manifest, beside MindSpore's own."""
    return {}
