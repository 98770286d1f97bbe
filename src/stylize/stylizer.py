"""The one path from a content image and styles to a pastiche, in memory: no files written, nothing printed."""

import numpy as np
from PIL import Image

from src.data.images import resize_short_side, to_image, to_network
from src.errors import UserError
from src.sections import StylizeConfig
from src.stylize.engines import PACKAGES, choose_engine, open_networks
from src.stylize.named import blend_weights
from src.stylize.padding import pad_image
from src.stylize.tiles import MOST_WHOLE, TILE, fitting_pixels, stylize_tiled

# What the style prediction network sees of a style: its short side in pixels, and how much longer the other may be.
# Magenta embeds styles at 256 as well; an embedding then does not depend on the resolution of the style's file.
STYLE_SIDE = 256
STYLE_ASPECT = 4
# The style transfer network divides H and W by 4; at a quarter of the size, a convolution still reflects one pixel, and
# an instance norm over fewer than 4 x 4 pixels is mostly noise.
MULTIPLE = 4
SMALLEST_SIDE = 16
# An engine that can't tile stylises contents of more pixels at this many and the pastiche is enlarged: the network
# takes about 1 GB a megapixel, and near 8 million oneDNN's 9x9 convolution falls to a kernel that takes hours.
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
        loss: `src.sections.LossConfig` naming the loss network that a `statistics` predictor reads; others need none.
        engine: what runs the networks, see `src.stylize.engines`; "auto" takes the fastest that is installed and can
            read the checkpoint. MindSpore counts on graph mode: call `src.runtime.setup` before.
        runtime: `src.sections.RuntimeConfig` with device and precision, or None for defaults.
        networks: an engine that is there already, instead of all of the above.
        tile: side in pixels of the tiles in which every content is stylised; 0 chooses by size and free memory.

    Attributes:
        embedding_dim: numbers in an embedding.
        styles: names of the styles that a model with a table has; empty where images are embedded.

    Raises:
        UserError: no such file, or another kind of file; an engine that is not installed; a statistics predictor
            without its loss network; a side that makes no tile, or tiles from an engine that can't.
    """

    def __init__(self, checkpoint="", inception_ckpt="", loss=None, engine="auto", runtime=None, networks=None, tile=0):
        StylizeConfig.schema()["tile"].accept(tile)
        self.networks = networks or open_networks(engine, checkpoint, inception_ckpt, loss, runtime)
        self.embedding_dim, self.tile = self.networks.embedding_dim, tile
        self.styles = self.networks.styles
        if tile and not self.networks.can_tile:
            raise UserError(
                f"option tile: found {tile}, but {self.networks.name} has no graph for tiles of this model; use --tile "
                "0, --engine mindspore, or write NAME_tiles.onnx beside the pair with export.py --parts tiles"
            )

    def embed(self, style) -> np.ndarray:
        """The style embedding, (embedding_dim,) float32.

        Args:
            style: uint8 (H, W, 3) RGB image of any size; of a model with a table of styles a name, a number, or a dict
                of these to weights with the sum 1.

        Raises:
            UserError: a style that the table lacks, or an image for one; weights with another sum.
        """
        if self.styles and isinstance(style, np.ndarray):
            raise UserError(f"the model embeds no images; it has the styles {', '.join(self.styles)}")
        if self.styles:
            return self.networks.embed(blend_weights(self.styles, style))[0]
        if not isinstance(style, np.ndarray):
            raise UserError(f"style {style!r}: the model has no styles by name, it embeds images")
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
        if self.styles:
            raise UserError(
                f"option strength: found {strength}, but the model has a table of styles and can't embed the content's "
                "own; leave it out, or blend two styles"
            )
        return self.blend([self.embed(content), embedding], [1 - strength, strength])

    def stylize(self, content, embedding, progress=None) -> np.ndarray:
        """The pastiche, uint8 of the content's shape, of a uint8 (H, W, 3) RGB image of any size and an embedding.

        Contents of more pixels than `MOST_WHOLE`, or than fit into the free memory, are stylised in tiles. An engine
        that can't tile stylises those above `MOST_PIXELS` at that size, and the pastiche is enlarged.

        Args:
            progress: function of the work done and of all of it, called after each tile; or None.
        """
        _check_image(content)
        side = self._tile_side(content)
        reduced = content if side else _reduce(content)
        padded = pad_image(reduced, MULTIPLE, SMALLEST_SIDE)
        embedding = np.asarray(embedding, np.float32).reshape(1, self.embedding_dim)
        if side:
            pastiche = stylize_tiled(self.networks, padded, embedding, side, progress)
        else:
            pastiche = to_image(self.networks.transfer(to_network(padded), embedding))
        pastiche = pastiche[: reduced.shape[0], : reduced.shape[1]]
        if reduced is content:
            return pastiche
        return np.asarray(Image.fromarray(pastiche).resize(content.shape[1::-1], Image.Resampling.BICUBIC))

    def _tile_side(self, content):
        """Side of the tiles for a content, 0 to stylise it whole."""
        large = content.shape[0] * content.shape[1] > fitting_pixels(MOST_WHOLE)
        return self.tile or (TILE if large and self.networks.can_tile else 0)


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


def open_stylizer(checkpoint="", inception_ckpt="", engine="auto", runtime=None, tile=0) -> Stylizer:
    """A `Stylizer`, whose arguments these are, with device and mode set up first where MindSpore runs the networks.

    Raises:
        UserError: see `Stylizer` and `src.runtime.setup`.
    """
    engine = choose_engine(engine, checkpoint)
    if PACKAGES[engine] == "mindspore":
        from src.runtime import setup

        setup(runtime)
    return Stylizer(checkpoint, inception_ckpt, engine=engine, runtime=runtime, tile=tile)
