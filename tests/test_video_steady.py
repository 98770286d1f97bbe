"""Steady frames: optical flow, warping error, flicker, blends along the flow, cuts."""

import numpy as np
import pytest
from conftest import make_image

from src.video.measure import Steadiness, flicker, optical_flow, warping_error
from src.video.temporal import Steady, blend_along, is_cut

pytest.importorskip("av", reason="needs requirements-video.txt")
pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")


def moved(seed=0):
    """Two views of a picture, the second one 3 pixels further right."""
    picture = np.asarray(make_image(80, 120, seed))
    return picture[:, 10:110], picture[:, 13:113]


def test_flow_and_warping_error():
    previous, current = moved()
    flow, valid = optical_flow(previous, current)
    assert valid.mean() > 0.7
    np.testing.assert_allclose(np.median(flow[valid], 0), (3, 0), atol=0.3)
    assert warping_error(previous, current, flow, valid) < 0.1 * warping_error(previous, current, 0 * flow, valid)


def test_flicker_is_what_the_pastiche_changes_more_or_less_than_the_content():
    content = make_image(64, 64)
    brighter = np.clip(content.astype(int) + 10, 0, 255).astype(np.uint8)
    assert flicker((content, brighter), (content, brighter)) == 0
    assert flicker((content, brighter), (content, content)) == pytest.approx(10 / 255, rel=0.1)
    assert flicker((content, content), (content, brighter)) == pytest.approx(10 / 255, rel=0.1)


def test_a_blend_follows_the_flow_and_leaves_what_does_not_fit():
    contents = moved()
    flow, valid = optical_flow(*contents)
    previous, current = np.full_like(contents[0], 200), np.full_like(contents[0], 100)
    assert np.median(blend_along(flow, valid, contents, (previous, current))) > 130
    apart = (contents[0], 255 - contents[1])
    np.testing.assert_allclose(blend_along(flow, valid, apart, (previous, current)), 100, atol=25)


def test_moving_strokes_stay_sharp():
    strokes = np.random.default_rng(0).integers(0, 256, (80, 100, 3), np.uint8)
    flow, valid = np.full((80, 100, 2), (3.5, 0), np.float32), np.ones((80, 100), bool)
    plain, former = np.full_like(strokes, 128), strokes
    for _ in range(6):  # a half pixel blurs the most
        former = blend_along(flow, valid, (plain, plain), (former, strokes))
    assert former.std() > 0.6 * strokes.std()  # 0.39 where 0.75 is kept of what was moved linearly


class Flickering:
    """A stylizer whose pastiche is the content, brighter in every other frame."""

    def __init__(self):
        self.calls = 0

    def statistics(self, content, embedding, side=None):
        return None

    def stylize(self, content, embedding, statistics=None, side=None):
        self.calls += 1
        return np.clip(content.astype(int) + 40 * (self.calls // 2 % 2), 0, 255).astype(np.uint8)


def test_steady_frames_flicker_less_and_a_cut_resets_them():
    steady, content = Steady(Flickering(), measured=20), make_image(64, 96)
    for _ in range(12):
        steady.paint(content, None)
    figures = steady.steadiness.sums
    assert figures["flicker_output"] < 0.5 * figures["flicker_plain"]
    assert figures["warping_output"] < 0.7 * figures["warping_plain"]
    other = 255 - content
    assert is_cut(content, other) and not is_cut(*moved())
    steady.stylizer.calls = 0
    np.testing.assert_array_equal(steady.paint(other, None), other)


def test_statistics_are_smoothed(onnx_stylizer, embedding):
    contents = [make_image(64, 64, seed) for seed in (1, 1)]
    noisy = np.clip(contents[1].astype(int) + 20, 0, 255).astype(np.uint8)
    steady = Steady(onnx_stylizer, measured=-1)
    steady.paint(contents[0], embedding)
    first, own = steady.statistics, onnx_stylizer.statistics(noisy, embedding)
    steady.paint(noisy, embedding)
    np.testing.assert_allclose(steady.statistics, 0.85 * first + 0.15 * own, rtol=1e-4, atol=1e-5)
    whole = onnx_stylizer.stylize(contents[0], embedding, statistics=first)
    assert np.abs(whole.astype(int) - onnx_stylizer.stylize(contents[0], embedding)).max() <= 1


def test_the_state_holds_the_figures(onnx_stylizer):
    one = Steady(onnx_stylizer)
    one.content = one.pastiche = make_image(32, 32)
    one.steadiness = Steadiness(dict.fromkeys(Steadiness.NAMES, 2.0), 4)
    other = Steady(onnx_stylizer)
    other.restore(one.state())
    assert other.report() == one.report() != ""
    np.testing.assert_array_equal(other.pastiche, one.pastiche)
