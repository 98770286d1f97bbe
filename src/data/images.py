"""The one place where image files become arrays and arrays become image files.

Everywhere outside networks an image is uint8 (H, W, 3) RGB; inside it is float32 (N, 3, H, W) in [0, 1].
"""

import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image

from src.errors import UserError, os_error_line
from src.files import atomic_write

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
# PIL knows more, some through other programs (PostScript); a picture of a user needs none of them
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM")
_WRITERS = {
    ".png": {"format": "PNG"},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 95},
    ".bmp": {"format": "BMP"},
}
_LARGEST_SIDE = {"JPEG": 65535, "WEBP": 16383}
_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# PIL warns of large images (it refuses those of twice that size) and of broken EXIF, without saying of which file.
warnings.filterwarnings("ignore", module=r"PIL\.")


def list_images(folder_or_file, option) -> list[Path]:
    """Image files of a folder, sorted by path, recursively; of a file, itself.

    Files are known by their ending (`IMAGE_SUFFIXES`, any case). Links to folders are followed, each folder is walked
    once; names that begin with a dot are left out. The files are not opened.

    Args:
        folder_or_file: where to look.
        option: name of the option that gave it, for the error.

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
    found, seen = [], set()
    try:
        for folder, folders, files in os.walk(top, followlinks=True, onerror=_refuse):
            real = os.path.realpath(folder)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [
                Path(folder, name)
                for name in files
                if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
            ]
    except OSError as error:
        raise UserError(f"option {option}: {os_error_line(error)}") from None
    if not found:
        raise UserError(f"option {option}: {top}: no image in it; expected {', '.join(IMAGE_SUFFIXES)} files")
    return sorted(found)


def _refuse(error):
    raise error


def orientation(image) -> int:
    """The EXIF orientation of an opened PIL image: 1 (upright) to 8; 1 when there is none or it makes no sense."""
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  EXIF of any camera: PIL's parser raises whatever a broken block leads it to
        return 1
    return value if isinstance(value, int) and value in _UPRIGHT else 1


def has_transparency(image) -> bool:
    """Whether an opened PIL image has an alpha channel or a transparent colour."""
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def describe_damage(error) -> str:
    """What PIL's exception means, in a few words: decoders raise OSError, SyntaxError, ValueError, struct.error ..."""
    if isinstance(error, Image.DecompressionBombError):
        return "more than 179 million pixels"
    if isinstance(error, Image.UnidentifiedImageError):
        return f"not an image (empty, damaged or another kind of file; known are {', '.join(FORMATS)})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"damaged image ({' '.join(str(error).split()) or type(error).__name__})"


def find_damage(stream) -> str:
    """Reads an image file to its end; says in words what is wrong with it, '' when nothing is.

    Args:
        stream: an opened file, or `io.BytesIO`.
    """
    try:
        with Image.open(stream, formats=FORMATS) as image:
            if image.format == "PNG":
                image.verify()  # its checksums say more than decoding does, and sooner
            else:
                image.load()
    except Exception as error:  # noqa: BLE001
        return describe_damage(error)
    return ""


def read_image(path, at_least=0) -> np.ndarray:
    """Reads any image as uint8 (H, W, 3) RGB, upright.

    Grey becomes three equal channels, transparency is laid over white, CMYK and palettes become RGB, 16 bits become 8,
    the EXIF orientation is applied, of an animation the first frame is taken. The contents decide, not the ending.

    Args:
        path: the file.
        at_least: when not 0, a JPEG is decoded at a half, a quarter or an eighth of its size as long as its short side
            keeps this many pixels: ten times faster for a photograph of 12 megapixels.

    Raises:
        UserError: no such file, not an image, truncated, or more than PIL's limit of 179 million pixels.
    """
    path = Path(path)
    try:
        with Image.open(path, formats=FORMATS) as image:
            turn = orientation(image)
            if at_least:
                factor = at_least / min(image.size)
                image.draft(None, tuple(max(1, round(side * factor)) for side in image.size))
            image = _to_rgb(image)
    except Exception as error:  # noqa: BLE001
        raise UserError(f"{path}: {describe_damage(error)}; give another image") from None
    if turn in _UPRIGHT:
        image = image.transpose(_UPRIGHT[turn])
    return np.array(image)


def _to_rgb(image):
    """An upright-or-not PIL image of any mode as mode RGB; decodes."""
    if image.mode.startswith("I"):
        # grey of 16 bits; convert() would clip at 255 instead of scaling
        wide = np.asarray(image).astype(np.float64)
        return Image.fromarray((wide / 256).clip(0, 255).astype(np.uint8)).convert("RGB")
    if has_transparency(image):
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def write_image(path, image, overwrite=True):
    """Writes uint8 (H, W, 3) RGB as the format of the file's ending: png, jpg, webp or bmp; whole or not at all.

    Raises:
        UserError: unknown ending, the file exists and `overwrite` is false, or a side too long for the format.
        OSError: the folder or the disk refuse it.
    """
    path = Path(path)
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"expected uint8 (H, W, 3), found {image.dtype} {image.shape}")
    check_writable(path, overwrite)
    settings = _WRITERS[path.suffix.lower()]
    largest = _LARGEST_SIDE.get(settings["format"])
    if largest and max(image.shape[:2]) > largest:
        height, width = image.shape[:2]
        raise UserError(
            f"{path}: {width} x {height} is too large for {settings['format']} ({largest} a side); use .png"
        )
    with atomic_write(path) as temporary:
        Image.fromarray(image).save(temporary, **settings)


def check_writable(path, overwrite=True):
    """Refuses a path that `write_image` would refuse, before the work that leads to it.

    Raises:
        UserError: unknown ending, or the file exists and `overwrite` is false.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
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
    height, width = image.shape[:2]
    short = min(height, width)
    if short == n:
        return image
    return resize_to(image, tuple(max(1, round(side * n / short)) for side in (height, width)))


def resize_width(image, width) -> np.ndarray:
    """uint8 (H, W, 3) resized, as `resize_short_side` does it, so that it is `width` pixels wide."""
    return resize_to(image, (max(1, round(image.shape[0] * width / image.shape[1])), width))


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
