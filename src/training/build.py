"""From options to the parts of a training step: objective, optimiser, schedule."""

import functools

import mindspore as ms
import numpy as np
from mindspore import nn

from src.errors import UserError
from src.runtime import apply_precision, gradient_reducer
from src.training.distillation.build import build_distillation
from src.training.distillation.muon import Muon
from src.training.schedule import learning_rates
from src.training.stylization import build_stylization
from src.training.train_step import TrainOneStep

# by option `optimizer`; each takes the parameters and the learning rate of every step
OPTIMIZERS = {"adam": nn.Adam, "muon": Muon, "sgd": functools.partial(nn.Momentum, momentum=0.9)}


def build_objective(options, model, runtime):
    """The objective (`src.training.objective.Objective`), its loss network, and the parameters that it trains.

    The loss network is None for a distillation that computes no stylization loss.

    Args:
        options: namespace of `network`, `loss`, `data`, `train`.
        model: `src.models.factory.StylizationModel`.
        runtime: `src.runtime.Runtime`.

    Raises:
        UserError: see `src.training.stylization.build_stylization` and `freeze`; with --distill_from also
            `src.training.distillation.build.build_distillation`.
    """
    apply_precision(model, runtime.precision)
    freeze(model, options.train.freeze)
    if options.train.distill_from:
        return build_distillation(options, model, runtime)
    stylization = build_stylization(options, model, runtime)
    return stylization, stylization.loss_network, model.trainable_params()


def freeze(model, beginnings):
    """Freezes the parameters whose names begin like one of `beginnings`.

    Raises:
        UserError: no parameter's name begins like one of them.
    """
    for beginning in beginnings:
        found = [p for name, p in model.parameters_and_names() if name.startswith(beginning)]
        if not found:
            known = sorted({".".join(name.split(".")[:2]) for name, _ in model.parameters_and_names()})
            raise UserError(f"option freeze: no parameter's name begins with {beginning!r}; known: {', '.join(known)}")
        for parameter in found:
            parameter.requires_grad = False


def build_step(train_options, objective, parameters, runtime):
    """The `TrainOneStep` of an objective, with its optimiser and schedule."""
    optimizer = OPTIMIZERS[train_options.optimizer](parameters, learning_rates(train_options).tolist())
    scale = train_options.loss_scale if runtime.precision == "float16" else None
    reducer = gradient_reducer(optimizer.parameters, runtime)
    return TrainOneStep(objective, optimizer, train_options.clip_norm, train_options.ema_decay, scale, reducer)


def describe_versions() -> dict:
    """Versions that belong into a checkpoint's metadata."""
    return {"mindspore": ms.__version__, "numpy": np.__version__}
