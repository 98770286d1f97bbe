"""The one path from a content image and styles to a pastiche, in memory: no files written, nothing printed."""

import numpy as np
from PIL import Image

from src.data.images import resize_short_side, to_image, to_network
from src.stylize.engines import open_networks
from src.stylize.padding import pad_image

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


def prepare_style(style):
    """The uint8 (H, W, 3) style image as it is embedded: short side `STYLE_SIDE`, the middle of very long ones."""
    height, width = style.shape[:2]
    longest = STYLE_ASPECT * min(height, width)
    top, left = max(0, (height - longest) // 2), max(0, (width - longest) // 2)
    return resize_short_side(style[top : top + longest, left : left + longest], STYLE_SIDE)


class Stylizer:
    """Embeds styles, blends embeddings, stylises images of any size.

    Args:
        checkpoint: checkpoint file of any kind that `src.weights.load.load_model` reads, or one of a pair of exported
            files; empty for the bundled model.
        inception_ckpt: Inception-v3 for a published checkpoint; empty takes the one inside it.
        loss: `src.config.LossConfig` naming the loss network that a `statistics` predictor reads; others need none.
        engine: what runs the networks, see `src.stylize.engines`; "auto" takes the fastest that is installed and can
            read the checkpoint. MindSpore counts on graph mode: call `src.runtime.setup` before.
        runtime: `src.config.RuntimeConfig` with device and precision, or None for defaults.
        networks: an engine that is there already, instead of all of the above.

    Raises:
        UserError: no such file, or another kind of file; an engine that is not installed; a statistics predictor
            without its loss network.
    """

    def __init__(self, checkpoint="", inception_ckpt="", loss=None, engine="auto", runtime=None, networks=None):
        self.networks = networks or open_networks(engine, checkpoint, inception_ckpt, loss, runtime)
        self.embedding_dim = self.networks.embedding_dim

    def embed(self, style) -> np.ndarray:
        """The style embedding, (embedding_dim,) float32, of a uint8 (H, W, 3) RGB image of any size."""
        _check_image(style)
        return self.networks.embed(to_network(prepare_style(style)))[0]

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
        return to_image(self.networks.transfer(padded, embedding))[:height, :width]


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
