"""Which style gets which weight, on the whole way from the command line to the blend, by hand."""

import numpy as np
import pytest

from src.config import parse
from src.styles import blend_weights
from src.stylize.chosen import blend_rows, named_styles, style_files
from src.stylize.stylizer import Stylizer

TABLE = ("waves", "dots", "washes", "ink")


def settings(line):
    return parse(line.split(), ["stylize"], "test").stylize


class Networks:
    """Stands in for an engine: the embedding is the row of weights."""

    name, can_tile, embedding_dim, styles = "none", False, len(TABLE), TABLE

    def embed(self, weights):
        return weights


STYLIZER = Stylizer(Networks())


def rows(styles, weights, steps=0):
    return blend_rows(STYLIZER, [STYLIZER.embed(style) for style in styles], weights, steps)


@pytest.mark.parametrize(
    "line, expected",
    [
        ("--style_weights washes=0.7,dots=0.2,ink=0.1", [0, 0.2, 0.7, 0.1]),
        ("--style_weights washes=0.7 dots=0.2 ink=0.1", [0, 0.2, 0.7, 0.1]),
        ("--style_weights 3=0.7,0=0.3", [0.3, 0, 0, 0.7]),
        ("--styles waves ink dots --style_weights 0.5 0.4 0.1", [0.5, 0.1, 0, 0.4]),
        ("--styles 2 dots --style_weights 0.75 0.25", [0, 0.25, 0.75, 0]),
        ("--styles washes dots", [0, 0.5, 0.5, 0]),
        ("--style ink", [0, 0, 0, 1]),
    ],
)
def test_weights_stay_with_their_names(line, expected):
    chosen, weights = named_styles(TABLE, None, settings(line))
    assert np.allclose(rows(chosen, weights)[0][0], expected)


def test_names_and_weights_keep_their_order():
    assert named_styles(TABLE, None, settings("--style_weights waves=0.7,dots=0.3")) == (["waves", "dots"], [0.7, 0.3])
    assert named_styles(TABLE, None, settings("--styles waves dots --style_weights 0.7 0.3"))[0] == ["waves", "dots"]
    assert blend_weights(TABLE, {"washes": 0.75, "dots": 0.25}).tolist() == [[0, 0.25, 0.75, 0]]


def test_images_keep_their_order():
    assert style_files(None, ["z.jpg", "a.jpg", "m.jpg"], [3.0, 1.0, 2.0]) == (
        ["z.jpg", "a.jpg", "m.jpg"],
        [3.0, 1.0, 2.0],
    )


def test_blends_of_embeddings_are_weighted_means():
    assert STYLIZER.blend([[1.0, 0.0], [0.0, 4.0]], [3, 1]).tolist() == [0.75, 1.0]


def test_strips_and_squares_have_their_styles_where_they_were_named():
    strip = rows(["washes", "dots"], None, 3)
    assert np.allclose(strip, [[[0, 0, 1, 0], [0, 0.5, 0.5, 0], [0, 1, 0, 0]]])
    square = rows(["washes", "dots", "ink", "waves"], None, 2)
    corners = np.eye(4)[[2, 1, 3, 0]].reshape(2, 2, 4)
    assert np.allclose(square, corners)
