"""Fixed crops of the styles: what is computed once is what a step would compute."""

from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest
from tiny_runs import LOSS

from src.color_loss import AREAS
from src.config import defaults
from src.errors import UserError
from src.models.factory import create_model
from src.training.distillation.build import build_distillation
from src.training.objectives import Stylization
from src.training.style_crops import StyleCrops
from src.training.stylization import build_stylization, create_stylization
from src.weights.loss_network import create_loss_network

SIDE = 48
COLOR = LOSS | {"color_weight": 0.1, "palette_weight": 0.1}
# (style, number): two crops of one style, and one number of two styles
CROPS = [(0, 0), (0, 1), (3, 1)]


@pytest.fixture
def stylization(loss_weights):
    """Function of a predictor and whether all of it is frozen: a `CropsStylization` of a quarter-width model."""

    def make(predictor, frozen=False):
        network = defaults(network={"predictor": predictor, "width": 0.25, "train_inception": False})["network"]
        loss = defaults(loss=COLOR)["loss"]
        model = create_model(network)
        for parameter in model.predictor.get_parameters():
            parameter.requires_grad = parameter.requires_grad and not frozen
        return create_stylization(model, loss, lambda *of: create_loss_network(of[0], loss_weights, of[1]), True)

    return make


def batch(image, first):
    pixels = np.stack([image(SIDE, SIDE, first + i).transpose(2, 0, 1) for i in range(len(CROPS))])
    return ms.Tensor(pixels.astype(np.float32) / 255)


def targets(objective, content, style, *given):
    """Gram matrices and embeddings, float32 arrays."""
    _, grams, predictor_input = objective.targets(content, style, *given)
    return [array.asnumpy() for array in (*grams, objective.embed(predictor_input))]


@pytest.mark.parametrize(
    "predictor, frozen, kept", [("compact", False, 0), ("compact", True, 1), ("inception_v3", False, 1)]
)
def test_a_step_compares_with_what_it_compares_with_otherwise(stylization, image, predictor, frozen, kept):
    objective = stylization(predictor, frozen)
    content, style = batch(image, 0), batch(image, 5)
    drawn = Stylization(objective.model, objective.loss_network, objective.taps, defaults(loss=COLOR)["loss"])
    expected = targets(drawn, content, style)
    crops = StyleCrops(objective, 8, SIDE)
    given = crops.targets(CROPS, style)
    assert len(given) == len(LOSS["style_taps"]) + len(AREAS) + 1 + kept
    for found, wanted in zip(targets(objective, content, style, *given), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    # they are not computed again: pixels of another style change nothing, and the order of the crops does
    again = crops.targets(CROPS[::-1], batch(image, 9))
    for one, other in zip(given, again, strict=True):
        np.testing.assert_array_equal(one.asnumpy()[::-1], other.asnumpy())


def test_crops_that_do_not_fit_into_the_memory_are_refused(stylization, monkeypatch):
    monkeypatch.setattr("src.training.style_crops.free_memory", lambda: 1e8)
    objective = stylization("compact")
    StyleCrops(objective, 1000, SIDE)
    with pytest.raises(UserError, match="option style_crops: .* 100000 style crops take 0.3 GB, 0.1 GB"):
        StyleCrops(objective, 100000, SIDE)


@pytest.mark.parametrize(
    "options, naming",
    [
        ({"network": {"method": "n_styles"}}, "method n_styles.*style_augment"),
        ({"network": {"predictor": "statistics"}}, "statistics predictor"),
        ({"train": {"distill_from": "teacher"}}, "distill_weight"),
    ],
)
def test_objectives_without_a_use_for_them_refuse(options, naming):
    built = SimpleNamespace(**defaults(**{"data": {"style_crops": 3}, **options}))
    build = build_distillation if built.train.distill_from else build_stylization
    with pytest.raises(UserError, match=f"option style_crops: found 3.*{naming}"):
        build(built, None, None)
