"""Training of a statistics predictor: its objective, and the statistics of the training styles that standardise it."""

import dataclasses
import logging

import numpy as np

from src.models.compact_prediction import STATISTICS_TAPS, StatisticsEmbedding, channel_statistics
from src.training.objectives import Stylization

logger = logging.getLogger("style_transfer")
STATISTICS_IMAGES, STATISTICS_BATCHES = 800, 50  # at least so many style crops, and batches drawn at a time


class StatisticsStylization(Stylization):
    """The stylization objective of a statistics predictor. Loss and predictor use one pass of the loss network.

    Args: those of `Stylization`.
    """

    def __init__(self, model, loss_network, taps, loss_options):
        super().__init__(model, loss_network, taps, loss_options)
        self.statistics_taps = tuple(taps.index(tap) for tap in STATISTICS_TAPS)

    @classmethod
    def loss_taps(cls, loss_options):
        """The feature layers of the loss, and those that the predictor reads."""
        return tuple(dict.fromkeys((*super().loss_taps(loss_options), *STATISTICS_TAPS)))

    @staticmethod
    def adapted(loss_options):
        """The `src.sections.LossConfig` with unscaled weights of the loss network, which the predictor expects."""
        return dataclasses.replace(loss_options, unit_activations=False)

    def style_targets(self, style, given):
        """The targets of the style loss, and the statistics (N, 2 * channels) for the predictor. `given` is empty."""
        style_features = self.loss_network(style)
        read = ()
        for i in self.statistics_taps:
            read += (style_features[i],)
        return self.loss.style_targets(style_features, style), channel_statistics(read)

    def embed(self, predictor_input):
        """Style embeddings (N, embedding_dim) of statistics."""
        return self.model.predictor.embed_statistics(predictor_input)


def standardise_statistics(predictor, images, image_size):
    """Sets the center and scale of a predictor that reads statistics from the training styles, unless it has them.

    Every rank reads the first rank's styles, since all must standardise alike.

    Args:
        predictor: any style prediction network; those that read no statistics are left alone.
        images: `src.data.dataset.PairedImages`.
        image_size: only for the log.
    """
    if not isinstance(predictor, StatisticsEmbedding) or predictor.standardised:
        return
    rows, step, images = [], 0, images.of_first_rank()
    count = min(STATISTICS_IMAGES, max(images.style_count, 2))
    while sum(map(len, rows)) < count:
        batches = images.batches(step, step + STATISTICS_BATCHES)
        rows += [predictor.own_statistics(style).asnumpy() for _, style in batches]
        step += STATISTICS_BATCHES
    statistics = np.concatenate(rows)
    predictor.standardise_over(statistics)
    logger.info("statistics of %d style crops of %d px standardise the predictor", len(statistics), image_size)
