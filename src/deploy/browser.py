"""Graphs of an exported pair for a browser: half the bytes, and only operators that run on WebGPU."""

import numpy as np

# Smaller constants keep their precision: together they take few bytes, and some are epsilons that half precision would
# round to 0.
LEAST_HALVED = 256
# WebGPU promises eight buffers to an operator; ONNX Runtime's Split of 26 outputs fails there
MOST_BUFFERS = 6


def for_browser(source, target) -> None:
    """Writes an exported ONNX graph with weights of half precision, of operators that run on WebGPU.

    Inputs, outputs and arithmetic stay float32: each weight is followed by a Cast, which ONNX Runtime folds when it
    loads the graph. SpaceToDepth and DepthToSpace become Reshape, Transpose, Reshape, as ONNX defines them. A Split
    with many outputs becomes a Slice for each, a Concat of many inputs one of Concats.

    Args:
        source: file that export.py wrote.
        target: file to write.

    Raises:
        ValueError: a weight too large for half precision, or a DepthToSpace of another mode than DCR.
    """
    import onnx

    model = onnx.load(source)
    graph = model.graph
    nodes, constants = [], {}
    known = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        rewrite = _REWRITES.get(node.op_type)
        nodes += rewrite(node, _Rewriter(node, constants, known)) if rewrite else [node]
    weights, casts = [], []
    read = {name for node in nodes for name in node.input}
    for tensor in (tensor for tensor in graph.initializer if tensor.name in read):
        stored, cast = _halve(tensor)
        weights.append(stored)
        casts += cast
    weights += [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(casts + nodes)
    graph.initializer.extend(weights)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def _halve(tensor):
    """A constant as it is stored, and the Cast that restores it, or nothing."""
    from onnx import TensorProto, helper, numpy_helper

    array = numpy_helper.to_array(tensor)
    if array.dtype != np.float32 or array.size < LEAST_HALVED:
        return tensor, []
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not np.isfinite(half).all():
        raise ValueError(f"{tensor.name}: {np.abs(array).max():g} is too large for half precision")
    stored = numpy_helper.from_array(half, f"{tensor.name}.half")
    return stored, [helper.make_node("Cast", [stored.name], [tensor.name], to=TensorProto.FLOAT)]


class _Rewriter:
    """Collects the operators that replace one.

    Args:
        node: the operator.
        constants: {name: array}, to which the constants of the new operators are added.
        known: {name: tensor} of the graph's own constants.

    Attributes:
        settings: attributes of the operator.
        nodes: the operators that replace it.
    """

    def __init__(self, node, constants, known):
        from onnx import helper

        self.name, self.constants, self.known, self.nodes = node.output[0], constants, known, []
        self.settings = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}

    def add(self, operator, *inputs, output="", **attributes) -> str:
        """Adds an operator, and its lists of whole numbers as constants; returns the name of its output."""
        from onnx import helper

        names = []
        for value in inputs:
            if not isinstance(value, str):
                name = f"{self.name}.constant{len(self.constants)}"
                self.constants[name] = np.array(value, np.int64)
                value = name
            names.append(value)
        output = output or f"{self.name}.{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output


def _reshapes(node, graph):
    """The operators that do the same as a SpaceToDepth or a DepthToSpace of (N, C, H, W).

    Sides are read from the shape at run time, so that they stay free. In the shapes given to Reshape, 0 keeps the side
    of the input at that place, and -1 is the remaining size.
    """
    add, settings = graph.add, graph.settings
    if settings.get("mode", b"DCR") != b"DCR":
        raise ValueError(f"{node.output[0]}: DepthToSpace of mode {settings['mode'].decode()}, expected DCR")
    block, source = settings["blocksize"], node.input[0]
    sides = add("Shape", source, start=2, end=4)
    if node.op_type == "DepthToSpace":
        split = add("Concat", [0, block, block, -1], sides, axis=0)
        order = (0, 3, 4, 1, 5, 2)
        joined = add("Concat", [0, 0], add("Mul", sides, [block]), axis=0)
    else:
        width = add("Shape", source, start=3, end=4)
        split = add("Concat", [0, 0, -1, block], add("Div", width, [block]), [block], axis=0)
        order = (0, 3, 5, 1, 2, 4)
        joined = add("Concat", [0, -1], add("Div", sides, [block]), axis=0)
    turned = add("Transpose", add("Reshape", source, split), perm=order)
    add("Reshape", turned, joined, output=node.output[0])
    return graph.nodes


def _slices(node, graph):
    """A Slice for each output of a Split of many."""
    from onnx import numpy_helper

    if len(node.output) <= MOST_BUFFERS:
        return [node]
    bounds = np.cumsum([0, *numpy_helper.to_array(graph.known[node.input[1]])])
    for output, low, high in zip(node.output, bounds[:-1], bounds[1:], strict=True):
        graph.add("Slice", node.input[0], [low], [high], [graph.settings["axis"]], output=output)
    return graph.nodes


def _concats(node, graph):
    """A Concat of many inputs as Concats of few."""
    inputs, axis = list(node.input), graph.settings["axis"]
    if len(inputs) <= MOST_BUFFERS:
        return [node]
    while len(inputs) > MOST_BUFFERS:
        groups = [inputs[i : i + MOST_BUFFERS] for i in range(0, len(inputs), MOST_BUFFERS)]
        inputs = [graph.add("Concat", *group, axis=axis) if len(group) > 1 else group[0] for group in groups]
    graph.add("Concat", *inputs, output=node.output[0], axis=axis)
    return graph.nodes


_REWRITES = {"SpaceToDepth": _reshapes, "DepthToSpace": _reshapes, "Split": _slices, "Concat": _concats}
