"""Pretrained networks of other frameworks as files that this project reads.

- torchvision's VGG-16 and VGG-19 (.pth or .safetensors): input normalised with ImageNet's mean and deviation.
- torchvision's Inception-v3 (.pth or .safetensors): this network was ported from TensorFlow and expects the input
  (x - 0.5) / 0.5; the published MindSpore network expects ImageNet's normalisation. The difference is folded into the
  first convolution and its normalisation. torchvision's 3x3 average pools count the zeros past the border. Those of
  TensorFlow, of the published network and of this project don't. So away from the border the features are
  torchvision's, and near the border they are those of TensorFlow, where the weights come from.
- MatConvNet's imagenet-vgg-verydeep-16.mat and -19.mat: RGB from 0 to 255 minus the average colour in the file.
"""

from pathlib import Path

import numpy as np

from src.errors import UserError, os_error_line
from src.models.shapes import BLOCKS, CHANNELS, MIXED, STEM, layer_names
from src.models.vgg import IMAGENET_MEAN, IMAGENET_STD
from src.weights.fast_neural_style import from_fast_neural_style, is_fast_neural_style
from src.weights.mat_file import read_mat
from src.weights.modelzoo import inception_shapes, take, vgg_index
from src.weights.native import save_checkpoint
from src.weights.torch_file import read_torch_file

SUFFIXES = (".pth", ".pt", ".model", ".safetensors", ".mat")
# torchvision's parts of a batch normalization and the published names
NORM_PARTS = {"running_mean": "moving_mean", "running_var": "moving_variance", "weight": "gamma", "bias": "beta"}
# torchvision's name of the first branches in each kind of block, in the order branch0, branch1, branch2
BRANCHES = {
    "Mixed_5": ("branch1x1", "branch5x5", "branch3x3dbl"),
    "Mixed_6a": ("branch3x3", "branch3x3dbl"),
    "Mixed_6": ("branch1x1", "branch7x7", "branch7x7dbl"),
}


def read_tensors(path) -> dict[str, np.ndarray]:
    """Tensors of a .pth, .pt or .safetensors file by name.

    Raises:
        UserError: not one of these formats, or damaged.
    """
    path = Path(path)
    if path.suffix.lower() != ".safetensors":
        return read_torch_file(path)
    from safetensors import safe_open

    try:
        with safe_open(path, framework="np") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}
    except OSError as error:
        raise UserError(f"{path}: {os_error_line(error)}") from None
    except Exception as error:  # noqa: BLE001  a header that says anything leads to any error
        raise UserError(f"{path}: not a safetensors file of float tensors, or damaged ({error})") from None


def vgg_from_torchvision(tensors, where):
    """torchvision's VGG as ({this project's name: array}, "vgg16" or "vgg19").

    Raises:
        UserError: another VGG (11, 13, or with batch normalization), or a tensor is missing or misshapen.
    """
    weights = {name for name in tensors if name.startswith("features.") and name.endswith(".weight")}
    for depth in (16, 19):
        names = {name: f"features.{place}" for name, place in vgg_index(depth).items()}
        if weights and weights <= {f"{name}.weight" for name in names.values()}:
            break
    else:
        raise UserError(f"{where}: a VGG, but neither torchvision's vgg16 nor its vgg19 (without batch normalization)")
    return _vgg_params(tensors, names, where, IMAGENET_MEAN, IMAGENET_STD), f"vgg{depth}"


def _vgg_params(tensors, sources, where, mean, std):
    """A VGG's parameters by this project's names; sources: {layer such as 3_1: what its names begin with}."""
    shape = (1, 3, 1, 1)
    params = {"mean": np.array(mean, np.float32).reshape(shape), "std": np.array(std, np.float32).reshape(shape)}
    inputs = 3
    for name, source in sources.items():
        channels = CHANNELS[int(name[0]) - 1]
        params[f"conv{name}.weight"] = take(tensors, f"{source}.weight", (channels, inputs, 3, 3), where)
        params[f"conv{name}.bias"] = take(tensors, f"{source}.bias", (channels,), where)
        inputs = channels
    return params


def _torchvision_layers():
    """Published name of each convolution with its normalisation -> torchvision's."""
    layers = {}
    for name, _, kernel, _, _ in STEM:
        if name != "max":
            layers[name] = f"{name}_{kernel}x{kernel}"
    for block, branches in MIXED.items():
        theirs = BRANCHES.get(block) or BRANCHES[block[:7]]
        for position, (branch, parts) in enumerate(branches.items()):
            if branch == "branch_pool":
                if parts != ("max",):
                    layers[f"{block}.branch_pool.1"] = f"{block}.branch_pool"
            elif len(parts) == 1:
                layers[f"{block}.{branch}"] = f"{block}.{theirs[position]}"
            else:
                for i in range(len(parts)):
                    layers[f"{block}.{branch}.{i}"] = f"{block}.{theirs[position]}_{i + 1}"
    return layers


def inception_from_torchvision(tensors, where):
    """torchvision's Inception-v3 as {published name: array}, for input with ImageNet's normalisation.

    Raises:
        UserError: a tensor is missing or misshapen.
    """
    shapes, params = inception_shapes(), {}
    for ours, theirs in _torchvision_layers().items():
        name = f"{ours}.conv.weight"
        params[name] = take(tensors, f"{theirs}.conv.weight", shapes[name], where)
        for part, published in NORM_PARTS.items():
            name = f"{ours}.bn.{published}"
            params[name] = take(tensors, f"{theirs}.bn.{part}", shapes[name], where)
    # with x = std * n + mean, (x - 0.5) / 0.5 = 2 std * n + (2 mean - 1); the first convolution has no border, so its
    # answer to the second term is the same everywhere
    mean, std = np.array(IMAGENET_MEAN, np.float64), np.array(IMAGENET_STD, np.float64)
    weight = params["Conv2d_1a.conv.weight"].astype(np.float64)
    constant = (weight.sum((2, 3)) * (2 * mean - 1)).sum(1)
    params["Conv2d_1a.conv.weight"] = (weight * (2 * std)[:, None, None]).astype(np.float32)
    first = params["Conv2d_1a.bn.moving_mean"]
    params["Conv2d_1a.bn.moving_mean"] = (first - constant).astype(np.float32)
    return {name: params[name] for name in shapes}


def vgg_from_matconvnet(path):
    """MatConvNet's VGG (.mat) as ({this project's name: array}, "vgg16" or "vgg19").

    Raises:
        UserError: not such a file, or a filter is missing or misshapen.
    """
    try:
        content = read_mat(path)
        layers = content["layers"] if isinstance(content["layers"], list) else [content["layers"]]
        filters = _matconvnet_filters({str(layer.name): layer for layer in layers})
        average = _average_colour(content)
    except OSError as error:
        raise UserError(f"{path}: {os_error_line(error)}") from None
    except Exception as error:  # noqa: BLE001  of whatever a file holds in place of layers
        raise UserError(f"{path}: not a MatConvNet network, or damaged ({error})") from None
    depth = 19 if "conv3_4.weight" in filters else 16
    sources = {name: f"conv{name}" for name in layer_names(BLOCKS[depth])}
    return _vgg_params(filters, sources, path, average, (1 / 255,) * 3), f"vgg{depth}"


def _matconvnet_filters(layers):
    """{name.weight or name.bias: array} of layers by their names."""
    filters = {}
    for name, layer in layers.items():
        weights = getattr(layer, "weights", None)
        if weights is None and hasattr(layer, "filters"):  # files before MatConvNet 1.0-beta11
            weights = (layer.filters, layer.biases)
        if weights is not None and len(weights) == 2:
            # height, width, in, out; MatConvNet correlates, as convolutions here do
            filters[f"{name}.weight"] = np.asarray(weights[0], np.float32).T.swapaxes(-1, -2)
            filters[f"{name}.bias"] = np.asarray(weights[1], np.float32).reshape(-1)
    return filters


def _average_colour(content):
    """The average RGB colour on [0, 1]. Older files keep it outside of `meta`; some have an average image instead."""
    meta = content.get("meta")
    normalisation = content.get("normalization") if meta is None else getattr(meta, "normalization", None)
    image = np.asarray(getattr(normalisation, "averageImage", ()), np.float64)
    if image.size < 3 or image.shape[-1] != 3:
        raise ValueError("no average colour: meta.normalization.averageImage")
    return image.reshape(-1, 3).mean(0) / 255


def convert(source, target="") -> Path:
    """Converts a pretrained network, which is recognised by the names of its tensors.

    Args:
        source: .pth, .pt, .model, .safetensors or .mat file.
        target: .ckpt to write, or a folder; empty for pretrained_model. In a folder the file gets the name that
            train.py looks for: vgg16.ckpt, vgg19.ckpt, inceptionv3.ckpt; a network of a single style keeps its own.

    Returns:
        the file that was written.

    Raises:
        UserError: an unknown file, a tensor that is missing or misshapen, or the target exists.
    """
    source, target = Path(source), Path(target or "pretrained_model")
    suffix = source.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"{source}: found a {suffix or 'nameless'} file, expected one of {', '.join(SUFFIXES)}")
    if not source.is_file():
        raise UserError(f"{source}: no such file")
    model = None
    if suffix == ".mat":
        params, name = vgg_from_matconvnet(source)
    else:
        tensors = {key.removeprefix("module."): array for key, array in read_tensors(source).items()}
        if "Conv2d_1a_3x3.conv.weight" in tensors:
            params, name = inception_from_torchvision(tensors, source), "inceptionv3"
        elif "features.0.weight" in tensors:
            params, name = vgg_from_torchvision(tensors, source)
        elif is_fast_neural_style(tensors):
            params, model = from_fast_neural_style(tensors, source)
            name = source.stem
        else:
            raise UserError(
                f"{source}: its tensors ({', '.join(list(tensors)[:3])}, ...) are neither torchvision's VGG nor its "
                "Inception-v3, nor fast_neural_style's"
            )
    if target.suffix.lower() != ".ckpt":
        target = target / f"{name}.ckpt"
    if target.exists():
        raise UserError(f"{target}: exists; remove it, or name another file to write")
    # Inception-v3 keeps the published names, so that the published scripts read the file, too
    metadata = None if name == "inceptionv3" else model or {"loss_network": name, "source": source.name}
    save_checkpoint(target, {n: np.ascontiguousarray(a, np.float32) for n, a in params.items()}, metadata)
    return target
