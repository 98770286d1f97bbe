"""The style transfer network for crops and tiles of one image, which share the statistics of their instance norms."""

import mindspore as ms
import numpy as np
from mindspore import Tensor

from src.compilation import set_free_inputs
from src.models.normalization import InstanceNorm, SharedNorm
from src.models.style_transfer import StyleTransferNetwork
from src.runtime import apply_precision


def _with_shared_norms(transfer, network_options, collect):
    """A transfer network with the Parameters of another, not copies of them, whose instance norms are `SharedNorm`."""
    twin = StyleTransferNetwork(network_options)
    for path, cell in list(twin.cells_and_names()):
        for name, part in cell.name_cells().items():
            if isinstance(part, InstanceNorm):
                norm = SharedNorm(part.channels, part.affine, collect)
                setattr(cell, name, norm)
                norm.mean.name, norm.variance.name = f"{path}.{name}.mean", f"{path}.{name}.variance"
    for (_, cell), (_, original) in zip(twin.cells_and_names(), transfer.cells_and_names(), strict=True):
        for name, parameter in original.parameters_and_names(expand=False):
            setattr(cell, name, parameter)
    return twin.set_train(False)


def shared_norms(transfer) -> list[SharedNorm]:
    """The norms of one of the two networks in the order in which their statistics are concatenated."""
    return [cell for _, cell in transfer.cells_and_names() if isinstance(cell, SharedNorm)]


class TilingNetwork:
    """Stylises an image in parts: crops of the image give the statistics of the norms, which each tile then uses.

    Statistics are float32 (2, channels of all norms), means and variances.

    Args:
        transfer: the `StyleTransferNetwork` whose weights are used; they are shared, not copied.
        network_options: the `src.sections.NetworkConfig` that `transfer` was built from.
        precision: see `src.runtime.apply_precision`.

    Attributes:
        collecting, tiling: the two networks, `StyleTransferNetwork` each; compiled at their first use.
        channels: of all norms together.
    """

    def __init__(self, transfer, network_options, precision="float32"):
        self.collecting, self.tiling = (
            _with_shared_norms(transfer, network_options, collect) for collect in (True, False)
        )
        self.channels = sum(norm.channels for norm in shared_norms(self.tiling))
        embedding = Tensor(shape=(1, transfer.embedding_dim), dtype=ms.float32)
        for cell, images in ((self.collecting, None), (self.tiling, 1)):
            apply_precision(cell, precision)
            set_free_inputs(cell, Tensor(shape=(images, 3, None, None), dtype=ms.float32), embedding)
        self._statistics = None

    def collect(self, crops, embedding):
        """The statistics of crops float32 (N, 3, H, W) in [0, 1] together, for an embedding (1, embedding_dim)."""
        self.collecting(Tensor(crops), Tensor(embedding)).asnumpy()
        norms = shared_norms(self.collecting)
        parts = (np.stack([norm.mean.asnumpy(), norm.variance.asnumpy()]) for norm in norms)
        return np.concatenate(list(parts), axis=1)

    def transfer_tile(self, tile, embedding, statistics):
        """The pastiche of a tile float32 (1, 3, H, W) in [0, 1] with statistics from `collect`."""
        if statistics is not self._statistics:
            norms = shared_norms(self.tiling)
            bounds = np.cumsum([norm.channels for norm in norms])[:-1]
            for norm, (mean, variance) in zip(norms, np.split(statistics, bounds, axis=1), strict=True):
                norm.mean.set_data(Tensor(mean))
                norm.variance.set_data(Tensor(variance))
            self._statistics = statistics
        return self.tiling(Tensor(tile), Tensor(embedding)).asnumpy()
