"""The color loss: means and covariances of a pastiche's colors, pixel by pixel and as areas, against the style's."""

import mindspore as ms
from mindspore import nn, ops

from src.errors import UserError

# sides of the areas whose mean colors are compared, pixels: a pixel, a stroke, a part of the picture
AREAS = (1, 4, 16)
# added to variances, so that the loss is finite for a style of one color; squared colors of [0, 1]
LEAST_VARIANCE, LEAST_COVARIANCE = 0.01, 1e-5


def check_color_side(side, where):
    """Raises a UserError for images too small for the color loss."""
    if side < AREAS[-1]:
        raise UserError(
            f"option color_weight: {where} {side} pixels a side, the color loss needs {AREAS[-1]} or more; set it to 0"
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
    averaged over `AREAS`; the actual's square passes no gradient. The papers have no such term: their Gram matrices
    hold colors only through the features of a network.

    Args:
        actual, target: of the pastiches and of the styles, as `ColorMoments` gives them.
    """
    total = 0.0
    for k in range(len(AREAS)):
        mean, covariance = _centred(actual[k])
        style_mean, style_covariance = _centred(target[k])
        if k == 0:
            variance = (style_covariance * ops.eye(3, 3, ms.float32)).sum((1, 2))
            total = ops.square(mean - style_mean).sum((1, 2)) / (variance + LEAST_VARIANCE)
        energy = ops.square(style_covariance).sum((1, 2)) + ops.square(ops.stop_gradient(covariance)).sum((1, 2))
        distance = ops.square(covariance - style_covariance).sum((1, 2))
        total = total + distance / (energy + LEAST_COVARIANCE) * (1.0 / len(AREAS))
    return total


def _centred(moments):
    """Mean (N, 3, 1) and covariance (N, 3, 3) of second moments."""
    mean = moments[:, :3, 3:]
    return mean, moments[:, :3, :3] - mean * mean.transpose((0, 2, 1))
