"""From options to everything that a training run needs."""

import dataclasses
import logging
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from src.color_loss import check_color_side
from src.config import to_dict
from src.errors import UserError
from src.losses import check_grid_side
from src.models.factory import create_model, frozen
from src.models.style_prediction import CompactPredictor, StatisticsEmbedding, StatisticsPredictor
from src.runtime import apply_precision, gradient_reducer
from src.training.muon import Muon
from src.training.objectives import Distillation, Stylization, loss_taps
from src.training.schedule import learning_rates
from src.training.styles import train_new_rows_only, with_new_rows
from src.training.train_step import TrainOneStep
from src.weights.load import load_inception, load_model
from src.weights.loss_network import create_loss_network, create_statistics_network
from src.weights.native import load_into, to_arrays

logger = logging.getLogger("style_transfer")
STATISTICS_IMAGES, STATISTICS_BATCHES = 800, 50  # at least so many style crops, and batches drawn at a time


def starting_checkpoint(train) -> str:
    """The checkpoint to start from: `init_ckpt`, or `ckpt_path` when that is a file rather than a folder."""
    return train.init_ckpt or (train.ckpt_path if Path(train.ckpt_path).is_file() else "")


def weights_folder(train) -> Path:
    """The folder in which pretrained networks are looked for."""
    path = Path(train.ckpt_path)
    return path.parent if path.is_file() else path


def build_model(network, loss, train, styles=()):
    """The model with its first weights: a checkpoint's, pretrained Inception-v3's, or new ones.

    Of a checkpoint with another predictor only the style transfer network is taken. With styles that a checkpoint's
    table lacks, only their rows are trained.

    A statistics predictor gets its loss network.

    Args:
        network, loss, train: see `src.config`.
        styles: names of the styles of a table, see `src.training.styles`.

    Raises:
        UserError: no such checkpoint, or one of another network; no inceptionv3.ckpt or loss network where one is
            needed.
    """
    start = starting_checkpoint(train)
    model = create_model(network, loss.loss_network, styles)
    if network.reads_statistics:
        model.predictor.attach(create_statistics_network(loss, weights_folder(train)))
    if start:
        loaded = load_model(start)
        _check_same(network, loaded.network, start, ignore=("predictor", "train_inception"))
        if network.method == "n_styles":
            load_into(model, with_new_rows(to_arrays(loaded), model), start)
            if len(styles) > len(loaded.styles):
                train_new_rows_only(model, len(loaded.styles))
                logger.info("training the rows of %s, nothing else", ", ".join(styles[len(loaded.styles) :]))
        elif network.has_table or network.predictor == loaded.network.predictor:
            load_into(model, to_arrays(loaded), start)
        else:
            load_into(model.transfer, to_arrays(loaded.transfer), start)
            logger.info("%s: took the style transfer network, not its %s predictor", start, loaded.network.predictor)
    elif network.predictor == "inception_v3" and not network.has_table:
        path = weights_folder(train) / "inceptionv3.ckpt"
        if not path.is_file():
            raise UserError(
                f"option predictor: inception_v3 needs pretrained weights, and {path} is not there; put it there "
                "(scripts/convert_weights.py converts torchvision's), or train with --predictor compact"
            )
        load_inception(path, model.predictor.inception)
    return model


def _check_same(wanted, found, where, ignore=()):
    for name, value in to_dict(wanted).items():
        other = to_dict(found)[name]
        if name not in ignore and value != other:
            raise UserError(
                f"checkpoint {where}: was trained with {name} {other!r}, the options say {value!r}; use the options of "
                "its recipe (the published checkpoint's: --config_path configs/modelzoo.yaml)"
            )


def build_objective(options, model, runtime):
    """The objective, its loss network (None when nothing is judged by one) and the parameters to train."""
    loss, train = options.loss, options.train
    if train.distill_from and options.data.style_side != options.data.image_size:
        raise UserError(
            f"option style_size: found {options.data.style_size}, expected 0 with --distill_from, which embeds "
            "contents and styles together"
        )
    if train.distill_from and model.network.has_table:
        raise UserError(
            f"option distill_from: method {model.network.method} has no style prediction network to distil into; leave "
            "it out"
        )
    folder = weights_folder(train)
    judged = not train.distill_from or train.distill_weight > 0
    stylization, loss_network = None, None
    if judged:
        if loss.grid_weight > 0:
            check_grid_side(options.data.image_size, "option image_size has")
        if loss.color_weight > 0:
            check_color_side(min(options.data.image_size, options.data.style_side), "crops have")
        taps = loss_taps(loss, model.network)
        if model.network.reads_statistics:  # in the same pass, of the network as it is
            loss = dataclasses.replace(loss, unit_activations=False)
        loss_network = create_loss_network(loss, folder, taps)
        apply_precision(loss_network, runtime.precision)
        stylization = Stylization(model, loss_network, taps, loss)
    apply_precision(model, runtime.precision)
    freeze(model, train.freeze)
    if not train.distill_from:
        return stylization, loss_network, model.trainable_params()
    teacher = load_model(train.distill_from)
    _check_same(model.network, teacher.network, train.distill_from, ignore=("predictor", "train_inception"))
    if teacher.network.reads_statistics:
        teacher.predictor.attach(create_statistics_network(loss, folder))
    hint = train.hint_weight > 0
    if hint:
        check_hint(model.predictor, teacher.predictor, train.distill_from)
    if not starting_checkpoint(train) or not judged:
        # embeddings mean something to the transfer network that was trained with them, and to no other
        load_into(model.transfer, to_arrays(teacher.transfer), train.distill_from)
        if hint:
            for ours, theirs in _dense_layers(model.predictor, teacher.predictor):
                load_into(ours, to_arrays(theirs), train.distill_from)
    frozen(teacher)
    trained = model.trainable_params() if judged else model.predictor.trainable_params()
    objective = Distillation(model, teacher.predictor, stylization, train.distill_weight, train.hint_weight)
    return objective, loss_network, trained


def _dense_layers(ours, theirs):
    return (ours.hidden, theirs.hidden), (ours.dense, theirs.dense)


def freeze(model, beginnings):
    """Takes the parameters whose names begin so out of training.

    Raises:
        UserError: no parameter's name does.
    """
    for beginning in beginnings:
        found = [p for name, p in model.parameters_and_names() if name.startswith(beginning)]
        if not found:
            known = sorted({".".join(name.split(".")[:2]) for name, _ in model.parameters_and_names()})
            raise UserError(f"option freeze: no parameter's name begins with {beginning!r}; known: {', '.join(known)}")
        for parameter in found:
            parameter.requires_grad = False


def check_hint(student, teacher, where):
    """Raises a UserError unless the student can learn the statistics that the teacher reads."""
    if not isinstance(student, CompactPredictor) or not isinstance(teacher, StatisticsPredictor):
        raise UserError(
            f"option hint_weight: needs --predictor compact and a teacher with a statistics predictor; {where} has a "
            f"{type(teacher).__name__}; set it to 0"
        )
    found, wanted = teacher.center.shape[0], student.center.shape[0]
    if found != wanted:
        raise UserError(
            f"option hint_weight: the teacher {where} reads {found} statistics, the compact predictor learns {wanted} "
            "(distilled_vgg19's); set it to 0"
        )


def build_step(train, objective, parameters, runtime):
    """The `TrainOneStep` of an objective, with its optimiser and schedule."""
    rates = learning_rates(train)
    if train.optimizer == "adam":
        optimizer = nn.Adam(parameters, rates.tolist())
    elif train.optimizer == "muon":
        optimizer = Muon(parameters, rates.tolist())
    else:
        optimizer = nn.Momentum(parameters, rates.tolist(), 0.9)
    scale = train.loss_scale if runtime.precision == "float16" else None
    reducer = gradient_reducer(optimizer.parameters, runtime)
    return TrainOneStep(objective, optimizer, train.clip_norm, train.ema_decay, scale, reducer)


def standardise_statistics(predictor, images, image_size):
    """Sets the center and scale of a predictor that reads statistics from the training styles, unless it has them.

    Args:
        predictor: any style prediction network; those that read no statistics are left alone.
        images: `src.data.dataset.PairedImages`.
        image_size: only for the log.
    """
    if not isinstance(predictor, StatisticsEmbedding) or predictor.standardised:
        return
    rows, step = [], 0
    wanted = min(STATISTICS_IMAGES, max(images.style_count, 2))
    while sum(map(len, rows)) < wanted:
        batches = images.batches(step, step + STATISTICS_BATCHES)
        rows += [predictor.own_statistics(style).asnumpy() for _, style in batches]
        step += STATISTICS_BATCHES
    statistics = np.concatenate(rows)
    predictor.standardise_over(statistics)
    logger.info("statistics of %d style crops of %d px standardise the predictor", len(statistics), image_size)


def describe_versions() -> dict:
    """Versions that belong into a checkpoint's metadata."""
    return {"mindspore": ms.__version__, "numpy": np.__version__}
