"""The losses against plain NumPy."""

import dataclasses

import mindspore as ms
import numpy as np
import pytest

from src.config import defaults
from src.errors import UserError
from src.losses import StylizationLoss, gram_matrix, tap_loss, total_variation

TAPS = ("relu1_1", "relu2_1")


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def options(**changes):
    loss = defaults()["loss"]
    taps = {"content_taps": {"relu2_1": 0.5}, "style_taps": {"relu1_1": 2.0, "relu2_1": 3.0}}
    return dataclasses.replace(loss, **{**taps, **changes})


def numpy_gram(f):
    flat = f.reshape(f.shape[0], f.shape[1], -1)
    return flat @ flat.transpose(0, 2, 1) / flat.shape[2]


def test_gram_matrix_does_not_depend_on_the_size_of_a_repeated_image():
    features = random(2, 4, 6, 5)
    assert np.allclose(gram_matrix(ms.Tensor(features)).asnumpy(), numpy_gram(features), atol=1e-5)
    larger = np.tile(features, (1, 1, 3, 2))
    assert np.allclose(gram_matrix(ms.Tensor(larger)).asnumpy(), numpy_gram(features), atol=1e-5)


def test_total_variation_counts_each_pair_of_neighbours_in_both_directions():
    """A 3 x 4 picture with steps of 0.5 across (3 of 9 pairs) and of 0.25 down (4 of 8 pairs)."""
    image = np.zeros((1, 1, 3, 4), np.float32)
    image[..., 2:] += 0.5
    image[..., 1:, :] += 0.25
    assert total_variation(ms.Tensor(image), "absolute").asnumpy() == pytest.approx(0.5 / 3 + 0.25 / 2)
    assert total_variation(ms.Tensor(image), "squared").asnumpy() == pytest.approx(0.25 / 3 + 0.0625 / 2)


def test_normalised_loss_is_relative_and_clamped_for_each_image():
    target = random(3, 8)
    actual = target.copy()
    actual[1] *= 2
    actual[2] *= 11
    found = tap_loss(ms.Tensor(actual), ms.Tensor(target), True, 20.0).asnumpy()
    assert np.allclose(found, [0, 1, 20], atol=1e-5)
    unclamped = tap_loss(ms.Tensor(actual * 100), ms.Tensor(target * 100), True, 0.0).asnumpy()
    assert np.allclose(unclamped, [0, 1, 100], atol=1e-3)


@pytest.mark.parametrize("normalize", [False, True])
def test_total_is_the_weighted_sum_of_its_terms(normalize):
    loss = options(normalize_losses=normalize, content_weight=1.5, style_weight=0.25, tv_weight=2.0)
    cell = StylizationLoss(loss, TAPS)
    shapes = ((2, 3, 8, 8), (2, 5, 4, 4))
    pastiche = np.abs(random(2, 3, 8, 8))
    features = [random(*s, seed=1) for s in shapes]
    contents = [random(*s, seed=2) for s in shapes]
    styles = [random(*s, seed=3) for s in shapes]
    tensors = [tuple(ms.Tensor(f) for f in group) for group in (features, contents, styles)]
    total, terms = cell(
        ms.Tensor(pastiche), tensors[0], cell.content_targets(tensors[1]), cell.style_targets(tensors[2])
    )
    terms = dict(zip(cell.names, terms.asnumpy(), strict=True))

    def error(actual, target):
        per_image = ((actual - target) ** 2).reshape(2, -1).mean(1)
        if normalize:
            per_image = per_image / (target**2).reshape(2, -1).mean(1)
        return per_image.mean()

    content = error(features[1], contents[1])
    style = [error(numpy_gram(f), numpy_gram(s)) for f, s in zip(features, styles, strict=True)]
    assert terms["content_relu2_1"] == pytest.approx(content, rel=1e-4)
    assert terms["content"] == pytest.approx(0.5 * content, rel=1e-4)
    assert terms["style_relu1_1"] == pytest.approx(style[0], rel=1e-4)
    assert terms["style"] == pytest.approx(2 * style[0] + 3 * style[1], rel=1e-4)
    expected = 1.5 * terms["content"] + 0.25 * terms["style"] + 2 * terms["tv"]
    assert total.asnumpy() == pytest.approx(expected, rel=1e-5)
    assert terms["total"] == pytest.approx(expected, rel=1e-5)


def test_a_tap_that_the_loss_network_was_not_built_for_is_named():
    with pytest.raises(UserError, match="relu5_1"):
        StylizationLoss(options(style_taps={"relu5_1": 1.0}), TAPS)
