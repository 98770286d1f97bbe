"""The primitives of compiled graphs, with the data types that they give: of a cell, or of an exported MindIR."""

from collections import defaultdict
from pathlib import Path

from mindspore.train.mind_ir_pb2 import ModelProto, TensorProto

# Nodes that order, pack or choose values and run nothing on a device.
STRUCTURE = {"Constant", "Partial", "Switch", "SwitchLayer", "Return", "UpdateState", "MakeTuple", "TupleGetItem"}
STRUCTURE |= {"Depend", "Load", "U", "NoneLike", "StopGradient", "MakeList", "ListGetItem"}


def cell_primitives(cell, inputs) -> dict:
    """Primitives of a cell compiled for inputs, with every optimisation before those of a device.

    Returns:
        {name: names of the data types of its results, sorted}.
    """
    from mindspore.common.api import _cell_graph_executor

    phase, _ = _cell_graph_executor.compile(cell, *inputs)
    return graph_primitives(_cell_graph_executor._get_func_graph_proto(cell, phase, "mind_ir"))


def file_primitives(path) -> dict:
    """Primitives of a MindIR file; see `cell_primitives`."""
    return graph_primitives(Path(path).read_bytes())


def graph_primitives(content) -> dict:
    """Primitives of a serialised MindIR; see `cell_primitives`."""
    model = ModelProto()
    model.ParseFromString(content)
    graphs = [model.graph, *model.functions]
    called = {graph.name for graph in graphs}
    found = defaultdict(set)
    for node in (node for graph in graphs for node in graph.node):
        name = _primitive(node.op_type)
        if name not in STRUCTURE and name.split(":")[0] not in called:
            found[name] |= _types(node)
    return {name: tuple(sorted(types)) for name, types in sorted(found.items())}


def _primitive(kind):
    """REF::Conv2D:12 is Conv2D, number 12."""
    return kind.removeprefix("REF::").rsplit(":", 1)[0] if kind.startswith("REF::") else kind


def _types(node):
    """Names of the data types of a node's results; several results are nested attributes."""
    shapes = [attribute for attribute in node.attribute if attribute.name == "shape"]
    return {TensorProto.DataType.Name(tensor.data_type).lower() for one in shapes for tensor in _tensors(one)}


def _tensors(attribute):
    yield from attribute.tensors
    for value in attribute.values:
        yield from _tensors(value)
