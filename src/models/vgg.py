"""Loss networks: VGG-16, VGG-19 and a distilled VGG-19. One pass an image gives every feature layer asked for."""

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.common.initializer import initializer
from mindspore.ops import functional

from src.errors import UserError
from src.models.shapes import BLOCKS, CHANNELS, DISTILLED_BLOCKS, DISTILLED_CHANNELS, layer_names

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def check_taps(taps, names, kind):
    """Raises a UserError naming the first feature layer that the network lacks."""
    known = [f"relu{name}" for name in names]
    for tap in taps:
        if tap not in known:
            raise UserError(f"feature layer {tap!r}: {kind} has {', '.join(known)}")


class LossNetwork(nn.Cell):
    """A stack of 3x3 convolutions and pools, cut after the deepest feature layer asked for.

    Args:
        taps: names of feature layers, "relu3_3"; the outputs come in this order.
        kind: name of this network, vgg16, vgg19 or distilled_vgg19.
        blocks: convolutions in each block.
        channels: channels of each block.
        pooling: "average" (Gatys et al. 2016) or "max" (as the network was trained), 2x2 with stride 2.
        bias: whether the convolutions have a bias.
        reflect: pad by reflection rather than with zeros.
    """

    def __init__(self, taps, kind, blocks, channels, pooling, bias, reflect):
        super().__init__()
        names = layer_names(blocks)
        check_taps(taps, names, kind)
        self.kind = kind
        self.taps = tuple(taps)
        depth = max(names.index(tap[4:]) for tap in taps) + 1
        layers, in_channels = [], 3
        for name in names[:depth]:
            block = int(name[0]) - 1
            first = name.endswith("_1")
            pool = pooling if first and block else None
            output = self.taps.index(f"relu{name}") if f"relu{name}" in self.taps else -1
            layer = LossLayer(in_channels, channels[block], pool, bias, reflect, output)
            setattr(self, f"conv{name}", layer)  # names its parameters conv1_1.weight, ...
            layers.append(layer)
            in_channels = channels[block]
        self.layers = tuple(layers)
        # the place of each feature layer in the list of all that `construct` computes
        met = [layer.output for layer in layers if layer.output >= 0]
        self.order = [met.index(i) for i in range(len(self.taps))]

    def prepare(self, images):
        """The input that the first convolution was trained on, from RGB in [0, 1]."""
        raise NotImplementedError

    def construct(self, images):
        """images (N, 3, H, W) RGB in [0, 1]. Returns a tuple of features (N, C, h, w), one a tap."""
        x = self.prepare(images)
        features = ()
        for layer in self.layers:
            x = layer(x)
            if layer.output >= 0:
                features += (x,)
        ordered = ()
        for i in self.order:
            ordered += (features[i],)
        return ordered


class Pool(nn.Cell):
    """Pools 2x2 with stride 2, "average" or "max".

    On a CPU the kernels for more than 32 kB a channel are slow: the maximum's gradient takes four times as long. So
    large images of a known size are pooled in slabs of rows. No window crosses a slab, so the numbers are the same.
    """

    SLAB = 8192

    def __init__(self, kind):
        super().__init__()
        self.pool = {"average": nn.AvgPool2d(2, 2), "max": nn.MaxPool2d(2, 2)}[kind]

    def construct(self, x):
        n, c, h, w = x.shape
        if functional.isconstant(h) and functional.isconstant(w):
            slabs = 1
            while h // slabs * w > self.SLAB and h % (4 * slabs) == 0:
                slabs = 2 * slabs
            if slabs > 1:
                return self.pool(x.reshape((n, c * slabs, h // slabs, w))).reshape((n, c, h // 2, w // 2))
        return self.pool(x)


class LossLayer(nn.Cell):
    """Pool (before a block's first convolution), 3x3 convolution, ReLU."""

    def __init__(self, in_channels, out_channels, pool, bias, reflect, output):
        super().__init__()
        self.output = output
        self.pool = Pool(pool) if pool else None
        self.mirror = ops.MirrorPad("REFLECT") if reflect else None
        self.border = Tensor(((0, 0), (0, 0), (1, 1), (1, 1)), ms.int64)
        self.weight = Parameter(initializer("he_normal", (out_channels, in_channels, 3, 3)), name="weight")
        self.bias = Parameter(initializer("zeros", (out_channels,)), name="bias") if bias else None
        self.convolve = ops.Conv2D(out_channels, 3, pad_mode="pad", pad=0 if reflect else 1)

    def construct(self, x):
        if self.pool is not None:
            x = self.pool(x)
        if self.mirror is not None:
            x = self.mirror(x, self.border)
        x = self.convolve(x, self.weight)
        if self.bias is not None:
            x = ops.bias_add(x, self.bias.astype(x.dtype))
        return ops.relu(x)


class VGG(LossNetwork):
    """VGG-16 or VGG-19 (Simonyan and Zisserman 2014) up to the deepest feature layer asked for.

    `mean` and `std` (1, 3, 1, 1) are the input's normalisation, ImageNet's unless the weights bring their own.
    """

    def __init__(self, depth, taps, pooling="average", bias=True):
        super().__init__(taps, f"vgg{depth}", BLOCKS[depth], CHANNELS, pooling, bias, reflect=False)
        shape = (1, 3, 1, 1)
        self.mean = Parameter(np.array(IMAGENET_MEAN, np.float32).reshape(shape), name="mean", requires_grad=False)
        self.std = Parameter(np.array(IMAGENET_STD, np.float32).reshape(shape), name="std", requires_grad=False)

    def prepare(self, images):
        return (images - self.mean) / self.std


class DistilledVGG19(LossNetwork):
    """VGG-19 up to relu5_1 with a quarter of its channels, distilled for style transfer (Wang et al., CVPR 2020).

    A 1x1 convolution prepares the input. Convolutions pad by reflection, and pools take the maximum. Beside the
    relu layers it has aux1_1 .. aux5_1: relu1_1 .. relu5_1 lifted to the width of the full VGG-19 by a 1x1 convolution
    and ReLU.
    """

    def __init__(self, taps):
        relus = tuple(dict.fromkeys(tap.replace("aux", "relu") for tap in taps))
        super().__init__(relus, "distilled_vgg19", DISTILLED_BLOCKS, DISTILLED_CHANNELS, "max", True, reflect=True)
        self.preprocess = nn.Conv2d(3, 3, 1, has_bias=True)
        lifts = []
        for tap in taps:
            lift = None
            if tap.startswith("aux"):
                if not tap.endswith("_1"):
                    raise UserError(f"feature layer {tap!r}: distilled_vgg19 lifts aux1_1 .. aux5_1 only")
                block = int(tap[3]) - 1
                lift = nn.Conv2d(DISTILLED_CHANNELS[block], CHANNELS[block], 1, has_bias=True)
                setattr(self, tap, lift)
            lifts.append((relus.index(tap.replace("aux", "relu")), lift))
        self.taps = tuple(taps)
        self.lifts = tuple(lifts)

    def prepare(self, images):
        return self.preprocess(images)

    def construct(self, images):
        features = super().construct(images)
        outputs = ()
        for i, lift in self.lifts:
            outputs += (features[i] if lift is None else ops.relu(lift(features[i])),)
        return outputs
