"""`Stylizer`: padding, sizes, blending and strength, and the pictures of pictures."""

import mindspore as ms
import numpy as np
import pytest
from PIL import Image

from src.config import defaults
from src.errors import UserError
from src.images.files import to_image, to_network
from src.images.padding import pad_image
from src.images.sheets import Grid, strip, thumbnail
from src.stylize import tiles
from src.stylize.stylizer import STYLE_SIDE, Stylizer, prepare_style

# opening


@pytest.fixture
def set_up(monkeypatch):
    """The device targets that were set up in a test."""
    from src import runtime

    targets, setup = [], runtime.setup
    monkeypatch.setattr(runtime, "setup", lambda config: targets.append(config.device_target) or setup(config))
    return targets


def test_open_sets_up_what_it_loads(tiny_checkpoint, stylizer, set_up):
    opened = Stylizer.open(tiny_checkpoint, engine="mindspore", device_target="CPU")
    assert set_up == ["CPU"] and opened.networks.name == "mindspore" and opened.embedding_dim == stylizer.embedding_dim
    Stylizer.open(tiny_checkpoint, runtime=defaults(runtime={"device_target": "CPU"})["runtime"])
    assert set_up == ["CPU", "CPU"]


def test_open_leaves_alone_what_is_set_up_already(tiny_checkpoint, runtime, set_up):
    assert Stylizer.open(tiny_checkpoint, runtime=runtime).embedding_dim and set_up == []


def test_open_sets_nothing_up_for_engines_that_need_no_mindspore(set_up):
    pytest.importorskip("onnxruntime")
    assert Stylizer.open(engine="onnxruntime").embedding_dim == 100 and set_up == []


@pytest.mark.parametrize(
    "arguments, text",
    [
        ({"engine": "tensorrt"}, "option engine: found 'tensorrt', expected one of auto, mindspore"),
        ({"device_target": "TPU"}, "option device_target: found 'TPU', expected one of auto, Ascend"),
        ({"checkpoint": "no.ckpt"}, "no.ckpt"),
        ({"tile": 130}, "option tile: found 130"),
    ],
)
def test_what_cannot_be_opened_is_named(arguments, text):
    with pytest.raises(UserError, match=text):
        Stylizer.open(**{"engine": "mindspore", **arguments})


@pytest.mark.parametrize("name", ["loss_options", "loss"])
def test_options_of_the_loss_network_have_a_former_name_too(name, stylizer, tiny_checkpoint, runtime, monkeypatch):
    found, options = [], defaults(loss={"loss_network": "vgg19"})["loss"]
    opened = lambda *arguments: found.append(arguments[3]) or stylizer.networks  # noqa: E731
    monkeypatch.setattr("src.stylize.stylizer.open_networks", opened)
    Stylizer.open(tiny_checkpoint, "mindspore", runtime=runtime, **{name: options})
    assert found == [options]


def test_a_stylizer_of_a_file_name_opens_the_file(tiny_checkpoint, set_up):
    """As README had it before `Stylizer.open`."""
    for name in (tiny_checkpoint, str(tiny_checkpoint)):
        assert Stylizer(name).networks.name == "mindspore"
    assert set_up == ["auto", "auto"]
    assert Stylizer().embedding_dim == Stylizer.open().embedding_dim == 100


# padding


def test_padding_reflects_without_repeating_the_edge():
    image = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)
    padded = pad_image(image, 4, 4)
    assert padded.shape == (8, 8, 3)
    assert (padded[:5, :6] == image).all()
    assert (padded[5:, :6] == image[[3, 2, 1]]).all()
    assert (padded[:5, 6:] == image[:, [4, 3]]).all()


def test_padding_of_sides_too_short_to_reflect():
    assert (pad_image(np.full((1, 1, 3), 7, np.uint8), 4, 16) == np.full((16, 16, 3), 7)).all()
    two = np.arange(6, dtype=np.uint8).reshape(2, 1, 3)
    assert (pad_image(two, 4, 8)[:, 0] == two[[0, 1] * 4, 0]).all()


def test_padding_leaves_alone_what_fits():
    image = np.zeros((16, 32, 3), np.uint8)
    assert pad_image(image, 4, 16) is image


# Stylizer


def test_pastiche_is_the_networks(stylizer, image):
    content, embedding = image(32, 48, 0), stylizer.embed(image(64, 64, 1))
    direct = stylizer.networks.model.transfer(ms.Tensor(to_network(content)), ms.Tensor(embedding[None]))
    assert (stylizer.stylize(content, embedding) == to_image(direct)).all()


@pytest.mark.parametrize("size", [(1, 1), (2, 5), (33, 50), (47, 31), (64, 64)])
def test_contents_of_any_size(stylizer, image, size):
    pastiche = stylizer.stylize(image(*size, 0), stylizer.embed(image(40, 40, 1)))
    assert pastiche.shape == (*size, 3)
    assert pastiche.dtype == np.uint8


def test_padded_content_is_cropped_back(stylizer, image):
    content, embedding = image(33, 50, 0), stylizer.embed(image(64, 64, 1))
    whole = stylizer.stylize(np.pad(content, ((0, 3), (0, 2), (0, 0)), mode="reflect"), embedding)
    assert (stylizer.stylize(content, embedding) == whole[:33, :50]).all()


def test_large_contents_are_stylised_smaller_and_enlarged_without_tiles(stylizer, image, monkeypatch):
    content, embedding = image(60, 80, 0), stylizer.embed(image(64, 64, 1))
    monkeypatch.setattr(stylizer.networks, "can_tile", False)
    monkeypatch.setitem(tiles.LIMITS, "mindspore", tiles.Limits(30 * 40, 1, 128))
    smaller = np.asarray(Image.fromarray(content).resize((40, 30), Image.Resampling.LANCZOS))
    expected = Image.fromarray(stylizer.stylize(smaller, embedding)).resize((80, 60), Image.Resampling.BICUBIC)
    assert (stylizer.stylize(content, embedding) == np.asarray(expected)).all()


def test_sizes_share_one_compilation(compilations, stylizer, image):
    model, counts = stylizer.networks.model, []
    embedding = stylizer.embed(image(40, 40, 1))
    for size in ((32, 32), (48, 20), (80, 64)):
        stylizer.stylize(image(*size, 0), embedding)
        stylizer.embed(image(*size, 0))
        counts.append((compilations(model.transfer), compilations(model.predictor)))
    # before the first size, other tests may have compiled them, and MindSpore may have forgotten that
    assert counts == counts[:1] * 3 and min(counts[0]) >= 1


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (300, 500), (12000, 80)])
def test_styles_of_any_size(stylizer, size):
    style = np.full((*size, 3), (200, 40, 90), np.uint8)
    prepared = prepare_style(style)
    assert min(prepared.shape[:2]) == STYLE_SIDE and max(prepared.shape[:2]) <= 4 * STYLE_SIDE
    reference = stylizer.embed(np.full((256, 256, 3), (200, 40, 90), np.uint8))
    found = stylizer.embed(style)
    assert found.shape == (100,) and found.dtype == np.float32
    # the border of a convolution weighs more in a long thin picture
    assert np.abs(found - reference).max() <= 0.1 * np.abs(reference).max()


def test_of_a_very_long_style_the_middle_is_embedded():
    long = np.arange(256 * 2000 * 3, dtype=np.uint32).astype(np.uint8).reshape(256, 2000, 3)
    assert (prepare_style(long) == long[:, 488:1512]).all()
    tall = long.transpose(1, 0, 2)
    assert (prepare_style(tall) == tall[488:1512]).all()


def test_embedding_does_not_depend_on_the_files_resolution(stylizer, image):
    style = image(256, 256, 4)
    larger = np.asarray(Image.fromarray(style).resize((768, 768), Image.Resampling.LANCZOS))
    small, large, other = stylizer.embed(style), stylizer.embed(larger), stylizer.embed(image(256, 256, 5))
    assert np.linalg.norm(small - large) < 0.1 * np.linalg.norm(small - other)


def test_blend_is_a_weighted_mean(stylizer):
    a, b = np.zeros(100, np.float32), np.ones(100, np.float32)
    assert stylizer.blend([a, b], [3, 1]) == pytest.approx(np.full(100, 0.25))
    assert stylizer.blend([a, b], [-0.5, 1.5]) == pytest.approx(np.full(100, 1.5))
    for weights in ([1], [0, 0], [1, -1], [float("nan"), 1]):
        with pytest.raises(ValueError):
            stylizer.blend([a, b], weights)


def test_strength_goes_from_the_contents_own_style_to_the_style(stylizer, image):
    content, style = image(48, 48, 0), stylizer.embed(image(64, 64, 1))
    own = stylizer.embed(content)
    for strength in (0, 0.25, 1, 1.5):
        expected = own + strength * (style - own)
        assert stylizer.strengthen(content, style, strength) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_stylizer_refuses_what_is_no_image(stylizer, bad):
    with pytest.raises(ValueError, match="uint8"):
        stylizer.stylize(bad, np.zeros(100, np.float32))
    with pytest.raises(ValueError, match="uint8"):
        stylizer.embed(bad)


# pictures of pictures


def test_thumbnail_keeps_the_shape_on_white():
    cell = thumbnail(np.zeros((50, 100, 3), np.uint8), 20)
    assert cell.shape == (20, 20, 3)
    assert (cell[5:15] == 0).all() and (cell[:5] == 255).all() and (cell[15:] == 255).all()


def test_grid_places_headers_and_cells():
    grid = Grid(2, 3)
    for i in range(2):
        grid.put_content(i, np.full((8, 8, 3), 10 + i, np.uint8))
        for j in range(3):
            grid.put_style(j, np.full((8, 8, 3), 20 + j, np.uint8))
            grid.put(i, j, np.full((8, 8, 3), 100 + 10 * i + j, np.uint8))
    picture, pitch = grid.image(), grid.cell + 4
    centres = picture[grid.cell // 2 :: pitch, grid.cell // 2 :: pitch, 0]
    assert centres.tolist() == [[255, 20, 21, 22], [10, 100, 101, 102], [11, 110, 111, 112]]
    assert not grid.cut


def test_grid_is_cut_beyond_its_limit():
    grid = Grid(200, 2)
    assert grid.cut and (grid.rows, grid.columns) == (30, 2)
    before = grid.image().copy()
    grid.put(150, 1, np.zeros((8, 8, 3), np.uint8))
    assert (grid.image() == before).all()


def test_strip_is_bounded():
    assert strip([np.zeros((40, 30, 3), np.uint8)] * 3).shape == (40, 98, 3)
    assert strip([np.zeros((2000, 1000, 3), np.uint8)] * 2).shape == (512, 516, 3)
