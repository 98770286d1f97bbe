"""One training step on losses whose gradients are known by hand: clipping, loss scaling, what is skipped."""

import logging

import mindspore as ms
import numpy as np
import pytest
from mindspore import Parameter, nn, ops

from src.errors import UserError
from src.training.skipped import MOST_IN_A_ROW, SkippedSteps
from src.training.train_step import DONE, SKIPPED, SKIPPED_HERE, TrainOneStep, scale_and_norm

W, V = np.array([1.0, 2.0, 3.0], np.float32), np.array([[5.0], [-7.0]], np.float32)


class Linear(nn.Cell):
    """a sum(w) + b sum(v), where a and b are the brightness of content and style: the gradients are a and b."""

    def __init__(self):
        super().__init__()
        self.w = Parameter(ms.Tensor(W), name="w")
        self.v = Parameter(ms.Tensor(V), name="v")

    def targets(self, content, style):
        return ()

    def construct(self, content, style, targets):
        total = content[0, 0, 0, 0] * self.w.sum() + style[0, 0, 0, 0] * self.v.sum()
        return total, ops.stack((total, 2 * total))


def make(clip_norm=0.0, ema_decay=0.0, loss_scale=None, reduce_gradients=None):
    objective = Linear()
    optimizer = nn.SGD(objective.trainable_params(), 1.0)
    return TrainOneStep(objective, optimizer, clip_norm, ema_decay, loss_scale, reduce_gradients)


def run(step, a, b):
    """A step with gradients of a and b: its terms, its status, and how far w and v moved down."""
    before = [p.asnumpy().copy() for p in step.weights]
    images = [ms.Tensor(np.full((1, 3, 2, 2), value), ms.float32) for value in (a, b)]
    terms, status = step(*images)
    return terms.asnumpy(), status.asnumpy(), [b - p.asnumpy() for b, p in zip(before, step.weights, strict=True)]


@pytest.fixture(scope="module")
def plain():
    return make()


@pytest.fixture(scope="module")
def clipped():
    return make(clip_norm=5.0)


@pytest.fixture(scope="module")
def scaled():
    return make(clip_norm=5.0, ema_decay=0.5, loss_scale=1024.0)


def test_terms_are_the_objectives_and_the_step_goes_down(plain):
    plain.weights[0].set_data(ms.Tensor(W))
    plain.weights[1].set_data(ms.Tensor(V))
    terms, status, (w, v) = run(plain, 0.5, 0.25)
    assert terms == pytest.approx([2.5, 5.0]) and status == DONE
    assert w == pytest.approx(np.full_like(W, 0.5)) and v == pytest.approx(np.full_like(V, 0.25))


@pytest.mark.parametrize("kind", ["clipped", "scaled"])
def test_clipping_keeps_the_direction_and_what_is_short(kind, request):
    """With loss scaling too: gradients are unscaled before they are measured."""
    step = request.getfixturevalue(kind)
    _, status, (w, v) = run(step, 30.0, 40.0)
    norm = np.sqrt(3 * 30.0**2 + 2 * 40.0**2)
    assert status == DONE
    assert w == pytest.approx(np.full_like(W, 30 * 5 / norm), rel=1e-4)
    assert v == pytest.approx(np.full_like(V, 40 * 5 / norm), rel=1e-4)
    _, _, (w, v) = run(step, 0.5, -0.25)
    assert w == pytest.approx(np.full_like(W, 0.5), rel=1e-4) and v == pytest.approx(np.full_like(V, -0.25), rel=1e-4)


@pytest.mark.parametrize("size", [1e22, 1e38])
def test_clipping_does_not_overflow(clipped, size):
    _, status, (w, v) = run(clipped, size, 0.0)
    assert status == DONE
    assert w == pytest.approx(np.full_like(W, 5 / np.sqrt(3)), rel=1e-4) and not v.any()


def test_norm_of_any_arrays():
    arrays = [np.array([[3e30, -4e30]], np.float32), np.zeros(2, np.float32), np.array([-12e30], np.float32)]
    tensors = tuple(map(ms.Tensor, arrays))
    scale, norm = (number.asnumpy() for number in scale_and_norm(tensors))
    assert scale == pytest.approx(12e30) and scale * norm == pytest.approx(13e30)
    scale, norm = scale_and_norm((ms.Tensor(np.zeros(3, np.float32)),))
    assert scale.asnumpy() == 1 and norm.asnumpy() == 0


@pytest.mark.parametrize("kind", ["plain", "clipped"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_gradient_that_is_not_finite_changes_nothing(kind, value, request):
    step = request.getfixturevalue(kind)
    for images in ((value, 1.0), (1.0, value)):
        _, status, moved = run(step, *images)
        assert status == SKIPPED_HERE and not any(m.any() for m in moved)


def test_a_gradient_whose_square_overflows_changes_nothing(plain):
    """Adam would keep an infinite mean square for ever."""
    _, status, moved = run(plain, 1e20, 0.0)
    assert status == SKIPPED_HERE and not any(m.any() for m in moved)


def test_an_overflow_of_the_scaled_loss_halves_the_scale_and_blames_no_image():
    step = make(ema_decay=0.5, loss_scale=1e38)
    before = [a.asnumpy().copy() for a in step.averages]
    _, status, moved = run(step, 100.0, 1.0)
    assert status == SKIPPED and not any(m.any() for m in moved)
    assert step.scaler.scale_value.asnumpy() == pytest.approx(5e37)
    assert step.averaged_steps.asnumpy() == 0
    assert all(np.array_equal(a.asnumpy(), b) for a, b in zip(step.averages, before, strict=True))


def test_the_loss_scale_doubles_after_its_window_of_steps_without_an_overflow(monkeypatch):
    """An overflow begins the window anew; how large the scale is changes no step."""
    monkeypatch.setattr("src.training.train_step.SCALE_WINDOW", 3)
    step = make(loss_scale=1024.0)
    found = []
    for a in (0.5, 0.5, 0.5, 0.5, 0.5, np.inf, 0.5, 0.5, 0.5):
        _, status, (w, _) = run(step, a, 0.25)
        found.append(float(step.scaler.scale_value.asnumpy()))
        assert status == (SKIPPED_HERE if a == np.inf else DONE)
        assert w == pytest.approx(np.full_like(W, 0.0 if a == np.inf else a), rel=1e-4)
    assert found == [1024, 1024, 2048, 2048, 2048, 1024, 1024, 1024, 2048]


def test_with_loss_scaling_images_are_blamed_when_the_loss_itself_is_lost(scaled):
    _, status, moved = run(scaled, np.nan, 1.0)
    assert status == SKIPPED_HERE and not any(m.any() for m in moved)
    scaled.scaler.scale_value.set_data(ms.Tensor(1024.0, ms.float32))


def test_a_loss_scale_below_1_can_fall_further():
    """The published losses' gradients are a million times float16's largest number (docs/ascend.md)."""
    step = make(loss_scale=1e-6)
    _, status, (w, v) = run(step, 3e8, 2e8)
    assert status == DONE
    assert w == pytest.approx(np.full_like(W, 3e8), rel=1e-4) and v == pytest.approx(np.full_like(V, 2e8), rel=1e-4)
    _, status, moved = run(step, np.inf, 1.0)
    assert status == SKIPPED_HERE and not any(m.any() for m in moved)
    assert step.scaler.scale_value.asnumpy() * step.scale_unit == pytest.approx(0.5e-6)


class MeanWithLost(nn.Cell):
    """The mean over two ranks, of which the other has lost its gradients."""

    def construct(self, gradients):
        lost = ()
        for gradient in gradients:
            lost += (gradient * float("nan"),)
        return lost


def test_a_skipped_step_of_another_rank_is_skipped_here_too():
    """Every rank sees the same mean, so all skip the step; only the one whose images did it names them."""
    step = make(reduce_gradients=MeanWithLost())
    _, status, moved = run(step, 1.0, 1.0)
    assert status == SKIPPED and not any(m.any() for m in moved)


class Images:
    """Batches of one content and one style, named after the step."""

    def batch_files(self, step):
        return [f"content_{step % 100}.png"], [f"style_{step % 100}.png"]


GOOD, LOST = (np.ones(2), DONE), (np.array([np.nan, 1.0]), SKIPPED_HERE)


def test_files_of_a_skipped_step_are_named_once(caplog):
    skipped = SkippedSteps(Images(), ("total", "content"), 0)
    with caplog.at_level(logging.WARNING, "style_transfer"):
        skipped.look(0, [GOOD, LOST, GOOD])
        assert not skipped.last_was_skipped
        skipped.look(101, [LOST, (np.ones(2), SKIPPED), (np.ones(2), SKIPPED_HERE)])
        assert skipped.last_was_skipped
    assert caplog.messages == [
        "step 2: NaN or Inf in total, skipped; content images content_1.png; style images style_1.png",
        "step 104: NaN or Inf in the gradients, skipped; content images content_3.png; style images style_3.png",
    ]


def test_a_training_that_only_skips_is_ended():
    skipped = SkippedSteps(Images(), ("total", "content"), 0)
    skipped.look(0, [LOST] * (MOST_IN_A_ROW - 1) + [GOOD])
    skipped.saved(8)
    skipped.look(MOST_IN_A_ROW, [LOST] * (MOST_IN_A_ROW - 1))
    with pytest.raises(UserError, match=r"step 20: NaN or Inf in total, .*content_19.*go on from step 8"):
        skipped.look(2 * MOST_IN_A_ROW - 1, [LOST])


def test_steps_share_one_compilation(compilations, plain, scaled):
    """Neither other images, nor a skipped step, nor another loss scale compile anew."""
    for step in (plain, scaled):
        counts = []
        for a in (0.5, np.inf, 0.25):
            run(step, a, 1.0)
            counts.append(compilations(step))
        # before the first run, other tests may have compiled the step, and MindSpore may have forgotten that
        assert counts == counts[:1] * 3 and counts[0] >= 1
