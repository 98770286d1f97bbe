"""Palette loss against its definition in NumPy, as a term of the total, and for what it was made."""

import mindspore as ms
import numpy as np
import pytest
from areas import gray_areas, pooled

from src.color_loss import ColorMoments, check_color_side, color_loss
from src.errors import UserError
from src.losses import StylizationLoss
from src.options.training import LossConfig
from src.palette_loss import Palette, describe_palette, palette_loss

TAPS = ("relu1_1", "relu2_1")
SETTINGS = {"content_taps": {"relu2_1": 1.0}, "style_taps": {"relu1_1": 1.0}}


def random(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def by_definition(image, style):
    """Gray, red against green, and both against blue; and halfway between two of them."""
    gray, red_green, blue = np.array((1, 1, 1)) / 3**0.5, np.array((1, -1, 0)) / 2**0.5, np.array((1, 1, -2)) / 6**0.5
    pairs = [(red_green, blue), (gray, red_green), (gray, blue)]
    directions = [gray, red_green, blue, *((a + sign * b) / 2**0.5 for a, b in pairs for sign in (1, -1))]
    distances = []
    for side in (4, 16):
        one, other = (pooled(picture, side).reshape(3, -1) for picture in (image, style))
        assert one.shape == (3, (image.shape[1] // side) * (image.shape[2] // side))
        for direction in directions:
            ours, theirs = direction @ one, direction @ other
            spread = (theirs.var() + 0.05**2) ** 0.5
            for place in np.linspace(-4, 4, 16):
                threshold = theirs.mean() + place * spread
                shares = [(1 / (1 + np.exp((x - threshold) / (0.4 * spread)))).mean() for x in (ours, theirs)]
                distances.append((shares[0] - shares[1]) ** 2 * 8 / 15)
    return np.sum(distances) / 18


def found(images, styles):
    palette = Palette()
    return palette_loss(palette(ms.Tensor(images)), describe_palette(palette(ms.Tensor(styles))))


def total(palette, target):
    def of(images):
        return palette_loss(palette(images), target).sum()

    return of


def test_the_loss_is_its_definition():
    images, styles = random(2, 3, 51, 40), 0.5 * random(2, 3, 36, 66, seed=1) ** np.array([1, 2, 3])[:, None, None]
    styles = styles.astype(np.float32)
    expected = [by_definition(*pair) for pair in zip(images.astype(float), styles.astype(float), strict=True)]
    assert min(expected) > 0.1
    np.testing.assert_allclose(found(images, styles).asnumpy(), expected, rtol=2e-3)


def test_dark_ink_is_asked_for_though_mean_and_covariance_are_those_of_equal_halves():
    """A tenth of the style is dark; half of the pastiche is a little darker than the mean, half a little lighter."""
    dark = np.arange(1600).reshape(40, 40) % 10 == 0
    style = np.where(dark, 0.1, 0.9)
    pastiche = style.mean() + style.std() * np.where(np.arange(1600).reshape(40, 40) % 2, 1, -1)
    style, pastiche = gray_areas(style), gray_areas(pastiche)
    moments = ColorMoments()
    color = color_loss(moments(ms.Tensor(pastiche)), moments(ms.Tensor(style))).asnumpy()[0]
    assert color < 1e-3
    assert found(pastiche, style).asnumpy()[0] > 0.02


def test_a_twentieth_of_ink_that_is_pale_costs_something():
    dark = np.arange(1600).reshape(40, 40) % 20 == 0
    style, pale, right = (gray_areas(np.where(dark, ink, 0.9)) for ink in (0.1, 0.5, 0.15))
    loss = found(pale, style).asnumpy()[0]
    assert loss > 0.0005 and loss > 5 * found(right, style).asnumpy()[0]


def test_no_loss_between_a_picture_and_itself_and_a_finite_gradient_for_one_color():
    image = random(1, 3, 32, 32)
    assert found(image, image).asnumpy() == pytest.approx(0, abs=1e-6)
    flat, palette = ms.Tensor(np.full((1, 3, 32, 32), 0.3, np.float32)), Palette()
    target = describe_palette(palette(flat))
    value, gradient = ms.value_and_grad(total(palette, target))(flat)
    assert value.asnumpy() == pytest.approx(0, abs=1e-6) and np.isfinite(gradient.asnumpy()).all()
    lighter = ms.Tensor(np.full((1, 3, 32, 32), 0.4, np.float32))
    value, gradient = ms.value_and_grad(total(palette, target))(lighter)
    assert value.asnumpy() > 0.1 and (gradient.asnumpy() > 0).all()


def test_a_step_down_the_gradient_brings_the_palette_nearer():
    image, style = random(1, 3, 64, 64), 0.4 + 0.4 * random(1, 3, 64, 64, seed=1)
    palette = Palette()
    target = describe_palette(palette(ms.Tensor(style)))
    gradient = ms.grad(total(palette, target))(ms.Tensor(image)).asnumpy()
    before = by_definition(image[0], style[0])
    shorter = 0.02 * before / np.square(gradient).sum()  # would take two hundredths off, were the loss a plane
    assert by_definition(image[0] - shorter * gradient[0], style[0]) < 0.99 * before


@pytest.mark.parametrize("blend", [None, (0.25, 0.75)])
@pytest.mark.parametrize("others", [{}, {"color_weight": 0.3, "band_weight": 0.2}])
def test_the_palette_loss_is_a_term_with_a_weight(blend, others):
    assert "palette" not in StylizationLoss(LossConfig(**SETTINGS), TAPS).names
    weights = {"palette_weight": 0.5, "content_weight": 0.0, "style_weight": 0.0, "tv_weight": 0.0}
    cell = StylizationLoss(LossConfig(**SETTINGS, **weights, **others), TAPS, blend)
    pastiche, styles = random(2 if blend is None else 1, 3, 32, 32), random(2, 3, 48, 32, seed=1) ** 2
    features = tuple(ms.Tensor(random(2, c, 4, 4)) for c in (5, 4))
    targets = cell.style_targets(features, ms.Tensor(styles))
    assert targets[-1].shape == (2, 2 * 9 * 18)
    own = features if blend is None else tuple(f[:1] for f in features)
    total, terms = cell(ms.Tensor(pastiche), own, cell.content_targets(own), targets)
    terms = dict(zip(cell.names, terms.asnumpy(), strict=True))
    each = [by_definition(*pair) for pair in zip(np.broadcast_to(pastiche, (2, 3, 32, 32)), styles, strict=True)]
    assert terms["palette"] == pytest.approx(np.average(each, weights=blend), rel=2e-3)
    rest = sum(weight * terms[name.removesuffix("_weight")] for name, weight in others.items())
    assert total.asnumpy() == pytest.approx(0.5 * terms["palette"] + rest, rel=1e-5)


def test_images_too_small_for_the_palette_loss_are_refused():
    options = LossConfig(palette_weight=0.1)
    check_color_side(16, "crops have", options)
    with pytest.raises(UserError, match="option palette_weight: crops have 15 pixels a side, the palette loss"):
        check_color_side(15, "crops have", options)
