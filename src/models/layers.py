"""Convolution, padding and enlargement, as the style transfer network uses them."""

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer


class Convolution(nn.Cell):
    """A k x k convolution over (N, C, H, W) that keeps H and W, or divides them by its stride.

    Args:
        padding: border of (k - 1) / 2 on every side, by reflection ("reflect", H and W exceed it) or of zeros ("zero").
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

    def padded(self, x):
        return x if self.mirror is None else self.mirror(x, self.border)

    def construct(self, x):
        x = self.convolve(self.padded(x), self.weight)
        return x if self.bias is None else ops.bias_add(x, self.bias.astype(x.dtype))


class ImageConvolution(Convolution):
    """A large convolution at full size to few channels, the network's last; H and W must be even.

    The same sums as `Convolution`, computed on 2x2 blocks of pixels: four times the channels at half the size.
    Convolution kernels are made for many channels: 9x9 from 16 to 3 takes a third to a quarter of the time this way.
    """

    def __init__(self, in_channels, out_channels, kernel_size, padding="reflect", bias=False):
        super().__init__(in_channels, out_channels, kernel_size, 1, padding, bias)
        border = (kernel_size - 1) // 2
        # kernel_size + 1 rows of a kernel moved by 0 or 1 pixel are whole blocks again; so is a border of even width
        self.blocks = k = (kernel_size + 1) // 2
        self.convolve = ops.Conv2D(4 * out_channels, k, pad_mode="pad", pad=0 if padding == "reflect" else border // 2)
        # where each of the kernel's numbers goes: (row, column) x (pixel of the output block, pixel of the input block,
        # row and column in blocks). A product with it is differentiable and has no slow path, unlike ops.pad here
        place = np.zeros((kernel_size, kernel_size, 2, 2, 2, 2, k, k), np.float32)
        for y, x, down, right in np.ndindex(kernel_size, kernel_size, 2, 2):
            place[y, x, down, right, (y + down) % 2, (x + right) % 2, (y + down) // 2, (x + right) // 2] = 1
        self.place = Tensor(place.reshape(kernel_size**2, -1))

    def block_weight(self):
        """The kernel for each of the four pixels of an output block, (4 * out, 4 * in, k, k), k in blocks."""
        o, i, k = self.weight.shape[0], self.weight.shape[1], self.blocks
        weight = ops.matmul(self.weight.reshape((o * i, -1)), self.place).reshape((o, i, 4, 4, k, k))
        return weight.transpose((2, 0, 1, 3, 4, 5)).reshape((4 * o, 4 * i, k, k))

    def construct(self, x):
        x = self.padded(x)
        n, c, h, w = x.shape
        x = x.reshape((n, c, h // 2, 2, w // 2, 2)).transpose((0, 1, 3, 5, 2, 4)).reshape((n, 4 * c, h // 2, w // 2))
        x = self.convolve(x, self.block_weight())
        n, c, h, w = x.shape
        x = x.reshape((n, 2, 2, c // 4, h, w)).transpose((0, 3, 4, 1, 5, 2)).reshape((n, c // 4, 2 * h, 2 * w))
        return x if self.bias is None else ops.bias_add(x, self.bias.astype(x.dtype))


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
