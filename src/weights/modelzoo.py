"""The published MindSpore port's trained checkpoint, entry by entry, and this project's parameters.

The published file holds the whole training cell: 711 entries. 102 of them are trained parameters, 350 are Inception-v3,
and the rest belongs to the training (Adam's moments, counters, four overlapping slices of VGG-16). The port has a pair
of dense layers for each conditional instance normalization; here all of these are rows of `transfer.heads`.
"""

from dataclasses import dataclass

import numpy as np

from src.config import ROOT, defaults, to_dict
from src.errors import UserError
from src.models.shapes import BLOCKS, CHANNELS, MIXED, RESIDUAL_BLOCKS, STEM, layer_names
from src.models.vgg import IMAGENET_MEAN, IMAGENET_STD
from src.weights.native import check_finite, save_checkpoint

CONFIG = ROOT / "configs" / "modelzoo.yaml"
TRANSFER = "transfer_net.style_transfer_network."
DENSE = "transfer_net.style_prediction_network.fc"
INCEPTION = "inception."
NATIVE_INCEPTION = "predictor.inception."
EMBEDDING = 100
RESIDUAL = 128
# layers with one convolution: the port's name, this project's name, output and input channels, kernel
CONTRACT = (
    ("conv1", "contract1", 32, 3, 9),
    ("conv2", "contract2", 64, 32, 3),
    ("conv3", "contract3", 128, 64, 3),
)
EXPAND = (
    ("upconv1", "upsample1", 64, 128, 3),
    ("upconv2", "upsample2", 32, 64, 3),
    ("upconv3", "output", 3, 32, 9),
)
CONDITIONAL_CHANNELS = 2 * RESIDUAL_BLOCKS * RESIDUAL + sum(layer[2] for layer in EXPAND)
# the convolutions of VGG-16 that the port's `vgg_conv1` .. `vgg_conv4` end with
SLICES = {"vgg_conv1": "1_1", "vgg_conv2": "2_1", "vgg_conv3": "3_1", "vgg_conv4": "4_1"}
ADAM_BETAS = (0.9, 0.999)


def published_network():
    """The `NetworkConfig` that every published trained checkpoint is of."""
    return defaults(CONFIG)["network"]


@dataclass(frozen=True)
class Entry:
    """A trained parameter of the published checkpoint, and where it lies in this project's model.

    Attributes:
        name: published name.
        shape: its shape.
        source: this project's name.
        rows: the rows of `source` that the parameter is; None for all rows.
    """

    name: str
    shape: tuple[int, ...]
    source: str
    rows: slice | None = None


def _norm(published, native, channels):
    return [
        Entry(f"{TRANSFER}{published}.gamma", (channels,), f"transfer.{native}.gamma"),
        Entry(f"{TRANSFER}{published}.beta", (channels,), f"transfer.{native}.beta"),
    ]


def _heads(layer, suffix, start, channels):
    """The dense layers of one conditional normalization: rows from `start` on, the betas' after all the gammas'."""
    entries = []
    for kind, offset in (("beta", CONDITIONAL_CHANNELS), ("gamma", 0)):
        rows = slice(offset + start, offset + start + channels)
        name = f"{TRANSFER}{layer}.fc_{kind}{suffix}"
        entries.append(Entry(f"{name}.weight", (channels, EMBEDDING), "transfer.heads.weight", rows))
        entries.append(Entry(f"{name}.bias", (channels,), "transfer.heads.bias", rows))
    return entries


def trained_entries() -> list[Entry]:
    """The 102 trained parameters, in the published order."""
    entries = [
        Entry(f"{DENSE}.weight", (EMBEDDING, 768), "predictor.dense.weight"),
        Entry(f"{DENSE}.bias", (EMBEDDING,), "predictor.dense.bias"),
    ]
    for published, native, channels, inputs, kernel in CONTRACT:
        shape = (channels, inputs, kernel, kernel)
        entries.append(Entry(f"{TRANSFER}{published}.conv.weight", shape, f"transfer.{native}.conv.weight"))
        entries += _norm(f"{published}.instancenorm", f"{native}.norm", channels)
    start = 0
    for block in range(1, RESIDUAL_BLOCKS + 1):
        entries += _heads(f"res{block}", 1, start, RESIDUAL) + _heads(f"res{block}", 2, start + RESIDUAL, RESIDUAL)
        start += 2 * RESIDUAL
        names = [(f"{TRANSFER}res{block}.conv{i}.weight", f"transfer.residual{block}.conv{i}.weight") for i in (1, 2)]
        entries += [Entry(published, (RESIDUAL, RESIDUAL, 3, 3), native) for published, native in names]
        for i in (1, 2):
            entries += _norm(f"res{block}.instancenorm{i}", f"residual{block}.norm{i}", RESIDUAL)
    for published, native, channels, inputs, kernel in EXPAND:
        shape = (channels, inputs, kernel, kernel)
        entries.append(Entry(f"{TRANSFER}{published}.conv.weight", shape, f"transfer.{native}.conv.weight"))
        entries += _norm(f"{published}.instancenorm", f"{native}.norm", channels)
        entries += _heads(published, "", start, channels)
        start += channels
    return entries


def inception_shapes() -> dict[str, tuple[int, ...]]:
    """Parameter names of Inception-v3 to Mixed_6e and their shapes, in the published order."""
    shapes = {}

    def add(name, channels, inputs, kernel):
        size = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        shapes[f"{name}.conv.weight"] = (channels, inputs, *size)
        for part in ("moving_mean", "moving_variance", "gamma", "beta"):
            shapes[f"{name}.bn.{part}"] = (channels,)

    inputs = 3
    for name, channels, kernel, _, _ in STEM:
        if name != "max":
            add(name, channels, inputs, kernel)
        inputs = channels
    for block, branches in MIXED.items():
        outputs = 0
        for branch, layers in branches.items():
            last = inputs
            for position, layer in enumerate(layers):
                if not isinstance(layer, str):
                    name = f"{block}.{branch}" if len(layers) == 1 else f"{block}.{branch}.{position}"
                    add(name, layer[0], last, layer[1])
                    last = layer[0]
            outputs += last
        inputs = outputs
    return shapes


def vgg_index(depth) -> dict[str, int]:
    """Place of each convolution ("1_1", ...) in the list of layers of the port and of torchvision."""
    index, place = {}, 0
    for name in layer_names(BLOCKS[depth]):
        if name.endswith("_1") and name != "1_1":
            place += 1  # a pool stands before the block
        index[name] = place
        place += 2  # convolution, ReLU
    return index


def is_published(params) -> bool:
    """Whether names are those of the published trained checkpoint."""
    return any(name.startswith(TRANSFER) for name in params)


def take(params, name, shape, where):
    """params[name], after checking that it is there in this shape, and finite.

    Raises:
        UserError: naming the file and the parameter.
    """
    if name not in params:
        raise UserError(f"checkpoint {where}: parameter {name} is missing, expected shape {tuple(shape)}")
    if tuple(params[name].shape) != tuple(shape):
        raise UserError(
            f"checkpoint {where}: parameter {name} has shape {tuple(params[name].shape)}, expected {tuple(shape)}"
        )
    check_finite(params[name], name, where)
    return params[name]


def take_inception(params, where, prefix=INCEPTION) -> dict[str, np.ndarray]:
    """Inception-v3's parameters, by their names in `inceptionv3.ckpt`.

    Raises:
        UserError: one is missing or has another shape.
    """
    return {name: take(params, prefix + name, shape, where) for name, shape in inception_shapes().items()}


def to_native(params, where, inception) -> dict[str, np.ndarray]:
    """A published trained checkpoint as this project's parameters.

    Args:
        params: {published name: array}; entries that are neither trained nor Inception-v3 are ignored.
        where: the file, for errors.
        inception: {name in inceptionv3.ckpt: array}.

    Raises:
        UserError: a trained parameter is missing, misshapen, or unknown.
    """
    entries = trained_entries()
    known = {entry.name for entry in entries}
    for name in params:
        # the port writes running statistics of instance norms, which no program reads
        running = name.rsplit(".", 1)[-1] in ("moving_mean", "moving_variance", "mean", "variance")
        if name.startswith("transfer_net.") and name not in known and not running:
            raise UserError(f"checkpoint {where}: parameter {name} is none of the published network's")
    native = {
        "transfer.heads.weight": np.empty((2 * CONDITIONAL_CHANNELS, EMBEDDING), np.float32),
        "transfer.heads.bias": np.empty(2 * CONDITIONAL_CHANNELS, np.float32),
    }
    for entry in entries:
        array = take(params, entry.name, entry.shape, where)
        if entry.rows is None:
            native[entry.source] = array
        else:
            native[entry.source][entry.rows] = array
    native.update({NATIVE_INCEPTION + name: array for name, array in inception.items()})
    return native


def _trained(params, where) -> dict[str, np.ndarray]:
    """This project's parameters under the published names of the trained ones."""
    published = {}
    for entry in trained_entries():
        if entry.source not in params:
            raise UserError(f"{where}: parameter {entry.source} is missing")
        array = params[entry.source]
        published[entry.name] = array if entry.rows is None else array[entry.rows]
    return published


def to_published(params, vgg=None, training=None) -> dict[str, np.ndarray]:
    """This project's parameters as the published trained checkpoint: 711 entries in its order.

    Args:
        params: {name: array} of a `StylizationModel` of `configs/modelzoo.yaml`.
        vgg: {name: array} of the loss network of the training. For None, or for another network than a VGG-16 without
            bias, zeros are written: no published script reads these entries, as they all read `vgg16.ckpt`.
        training: Adam's `moment1.<name>`, `moment2.<name>` (names of this project), `global_step`, `learning_rate`,
            `beta1_power`, `beta2_power`; missing ones get the value that they have before the first step.
    """
    training = training or {}
    published = _trained(params, "model")
    shapes = {entry.name: entry.shape for entry in trained_entries()}
    step = int(np.max(training.get("global_step", 0)))
    start = defaults(CONFIG)["train"].learning_rate
    published["global_step"] = np.array([step], np.int32)
    published["learning_rate"] = np.float32(training.get("learning_rate", start)).reshape(())
    for i, beta in enumerate(ADAM_BETAS, 1):
        published[f"beta{i}_power"] = np.float32(training.get(f"beta{i}_power", beta**step)).reshape(())
    for moment in ("moment1.", "moment2."):
        given = {name[len(moment) :]: array for name, array in training.items() if name.startswith(moment)}
        # parameters that Adam does not train have no moments
        zeros = {name: np.zeros_like(array) for name, array in params.items()}
        values = _trained({**zeros, **given}, "optimiser")
        published.update({moment + name: array for name, array in values.items()})
    for name, shape in shapes.items():
        layer, _, part = name.rpartition(".")
        if part == "gamma":
            published[f"{layer}.moving_mean"] = np.zeros(shape, np.float32)
            published[f"{layer}.moving_variance"] = np.ones(shape, np.float32)
    mean, std = np.array(IMAGENET_MEAN, np.float32), np.array(IMAGENET_STD, np.float32)
    published["meanshift.meanshift.weight"] = (np.eye(3, dtype=np.float32) / std[:, None]).reshape(3, 3, 1, 1)
    published["meanshift.meanshift.bias"] = -mean / std
    published.update(_vgg_slices(vgg))
    for name, shape in inception_shapes().items():
        published[INCEPTION + name] = take(params, NATIVE_INCEPTION + name, shape, "model")
    return published


def _vgg_slices(vgg):
    index, inputs, shapes = vgg_index(16), 3, {}
    for name in index:
        channels = CHANNELS[int(name[0]) - 1]
        shapes[name], inputs = (channels, inputs, 3, 3), channels
    vgg, needed = vgg or {}, [name for name, place in index.items() if place <= index[SLICES["vgg_conv4"]]]
    same = all(np.shape(vgg.get(f"conv{name}.weight")) == shapes[name] for name in needed)
    plain = same and not any(np.any(vgg.get(f"conv{name}.bias", 0)) for name in needed)
    slices = {}
    for prefix, last in SLICES.items():
        for name in needed:
            if index[name] <= index[last]:
                array = vgg[f"conv{name}.weight"] if plain else np.zeros(shapes[name], np.float32)
                slices[f"{prefix}.layers.{index[name]}.weight"] = array
    return slices


def check_published(network_options):
    """Raises a UserError that names the first option in which a `NetworkConfig` differs from the published network."""
    for option, expected in to_dict(published_network()).items():
        found = getattr(network_options, option)
        if found != expected:
            raise UserError(
                f"option format: modelzoo can't hold a network with {option} {found!r}, only {expected!r}; "
                "train with --config_path configs/modelzoo.yaml, or use --format native"
            )


def save_published(path, network_options, params, vgg=None, training=None):
    """Writes a model as the published trained checkpoint.

    Args:
        path: file to write, ending in .ckpt.
        network_options: the model's `NetworkConfig`.
        params, vgg, training: see `to_published`.

    Raises:
        UserError: the model is not of the published network, or a parameter holds NaN or Inf.
    """
    check_published(network_options)
    save_checkpoint(path, to_published(params, vgg, training), None)
