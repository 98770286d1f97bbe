"""From options to networks."""

from mindspore import nn

from src.errors import UserError
from src.models.compact_prediction import CompactPredictor, StatisticsPredictor
from src.models.shapes import embedding_size
from src.models.style_prediction import InceptionPredictor, StyleTable
from src.models.style_transfer import StyleTransferNetwork
from src.models.vgg import VGG, DistilledVGG19


def style_table(network_options, styles, _):
    """The table of Dumoulin et al. 2016, with one row that of Johnson et al. 2016."""
    return StyleTable(len(styles), embedding_size(network_options))


def inception_predictor(network_options, *_):
    """The style prediction network of Ghiasi et al. 2017."""
    return InceptionPredictor(network_options.embedding_dim, network_options.train_inception)


def compact_predictor(network_options, *_):
    """The bundled model's style prediction network."""
    return CompactPredictor(network_options.embedding_dim)


def statistics_predictor(network_options, _, loss_network_name):
    """The network that teaches the bundled model's."""
    return StatisticsPredictor(network_options.embedding_dim, loss_network_name)


# by `style_source` of the network's options; each takes them, the styles' names and the loss network's name
STYLE_SOURCES = {
    "table": style_table,
    "inception_v3": inception_predictor,
    "compact": compact_predictor,
    "statistics": statistics_predictor,
}


class StylizationModel(nn.Cell):
    """Style prediction network, or a table of styles in its place, and style transfer network together.

    Args:
        network_options: the `src.sections.NetworkConfig` they were built from, kept for the checkpoint.
        loss_network_name: of the loss network that a statistics predictor reads.
        styles: names of the styles of a table, in the order of its rows.
    """

    def __init__(self, network_options, loss_network_name="vgg16", styles=()):
        super().__init__()
        self.network = network_options
        self.loss_network_name = loss_network_name
        self.styles = tuple(styles)
        self.predictor = STYLE_SOURCES[network_options.style_source](network_options, self.styles, loss_network_name)
        self.transfer = StyleTransferNetwork(network_options)

    def construct(self, content, style):
        """content (N, 3, H, W), style (N, 3, h, w), RGB in [0, 1]; with a table, style is weights (N, styles).

        Returns:
            the pastiche (N, 3, H, W) in [0, 1]; a linear output may lie outside.
        """
        return self.transfer(content, self.predictor(style))


def create_model(network_options, loss_network_name="vgg16", styles=()) -> StylizationModel:
    """A model with new weights. See `StylizationModel`.

    Raises:
        UserError: a method without networks of its own.
    """
    if not network_options.traits.has_networks:
        raise UserError(
            "option method: optimize makes the picture itself, there is no network to train or export; use stylize.py"
        )
    return StylizationModel(network_options, loss_network_name, styles)


def new_loss_network(loss_options, taps, bias=True):
    """The loss network with random weights, frozen; `bias` says whether a VGG's convolutions have one."""
    if loss_options.loss_network == "distilled_vgg19":
        return frozen(DistilledVGG19(taps))
    return frozen(VGG(19 if loss_options.loss_network == "vgg19" else 16, taps, loss_options.pooling, bias))


def frozen(cell):
    """The cell, in evaluation mode and with no parameter to train."""
    cell.set_train(False)
    for parameter in cell.get_parameters():
        parameter.requires_grad = False
    return cell
