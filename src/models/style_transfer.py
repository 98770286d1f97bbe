"""Style transfer network: content image and style embedding to pastiche."""

import mindspore as ms
from mindspore import nn, ops

from src.models.layers import (
    BilinearConvolution,
    Convolution,
    ImageConvolution,
    UpsampledConvolution,
    UpsampledImageConvolution,
)
from src.models.normalization import InstanceNorm
from src.models.shapes import RESIDUAL_BLOCKS, conditional_channels, embedding_size, layer_channels


class ContractLayer(nn.Cell):
    """Convolution, instance norm without the style, ReLU."""

    def __init__(self, in_channels, out_channels, kernel_size, stride, network_options):
        super().__init__()
        self.conv = Convolution(
            in_channels, out_channels, kernel_size, stride, network_options.padding, network_options.conv_bias
        )
        self.norm = InstanceNorm(out_channels, affine=True)

    def construct(self, x):
        return ops.relu(self.norm(self.conv(x)))


class ResidualBlock(nn.Cell):
    """x + (conv, conditional instance norm, ReLU, conv, conditional instance norm)(x)."""

    def __init__(self, channels, network_options):
        super().__init__()
        self.conv1 = Convolution(channels, channels, 3, 1, network_options.padding, network_options.conv_bias)
        self.norm1 = InstanceNorm(channels, network_options.norm_affine)
        self.conv2 = Convolution(channels, channels, 3, 1, network_options.padding, network_options.conv_bias)
        self.norm2 = InstanceNorm(channels, network_options.norm_affine)

    def construct(self, x, gamma1, beta1, gamma2, beta2):
        y = ops.relu(self.norm1(self.conv1(x), gamma1, beta1))
        return x + self.norm2(self.conv2(y), gamma2, beta2)


class StyledLayer(nn.Cell):
    """3x3 convolution, with an enlargement by 2 before it or none, conditional instance norm, ReLU."""

    def __init__(self, in_channels, out_channels, network_options, enlarge=True):
        super().__init__()
        padding, bias = network_options.padding, network_options.conv_bias
        if enlarge:
            convolution = BilinearConvolution if network_options.upsampling == "bilinear" else UpsampledConvolution
            self.conv = convolution(in_channels, out_channels, padding, bias)
        else:
            self.conv = Convolution(in_channels, out_channels, 3, 1, padding, bias)
        self.norm = InstanceNorm(out_channels, network_options.norm_affine)

    def construct(self, x, gamma, beta):
        return ops.relu(self.norm(self.conv(x), gamma, beta))


class OutputLayer(nn.Cell):
    """9x9 convolution to RGB. Unless the output is linear: conditional instance norm, and sigmoid or tanh to [0, 1].

    With `ends: half` its input has half of the sides, and is enlarged by repetition before the convolution.
    """

    def __init__(self, in_channels, network_options):
        super().__init__()
        convolution = ImageConvolution if network_options.ends == "full" else UpsampledImageConvolution
        self.conv = convolution(in_channels, 3, 9, network_options.padding, network_options.conv_bias)
        self.norm = None if network_options.output == "linear" else InstanceNorm(3, network_options.norm_affine)
        self.tanh = network_options.output == "tanh"

    def construct(self, x, gamma=None, beta=None):
        x = self.conv(x)
        if self.norm is None:
            return x
        x = self.norm(x, gamma, beta)
        # (tanh(x) + 1) / 2 = sigmoid(2 x), and MindSpore's tanh on a CPU is off by up to 1e-4
        return ops.sigmoid(x * 2.0 if self.tanh else x)


class StyleTransferNetwork(nn.Cell):
    """Ghiasi et al. 2017, table 1 of the appendix, and the linear heads that feed its normalisations.

    It is also the network of Dumoulin et al. 2016 and, with `output: linear`, of Johnson et al. 2016. These two have no
    heads: their style embedding is the gammas and betas themselves.

    ============  ==============================  ====================  =====
    layer         operation                       output                norm
    ============  ==============================  ====================  =====
    contract1     9x9 convolution                 32 x H x W            own
    contract2     3x3 convolution, stride 2       64 x H/2 x W/2        own
    contract3     3x3 convolution, stride 2       128 x H/4 x W/4       own
    residual1..5  two 3x3 convolutions            128 x H/4 x W/4       style
    upsample1     x2, 3x3 convolution             64 x H/2 x W/2        style
    upsample2     x2, 3x3 convolution             32 x H x W            style
    output        9x9 convolution, sigmoid/tanh   3 x H x W             style
    ============  ==============================  ====================  =====

    All numbers of channels but the 3 are multiplied by `network_options.width`. `heads` maps the embedding to all
    gammas, then all betas, in the order of the layers above (1,379 of each at width 1).

    With `ends: half` no layer but the pixels has the full size. This differs from the paper, for speed: contract1 (7x7,
    3 to 64 channels) and contract2 (3x3, 64 to 128) halve the size, and there is no contract3. `finish` (3x3, 64 to 64)
    stands in the place of upsample2 and leaves the second enlargement to the output layer.

    Args:
        network_options: `src.sections.NetworkConfig`.

    Attributes:
        embedding_dim: numbers in a style embedding.
    """

    def __init__(self, network_options):
        super().__init__()
        c1, c2, c3 = layer_channels(network_options.width)
        self.tanh = network_options.output == "tanh"
        self.half_offsets = network_options.half_offsets
        full = network_options.ends == "full"
        if full:
            self.contract1 = ContractLayer(3, c1, 9, 1, network_options)
            self.contract2 = ContractLayer(c1, c2, 3, 2, network_options)
            self.contract3 = ContractLayer(c2, c3, 3, 2, network_options)
        else:
            self.contract1 = ContractLayer(3, c2, 7, 2, network_options)
            self.contract2 = ContractLayer(c2, c3, 3, 2, network_options)
            self.contract3 = None
        self.residual1 = ResidualBlock(c3, network_options)
        self.residual2 = ResidualBlock(c3, network_options)
        self.residual3 = ResidualBlock(c3, network_options)
        self.residual4 = ResidualBlock(c3, network_options)
        self.residual5 = ResidualBlock(c3, network_options)
        self.upsample1 = StyledLayer(c3, c2, network_options)
        self.upsample2 = StyledLayer(c2, c1, network_options) if full else None
        self.finish = None if full else StyledLayer(c2, c2, network_options, enlarge=False)
        self.output = OutputLayer(c1 if full else c2, network_options)
        self.embedding_dim = embedding_size(network_options)
        self.bounds = [0]
        for size in conditional_channels(network_options):
            self.bounds.append(self.bounds[-1] + size)
        total = self.bounds[-1]
        self.heads = None
        if not network_options.traits.has_table:
            # a new network starts as plain instance norm (gamma 1, beta 0), moved a little by the embedding
            self.heads = nn.Dense(network_options.embedding_dim, 2 * total, weight_init="normal", bias_init="zeros")
            self.heads.bias[:total] = 1.0
        self.total = total

    def style_parameters(self, embedding):
        """embedding (N, embedding_dim) to one (gamma, beta) pair of (N, C) a conditional layer, in their order."""
        values = embedding if self.heads is None else self.heads(embedding)
        pairs = ()
        for i in range(len(self.bounds) - 1):
            low, high = self.bounds[i], self.bounds[i + 1]
            beta = values[:, self.total + low : self.total + high]
            if self.half_offsets and i >= 2 * RESIDUAL_BLOCKS:
                # the published port's cast, kept because its weights were trained with this cast: 3e-4 in the pastiche
                beta = beta.astype(ms.float16).astype(ms.float32)
            pairs += ((values[:, low:high], beta),)
        return pairs

    def construct(self, content, embedding):
        """content (N, 3, H, W) RGB in [0, 1], H and W multiples of 4; embedding (N, embedding_dim).

        Returns:
            pastiche (N, 3, H, W) RGB in [0, 1].
        """
        p = self.style_parameters(embedding)
        x = content * 2.0 - 1.0 if self.tanh else content
        x = self.contract2(self.contract1(x))
        if self.contract3 is not None:
            x = self.contract3(x)
        x = self.residual1(x, p[0][0], p[0][1], p[1][0], p[1][1])
        x = self.residual2(x, p[2][0], p[2][1], p[3][0], p[3][1])
        x = self.residual3(x, p[4][0], p[4][1], p[5][0], p[5][1])
        x = self.residual4(x, p[6][0], p[6][1], p[7][0], p[7][1])
        x = self.residual5(x, p[8][0], p[8][1], p[9][0], p[9][1])
        x = self.upsample1(x, p[10][0], p[10][1])
        if self.finish is None:
            x = self.upsample2(x, p[11][0], p[11][1])
        else:
            x = self.finish(x, p[11][0], p[11][1])
        if self.output.norm is None:
            return self.output(x)
        return self.output(x, p[12][0], p[12][1])
