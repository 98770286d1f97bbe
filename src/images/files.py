"""The one place where image files become arrays and arrays become image files.

Everywhere outside networks an image is uint8 (H, W, 3) RGB; inside it is float32 (N, 3, H, W) in [0, 1].
"""

import io
import logging
import os
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from src.errors import UserError, os_error_line
from src.files import atomic_write
from src.images.decoding import decode, decode_parts, flatten, refusal
from src.images.formats import missing_package, readable_suffixes
from src.images.metadata import settings_for

logger = logging.getLogger("style_transfer")
_WRITERS = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 95},
    ".bmp": {"format": "BMP"},
}
_WITH_ALPHA = ("PNG", "WEBP")
_LARGEST_SIDE = {"JPEG": 65535, "WEBP": 16383}

# PIL warns of large images (it refuses those of twice that size) and of broken EXIF, without saying of which file.
warnings.filterwarnings("ignore", module=r"PIL\.")


def list_images(folder_or_file, option, output=None) -> list[Path]:
    """Image files of a folder, sorted by path, recursively; of a file, itself.

    Files are recognised by their ending (`readable_suffixes`, any case). Links to folders are followed, each folder is
    walked once. Names that begin with a dot, other endings, and files in an output folder inside are left out; a line
    of the log counts them. The files are not opened.

    Args:
        folder_or_file: where to look.
        option: name of the option that gave it, for the error.
        output: folder for results, whose files are no inputs; None without one. Where `folder_or_file` lies in the
            output folder itself, its files are inputs all the same.

    Raises:
        UserError: nothing there, or no image in it.
    """
    if not str(folder_or_file):
        raise UserError(f"option {option}: is empty, expected a folder of images")
    top = Path(folder_or_file).expanduser()
    if top.is_file():
        return [top]
    if not top.is_dir():
        raise UserError(f"option {option}: {top}: no such file or folder; check the spelling")
    results = Path(output).expanduser().resolve() if output else None
    if results and results in (top.resolve(), *top.resolve().parents):
        results = None
    found, seen, left, suffixes = [], set(), Counter(), readable_suffixes()
    try:
        for folder, folders, files in os.walk(top, followlinks=True, onerror=_refuse):
            real = Path(folder).resolve()
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            left["hidden"] += sum(name.startswith(".") for name in (*folders, *files))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for path in (Path(folder, name) for name in files if not name.startswith(".")):
                suffix = path.suffix.lower()
                if suffix not in suffixes:
                    package = missing_package(suffix)
                    left[f"{suffix or 'without an ending'}{package and f' (pip install {package})'}"] += 1
                elif results in (real, *real.parents):
                    left["in the output folder"] += 1
                else:
                    found.append(path)
    except OSError as error:
        raise UserError(f"option {option}: {os_error_line(error)}") from None
    left = ", ".join(f"{count} {kind}" for kind, count in sorted((+left).items()))
    if not found:
        raise UserError(
            f"option {option}: {top}: no image in it{left and f' (left out: {left})'}; "
            f"expected {', '.join(suffixes)} files"
        )
    if left:
        logger.warning("%s: left out %s", top, left)
    return sorted(found)


def _refuse(error):
    raise error


@dataclass(frozen=True)
class Picture:
    """A picture with its transparency and its metadata.

    Attributes:
        pixels: uint8 (H, W, 3), laid over white where it is transparent.
        alpha: uint8 (H, W), 255 where the picture is opaque; None when all of it is opaque.
        exif: what is kept of the file's EXIF, see `src.images.metadata.kept_exif`.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    exif: bytes = b""

    def resized(self, shape):
        """The picture at (height, width), as `resize_to` does it."""
        alpha = self.alpha
        if alpha is not None and alpha.shape != tuple(shape):
            alpha = np.array(Image.fromarray(alpha).resize(tuple(shape)[::-1], Image.Resampling.LANCZOS))
        return Picture(resize_to(self.pixels, shape), alpha, self.exif)


def read_picture(source, name="") -> Picture:
    """A file, or a stream, as a `Picture`, upright and in sRGB: `read_image` says what that means, and the errors.

    Args:
        source: path, or `io.BytesIO`.
        name: of a stream, for the errors.
    """
    source = source if name else Path(source).expanduser()
    try:
        image, alpha, exif = decode_parts(source)
        pixels = np.array(flatten(image, alpha))
    except Exception as error:  # noqa: BLE001
        raise refusal(name or source, error) from None
    alpha = None if alpha is None or alpha.getextrema()[0] == 255 else np.array(alpha)
    return Picture(pixels, alpha, exif)


def read_image(path, at_least=0) -> np.ndarray:
    """Reads any image as uint8 (H, W, 3) sRGB, upright.

    Grey becomes three equal channels, transparency is laid over white, CMYK and palettes become RGB, colours of another
    ICC profile, or of a PNG's gAMA and cHRM, become sRGB's, 16 bits become 8, 32 bits and floats are scaled by their
    range, the orientation is applied, of an animation the first frame is taken. The contents decide, not the ending.

    Args:
        path: the file.
        at_least: when not 0, a JPEG is decoded at a half, a quarter or an eighth of its size as long as its short side
            keeps this many pixels: ten times faster for a photograph of 12 megapixels.

    Raises:
        UserError: no such file, not an image, truncated, a wrong checksum, NaN or infinity among the values, or more
            than PIL's limit of 179 million pixels or than fit into the free memory.
    """
    path = Path(path).expanduser()
    try:
        return np.array(decode(path, at_least))
    except Exception as error:  # noqa: BLE001
        raise refusal(path, error) from None


def write_image(path, image, overwrite=True, *, alpha=None, exif=b"", recipe=None):
    """Writes uint8 (H, W, 3) RGB as the format of the file's ending: png, jpg, webp or bmp; whole or not at all.

    Args:
        path, image: the file and its pixels.
        overwrite: whether the file may exist.
        alpha: uint8 (H, W), or None; JPEG and BMP have none, there the picture is laid over white.
        exif, recipe: see `src.images.metadata.settings_for`.

    Raises:
        UserError: unknown ending, the file exists and `overwrite` is false, or a side too long for the format.
        OSError: the folder or the disk refuse it.
    """
    path = Path(path).expanduser()
    check_writable(path, overwrite)
    image, settings = _prepare(path, image, alpha, exif, recipe)
    with atomic_write(path) as temporary:
        image.save(temporary, **settings)


def encode_image(suffix, image, *, alpha=None, exif=b"", recipe=None) -> bytes:
    """The bytes of the file that `write_image` would write under a name with this ending (".png")."""
    image, settings = _prepare(Path(f"picture{suffix}"), image, alpha, exif, recipe)
    stream = io.BytesIO()
    image.save(stream, **settings)
    return stream.getvalue()


def _prepare(path, image, alpha, exif, recipe):
    """A PIL image, and the arguments of its `save`."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"expected uint8 (H, W, 3), found {image.dtype} {image.shape}")
    settings = _WRITERS[path.suffix.lower()]
    kind = settings["format"]
    largest = _LARGEST_SIDE.get(kind)
    if largest and max(image.shape[:2]) > largest:
        height, width = image.shape[:2]
        raise UserError(f"{path}: {width} x {height} is too large for {kind} ({largest} a side); use .png")
    picture = Image.fromarray(image)
    if alpha is not None and kind in _WITH_ALPHA:
        picture.putalpha(Image.fromarray(alpha))
    elif alpha is not None:
        picture = flatten(picture, Image.fromarray(alpha))
    return picture, {**settings, **settings_for(kind, exif, recipe)}


def has_writer(path) -> bool:
    """Whether `write_image` knows the ending of a file's name."""
    return Path(path).suffix.lower() in _WRITERS


def check_writable(path, overwrite=True):
    """Refuses a path that `write_image` would refuse, before the work that leads to it.

    Raises:
        UserError: unknown ending, or the file exists and `overwrite` is false.
    """
    path = Path(path).expanduser()
    if not has_writer(path):
        raise UserError(f"{path}: cannot write {path.suffix or 'a name without ending'!r}; use {', '.join(_WRITERS)}")
    if path.is_dir():
        raise UserError(f"{path}: is a folder, expected the name of a picture")
    if not overwrite and path.exists():
        raise UserError(f"{path}: exists already; add --overwrite or choose another name")


def to_network(image) -> np.ndarray:
    """uint8 (H, W, 3) in [0, 255] to float32 (1, 3, H, W) in [0, 1]."""
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)


def to_image(array) -> np.ndarray:
    """(1, 3, H, W) or (3, H, W) in [0, 1], an array or a tensor, to uint8 (H, W, 3); values outside are clipped."""
    array = array.asnumpy() if hasattr(array, "asnumpy") else np.asarray(array)
    if array.ndim == 4:
        if array.shape[0] != 1:
            raise ValueError(f"expected one image, found {array.shape}")
        array = array[0]
    scaled = array.astype(np.float32) * 255
    return np.ascontiguousarray(np.rint(scaled.clip(0, 255)).astype(np.uint8).transpose(1, 2, 0))


def resize_short_side(image, n) -> np.ndarray:
    """uint8 (H, W, 3) resized (Lanczos, with antialiasing) so that its short side is n and its shape is kept."""
    return resize_to(image, short_side_shape(image, n))


def short_side_shape(image, n) -> tuple[int, int]:
    """(height, width) of an image (H, W, 3) whose short side is made n pixels."""
    short = min(image.shape[:2])
    return tuple(max(1, round(side * n / short)) for side in image.shape[:2])


def resize_width(image, width) -> np.ndarray:
    """uint8 (H, W, 3) resized, as `resize_short_side` does it, so that it is `width` pixels wide."""
    return resize_to(image, width_shape(image, width))


def width_shape(image, width) -> tuple[int, int]:
    """(height, width) of an image (H, W, 3) that is made `width` pixels wide."""
    return max(1, round(image.shape[0] * width / image.shape[1])), width


def resize_to(image, shape) -> np.ndarray:
    """uint8 (H, W, 3) resized (Lanczos, with antialiasing) to (height, width)."""
    if image.shape[:2] == tuple(shape):
        return image
    return np.array(Image.fromarray(image).resize(tuple(shape)[::-1], Image.Resampling.LANCZOS))


def center_crop(image, n) -> np.ndarray:
    """The n x n pixels in the middle of a uint8 (H, W, 3) image, which must have them."""
    height, width = image.shape[:2]
    if min(height, width) < n:
        raise ValueError(f"cannot crop {n} x {n} from {width} x {height}")
    top, left = (height - n) // 2, (width - n) // 2
    return np.ascontiguousarray(image[top : top + n, left : left + n])


def read_at(path, image_size):
    """The image of a file, uint8 (H, W, 3): as it is for 0, else its short side resized to N and its middle N x N."""
    image = read_image(path)
    return center_crop(resize_short_side(image, image_size), image_size) if image_size else image
