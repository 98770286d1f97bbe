"""Stylising from Python in two calls, and training in one.

from src.api import build_model, predict, train

model = build_model("pretrained_model/n_styles.ckpt")
pastiche = predict(model, "photo.jpg", "swirling_night")
checkpoint = train("photos", "styles", "output/mine", "configs/n_styles.yaml", steps=2000)
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from src.config import defaults
from src.images.files import read_image
from src.options.recipes import unknown
from src.sections import SECTIONS, TRAINING_SECTIONS
from src.stylize.stylizer import Stylizer


def build_model(checkpoint="", engine="auto", device_target="auto") -> Stylizer:
    """The model of a checkpoint, or of a pair of exported files, of every method that has networks.

    Args:
        checkpoint: the file; empty for the bundled model.
        engine: see `src.engines.choice.choose_engine`.
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


def train(content_path, style_path, output_dir="output/train", recipe=None, **options) -> Path:
    """Trains a model as train.py does: from the start, or from the newest checkpoint in the output folder.

    Args:
        content_path, style_path: folders of photographs and of style images.
        output_dir: where checkpoints, losses and grids go.
        recipe: a YAML file of configs/; None for the options of default_config.yaml.
        options: other options of train.py by their names, `steps=300`, `method="n_styles"`.

    Returns:
        the checkpoint of the last step, which `build_model` takes.

    Raises:
        UserError: an option that train.py does not have, or one of its own errors.
        KeyboardInterrupt: Ctrl-C, after a checkpoint is saved.
    """
    from src.runtime import setup
    from src.training import trainer
    from src.training.files import CheckpointFolder

    values = {section: {} for section in TRAINING_SECTIONS}
    given = {"content_path": content_path, "style_path": style_path, "output_dir": output_dir, **options}
    for name, value in given.items():
        section = next((section for section in TRAINING_SECTIONS if SECTIONS[section].find(name)), None)
        if section is None:
            known = [name for section in TRAINING_SECTIONS for name in SECTIONS[section].schema()]
            raise unknown(name, known, "train")
        values[section][SECTIONS[section].find(name).name] = str(value) if isinstance(value, Path) else value
    settings = SimpleNamespace(
        **{name: part for name, part in defaults(recipe, **values).items() if name in TRAINING_SECTIONS}
    )
    if trainer.train(settings, setup(settings.runtime)):
        raise KeyboardInterrupt
    checkpoints = CheckpointFolder(Path(settings.train.output_dir) / "checkpoints", settings.train.keep_checkpoints)
    return checkpoints.model_file(checkpoints.steps()[-1])


def _load(image):
    return image if isinstance(image, np.ndarray) else read_image(image)
