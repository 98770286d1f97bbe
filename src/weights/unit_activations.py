"""A loss network whose layers all have mean activation 1, so that loss weights hold for weights from any source.

Activations at relu3_3 are about 180 in Caffe's VGG-16 and about 1 in torchvision's. The ratio of style loss to content
loss grows with their square. The layers of a ReLU network can be scaled one by one without any other change of the
output (Gatys et al. 2016, section 2). Differs from Gatys et al.: one factor a layer, not one a filter, so that filters
keep their proportions.
"""

import mindspore as ms
import numpy as np
from mindspore import nn

from src.config import ROOT
from src.errors import UserError
from src.images.files import list_images, read_at, to_network

# the photographs over which the mean is taken
PHOTOGRAPHS = ROOT / "dataset" / "test" / "content"
SIDE = 128


class LayerMeans(nn.Cell):
    """Images (N, 3, H, W) in [0, 1] to the mean activation of each layer of a VGG, a float32 vector.

    Args:
        vgg: `src.models.vgg.VGG`.
    """

    def __init__(self, vgg):
        super().__init__()
        self.vgg = (vgg,)  # a tuple, so that its parameters keep their names
        self.set_train(False)

    def construct(self, images):
        vgg = self.vgg[0]
        x = vgg.prepare(images)
        means = ()
        for layer in vgg.layers:
            x = layer(x)
            means += (x.mean(),)
        return ms.ops.stack(means)


def scale_to_unit_activations(vgg, where):
    """Scales weights and biases of a `src.models.vgg.VGG` so that each layer's mean activation is 1.

    The mean is over channels, positions and the photographs of `PHOTOGRAPHS`.

    Args:
        vgg: the VGG with its weights.
        where: the file of the weights, for errors.

    Raises:
        UserError: a layer whose activations are all 0, or missing photographs.
    """
    photographs = [to_network(read_at(path, SIDE)) for path in list_images(PHOTOGRAPHS, "unit_activations")]
    means = LayerMeans(vgg)(ms.Tensor(np.concatenate(photographs))).asnumpy()
    before = 1.0
    for layer, mean in zip(vgg.layers, means.tolist(), strict=True):
        if not 0 < mean < np.inf:
            name = layer.weight.name.split(".")[-2]
            raise UserError(
                f"checkpoint {where}: the mean activation of {name} is {mean}, expected a number above 0; are these "
                "trained weights? --unit_activations false takes them as they are"
            )
        layer.weight.set_data(layer.weight * (before / mean))
        if layer.bias is not None:
            layer.bias.set_data(layer.bias / mean)
        before = mean
