"""The training step of a recipe with random weights, on pictures as small as its networks take: for its operators."""

import dataclasses

import mindspore as ms
import numpy as np

from src.config import defaults
from src.models.compact_prediction import STATISTICS_TAPS
from src.models.factory import create_model, new_loss_network
from src.optimize.objective import PasticheLoss
from src.optimize.optimizers import OPTIMIZERS
from src.optimize.settings import weighted_loss
from src.runtime import apply_precision
from src.training.build import build_step, freeze
from src.training.distillation.objective import Distillation
from src.training.stylization import create_stylization

SIDE, INCEPTION_SIDE = 64, 96  # pixels
STYLES = ("first", "second")


def recipe_step(recipe, runtime, distil=False):
    """The step of a recipe and the tensors that it takes.

    Args:
        recipe: file of a recipe, or None for the defaults.
        runtime: `src.runtime.Runtime`, whose precision the networks compute in; a rank_size above 1 adds collectives.
        distil: train the predictor on a teacher's embeddings beside the losses, as compact_distil.yaml does.

    Returns:
        (cell, inputs).
    """
    options = defaults(recipe)
    network_options, loss_options, train_options = options["network"], options["loss"], options["train"]
    if not network_options.traits.has_networks:
        return _optimization(weighted_loss(loss_options, options["optimize"]), options["optimize"], runtime)
    styles = STYLES[: 1 if network_options.traits.has_one_style else 2] if network_options.traits.has_table else ()
    model = create_model(network_options, loss_options.loss_network, styles)
    if network_options.style_source == "statistics":
        model.predictor.attach(new_loss_network(loss_options, STATISTICS_TAPS))
    freeze(model, train_options.freeze)
    objective = stylization = create_stylization(model, loss_options, new_loss_network, options["data"].style_crops > 0)
    for cell in (model, stylization.loss_network):
        apply_precision(cell, runtime.precision)
    if distil:
        teacher = create_model(dataclasses.replace(network_options, predictor="statistics"), loss_options.loss_network)
        teacher.predictor.attach(new_loss_network(loss_options, STATISTICS_TAPS))
        hint = train_options.hint_weight if loss_options.loss_network == "distilled_vgg19" else 0.0
        objective = Distillation(model, teacher.predictor, objective, 0.5, hint)
    side = INCEPTION_SIDE if network_options.style_source == "inception_v3" else SIDE
    content, style = _images(side), _images(side)
    given = []
    if styles:
        given = [ms.Tensor(np.eye(len(styles), dtype=np.float32)[[0, 0]])]
        if not options["data"].style_augment:
            grams = [gram.asnumpy() for gram in stylization.loss.style_targets(stylization.loss_network(style), style)]
            stylization.remember([np.stack([gram[0]] * len(styles)) for gram in grams])
    elif options["data"].style_crops:
        given = stylization.describe(style)
    trained = model.trainable_params()
    return build_step(train_options, objective, trained, runtime), (content, style, *given)


def _images(side):
    return ms.Tensor(np.random.default_rng(0).random((2, 3, side, side), np.float32))


def _optimization(loss_options, settings, runtime):
    taps = loss_options.feature_layers
    loss_network = new_loss_network(loss_options, taps)
    apply_precision(loss_network, runtime.precision)
    pastiche = np.random.default_rng(0).random((1, 3, SIDE, SIDE), np.float32)
    objective = PasticheLoss(loss_network, taps, loss_options, pastiche, (1.0,))
    features = loss_network(ms.Tensor(pastiche))
    style_targets = objective.loss.style_targets(features, ms.Tensor(pastiche))
    targets = ms.mutable(objective.loss.content_targets(features)), ms.mutable(style_targets)
    scale = settings.loss_scale if runtime.precision == "float16" else None
    return OPTIMIZERS[settings.optimizer](objective, targets, settings, scale).cell, targets
