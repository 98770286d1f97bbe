"""From a content and embeddings to the picture that the options ask for: scale, strength, colours, masks, sheets."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from src.errors import UserError
from src.images.colors import preserve_colors
from src.images.files import Picture, read_picture, resize_to, short_side_shape
from src.images.sheets import labelled_sheet, sheet

# the most pixels that PIL reads from a file; for a small style_scale, no content is enlarged beyond this
MOST_PIXELS = 179_000_000
# Styles are embedded at a half to twice their usual size. Beyond, the bundled model paints other patterns (seen by eye)
MOST_EMBEDDED = 2.0


@dataclass(frozen=True)
class Look:
    """How a pastiche becomes the output picture; see `src.options.stylize` for the values.

    Attributes:
        strength, strength_by, preserve_colors, size: the options.
        content_scale: how many times smaller the content is painted, see `split_scale`.
        masks: (H, W) float32 in [0, 1] of any size: none, one, or one an embedding.
        names: of the styles of a labelled sheet; empty without one.
    """

    strength: float = 1.0
    strength_by: str = "auto"
    content_scale: float = 1.0
    preserve_colors: str = "none"
    size: int = 0
    masks: list = field(default_factory=list)
    names: tuple = ()


def look_of(stylizer, strength, preserve_colors) -> Look:
    """A `Look` whose strength is that of the embeddings, or of the pixels where styles are a table."""
    by = "pixels" if stylizer.styles else "embedding"
    return Look(strength=strength, strength_by=by, preserve_colors=preserve_colors)


def read_masks(paths, styles) -> list[np.ndarray]:
    """The masks of files, (H, W) float32: 1 where they are white, 0 where they are black or transparent.

    Args:
        paths: none, one, or one a style.
        styles: the number of styles.

    Raises:
        UserError: another number of masks, or a file that can't be read.
    """
    if len(paths) not in (0, 1, styles):
        raise UserError(f"option mask: found {len(paths)} masks for {styles} styles, expected one, or one a style")
    return [_mask(read_picture(path)) for path in paths]


def _mask(picture):
    alpha = np.ones(picture.pixels.shape[:2]) if picture.alpha is None else picture.alpha / 255
    # transparent pixels were laid over white, but count as black here
    grey = np.asarray(Image.fromarray(picture.pixels).convert("L")) / 255
    return (grey - (1 - alpha)).clip(0, 1).astype(np.float32)


def mix(content, parts, weights) -> np.ndarray:
    """Pictures mixed pixel by pixel. `content` gets 1 less the sum of the weights; a sum above 1 is scaled to 1.

    Args:
        content: uint8 (H, W, 3).
        parts: iterable of uint8 (H, W, 3); one is in memory at a time.
        weights: for each part a number or float32 (H, W). For a single part, a weight above 1 exaggerates the part's
            difference from `content`.

    Returns:
        uint8 (H, W, 3).
    """
    total = sum(weights)
    scale = 1 / np.maximum(total, 1) if len(weights) > 1 else 1
    mixed = content.astype(np.float32)
    for part, weight in zip(parts, weights, strict=True):
        mixed += np.expand_dims(np.asarray(weight * scale, np.float32), -1) * (part.astype(np.float32) - content)
    return np.rint(mixed.clip(0, 255)).astype(np.uint8)


def finish(content, pastiches, look) -> np.ndarray:
    """Pastiches of a content as one picture: applies preserve_colors, then the strength in pixels, then the masks.

    Args:
        content: uint8 (H, W, 3).
        pastiches: iterable of uint8 (H, W, 3): one, or one a mask.
        look: `Look`, of which strength counts where strength_by is "pixels".
    """
    colored = (preserve_colors(pastiche, content, look.preserve_colors) for pastiche in pastiches)
    strength = look.strength if look.strength_by == "pixels" else 1.0
    if not look.masks:
        colored = list(colored)
        return mix(content, colored, [strength]) if strength != 1 else colored[0]
    # with one mask, the strength goes into the weight, so that above 1 it exaggerates; with regions, into each picture
    if len(look.masks) == 1:
        return mix(content, colored, [strength * _fit(look.masks[0], content)])
    parts = (part if strength == 1 else mix(content, [part], [strength]) for part in colored)
    return mix(content, parts, [_fit(mask, content) for mask in look.masks])


def _fit(mask, image):
    size = image.shape[1::-1]
    return mask if mask.shape == image.shape[:2] else np.asarray(Image.fromarray(mask).resize(size, Image.BILINEAR))


class Painter:
    """Makes the pictures of `src.stylize.jobs.run_jobs` with a style transfer network.

    Args:
        stylizer: `src.stylize.stylizer.Stylizer`.
        rows: rows of embeddings: of one style or blend, of a strip or a square; of regions and labelled sheets one row
            with an embedding a style. See `src.stylize.chosen.blend_rows`.
        look: `Look`.
        progress: see `Stylizer.stylize`.

    Raises:
        UserError: strength_by is "embedding" with a table of styles, which has no embedding of a content.
    """

    def __init__(self, stylizer, rows, look, progress=None):
        self.stylizer, self.rows, self.progress = stylizer, rows, progress
        by = look.strength_by if look.strength_by != "auto" else "pixels" if stylizer.styles else "embedding"
        self.look = Look(**{**vars(look), "strength_by": by})
        if by == "embedding" and stylizer.styles and look.strength != 1:
            raise UserError(
                "option strength_by: found embedding, but the model has a table of styles and can't embed the "
                "content's own; use --strength_by pixels"
            )

    def __call__(self, job, picture) -> Picture:
        """The picture for a content."""
        look = self.look
        if look.size:
            picture = picture.resized(short_side_shape(picture.pixels, look.size))
        content = picture.pixels
        if len(look.masks) > 1:
            return Picture(finish(content, (self._paint(content, e) for e in self.rows[0]), look), *_beside(picture))
        frames = [[finish(content, [self._paint(content, e)], look) for e in row] for row in self.rows]
        if look.names:
            name = getattr(job.content, "name", "stdin")
            return Picture(labelled_sheet([content, *frames[0]], [name, *look.names]), None, picture.exif)
        if len(frames[0]) > 1:
            return Picture(sheet(frames), None, picture.exif)
        return Picture(frames[0][0], *_beside(picture))

    def _paint(self, content, embedding):
        look = self.look
        if look.strength_by == "embedding":
            embedding = self.stylizer.strengthen(content, embedding, look.strength)
        return paint_scaled(self.stylizer, content, embedding, look.content_scale, self.progress)


def split_scale(stylizer, scale) -> tuple[float, float]:
    """Splits a scale of the strokes into two factors: the style is embedded larger, the content is painted smaller.

    A style that is embedded larger has larger strokes, and the content stays sharp. This works for a factor of up to
    two. For the rest, and for models that embed no images, the content is painted smaller.
    """
    if stylizer.styles or stylizer.networks.style_size:
        return 1.0, scale
    embedded = min(max(scale**0.5, 1 / MOST_EMBEDDED), MOST_EMBEDDED)
    return embedded, scale / embedded


def _beside(picture):
    return picture.alpha, picture.exif


def paint_scaled(stylizer, content, embedding, scale, progress=None) -> np.ndarray:
    """The pastiche with strokes `scale` times as large: the content is painted at 1/scale and enlarged again.

    Raises:
        UserError: a scale at which the content would be too large.
    """
    if scale == 1:
        return stylizer.stylize(content, embedding, progress)
    shape = [max(1, round(side / scale)) for side in content.shape[:2]]
    if shape[0] * shape[1] > MOST_PIXELS:
        raise UserError(
            f"option style_scale: found {scale:g}, at which the content is painted at {shape[1]} x {shape[0]} pixels; "
            "use a larger number, or --size"
        )
    return resize_to(stylizer.stylize(resize_to(content, shape), embedding, progress), content.shape[:2])
