"""The published MindSpore port's evaluation and training step, rebuilt from its description, to compare with.

Its code does not run on today's MindSpore; what it does is known (docs/published-port.md): Inception-v3 embeds the
style anew for every picture, norms are written out as means and products, enlargement is `ops.ResizeBilinear`, four
copies of VGG-16, each from the image to one feature layer, see content, style and pastiche (twelve passes), and the
training cell runs the network forward for the loss and once more for the gradients. Weights are this project's.
"""

import mindspore as ms
from mindspore import nn, ops

from src.losses import gram_matrix
from src.models.factory import create_model, frozen
from src.models.layers import BilinearConvolution, Convolution, ImageConvolution
from src.models.normalization import EPSILON, InstanceNorm
from src.models.vgg import VGG

STYLE_WEIGHT = 1000.0


class PlainNorm(nn.Cell):
    """Instance norm operation by operation, then the style's scale and offset."""

    def __init__(self, norm):
        super().__init__()
        self.gamma, self.beta = norm.gamma, norm.beta

    def construct(self, x, gamma=None, beta=None):
        mean = x.mean((2, 3), keep_dims=True)
        variance = ops.square(x - mean).mean((2, 3), keep_dims=True)
        y = (x - mean) / ops.sqrt(variance + EPSILON)
        y = y * self.gamma.reshape((1, -1, 1, 1)) + self.beta.reshape((1, -1, 1, 1))
        if gamma is not None:
            n, c = gamma.shape
            y = y * gamma.reshape((n, c, 1, 1)) + beta.reshape((n, c, 1, 1))
        return y


class PlainBilinear(BilinearConvolution):
    """Bilinear enlargement by 2 with the framework's kernel."""

    def enlarged(self, x):
        return ops.ResizeBilinearV2()(x, (2 * x.shape[2], 2 * x.shape[3]))


def published_model(network):
    """A model as the port computes it, of `NetworkConfig` `published_network()`."""
    model = create_model(network)
    for cell in list(model.transfer.cells_and_names()):
        for name, inner in list(cell[1].name_cells().items()):
            if isinstance(inner, InstanceNorm):
                setattr(cell[1], name, PlainNorm(inner))
            elif isinstance(inner, BilinearConvolution | ImageConvolution):
                out, channels, size, _ = inner.weight.shape
                if isinstance(inner, BilinearConvolution):
                    plain = PlainBilinear(channels, out, inner.padding)
                else:
                    plain = Convolution(channels, out, size, 1, inner.padding)
                plain.weight = inner.weight
                setattr(cell[1], name, plain)
    return model


class PublishedLoss(nn.Cell):
    """Both networks and the losses: four VGGs, each over three images."""

    def __init__(self, model, loss):
        super().__init__()
        self.model = model
        self.weights = tuple(loss.style_taps.values())
        taps = tuple(loss.style_taps)
        self.content_tap = taps.index(next(iter(loss.content_taps)))
        self.slices = nn.CellList([frozen(VGG(16, (tap,), loss.pooling, bias=False)) for tap in taps])

    def construct(self, content, style):
        pastiche = self.model(content, style)
        total = 0.0
        for i, part in enumerate(self.slices):
            of_content, of_style, found = part(content)[0], part(style)[0], part(pastiche)[0]
            difference = gram_matrix(found) - gram_matrix(of_style)
            total = total + STYLE_WEIGHT * self.weights[i] * ops.square(difference).mean()
            if i == self.content_tap:
                total = total + ops.square(found - of_content).mean()
            else:
                total = total + 0.0 * of_content.mean()
        return total


class PublishedStep(nn.Cell):
    """The port's training cell: the loss, then the gradients of a second forward pass, then Adam."""

    def __init__(self, network, loss):
        super().__init__()
        model = published_model(network)
        self.objective = PublishedLoss(model, loss)
        self.weights = ms.ParameterTuple(model.trainable_params())
        self.optimizer = nn.Adam(self.weights, 1e-4)
        self.gradient = ops.GradOperation(get_by_list=True)
        self.set_train()

    def construct(self, content, style):
        """content, style (N, 3, H, W) in [0, 1]. Returns the total loss."""
        total = self.objective(content, style)
        gradients = self.gradient(self.objective, self.weights)(content, style)
        return ops.depend(total, self.optimizer(gradients))
