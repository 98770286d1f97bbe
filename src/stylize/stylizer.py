"""The one path from a content image and styles to a pastiche, in memory: no files written, nothing printed."""

import time
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import Tensor
from PIL import Image

from src.config import ROOT
from src.data.images import resize_short_side, to_image, to_network
from src.errors import UserError
from src.models.factory import create_loss_network
from src.models.style_prediction import STATISTICS_TAPS
from src.stylize.padding import pad_image
from src.weights.load import load_model

BUNDLED = ROOT / "pretrained_model" / "arbitrary_compact.ckpt"

# What the style prediction network sees of a style: its short side in pixels, and how much longer the other may be.
# Magenta embeds styles at 256 as well; an embedding then does not depend on the resolution of the style's file.
STYLE_SIDE = 256
STYLE_ASPECT = 4
# The style transfer network divides H and W by 4; at a quarter of the size, a convolution still reflects one pixel, and
# an instance norm over fewer than 4 x 4 pixels is mostly noise.
MULTIPLE = 4
SMALLEST_SIDE = 16
# Contents of more pixels are stylised at this many and the pastiche is enlarged. The network takes about 1 GB a
# megapixel; near 8 million oneDNN's 9x9 convolution falls to a kernel that takes hours; and strokes are of a fixed size
# in pixels, so a larger picture shows less of the style.
MOST_PIXELS = 6_000_000


def find_checkpoint(checkpoint) -> str:
    """The checkpoint named by an option, or the bundled one when the option is empty.

    Raises:
        UserError: neither is there.
    """
    if not checkpoint and not BUNDLED.is_file():
        raise UserError(f"no checkpoint named, and the bundled one is not there ({BUNDLED}); name one, or train one")
    return str(checkpoint or BUNDLED)


def prepare_style(style):
    """The uint8 (H, W, 3) style image as it is embedded: short side `STYLE_SIDE`, the middle of very long ones."""
    height, width = style.shape[:2]
    longest = STYLE_ASPECT * min(height, width)
    top, left = max(0, (height - longest) // 2), max(0, (width - longest) // 2)
    return resize_short_side(style[top : top + longest, left : left + longest], STYLE_SIDE)


class Stylizer:
    """Embeds styles, blends embeddings, stylises images of any size.

    Both networks are compiled at their first use (about 2 s each on a CPU), once for all sizes; this counts on graph
    mode, so call `src.runtime.setup` first (operation by operation it is four times slower).

    Args:
        checkpoint: checkpoint file of any kind that `src.weights.load.load_model` reads; empty for the bundled model.
        inception_ckpt: Inception-v3 for a published checkpoint; empty takes the one inside it.
        loss: `src.config.LossConfig` naming the loss network that a `statistics` predictor reads; others need none.
        model: a `StylizationModel` in memory, instead of a checkpoint.

    Raises:
        UserError: no such file, or another kind of file; a statistics predictor without its loss network.
    """

    def __init__(self, checkpoint="", inception_ckpt="", loss=None, model=None):
        if model is None:
            checkpoint = find_checkpoint(checkpoint)
            model = load_model(checkpoint, inception_ckpt)
            if model.network.predictor == "statistics":
                _attach_loss_network(model.predictor, checkpoint, loss)
        self.model = model
        self.embedding_dim = model.network.embedding_dim
        self.compile_seconds = {}  # network name: seconds of its first call
        image = Tensor(shape=(1, 3, None, None), dtype=ms.float32)
        self._predictor, self._transfer = model.predictor, model.transfer
        self._predictor.set_inputs(image)
        self._transfer.set_inputs(image, Tensor(shape=(1, self.embedding_dim), dtype=ms.float32))

    def _run(self, name, network, *arrays):
        started = time.perf_counter()
        output = network(*(Tensor(array) for array in arrays)).asnumpy()
        self.compile_seconds.setdefault(name, time.perf_counter() - started)
        return output

    def embed(self, style) -> np.ndarray:
        """The style embedding, (embedding_dim,) float32, of a uint8 (H, W, 3) RGB image of any size."""
        _check_image(style)
        return self._run("predictor", self._predictor, to_network(prepare_style(style)))[0]

    def blend(self, embeddings, weights) -> np.ndarray:
        """Weighted mean (embedding_dim,) of style embeddings (Ghiasi et al. 2017, section 3.4).

        Weights are divided by their sum; a negative one leads away from its style.

        Raises:
            ValueError: not one weight an embedding, or weights whose sum is not positive.
        """
        embeddings, weights = np.asarray(embeddings, np.float32), np.asarray(weights, np.float32)
        if embeddings.ndim != 2 or weights.shape != embeddings.shape[:1]:
            raise ValueError(f"expected one weight an embedding, found {weights.shape} and {embeddings.shape}")
        total = weights.sum()
        if not total > 0:
            raise ValueError(f"expected weights with a positive sum, found {total}")
        return weights / total @ embeddings

    def strengthen(self, content, embedding, strength) -> np.ndarray:
        """The embedding between the content's own (strength 0) and a style's (1); above 1 it exaggerates the style."""
        if strength == 1:
            return np.asarray(embedding, np.float32)
        return self.blend([self.embed(content), embedding], [1 - strength, strength])

    def stylize(self, content, embedding) -> np.ndarray:
        """The pastiche, uint8 of the content's shape, of a uint8 (H, W, 3) RGB image of any size and an embedding.

        Contents above `MOST_PIXELS` are stylised at that size and the pastiche is enlarged.
        """
        _check_image(content)
        reduced = _reduce(content)
        if reduced is not content:
            enlarged = Image.fromarray(self.stylize(reduced, embedding)).resize(
                (content.shape[1], content.shape[0]), Image.Resampling.BICUBIC
            )
            return np.asarray(enlarged)
        height, width = content.shape[:2]
        padded = to_network(pad_image(content, MULTIPLE, SMALLEST_SIDE))
        embedding = np.asarray(embedding, np.float32).reshape(1, self.embedding_dim)
        pastiche = self._run("transfer", self._transfer, padded, embedding)
        return to_image(pastiche)[:height, :width]


def _attach_loss_network(predictor, checkpoint, loss):
    if loss is None:
        raise UserError(
            f"checkpoint {checkpoint}: its statistics predictor reads a loss network, which is not in it; use eval.py "
            "with --loss_network_ckpt, or distil it into a compact predictor with train.py"
        )
    folder = Path(checkpoint).parent
    predictor.attach(create_loss_network(loss, folder, STATISTICS_TAPS))


def _reduce(image):
    """The image with at most `MOST_PIXELS` pixels, the same array when it has no more."""
    height, width = image.shape[:2]
    scale = (MOST_PIXELS / (height * width)) ** 0.5
    if scale >= 1:
        return image
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def _check_image(image):
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"expected a uint8 image of (H, W, 3), found {image.dtype} {image.shape}")
