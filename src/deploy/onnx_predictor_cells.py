"""ONNX operators of the style prediction networks' cells."""

import numpy as np
from mindspore import nn

from src.deploy.onnx_emit import emit
from src.models.compact_prediction import CompactPredictor
from src.models.inception_v3 import AveragePool, ConvNorm, InceptionV3, MaxPool, Mixed
from src.models.shapes import MIXED
from src.models.style_prediction import ROW_UNIT, InceptionPredictor, StyleTable


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


def rows(cell, graph) -> str:
    """The constant of a `StyleTable`'s gammas and betas, (styles, size)."""
    return graph.constant(ROW_UNIT * np.stack([row.asnumpy() for row in cell.rows]), "rows")


@emit.register
def _style_table(cell: StyleTable, graph, weights):
    return graph.add("MatMul", weights, rows(cell, graph))


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
