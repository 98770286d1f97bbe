"""Convolution, padding and enlargement, as the style transfer network uses them."""

import mindspore as ms
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer


class Convolution(nn.Cell):
    """A k x k convolution over (N, C, H, W) that keeps H and W, or divides them by its stride.

    Args:
        padding: border of (k - 1) / 2 on every side, by reflection ("reflect", H and W must exceed it) or of zeros ("zero").
        bias: whether it has one.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding="reflect", bias=False):
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        border = (kernel_size - 1) // 2
        reflect = padding == "reflect"
        shape = (out_channels, in_channels, kernel_size, kernel_size)
        self.weight = Parameter(initializer("he_normal", shape), name="weight")
        self.bias = Parameter(initializer("zeros", (out_channels,)), name="bias") if bias else None
        # MirrorPad takes 2 ms where ops.pad takes 12
        self.mirror = ops.MirrorPad("REFLECT") if reflect and border else None
        self.border = Tensor(((0, 0), (0, 0), (border, border), (border, border)), ms.int64)
        self.convolve = ops.Conv2D(
            out_channels, kernel_size, pad_mode="pad", pad=0 if reflect else border, stride=stride
        )

    def construct(self, x):
        if self.mirror is not None:
            x = self.mirror(x, self.border)
        x = self.convolve(x, self.weight)
        return x if self.bias is None else ops.bias_add(x, self.bias)


class Upsample2x(nn.Cell):
    """Enlarges H and W of (N, C, H, W) by 2, by repetition or linearly.

    The linear one is the published port's (align_corners and half_pixel_centers false): an even row is the input's, an
    odd one the mean of its neighbours, the last one repeated. Both are reshapes and sums of whole tensors: five times
    faster here than ResizeNearestNeighbor, and they export with free height and width.
    """

    def __init__(self, mode):
        super().__init__()
        self.linear = mode == "bilinear"

    def construct(self, x):
        n, c, h, w = x.shape
        if self.linear:
            below = ops.concat((x[:, :, 1:, :], x[:, :, -1:, :]), 2)
            x = ops.stack((x, (x + below) * 0.5), 3).reshape((n, c, 2 * h, w))
            right = ops.concat((x[:, :, :, 1:], x[:, :, :, -1:]), 3)
            return ops.stack((x, (x + right) * 0.5), 4).reshape((n, c, 2 * h, 2 * w))
        x = ops.broadcast_to(x.reshape((n, c, h, 1, w, 1)), (n, c, h, 2, w, 2))
        return x.reshape((n, c, 2 * h, 2 * w))
