"""Losses on a pastiche's colors: the color loss and the band loss.

The color loss compares means and covariances of the colors, pixel by pixel and as areas, with the style's. The band
loss compares how strongly brightness and color vary at each size of detail.
"""

import mindspore as ms
from mindspore import nn, ops
from mindspore.ops import constexpr

from src.errors import UserError
from src.palette_loss import PALETTE_AREAS

# sides of the areas whose mean colors are described, pixels
AREAS = (1, 2, 4, 8, 16)
# those that the color loss compares: a pixel, a stroke, a part of the picture
COLOR_AREAS = (1, 4, 16)
# added to variances, so that the loss is finite for a style of one color; squared colors of [0, 1]
LEAST_VARIANCE, LEAST_COVARIANCE = 0.01, 1e-5
# the variance of 1.5 levels of 255, added to a band's: what nobody sees does not count
LEAST_BAND = (1.5 / 255) ** 2
# red, green, blue to brightness and two color differences (ITU-R BT.601: Y, Cb, Cr), a row each
LUMA_CHROMA = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))


def check_color_side(side, where, loss_options):
    """Raises a UserError for images too small for the losses on colors that `loss_options` ask for."""
    needed = {"color_weight": AREAS[-1], "band_weight": AREAS[-1], "palette_weight": PALETTE_AREAS[-1]}
    for option, least in needed.items():
        if getattr(loss_options, option) > 0 and side < least:
            raise UserError(
                f"option {option}: {where} {side} pixels a side, the {option.removesuffix('_weight')} loss needs "
                f"{least} or more; set it to 0"
            )


class ColorMoments(nn.Cell):
    """Second moments of colors (r, g, b, 1), one matrix for each side in `AREAS`; they hold the mean as well.

    Rows and columns past a multiple of an area's side are left out.
    """

    def __init__(self):
        super().__init__()
        self.pools = nn.CellList(
            [nn.AvgPool2d(side // smaller, side // smaller) for smaller, side in zip(AREAS, AREAS[1:], strict=False)]
        )

    def construct(self, images):
        """images float32 (N, 3, H, W) in [0, 1], sides of 16 or more: a tuple of float32 (N, 4, 4)."""
        moments = (self._moments(images),)
        for pool in self.pools:
            images = pool(images)
            moments += (self._moments(images),)
        return moments

    def _moments(self, images):
        n, c, h, w = images.shape
        colors = images.reshape((n, c, h * w))
        mean = colors.mean(2, True)  # (N, 3, 1)
        # by element: Ascend 910A multiplies matrices in float16, in which the sum over a picture does not fit
        second = (colors.reshape((n, c, 1, h * w)) * colors.reshape((n, 1, c, h * w))).mean(3)
        right = ops.concat((mean, ops.ones_like(mean[:, :1])), 1)
        return ops.concat((ops.concat((second, mean.transpose((0, 2, 1))), 1), right), 2)


def color_loss(actual, target):
    """How far the colors of images are from those of their styles: each image's loss, (N,).

    The loss has two parts. One is the squared distance of the mean colors, divided by the variance of the style's
    colors. The other is the squared distance of the covariances, divided by the sum of the squares of both, and
    averaged over `COLOR_AREAS`; the actual's square passes no gradient. The papers have no such term: their Gram
    matrices hold colors only through the features of a network.

    Args:
        actual, target: of the pastiches and of the styles, as `ColorMoments` gives them.
    """
    total = 0.0
    for side in COLOR_AREAS:
        k = AREAS.index(side)
        mean, covariance = _centred(actual[k])
        style_mean, style_covariance = _centred(target[k])
        if k == 0:
            variance = (style_covariance * ops.eye(3, 3, ms.float32)).sum((1, 2))
            total = ops.square(mean - style_mean).sum((1, 2)) / (variance + LEAST_VARIANCE)
        energy = ops.square(style_covariance).sum((1, 2)) + ops.square(ops.stop_gradient(covariance)).sum((1, 2))
        distance = ops.square(covariance - style_covariance).sum((1, 2))
        total = total + distance / (energy + LEAST_COVARIANCE) * (1.0 / len(COLOR_AREAS))
    return total


def band_loss(actual, target):
    """How far the strengths of detail are from those of the styles, for each size of detail: each image's loss, (N,).

    What areas of one side vary more than areas of twice the side is a band: detail of that size. Bands are of 1, 2, 4
    and 8 pixels; 16 pixels and more are the last one. In each band three things are compared:
    - the variance of the brightness, by the logarithm of actual over target;
    - the variance of the two color differences together, in the same way;
    - which colors these are: the squared distance of the covariances of the color differences, each divided by its
      trace.
    Their sum is averaged over the bands. Logarithms, since a loss that is divided by both energies has its least value,
    over styles that a model confuses, where the pastiche is too pale. Logarithms l count as 2 (sqrt(1 + l^2) - 1), so
    that a band that is far off counts as |l| does.

    The papers have no such term. Without it, covariances were right over all sizes of detail together while the model
    drew colored stripes a few pixels wide, and patches of one color were too pale.

    Args:
        actual, target: of the pastiches and of the styles, as `ColorMoments` gives them.
    """
    total = 0.0
    found, wanted = _bands(actual), _bands(target)
    for k in range(len(AREAS)):
        ours, our_chroma, our_colors = _strengths(found[k])
        style, style_chroma, style_colors = _strengths(wanted[k])
        total = total + _bounded(ops.log(ours / style)) + _bounded(ops.log(our_chroma / style_chroma))
        total = total + ops.square(our_colors - style_colors).sum((1, 2))
    return total * (1.0 / len(AREAS))


def _bounded(logarithm):
    return 2.0 * (ops.sqrt(1.0 + ops.square(logarithm)) - 1.0)


def _strengths(band):
    """Variances of brightness and of color differences (N,), and the color differences' covariance over its trace."""
    # never below 0, but for pictures whose sides are no multiples of 16
    luma = ops.relu(band[:, 0, 0]) + LEAST_BAND
    chroma = ops.relu(band[:, 1, 1] + band[:, 2, 2]) + LEAST_BAND
    return luma, chroma, band[:, 1:, 1:] / chroma.reshape((-1, 1, 1))


@constexpr
def _luma_chroma():
    return ms.Tensor(LUMA_CHROMA, ms.float32)


def _turned(covariance):
    """Covariances (N, 3, 3) of red, green, blue to those of brightness and the two color differences."""
    turn = _luma_chroma()
    # by element, as in `ColorMoments`: what a 910A's matrix product rounds to float16 is small here
    half = (turn.reshape((1, 3, 3, 1)) * covariance.reshape((-1, 1, 3, 3))).sum(2)
    return (half.reshape((-1, 3, 1, 3)) * turn.reshape((1, 1, 3, 3))).sum(3)


def _bands(moments):
    """Covariances of brightness and color differences, (N, 3, 3), of each band; see `band_loss`."""
    covariances, bands = (), ()
    for second in moments:
        covariances += (_turned(_centred(second)[1]),)
    for k in range(len(AREAS) - 1):
        bands += (covariances[k] - covariances[k + 1],)
    return (*bands, covariances[-1])


def _centred(moments):
    """Mean (N, 3, 1) and covariance (N, 3, 3) of second moments."""
    mean = moments[:, :3, 3:]
    return mean, moments[:, :3, :3] - mean * mean.transpose((0, 2, 1))
