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

logger = logging.getLogger("style_transfer")
# part of the free memory for the targets; the rest is for the networks
MEMORY_SHARE = 0.7


class DescribeStyle(nn.Cell):
    """A style crop (1, 3, H, W) to its Gram matrices, one a style tap, and the output of the predictor's frozen part.

    Args:
        stylization: `src.training.objectives.Stylization`.
    """

    def __init__(self, stylization):
        super().__init__()
        self.stylization = (stylization,)  # a tuple, so that its parameters keep their names

    def construct(self, style):
        stylization = self.stylization[0]
        grams = stylization.loss.style_targets(stylization.loss_network(style))
        return (*grams, *stylization.kept_of(style))


class StyleCrops:
    """The targets of style crops, each computed when a batch first has the crop.

    A Gram matrix is symmetric, so its upper half is kept, in float32.

    Args:
        stylization: `src.training.objectives.Stylization`, which takes these targets from now on.
        count: number of crops of all styles.
        side: side of a crop, pixels.

    Raises:
        UserError: the targets would not fit into the memory.
    """

    def __init__(self, stylization, count, side):
        stylization.take_style_targets()
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


def fixed_crops(options, objective, images):
    """The `StyleCrops` of a run, or None where a step draws new ones.

    Args:
        options: namespace of `network`, `data`.
        objective: see `src.training.objectives`.
        images: `src.data.dataset.PairedImages`.

    Raises:
        UserError: an objective without style targets, or too many crops for the memory.
    """
    count = options.data.style_crops
    if not count:
        return None
    stylization = getattr(objective, "stylization", objective)
    if options.network.has_table or options.network.reads_statistics or stylization is None:
        why = {
            options.network.has_table: f"method {options.network.method}, which has --style_augment false for that",
            options.network.reads_statistics: "a statistics predictor, which reads the loss network at each step",
        }.get(True, "--distill_weight 0, which compares no styles")
        raise UserError(f"option style_crops: found {count}, expected 0 with {why}")
    return StyleCrops(stylization, count * images.style_count, options.data.style_side)
