"""Convolution, padding and enlargement, as the style transfer network uses them."""

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer


class Convolution(nn.Cell):
    """A k x k convolution over (N, C, H, W) that keeps H and W, or divides them by its stride.

    Args:
        padding: border of (k - 1) / 2 on every side, by reflection ("reflect", H and W exceed it) or of zeros ("zero").
        bias: whether the convolution has a bias.
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

    def biased(self, x):
        return x if self.bias is None else ops.bias_add(x, self.bias.astype(x.dtype))

    def convolved(self, x):
        return self.biased(self.convolve(self.padded(x), self.weight))

    def construct(self, x):
        return self.convolved(x)


class ImageConvolution(Convolution):
    """A large convolution at full size to few channels, the network's last; H and W must be multiples of BLOCK.

    The sums are those of `Convolution`. They are computed on blocks of 4x4 pixels, so that there are sixteen times the
    channels at a quarter of the size. Libraries' convolutions are made for many channels: 9x9 from 32 to 3 channels
    takes a third of the time this way.
    """

    BLOCK = 4

    def __init__(self, in_channels, out_channels, kernel_size, padding="reflect", bias=False):
        super().__init__(in_channels, out_channels, kernel_size, 1, padding, bias)
        size, border = self.BLOCK, (kernel_size - 1) // 2
        # rows of a kernel moved by 0 to 3 pixels are whole blocks again; so is the border
        self.blocks = k = (kernel_size + size - 1) // size
        pad = 0 if padding == "reflect" else border // size
        self.convolve = ops.Conv2D(size**2 * out_channels, k, pad_mode="pad", pad=pad)
        # where each number of the kernel goes: (row, column) x (pixel of the output block, pixel of the input block,
        # row and column in blocks). A product with it is differentiable and has no slow path, unlike ops.pad here
        place = np.zeros((kernel_size, kernel_size, size, size, size, size, k, k), np.float32)
        for y, x, down, right in np.ndindex(kernel_size, kernel_size, size, size):
            row, column = y + down, x + right
            place[y, x, down, right, row % size, column % size, row // size, column // size] = 1
        self.place = Tensor(place.reshape(kernel_size**2, -1))

    def block_weight(self):
        """The kernel for each pixel of an output block, (BLOCK**2 * out, BLOCK**2 * in, k, k), k in blocks."""
        o, i, k, pixels = self.weight.shape[0], self.weight.shape[1], self.blocks, self.BLOCK**2
        weight = ops.matmul(self.weight.reshape((o * i, -1)), self.place).reshape((o, i, pixels, pixels, k, k))
        return weight.transpose((2, 0, 1, 3, 4, 5)).reshape((pixels * o, pixels * i, k, k))

    def construct(self, x):
        x = self.padded(x)
        n, c, h, w = x.shape
        s = self.BLOCK
        x = x.reshape((n, c, h // s, s, w // s, s)).transpose((0, 1, 3, 5, 2, 4)).reshape((n, -1, h // s, w // s))
        x = self.convolve(x, self.block_weight())
        n, c, h, w = x.shape
        x = x.reshape((n, s, s, -1, h, w)).transpose((0, 3, 4, 1, 5, 2)).reshape((n, -1, s * h, s * w))
        return self.biased(x)


class UpsampledConvolution(Convolution):
    """Enlargement by 2 by repetition, then a 3x3 convolution that keeps the size; the enlarged picture is never made.

    The enlargement turns each pixel into four, and the convolution at each of these sees 2x2 pixels of the input. So
    four 2x2 kernels, whose numbers are sums of the 3x3 kernel's, give the same result at the smaller size, with 4/9 of
    the arithmetic. Reflection at the border of the enlarged picture is repetition at the border of the input.
    """

    def __init__(self, in_channels, out_channels, padding="reflect", bias=False):
        super().__init__(in_channels, out_channels, 3, 1, padding, bias)
        reflect = padding == "reflect"
        self.mirror = ops.MirrorPad("SYMMETRIC") if reflect else None
        self.convolve = ops.Conv2D(4 * out_channels, 2, pad_mode="pad", pad=0 if reflect else 1)
        self.slice = ops.Slice()  # x[...] takes ten times as long
        place = np.zeros((3, 3, 2, 2, 2, 2), np.float32)
        for y, x, down, right in np.ndindex(3, 3, 2, 2):
            place[y, x, down, right, (down + y - 1) // 2 + 1 - down, (right + x - 1) // 2 + 1 - right] = 1
        self.place = Tensor(place.reshape(9, -1))

    def phase_weight(self):
        """The kernel for each of the four pixels that one becomes, (4 * out, in, 2, 2)."""
        o, i = self.weight.shape[:2]
        weight = ops.matmul(self.weight.reshape((o * i, -1)), self.place).reshape((o, i, 4, 2, 2))
        return weight.transpose((2, 0, 1, 3, 4)).reshape((4 * o, i, 2, 2))

    def construct(self, x):
        n, _, h, w = x.shape
        x = self.convolve(self.padded(x), self.phase_weight())  # (N, 4 * out, H + 1, W + 1)
        o = self.weight.shape[0]
        phases = ()
        for i in range(4):
            phases += (self.slice(x, (0, i * o, i // 2, i % 2), (n, o, h, w)),)
        x = ops.stack(phases, 2).reshape((n, o, 2, 2, h, w)).transpose((0, 1, 4, 2, 5, 3)).reshape((n, o, 2 * h, 2 * w))
        return self.biased(x)


class UpsampledImageConvolution(Convolution):
    """Enlargement by 2 by repetition, then a k x k convolution to few channels; the enlarged picture is never made.

    The four pixels that a pixel of the input becomes are computed from the input itself, as in `UpsampledConvolution`,
    each by a kernel of its own. As these are sums of one kernel's numbers, flat regions of the input stay flat. Four
    free kernels drew dots two pixels apart along edges.

    Differs from an enlargement and a `Convolution`: the border is a reflection of the input, not of the larger picture.

    Args:
        kernel_size: k, with (k - 1) / 2 even.
    """

    def __init__(self, in_channels, out_channels, kernel_size, padding="reflect", bias=False):
        super().__init__(in_channels, out_channels, kernel_size, 1, padding, bias)
        border = (kernel_size - 1) // 4
        self.window = k = 2 * border + 1
        self.border = Tensor(((0, 0), (0, 0), (border, border), (border, border)), ms.int64)
        self.convolve = ops.Conv2D(4 * out_channels, k, pad_mode="pad", pad=0 if padding == "reflect" else border)
        place = np.zeros((kernel_size, kernel_size, 2, 2, k, k), np.float32)
        for y, x, down, right in np.ndindex(kernel_size, kernel_size, 2, 2):
            place[y, x, down, right, (down + y) // 2, (right + x) // 2] = 1
        self.place = Tensor(place.reshape(kernel_size**2, -1))

    def phase_weight(self):
        """The kernel for each of the four pixels that one becomes, (4 * out, in, window, window)."""
        o, i = self.weight.shape[:2]
        weight = ops.matmul(self.weight.reshape((o * i, -1)), self.place).reshape((o, i, 4, self.window, self.window))
        return weight.transpose((2, 0, 1, 3, 4)).reshape((4 * o, i, self.window, self.window))

    def construct(self, x):
        x = self.convolve(self.padded(x), self.phase_weight())
        n, c, h, w = x.shape
        x = x.reshape((n, 2, 2, c // 4, h, w)).transpose((0, 3, 4, 1, 5, 2)).reshape((n, c // 4, 2 * h, 2 * w))
        return self.biased(x)


class BilinearConvolution(Convolution):
    """Linear enlargement by 2, then a 3x3 convolution that keeps the size.

    The enlargement is the published port's (align_corners and half_pixel_centers false): an even row is a row of the
    input, an odd row the mean of its two neighbours, and the last row is repeated.
    """

    def __init__(self, in_channels, out_channels, padding="reflect", bias=False):
        super().__init__(in_channels, out_channels, 3, 1, padding, bias)
        self.slice = ops.Slice()  # x[...] takes ten times as long

    def enlarged(self, x):
        """x (N, C, H, W) to (N, C, 2 H, 2 W). Sums of whole tensors: they export with free height and width."""
        n, c, h, w = x.shape
        below = ops.concat(
            (self.slice(x, (0, 0, 1, 0), (n, c, h - 1, w)), self.slice(x, (0, 0, h - 1, 0), (n, c, 1, w))), 2
        )
        x = ops.stack((x, (x + below) * 0.5), 3).reshape((n, c, 2 * h, w))
        h = 2 * h
        right = ops.concat(
            (self.slice(x, (0, 0, 0, 1), (n, c, h, w - 1)), self.slice(x, (0, 0, 0, w - 1), (n, c, h, 1))), 3
        )
        return ops.stack((x, (x + right) * 0.5), 4).reshape((n, c, h, 2 * w))

    def construct(self, x):
        # not super().construct, which in graph mode is the subclass' own construct again
        return self.convolved(self.enlarged(x))
