"""Which kinds of image files are read, and how one is opened: by its contents, with one list of decoders."""

import importlib.util
import os
from pathlib import Path

from PIL import Image, features

# PIL knows more formats, some through other programs (PostScript); users' pictures do not need these
FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "PPM", "AVIF", "HEIF")
# their endings, as PIL has them
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".webp", ".gif", ".tif", ".tiff")
IMAGE_SUFFIXES += (".ppm", ".pgm", ".pbm", ".pnm", ".pfm")
HEIF_SUFFIXES = (".heic", ".heics", ".heif", ".heifs", ".hif")
AVIF_SUFFIXES = (".avif", ".avifs")
# the brands of ISO 23008-12 by which a file begins
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_HEAD_BYTES = 64


class MissingPackage(Exception):
    """The package that reads a file's format is not installed; the text names both."""


def missing_package(suffix) -> str:
    """The package that files of an ending need and that is not installed, or ''."""
    if suffix in HEIF_SUFFIXES and not importlib.util.find_spec("pillow_heif"):
        return "pillow-heif"
    if suffix in AVIF_SUFFIXES and not features.check("avif"):
        return "pillow>=11.3"
    return ""


def readable_suffixes() -> tuple:
    """Endings of the files that this Python reads."""
    more = [suffix for suffix in (*AVIF_SUFFIXES, *HEIF_SUFFIXES) if not missing_package(suffix)]
    return (*IMAGE_SUFFIXES, *more)


def open_image(source):
    """A PIL image, its header read, of a path, or of a stream from its start.

    Raises:
        MissingPackage: HEIC or AVIF, without what reads it.
        Exception: whatever PIL raises of a file that it can't read, see `src.images.decoding.describe_damage`.
    """
    kind = _coded_as(_head(source))
    package = missing_package({"HEIC": ".heic", "AVIF": ".avif"}.get(kind, ""))
    if package:
        raise MissingPackage(f"{kind} pictures are read with another package; run 'pip install {package}'")
    formats = [name for name in FORMATS if name not in ("AVIF", "HEIF")]
    if kind == "HEIC":
        import pillow_heif  # imported only here, because the import takes a tenth of a second

        pillow_heif.register_heif_opener()
        formats = ["HEIF"]
    elif kind == "AVIF":
        formats = ["AVIF"]
    return Image.open(source, formats=formats)


def _head(source) -> bytes:
    if isinstance(source, str | os.PathLike):
        with Path(source).open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    source.seek(0)
    head = source.read(_HEAD_BYTES)
    source.seek(0)
    return head


def _coded_as(head) -> str:
    """HEIC, AVIF or '', by the brands in a file's first box."""
    if head[4:8] != b"ftyp":
        return ""
    brands = head[8:12], *(head[place : place + 4] for place in range(16, min(len(head), head[3]), 4))
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "AVIF"
    return "HEIC" if any(brand in _HEIF_BRANDS for brand in brands) else ""
