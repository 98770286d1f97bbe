"""From bytes that a stranger sent to a picture, and back. Imports no FastAPI."""

import io

import numpy as np
from PIL import Image

from src.images.decoding import decode, describe_damage
from src.memory import lacks_memory
from src.service.refusal import Refusal

# what browsers and cameras send; decoders that are seldom used are seldom tested against bad files
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
NAMES = "JPEG, PNG, WebP, GIF or BMP"
MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
_SETTINGS = {
    "png": {"compress_level": 3},
    "jpeg": {"quality": 95, "subsampling": 0},
    "webp": {"quality": 95},
}
_LARGEST_SIDE = {"png": 2**31 - 1, "jpeg": 65535, "webp": 16383}


def check_picture(data, what, most_pixels, size=0) -> tuple[int, int]:
    """Reads a picture's header only.

    Args:
        data: the file's bytes.
        what: which of the request's pictures it is, for the error.
        most_pixels: of the picture, and of the one that `size` asks for.
        size: short side in pixels to which it will be resized; 0 for none.

    Returns:
        (width, height) of the picture as stored.

    Raises:
        Refusal: 0 bytes, not a picture of `FORMATS`, damaged, or too many pixels.
    """
    if not data:
        raise Refusal(422, f"{what}: has 0 bytes; send a {NAMES} file")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
    except Image.UnidentifiedImageError:
        raise Refusal(415, f"{what}: is no picture that the service reads; send a {NAMES} file") from None
    except Image.DecompressionBombError:
        width = height = 2**15
    except Exception as error:  # noqa: BLE001  decoders raise whatever a damaged file leads them to
        raise _refusal(what, error) from None
    scale = size / max(1, min(width, height)) if size else 1
    if max(width * height, width * height * scale**2) > most_pixels:
        asked = f" at size {size}" if width * height <= most_pixels else ""
        raise Refusal(413, f"{what}: has more than {most_pixels / 1e6:g} million pixels{asked}; send a smaller one")
    return width, height


def decode_picture(data, what) -> np.ndarray:
    """The picture of a file's bytes as uint8 (H, W, 3) sRGB, upright, see `src.images.files.read_image`.

    Raises:
        Refusal: damaged.
    """
    try:
        return np.array(decode(io.BytesIO(data)))
    except Exception as error:  # noqa: BLE001  decoders raise whatever a damaged file leads them to
        raise _refusal(what, error) from None


def encode_picture(image, kind) -> bytes:
    """A uint8 (H, W, 3) RGB picture as a file's bytes.

    Args:
        kind: png, jpeg or webp.

    Raises:
        Refusal: a side too long for the format.
    """
    if max(image.shape[:2]) > _LARGEST_SIDE[kind]:
        raise Refusal(422, f"format {kind}: holds sides of {_LARGEST_SIDE[kind]} pixels at most; ask for png")
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **_SETTINGS[kind])
    return stream.getvalue()


def _refusal(what, error) -> Exception:
    """What to raise where reading a picture raised `error`: a lack of memory is the server's, not the picture's."""
    if lacks_memory(error):
        return error
    return Refusal(422, f"{what}: {describe_damage(error)}; send another picture")
