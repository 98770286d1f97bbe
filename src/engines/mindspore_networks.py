"""The two networks run by MindSpore, from a checkpoint or a model in memory."""

from functools import cached_property
from pathlib import Path

import mindspore as ms
from mindspore import Tensor

from src.compilation import set_free_inputs
from src.errors import UserError
from src.models.tiling import TilingNetwork
from src.runtime import apply_precision
from src.weights.load import load_model
from src.weights.loss_network import attach_loss_network


class MindSporeNetworks:
    """The networks of a `StylizationModel`. Each is compiled at its first use (2 s on a CPU), once for all sizes.

    The class is a `src.engines.engine.Networks`. Call `src.runtime.setup` first, for graph mode: operation by operation
    the networks are four times slower.

    Args:
        model: `src.models.factory.StylizationModel`.
        precision: see `src.runtime.apply_precision`.
    """

    name = "mindspore"

    can_tile = True
    content_size = style_size = None

    def __init__(self, model, precision="float32"):
        apply_precision(model, precision)
        self.model, self.precision, self.architecture = model, precision, model.network
        self.embedding_dim, self.styles = model.transfer.embedding_dim, model.styles
        image = Tensor(shape=(1, 3, None, None), dtype=ms.float32)
        self._predictor, self._transfer = model.predictor, model.transfer
        weights = Tensor(shape=(1, len(self.styles)), dtype=ms.float32)
        set_free_inputs(self._predictor, weights if self.styles else image)
        set_free_inputs(self._transfer, image, Tensor(shape=(1, self.embedding_dim), dtype=ms.float32))

    @classmethod
    def load(cls, checkpoint, inception_ckpt="", loss_options=None, precision="float32"):
        """The networks of a checkpoint file of any kind that `src.weights.load.load_model` reads.

        Args:
            inception_ckpt: Inception-v3 for a published checkpoint; empty takes the one inside it.
            loss_options: `src.sections.LossConfig` naming the loss network that a `statistics` predictor reads.
            precision: see `src.runtime.apply_precision`.

        Raises:
            UserError: no such file, or another kind of file; a statistics predictor without its loss network.
        """
        model = load_model(checkpoint, inception_ckpt)
        if loss_options is not None:
            attach_loss_network(model.predictor, loss_options, Path(checkpoint).parent)
        elif model.network.style_source == "statistics":
            raise UserError(
                f"checkpoint {checkpoint}: its statistics predictor reads a loss network, which is not in it; use "
                "eval.py with --loss_network_ckpt, or distil it into a compact predictor with train.py"
            )
        return cls(model, precision)

    def embed(self, style):
        """style float32 (1, 3, h, w) in [0, 1], or weights (1, styles). Returns the embedding (1, embedding_dim)."""
        return self._predictor(Tensor(style)).asnumpy()

    def transfer(self, content, embedding):
        """content float32 (1, 3, H, W) in [0, 1], embedding (1, embedding_dim). Returns the pastiche like content."""
        return self._transfer(Tensor(content), Tensor(embedding)).asnumpy()

    @cached_property
    def _tiling(self):
        return TilingNetwork(self.model.transfer, self.model.network, self.precision)

    def collect(self, crops, embedding):
        """See `src.models.tiling.TilingNetwork.collect`."""
        return self._tiling.collect(crops, embedding)

    def transfer_tile(self, tile, embedding, statistics):
        """See `src.models.tiling.TilingNetwork.transfer_tile`."""
        return self._tiling.transfer_tile(tile, embedding, statistics)
