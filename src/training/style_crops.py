"""What a training step needs to know of a style crop, computed once for each of a fixed number of crops a style.

A step that draws new crops pays a pass of the loss network, and of the style prediction network, for each. With a fixed
number of them the Gram matrices, and what the frozen part of the predictor makes of them, are kept in memory.
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
# of the free memory; the rest is for the networks
MEMORY_SHARE = 0.7


class CropsStylization(Stylization):
    """The stylization objective of fixed style crops, for a style prediction network that reads pixels.

    A step is given the crops' Gram matrices, and what the frozen part of the predictor makes of them: the embeddings
    where all of the predictor is frozen, the mean of Mixed_6e where Inception-v3 is.

    Args: those of `Stylization`. What is frozen must be so already.

    Attributes:
        kept: what is kept of a crop beside its Gram matrices, in words; empty for nothing.
    """

    def __init__(self, model, loss_network, taps, loss):
        super().__init__(model, loss_network, taps, loss)
        self.kept = ""
        if not model.predictor.trainable_params():
            self.kept = "embeddings"
        elif isinstance(model.predictor, InceptionPredictor) and not model.predictor.inception.trainable_params():
            self.kept = "features of Inception-v3"

    def describe(self, style):
        """Style crops (N, 3, H, W) to what a step is given of them, a tuple."""
        grams = self.loss.style_targets(self.loss_network(style))
        if self.kept == "embeddings":
            return (*grams, self.model.predictor(style))
        if self.kept:
            return (*grams, self.model.predictor.features(style))
        return grams

    def style_targets(self, style, given):
        """Gram matrices, and what the predictor reads: the style, or what is kept of it. `given` is of `describe`."""
        count = len(self.loss.style_taps)
        return given[:count], given[count] if self.kept else style

    def embed(self, predictor_input):
        """Style embeddings (N, embedding_dim) of the style, or of what is kept of it."""
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
    """The targets of the style crops met so far.

    A Gram matrix is symmetric, so its upper half is kept, in float32.

    Args:
        stylization: `CropsStylization`, whose steps take these targets.
        count: how many crops there are, of all styles.
        side: of a crop, pixels.

    Raises:
        UserError: they would not fit into the memory.
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
            crops: what tells each crop of the batch from others, see `src.data.dataset.PairedImages.style_crops`.
            style: the batch (N, 3, H, W), of which those not met before are described.
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
    """Where each entry of a symmetric matrix stands in its upper half of these rows and columns."""
    places = np.zeros((rows[-1] + 1,) * 2, np.intp)
    places[rows, columns] = places[columns, rows] = np.arange(len(rows))
    return places
