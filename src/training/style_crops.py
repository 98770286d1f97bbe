"""Targets of style crops, computed once for each crop. Each style image then has a fixed number of crops.

A step with new crops needs a pass of the loss network, and of the style prediction network, for each crop. With a fixed
number of crops, the Gram matrices and the output of the predictor's frozen part are kept in memory.
"""

import logging

import mindspore as ms
import numpy as np
from mindspore import nn

from src.errors import UserError
from src.memory import free_memory
from src.models.style_prediction import InceptionPredictor
from src.training.objectives import Stylization

logger = logging.getLogger("style_transfer")
# part of the free memory for the targets; the rest is for the networks
MEMORY_SHARE = 0.7


class CropsStylization(Stylization):
    """The stylization objective of fixed style crops, for a style prediction network that reads pixels.

    A step takes the crops' targets of the style loss, and the output of the predictor's frozen part: embeddings where
    all of the predictor is frozen, the mean of Mixed_6e where Inception-v3 is frozen.

    Args: those of `Stylization`. Parameters that are not trained must be frozen already.

    Attributes:
        kept: the output of the predictor's frozen part, in words; empty without a frozen part.
    """

    def __init__(self, model, loss_network, taps, loss):
        super().__init__(model, loss_network, taps, loss)
        self.kept = ""
        if not model.predictor.trainable_params():
            self.kept = "embeddings"
        elif isinstance(model.predictor, InceptionPredictor) and not model.predictor.inception.trainable_params():
            self.kept = "features of Inception-v3"

    def describe(self, style):
        """Style crops (N, 3, H, W) to the tensors that a step takes of them, a tuple."""
        grams = self.loss.style_targets(self.loss_network(style), style)
        if self.kept == "embeddings":
            return (*grams, self.model.predictor(style))
        if self.kept:
            return (*grams, self.model.predictor.features(style))
        return grams

    def style_targets(self, style, given):
        """The targets of the style loss, and what the predictor, or the rest of it, reads. `given` is of `describe`."""
        if self.kept:
            return given[:-1], given[-1]
        return given, style

    def embed(self, predictor_input):
        """Style embeddings (N, embedding_dim) of the style, or of the output of the predictor's frozen part."""
        if self.kept == "embeddings":
            return predictor_input
        if self.kept:
            return self.model.predictor.dense(predictor_input)
        return self.model.predictor(predictor_input)


class DescribeStyle(nn.Cell):
    """`CropsStylization.describe`, compiled.

    Args:
        stylization: `CropsStylization`.
    """

    def __init__(self, stylization):
        super().__init__()
        self.stylization = (stylization,)  # a tuple, so that its parameters keep their names

    def construct(self, style):
        return self.stylization[0].describe(style)


class StyleCrops:
    """The targets of style crops, each computed when a batch first has the crop.

    A Gram matrix is symmetric, so its upper half is kept, in float32.

    Args:
        stylization: `CropsStylization`, whose steps take these targets.
        count: number of crops of all styles.
        side: side of a crop, pixels.

    Raises:
        UserError: the targets would not fit into the memory.
    """

    def __init__(self, stylization, count, side):
        self._describe = DescribeStyle(stylization)
        self._known = {}
        shapes = [array.shape for array in self._describe(ms.ops.zeros((1, 3, side, side), ms.float32))]
        self._halves = [np.triu_indices(shape[-1]) for shape in shapes if len(shape) == 3]
        self._places = [_places(*half) for half in self._halves]
        size = 4 * count * sum(len(rows) for rows, _ in self._halves)
        free = free_memory()
        if size > MEMORY_SHARE * free:
            raise UserError(
                f"option style_crops: the Gram matrices of {count} style crops take {size / 1e9:.1f} GB, "
                f"{free / 1e9:.1f} GB are free; take fewer crops, or 0 to compute them at each step"
            )
        logger.info(
            "%d style crops of %d px, whose Gram matrices (and %s) are computed once: up to %.2f GB of memory",
            count,
            side,
            stylization.kept or "nothing of the predictor",
            size / 1e9,
        )

    def targets(self, crops, style) -> list:
        """Tensors of a batch, as `Stylization.targets` takes them.

        Args:
            crops: a key for each crop of the batch, see `src.data.dataset.PairedImages.style_crops`.
            style: the batch (N, 3, H, W), from which the targets of new crops are computed.
        """
        new = [i for i, crop in enumerate(crops) if crop not in self._known]
        pixels = style.asnumpy() if new else None
        for i in new:
            found = [array.asnumpy()[0] for array in self._describe(ms.Tensor(pixels[i : i + 1]))]
            count = len(self._halves)
            packed = [gram[half] for gram, half in zip(found[:count], self._halves, strict=True)]
            # copied: asnumpy may share the memory of a tensor that the next call writes to
            self._known[crops[i]] = [*packed, *(array.copy() for array in found[count:])]
        rows = zip(*(self._known[crop] for crop in crops), strict=True)
        return [ms.Tensor(self._unpacked(k, row)) for k, row in enumerate(rows)]

    def _unpacked(self, k, rows):
        if k >= len(self._places):
            return np.stack(rows)
        return np.stack([half[self._places[k]] for half in rows])


def _places(rows, columns):
    """The place of each entry of a symmetric matrix in the flat list of its upper half, given by rows and columns."""
    places = np.zeros((rows[-1] + 1,) * 2, np.intp)
    places[rows, columns] = places[columns, rows] = np.arange(len(rows))
    return places
