"""Writes ONNX files of the exported parts, and runs them in ONNX Runtime.

MindSpore's own ONNX exporter has no MirrorPad, no Rsqrt, no bilinear resizing and no free height and width. So it can't
write any network of this family. The graphs are written here operator by operator from the networks' cells.

A program that imports both packages must import mindspore before onnx. The other way round, MindSpore's import fails.
"""

import onnx
import onnxruntime
from onnx import TensorProto, helper

from src.deploy import onnx_predictor_cells, onnx_transfer_cells  # noqa: F401  they register their cells
from src.deploy.onnx_emit import Graph, emit
from src.deploy.parts import SingleStyle
from src.models.factory import StylizationModel

# The newest opset that ONNX Runtime 1.12 (July 2022) reads, and with it nearly every engine in use
OPSET = 17
IR_VERSION = 8
ENGINE = "ONNX Runtime"


@emit.register
def _model(cell: StylizationModel, graph, content, style):
    return emit(cell.transfer, graph, content, emit(cell.predictor, graph, style))


@emit.register
def _single_style(cell: SingleStyle, graph, content):
    return emit(cell.transfer, graph, content, onnx_predictor_cells.rows(cell.predictor, graph))


def build(part) -> onnx.ModelProto:
    """The ONNX model of a `src.deploy.parts.Part`, weights inside, checked for well-formedness."""
    graph = Graph()
    results = emit(part.cell, graph, *(port.name for port in part.inputs))
    for port, result in zip(part.outputs, [results] if isinstance(results, str) else results, strict=True):
        graph.nodes.append(helper.make_node("Identity", [result], [port.name], name=f"result_{port.name}"))
    inputs, outputs = (
        [helper.make_tensor_value_info(port.name, TensorProto.FLOAT, port.shape) for port in ports]
        for ports in (part.inputs, part.outputs)
    )
    body = helper.make_graph(
        graph.nodes, f"arbitrary_style_transfer_{part.name}", inputs, outputs, list(graph.constants.values())
    )
    model = helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="arbitrary_style_transfer",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write(part, path):
    """Writes a part as an ONNX file."""
    path.write_bytes(build(part).SerializeToString())


def load(path):
    """A function of arrays, in the order of the graph's inputs, to its outputs, computed by ONNX Runtime on the CPU.

    A single output is the array itself, several are a list.
    """
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(*arrays):
        results = session.run(None, dict(zip(names, arrays, strict=True)))
        return results[0] if len(results) == 1 else results

    return run


def versions() -> dict:
    """Versions for the manifest."""
    return {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "opset": OPSET, "ir_version": IR_VERSION}
