"""Tensors of the open inference protocol (version 2), as JSON and in its binary extension. Imports no FastAPI."""

import json
import math

import numpy as np

from src.service.refusal import Refusal

TYPES = {"UINT8": np.dtype("u1"), "FP32": np.dtype("<f4")}
LENGTH_HEADER = "Inference-Header-Content-Length"


def read_request(body, header_length) -> tuple[dict, dict]:
    """The JSON of a request, and its inputs as arrays by name.

    Args:
        body: all of it.
        header_length: text of the header that says how long the JSON is, when tensors follow; None without it.

    Raises:
        Refusal: not JSON, or tensors that are not as they are said to be.
    """
    length = len(body)
    if header_length is not None:
        if not header_length.isdecimal() or int(header_length) > len(body):
            raise Refusal(400, f"header {LENGTH_HEADER}: found {header_length!r:.40}, expected at most {len(body)}")
        length = int(header_length)
    try:
        request = json.loads(body[:length])
    except (ValueError, RecursionError):
        raise Refusal(400, "the body is no JSON; send an inference request of the open inference protocol") from None
    if not isinstance(request, dict) or not isinstance(request.get("inputs"), list) or not request["inputs"]:
        raise Refusal(400, "inputs: missing; expected a list of tensors with name, shape, datatype and data")
    inputs, at = {}, length
    for entry in request["inputs"]:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise Refusal(400, "inputs: found one without a name, expected name, shape, datatype and data")
        size = _parameters(entry).get("binary_data_size")
        raw = None
        if size is not None:
            if not _is_count(size) or at + size > len(body):
                raise Refusal(400, f"input {entry['name']:.40}: binary_data_size {size!r:.40} is more than the body")
            raw, at = body[at : at + size], at + size
        inputs[entry["name"]] = _read_tensor(entry, raw)
    if at != len(body):
        raise Refusal(400, f"the body has {len(body) - at} bytes that belong to no input")
    return request, inputs


def _parameters(entry):
    found = entry.get("parameters") or {}
    if not isinstance(found, dict):
        raise Refusal(400, "parameters: expected an object")
    return found


def _is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _read_tensor(entry, raw):
    name, shape, datatype = entry["name"], entry.get("shape"), entry.get("datatype")
    if datatype not in TYPES:
        raise Refusal(400, f"input {name:.40}: datatype {datatype!r:.40}, expected one of {', '.join(TYPES)}")
    if not isinstance(shape, list) or not 0 < len(shape) <= 8 or not all(map(_is_count, shape)):
        raise Refusal(400, f"input {name:.40}: shape {shape!r:.80}, expected a list of whole numbers")
    kind, count = TYPES[datatype], math.prod(shape)
    if raw is None:
        try:
            found = np.array(entry.get("data"))
            array = found.astype(kind)
            fits = found.dtype.kind in "iuf" and (datatype != "UINT8" or (array == found).all())
        except (ValueError, TypeError, OverflowError):
            fits = False
        if not fits:
            raise Refusal(400, f"input {name:.40}: data is no list of {datatype} numbers")
    elif len(raw) != count * kind.itemsize:
        raise Refusal(400, f"input {name:.40}: has {len(raw)} bytes, expected {count * kind.itemsize} for its shape")
    else:
        array = np.frombuffer(raw, kind)
    if array.size != count:
        raise Refusal(400, f"input {name:.40}: has {array.size} numbers, expected {count} for its shape")
    if not np.isfinite(array).all():
        raise Refusal(400, f"input {name:.40}: NaN or infinity among its numbers")
    return array.reshape(shape)


def wanted_outputs(request, known) -> dict:
    """The outputs that a request asks for, {name: whether as binary}; all of `known` where it names none.

    Raises:
        Refusal: an output that the model does not have.
    """
    otherwise = bool(_parameters(request).get("binary_data_output", False))
    entries = request.get("outputs") or [{"name": name} for name in known]
    wanted = {}
    for entry in entries if isinstance(entries, list) else [entries]:
        name = entry.get("name") if isinstance(entry, dict) else None
        if name not in known:
            raise Refusal(400, f"output {name!r:.40}: there is none of this name; expected {', '.join(known)}")
        wanted[name] = bool(_parameters(entry).get("binary_data", otherwise))
    return wanted


def write_response(head, outputs, wanted) -> tuple[bytes, dict]:
    """The body of a response, and its headers.

    Args:
        head: what stands beside the outputs.
        outputs: {name: array}.
        wanted: from `wanted_outputs`.
    """
    entries, tail = [], []
    for name, binary in wanted.items():
        array = outputs[name]
        datatype = next(text for text, kind in TYPES.items() if kind == array.dtype)
        entry = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        if binary:
            tail.append(np.ascontiguousarray(array).tobytes())
            entry["parameters"] = {"binary_data_size": len(tail[-1])}
        else:
            entry["data"] = array.ravel().tolist()
        entries.append(entry)
    text = json.dumps({**head, "outputs": entries}).encode()
    if not tail:
        return text, {"Content-Type": "application/json"}
    headers = {"Content-Type": "application/octet-stream", LENGTH_HEADER: str(len(text))}
    return b"".join([text, *tail]), headers
