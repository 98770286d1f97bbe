"""Stylising from Python in two calls.

from src.api import build_model, predict

model = build_model("pretrained_model/n_styles.ckpt")
pastiche = predict(model, "photo.jpg", "swirling_night")
"""

from pathlib import Path

import numpy as np

from src.data.images import read_image
from src.stylize.stylizer import Stylizer


def build_model(checkpoint="", engine="auto", device_target="auto") -> Stylizer:
    """The model of a checkpoint, or of a pair of exported files, of every method that has networks.

    Args:
        checkpoint: the file; empty for the bundled model.
        engine: see `src.stylize.engines.choose_engine`.
        device_target: Ascend, GPU, CPU or auto.

    Raises:
        UserError: no such file, or of another kind; an engine or a device that is not there.
    """
    return Stylizer.open(checkpoint, engine, device_target)


def predict(model, images, style=0):
    """The pastiche of an image, or those of several.

    Args:
        model: from `build_model`.
        images: a file, a uint8 (H, W, 3) RGB array, or a list of these.
        style: a style image in the same two ways; of a model with a table of styles (`model.styles`) a name, a number,
            or a dict of these to weights with the sum 1.

    Returns:
        uint8 (H, W, 3) of the image's size; a list of them for a list.

    Raises:
        UserError: an image that can't be read, a style that the model lacks, weights with another sum.
    """
    by_file = not model.styles and isinstance(style, str | Path)
    embedding = model.embed(read_image(style) if by_file else style)
    if isinstance(images, list | tuple):
        return [model.stylize(_load(image), embedding) for image in images]
    return model.stylize(_load(images), embedding)


def _load(image):
    return image if isinstance(image, np.ndarray) else read_image(image)
