"""From the multipart form of a request to the pictures and the options in it."""

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path

from starlette.datastructures import UploadFile

from src.errors import UserError
from src.options.service import PictureRequest
from src.options.video import VideoConfig
from src.service.refusal import Refusal

MOST_STYLES = 8
# bytes of a field that is no file
MOST_TEXT = 10_000
VIDEO_FIELDS = ("weights", "strength", "size", "colours")
FILE = {"type": "string", "format": "binary"}
PICTURES = {"content": "photograph", "style": "style image, or the name or the key of a style; up to 8 of them"}


@dataclass(frozen=True)
class Form:
    """A request to stylise a picture.

    Attributes:
        content: bytes of the content image's file.
        styles: of each style its name or key, or the bytes of its file.
        weights: a number from 0 for each style, one of them above 0.
        options: `PictureRequest`.
    """

    content: bytes
    styles: list
    weights: list
    options: PictureRequest


async def read_form(request, known, files=None) -> list:
    """The fields of a multipart form, [(name, text or bytes)] in their order. No file's name is looked at.

    Args:
        request: of Starlette.
        known: names of the fields that are expected.
        files: {name: path} of fields whose file is written there; the value is the path then.

    Raises:
        Refusal: another kind of body, a damaged one, or a field that is not known.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise Refusal(415, f"the body is {kind or 'of no kind that is named'!r:.80}; send a form, multipart/form-data")
    fields = []
    form = request.form(max_files=MOST_STYLES + 1, max_fields=40, max_part_size=MOST_TEXT)
    async with form as items:
        for name, value in items.multi_items():
            if name not in known:
                raise Refusal(422, f"field {name!r:.80}: is not known; the fields are {', '.join(known)}")
            if isinstance(value, UploadFile):
                path = (files or {}).get(name)
                value = await asyncio.to_thread(_save, value.file, path) if path else await value.read()
            fields.append((name, value))
    return fields


def _save(stream, path):
    with open(path, "wb") as file:
        shutil.copyfileobj(stream, file)
    return path


async def read_stylize_form(request) -> Form:
    """The form of POST /api/stylize.

    Raises:
        Refusal: see `read_form`; a field is missing, stands twice, or has a value that is not allowed.
    """
    fields = await read_form(request, (*PICTURES, "styles", *PictureRequest.schema()))
    contents, styles, texts = _sort(fields, "content")
    if len(contents) != 1 or not isinstance(contents[0], bytes):
        found = f"{len(contents)} of it" if len(contents) != 1 else "text"
        raise Refusal(422, f"field content: found {found}, expected one picture as a file")
    options = read_options(texts)
    return Form(contents[0], styles, check_weights(options.weights, len(styles)), options)


async def read_video_form(request, path) -> tuple[list, PictureRequest, bool]:
    """The form of POST /api/videos: styles as in `Form`, options, and whether frames are made steady over time.

    Args:
        path: where the video is written.

    Raises:
        Refusal: see `read_stylize_form`.
    """
    fields = await read_form(request, ("video", "style", "styles", *VIDEO_FIELDS, "temporal"), {"video": path})
    videos, styles, texts = _sort(fields, "video")
    if len(videos) != 1 or not isinstance(videos[0], Path):
        raise Refusal(422, f"field video: found {len(videos)} fields, expected one video as a file")
    temporal = texts.pop("temporal", "false")
    if temporal not in ("true", "false"):
        raise Refusal(422, f"field temporal: found {temporal!r:.40}, expected true or false")
    options = read_options(texts)
    check_weights(options.weights, len(styles))
    return styles, options, temporal == "true"


def _sort(fields, main):
    """Values of the main field, styles, and {name: text} of the options."""
    contents, styles, texts = [], [], {}
    for name, value in fields:
        if name == main:
            contents.append(value)
        elif name in ("style", "styles"):
            styles += [value] if isinstance(value, bytes) else _split(value)
        elif isinstance(value, bytes):
            raise Refusal(422, f"field {name}: found a file, expected text")
        elif name in texts and name != "weights":
            raise Refusal(422, f"field {name}: stands twice")
        else:
            texts[name] = f"{texts[name]},{value}" if name in texts else value
    if contents and not 1 <= len(styles) <= MOST_STYLES:
        raise Refusal(422, f"field style: found {len(styles)} styles, expected 1 to {MOST_STYLES}: files or names")
    return contents, styles, texts


def read_options(texts) -> PictureRequest:
    """The options of texts by name.

    Raises:
        Refusal: a value that is not allowed.
    """
    values = {name: _split(text) if name == "weights" else text for name, text in texts.items()}
    try:
        return PictureRequest(**values)
    except UserError as error:
        raise Refusal(422, str(error).replace("option ", "field ", 1)) from None


def check_weights(weights, count) -> list:
    """The weights, equal ones where there are none.

    Raises:
        Refusal: not one a style, or none above 0.
    """
    if not weights:
        return [1.0] * count
    if len(weights) != count or not sum(weights) > 0:
        raise Refusal(422, f"field weights: found {weights}, expected {count} numbers from 0, one of them above 0")
    return weights


def _split(text):
    return [part.strip() for part in text.split(",") if part.strip()]


def describe_form() -> dict:
    """The form of POST /api/stylize for OpenAPI."""
    content = {**FILE, "description": PICTURES["content"]}
    return form_body({"content": content, **_describe_options(PictureRequest.schema())}, ["content", "style"])


def describe_video_form() -> dict:
    """The form of POST /api/videos for OpenAPI."""
    steady = {"type": "boolean", "default": False, "description": VideoConfig.schema()["temporal"].limits.help}
    fields = {"video": FILE, **_describe_options(VIDEO_FIELDS), "temporal": steady}
    return form_body(fields, ["video", "style"])


def _describe_options(names):
    styles = {"type": "array", "items": {"anyOf": [FILE, {"type": "string"}]}, "description": PICTURES["style"]}
    properties = {"style": styles}
    kinds = {float: "number", int: "integer", str: "string"}
    for name in names:
        option = PictureRequest.schema()[name]
        limits = option.limits
        entry = {"type": kinds.get(option.kind, "string"), "description": limits.help, "default": option.value}
        if option.is_list:
            entry["default"] = ""
        elif limits.choices:
            entry["enum"] = list(limits.choices)
        else:
            entry["minimum"], entry["maximum"] = 0 if limits.zero else limits.least, limits.most
        properties[name] = entry
    return properties


def form_body(properties, required) -> dict:
    """A multipart body for OpenAPI."""
    schema = {"type": "object", "properties": properties, "required": required}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
