"""The bundled model's quality, against stored bounds: a later change that harms its pastiches fails here.

`python tests/model_quality.py` measures anew and writes the bounds, when another model is bundled.
"""

import dataclasses
import json

import numpy as np
import pytest
from model_quality import (
    BOUNDS,
    CONTENTS,
    NEED_WEIGHTS,
    SIDE,
    STYLES,
    measure_pairs,
    odd_figures,
    odd_pictures,
    pair_figures,
    size_figures,
    violated,
)

from src.config import defaults
from src.evaluation.metrics import ImageMetric, create_metric
from src.images.files import read_at
from src.stylize.stylizer import Stylizer

STORED = json.loads(BOUNDS.read_text(encoding="utf-8"))
DISTILLED = "weights/vgg19_distilled_16x.npz"


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer.open(engine="mindspore")


@pytest.fixture(scope="module")
def metric():
    """With the distilled VGG-19 where its weights are, else without a loss network."""
    from conftest import SHARED

    if not (SHARED / DISTILLED).is_file():
        return ImageMetric()
    loss = {"loss_network": "distilled_vgg19", "loss_network_ckpt": str(SHARED / DISTILLED)}
    return create_metric(defaults(loss=loss)["loss"])


@pytest.fixture(scope="module")
def pairs(stylizer, metric):
    return measure_pairs(stylizer, metric)


@pytest.fixture(scope="module")
def figures(pairs, stylizer):
    return {**pair_figures(pairs), **odd_figures(stylizer), **size_figures(stylizer)}


@pytest.mark.parametrize("name", STORED)
def test_figures_stay_within_the_stored_bounds(name, figures, shared):
    if name in NEED_WEIGHTS:
        shared(*DISTILLED.split("/"))
    assert violated({name: figures[name]}, STORED) == [], figures[name]


def test_every_figure_has_a_bound(figures):
    assert set(figures) | set(NEED_WEIGHTS) == set(STORED)


def repainted(pairs, change):
    """The pairs with other pastiches, measured anew without a loss network."""
    metric, found = ImageMetric(), []
    for pair in pairs:
        pastiche = change(pair)
        style = metric.describe_style(read_at(STYLES[pair.style_index], SIDE))
        measured = metric.measure(pastiche, metric.describe(pair.content), style)
        found.append(dataclasses.replace(pair, pastiche=pastiche, measurement=measured))
    return pair_figures(found)


def lattice(pair):
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return (pair.pastiche + 6.0 * (rows % 4 // 2 + columns % 4 // 2)[..., None] - 6).clip(0, 255).astype(np.uint8)


HARM = {
    "nothing is done": (lambda pair, _: pair.content, {"colour_mean", "styles_apart"}),
    "one style for all": (lambda pair, pairs: pairs[4 * pair.content_index].pastiche, {"colour_mean", "styles_apart"}),
    "styles exchanged": (
        lambda pair, pairs: pairs[4 * pair.content_index + 3 - pair.style_index].pastiche,
        {"colour_mean", "colour_covariance"},
    ),
    "a lattice": (lambda pair, _: lattice(pair), {"grid_energy", "worst_grid_energy"}),
    "upside down": (lambda pair, _: pair.pastiche[::-1], {"ssim", "edges_kept"}),
    "red and blue exchanged": (lambda pair, _: pair.pastiche[..., ::-1], {"colour_mean"}),
    "half transparent": (lambda pair, _: pair.pastiche // 2 + pair.content // 2, {"colour_mean"}),
    "noise": (
        lambda pair, _: np.random.default_rng(0).integers(0, 256, pair.content.shape, np.uint8),
        {"ssim", "edges_kept", "colour_mean"},
    ),
}


@pytest.mark.parametrize("name", HARM)
def test_the_bounds_notice_harm(name, pairs):
    change, expected = HARM[name]
    assert expected <= set(violated(repainted(pairs, lambda pair: change(pair, pairs)), STORED))


@pytest.mark.parametrize("style", STYLES[:2], ids=lambda path: path.stem)
def test_style_distance_falls_from_strength_0_to_1(stylizer, metric, style):
    if not metric.has_features:
        pytest.skip(f"needs ../shared/{DISTILLED}, which is not here")
    content, style = read_at(CONTENTS[1], SIDE), read_at(style, SIDE)
    embedding = stylizer.embed(style)
    described = metric.describe(content), metric.describe_style(style)
    left = []
    for strength in (0, 0.25, 0.5, 0.75, 1):
        pastiche = stylizer.stylize(content, stylizer.strengthen(content, embedding, strength))
        left.append(metric.measure(pastiche, *described).style_left)
    assert all(np.diff(left) < 0), left


def test_strength_leads_steadily_to_the_style(stylizer):
    content, style = read_at(CONTENTS[0], SIDE), read_at(STYLES[2], SIDE)
    embedding = stylizer.embed(style)
    frames = [
        stylizer.stylize(content, stylizer.strengthen(content, embedding, strength)).astype(float)
        for strength in np.linspace(0, 1, 5)
    ]
    to_go = [np.abs(frame - frames[-1]).mean() for frame in frames]
    assert all(np.diff(to_go) < 0), to_go
    steps = [np.abs(a - b).mean() for a, b in zip(frames[1:], frames, strict=False)]
    assert max(steps) < 0.6 * sum(steps)  # no jump


@pytest.mark.parametrize("name", odd_pictures())
def test_odd_contents_keep_their_shape_and_do_not_clip(stylizer, name):
    content = odd_pictures()[name]
    pastiche = stylizer.stylize(content, stylizer.embed(read_at(STYLES[1], SIDE)))
    assert pastiche.shape == content.shape
    clipped = (pastiche.max(2) == 0) | (pastiche.min(2) == 255)
    assert clipped.mean() < 0.02
