"""Graphs of an exported pair for a browser: half the bytes, and no operator that WebGPU leaves to the processor."""

import numpy as np

# Smaller constants keep their precision: together they weigh nothing, and some are epsilons that half precision rounds
# to 0.
LEAST_HALVED = 256


def for_browser(source, target) -> None:
    """Writes an exported ONNX graph with weights of half precision and without SpaceToDepth and DepthToSpace.

    Inputs, outputs and arithmetic stay float32: each weight is followed by a Cast, which ONNX Runtime folds when it
    loads the graph. SpaceToDepth and DepthToSpace become Reshape, Transpose, Reshape, as ONNX defines them.

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
    for node in graph.node:
        if node.op_type in ("SpaceToDepth", "DepthToSpace"):
            nodes += _reshapes(node, constants)
        else:
            nodes.append(node)
    weights, casts = [], []
    for tensor in graph.initializer:
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


def _reshapes(node, constants):
    """The operators that do the same as a SpaceToDepth or a DepthToSpace of (N, C, H, W).

    Sides are read from the shape, so that they stay free. In the shapes given to Reshape, 0 is the side that stands
    there before, and -1 is what is left.

    Args:
        node: the operator.
        constants: {name: array}, to which theirs are added.
    """
    from onnx import helper

    settings = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if settings.get("mode", b"DCR") != b"DCR":
        raise ValueError(f"{node.output[0]}: DepthToSpace of mode {settings['mode'].decode()}, expected DCR")
    block, source, result = settings["blocksize"], node.input[0], node.output[0]
    nodes = []

    def add(operator, *inputs, output="", **attributes):
        names = []
        for value in inputs:
            if not isinstance(value, str):
                name = f"{result}.constant{len(constants)}"
                constants[name] = np.array(value, np.int64)
                value = name
            names.append(value)
        output = output or f"{result}.{operator}{len(nodes)}"
        nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

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
    add("Reshape", turned, joined, output=result)
    return nodes
