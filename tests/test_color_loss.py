"""Color loss and band loss against their definitions in NumPy, as terms of the total, with a style's targets."""

import itertools

import mindspore as ms
import numpy as np
import pytest
from areas import pooled

from src.color_loss import ColorMoments, band_loss, check_color_side, color_loss
from src.errors import UserError
from src.losses import StylizationLoss
from src.options.training import LossConfig

TAPS = ("relu1_1", "relu2_1")


def random(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def color_loss_by_definition(images, styles):
    losses = []
    for image, style in zip(images.astype(np.float64), styles.astype(np.float64), strict=True):
        means = [a.mean((1, 2)) for a in (image, style)]
        loss = ((means[0] - means[1]) ** 2).sum() / (style.var((1, 2)).sum() + 0.01)
        for side in (1, 4, 16):
            one, other = (np.cov(pooled(a, side).reshape(3, -1), bias=True) for a in (image, style))
            loss += ((one - other) ** 2).sum() / ((one**2).sum() + (other**2).sum() + 1e-5) / 3
        losses.append(loss)
    return np.array(losses)


def band_loss_by_definition(images, styles):
    """Y, Cb and Cr written out, where the loss has a matrix."""

    def bands(image):
        red, green, blue = image
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        colors = np.stack((luma, -0.169 * red - 0.331 * green + 0.5 * blue, 0.5 * red - 0.419 * green - 0.081 * blue))
        covariances = [np.cov(pooled(colors, side).reshape(3, -1), bias=True) for side in (1, 2, 4, 8, 16)]
        return [*(fine - coarse for fine, coarse in itertools.pairwise(covariances)), covariances[-1]]

    losses = []
    for image, style in zip(images.astype(np.float64), styles.astype(np.float64), strict=True):
        loss = 0
        for one, other in zip(bands(image), bands(style), strict=True):
            floor = (1.5 / 255) ** 2
            (luma, chroma), (style_luma, style_chroma) = (
                (band[0, 0] + floor, band[1, 1] + band[2, 2] + floor) for band in (one, other)
            )
            for ratio in (luma / style_luma, chroma / style_chroma):
                loss += 2 * (np.sqrt(1 + np.log(ratio) ** 2) - 1) / 5
            loss += ((one[1:, 1:] / chroma - other[1:, 1:] / style_chroma) ** 2).sum() / 5
        losses.append(loss)
    return np.array(losses)


LOSSES = {"color": (color_loss, color_loss_by_definition), "band": (band_loss, band_loss_by_definition)}
both = pytest.mark.parametrize("name", LOSSES)


def found(name, images, styles):
    moments = ColorMoments()
    return LOSSES[name][0](moments(ms.Tensor(images)), moments(ms.Tensor(styles)))


def total(name, moments, target):
    def of(images):
        return LOSSES[name][0](moments(images), target).sum()

    return of


@both
def test_losses_on_colors_are_their_definitions(name):
    images, styles = random(2, 3, 51, 40), 0.5 * random(2, 3, 36, 66, seed=1) ** np.array([1, 2, 3])[:, None, None]
    styles = styles.astype(np.float32)
    expected = LOSSES[name][1](images, styles)
    assert expected.min() > 0.1
    np.testing.assert_allclose(found(name, images, styles).asnumpy(), expected, rtol=2e-3)


def test_the_band_loss_sees_stripes_that_the_color_loss_takes_for_patches():
    """The pastiche's halves are paler than the style's, and stripes of two pixels make up for that."""
    half, stripe = (np.where(left, 1.0, -1.0) for left in (np.arange(64) < 32, np.arange(64) % 4 < 2))
    style, pastiche = (np.full((1, 3, 64, 64), 0.5, np.float32) for _ in range(2))
    for image, shift in ((style, 0.3 * half), (pastiche, 0.2 * half + 0.05**0.5 * stripe)):
        image[:, 0] += shift
        image[:, 2] -= shift
    color, band = (found(name, pastiche, style).asnumpy()[0] for name in ("color", "band"))
    assert band > 2 * color


@both
def test_no_loss_between_a_picture_and_itself_nor_one_color_that_is_not_finite(name):
    image = random(1, 3, 32, 32)
    assert found(name, image, image).asnumpy() == pytest.approx(0, abs=1e-6)
    flat = np.full((1, 3, 32, 32), 0.3, np.float32)
    moments = ColorMoments()
    target = moments(ms.Tensor(flat))
    value, gradient = ms.value_and_grad(total(name, moments, target))(ms.Tensor(flat))
    assert value.asnumpy() == pytest.approx(0, abs=1e-3) and np.isfinite(gradient.asnumpy()).all()


@both
def test_a_step_down_the_gradient_brings_the_colors_nearer(name):
    image, style = random(1, 3, 32, 32), 0.2 * random(1, 3, 32, 32, seed=1)
    moments = ColorMoments()
    target = moments(ms.Tensor(style))
    gradient = ms.grad(total(name, moments, target))(ms.Tensor(image)).asnumpy()
    loss = LOSSES[name][1]
    before = loss(image, style)[0]
    shorter = 0.02 * before / np.square(gradient).sum()  # would take two hundredths off, were the loss a plane
    assert loss(image - shorter * gradient, style)[0] < 0.99 * before


@both
@pytest.mark.parametrize("blend", [None, (0.25, 0.75)])
def test_a_loss_on_colors_is_a_term_with_a_weight(name, blend):
    settings = {"content_taps": {"relu2_1": 1.0}, "style_taps": {"relu1_1": 1.0}}
    names = StylizationLoss(LossConfig(**settings), TAPS).names
    assert name not in names
    weights = {f"{name}_weight": 0.5, "content_weight": 0.0, "style_weight": 0.0, "tv_weight": 0.0}
    cell = StylizationLoss(LossConfig(**settings, **weights), TAPS, blend)
    pastiche, styles = random(2 if blend is None else 1, 3, 32, 32), random(2, 3, 48, 32, seed=1) ** 2
    features = tuple(ms.Tensor(random(2, c, 4, 4)) for c in (5, 4))
    targets = cell.style_targets(features, ms.Tensor(styles))
    assert [matrix.shape for matrix in targets] == [(2, 5, 5)] + 5 * [(2, 4, 4)]
    own = features if blend is None else tuple(f[:1] for f in features)
    total, terms = cell(ms.Tensor(pastiche), own, cell.content_targets(own), targets)
    terms = dict(zip(cell.names, terms.asnumpy(), strict=True))
    assert [term for term in cell.names if term not in names] == [name]
    each = LOSSES[name][1](np.broadcast_to(pastiche, (2, 3, 32, 32)), styles)
    assert terms[name] == pytest.approx(np.average(each, weights=blend), rel=2e-3)
    assert total.asnumpy() == pytest.approx(0.5 * terms[name], rel=1e-5)


@both
def test_images_too_small_for_a_loss_on_colors_are_refused(name):
    options = LossConfig(**{f"{name}_weight": 0.1})
    check_color_side(16, "crops have", options)
    check_color_side(15, "crops have", LossConfig())
    with pytest.raises(UserError, match=f"option {name}_weight: crops have 15 pixels a side, the {name} loss"):
        check_color_side(15, "crops have", options)
