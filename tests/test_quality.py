"""The bundled model's quality, against stored bounds: a later change that harms its pastiches fails here."""

import json
from pathlib import Path

import numpy as np
import pytest

from src.config import defaults
from src.data.images import read_at, read_image
from src.evaluation import evaluate_pairs
from src.metrics import create_metric
from src.stylize.stylizer import Stylizer

ROOT = Path(__file__).resolve().parent.parent
CONTENTS = [ROOT / f"dataset/test/content/{name}.jpg" for name in ("astronaut", "cat", "coffee")]
STYLES = [ROOT / f"dataset/test/style/{name}.jpg" for name in ("burning_sky", "facets", "swirling_night", "hatching")]
SIDE = 256
# Measured when the model was packed, times a little: rounding differs from one processor and MindSpore to the next.
BOUNDS = json.loads((ROOT / "tests/quality_bounds.json").read_text())


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer(engine="mindspore")


@pytest.fixture(scope="module")
def metric(shared):
    weights = shared("weights", "vgg19_distilled_16x.npz")
    return create_metric(defaults(loss={"loss_network": "distilled_vgg19", "loss_network_ckpt": str(weights)})["loss"])


@pytest.fixture(scope="module")
def pastiches(stylizer):
    """{(content index, style index): (content, style, pastiche)} of all the fixed pairs."""
    contents, styles = ([read_at(path, SIDE) for path in paths] for paths in (CONTENTS, STYLES))
    found = {}
    for j, style in enumerate(styles):
        embedding = stylizer.embed(style)
        for i, content in enumerate(contents):
            found[i, j] = content, style, stylizer.stylize(content, embedding)
    return found


def colours(image):
    """Means, standard deviations and correlations of red, green and blue, 9 numbers in units of the range."""
    pixels = image.reshape(-1, 3) / 255
    covariance = np.cov(pixels.T)
    return np.concatenate([pixels.mean(0), covariance[np.triu_indices(3)] * 4])


def test_distances_of_fixed_pairs_stay_within_the_stored_bounds(stylizer, metric):
    found = [pair.measurement for pair in evaluate_pairs(CONTENTS, STYLES, stylizer, metric, SIDE)]
    assert np.median([m.style_left for m in found]) <= BOUNDS["style_left"]
    assert np.median([m.content_distance for m in found]) <= BOUNDS["content_distance"]


def test_pastiches_take_the_colours_of_the_style(pastiches):
    # needs no loss network, so it guards the model on every machine
    left = []
    for content, style, pastiche in pastiches.values():
        apart = [np.linalg.norm(colours(image) - colours(style)) for image in (pastiche, content)]
        left.append(apart[0] / apart[1])
    assert np.median(left) <= BOUNDS["colours_left"]


def test_pastiches_keep_the_edges_of_the_content(pastiches):
    def edges(image):
        grey = image.mean(2)
        # over 8 x 8 blocks: where there is something, whatever its strokes
        blocks = grey[: SIDE // 8 * 8, : SIDE // 8 * 8].reshape(SIDE // 8, 8, SIDE // 8, 8).mean((1, 3))
        return np.hypot(*np.gradient(blocks)).ravel()

    kept = [np.corrcoef(edges(content), edges(pastiche))[0, 1] for content, _, pastiche in pastiches.values()]
    assert np.median(kept) >= BOUNDS["edges_kept"]


def test_every_style_gives_another_picture(pastiches):
    for i in range(len(CONTENTS)):
        row = [pastiches[i, j][2].astype(float) for j in range(len(STYLES))]
        apart = [np.abs(row[a] - row[b]).mean() for a in range(len(row)) for b in range(a)]
        assert min(apart) > 10


@pytest.mark.parametrize("style", STYLES[:2], ids=lambda path: path.stem)
def test_style_distance_falls_from_strength_0_to_1(stylizer, metric, style):
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


def flat(value, side=SIDE):
    return np.full((side, side, 3), value, np.uint8)


def grey(image):
    return np.repeat(image.mean(2, keepdims=True), 3, 2).astype(np.uint8)


ODD = {
    "black": flat(0),
    "white": flat(255),
    "orange": flat((230, 120, 20)),
    "tiny": read_at(CONTENTS[0], 64),
    "grey": grey(read_at(CONTENTS[0], SIDE)),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_contents_take_on_the_style(stylizer, name):
    style = read_at(STYLES[1], SIDE)
    pastiche = stylizer.stylize(ODD[name], stylizer.embed(style))
    assert pastiche.shape == ODD[name].shape
    assert np.abs(pastiche.mean((0, 1)) - style.mean((0, 1))).max() < 80
    blobs = (pastiche.max(2) == 0) | (pastiche.min(2) == 255)
    assert blobs.mean() < 0.5


@pytest.mark.parametrize("name", ODD)
def test_odd_styles_give_their_colours_to_a_recognisable_content(stylizer, name):
    content = read_at(CONTENTS[1], SIDE)
    pastiche = stylizer.stylize(content, stylizer.embed(ODD[name]))
    before, after = (np.abs(image.mean((0, 1)) - ODD[name].mean((0, 1))).mean() for image in (content, pastiche))
    assert after < max(before, 40)
    assert pastiche.std() > 2


def test_a_photograph_of_4000_pixels_looks_like_the_same_one_of_1000(stylizer):
    # 4000 x 400: the long side of a very large photograph in the time of a small one
    small = np.concatenate([read_image(path)[:100, :250] for path in CONTENTS for _ in range(2)][:4], axis=1)
    large = small.repeat(4, 0).repeat(4, 1)
    pastiche = stylizer.stylize(large, stylizer.embed(read_at(STYLES[2], SIDE)))
    assert pastiche.shape == (400, 4000, 3)
    assert 5 < pastiche.mean() < 250 and pastiche.std() > 5
    halves = [half.mean((0, 1)) for half in np.split(pastiche, 4, axis=1)]
    assert np.ptp(halves, axis=0).max() < 100
