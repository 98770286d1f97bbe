"""The losses against plain NumPy."""

import dataclasses

import mindspore as ms
import numpy as np
import pytest

from src.config import defaults
from src.errors import UserError
from src.losses import GridLoss, StylizationLoss, check_grid_side, gram_matrix, shown_terms, tap_loss, total_variation

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


def test_balanced_loss_counts_the_energy_of_both_and_is_clamped():
    target, actual = random(3, 8), random(3, 8, seed=1)
    actual[1] *= 100
    error, energy = ((actual - target) ** 2).mean(1), (target**2).mean(1) + (actual**2).mean(1)
    found = tap_loss(ms.Tensor(actual), ms.Tensor(target), "balanced", 0.0).asnumpy()
    np.testing.assert_allclose(found, error / energy, rtol=1e-5)
    clamped = tap_loss(ms.Tensor(actual), ms.Tensor(target), "balanced", 0.9).asnumpy()
    np.testing.assert_allclose(clamped, np.minimum(error / energy, 0.9), rtol=1e-5)


def test_gradient_of_the_balanced_loss_takes_the_energies_as_constants():
    target, actual = random(2, 6), random(2, 6, seed=1)

    def total(a):
        return tap_loss(a, ms.Tensor(target), "balanced", 0.0).sum()

    found = ms.grad(total)(ms.Tensor(actual)).asnumpy()
    energy = (target**2).mean(1, keepdims=True) + (actual**2).mean(1, keepdims=True)
    np.testing.assert_allclose(found, 2 * (actual - target) / 6 / energy, rtol=1e-4)


def grid_loss_by_definition(images):
    """With NumPy's Fourier transform, frequency by frequency."""
    total = 0
    for image in images:
        luma = np.einsum("c,chw->hw", (0.299, 0.587, 0.114), image.astype(np.float64))
        height, width = (side // 4 * 4 for side in luma.shape)
        luma = luma[:height, :width]
        window = np.outer(*(np.sin(np.pi * np.arange(side) / side) ** 2 for side in luma.shape))
        power = np.abs(np.fft.fft2((luma - luma.mean()) * window)) ** 2
        for k in range(3):
            for m in range(3):
                if k or m:
                    patch = np.roll(power, (9 - k * height // 4, 9 - m * width // 4), (0, 1))[:19, :19]
                    around = np.ones((19, 19), bool)
                    around[6:13, 6:13] = False
                    total += max(0, np.log(patch[8:11, 8:11].mean() / patch[around].mean())) / 8
    return total / len(images)


def lattice(n, height, width):
    """Noise with waves of four and two pixels on it, (n, 3, height, width) in [0, 1]."""
    y, x = np.mgrid[:height, :width]
    waves = 0.1 * np.cos(np.pi / 2 * x) + 0.03 * np.cos(np.pi * (y + x)) + 0.02 * np.cos(np.pi / 2 * (x + 2 * y))
    return (0.5 + waves + 0.05 * random(n, 3, height, width)).clip(0, 1).astype(np.float32)


@pytest.mark.parametrize("size", [(48, 64), (45, 51)])
def test_grid_loss_against_the_fourier_transform(size):
    images = lattice(2, *size)
    expected = grid_loss_by_definition(images)
    assert expected > 0.5
    assert GridLoss()(ms.Tensor(images)).asnumpy() == pytest.approx(expected, rel=1e-3)


def test_gradient_of_the_grid_loss_against_differences():
    images = lattice(1, 48, 48)
    found = ms.grad(GridLoss())(ms.Tensor(images)).asnumpy()
    direction = random(*images.shape, seed=3)
    step = 1e-4
    beside = [grid_loss_by_definition(images + sign * step * direction.astype(np.float64)) for sign in (1, -1)]
    assert (found * direction).sum() == pytest.approx((beside[0] - beside[1]) / (2 * step), rel=1e-2)


def test_flat_images_have_a_finite_grid_loss_and_gradient():
    flat = ms.Tensor(np.full((1, 3, 48, 48), 0.4, np.float32))
    value, gradient = ms.value_and_grad(GridLoss())(flat)
    assert value.asnumpy() == pytest.approx(0, abs=0.1) and np.isfinite(gradient.asnumpy()).all()


def test_images_too_small_for_the_grid_loss_are_refused():
    check_grid_side(44, "option image_size has")
    with pytest.raises(UserError, match="option grid_weight: option image_size has 43 pixels"):
        check_grid_side(43, "option image_size has")


def test_the_grid_loss_is_a_term_with_a_weight():
    names = StylizationLoss(options(), TAPS).names
    assert "grid" not in names
    cell = StylizationLoss(options(grid_weight=0.5, tv_weight=2.0, content_weight=0.0, style_weight=0.0), TAPS)
    pastiche = lattice(1, 48, 48)
    features = tuple(ms.Tensor(random(1, c, 4, 4)) for c in (5, 4))
    targets = cell.content_targets(features), cell.style_targets(features, None)
    total, terms = cell(ms.Tensor(pastiche), features, *targets)
    terms = dict(zip(cell.names, terms.asnumpy(), strict=True))
    assert [name for name in cell.names if name not in names] == ["grid"]
    assert terms["grid"] == pytest.approx(grid_loss_by_definition(pastiche), rel=1e-3)
    assert total.asnumpy() == pytest.approx(0.5 * terms["grid"] + 2 * terms["tv"], rel=1e-5)
    line = shown_terms(cell.names, [*terms.values()])
    assert line.startswith("total ") and "grid " in line and "relu" not in line


def test_a_line_of_progress_has_every_term_but_those_of_layers():
    names = ("total", "content", "style", "tv", "grid", "color", "content_relu3_3", "style_relu1_2")
    assert shown_terms(names, range(8)) == "total 0, content 1, style 2, tv 3, grid 4, color 5"


@pytest.mark.parametrize("normalize", [False, True, "balanced"])
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
        ms.Tensor(pastiche), tensors[0], cell.content_targets(tensors[1]), cell.style_targets(tensors[2], None)
    )
    terms = dict(zip(cell.names, terms.asnumpy(), strict=True))

    def error(actual, target, balanced=normalize == "balanced"):
        per_image = ((actual - target) ** 2).reshape(2, -1).mean(1)
        if normalize:
            both = (target**2 + actual**2) if balanced else target**2
            per_image = per_image / both.reshape(2, -1).mean(1)
        return per_image.mean()

    content = error(features[1], contents[1], balanced=False)
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
