"""A grid of fixed test pairs, drawn again and again while a model learns."""

from src.engines.mindspore_networks import MindSporeNetworks
from src.images.files import read_at, write_image
from src.images.sheets import draw_grid, evenly_spaced
from src.models.compact_prediction import share_loss_network
from src.models.factory import create_model
from src.styles import style_name
from src.stylize.stylizer import Stylizer
from src.weights.native import load_into

PAIRS = 4


class Preview:
    """Stylises the same contents with the same styles at every call.

    Args:
        model: the model in training, for its options; the weights come with each call.
        contents, styles: paths, of which evenly spaced ones are used.
        side: side of the square pictures, pixels.
    """

    def __init__(self, model, contents, styles, side):
        self.model = create_model(model.network, model.loss_network_name, model.styles)
        share_loss_network(self.model.predictor, model.predictor)
        self.stylizer = Stylizer(MindSporeNetworks(self.model))
        self.contents = [read_at(path, side) for path in evenly_spaced(contents, PAIRS)]
        shown = evenly_spaced(styles, PAIRS)
        self.styles, self.names = [read_at(path, side) for path in shown], [style_name(path) for path in shown]

    def draw(self, path, weights):
        """Writes the grid of a model with the weights {name: array}."""
        load_into(self.model, weights, "the model in training")
        self.model.set_train(False)
        names = self.names if self.model.styles else None
        write_image(path, draw_grid(self.contents, self.styles, self.stylizer, names))
