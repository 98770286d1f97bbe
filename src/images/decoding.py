"""From an image file of any kind to upright sRGB of 8 bits a channel. Every entry of the metadata is applied once."""

import functools
import io

import numpy as np
from PIL import Image, ImageCms

from src.errors import UserError
from src.images import png_colours
from src.images.formats import FORMATS, MissingPackage, open_image
from src.images.metadata import kept_exif
from src.memory import describe_shortage, lacks_memory

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
# TIFF tags
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
_WHITE_IS_ZERO, _UNSIGNED = 0, 1
# the white of pictures in numbers of 32 bits, where the file does not say it
_WHITES = (1, 255, 65535, 2**32 - 1)
_PROFILE_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}
# levels by which two programs' results with one sRGB profile may differ
_PROFILE_ROUNDING = 2


def orientation(image) -> int:
    """The EXIF orientation of an opened PIL image: 1 (upright) to 8; 1 when there is none or it makes no sense.

    PIL turns a TIFF upright itself while it decodes, and then drops the orientation. So call this after decoding.
    """
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  EXIF of any camera: PIL's parser raises whatever a broken block leads it to
        return 1
    return value if isinstance(value, int) and value in _UPRIGHT else 1


def has_transparency(image) -> bool:
    """Whether an opened PIL image has an alpha channel or a transparent colour."""
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def has_other_colours(image) -> bool:
    """Whether an opened PIL image of mode L, RGB or CMYK has other colours than sRGB's, by its profile or gamma."""
    profile = image.info.get("icc_profile")
    return png_colours.coded_otherwise(image) or (bool(profile) and _to_srgb(profile, image.mode) is not None)


def describe_damage(error) -> str:
    """What PIL's exception means, in a few words: decoders raise OSError, SyntaxError, ValueError, struct.error ..."""
    if lacks_memory(error):
        return f"needs {describe_shortage()}"
    if isinstance(error, MissingPackage):
        return str(error)
    if isinstance(error, Image.DecompressionBombError):
        return "more than 179 million pixels"
    if isinstance(error, Image.UnidentifiedImageError):
        return f"not an image (empty, damaged or another kind of file; known are {', '.join(FORMATS)})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"damaged image ({' '.join(str(error).split()) or type(error).__name__})"


def refusal(name, error) -> UserError:
    """The error for the user where reading the picture `name` raised `error`."""
    if lacks_memory(error):
        return UserError(f"{name}: {describe_damage(error)}; close other programs, or give a smaller image")
    way_out = "check the spelling" if isinstance(error, FileNotFoundError) else "give another image"
    return UserError(f"{name}: {describe_damage(error)}; {way_out}")


def find_damage(stream) -> str:
    """Reads an image file to its end; returns in words what is damaged, '' when nothing is.

    Args:
        stream: an opened file, or `io.BytesIO`.
    """
    try:
        with open_image(stream) as image:
            if image.format == "PNG":
                image.verify()  # the checksums find more damage than decoding does, and find it sooner
            else:
                image.load()
    except Exception as error:  # noqa: BLE001
        return describe_damage(error)
    return ""


def decode(path, at_least=0) -> Image.Image:
    """An image file as an upright PIL image of mode RGB in sRGB; see `src.images.files.read_image`.

    Raises:
        Exception: whatever PIL raises of a file that it can't read, see `describe_damage`.
    """
    return flatten(*decode_parts(path, at_least)[:2])


def flatten(image, alpha) -> Image.Image:
    """An RGB image laid over white by its alpha (an image of mode L; None for none)."""
    if alpha is None:
        return image
    return Image.composite(image, Image.new("RGB", image.size, (255, 255, 255)), alpha)


def decode_parts(path, at_least=0):
    """As `decode`: (RGB image not yet laid over white, alpha of mode L or None, what `src.images.metadata` keeps)."""
    with _open_whole(path) as image:
        if at_least:
            factor = at_least / min(image.size)
            image.draft(None, tuple(max(1, round(side * factor)) for side in image.size))
        stored = image.tile[0].args if image.format == "PNG" else ""
        kept = kept_exif(image)  # a TIFF closes its file when it is decoded
        image.load()
        turn, profile = orientation(image), image.info.get("icc_profile")
        gamma = (image.info["gamma"], image.info.get("chromaticity")) if png_colours.coded_otherwise(image) else None
        image, alpha = _split(image, stored, path)
    if convert := profile and _to_srgb(profile, image.mode):
        image = convert(image)
    image = image.convert("RGB")
    if gamma:
        image = png_colours.convert(image, *gamma)
    if turn in _UPRIGHT:
        image, alpha = (part and part.transpose(_UPRIGHT[turn]) for part in (image, alpha))
    return image, alpha, kept


def _open_whole(path):
    image = open_image(path)
    if image.format != "PNG":
        return image
    with image:
        image.verify()  # decoding alone does not look at the checksums
    return open_image(path)


def _split(image, stored, path):
    """A decoded image as (image of mode L, RGB or CMYK, alpha of mode L or None).

    Args:
        image: of any mode.
        stored: how a PNG holds its pixels, PIL's raw mode; '' for another format.
        path: the file.
    """
    if image.mode[0] in "IF":
        alpha = None
        if "transparency" in image.info:  # PIL drops a transparent colour of 16 bits
            alpha = _visible(np.asarray(image) != image.info["transparency"])
        return Image.fromarray(_scale(image)), alpha
    if has_transparency(image):
        if stored == "RGB;16B":  # the colour has 16 bits, of which PIL has kept 8
            high, low = np.divmod(image.info["transparency"], 256)
            alpha = _visible((np.asarray(image) != high).any(-1) | (_low_bytes(path) != low).any(-1))
            return image, alpha
        if stored in ("L;2", "L;4"):  # PIL has spread the grey levels to 8 bits, but not the transparent one
            image.info["transparency"] *= 255 // (2 ** int(stored[2]) - 1)
        image = image.convert("LA" if image.mode in ("L", "LA") else "RGBA")
        return image.convert(image.mode[:-1]), image.getchannel("A")
    if image.mode in _PROFILE_SPACES:
        return image, None
    return image.convert("RGB"), None


def _visible(mask):
    return Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))


def _low_bytes(path):
    """The lower halves of an RGB PNG's 16 bits, uint8 (H, W, 3)."""
    with open_image(path) as image:
        image.tile = [image.tile[0]._replace(args="RGB;16L")]
        return np.array(image)


def _scale(image):
    """An image of grey levels of 12, 16 or 32 bits, whole numbers or floats, as uint8 (H, W).

    16 bits lose the lower 8. For 32 bits, white is the smallest of 1, 255, 65535 and 2^32 - 1 that fits: the file's
    largest value is at most that and at least half of it. Where none fits, or where values are negative, the file's
    lowest value becomes black and its highest white.

    Raises:
        ValueError: NaN or infinity among the values.
    """
    values, tags = np.asarray(image), getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        bits = tags.get(_BITS, (16,))[0]
        grey = (values >> (bits - 8)).clip(0, 255).astype(np.uint8)
    else:
        if image.mode == "I" and tags.get(_SAMPLE_FORMAT, (_UNSIGNED,))[0] == _UNSIGNED:
            values = values.view(np.uint32)
        values = values.astype(np.float64)
        if not np.isfinite(values).all():
            raise ValueError("NaN or infinity among its values")
        low, high = values.min(), values.max()
        reached = [white for white in _WHITES if low >= 0 and white / 2 < high <= white]
        if reached:
            low, high = 0, reached[0]
        grey = np.rint((values - low) * (255 / (high - low) if high > low else 0)).astype(np.uint8)
    return 255 - grey if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else grey


@functools.lru_cache(maxsize=16)
def _to_srgb(profile, mode):
    """Function that takes an image of a mode with an ICC profile to sRGB; None for sRGB itself and a broken profile."""
    grey = mode == "L"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _PROFILE_SPACES.get(mode):
            return None
        # LittleCMS' shortcut for grey levels is wrong by up to ten levels in the shadows
        flags = ImageCms.Flags.NOOPTIMIZE if grey else ImageCms.Flags.NONE
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", flags=flags)
    except (OSError, ImageCms.PyCMSError):
        return None
    if mode == "CMYK":
        return lambda image: ImageCms.applyTransform(image, transform)
    levels = np.arange(0, 256, 1 if grey else 15, dtype=np.uint8)
    colours = levels[None] if grey else np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    sample = Image.fromarray(colours)
    found = np.asarray(ImageCms.applyTransform(sample, transform))[0]
    if np.abs(found - np.asarray(sample.convert("RGB"), int)).max() <= _PROFILE_ROUNDING:
        return None
    if grey:
        return lambda image: Image.fromarray(found[np.asarray(image)])
    return lambda image: ImageCms.applyTransform(image, transform)
