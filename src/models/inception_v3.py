"""Inception-v3 up to Mixed_6e, the body of the style prediction network."""

import mindspore as ms
import numpy as np
from mindspore import nn, ops

from src.models.shapes import MIXED, STEM
from src.models.vgg import IMAGENET_MEAN, IMAGENET_STD

EPSILON = 1e-3
OUT_CHANNELS = 768


class ConvNorm(nn.Cell):
    """Convolution without bias, batch normalization with its stored statistics, ReLU.

    `padding` is the border in rows and columns; None keeps the size.
    """

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=None):
        super().__init__()
        rows, columns = kernel_size if isinstance(kernel_size, tuple) else (kernel_size, kernel_size)
        if padding is None:
            border = (rows // 2, rows // 2, columns // 2, columns // 2)
        else:
            border = (padding,) * 4
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            (rows, columns),
            stride,
            pad_mode="pad",
            padding=border,
            has_bias=False,
            weight_init="he_normal",
        )
        self.bn = nn.BatchNorm2d(out_channels, eps=EPSILON, use_batch_statistics=False)

    def construct(self, x):
        return ops.relu(self.bn(self.conv(x)))


class AveragePool(nn.Cell):
    """3x3 mean with stride 1 of (N, C, H, W), over the pixels inside the image only.

    This is TensorFlow's convention, under which the ImageNet weights were trained; torchvision divides by 9 at the
    border, too.
    """

    def __init__(self):
        super().__init__()
        self.pool = ops.AvgPool(3, 1, "same")

    def construct(self, x):
        return self.pool(x)


class MaxPool(nn.Cell):
    """3x3 maximum with stride 2, without a border."""

    def __init__(self):
        super().__init__()
        self.pool = ops.MaxPool(3, 2, "valid")

    def construct(self, x):
        return self.pool(x)


def _branch(in_channels, layers):
    """A branch's cell and its output channels; a branch of one layer is that layer, as the published names have it."""
    cells, channels = [], in_channels
    for layer in layers:
        if layer == "average":
            cells.append(AveragePool())
        elif layer == "max":
            cells.append(MaxPool())
        else:
            size, kernel, stride = layer if len(layer) == 3 else (*layer, 1)
            cells.append(ConvNorm(channels, size, kernel, stride, 0 if stride == 2 else None))
            channels = size
    return cells[0] if len(cells) == 1 else nn.SequentialCell(cells), channels


class Mixed(nn.Cell):
    """An Inception block: branches on the same input, joined along the channels."""

    def __init__(self, in_channels, branches):
        super().__init__()
        self.out_channels = 0
        self.branch2 = None
        for name, layers in branches.items():
            cell, channels = _branch(in_channels, layers)
            setattr(self, name, cell)
            self.out_channels += channels

    def construct(self, x):
        if self.branch2 is None:
            return ops.concat((self.branch0(x), self.branch1(x), self.branch_pool(x)), 1)
        return ops.concat((self.branch0(x), self.branch1(x), self.branch2(x), self.branch_pool(x)), 1)


class InceptionV3(nn.Cell):
    """Inception-v3 (Szegedy et al. 2015) to Mixed_6e, without classifier.

    Parameter names are those of the published MindSpore checkpoint. The stored batch statistics are used in training,
    too: batches of style transfer are small, and the published evaluation uses the statistics of ImageNet.

    ==========  =========  =====================
    layer       channels   side, for 299 x 299
    ==========  =========  =====================
    Conv2d_1a   32         149
    Conv2d_2a   32         147
    Conv2d_2b   64         147, pooled to 73
    Conv2d_3b   80         73
    Conv2d_4a   192        71, pooled to 35
    Mixed_5b    256        35
    Mixed_5c-d  288        35
    Mixed_6a-e  768        17
    ==========  =========  =====================

    Args:
        trainable: train the convolutions and the scale and offset of their normalisations; False freezes all.
    """

    def __init__(self, trainable=False):
        super().__init__()
        self.mean = ms.Tensor(np.reshape(IMAGENET_MEAN, (1, 3, 1, 1)), ms.float32)
        self.std = ms.Tensor(np.reshape(IMAGENET_STD, (1, 3, 1, 1)), ms.float32)
        channels = 3
        for name, size, kernel, stride, border in STEM:
            if name != "max":
                setattr(self, name, ConvNorm(channels, size, kernel, stride, border))
            channels = size
        self.pool = MaxPool()
        for name, branches in MIXED.items():
            block = Mixed(channels, branches)
            setattr(self, name, block)
            channels = block.out_channels
        for parameter in self.get_parameters():
            fixed = parameter.name.endswith(("moving_mean", "moving_variance"))
            parameter.requires_grad = trainable and not fixed

    def construct(self, images):
        """images (N, 3, H, W) RGB in [0, 1], H and W at least 43.

        Returns:
            Mixed_6e, (N, 768, h, w) with h about H / 16 - 1.
        """
        x = (images - self.mean) / self.std
        x = self.pool(self.Conv2d_2b(self.Conv2d_2a(self.Conv2d_1a(x))))
        x = self.pool(self.Conv2d_4a(self.Conv2d_3b(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6b(self.Mixed_6a(x))
        return self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(x)))
