"""From options to networks."""

import dataclasses
from pathlib import Path

from mindspore import nn

from src.errors import UserError
from src.models.shapes import embedding_size
from src.models.style_prediction import (
    STATISTICS_TAPS,
    CompactPredictor,
    InceptionPredictor,
    StatisticsPredictor,
    StyleTable,
)
from src.models.style_transfer import StyleTransferNetwork
from src.models.vgg import VGG, DistilledVGG19

WEIGHT_FILES = {
    "vgg16": ("vgg16.ckpt",),
    "vgg19": ("vgg19.ckpt",),
    "distilled_vgg19": ("vgg19_distilled_16x.npz", "distilled_vgg19.ckpt"),
}


class StylizationModel(nn.Cell):
    """Style prediction network, or a table of styles in its place, and style transfer network together.

    Args:
        network: the `src.sections.NetworkConfig` they were built from, kept for the checkpoint.
        loss_network: name of the loss network that a statistics predictor reads.
        styles: names of the styles of a table, in the order of its rows.
    """

    def __init__(self, network, loss_network="vgg16", styles=()):
        super().__init__()
        self.network = network
        self.loss_network = loss_network
        self.styles = tuple(styles)
        if network.has_table:
            self.predictor = StyleTable(len(self.styles), embedding_size(network))
        elif network.predictor == "inception_v3":
            self.predictor = InceptionPredictor(network.embedding_dim, network.train_inception)
        elif network.predictor == "compact":
            self.predictor = CompactPredictor(network.embedding_dim)
        else:
            self.predictor = StatisticsPredictor(network.embedding_dim, loss_network)
        self.transfer = StyleTransferNetwork(network)

    def construct(self, content, style):
        """content (N, 3, H, W), style (N, 3, h, w), RGB in [0, 1]; with a table, style is weights (N, styles).

        Returns:
            the pastiche (N, 3, H, W) in [0, 1]; a linear output may lie outside.
        """
        return self.transfer(content, self.predictor(style))


def create_model(network, loss_network="vgg16", styles=()) -> StylizationModel:
    """A model with new weights. See `StylizationModel`.

    Raises:
        UserError: a method without networks of its own.
    """
    if network.method == "optimize":
        raise UserError(
            "option method: optimize makes the picture itself, there is no network to train or export; use stylize.py"
        )
    return StylizationModel(network, loss_network, styles)


def find_loss_weights(loss, search_dir=""):
    """Path of the loss network's weights: `loss_network_ckpt`, or the file of its usual name in `search_dir`.

    Raises:
        UserError: there is none; names the files looked for.
    """
    if loss.loss_network_ckpt:
        path = Path(loss.loss_network_ckpt)
        if not path.is_file():
            raise UserError(f"option loss_network_ckpt: no such file: {path}")
        return path
    names = WEIGHT_FILES[loss.loss_network]
    for name in names:
        path = Path(search_dir) / name
        if search_dir and path.is_file():
            return path
    raise UserError(
        f"no weights for loss network {loss.loss_network}: looked for {' or '.join(names)} in "
        f"{search_dir or 'no folder'}; name the file with --loss_network_ckpt "
        "(scripts/convert_weights.py converts torchvision's and MatConvNet's)"
    )


def create_loss_network(loss, search_dir="", taps=None):
    """The loss network with its weights, frozen; a VGG's scaled to mean activations of 1 when `loss` says so.

    Args:
        loss: `src.sections.LossConfig`.
        search_dir: folder where its weights lie when `loss.loss_network_ckpt` does not say.
        taps: feature layers, in the order of the outputs; None for all of `loss`, style taps before content taps.

    Raises:
        UserError: no weights, or weights of something else; a feature layer that the network lacks.
    """
    from src.weights.load import load_loss_network_weights, read_loss_network
    from src.weights.unit_activations import scale_to_unit_activations

    weights = read_loss_network(find_loss_weights(loss, search_dir))
    taps = tuple(dict.fromkeys((*loss.style_taps, *loss.content_taps))) if taps is None else tuple(taps)
    cell = new_loss_network(loss, taps, weights.bias)
    load_loss_network_weights(weights, cell)
    if loss.unit_activations and loss.loss_network != "distilled_vgg19":
        scale_to_unit_activations(cell, weights.path)
    return cell


def create_statistics_network(loss, search_dir=""):
    """The loss network that a statistics predictor reads, with the weights as they are in the file. See
    `create_loss_network`."""
    return create_loss_network(dataclasses.replace(loss, unit_activations=False), search_dir, STATISTICS_TAPS)


def new_loss_network(loss, taps, bias=True):
    """The loss network with random weights, frozen; `bias` says whether a VGG's convolutions have one."""
    if loss.loss_network == "distilled_vgg19":
        return frozen(DistilledVGG19(taps))
    return frozen(VGG(19 if loss.loss_network == "vgg19" else 16, taps, loss.pooling, bias))


def frozen(cell):
    """The cell, in evaluation mode and with no parameter to train."""
    cell.set_train(False)
    for parameter in cell.get_parameters():
        parameter.requires_grad = False
    return cell
