"""Instance normalization with a style's, or its own, scale and offset."""

import mindspore as ms
from mindspore import Parameter, nn, ops
from mindspore.common.initializer import initializer

EPSILON = 1e-5


class InstanceNorm(nn.Cell):
    """Normalises each image's channels over H, W, then scales and shifts them.

    One cell serves every network of the family: without a style it is the contract layers' instance norm, with one it
    is conditional instance normalization (Dumoulin et al. 2016, section 2.2; Ghiasi et al. 2017, eq. 1).

    Differs from `nn.InstanceNorm2d`, which has no CPU and no Ascend kernel: the batch's N*C channels become the
    channels of one image, so that batch normalization in training mode computes it in one kernel.

    Args:
        channels: C.
        affine: keep a gamma and beta (C,) of its own, trained; before the style's when there is one.
    """

    def __init__(self, channels, affine):
        super().__init__()
        self.channels = channels
        self.affine = affine
        if affine:
            self.gamma = Parameter(initializer("ones", (channels,)), name="gamma")
            self.beta = Parameter(initializer("zeros", (channels,)), name="beta")
        self.normalize = ops.BatchNorm(is_training=True, epsilon=EPSILON)

    def construct(self, x, gamma=None, beta=None):
        """x (N, C, H, W); gamma, beta (N, C) of the style or None. Returns (N, C, H, W)."""
        n, c, h, w = x.shape
        if gamma is None:
            scale = ops.ones((n, c), ms.float32)
            offset = ops.zeros((n, c), ms.float32)
        else:
            scale, offset = gamma.astype(ms.float32), beta.astype(ms.float32)
        if self.affine:
            # the style's affine map after its own, folded into one: s * (g * x + b) + o
            offset = scale * self.beta + offset
            scale = scale * self.gamma
        scale, offset = scale.reshape((-1,)), offset.reshape((-1,))
        unused = ops.zeros_like(scale)
        y = self.normalize(x.reshape((1, n * c, h, w)), scale, offset, unused, unused)[0]
        return y.reshape((n, c, h, w))
