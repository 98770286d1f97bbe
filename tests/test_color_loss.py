"""The color loss against its definition in NumPy, as a term of the total and as part of a style's targets."""

import mindspore as ms
import numpy as np
import pytest

from src.color_loss import ColorMoments, check_color_side, color_loss
from src.errors import UserError
from src.losses import StylizationLoss
from src.options.training import LossConfig

TAPS = ("relu1_1", "relu2_1")


def random(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, np.float32)


def pooled(image, side):
    height, width = (length // side * side for length in image.shape[1:])
    return image[:, :height, :width].reshape(3, height // side, side, width // side, side).mean((2, 4))


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


def found(images, styles):
    moments = ColorMoments()
    return color_loss(moments(ms.Tensor(images)), moments(ms.Tensor(styles)))


def total(moments, target):
    def of(images):
        return color_loss(moments(images), target).sum()

    return of


def test_color_loss_is_its_definition():
    images, styles = random(2, 3, 51, 40), 0.5 * random(2, 3, 36, 66, seed=1) ** np.array([1, 2, 3])[:, None, None]
    styles = styles.astype(np.float32)
    np.testing.assert_allclose(found(images, styles).asnumpy(), color_loss_by_definition(images, styles), rtol=2e-3)


def test_no_loss_between_a_picture_and_itself_nor_one_color_that_is_not_finite():
    image = random(1, 3, 32, 32)
    assert found(image, image).asnumpy() == pytest.approx(0, abs=1e-6)
    flat = np.full((1, 3, 32, 32), 0.3, np.float32)
    moments = ColorMoments()
    target = moments(ms.Tensor(flat))
    value, gradient = ms.value_and_grad(total(moments, target))(ms.Tensor(flat))
    assert value.asnumpy() == pytest.approx(0, abs=1e-3) and np.isfinite(gradient.asnumpy()).all()


def test_one_step_down_the_gradient_brings_the_colors_nearer():
    image, style = random(1, 3, 32, 32), 0.2 * random(1, 3, 32, 32, seed=1)
    moments = ColorMoments()
    target = moments(ms.Tensor(style))
    gradient = ms.grad(total(moments, target))(ms.Tensor(image)).asnumpy()
    before, after = (color_loss_by_definition(a, style)[0] for a in (image, image - 10 * gradient))
    assert after < 0.9 * before


@pytest.mark.parametrize("blend", [None, (0.25, 0.75)])
def test_the_color_loss_is_a_term_with_a_weight(blend):
    settings = {"content_taps": {"relu2_1": 1.0}, "style_taps": {"relu1_1": 1.0}}
    names = StylizationLoss(LossConfig(**settings), TAPS).names
    assert "color" not in names
    weights = {"color_weight": 0.5, "content_weight": 0.0, "style_weight": 0.0, "tv_weight": 0.0}
    cell = StylizationLoss(LossConfig(**settings, **weights), TAPS, blend)
    pastiche, styles = random(2 if blend is None else 1, 3, 32, 32), random(2, 3, 48, 32, seed=1) ** 2
    features = tuple(ms.Tensor(random(2, c, 4, 4)) for c in (5, 4))
    targets = cell.style_targets(features, ms.Tensor(styles))
    assert [matrix.shape for matrix in targets] == [(2, 5, 5), (2, 4, 4), (2, 4, 4), (2, 4, 4)]
    own = features if blend is None else tuple(f[:1] for f in features)
    total, terms = cell(ms.Tensor(pastiche), own, cell.content_targets(own), targets)
    terms = dict(zip(cell.names, terms.asnumpy(), strict=True))
    assert [name for name in cell.names if name not in names] == ["color"]
    each = color_loss_by_definition(np.broadcast_to(pastiche, (2, 3, 32, 32)), styles)
    assert terms["color"] == pytest.approx(np.average(each, weights=blend), rel=2e-3)
    assert total.asnumpy() == pytest.approx(0.5 * terms["color"], rel=1e-5)


def test_images_too_small_for_the_color_loss_are_refused():
    check_color_side(16, "crops have")
    with pytest.raises(UserError, match="option color_weight: crops have 15 pixels"):
        check_color_side(15, "crops have")
