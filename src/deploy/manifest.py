"""The JSON beside an exported file: all that a program without this project needs to run the file."""

import mindspore as ms
import numpy as np

from src.config import to_dict
from src.deploy.parts import COLLECTED, CONTENT, EMBEDDING, GIVEN, PASTICHE, STATISTICS, STYLE, WEIGHTS
from src.stylize.stylizer import MULTIPLE, SMALLEST_SIDE, STYLE_ASPECT, STYLE_SIDE

FORMAT = "style-transfer-export/1"
TO_NETWORK = [{"step": "divide", "by": 255}, {"step": "transpose", "from": "HWC", "to": "NCHW"}]


def _fixed(port):
    return all(isinstance(side, int) for side in port.shape[2:])


def _preparation(port) -> list[dict]:
    """Steps from a uint8 (H, W, 3) RGB image to an input, in order; those of `Stylizer` when the sides are free."""
    if port.name == CONTENT and not _fixed(port):
        pad = {"multiple_of": MULTIPLE, "at_least": SMALLEST_SIDE, "mode": "reflect", "sides": ["bottom", "right"]}
        return [{"step": "pad", **pad}, *TO_NETWORK]
    if port.name == STYLE and not _fixed(port):
        return [
            {"step": "center_crop", "longest_over_shortest_side": STYLE_ASPECT},
            {"step": "resize", "short_side": STYLE_SIDE, "filter": "lanczos"},
            *TO_NETWORK,
        ]
    height, width = port.shape[2:]
    return [
        {"step": "resize", "cover": [height, width], "filter": "lanczos"},
        {"step": "center_crop", "height": height, "width": width},
        *TO_NETWORK,
    ]


def _after(port, inputs) -> list[dict]:
    """Steps from an output to a uint8 (H, W, 3) RGB image."""
    steps = [
        {"step": "transpose", "from": "NCHW", "to": "HWC"},
        {"step": "multiply", "by": 255},
        {"step": "round", "to": "uint8"},
    ]
    if not _fixed(port):
        steps.append(
            {"step": "crop", "to": f"height and width of {inputs[0].name} before its padding", "from": "top left"}
        )
    return steps


MEANINGS = {
    CONTENT: "content image: what the pastiche shows",
    STYLE: "style image: how the pastiche looks",
    EMBEDDING: "style embedding; weighted means of several blend their styles",
    WEIGHTS: "weight of each of styles, with the sum 1; a 1 and zeros pick a style",
    PASTICHE: "pastiche: the content image in the style",
    STATISTICS: "means and variances of the instance norms' channels, used where given is 1",
    GIVEN: "1 to use statistics, for one tile of a large image; 0 to take those of all contents together",
    COLLECTED: "the statistics that were used; means over several batches of crops that cover an image are the image's",
}
LAYOUTS = {
    EMBEDDING: "NC",
    WEIGHTS: "NC",
    STATISTICS: "mean and variance, C",
    COLLECTED: "mean and variance, C",
    GIVEN: "N",
}


def _describe(port) -> dict:
    entry = {"name": port.name, "meaning": MEANINGS[port.name], "dtype": "float32", "shape": list(port.shape)}
    if port.is_image:
        return {**entry, "layout": "NCHW", "colours": "RGB", "range": [0.0, 1.0]}
    return {**entry, "layout": LAYOUTS[port.name], "range": "any"}


def make_manifest(part, file_name, file_format, model, source, versions, check) -> dict:
    """The contents of the JSON.

    Args:
        part: `src.deploy.parts.Part`.
        file_name: the exported file's name.
        file_format: MINDIR, AIR or ONNX.
        model: the exported `StylizationModel`.
        source: {"checkpoint": name, "metadata": of the checkpoint or None}.
        versions: {package or format: version}.
        check: the measurement of `src.deploy.check`, or the reason why there is none.
    """
    inputs = []
    for port in part.inputs:
        entry = _describe(port)
        inputs.append({**entry, "preprocessing": _preparation(port)} if port.is_image else entry)
    outputs = []
    for port in part.outputs:
        entry = _describe(port)
        outputs.append({**entry, "postprocessing": _after(port, part.inputs)} if port.is_image else entry)
    return {
        "format": FORMAT,
        "file": file_name,
        "file_format": file_format,
        "parts": part.name,
        "inputs": inputs,
        "outputs": outputs,
        "free_sides": {name: {"at_least": low, "multiple_of": step} for name, (low, step) in part.free.items()},
        "embedding_size": model.transfer.embedding_dim,
        **({"styles": list(model.styles)} if model.styles else {}),
        "network": to_dict(model.network),
        "source": source,
        "versions": {"mindspore": ms.__version__, "numpy": np.__version__, **versions},
        "check": check,
    }
