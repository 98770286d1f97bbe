"""Style prediction networks that are not the paper's: the bundled model's, and the one that teaches it.

Both embed channel statistics of feature maps. `StatisticsPredictor` takes a loss network's, `CompactPredictor` its own.
Each has the interface of `src.models.style_prediction`. src/training/distillation/ trains one with the other.
"""

import mindspore as ms
import numpy as np
from mindspore import Parameter, nn, ops

from src.models.shapes import CHANNELS, COMPACT_DEPTHS, DISTILLED_CHANNELS, REFINE_UNITS

STATISTICS_TAPS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
STATISTICS_CLIP = 5.0


def channel_statistics(features):
    """Mean and standard deviation of each channel: tuple of (N, C, h, w) to (N, 2 * sum of C)."""
    values = ()
    for feature in features:
        feature = feature.astype(ms.float32)  # sums over space, and the small term below, are beyond half precision
        mean = feature.mean((2, 3), keep_dims=True)
        # the small term keeps the square root's gradient finite where a channel is constant
        deviation = ops.sqrt(ops.square(feature - mean).mean((2, 3)) + 1e-6)
        values += (mean.squeeze((2, 3)), deviation)
    return ops.concat(values, 1)


class StatisticsEmbedding(nn.Cell):
    """Standardised channel statistics of feature maps to a style embedding: the last layers of two predictors.

    The statistics are means and standard deviations, standardised over the training styles. Differs from the paper,
    which takes the mean of one deep layer. Statistics of all depths are near to the Gram matrices of the style loss,
    and a predictor that reads them trains in minutes without pretraining.

    Args:
        channels: of the feature maps, in their order.
    """

    def __init__(self, channels, embedding_dim):
        super().__init__()
        count = 2 * sum(channels)
        self.center = Parameter(np.zeros(count, np.float32), name="center", requires_grad=False)
        self.scale = Parameter(np.ones(count, np.float32), name="scale", requires_grad=False)
        self.hidden = nn.Dense(count, 256, weight_init="he_normal", activation="relu")
        self.dense = nn.Dense(256, embedding_dim)

    @property
    def standardised(self) -> bool:
        """Whether center and scale are set, from training styles or from a checkpoint."""
        return bool(np.any(self.center.asnumpy()))

    def standardise_over(self, statistics):
        """Sets center and scale from the statistics (number of styles, 2 * channels) of the training styles."""
        self.center.set_data(ms.Tensor(statistics.mean(0), ms.float32))
        deviation = statistics.std(0)
        # without this addend, a channel that is nearly constant over the training styles would get a huge factor
        self.scale.set_data(ms.Tensor(deviation + 0.01 * deviation.mean(), ms.float32))

    def standardise(self, statistics):
        """Raw statistics (N, 2 * channels) to numbers of mean 0 and deviation 1 over the training styles."""
        return (statistics - self.center) / self.scale

    def embed_standard(self, standard):
        """Standardised statistics (N, 2 * channels) to embeddings (N, embedding_dim)."""
        return self.dense(self.hidden(standard))


class CompactPredictor(StatisticsEmbedding):
    """Embeds from pixels with few weights and no pretrained ones (5 MB).

    Five stages of 3x3 convolutions; each stage but the first begins with a stride of 2. Two branches read the
    standardised channel statistics of the stages, and their outputs are added:

        translate                one dense layer, the linear part
        refine_hidden, refine    a dense layer with ReLU, then one whose weights start at zero, so that training starts
                                 from the linear part alone

    With a hint (see `src.training.distillation.objective.Distillation`) the sum is taught to be the distilled VGG-19's
    statistics at relu1_1 .. relu5_1; without a hint its meaning is free. The feature maps are not normalised, because
    normalisation would remove the statistics that are to be read.
    """

    CHANNELS = DISTILLED_CHANNELS

    def __init__(self, embedding_dim):
        super().__init__(self.CHANNELS, embedding_dim)
        stages, in_channels = [], 3
        for position, (channels, depth) in enumerate(zip(self.CHANNELS, COMPACT_DEPTHS, strict=True)):
            layers = []
            for i in range(depth):
                stride = 2 if position and not i else 1
                layers += [_convolution(in_channels, channels, stride), nn.ReLU()]
                in_channels = channels
            stages.append(nn.SequentialCell(*layers))
        self.stages = nn.CellList(stages)
        count = 2 * sum(self.CHANNELS)
        self.translate = nn.Dense(count, count)
        self.refine_hidden = nn.Dense(count, REFINE_UNITS, weight_init="he_normal", activation="relu")
        self.refine = nn.Dense(REFINE_UNITS, count, weight_init="zeros")

    def own_statistics(self, style):
        """style (N, 3, H, W) to the statistics of the stages' outputs (N, 2 * channels)."""
        x = style * 2.0 - 1.0
        features = ()
        for stage in self.stages:
            x = stage(x)
            features += (x,)
        return channel_statistics(features)

    def standard_statistics(self, style):
        """style (N, 3, H, W) to standardised statistics (N, 2 * channels), as a teacher's `standardise` gives them."""
        own = self.standardise(self.own_statistics(style))
        return self.translate(own) + self.refine(self.refine_hidden(own))

    def construct(self, style):
        return self.embed_standard(self.standard_statistics(style))


def _convolution(in_channels, out_channels, stride):
    return nn.Conv2d(in_channels, out_channels, 3, stride, "pad", 1, has_bias=True, weight_init="he_normal")


class StatisticsPredictor(StatisticsEmbedding):
    """Embeds from the channel statistics of a loss network's features at relu1_1 .. relu5_1.

    This predictor learns in minutes where a predictor from pixels needs days. So it is the teacher of the compact
    predictor. The loss network is not part of the predictor's checkpoint; `attach` sets the loss network.

    Args:
        loss_network_name: of the loss network, for the number of channels.
    """

    def __init__(self, embedding_dim, loss_network_name):
        super().__init__(DISTILLED_CHANNELS if loss_network_name == "distilled_vgg19" else CHANNELS, embedding_dim)
        self.attached = ()

    def attach(self, loss_network):
        """Sets the loss network whose outputs are `STATISTICS_TAPS`; a tuple keeps it out of the parameters."""
        self.attached = (loss_network,)

    def own_statistics(self, style):
        """style (N, 3, H, W) to the statistics of the loss network's features (N, 2 * channels)."""
        return channel_statistics(self.attached[0](style))

    def standard_statistics(self, style):
        """style (N, 3, H, W) to the standardised statistics of the loss network's features (N, 2 * channels)."""
        return self.clipped(self.own_statistics(style))

    def clipped(self, statistics):
        """Raw statistics (N, 2 * channels) to standardised ones between -5 and 5."""
        return ops.clamp(self.standardise(statistics), -STATISTICS_CLIP, STATISTICS_CLIP)

    def embed_statistics(self, statistics):
        """Raw statistics (N, 2 * channels) to embeddings (N, embedding_dim)."""
        return self.embed_standard(self.clipped(statistics))

    def construct(self, style):
        return self.embed_standard(self.standard_statistics(style))


def share_loss_network(taker, giver):
    """Gives a statistics predictor the loss network that another one reads. Other predictors read none."""
    if isinstance(giver, StatisticsPredictor):
        taker.attach(*giver.attached)
