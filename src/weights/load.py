"""Reads weights of several formats into networks. The names inside a file tell the format, not the file's own name."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

import mindspore as ms
import numpy as np

from src.arrays import read_arrays
from src.config import build, field_values
from src.errors import UserError
from src.models.factory import StylizationModel, create_model
from src.models.shapes import CHANNELS
from src.sections import SECTIONS
from src.weights import modelzoo
from src.weights.modelzoo import take
from src.weights.native import load_into, read_checkpoint

LOSS_NETWORKS = SECTIONS["loss"].schema()["loss_network"].limits.choices
CONVERTER = (
    "scripts/convert_weights.py converts torchvision's VGG and Inception-v3, MatConvNet's VGG and fast_neural_style's "
    "networks"
)
FOREIGN = {
    ".pth": "a PyTorch",
    ".pt": "a PyTorch",
    ".model": "a PyTorch",
    ".safetensors": "a safetensors",
    ".mat": "a MATLAB",
}
# entries that an ImageNet checkpoint may hold beside the layers used here: classifier, deeper layers, optimiser,
# counters. Other entries that begin like a used layer are refused, because they would change what that layer computes
# (batch normalization in VGG, for instance).
USED = {"inception": ("Conv2d_1a.", "Conv2d_2", "Conv2d_3", "Conv2d_4", "Mixed_5", "Mixed_6"), "vgg": ("layers.",)}

logger = logging.getLogger(__name__)


def read_weights(path):
    """Reads a .ckpt or .npz. Returns ({name: array}, metadata), the metadata None unless it is this project's.

    Raises:
        UserError: no such file, another format (names the converter when that would help), or damaged.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        raise UserError(f"checkpoint {path}: is a folder; name a .ckpt file in it")
    if path.is_file() and path.suffix.lower() in FOREIGN:
        kind = FOREIGN[path.suffix.lower()]
        raise UserError(f"checkpoint {path}: {kind} file; expected a MindSpore .ckpt ({CONVERTER})")
    if path.is_file() and path.suffix.lower() == ".npz":
        return read_arrays(path), None
    return read_checkpoint(path)


def describe(params, metadata=None) -> str:
    """The kind of a file in words, by its names, for errors."""
    if metadata and isinstance(metadata.get("network"), dict):
        network_options = metadata["network"]
        kind = (
            "styles in a table"
            if metadata.get("styles")
            else f"{network_options.get('predictor', 'unknown')} predictor"
        )
        return f"a style transfer model of this project ({kind})"
    if modelzoo.is_published(params):
        return "the published trained checkpoint"
    if "Conv2d_1a.conv.weight" in params:
        return "an Inception-v3 only (inceptionv3.ckpt)"
    if any(name.startswith(("layers.", "conv1_1.")) for name in params):
        found = _loss_network_name(params) or "a network in the manner of VGG"
        return f"{found}, a loss network"
    if any(name.startswith("features.") for name in params):
        return f"a network with torchvision's names ({CONVERTER})"
    if not params:
        return "no parameters"
    names = list(params)
    return f"{len(names)} parameters of another network ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"


def load_model(path, inception_ckpt="") -> StylizationModel:
    """The style transfer model of a checkpoint, this project's or the published trained one.

    This project's checkpoint says which network it is of; the published one is of `configs/modelzoo.yaml`.

    Args:
        path: checkpoint.
        inception_ckpt: Inception-v3 for a published checkpoint: inceptionv3.ckpt, or any file that `read_inception`
            takes. Empty takes the one inside the checkpoint. Ignored for this project's checkpoints, which hold their
            predictor.

    Raises:
        UserError: another kind of file (the error says which), or a parameter is missing, misshapen or unknown.
    """
    params, metadata = read_weights(path)
    if metadata and "network" in metadata:
        model = create_model(*said_of_network(metadata, path))
        if inception_ckpt:
            logger.warning("inception_ckpt %s is not read: %s holds its own predictor", inception_ckpt, path)
    elif modelzoo.is_published(params):
        if inception_ckpt:
            inception = read_inception(inception_ckpt)
        else:
            inception = modelzoo.take_inception(params, f"{path} (no inception_ckpt given)")
        model = create_model(modelzoo.published_network())
        params = modelzoo.to_native(params, path, inception)
    else:
        raise UserError(
            f"checkpoint {path}: found {describe(params, metadata)}, expected a style transfer model "
            "(this project's, or the published trained checkpoint)"
        )
    load_into(model, params, path)
    model.set_train(False)
    return model


def said_of_network(metadata, where):
    """What a checkpoint's metadata say of its network.

    Args:
        metadata: as `read_weights` gives them, with an entry `network`.
        where: the file, for errors.

    Returns:
        (`src.sections.NetworkConfig`, name of the loss network, names of the styles).

    Raises:
        UserError: an option that does not exist or has a wrong value, or an entry of another type.
    """
    network, styles = metadata["network"], metadata.get("styles", ())
    loss_network_name = metadata.get("loss_network", LOSS_NETWORKS[0])
    wrong = (
        (not isinstance(network, dict), f"network {network!r:.60}, expected options"),
        (
            loss_network_name not in LOSS_NETWORKS,
            f"loss_network {loss_network_name!r:.60}, expected {' or '.join(LOSS_NETWORKS)}",
        ),
        (
            not isinstance(styles, list | tuple) or not all(isinstance(name, str) for name in styles),
            f"styles {styles!r:.60}, expected a list of names",
        ),
    )
    for is_wrong, what in wrong:
        if is_wrong:
            raise UserError(f"checkpoint {where}: its metadata are damaged: found {what}; copy or download it again")
    try:
        options = {**field_values()["network"], **network}
        network = build({"network": options}, ["network"])["network"]
    except UserError as error:
        raise UserError(f"checkpoint {where}: its metadata are damaged, or of a later version: {error}") from None
    if network.traits.has_table and not styles:
        raise UserError(f"checkpoint {where}: its metadata name no style, expected one for each row of its table")
    return network, loss_network_name, tuple(styles)


def read_inception(path) -> dict[str, np.ndarray]:
    """Inception-v3 to Mixed_6e by its published names, from inceptionv3.ckpt, or from inside a trained checkpoint.

    Layers past Mixed_6e, the classifiers and an optimiser's entries are ignored.

    Raises:
        UserError: the file is of something else, or a parameter is missing, misshapen or unknown.
    """
    params, metadata = read_weights(path)
    for prefix in ("", modelzoo.INCEPTION, modelzoo.NATIVE_INCEPTION):
        if f"{prefix}Conv2d_1a.conv.weight" in params:
            inception = modelzoo.take_inception(params, path, prefix)
            _refuse_unknown(params, {prefix + name for name in inception}, prefix, USED["inception"], path)
            return inception
    raise UserError(
        f"checkpoint {path}: found {describe(params, metadata)}, expected Inception-v3 (inceptionv3.ckpt, or a trained "
        "checkpoint that holds one)"
    )


def load_inception(path, cell):
    """Sets an `InceptionV3` cell's parameters from any file that `read_inception` takes."""
    load_into(cell, read_inception(path), path)


def _refuse_unknown(params, known, prefix, used, where):
    for name in params:
        if name not in known and name.startswith(tuple(prefix + u for u in used)):
            raise UserError(f"checkpoint {where}: parameter {name} is none of this network's; is it another network?")


@dataclass(frozen=True)
class LossWeights:
    """A loss network's weights as they lie in a file.

    Attributes:
        path: the file.
        kind: vgg16, vgg19 or distilled_vgg19.
        params: {name in the file: array}.
        names: {this project's name: name in the file}, where they differ.
    """

    path: Path
    kind: str
    params: dict[str, np.ndarray]
    names: dict[str, str] = field(default_factory=dict)

    @property
    def bias(self) -> bool:
        """Whether the convolutions have a bias; the published vgg16.ckpt has none."""
        return self.names.get("conv1_1.bias", "conv1_1.bias") in self.params


def _loss_network_name(params, metadata=None):
    """vgg16, vgg19 or distilled_vgg19, from names (and one shape); None if it is none of them."""
    if "conv1_1.weight" in params:
        if metadata and metadata.get("loss_network") in LOSS_NETWORKS:
            return metadata["loss_network"]
        if params["conv1_1.weight"].shape[0] < CHANNELS[0]:
            return "distilled_vgg19"
        return "vgg19" if "conv3_4.weight" in params else "vgg16"
    found = {name for name in params if name.startswith("layers.")}
    for depth in (16, 19):
        # a file may lack the last layers, but must not have a layer that this network lacks
        if found and found <= set(_vgg_names(depth).values()):
            return f"vgg{depth}"
    return None


def read_loss_network(path) -> LossWeights:
    """Reads a loss network: the published vgg16.ckpt, a converted VGG, the distilled network (.npz).

    The slice of VGG-16 (up to relu4_1) inside the published trained checkpoint can be read, too. Entries of a
    classifier and of an optimiser are ignored.

    Raises:
        UserError: the file is of something else, or holds entries that would change what the network computes.
    """
    params, metadata = read_weights(path)
    prefix = "vgg_conv4.layers."
    if modelzoo.is_published(params):
        params = {"layers." + n[len(prefix) :]: array for n, array in params.items() if n.startswith(prefix)}
    kind = _loss_network_name(params, metadata)
    if kind is None:
        if any(name.startswith("layers.") for name in params):
            _refuse_unknown(params, _vgg_names(16).values(), "", USED["vgg"], path)
        raise UserError(
            f"checkpoint {path}: found {describe(params, metadata)}, expected a loss network (vgg16.ckpt, a converted "
            "VGG, or the distilled VGG-19)"
        )
    names = {} if "conv1_1.weight" in params else _vgg_names(int(kind[3:]))
    return LossWeights(Path(path), kind, params, names)


def _vgg_names(depth):
    """This project's names of a VGG to those of the published file."""
    index = modelzoo.vgg_index(depth).items()
    return {f"conv{name}.{part}": f"layers.{place}.{part}" for name, place in index for part in ("weight", "bias")}


def load_loss_network_weights(weights, cell):
    """Sets a loss network's parameters. Without biases in the file they stay 0, without normalisation it is ImageNet's.

    Args:
        weights: a path, or `LossWeights`.
        cell: `VGG` or `DistilledVGG19`, up to any feature layer.

    Raises:
        UserError: the file is of another network, a parameter is missing or misshapen, or the file has biases and the
            cell has none.
    """
    if not isinstance(weights, LossWeights):
        weights = read_loss_network(weights)
    params, path = weights.params, weights.path
    if weights.kind != cell.kind:
        raise UserError(
            f"checkpoint {path}: found {weights.kind}, expected {cell.kind}; choose with --loss_network, or name "
            "another file with --loss_network_ckpt"
        )
    parameters = dict(cell.parameters_and_names())
    if weights.bias and "conv1_1.bias" not in parameters:
        raise UserError(f"checkpoint {path}: its convolutions have biases, the network was built without")
    for name, parameter in parameters.items():
        if name in ("mean", "std") and name not in params:
            continue
        if name.endswith(".bias") and not weights.bias:
            array = np.zeros(parameter.shape, np.float32)
        else:
            array = take(params, weights.names.get(name, name), parameter.shape, path)
        parameter.set_data(ms.Tensor(np.ascontiguousarray(array), parameter.dtype))
