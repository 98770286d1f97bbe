"""ONNX graphs, written operator by operator from the networks' own cells, and run in ONNX Runtime.

MindSpore's own ONNX exporter takes none of MirrorPad, Rsqrt, bilinear resizing and free height and width, so it can
write no network of this family. Weights, strides, borders and options are read from the cells; only the order of
operations in each `construct` is repeated here, and every export is compared with the network before it is kept.

A program that imports both must import mindspore before onnx: the other way round, MindSpore's import fails.
"""

from functools import singledispatch

import mindspore as ms
import numpy as np
import onnx
import onnxruntime
from mindspore import nn
from onnx import TensorProto, helper, numpy_helper

from src.errors import UserError
from src.models.factory import StylizationModel
from src.models.inception_v3 import AveragePool, ConvNorm, InceptionV3, MaxPool, Mixed
from src.models.layers import Convolution, ImageConvolution, Upsample2x
from src.models.normalization import EPSILON, InstanceNorm, SharedNorm
from src.models.shapes import MIXED
from src.models.style_prediction import CompactPredictor, InceptionPredictor
from src.models.style_transfer import (
    RESIDUAL_BLOCKS,
    ContractLayer,
    OutputLayer,
    ResidualBlock,
    StyleTransferNetwork,
    UpsamplingLayer,
)
from src.models.tiling import TilingNetwork, shared_norms

# The newest that ONNX Runtime 1.12 (July 2022), and with it nearly every engine in use, reads
OPSET = 17
IR_VERSION = 8
ENGINE = "ONNX Runtime"


class Graph:
    """Collects the operators and constants of an ONNX graph. Values are known by their names.

    Attributes:
        given: {`SharedNorm`: names of the flag that its statistics are given, and of the mean and variance given}.
        collected: names of each such norm's mean and variance, in their order; all of these (1, C, 1, 1).
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
    """Writes a cell's operators to a graph; takes and returns names of values, as its `construct` does tensors."""
    raise UserError(f"ONNX: no translation of {type(cell).__name__}; use --file_format MINDIR")


@emit.register
def _convolution(cell: Convolution, graph, x):
    x, border = _pad(cell, graph, x)
    weights = [cell.weight] if cell.bias is None else [cell.weight, cell.bias]
    return graph.add("Conv", x, *weights, strides=[cell.stride] * 2, pads=[border] * 4)


def _pad(cell, graph, x):
    """The convolution's input, reflected when it is, and the border of zeros that is left to do."""
    border = (cell.kernel_size - 1) // 2
    if cell.mirror is None:
        return x, border
    return graph.add("Pad", x, np.array([0, 0, border, border] * 2, np.int64), mode="reflect"), 0


@emit.register
def _image_convolution(cell: ImageConvolution, graph, x):
    x, border = _pad(cell, graph, x)
    # as `block_weight` makes it, but that ONNX counts a block's four pixels before their channels; in NumPy, since
    # MindSpore 2.8 may abort at exit, freeing what single operations left, when ONNX's libraries are loaded too
    (o, i), k = cell.weight.shape[:2], cell.blocks
    weight = cell.weight.asnumpy().reshape(o * i, -1) @ cell.place.asnumpy()
    weight = weight.reshape(o, i, 4, 4, k, k).transpose(2, 0, 3, 1, 4, 5).reshape(4 * o, 4 * i, k, k)
    x = graph.add("SpaceToDepth", x, blocksize=2)
    x = graph.add("Conv", x, graph.constant(weight, cell.weight.name), pads=[border // 2] * 4)
    x = graph.add("DepthToSpace", x, blocksize=2, mode="DCR")
    return x if cell.bias is None else graph.add("Add", x, cell.bias.asnumpy()[:, None, None])


@emit.register
def _instance_norm(cell: InstanceNorm, graph, x, gamma=None, beta=None):
    ones, zeros = np.ones(cell.channels, np.float32), np.zeros(cell.channels, np.float32)
    own = (cell.gamma, cell.beta) if cell.affine else (ones, zeros)
    x = graph.add("InstanceNormalization", x, *own, epsilon=EPSILON)
    return x if gamma is None else graph.add("Add", graph.add("Mul", x, gamma), beta)


@emit.register
def _shared_norm(cell: SharedNorm, graph, x, gamma=None, beta=None):
    flag, mean, variance = graph.given[cell]
    over = {"axes": [0, 2, 3], "keepdims": 1}
    mean = graph.add("Where", flag, mean, graph.add("ReduceMean", x, **over))
    centred = graph.add("Sub", x, mean)
    variance = graph.add("Where", flag, variance, graph.add("ReduceMean", graph.add("Mul", centred, centred), **over))
    graph.collected.append((mean, variance))
    scale, offset = graph.add("Div", 1.0, graph.add("Sqrt", graph.add("Add", variance, EPSILON))), 0.0
    maps = [[p.asnumpy()[:, None, None] for p in (cell.gamma, cell.beta)]] if cell.affine else []
    for factor, shift in maps if gamma is None else [*maps, (gamma, beta)]:
        scale, offset = graph.add("Mul", scale, factor), graph.add("Add", graph.add("Mul", offset, factor), shift)
    return graph.add("Add", graph.add("Mul", centred, scale), offset)


@emit.register
def _upsample(cell: Upsample2x, graph, x):
    settings = {"mode": "linear"} if cell.linear else {"mode": "nearest", "nearest_mode": "floor"}
    scales = np.array([1, 1, 2, 2], np.float32)
    return graph.add("Resize", x, "", scales, coordinate_transformation_mode="asymmetric", **settings)


@emit.register
def _contract(cell: ContractLayer, graph, x):
    return graph.add("Relu", emit(cell.norm, graph, emit(cell.conv, graph, x)))


@emit.register
def _residual(cell: ResidualBlock, graph, x, style1, style2):
    y = graph.add("Relu", emit(cell.norm1, graph, emit(cell.conv1, graph, x), *style1))
    return graph.add("Add", x, emit(cell.norm2, graph, emit(cell.conv2, graph, y), *style2))


@emit.register
def _upsampling(cell: UpsamplingLayer, graph, x, style):
    return graph.add("Relu", emit(cell.norm, graph, emit(cell.conv, graph, emit(cell.upsample, graph, x)), *style))


@emit.register
def _output(cell: OutputLayer, graph, x, style):
    x = emit(cell.norm, graph, emit(cell.conv, graph, x), *style)
    # (tanh(x) + 1) / 2, in one operator
    return graph.add("Sigmoid", graph.add("Mul", x, 2.0) if cell.tanh else x)


@emit.register
def _transfer(cell: StyleTransferNetwork, graph, content, embedding):
    values = graph.add("Unsqueeze", emit(cell.heads, graph, embedding), np.array([2, 3], np.int64))
    sizes = np.tile(np.diff(cell.bounds), 2)  # all gammas, then all betas
    names = graph.add("Split", values, sizes.astype(np.int64), axis=1, outputs=len(sizes))
    layers = len(sizes) // 2
    gammas, betas = names[:layers], names[layers:]
    if cell.half_offsets:
        for i in range(2 * RESIDUAL_BLOCKS, layers):
            half = graph.add("Cast", betas[i], to=TensorProto.FLOAT16)
            betas[i] = graph.add("Cast", half, to=TensorProto.FLOAT)
    styles = iter(zip(gammas, betas, strict=True))

    x = graph.add("Sub", graph.add("Mul", content, 2.0), 1.0) if cell.tanh else content
    for layer in (cell.contract1, cell.contract2, cell.contract3):
        x = emit(layer, graph, x)
    for block in (cell.residual1, cell.residual2, cell.residual3, cell.residual4, cell.residual5):
        x = emit(block, graph, x, next(styles), next(styles))
    for layer in (cell.upsample1, cell.upsample2, cell.output):
        x = emit(layer, graph, x, next(styles))
    return x


@emit.register
def _tiles(cell: TilingNetwork, graph, content, embedding, statistics, given):
    norms = shared_norms(cell.collecting)
    flag = graph.add("Cast", given, to=TensorProto.BOOL)
    values = graph.add("Unsqueeze", statistics, np.array([2, 3], np.int64))
    sizes = np.array([norm.channels for norm in norms], np.int64)
    for norm, pair in zip(norms, graph.add("Split", values, sizes, axis=1, outputs=len(norms)), strict=True):
        graph.given[norm] = (flag, *graph.add("Split", pair, np.array([1, 1], np.int64), axis=0, outputs=2))
    pastiche = emit(cell.collecting, graph, content, embedding)
    rows = [graph.add("Concat", *names, axis=1) for names in zip(*graph.collected, strict=True)]
    return pastiche, graph.add("Flatten", graph.add("Concat", *rows, axis=0))


@emit.register
def _dense(cell: nn.Dense, graph, x):
    x = graph.add("Gemm", x, cell.weight, cell.bias, transB=1)
    return x if cell.activation is None else emit(cell.activation, graph, x)


@emit.register
def _relu(cell: nn.ReLU, graph, x):
    return graph.add("Relu", x)


@emit.register
def _conv2d(cell: nn.Conv2d, graph, x):
    return _library_convolution(cell, graph, x, [cell.weight, cell.bias] if cell.has_bias else [cell.weight])


def _library_convolution(cell, graph, x, weights):
    assert cell.pad_mode == "pad", f"padding mode {cell.pad_mode} has no translation"
    top, bottom, left, right = (cell.padding,) * 4 if isinstance(cell.padding, int) else cell.padding
    return graph.add(
        "Conv",
        x,
        *weights,
        strides=list(cell.stride),
        dilations=list(cell.dilation),
        group=cell.group,
        pads=[top, left, bottom, right],
    )


@emit.register
def _sequence(cell: nn.SequentialCell, graph, x):
    for layer in cell.cell_list:
        x = emit(layer, graph, x)
    return x


@emit.register
def _conv_norm(cell: ConvNorm, graph, x):
    bn = cell.bn
    gamma, beta, mean, variance = (
        p.asnumpy().astype(np.float64) for p in (bn.gamma, bn.beta, bn.moving_mean, bn.moving_variance)
    )
    scale = gamma / np.sqrt(variance + bn.eps)
    name = cell.conv.weight.name
    weight = (cell.conv.weight.asnumpy() * scale[:, None, None, None]).astype(np.float32)
    weights = [graph.constant(weight, name), graph.constant((beta - mean * scale).astype(np.float32), f"{name}.bias")]
    return graph.add("Relu", _library_convolution(cell.conv, graph, x, weights))


@emit.register
def _average_pool(cell: AveragePool, graph, x):
    return graph.add("AveragePool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4, count_include_pad=0)


@emit.register
def _max_pool(cell: MaxPool, graph, x):
    return graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])


@emit.register
def _mixed(cell: Mixed, graph, x):
    branches = (cell.branch0, cell.branch1, cell.branch2, cell.branch_pool)
    return graph.add("Concat", *(emit(branch, graph, x) for branch in branches if branch is not None), axis=1)


@emit.register
def _inception(cell: InceptionV3, graph, x):
    x = graph.add("Div", graph.add("Sub", x, cell.mean.asnumpy()), cell.std.asnumpy())
    for layer in (cell.Conv2d_1a, cell.Conv2d_2a, cell.Conv2d_2b, cell.pool, cell.Conv2d_3b, cell.Conv2d_4a, cell.pool):
        x = emit(layer, graph, x)
    for name in MIXED:
        x = emit(getattr(cell, name), graph, x)
    return x


@emit.register
def _inception_predictor(cell: InceptionPredictor, graph, style):
    features = graph.add("GlobalAveragePool", emit(cell.inception, graph, style))
    return emit(cell.dense, graph, graph.add("Flatten", features))


@emit.register
def _compact_predictor(cell: CompactPredictor, graph, style):
    x = graph.add("Sub", graph.add("Mul", style, 2.0), 1.0)
    statistics = []
    for stage in cell.stages:
        x = emit(stage, graph, x)
        mean = graph.add("GlobalAveragePool", x)
        centred = graph.add("Sub", x, mean)
        variance = graph.add("GlobalAveragePool", graph.add("Mul", centred, centred))
        statistics += [mean, graph.add("Sqrt", graph.add("Add", variance, 1e-6))]
    statistics = graph.add("Flatten", graph.add("Concat", *statistics, axis=1))
    standard = graph.add("Div", graph.add("Sub", statistics, cell.center), cell.scale)
    refined = emit(cell.refine, graph, emit(cell.refine_hidden, graph, standard))
    translated = graph.add("Add", emit(cell.translate, graph, standard), refined)
    return emit(cell.dense, graph, emit(cell.hidden, graph, translated))


@emit.register
def _model(cell: StylizationModel, graph, content, style):
    return emit(cell.transfer, graph, content, emit(cell.predictor, graph, style))


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
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]

    def run(*arrays):
        results = session.run(None, dict(zip(names, arrays, strict=True)))
        return results[0] if len(results) == 1 else results

    return run


def versions() -> dict:
    """Versions for the manifest."""
    return {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__, "opset": OPSET, "ir_version": IR_VERSION}
