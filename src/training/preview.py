"""A grid of fixed test pairs, drawn again and again while a model learns."""

import numpy as np

from src.data.images import center_crop, read_image, resize_short_side, write_image
from src.models.factory import create_model
from src.stylize.mindspore_networks import MindSporeNetworks
from src.stylize.report import Grid
from src.stylize.stylizer import Stylizer
from src.weights.native import load_into

PAIRS = 4


class Preview:
    """Stylises the same contents with the same styles at every call.

    Args:
        model: the model in training; its options are used, its weights come with each call.
        contents, styles: paths; evenly spaced ones of them are taken.
        side: of the square pictures, pixels.
        statistics_network: the loss network that a statistics predictor reads, or None.
    """

    def __init__(self, model, contents, styles, side, statistics_network=None):
        self.model = create_model(model.network, model.loss_network)
        if statistics_network is not None:
            self.model.predictor.attach(statistics_network)
        self.stylizer = Stylizer(networks=MindSporeNetworks(self.model))
        self.contents = [_square(path, side) for path in _spread(contents)]
        self.styles = [_square(path, side) for path in _spread(styles)]

    def draw(self, path, weights):
        """Writes the grid that weights {name: array} give."""
        load_into(self.model, weights, "the model in training")
        self.model.set_train(False)
        grid = Grid(len(self.contents), len(self.styles))
        for i, content in enumerate(self.contents):
            grid.put_content(i, content)
        for j, style in enumerate(self.styles):
            grid.put_style(j, style)
            embedding = self.stylizer.embed(style)
            for i, content in enumerate(self.contents):
                grid.put(i, j, self.stylizer.stylize(content, embedding))
        write_image(path, grid.image())


def _spread(paths):
    places = np.linspace(0, len(paths) - 1, min(PAIRS, len(paths))).round().astype(int)
    return [paths[i] for i in places]


def _square(path, side):
    return center_crop(resize_short_side(read_image(path), side), side)
