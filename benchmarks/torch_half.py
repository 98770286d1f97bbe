"""The networks of benchmarks/torch_networks.py for a training step in bfloat16, channels last, compiled.

Weights stay in float32, and are rounded where a convolution takes them. So do the statistics of the norms. Needs
requirements-benchmark.txt.
"""

import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_networks import CompactPredictor, LossNetwork, Norm, Transfer

LAST = torch.channels_last


@torch.library.custom_op("style_transfer::reflect_pad", mutates_args=())
def reflect_pad(x: torch.Tensor, border: int) -> torch.Tensor:
    """Adds a mirrored border to images (N, C, H, W); the border is smaller than both sides.

    An operation of its own, since the gradient that the compiler makes for PyTorch's takes several times as long.
    """
    return functional.pad(x, (border,) * 4, mode="reflect").contiguous(memory_format=LAST)


@torch.library.custom_op("style_transfer::fold_border", mutates_args=())
def fold_border(x: torch.Tensor, border: int) -> torch.Tensor:
    """The gradient of `reflect_pad`: cuts the border off, and adds it to the pixels whose mirror it is."""
    for axis in (2, 3):
        side = x.shape[axis] - 2 * border
        kept = x.narrow(axis, border, side).clone(memory_format=LAST)
        kept.narrow(axis, 1, border).add_(x.narrow(axis, 0, border).flip(axis))
        kept.narrow(axis, side - 1 - border, border).add_(x.narrow(axis, side + border, border).flip(axis))
        x = kept
    return x


def _resized(x, change):
    n, c, h, w = x.shape
    return torch.empty((n, c, h + change, w + change), dtype=x.dtype, device=x.device, memory_format=LAST)


reflect_pad.register_fake(lambda x, border: _resized(x, 2 * border))
fold_border.register_fake(lambda x, border: _resized(x, -2 * border))


def _keep_border(ctx, inputs, output):
    ctx.border = inputs[1]


def _fold_gradient(ctx, gradient):
    return fold_border(gradient.contiguous(memory_format=LAST), ctx.border), None


reflect_pad.register_autograd(_fold_gradient, setup_context=_keep_border)


class _Gram(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows):
        ctx.save_for_backward(rows)
        product = torch.bmm(rows.mT, rows)
        return product.to(torch.promote_types(rows.dtype, torch.float32)) / rows.shape[1]

    @staticmethod
    def backward(ctx, gradient):
        (rows,) = ctx.saved_tensors
        return torch.bmm(rows, ((gradient + gradient.mT) / rows.shape[1]).to(rows.dtype))


def gram(features):
    """Gram matrices (N, C, C), float32 or wider, of features (N, C, h, w); one matrix product gives the gradient."""
    return _Gram.apply(features.permute(0, 2, 3, 1).flatten(1, 2))


class HalfConvolution(nn.Module):
    """A convolution in the precision of its input, with the parameters of an `nn.Conv2d`."""

    def __init__(self, convolution):
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias
        self.stride, self.border = convolution.stride, convolution.padding[0]
        self.mirrored = convolution.padding_mode == "reflect"

    def forward(self, x):
        border = self.border
        if self.mirrored:
            x, border = reflect_pad(x, border), 0
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return functional.conv2d(x, self.weight.to(x.dtype), bias, self.stride, border)


class HalfNorm(nn.Module):
    """The instance norm of a `Norm` by formula, which the compiler joins with what stands around it."""

    def __init__(self, norm, precision):
        super().__init__()
        self.gamma, self.beta, self.precision = norm.gamma, norm.beta, precision

    def forward(self, x, gamma=None, beta=None):
        if gamma is None:
            gamma, beta = self.gamma[None], self.beta[None]
        elif self.gamma is not None:
            gamma, beta = gamma * self.gamma, gamma * self.beta + beta
        x = x.float()
        mean = x.mean((2, 3), keepdim=True)
        variance = (x - mean).square().mean((2, 3), keepdim=True)
        factor = gamma[:, :, None, None] * torch.rsqrt(variance + 1e-5)
        return (x * factor + (beta[:, :, None, None] - mean * factor)).to(self.precision)


class HalfTransfer(Transfer):
    """The style transfer network: bfloat16 between its layers, its last norm and the output in float32."""

    def __init__(self, network):
        super().__init__(network)
        for part in list(self.modules()):
            for name, child in list(part.named_children()):
                if isinstance(child, nn.Conv2d):
                    setattr(part, name, HalfConvolution(child))
                elif isinstance(child, Norm):
                    precision = torch.float32 if part is self.output else torch.bfloat16
                    setattr(part, name, HalfNorm(child, precision))

    def forward(self, content, embedding):
        return super().forward(content.to(torch.bfloat16, memory_format=LAST), embedding)


class HalfPredictor(CompactPredictor):
    """The compact predictor; from style images to embeddings, the layers that read pixels run in bfloat16."""

    def forward(self, style):
        with torch.autocast("cpu", torch.bfloat16):
            moments = self.moments(style)
        return self.embed(self.standardised(moments))


class HalfLossNetwork(LossNetwork):
    """The loss network in bfloat16; the images are normalised in float32."""

    def __init__(self, loss):
        super().__init__(loss)
        self.layers.to(torch.bfloat16, memory_format=LAST)

    def forward(self, x, taps=()):
        return super().forward(x.contiguous(memory_format=LAST), taps)


def compiler_fault() -> str:
    """Why torch.compile can't be used here, in one line; empty where it can."""
    try:
        torch.compile(lambda x: x + 1, fullgraph=True)(torch.zeros(8))
    except Exception as error:  # noqa: BLE001 of any kind: a missing compiler, missing headers, a platform
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return ""
