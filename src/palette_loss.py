"""Palette loss: which colors a pastiche has, and how much of each, against its style's."""

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.ops import constexpr

# sides of the areas whose mean colors are counted, pixels: a stroke, a part of the picture
PALETTE_AREAS = (4, 16)
# mixtures of red, green and blue along which colors are sorted: gray, two color differences, and halfway between two
# of the three
_AXES = np.array(((1, 1, 1), (1, -1, 0), (1, 1, -2))) / np.sqrt(((3,), (2,), (6,)))
_MIXTURES = np.array(
    ((1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1), (0, 1, -1), (1, 1, 0), (1, -1, 0), (1, 0, 1), (1, 0, -1))
)
DIRECTIONS = (_MIXTURES / np.linalg.norm(_MIXTURES, axis=1, keepdims=True) @ _AXES).astype(np.float32)
# where shares are taken, in spreads from the style's mean. One part in twenty of ink on white paper lies 4.4 from it.
THRESHOLDS = np.linspace(-4, 4, 16, dtype=np.float32)
STEP = float(THRESHOLDS[1] - THRESHOLDS[0])
# a color counts as below a threshold by a logistic function of this width, in spreads, so that there is a gradient
SOFTNESS = 0.4
# added to a style's variance in a direction; the spread is the root of both, so 0.05 for a style of one color
LEAST_VARIANCE = 0.0025


@constexpr
def _directions():
    return ms.Tensor(DIRECTIONS.reshape(1, -1, 3, 1))


@constexpr
def _thresholds():
    return ms.Tensor(THRESHOLDS.reshape(1, 1, -1, 1))


class Palette(nn.Cell):
    """The mean colors of areas along `DIRECTIONS`, for each side in `PALETTE_AREAS`; incomplete areas are left out."""

    def __init__(self):
        super().__init__()
        sides = zip(PALETTE_AREAS, (1, *PALETTE_AREAS), strict=False)
        self.pools = nn.CellList([nn.AvgPool2d(side // smaller, side // smaller) for side, smaller in sides])

    def construct(self, images):
        """images float32 (N, 3, H, W) in [0, 1], sides of 16 or more: a tuple of float32 (N, directions, areas)."""
        found = ()
        for pool in self.pools:
            images = pool(images)
            n, c, h, w = images.shape
            # by element: a 910A's matrix product would round the colors to float16
            found += ((images.reshape((n, 1, c, h * w)) * _directions()).sum(2),)
        return found


def describe_palette(palette):
    """What pastiches are compared with: for each side of areas and each direction a mean, a spread and 16 shares.

    They stand in one row an image, (N, 2 x 9 x 18).

    Args:
        palette: of the style images, as `Palette` gives it.
    """
    described = ()
    for colors in palette:
        mean = colors.mean(2, True)
        spread = ops.sqrt(ops.square(colors - mean).mean(2, True) + LEAST_VARIANCE)
        all_of = ops.concat((mean, spread, _shares(colors, mean, spread)), 2)
        described += (all_of.reshape((all_of.shape[0], -1)),)
    return ops.concat(described, 1)


def palette_loss(palette, target):
    """How far the colors of images are distributed otherwise than those of their styles: each image's loss, (N,).

    The colors of areas are looked at along nine directions, as in a sliced Wasserstein distance (Pitié et al. 2007).
    Along each direction the shares of areas below a threshold are compared: the integral of the squared difference of
    the two shares (Cramér's distance), in units of the style's spread, as far as 4 of them from the mean. The loss is
    the mean over directions and sides of areas. The papers have no such term. Means and covariances (`color_loss`) do
    not tell white paper with a tenth of navy from a picture in which as many areas are a little lighter than the mean
    as are darker.

    Colors far outside those of the style get next to no gradient here: the color loss, beside this one, moves them.

    Args:
        palette: of the pastiches, as `Palette` gives it.
        target: of the styles, see `describe_palette`.
    """
    total = 0.0
    described = target.reshape((target.shape[0], len(PALETTE_AREAS), len(DIRECTIONS), 2 + len(THRESHOLDS)))
    for k in range(len(PALETTE_AREAS)):
        style = described[:, k]
        found = _shares(palette[k], style[:, :, :1], style[:, :, 1:2])
        total = total + ops.square(found - style[:, :, 2:]).sum(2).mean(1)
    return total * (STEP / len(PALETTE_AREAS))


def _shares(colors, mean, spread):
    """The shares of colors (N, directions, areas) below thresholds around a mean (N, directions, 1), softly counted."""
    n, directions, _ = mean.shape
    mean, spread = mean.reshape((n, directions, 1, 1)), spread.reshape((n, directions, 1, 1))
    above = mean + spread * _thresholds() - colors.reshape((colors.shape[0], colors.shape[1], 1, -1))
    return ops.sigmoid(above / (SOFTNESS * spread)).mean(3)
