"""Style distance left, content distance and structural similarity against their definitions."""

import dataclasses
from pathlib import Path

import mindspore as ms
import numpy as np
import pytest

from src.config import defaults
from src.errors import UserError
from src.evaluation.metrics import (
    MEASURED_PIXELS,
    METRIC_TAPS,
    ImageMetric,
    colour_statistics,
    create_metric,
    relative_error,
    ssim,
    style_distances_left,
)
from src.grid_energy import SMALLEST_SIDE, grid_energy
from src.models.vgg import DistilledVGG19

STYLE_TAPS = ("relu1_1", "relu2_1")
CONTENT_TAPS = ("relu2_1",)


@pytest.fixture(scope="module")
def network():
    """A small loss network with weights that were never trained."""
    ms.set_seed(3)
    return DistilledVGG19(STYLE_TAPS)


@pytest.fixture(scope="module")
def metric(network):
    return ImageMetric(network, STYLE_TAPS, CONTENT_TAPS)


def features_of(network, image):
    """The network's features, float64, outside the metric."""
    x = ms.Tensor(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    return [feature.asnumpy()[0].astype(np.float64) for feature in network(x)]


def gram(feature):
    flat = feature.reshape(len(feature), -1)
    return flat @ flat.T / flat.shape[1]


def test_figures_follow_their_definition(network, metric, image):
    content, style, pastiche = image(48, 64, 0), image(40, 40, 1), image(48, 64, 2)
    found = metric.measure(pastiche, metric.describe(content), metric.describe_style(style))
    p, c, s = (features_of(network, x) for x in (pastiche, content, style))
    left = [
        np.mean((gram(a) - gram(d)) ** 2) / np.mean((gram(b) - gram(d)) ** 2) for a, b, d in zip(p, c, s, strict=True)
    ]
    assert list(found.style_left_taps) == list(STYLE_TAPS)
    assert list(found.style_left_taps.values()) == pytest.approx(left, rel=1e-4)
    assert found.style_left == pytest.approx(np.mean(left), rel=1e-4)
    assert found.content_distance == pytest.approx(np.mean((p[1] - c[1]) ** 2) / np.mean(c[1] ** 2), rel=1e-4)


def test_ends_of_the_scale(metric, image):
    content, style = image(48, 48, 0), image(48, 48, 1)
    described = metric.describe(content), metric.describe_style(style)
    untouched = metric.measure(content, *described)
    assert (untouched.style_left, untouched.content_distance) == (1, 0)
    assert untouched.ssim == pytest.approx(1)
    replaced = metric.measure(style, *described)
    assert replaced.style_left == 0
    assert replaced.content_distance > 0.01
    assert replaced.ssim < 0.9


def test_nothing_to_move_is_not_a_number(metric, image):
    content = image(48, 48, 0)
    found = metric.measure(image(48, 48, 1), metric.describe(content), metric.describe_style(content))
    assert np.isnan(found.style_left)
    assert found.content_distance > 0
    assert np.isnan(relative_error(np.ones(3), np.zeros(3)))
    assert np.isnan(style_distances_left([np.eye(2)], [np.ones((2, 2))], [np.ones((2, 2))])[0])


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (31, 33), (2000, 700)])
def test_images_of_any_size(metric, image, size):
    content = image(*size, 0)
    described = metric.describe(content)
    assert described.luma.size <= MEASURED_PIXELS
    found = metric.measure(255 - content, described, metric.describe_style(image(40, 40, 1)))
    assert np.isfinite([found.ssim, found.style_left, found.content_distance]).all()


def test_pastiche_of_another_size_is_refused(metric, image):
    with pytest.raises(ValueError, match="size"):
        metric.measure(image(40, 48), metric.describe(image(48, 48)), metric.describe_style(image(40, 40)))


def test_without_loss_network_only_similarity(image):
    metric = ImageMetric()
    found = metric.measure(image(40, 40, 1), metric.describe(image(40, 40, 0)), metric.describe_style(image(30, 30, 2)))
    assert not metric.has_features
    assert np.isfinite([found.ssim, found.colour_mean, found.colour_covariance]).all()
    assert np.isnan(found.style_left) and np.isnan(found.content_distance) and found.style_left_taps == {}


def grid_energy_by_definition(image):
    """With NumPy's Fourier transform of the whole picture."""
    luma = image / 255 @ (0.299, 0.587, 0.114)
    height, width = luma.shape
    hann = [np.sin(np.pi * np.arange(side) / side) ** 2 for side in luma.shape]
    power = np.abs(np.fft.fft2((luma - luma.mean()) * np.outer(*hann))) ** 2
    found = []
    for k in range(3):
        for m in range(3):
            near, around = [], []
            for i in range(-9, 10):
                for j in range(-9, 10):
                    value = power[(k * height // 4 + i) % height, (m * width // 4 + j) % width]
                    if max(abs(i), abs(j)) <= 1:
                        near.append(value)
                    elif max(abs(i), abs(j)) >= 4:
                        around.append(value)
            found.append(np.mean(near) / np.median(around))
    return max(found[1:])


@pytest.mark.parametrize("size", [(64, 64), (44, 120), (256, 96)])
def test_grid_energy_against_the_fourier_transform(image, size):
    picture = image(*size, 4)
    assert grid_energy(picture) == pytest.approx(grid_energy_by_definition(picture), rel=1e-4)
    # rows and columns past a multiple of 4 do not count
    assert grid_energy(np.pad(picture, ((0, 3), (0, 1), (0, 0)))) == pytest.approx(grid_energy(picture))


@pytest.mark.parametrize("k, m", [(0, 1), (1, 1), (2, 0), (1, 2), (2, 2)])
def test_a_lattice_has_grid_energy_and_a_texture_of_other_periods_has_not(k, m):
    y, x = np.mgrid[:96, :96]
    grain = np.random.default_rng(0).normal(128, 8, (96, 96))

    def picture(rows, columns):
        wave = 12 * np.cos(2 * np.pi * (rows * y + columns * x))
        return np.repeat((grain + wave)[..., None], 3, 2).clip(0, 255).astype(np.uint8)

    assert grid_energy(picture(0, 0)) < 5
    assert grid_energy(picture(k / 4, m / 4)) > 50
    assert grid_energy(picture(k / 4 + 1 / 8, m / 4)) < 5


def test_grid_energy_of_odd_pictures():
    assert grid_energy(np.full((64, 64, 3), 130, np.uint8)) == pytest.approx(1)
    assert np.isfinite(grid_energy(np.full((SMALLEST_SIDE, SMALLEST_SIDE, 3), 7, np.uint8)))
    assert np.isnan(grid_energy(np.zeros((SMALLEST_SIDE - 1, 200, 3), np.uint8)))


def test_colours_follow_their_definition(image):
    metric = ImageMetric()
    content, style, pastiche = image(48, 64, 0), image(40, 40, 1), image(48, 64, 2)
    found = metric.measure(pastiche, metric.describe(content), metric.describe_style(style))
    p, s = (x.reshape(-1, 3).astype(np.float64) for x in (pastiche, style))
    assert found.colour_mean == pytest.approx(np.sqrt(((p.mean(0) - s.mean(0)) ** 2).sum()))
    ours, theirs = (np.cov(x.T, bias=True) for x in (p, s))
    relative = np.sqrt(((ours - theirs) ** 2).sum() / (theirs**2).sum())
    assert found.colour_covariance == pytest.approx(relative)
    assert found.grid_energy == grid_energy(pastiche)


def test_colours_of_a_large_image_and_of_one_colour(image):
    large = np.tile(image(100, 130, 3), (15, 10, 1))
    assert large[..., 0].size > MEASURED_PIXELS
    np.testing.assert_allclose(colour_statistics(large)[1], np.cov(large.reshape(-1, 3).T, bias=True))
    metric, flat = ImageMetric(), np.full((40, 40, 3), (200, 7, 99), np.uint8)
    found = metric.measure(flat, metric.describe(flat), metric.describe_style(flat))
    assert found.colour_mean == 0 and np.isnan(found.colour_covariance)


def test_ssim_against_its_formula(image):
    a, b = (image(13, 15, seed)[..., 0].astype(np.float32) / 255 for seed in (0, 1))
    y, x = np.mgrid[-5:6, -5:6]
    window = np.exp(-(x**2 + y**2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for i in range(3):
        for j in range(5):
            p, q = (image[i : i + 11, j : j + 11].astype(np.float64) for image in (a, b))
            mp, mq = (window * p).sum(), (window * q).sum()
            vp, vq = (window * (p - mp) ** 2).sum(), (window * (q - mq) ** 2).sum()
            cov = (window * (p - mp) * (q - mq)).sum()
            values.append((2 * mp * mq + 1e-4) * (2 * cov + 9e-4) / ((mp**2 + mq**2 + 1e-4) * (vp + vq + 9e-4)))
    assert ssim(a, b) == pytest.approx(np.mean(values), abs=1e-4)
    assert ssim(a, a) == pytest.approx(1)


def test_weights_not_found_or_wrong(tmp_path):
    loss = defaults()["loss"]
    assert not create_metric(loss, [tmp_path]).has_features
    with pytest.raises(UserError, match="loss_network_ckpt"):
        create_metric(dataclasses.replace(loss, loss_network_ckpt=str(tmp_path / "none.ckpt")))
    (tmp_path / "vgg16.ckpt").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"vgg16\.ckpt"):
        create_metric(loss, [tmp_path])


@pytest.mark.parametrize(
    "network, layers",
    [("vgg16", "relu1_2 relu2_2 relu3_3 relu4_3"), ("vgg19", "relu1_1 relu2_1 relu3_1 relu4_1 relu5_1")],
)
def test_layers_and_pooling_of_a_vgg_are_the_metrics_own(network, layers, tmp_path, monkeypatch):
    built = []

    def build(loss, folder, taps):
        built.append((loss.loss_network, loss.pooling, Path(folder), taps))
        return DistilledVGG19(STYLE_TAPS)

    monkeypatch.setattr("src.evaluation.metrics.create_loss_network", build)
    (tmp_path / f"{network}.ckpt").touch()
    loss = dataclasses.replace(defaults()["loss"], loss_network=network, style_taps={"relu1_1": 1.0}, pooling="max")
    style_taps, content_taps = METRIC_TAPS[network]
    metric = create_metric(loss, [tmp_path / "nowhere", tmp_path])
    assert " ".join(style_taps) == layers
    assert (metric.style_taps, metric.content_taps) == (style_taps, content_taps)
    assert built == [(network, "average", tmp_path, tuple(dict.fromkeys((*style_taps, *content_taps))))]


def test_distilled_network_has_fixed_taps(shared, image):
    loss = dataclasses.replace(defaults()["loss"], loss_network="distilled_vgg19", style_taps={"aux3_1": 1.0})
    metric = create_metric(loss, [shared("weights")])
    assert metric.style_taps == ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    assert metric.content_taps == ("relu4_1",)
    content = image(64, 64, 0)
    described = metric.describe(content)
    assert [len(g) for g in described.grams] == [16, 32, 64, 128, 128]
    found = metric.measure(content, described, metric.describe_style(image(96, 64, 1)))
    assert (found.style_left, found.content_distance) == (1, 0)
