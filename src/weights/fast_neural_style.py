"""Checkpoints of PyTorch's example fast_neural_style (Johnson et al. 2016) and its clones, as models of this project.

Their layers are those of this project under other names:

    conv1 .. conv3 with in1 .. in3            contract1 .. contract3
    res1 .. res5, each conv1, in1, conv2, in2  residual1 .. residual5
    deconv1, deconv2 with in4, in5            upsample1, upsample2
    deconv3                                   output

The weights and biases of their instance norms from res1 on are the one row of the table. Their pixels are 0 to 255, so
the first convolution is multiplied by 255 here, and the last one divided by 255.
"""

import numpy as np

from src.config import defaults, to_dict
from src.errors import UserError
from src.models.shapes import RESIDUAL_BLOCKS, layer_channels
from src.models.style_prediction import ROW_UNIT
from src.styles import style_name
from src.weights.modelzoo import take

PIXEL_RANGE = 255
# entries that instance norms of PyTorch before 0.4 wrote, and that no program reads
UNREAD = ("running_mean", "running_var", "num_batches_tracked")
MARKS = ("conv1.conv2d.weight", "deconv1.conv2d.weight", "res1.conv1.conv2d.weight")


def is_fast_neural_style(tensors) -> bool:
    """Whether names are those of such a checkpoint."""
    return all(name in tensors for name in MARKS)


def _layers(channels):
    """(their convolution, their norm or None, this project's layer, output and input channels, kernel), in order."""
    c1, c2, c3 = channels
    layers = [("conv1", "in1", "contract1.conv", c1, 3, 9)]
    layers += [("conv2", "in2", "contract2.conv", c2, c1, 3), ("conv3", "in3", "contract3.conv", c3, c2, 3)]
    for block in range(1, RESIDUAL_BLOCKS + 1):
        for i in (1, 2):
            layers.append((f"res{block}.conv{i}", f"res{block}.in{i}", f"residual{block}.conv{i}", c3, c3, 3))
    layers += [("deconv1", "in4", "upsample1.conv", c2, c3, 3), ("deconv2", "in5", "upsample2.conv", c1, c2, 3)]
    return [*layers, ("deconv3", None, "output.conv", 3, c1, 9)]


def from_fast_neural_style(tensors, where):
    """Such a checkpoint as ({this project's name: array}, metadata of a model).

    Args:
        tensors: {name: array}.
        where: the file, whose name becomes the style's.

    Raises:
        UserError: a tensor is missing, misshapen, or none of this network's.
    """
    width = tensors[MARKS[0]].shape[0] / layer_channels(1)[0]
    channels = layer_channels(width)
    params, gammas, betas, read = {}, [], [], set()

    def tensor(name, shape):
        read.add(name)
        return take(tensors, name, shape, where)

    for theirs, norm, ours, outputs, inputs, kernel in _layers(channels):
        params[f"transfer.{ours}.weight"] = tensor(f"{theirs}.conv2d.weight", (outputs, inputs, kernel, kernel))
        params[f"transfer.{ours}.bias"] = tensor(f"{theirs}.conv2d.bias", (outputs,))
        if norm is None:
            continue
        gamma, beta = tensor(f"{norm}.weight", (outputs,)), tensor(f"{norm}.bias", (outputs,))
        if ours.startswith("contract"):
            params |= {f"transfer.{ours[:-5]}.norm.gamma": gamma, f"transfer.{ours[:-5]}.norm.beta": beta}
        else:
            gammas.append(gamma)
            betas.append(beta)
    for name in tensors:
        if name not in read and not name.endswith(UNREAD):
            raise UserError(f"{where}: tensor {name} is none of fast_neural_style's; is it another network?")
    params["predictor.row0"] = np.concatenate([*gammas, *betas]) / ROW_UNIT
    first = params["transfer.contract1.conv.weight"] * PIXEL_RANGE
    params["transfer.contract1.conv.weight"] = first
    # the norm after this layer removes any constant; this constant brings sums over pixels near zero, where they round
    # less
    params["transfer.contract1.conv.bias"] = -0.5 * first.sum((1, 2, 3))
    for part in ("weight", "bias"):
        params[f"transfer.output.conv.{part}"] = params[f"transfer.output.conv.{part}"] / PIXEL_RANGE
    network_options = {"method": "single_style", "width": width, "output": "linear", "conv_bias": True}
    metadata = {"network": to_dict(defaults(network=network_options)["network"]), "styles": [style_name(where)]}
    return params, {**metadata, "source": where.name}
