"""`Graph` collects the ONNX operators of a graph, and `emit` writes those of a cell, see the onnx_*_cells modules.

Weights, strides, borders and options are read from the cells. Only the order of operations in each `construct` is
repeated there. Every exported file is compared with the network before it is kept.
"""

from functools import singledispatch

import mindspore as ms
import numpy as np
from onnx import helper, numpy_helper

from src.errors import UserError


class Graph:
    """Collects the operators and constants of an ONNX graph. Values are known by their names.

    Attributes:
        given: {`SharedNorm`: names of three inputs: a flag whether the statistics are inputs, the mean, the variance}.
        collected: names of the mean and variance that each `SharedNorm` computes, in order; all of shape (1, C, 1, 1).
    """

    def __init__(self):
        self.nodes, self.constants = [], {}
        self.given, self.collected = {}, []

    def constant(self, array, name="") -> str:
        """The name of a constant; a parameter of the network keeps its own name."""
        if isinstance(array, ms.Parameter):
            name, array = array.name, array.asnumpy()
        name = name or f"constant{len(self.constants)}"
        self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def add(self, operator, *inputs, outputs=0, **attributes):
        """Adds an operator; arrays and numbers among its inputs become constants.

        Returns:
            the name of its output, or a list of names when `outputs` says how many.
        """
        inputs = [
            x if isinstance(x, str) else self.constant(np.float32(x) if isinstance(x, float) else x) for x in inputs
        ]
        name = f"{operator}{len(self.nodes)}"
        names = [f"{name}_{i}" for i in range(outputs)] if outputs else [name]
        self.nodes.append(helper.make_node(operator, inputs, names, name=name, **attributes))
        return names if outputs else name


@singledispatch
def emit(cell, graph, *inputs):
    """Writes a cell's operators to a graph. Takes and returns names of values where `construct` has tensors."""
    raise UserError(f"ONNX: no translation of {type(cell).__name__}; use --file_format MINDIR")
