"""The same networks in PyTorch, as someone who knows PyTorch would write them; their steps: torch_steps.py.

Modules and parameters bear this project's names, so that they take its weights. Padding, normalisation and enlargement
are PyTorch's own kernels. Needs requirements-benchmark.txt; imports no MindSpore.
"""

import torch
from torch import nn
from torch.nn import functional

from src.models.shapes import (
    BLOCKS,
    CHANNELS,
    COMPACT_DEPTHS,
    DISTILLED_BLOCKS,
    DISTILLED_CHANNELS,
    MIXED,
    REFINE_UNITS,
    RESIDUAL_BLOCKS,
    STEM,
    conditional_channels,
    layer_channels,
    layer_names,
)


def convolution(network, inputs, outputs, kernel, stride=1):
    """A convolution of the transfer network that keeps the size, or divides it by its stride."""
    mode = "reflect" if network.padding == "reflect" else "zeros"
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=network.conv_bias, padding_mode=mode)


class Norm(nn.Module):
    """Instance norm with its own or the style's gamma and beta, by the kernel of batch normalization."""

    def __init__(self, channels, affine):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels)) if affine else None
        self.beta = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x, gamma=None, beta=None):
        n, c, h, w = x.shape
        if gamma is None:
            gamma, beta = self.gamma.expand(n, c), self.beta.expand(n, c)
        elif self.gamma is not None:
            gamma, beta = gamma * self.gamma, gamma * self.beta + beta
        flat = x.reshape(1, n * c, h, w)
        return functional.batch_norm(flat, None, None, gamma.reshape(-1), beta.reshape(-1), True).reshape(x.shape)


class Layer(nn.Module):
    """Convolution and norm."""

    def __init__(self, network, inputs, outputs, kernel, stride=1, affine=True):
        super().__init__()
        self.conv = convolution(network, inputs, outputs, kernel, stride)
        self.norm = Norm(outputs, affine)

    def forward(self, x, *style):
        return self.norm(self.conv(x), *style)


class Residual(nn.Module):
    """Two convolutions with norms, added to their input."""

    def __init__(self, network, channels):
        super().__init__()
        self.conv1, self.conv2 = (convolution(network, channels, channels, 3) for _ in range(2))
        self.norm1, self.norm2 = (Norm(channels, network.norm_affine) for _ in range(2))

    def forward(self, x, first, second):
        y = functional.relu(self.norm1(self.conv1(x), *first))
        return x + self.norm2(self.conv2(y), *second)


class Transfer(nn.Module):
    """Style transfer network of `src.sections.NetworkConfig`, by which it goes."""

    def __init__(self, network):
        super().__init__()
        c1, c2, c3 = layer_channels(network.width)
        self.tanh, self.upsampling = network.output == "tanh", network.upsampling
        affine = network.norm_affine
        self.full = network.ends == "full"
        if self.full:
            self.contract1 = Layer(network, 3, c1, 9)
            self.contract2 = Layer(network, c1, c2, 3, 2)
            self.contract3 = Layer(network, c2, c3, 3, 2)
        else:
            self.contract1 = Layer(network, 3, c2, 7, 2)
            self.contract2 = Layer(network, c2, c3, 3, 2)
        for i in range(1, RESIDUAL_BLOCKS + 1):
            self.add_module(f"residual{i}", Residual(network, c3))
        self.upsample1 = Layer(network, c3, c2, 3, affine=affine)
        if self.full:
            self.upsample2 = Layer(network, c2, c1, 3, affine=affine)
            self.output = Layer(network, c1, 3, 9, affine=affine)
        else:
            self.finish = Layer(network, c2, c2, 3, affine=affine)
            self.output = Layer(network, c2, 3, 9, affine=affine)
            # the border is a reflection of the input, not of the enlarged picture
            self.output.conv.padding, self.output.conv.padding_mode = (0, 0), "zeros"
            self.border = "reflect" if network.padding == "reflect" else "constant"
        self.sizes = list(conditional_channels(network))
        self.heads = nn.Linear(network.embedding_dim, 2 * sum(self.sizes))

    def forward(self, content, embedding):
        gammas, betas = self.heads(embedding).chunk(2, 1)
        style = list(zip(gammas.split(self.sizes, 1), betas.split(self.sizes, 1), strict=True))
        x = content * 2 - 1 if self.tanh else content
        for layer in (self.contract1, self.contract2, *([self.contract3] if self.full else [])):
            x = functional.relu(layer(x))
        for i in range(RESIDUAL_BLOCKS):
            x = getattr(self, f"residual{i + 1}")(x, style[2 * i], style[2 * i + 1])
        x = functional.relu(self.upsample1(self.enlarged(x), *style[-3]))
        if self.full:
            x = functional.relu(self.upsample2(self.enlarged(x), *style[-2]))
            x = self.output(x, *style[-1])
        else:
            x = functional.relu(self.finish(x, *style[-2]))
            x = functional.interpolate(functional.pad(x, (2,) * 4, mode=self.border), scale_factor=2)
            x = self.output(x, *style[-1])
        return torch.sigmoid(2 * x if self.tanh else x)

    def enlarged(self, x):
        return functional.interpolate(x, scale_factor=2, mode=self.upsampling)


class CompactPredictor(nn.Module):
    """Compact style prediction network."""

    def __init__(self, network):
        super().__init__()
        self.stages, inputs = nn.ModuleList(), 3
        for position, (channels, depth) in enumerate(zip(DISTILLED_CHANNELS, COMPACT_DEPTHS, strict=True)):
            layers = []
            for i in range(depth):
                layers += [nn.Conv2d(inputs, channels, 3, 2 if position and not i else 1, 1), nn.ReLU()]
                inputs = channels
            self.stages.append(nn.Sequential(*layers))
        count = 2 * sum(DISTILLED_CHANNELS)
        self.center, self.scale = nn.Parameter(torch.zeros(count)), nn.Parameter(torch.ones(count))
        self.translate = nn.Linear(count, count)
        self.refine_hidden, self.refine = nn.Linear(count, REFINE_UNITS), nn.Linear(REFINE_UNITS, count)
        self.hidden = nn.Linear(count, 256)
        self.dense = nn.Linear(256, network.embedding_dim)

    def moments(self, style):
        """Means and deviations (N, 736) of the channels of all stages, of style images (N, 3, H, W)."""
        x, rows = style * 2 - 1, []
        for stage in self.stages:
            x = stage(x)
            variance, mean = torch.var_mean(x.float(), (2, 3), unbiased=False)
            rows += [mean, torch.sqrt(variance + 1e-6)]
        return torch.cat(rows, 1)

    def standardised(self, moments):
        """What `moments` gave as statistics (N, 736) that a loss network would have, standardised."""
        standard = (moments - self.center) / self.scale
        return self.translate(standard) + self.refine(functional.relu(self.refine_hidden(standard)))

    def statistics(self, style):
        """The standardised statistics (N, 736) of style images (N, 3, H, W)."""
        return self.standardised(self.moments(style))

    def embed(self, statistics):
        """Style embeddings of what `statistics` gave."""
        return self.dense(functional.relu(self.hidden(statistics)))

    def forward(self, style):
        return self.embed(self.statistics(style))


class ConvNorm(nn.Module):
    """Inception's convolution, batch norm with stored statistics, ReLU."""

    def __init__(self, inputs, outputs, kernel, stride=1, padding="same"):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x):
        return functional.relu(self.bn(self.conv(x)), inplace=True)


class Mixed(nn.Module):
    """An Inception block."""

    def __init__(self, inputs, branches):
        super().__init__()
        self.branches, self.outputs = nn.ModuleList(), 0
        for layers in branches.values():
            channels, cells = inputs, []
            for layer in layers:
                if layer == "average":
                    cells.append(nn.AvgPool2d(3, 1, 1, count_include_pad=False))
                elif layer == "max":
                    cells.append(nn.MaxPool2d(3, 2))
                else:
                    size, kernel, stride = layer if len(layer) == 3 else (*layer, 1)
                    cells.append(ConvNorm(channels, size, kernel, stride, 0 if stride == 2 else "same"))
                    channels = size
            self.branches.append(nn.Sequential(*cells))
            self.outputs += channels

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class InceptionPredictor(nn.Module):
    """Inception-v3 to Mixed_6e, mean over space, a dense layer; in evaluation mode always."""

    def __init__(self, network):
        super().__init__()
        layers, channels = [], 3
        for name, outputs, kernel, stride, border in STEM:
            layers.append(nn.MaxPool2d(3, 2) if name == "max" else ConvNorm(channels, outputs, kernel, stride, border))
            channels = outputs
        for branches in MIXED.values():
            layers.append(Mixed(channels, branches))
            channels = layers[-1].outputs
        self.inception = nn.Sequential(*layers).eval().requires_grad_(False)
        self.dense = nn.Linear(channels, network.embedding_dim)

    def forward(self, style):
        return self.dense(self.inception((style - 0.45) / 0.225).mean((2, 3)))


PREDICTORS = {"compact": CompactPredictor, "inception_v3": InceptionPredictor}


class LossNetwork(nn.Module):
    """VGG-16, VGG-19 or the distilled VGG-19 with random weights, cut after the deepest feature layer of a loss."""

    def __init__(self, loss):
        super().__init__()
        distilled = loss.loss_network == "distilled_vgg19"
        blocks = DISTILLED_BLOCKS if distilled else BLOCKS[int(loss.loss_network[3:])]
        channels = DISTILLED_CHANNELS if distilled else CHANNELS
        self.taps = {tap[4:] for tap in loss.feature_layers}
        names = layer_names(blocks)
        self.preprocess = nn.Conv2d(3, 3, 1).requires_grad_(False) if distilled else None
        border = "reflect" if distilled else "zeros"
        self.layers, inputs = nn.ModuleDict(), 3
        for name in names[: max(map(names.index, self.taps)) + 1]:
            outputs = channels[int(name[0]) - 1]
            layer = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode=border)
            self.layers[name] = layer.requires_grad_(False)
            inputs = outputs
        # ImageNet's, unless weights bring their own
        mean, std = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        if not distilled:
            self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
            self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        average = loss.pooling == "average" and not distilled
        self.pool = functional.avg_pool2d if average else functional.max_pool2d

    def forward(self, x, taps=()):
        """Images (N, 3, H, W) in [0, 1] to {feature layer: features}, as deep as `taps` ask when there are any."""
        found = {}
        x = (x - self.mean) / self.std if self.preprocess is None else self.preprocess(x)
        x = x.to(next(iter(self.layers.values())).weight.dtype)
        for name, layer in self.layers.items():
            if taps and all(tap in found for tap in taps):
                break
            if name.endswith("_1") and name != "1_1":
                x = self.pool(x, 2)
            x = functional.relu(layer(x))
            if name in self.taps:
                found["relu" + name] = x
        return found
