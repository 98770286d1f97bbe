"""Which styles a table has a row for, and which of these a training run trains."""

import mindspore as ms
import numpy as np

from src.errors import UserError
from src.images.files import read_image, resize_short_side, to_network
from src.losses import Targets
from src.models.factory import frozen
from src.styles import style_name, style_names
from src.weights.load import read_weights


def known_styles(network_options, start) -> tuple:
    """Names of the styles in the checkpoint to start from; empty without a checkpoint.

    Args:
        network_options: `src.sections.NetworkConfig`.
        start: the checkpoint, or "".

    Raises:
        UserError: no such file, or not a checkpoint.
    """
    if not network_options.traits.takes_more_styles or not start:
        return ()
    return tuple((read_weights(start)[1] or {}).get("styles", ()))


def table_styles(network_options, files, known=()) -> tuple:
    """Names of the styles of a table: the known styles, then those of the style files that are new.

    Args:
        network_options: `src.sections.NetworkConfig`; the result is empty for a method without a table.
        files: the style images that are drawn.
        known: from `known_styles`.

    Raises:
        UserError: files that would give styles the same name, a damaged one (a row would never be trained), or several
            for a network of a single style.
    """
    if not network_options.traits.has_table:
        return ()
    names = style_names(files)
    if network_options.traits.has_one_style and len(names) > 1:
        raise UserError(
            f"option style_path: found {len(names)} style images, expected one for --method {network_options.method}; "
            "name the file, or use --method n_styles"
        )
    for path in files:
        read_image(path)
    return (*known, *(name for name in names if name not in known))


def table_weights(styles, images, step):
    """The weights (N, styles), a float32 tensor, that pick the row of each style image of a step's batch.

    Args:
        styles: names of the table's rows.
        images: `src.data.dataset.PairedImages`.
        step: a step whose batch exists already.
    """
    rows = [styles.index(style_name(path)) for path in images.batch_files(step)[1]]
    return ms.Tensor(np.eye(len(styles), dtype=np.float32)[rows])


def whole_grams(objective, loss_options, files, styles, size) -> list:
    """The style targets of whole style images, arrays (styles, ...) as `TableStylization.remember` takes them.

    They are 0 for a style without an image.

    Args:
        objective: `src.training.objectives.TableStylization`.
        loss_options: `src.sections.LossConfig`.
        files: the style images.
        styles: names of the table's rows.
        size: short side to which the images are brought, pixels.
    """
    targets = Targets(objective.loss_network, objective.taps, loss_options)
    tables = []
    for path in files:
        image = resize_short_side(read_image(path), size)
        grams = [gram.asnumpy()[0] for gram in targets(ms.Tensor(to_network(image)))[1]]
        tables = tables or [np.zeros((len(styles), *gram.shape), np.float32) for gram in grams]
        for table, gram in zip(tables, grams, strict=True):
            table[styles.index(style_name(path))] = gram
    return tables


def with_new_rows(arrays, model) -> dict:
    """{name: array} of a model with fewer styles, with rows for the styles of `model` that come after them.

    A new row starts as the mean of those that are there, which is nearer to any style than plain instance norm.
    """
    rows = [name for name, _ in model.parameters_and_names() if name.startswith("predictor.")]
    mean = np.mean([arrays[name] for name in rows if name in arrays], axis=0)
    return {**dict.fromkeys(rows, mean), **arrays}


def train_new_rows_only(model, known):
    """Freezes everything but the rows after the first `known` (Dumoulin et al. 2016, section 3.3)."""
    frozen(model)
    for row in model.predictor.rows[known:]:
        row.requires_grad = True
