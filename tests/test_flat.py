"""Contents that are constant or nearly so: a constant stays one, and no engine paints its rounding errors."""

import numpy as np
import pytest

from src.config import defaults
from src.engines.exported import Architecture
from src.engines.mindspore_networks import MindSporeNetworks
from src.images.files import to_image
from src.models.factory import create_model
from src.stylize.flat import find_background, paint_constant
from src.stylize.stylizer import Stylizer

ENGINES = ("onnxruntime", "openvino")


def constant(height=64, width=64, colour=(128, 70, 200)):
    return np.broadcast_to(np.array(colour, np.uint8), (height, width, 3)).copy()


def speck(**size):
    content = constant(**size)
    content[40, 30] += 1
    return content


def halves(**size):
    content = constant(**size)
    content[:, : content.shape[1] // 2] += 1
    return content


def line(**size):
    content = constant(colour=(255, 255, 255), **size)
    content[60:62, 20:80] = 0
    return content


@pytest.fixture(scope="module")
def pairs():
    """The bundled model on each engine that runs without MindSpore, and an embedding of a style."""
    for engine in ENGINES:
        pytest.importorskip(engine, reason=f"needs requirements-{engine}.txt")
    stylizers = [Stylizer.open(engine=engine) for engine in ENGINES]
    from conftest import make_image

    return stylizers, stylizers[0].embed(make_image(128, 128, 3))


# as a user sees it


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 70, 200)])
@pytest.mark.parametrize("size", [(64, 64), (33, 50), (1, 1)])
def test_a_constant_stays_a_constant_of_the_same_colour_in_every_engine(colour, size, pairs):
    stylizers, embedding = pairs
    found = [s.stylize(constant(*size, colour), embedding) for s in stylizers]
    for pastiche in found:
        assert pastiche.shape == (*size, 3) and (pastiche == pastiche[0, 0]).all()
    assert np.abs(found[0].astype(int) - found[1]).max() <= 1


@pytest.mark.parametrize("make", [speck, halves, line])
def test_engines_agree_on_nearly_flat_contents(make, pairs):
    stylizers, embedding = pairs
    content = make(height=200, width=240)
    found = [s.stylize(content, embedding).astype(int) for s in stylizers]
    assert np.abs(found[0] - found[1]).max() <= 1
    assert found[0].std((0, 1)).max() > 2  # the marks are there


def test_engines_agree_on_nearly_flat_contents_in_tiles(pairs):
    stylizers, embedding = pairs
    found = [Stylizer(s.networks, tile=160).stylize(line(height=200, width=240), embedding) for s in stylizers]
    assert np.abs(found[0].astype(int) - found[1]).max() <= 1
    assert found[0].std((0, 1)).max() > 2


class Repeating:
    """An engine whose pastiche is its input."""

    name, can_tile, styles, embedding_dim, content_size = "onnxruntime", False, (), 4, None

    def __init__(self, **network):
        self.architecture = Architecture(**network)

    def transfer(self, content, _):
        return content


def test_an_ordinary_picture_is_given_to_the_network_as_it_is(image):
    content = image(32, 48, 0)
    assert (Stylizer(Repeating()).stylize(content, np.zeros(4)) == content).all()


@pytest.mark.parametrize("output, zero", [("sigmoid", 0), ("tanh", 128)])
def test_the_background_is_the_networks_zero(output, zero):
    content = line(height=100, width=100) // 2
    pastiche = Stylizer(Repeating(output=output)).stylize(content, np.zeros(4))
    assert (pastiche[0, 0] == zero).all() and (pastiche[61, 50] == 0).all()


def test_with_borders_of_zeros_a_constant_content_is_the_networks_business():
    content = constant(20, 24)
    assert (Stylizer(Repeating(padding="zero")).stylize(content, np.zeros(4)) == content).all()


# what is flat


def test_what_is_flat():
    levels, whole = find_background(constant(20, 30))
    assert levels.tolist() == [128, 70, 200] and whole
    for make in (speck, halves):
        levels, whole = find_background(make(height=100, width=100))
        assert np.abs(levels.astype(int) - (128, 70, 200)).max() <= 1 and not whole
    mark = constant(100, 100)
    mark[:40] = 0
    levels, whole = find_background(mark)
    assert levels.tolist() == [128, 70, 200] and not whole


def test_photographs_and_gradients_are_not_flat(image, root):
    from src.images.files import read_image

    for path in (root / "dataset/test/content").iterdir():
        assert find_background(read_image(path)) == (None, False), path.name
    ramp = np.linspace(0, 255, 64)[None, :, None].repeat(64, 0).repeat(3, 2).astype(np.uint8)
    assert find_background(ramp) == (None, False)
    one_flat_channel = image(64, 64, 1)
    one_flat_channel[..., 2] = 7
    assert find_background(one_flat_channel) == (None, False)


# the constant's colour


@pytest.mark.parametrize("output", ["tanh", "linear"])
def test_the_constant_is_the_last_offset_through_the_last_activation(output):
    """Of a table's network the offsets are known: they are the second half of its row."""
    method = {"method": "single_style", "width": 0.25, "output": output, "conv_bias": True}
    model = create_model(defaults(network=method)["network"], styles=("a",))
    networks = MindSporeNetworks(model)
    size = networks.embedding_dim
    row = np.random.default_rng(0).normal(0, 1, (1, size)).astype(np.float32)
    found = paint_constant(networks, row).ravel()
    if output == "linear":
        # the last convolution of a constant: the sum of its kernel over the offsets of the layer before, and its bias
        conv = model.transfer.output.conv
        before = row[0, -8:].clip(0, None)
        expected = conv.weight.asnumpy().sum((2, 3)) @ before + conv.bias.asnumpy()
    else:
        expected = 1 / (1 + np.exp(-row[0, -3:] * (2 if output == "tanh" else 1)))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    pastiche = Stylizer(networks).stylize(constant(30, 40), row[0])
    assert (pastiche == to_image(found.reshape(3, 1, 1))).all()
