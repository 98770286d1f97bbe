"""Detail loss against its definition in NumPy, as a term of the total, and for what it was made."""

import mindspore as ms
import numpy as np
import pytest

from src.detail_loss import detail_loss
from src.losses import StylizationLoss
from src.options.training import LossConfig

TAPS = ("relu1_1", "relu2_1", "relu3_1")


def features(n, c, side, seed=0):
    """Like those after ReLU: a third are 0, and the channels are not equally strong."""
    rng = np.random.default_rng(seed)
    return np.maximum(rng.normal(0.4, 1, (n, c, side, side)), 0).astype(np.float32) * rng.random(
        (1, c, 1, 1), np.float32
    )


def by_definition(actual, target):
    losses = []
    for ours, theirs in zip(actual.astype(float), target.astype(float), strict=True):
        variances = theirs.var((1, 2))
        least = 1e-3 * variances.mean()
        loss = 0
        for a, b, variance in zip(ours, theirs, variances, strict=True):
            covariance = ((a - a.mean()) * (b - b.mean())).mean()
            loss += variance * (1 - (covariance + least) / np.sqrt((a.var() + least) * (variance + least)))
        losses.append(loss / variances.sum())
    return np.array(losses)


def found(actual, target):
    return detail_loss(ms.Tensor(actual), ms.Tensor(target)).asnumpy()


def total(actual, target):
    return detail_loss(actual, target).sum()


def test_the_loss_is_its_definition():
    target = features(2, 6, 9)
    actual = 0.5 * target + features(2, 6, 9, seed=1)
    expected = by_definition(actual, target)
    assert expected.min() > 0.05
    np.testing.assert_allclose(found(actual, target), expected, rtol=1e-4)


def test_other_contrasts_and_levels_cost_nothing_and_other_places_do():
    target = features(1, 6, 9)
    gain = np.linspace(0.8, 3, 6, dtype=np.float32).reshape(1, 6, 1, 1)
    assert found(gain * target + 0.3, target) < 0.01
    assert found(np.roll(target, 3, 2), target) > 0.8


def test_a_finite_gradient_for_channels_that_are_dead_and_pictures_of_one_color():
    dead = features(1, 6, 9)
    dead[:, 2:] = 0
    for actual, target in ((dead, features(1, 6, 9, seed=1)), (dead, np.zeros_like(dead)), (np.zeros_like(dead), dead)):
        value, gradient = ms.value_and_grad(total)(ms.Tensor(actual), ms.Tensor(target))
        assert np.isfinite(value.asnumpy()) and np.isfinite(gradient.asnumpy()).all()


def test_the_detail_loss_is_a_term_with_weights_of_layers_that_nothing_else_reads():
    options = LossConfig(
        content_taps={"relu3_1": 1.0},
        style_taps={"relu1_1": 1.0},
        detail_taps={"relu2_1": 0.5, "relu1_1": 0.25},
        content_weight=0.0,
        style_weight=0.0,
        tv_weight=0.0,
    )
    assert options.feature_layers == ("relu1_1", "relu3_1", "relu2_1")
    cell = StylizationLoss(options, TAPS)
    ours, theirs = ([features(2, 4 + k, 8, seed) for k, seed in enumerate(seeds)] for seeds in ((1, 2, 3), (4, 5, 6)))
    targets = cell.content_targets(tuple(map(ms.Tensor, theirs)))
    assert len(targets) == 3
    image = ms.Tensor(np.random.default_rng(0).random((2, 3, 16, 16), np.float32))
    grams = cell.style_targets(tuple(map(ms.Tensor, theirs)), image)
    total, terms = cell(image, tuple(map(ms.Tensor, ours)), targets, grams)
    terms = dict(zip(cell.names, terms.asnumpy(), strict=True))
    expected = 0.5 * by_definition(ours[1], theirs[1]).mean() + 0.25 * by_definition(ours[0], theirs[0]).mean()
    assert terms["detail"] == pytest.approx(expected, rel=1e-4)
    assert total.asnumpy() == pytest.approx(expected, rel=1e-4)
    plain = LossConfig(content_taps={"relu3_1": 1.0}, style_taps={"relu1_1": 1.0})
    assert "detail" not in StylizationLoss(plain, TAPS).names
