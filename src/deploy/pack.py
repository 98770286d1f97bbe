"""A checkpoint to pass on: weights in half precision, no folders of the machine that trained it."""

from pathlib import Path

import mindspore as ms
import numpy as np

from src.config import to_dict
from src.engines.mindspore_networks import MindSporeNetworks
from src.errors import UserError
from src.images.files import list_images, read_image
from src.models.compact_prediction import StatisticsEmbedding
from src.stylize.stylizer import Stylizer
from src.weights.load import load_model
from src.weights.native import load_into, read_checkpoint, save_checkpoint, to_arrays

FOLDERS = ("_path", "_dir", "_ckpt", "distill_from")


def pack(source, target, settings) -> Path:
    """Writes the checkpoint `source` anew as `target`.

    Args:
        settings: `transfer_from`, `emphasis`, `style_path`, see scripts/pack_checkpoint.py.

    Returns:
        the target.

    Raises:
        UserError: no such checkpoint, or one of another network; an emphasis that the model can't have, or no style
            images.
    """
    model = load_model(source)
    metadata = read_checkpoint(source)[1] or {}
    metadata.pop("format", None)
    metadata["network"] = to_dict(model.network)  # a published checkpoint has no options of its own
    for section in metadata.get("options", {}).values():
        for key in [k for k in section if k.endswith(FOLDERS)]:
            del section[key]
    if settings.transfer_from:
        load_into(model.transfer, to_arrays(load_model(settings.transfer_from).transfer), settings.transfer_from)
    if settings.emphasis != 1:
        emphasise(model, settings.emphasis, settings.style_path)
        metadata["emphasis"] = settings.emphasis
    save_checkpoint(target, to_arrays(model), metadata, half=True)
    return Path(target)


def emphasise(model, factor, style_path):
    """Multiplies the distance of a model's style embeddings from the mean embedding of some style images by a factor.

    This is the strength of `Stylizer.strengthen` for all styles at once, without training. A factor above 1 gives more
    style and keeps less of the content.
    """
    predictor = model.predictor
    if not isinstance(predictor, StatisticsEmbedding):
        raise UserError(
            f"option emphasis: found {factor}, expected 1: a {type(predictor).__name__} has no layer to scale"
        )
    files = list_images(style_path, "style_path")
    stylizer = Stylizer(MindSporeNetworks(model))
    mean = np.mean([stylizer.embed(read_image(path)) for path in files], axis=0)
    dense = predictor.dense
    dense.bias.set_data(dense.bias * factor + ms.Tensor((1 - factor) * mean))
    dense.weight.set_data(dense.weight * factor)
