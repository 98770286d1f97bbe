"""Instance normalization with a style's, or its own, scale and offset."""

import mindspore as ms
from mindspore import Parameter, nn, ops
from mindspore.common.initializer import initializer

EPSILON = 1e-5


class InstanceNorm(nn.Cell):
    """Normalises each image's channels over H, W, then scales and shifts them.

    One cell serves every network of the family. Without a style's gamma and beta, the cell is the instance norm of the
    contract layers. With them, the cell is conditional instance normalization (Dumoulin et al. 2016, section 2.2;
    Ghiasi et al. 2017, eq. 1).

    Differs from `nn.InstanceNorm2d`, which has no CPU and no Ascend kernel: the batch's N*C channels become the
    channels of one image, so that batch normalization in training mode computes it in one kernel.

    Args:
        channels: C.
        affine: the cell has a trained gamma and beta (C,) of its own, which are applied before the style's.
    """

    def __init__(self, channels, affine):
        super().__init__()
        self.channels = channels
        self.affine = affine
        if affine:
            self.gamma = Parameter(initializer("ones", (channels,)), name="gamma")
            self.beta = Parameter(initializer("zeros", (channels,)), name="beta")
        self.normalize = ops.BatchNorm(is_training=True, epsilon=EPSILON)

    def scale_and_offset(self, n, gamma, beta):
        """What n images' channels are multiplied by and what is added then, (n * C,) each, float32."""
        if gamma is None:
            scale = ops.ones((n, self.channels), ms.float32)
            offset = ops.zeros((n, self.channels), ms.float32)
        else:
            scale, offset = gamma.astype(ms.float32), beta.astype(ms.float32)
        if self.affine:
            # the style's affine map after its own, folded into one: s * (g * x + b) + o
            offset = scale * self.beta + offset
            scale = scale * self.gamma
        return scale.reshape((-1,)), offset.reshape((-1,))

    def construct(self, x, gamma=None, beta=None):
        """x (N, C, H, W); gamma, beta (N, C) of the style or None. Returns (N, C, H, W)."""
        n, c, h, w = x.shape
        scale, offset = self.scale_and_offset(n, gamma, beta)
        unused = ops.zeros_like(scale)
        y = self.normalize(x.reshape((1, n * c, h, w)), scale, offset, unused, unused)[0]
        return y.reshape((n, c, h, w))


class SharedNorm(InstanceNorm):
    """`InstanceNorm` of crops or tiles of one image: all of a batch share statistics, and the style.

    Args:
        channels, affine: as for `InstanceNorm`.
        collect: compute the statistics of each batch and keep them; otherwise use the statistics kept before.

    Attributes:
        mean, variance: Parameters (C,), the statistics. The variance is the unbiased one.
    """

    def __init__(self, channels, affine, collect):
        super().__init__(channels, affine)
        self.mean = Parameter(initializer("zeros", (channels,)), name="mean", requires_grad=False)
        self.variance = Parameter(initializer("ones", (channels,)), name="variance", requires_grad=False)
        # With momentum 1 the operator's moving statistics are those of the last batch. They are a by-product of the
        # operator; separate sums take ten times as long.
        self.normalize = ops.BatchNorm(is_training=collect, epsilon=EPSILON, momentum=1.0)

    def construct(self, x, gamma=None, beta=None):
        """x (N, C, H, W); gamma, beta (1, C) of the style or None. Returns (N, C, H, W)."""
        scale, offset = self.scale_and_offset(1, gamma, beta)
        return self.normalize(x, scale, offset, self.mean, self.variance)[0]
