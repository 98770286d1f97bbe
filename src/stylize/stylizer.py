"""The one path from a content image and styles to a pastiche, in memory: no files written, nothing printed."""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from src.config import defaults
from src.engines.choice import choose_engine, open_networks, package, read_files
from src.errors import UserError
from src.images.files import resize_short_side, resize_to, to_image, to_network
from src.images.padding import pad_image
from src.sections import RuntimeConfig, StylizeConfig
from src.styles import blend_weights
from src.stylize.flat import background_input, find_background, paint_constant
from src.stylize.tiles import chosen_side, most_pixels, stylize_tiled

# The style image for the style prediction network: its short side in pixels, and how much longer the other may be.
# Magenta embeds styles at 256, too. With a fixed size the embedding does not depend on the resolution of the file.
STYLE_SIDE = 256
STYLE_ASPECT = 4
# The style transfer network divides H and W by 4; at a quarter of the size, a convolution still reflects one pixel, and
# an instance norm over fewer than 4 x 4 pixels is mostly noise.
MULTIPLE = 4
SMALLEST_SIDE = 16


def prepare_style(style, scale=1.0):
    """The uint8 (H, W, 3) style image at the size at which it is embedded; of a very long image the middle.

    Args:
        scale: factor of that size; 1 makes the short side `STYLE_SIDE`.
    """
    height, width = style.shape[:2]
    longest = STYLE_ASPECT * min(height, width)
    top, left = max(0, (height - longest) // 2), max(0, (width - longest) // 2)
    return resize_short_side(style[top : top + longest, left : left + longest], round(STYLE_SIDE * scale))


def cover(image, size):
    """The uint8 (H, W, 3) image resized so that it covers (height, width), and then cropped to that size."""
    scale = max(want / side for want, side in zip(size, image.shape, strict=False))
    image = resize_to(image, [max(want, round(side * scale)) for want, side in zip(size, image.shape, strict=False)])
    top, left = ((side - want) // 2 for want, side in zip(size, image.shape, strict=False))
    return image[top : top + size[0], left : left + size[1]]


class Stylizer:
    """Embeds styles, blends embeddings, stylises images of any size. `Stylizer.open` makes one of a file.

    Args:
        networks: an engine with its networks loaded, see `src.engines.choice`. A file's name or nothing, as in former
            versions, means `Stylizer.open(networks)`.
        tile: side in pixels of the tiles in which every content is stylised; 0 chooses by size and free memory.

    Attributes:
        embedding_dim: numbers in an embedding.
        styles: names of the styles that a model with a table has; empty where images are embedded.
        files: files of the networks, set by `Stylizer.open`; empty otherwise.

    Raises:
        UserError: a side that makes no tile, or tiles from an engine that can't.
    """

    def __init__(self, networks="", tile=0):
        StylizeConfig.schema()["tile"].accept(tile)
        opened = Stylizer.open(networks) if isinstance(networks, str | Path) else None
        self.networks, self.files = (opened.networks, opened.files) if opened else (networks, [])
        self.embedding_dim, self.tile = self.networks.embedding_dim, tile
        self.styles = self.networks.styles
        if tile and not self.networks.can_tile:
            raise UserError(
                f"option tile: found {tile}, but {self.networks.name} has no graph for tiles of this model; use --tile "
                "0, --engine mindspore, or write NAME_tiles.onnx beside the pair with export.py --parts tiles"
            )

    @classmethod
    def open(
        cls,
        checkpoint="",
        engine="auto",
        device_target=None,
        *,
        inception_ckpt="",
        loss_options=None,
        runtime=None,
        tile=0,
        work=None,
        loss=None,
    ):
        """Chooses an engine, sets device and mode up where MindSpore runs the networks, and loads these.

        Args:
            checkpoint: checkpoint file of any kind that `src.weights.load.load_model` reads, or one of a pair of
                exported files; empty for the bundled model.
            engine: mindspore, mindir, mindspore_lite, onnxruntime, openvino; "auto" takes the fastest that is installed
                and can read the checkpoint, see `src.engines.choice.choose_engine`.
            device_target: Ascend, GPU, CPU or auto; None for that of `runtime`.
            inception_ckpt: Inception-v3 for a published checkpoint; empty takes the one inside it.
            loss_options: `src.sections.LossConfig` naming the loss network that a `statistics` predictor reads; others
                need none.
            runtime: `src.sections.RuntimeConfig`, None for the defaults. Where the program has called
                `src.runtime.setup` already, the `src.runtime.Runtime` that it returned; its device stays.
            tile: see `Stylizer`.
            work: what will be stylised, see `src.engines.choice.choose_engine`; None where that is not known.
            loss: former name of `loss_options`.

        Raises:
            UserError: no such file, or another kind of file; an engine or a device that is not there; a statistics
                predictor without its loss network; see also `Stylizer`.
        """
        StylizeConfig(engine=engine, tile=tile)  # refuses an unknown engine, or a side that no tile can have
        runtime = runtime or defaults()["runtime"]
        to_set_up = isinstance(runtime, RuntimeConfig)
        if device_target and to_set_up:
            runtime = dataclasses.replace(runtime, device_target=device_target)
        engine = choose_engine(engine, checkpoint, runtime, work)
        if package(engine) == "mindspore" and to_set_up:
            from src.runtime import setup

            setup(runtime)
        made = cls(open_networks(engine, checkpoint, inception_ckpt, loss_options or loss, runtime), tile)
        made.files = [*read_files(engine, checkpoint), *filter(None, [inception_ckpt])]
        return made

    def embed(self, style, scale=1.0) -> np.ndarray:
        """The style embedding, (embedding_dim,) float32.

        Args:
            style: uint8 (H, W, 3) RGB image of any size; of a model with a table of styles a name, a number, or a dict
                of these to weights with the sum 1.
            scale: factor of the size at which a style image is embedded; strokes become about as much larger. Exported
                predictors for one size, and tables, ignore it.

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
        size = self.networks.style_size
        return self.networks.embed(to_network(cover(style, size) if size else prepare_style(style, scale)))[0]

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

    def side(self, pixels) -> int:
        """The side of the tiles in which a content of so many pixels is stylised now; 0 for whole ones.

        What it is may depend on the free memory, see `src.stylize.tiles.chosen_side`.
        """
        return self.tile or (chosen_side(self.networks, pixels) if self.networks.can_tile else 0)

    def statistics(self, content, embedding, side=None):
        """Means and variances of all instance norms over a content, for `stylize`; float32 (2, their channels).

        Args:
            side: as for `stylize`.

        Returns:
            the statistics; or None where the engine has no graph that takes statistics, or where the content is
            constant, or would be stylised in tiles.
        """
        _check_image(content)
        embedding = np.asarray(embedding, np.float32).reshape(1, self.embedding_dim)
        reflects = self.networks.architecture.padding == "reflect"
        background, constant = find_background(content) if reflects else (None, False)
        side = self.side(content[..., 0].size) if side is None else side
        if constant or side or not self.networks.can_tile:
            return None
        padded = pad_image(content, MULTIPLE, SMALLEST_SIDE)
        return self.networks.collect(to_network(padded) - background_input(self.networks, background), embedding)

    def stylize(self, content, embedding, progress=None, statistics=None, side=None) -> np.ndarray:
        """The pastiche, uint8 of the content's shape, of a uint8 (H, W, 3) RGB image of any size and an embedding.

        A constant content gives a constant pastiche, see `src.stylize.flat`.
        Contents of more pixels than the engine takes at once (`src.stylize.tiles.LIMITS`), or than fit into the free
        memory, are stylised in tiles. An engine that can't tile stylises them at that many pixels, and the pastiche is
        enlarged.

        Args:
            progress: function of the work done and of all work, called after each tile; or None.
            statistics: for the instance norms in place of the content's own, as `statistics` gives them; or None.
            side: from `self.side`, for pictures that belong together; None to choose it now.

        Raises:
            UserError: exported files for one size that can't tile, and a content of another.
        """
        _check_image(content)
        embedding = np.asarray(embedding, np.float32).reshape(1, self.embedding_dim)
        reflects = self.networks.architecture.padding == "reflect"
        background, constant = find_background(content) if reflects else (None, False)
        if constant:
            return np.broadcast_to(to_image(paint_constant(self.networks, embedding)), content.shape).copy()
        side = self.side(content[..., 0].size) if side is None else side
        reduced = content if side or self.networks.can_tile else _reduce(content, most_pixels(self.networks))
        padded = pad_image(reduced, MULTIPLE, SMALLEST_SIDE)
        self._check_size(content, padded, side)
        nothing = background_input(self.networks, background)
        if side:
            pastiche = stylize_tiled(self.networks, padded, embedding, side, nothing, progress)
        elif statistics is not None:
            pastiche = to_image(self.networks.transfer_tile(to_network(padded) - nothing, embedding, statistics))
        else:
            pastiche = to_image(self.networks.transfer(to_network(padded) - nothing, embedding))
        pastiche = pastiche[: reduced.shape[0], : reduced.shape[1]]
        if reduced is content:
            return pastiche
        return np.asarray(Image.fromarray(pastiche).resize(content.shape[1::-1], Image.Resampling.BICUBIC))

    def _check_size(self, content, padded, side):
        """Refuses a content of another size than that of exported files, which the engine would cut, or fail on."""
        size = self.networks.content_size
        if side or not size or padded.shape[:2] == size:
            return
        (height, width), shape = size, content.shape
        raise UserError(
            f"content of {shape[1]} x {shape[0]} pixels: the exported transfer network takes {width} x {height} only; "
            "resize the picture, or export the network with --dynamic, which takes every size"
        )


def _reduce(image, most):
    """The image with at most so many pixels, the same array when it has no more."""
    height, width = image.shape[:2]
    scale = (most / (height * width)) ** 0.5
    if scale >= 1:
        return image
    size = (max(1, int(width * scale)), max(1, int(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


def _check_image(image):
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"expected a uint8 image of (H, W, 3), found {image.dtype} {image.shape}")
