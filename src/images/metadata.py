"""What is kept beside the pixels: the photograph's EXIF, and how a picture was made."""

import html
import json
import re

from PIL import ExifTags, Image, PngImagePlugin

from src.errors import UserError
from src.images.formats import MissingPackage, open_image

# EXIF that stays true of a pastiche; a TIFF's other tags describe how its own pixels are stored
_KEPT = ("ImageDescription", "Make", "Model", "Artist", "Copyright", "DateTime", "HostComputer", "Rating")
_KEPT += ("XPTitle", "XPComment", "XPAuthor", "XPKeywords", "XPSubject")
_KEPT_IFDS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# of the block Exif: sides in pixels, the maker's own offsets into the old file, another block's place
_DROPPED = {0xA002, 0xA003, 0x927C, 0xA005}
_COLOUR_SPACE, _SRGB = 0xA001, 1
# bytes that a segment of a JPEG holds
_LONGEST_EXIF = 65_000
NAME = "style_transfer"
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:style="urn:style_transfer" style:recipe="{}"/></rdf:RDF></x:xmpmeta>'
)
_IN_XMP = re.compile(rb'style:recipe="([^"]*)"')


def kept_exif(image) -> bytes:
    """The EXIF of an opened PIL image that holds for a pastiche of it too, upright and in sRGB; empty without any."""
    try:
        found, kept = image.getexif(), Image.Exif()
        for name in _KEPT:
            if (tag := ExifTags.Base[name].value) in found:
                kept[tag] = found[tag]
        for block in _KEPT_IFDS:
            tags = {tag: value for tag, value in found.get_ifd(block).items() if tag not in _DROPPED}
            if tags and block == ExifTags.IFD.Exif:
                tags[_COLOUR_SPACE] = _SRGB
            if tags:
                kept.get_ifd(block).update(tags)
                kept[block] = kept.get_ifd(block)
        data = kept.tobytes() if len(kept) else b""
    except Exception:  # noqa: BLE001  EXIF of any camera: PIL raises whatever a broken block leads it to
        return b""
    return data if len(data) <= _LONGEST_EXIF else b""


def settings_for(kind, exif=b"", recipe=None) -> dict:
    """Arguments of PIL's `save` that put EXIF and a recipe into a file.

    Args:
        kind: PNG, JPEG or WEBP; other formats hold neither.
        exif: from `kept_exif`.
        recipe: a dict that JSON can hold, or None.
    """
    if kind not in ("PNG", "JPEG", "WEBP"):
        return {}
    settings = {"exif": exif} if exif else {}
    if recipe is not None:
        text = json.dumps(recipe)
        if kind == "PNG":
            info = PngImagePlugin.PngInfo()
            info.add_itxt(NAME, text)
            settings["pnginfo"] = info
        else:
            settings["xmp"] = _XMP.format(html.escape(text)).encode()
    return settings


def read_recipe(path) -> dict:
    """The recipe that a picture of this project carries: how the picture was made.

    Raises:
        UserError: no picture, or a picture without a recipe.
    """
    try:
        with open_image(path) as image:
            if image.format == "PNG":
                image.load()  # text may stand after the pixels
            text = image.info.get(NAME)
            found = _IN_XMP.search(image.info.get("xmp") or b"")
    except Exception as error:  # noqa: BLE001  whatever a damaged picture leads PIL to, as in `decode`
        if isinstance(error, MissingPackage):
            raise UserError(f"option again: {path}: {error}") from None
        reason = getattr(error, "strerror", None) or "not a picture, or a damaged one"
        raise UserError(f"option again: {path}: {reason}") from None
    try:
        recipe = json.loads(text or (html.unescape(found[1].decode()) if found else ""))
        recipe["options"], recipe["content"], recipe["styles"], recipe["model"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(
            f"option again: {path}: does not say how it was made; pictures of this program do, as .png, .jpg and "
            ".webp, unless other programs took it out or --metadata false was given"
        ) from None
    return recipe
