"""The loss network with its weights, for training, measuring and optimising."""

import dataclasses
from pathlib import Path

from src.errors import UserError
from src.models.compact_prediction import STATISTICS_TAPS, StatisticsPredictor
from src.models.factory import new_loss_network
from src.weights.load import load_loss_network_weights, read_loss_network
from src.weights.unit_activations import scale_to_unit_activations

WEIGHT_FILES = {
    "vgg16": ("vgg16.ckpt",),
    "vgg19": ("vgg19.ckpt",),
    "distilled_vgg19": ("vgg19_distilled_16x.npz", "distilled_vgg19.ckpt"),
}


def find_loss_weights(loss_options, search_dir=""):
    """Path of the loss network's weights: `loss_network_ckpt`, or the file of its usual name in `search_dir`.

    Raises:
        UserError: no such file; the error names the files that were tried.
    """
    if loss_options.loss_network_ckpt:
        path = Path(loss_options.loss_network_ckpt)
        if not path.is_file():
            raise UserError(f"option loss_network_ckpt: no such file: {path}")
        return path
    names = WEIGHT_FILES[loss_options.loss_network]
    for name in names:
        path = Path(search_dir) / name
        if search_dir and path.is_file():
            return path
    raise UserError(
        f"no weights for loss network {loss_options.loss_network}: looked for {' or '.join(names)} in "
        f"{search_dir or 'no folder'}; name the file with --loss_network_ckpt "
        "(scripts/download_weights.py fetches torchvision's, scripts/convert_weights.py converts torchvision's and "
        "MatConvNet's)"
    )


def create_loss_network(loss_options, search_dir="", taps=None):
    """The loss network with its weights, frozen. A VGG is scaled to mean activations of 1 where `loss_options` says so.

    Args:
        loss_options: `src.sections.LossConfig`.
        search_dir: folder where its weights lie when `loss_options.loss_network_ckpt` does not say.
        taps: feature layers, in the order of the outputs; None for all of the options, style taps before content taps.

    Raises:
        UserError: no weights, or weights of something else; a feature layer that the network lacks.
    """
    weights = read_loss_network(find_loss_weights(loss_options, search_dir))
    taps = loss_options.feature_layers if taps is None else tuple(taps)
    cell = new_loss_network(loss_options, taps, weights.bias)
    load_loss_network_weights(weights, cell)
    if loss_options.unit_activations and loss_options.loss_network != "distilled_vgg19":
        scale_to_unit_activations(cell, weights.path)
    return cell


def create_statistics_network(loss_options, search_dir=""):
    """The loss network that a statistics predictor reads, with unscaled weights. See `create_loss_network`."""
    return create_loss_network(dataclasses.replace(loss_options, unit_activations=False), search_dir, STATISTICS_TAPS)


def attach_loss_network(predictor, loss_options, search_dir=""):
    """Gives a statistics predictor the loss network that it reads. Other predictors read none.

    Args:
        predictor: of a `src.models.factory.StylizationModel`.
        loss_options, search_dir: see `create_loss_network`.

    Raises:
        UserError: see `create_loss_network`.
    """
    if isinstance(predictor, StatisticsPredictor):
        predictor.attach(create_statistics_network(loss_options, search_dir))
