"""From the multipart form of a request to the pictures and the options in it."""

from dataclasses import dataclass

from starlette.datastructures import UploadFile

from src.errors import UserError
from src.options.service import PictureRequest
from src.service.refusal import Refusal

MOST_STYLES = 8
# bytes of a field that is no file
MOST_TEXT = 10_000
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


async def read_form(request, known) -> list:
    """The fields of a multipart form, [(name, text or bytes)] in their order. No file's name is looked at.

    Args:
        request: of Starlette.
        known: names of the fields that are expected.

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
            fields.append((name, await value.read() if isinstance(value, UploadFile) else value))
    return fields


async def read_stylize_form(request) -> Form:
    """The form of POST /api/stylize.

    Raises:
        Refusal: see `read_form`; a field is missing, stands twice, or has a value that is not allowed.
    """
    fields = await read_form(request, (*PICTURES, "styles", *PictureRequest.schema()))
    contents, styles, texts = [], [], {}
    for name, value in fields:
        if name == "content":
            contents.append(value)
        elif name in ("style", "styles"):
            styles += [value] if isinstance(value, bytes) else _split(value)
        elif isinstance(value, bytes):
            raise Refusal(422, f"field {name}: found a file, expected text")
        elif name in texts and name != "weights":
            raise Refusal(422, f"field {name}: stands twice")
        else:
            texts[name] = f"{texts[name]},{value}" if name in texts else value
    if len(contents) != 1 or not isinstance(contents[0], bytes):
        found = f"{len(contents)} of it" if len(contents) != 1 else "text"
        raise Refusal(422, f"field content: found {found}, expected one picture as a file")
    if not 1 <= len(styles) <= MOST_STYLES:
        raise Refusal(422, f"field style: found {len(styles)} styles, expected 1 to {MOST_STYLES}: files or names")
    options = read_options(texts)
    return Form(contents[0], styles, check_weights(options.weights, len(styles)), options)


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
    file = {"type": "string", "format": "binary"}
    properties = {
        "content": {**file, "description": PICTURES["content"]},
        "style": {"type": "array", "items": {"anyOf": [file, {"type": "string"}]}, "description": PICTURES["style"]},
    }
    kinds = {float: "number", int: "integer", str: "string"}
    for name, option in PictureRequest.schema().items():
        limits = option.limits
        entry = {"type": kinds.get(option.kind, "string"), "description": limits.help, "default": option.value}
        if option.is_list:
            entry["default"] = ""
        elif limits.choices:
            entry["enum"] = list(limits.choices)
        else:
            entry["minimum"], entry["maximum"] = 0 if limits.zero else limits.least, limits.most
        properties[name] = entry
    return form_body(properties, ["content", "style"])


def form_body(properties, required) -> dict:
    """A multipart body for OpenAPI."""
    schema = {"type": "object", "properties": properties, "required": required}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
