"""A model with the first weights of its training."""

import logging
from pathlib import Path

from src.config import to_dict
from src.errors import UserError
from src.models.factory import create_model
from src.training.styles import train_new_rows_only, with_new_rows
from src.weights.load import load_inception, load_model
from src.weights.loss_network import attach_loss_network
from src.weights.native import load_into, to_arrays

logger = logging.getLogger("style_transfer")


def starting_checkpoint(train_options) -> str:
    """The checkpoint to start from: `init_ckpt`, or `ckpt_path` when that is a file rather than a folder."""
    return train_options.init_ckpt or (train_options.ckpt_path if Path(train_options.ckpt_path).is_file() else "")


def weights_folder(train_options) -> Path:
    """The folder in which pretrained networks are looked for."""
    path = Path(train_options.ckpt_path)
    return path.parent if path.is_file() else path


def build_model(network_options, loss_options, train_options, styles=()):
    """The model with its first weights: a checkpoint's, pretrained Inception-v3's, or new ones.

    Args:
        network_options, loss_options, train_options: see `src.config`.
        styles: names of the styles of a table, see `src.training.styles`.

    Raises:
        UserError: no such checkpoint, or one of another network; no inceptionv3.ckpt or loss network where one is
            needed.
    """
    model = create_model(network_options, loss_options.loss_network, styles)
    attach_loss_network(model.predictor, loss_options, weights_folder(train_options))
    start = starting_checkpoint(train_options)
    if start:
        loaded = load_model(start)
        check_same_network(network_options, loaded.network, start, ignore=("predictor", "train_inception"))
        if network_options.traits.takes_more_styles:
            start_with_more_styles(model, loaded, start)
        elif network_options.style_source == loaded.network.style_source:
            start_from_all(model, loaded, start)
        else:
            start_from_transfer_network(model, loaded, start)
    elif network_options.style_source == "inception_v3":
        start_from_inception(model, weights_folder(train_options))
    return model


def start_from_inception(model, folder):
    """The paper's start: Inception-v3 as ImageNet trained it, all other weights new.

    Raises:
        UserError: no inceptionv3.ckpt in the folder.
    """
    path = folder / "inceptionv3.ckpt"
    if not path.is_file():
        raise UserError(
            f"option predictor: inception_v3 needs pretrained weights, and {path} is not there; put it there "
            "(scripts/convert_weights.py converts torchvision's), or train with --predictor compact"
        )
    load_inception(path, model.predictor.inception)


def start_from_all(model, loaded, path):
    """Starts from all weights of a checkpoint."""
    load_into(model, to_arrays(loaded), path)


def start_from_transfer_network(model, loaded, path):
    """Starts from the style transfer network of a checkpoint with another predictor; the predictor is new."""
    load_into(model.transfer, to_arrays(loaded.transfer), path)
    logger.info("%s: took the style transfer network, not its %s predictor", path, loaded.network.predictor)


def start_with_more_styles(model, loaded, path):
    """Starts from the checkpoint of a table. Where the table lacks styles, only their rows are trained."""
    load_into(model, with_new_rows(to_arrays(loaded), model), path)
    if len(model.styles) > len(loaded.styles):
        train_new_rows_only(model, len(loaded.styles))
        logger.info("training the rows of %s, nothing else", ", ".join(model.styles[len(loaded.styles) :]))


def check_same_network(expected, found, where, ignore=()):
    """Raises a UserError for the first option of two networks that differs, of those not to `ignore`.

    Args:
        expected, found: `src.sections.NetworkConfig`, the options' and the checkpoint's.
        where: the checkpoint's file.
    """
    for name, value in to_dict(expected).items():
        other = to_dict(found)[name]
        if name not in ignore and value != other:
            raise UserError(
                f"checkpoint {where}: was trained with {name} {other!r}, the options say {value!r}; use the options of "
                "its recipe (the published checkpoint's: --config_path configs/modelzoo.yaml)"
            )
