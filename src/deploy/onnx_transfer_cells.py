"""ONNX operators of the style transfer network's cells."""

import numpy as np
from onnx import TensorProto

from src.deploy.onnx_emit import emit
from src.models.layers import (
    BilinearConvolution,
    Convolution,
    ImageConvolution,
    UpsampledConvolution,
    UpsampledImageConvolution,
)
from src.models.normalization import EPSILON, InstanceNorm, SharedNorm
from src.models.style_transfer import (
    RESIDUAL_BLOCKS,
    ContractLayer,
    OutputLayer,
    ResidualBlock,
    StyledLayer,
    StyleTransferNetwork,
)
from src.models.tiling import TilingNetwork, shared_norms


@emit.register
def _convolution(cell: Convolution, graph, x):
    x, border = _pad(cell, graph, x)
    weights = [cell.weight] if cell.bias is None else [cell.weight, cell.bias]
    return graph.add("Conv", x, *weights, strides=[cell.stride] * 2, pads=[border] * 4)


def _pad(cell, graph, x):
    """The convolution's input, extended by reflection where the cell does so, and the border of zeros that remains."""
    border = (cell.kernel_size - 1) // 2
    if cell.mirror is None:
        return x, border
    return graph.add("Pad", x, np.array([0, 0, border, border] * 2, np.int64), mode="reflect"), 0


@emit.register
def _image_convolution(cell: ImageConvolution, graph, x):
    x, border = _pad(cell, graph, x)
    # as `block_weight` makes it, but ONNX counts a block's pixels before their channels. In NumPy, since
    # MindSpore 2.8 may abort at exit after single operations when ONNX's libraries are loaded, too
    (o, i), k, pixels = cell.weight.shape[:2], cell.blocks, cell.BLOCK**2
    weight = cell.weight.asnumpy().reshape(o * i, -1) @ cell.place.asnumpy()
    weight = (
        weight.reshape(o, i, pixels, pixels, k, k).transpose(2, 0, 3, 1, 4, 5).reshape(pixels * o, pixels * i, k, k)
    )
    x = graph.add("SpaceToDepth", x, blocksize=cell.BLOCK)
    x = graph.add("Conv", x, graph.constant(weight, cell.weight.name), pads=[border // cell.BLOCK] * 4)
    x = graph.add("DepthToSpace", x, blocksize=cell.BLOCK, mode="DCR")
    return _bias(cell, graph, x)


def _bias(cell, graph, x):
    return x if cell.bias is None else graph.add("Add", x, cell.bias.asnumpy()[:, None, None])


@emit.register
def _upsampled_convolution(cell: UpsampledConvolution, graph, x):
    x = graph.add(
        "Pad",
        x,
        np.array([0, 0, 1, 1] * 2, np.int64),
        *([] if cell.mirror else [0.0]),
        mode="edge" if cell.mirror else "constant",
    )
    o, i = cell.weight.shape[:2]
    weight = cell.weight.asnumpy().reshape(o * i, -1) @ cell.place.asnumpy()
    # the upper left pixel last: then the blocks, one more than the input has pixels, join to the enlarged picture with
    # a border of one pixel, which is cut off. `UpsampledConvolution` cuts each of the four, which takes longer here
    weight = weight.reshape(o, i, 4, 2, 2)[:, :, ::-1].transpose(2, 0, 1, 3, 4).reshape(4 * o, i, 2, 2)
    x = graph.add("Conv", x, graph.constant(weight, cell.weight.name))
    x = graph.add("DepthToSpace", x, blocksize=2, mode="DCR")
    x = graph.add("Slice", x, np.array([1, 1]), np.array([-1, -1]), np.array([2, 3]))
    return _bias(cell, graph, x)


@emit.register
def _upsampled_image_convolution(cell: UpsampledImageConvolution, graph, x):
    border = cell.window // 2
    if cell.mirror is not None:
        x, border = graph.add("Pad", x, np.array([0, 0, border, border] * 2, np.int64), mode="reflect"), 0
    (o, i), k = cell.weight.shape[:2], cell.window
    weight = (cell.weight.asnumpy().reshape(o * i, -1) @ cell.place.asnumpy()).reshape(o, i, 4, k, k)
    weight = weight.transpose(2, 0, 1, 3, 4).reshape(4 * o, i, k, k)
    x = graph.add("Conv", x, graph.constant(weight, cell.weight.name), pads=[border] * 4)
    return _bias(cell, graph, graph.add("DepthToSpace", x, blocksize=2, mode="DCR"))


@emit.register
def _bilinear_convolution(cell: BilinearConvolution, graph, x):
    return _convolution(cell, graph, _resize(graph, x, mode="linear"))


def _resize(graph, x, **settings):
    scales = np.array([1, 1, 2, 2], np.float32)
    return graph.add("Resize", x, "", scales, coordinate_transformation_mode="asymmetric", **settings)


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
def _contract(cell: ContractLayer, graph, x):
    return graph.add("Relu", emit(cell.norm, graph, emit(cell.conv, graph, x)))


@emit.register
def _residual(cell: ResidualBlock, graph, x, style1, style2):
    y = graph.add("Relu", emit(cell.norm1, graph, emit(cell.conv1, graph, x), *style1))
    return graph.add("Add", x, emit(cell.norm2, graph, emit(cell.conv2, graph, y), *style2))


@emit.register
def _styled(cell: StyledLayer, graph, x, style):
    return graph.add("Relu", emit(cell.norm, graph, emit(cell.conv, graph, x), *style))


@emit.register
def _output(cell: OutputLayer, graph, x, style):
    x = emit(cell.conv, graph, x)
    if cell.norm is None:
        return x
    x = emit(cell.norm, graph, x, *style)
    # (tanh(x) + 1) / 2, in one operator
    return graph.add("Sigmoid", graph.add("Mul", x, 2.0) if cell.tanh else x)


@emit.register
def _transfer(cell: StyleTransferNetwork, graph, content, embedding):
    values = embedding if cell.heads is None else emit(cell.heads, graph, embedding)
    values = graph.add("Unsqueeze", values, np.array([2, 3], np.int64))
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
        if layer is not None:
            x = emit(layer, graph, x)
    for block in (cell.residual1, cell.residual2, cell.residual3, cell.residual4, cell.residual5):
        x = emit(block, graph, x, next(styles), next(styles))
    for layer in (cell.upsample1, cell.upsample2 if cell.finish is None else cell.finish):
        x = emit(layer, graph, x, next(styles))
    return emit(cell.output, graph, x, next(styles, ()))


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
