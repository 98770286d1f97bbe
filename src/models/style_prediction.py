"""The source of a style's numbers for the style transfer network: the style prediction network, or a table of styles.

The network has `construct(style (N, 3, H, W) RGB in [0, 1]) -> embedding (N, embedding_dim)`; the table in its place
takes weights of its styles (N, styles). The bundled model's predictor is in models/compact_prediction.py.
"""

import numpy as np
from mindspore import Parameter, ParameterTuple, nn, ops

from src.models.inception_v3 import InceptionV3

MIXED_6E_CHANNELS = 768
# Adam's updates are about as large for every parameter. In this unit, the few thousand numbers of a style move ten
# times as far as the shared weights, so that 2,000 steps tell styles apart where Dumoulin et al. take 40,000.
ROW_UNIT = 10.0


class InceptionPredictor(nn.Cell):
    """The paper's: Inception-v3 up to Mixed_6e, mean over space, a dense layer (Ghiasi et al. 2017, section 2.2)."""

    def __init__(self, embedding_dim, train_inception):
        super().__init__()
        self.inception = InceptionV3(trainable=train_inception)
        self.dense = nn.Dense(MIXED_6E_CHANNELS, embedding_dim)

    def features(self, style):
        """style (N, 3, H, W) to the mean of Mixed_6e over space (N, 768), which is all that the dense layer reads."""
        return self.inception(style).mean((2, 3))

    def construct(self, style):
        return self.dense(self.features(style))


class StyleTable(nn.Cell):
    """A table with a row for each style: all gammas, then all betas of the style transfer network.

    Dumoulin et al. 2016, section 2.2: these are the only parameters that belong to one style. A table of one row is the
    affine part of the instance norms of Johnson et al. 2016. A blend is the mean of whole rows, as in Dumoulin's
    section 3.4. Differs from Dumoulin: the contract layers are normalised without the style, as in the family's other
    networks. A Parameter holds its row divided by `ROW_UNIT`.

    Args:
        styles: how many rows.
        size: numbers in a row, gammas in the first half.
    """

    def __init__(self, styles, size):
        super().__init__()
        plain = np.repeat(np.array((1.0 / ROW_UNIT, 0.0), np.float32), size // 2)
        # a Parameter a row, so that each can be frozen by itself
        self.rows = ParameterTuple(Parameter(plain.copy(), name=f"row{i}") for i in range(styles))

    def table(self):
        """All gammas and betas, (styles, size)."""
        return ops.stack(self.rows) * ROW_UNIT

    def construct(self, weights):
        """weights (N, styles), of which a one-hot row picks a style. Returns the gammas and betas, (N, size)."""
        return ops.matmul(weights, self.table())
