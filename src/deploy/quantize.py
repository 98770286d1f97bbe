"""Eight-bit convolutions in an exported style transfer network, calibrated on pictures; needs no MindSpore.

`onnxruntime.quantization` writes QuantizeLinear and DequantizeLinear pairs, which ONNX Runtime and OpenVINO read.
Weights have a scale for each channel, activations a scale for each tensor. The convolutions of the
contracting layers but the first, and of the residual blocks, are quantized; they are three quarters of the arithmetic.
The first convolution and those after the residual blocks stay in float32, because their errors are visible.
"""

import logging
import shutil
from pathlib import Path

import numpy as np

from src.engines.choice import find_parts
from src.engines.exported import read_description
from src.engines.onnxruntime import open_onnxruntime
from src.errors import UserError
from src.files import atomic_write, write_json
from src.images.files import list_images, read_at, to_network
from src.stylize.stylizer import Stylizer

SIDE = 256
CALIBRATION_PAIRS = 24
CHECKED_PAIRS = 8
QUANTIZED = ("contract2", "contract3", "residual")


def quantize(source, target, content_path, style_path) -> dict:
    """Writes TARGET_transfer.onnx with its JSON, and beside it the predictor of the pair, unchanged.

    Args:
        source: NAME_transfer.onnx or NAME_predictor.onnx, an exported pair with free sides.
        target: NAME_transfer.onnx to write.
        content_path, style_path: folders of pictures; some are used to calibrate, others to compare the networks.

    Returns:
        {"psnr_median", "psnr_min"}: decibels between the pastiches of both networks, over pairs that did not calibrate.

    Raises:
        UserError: no such pair, fewer pictures than needed, a target of another name or that exists.
    """
    predictor, transfer = find_parts(source, ".onnx")[:2]
    target = Path(target)
    if not target.name.lower().endswith("_transfer.onnx"):
        raise UserError(f"{target}: expected a name that ends in _transfer.onnx, as stylize.py finds the pair by it")
    written = target.with_name(f"{target.stem[: -len('transfer')]}predictor{target.suffix}")
    for path in (target, written):
        if path.exists():
            raise UserError(f"{path} exists already; remove it or choose another name")
    stylizer = Stylizer.open(transfer, "onnxruntime")
    contents, styles = _pictures(content_path, "content_path"), _pictures(style_path, "style_path")
    contents = [to_network(picture) for picture in contents]
    embeddings = [stylizer.embed(picture)[None] for picture in styles]
    pairs = list(zip(contents, embeddings, strict=True))
    with atomic_write(target) as temporary:
        _write(transfer, temporary, pairs[:CALIBRATION_PAIRS])
        psnr = _compare(predictor, (transfer, temporary), pairs[CALIBRATION_PAIRS:])
        measured = {"psnr_median": float(np.median(psnr)), "psnr_min": float(min(psnr))}
        description = read_description(transfer)
        description |= {
            "file": target.name,
            "precision": "int8",
            "quantization": {"float32": transfer.name, **measured},
        }
        description["check"] = {"done": True, "engine": "ONNX Runtime", **measured}
        write_json(_manifest(target), description)
        with atomic_write(written) as beside:
            shutil.copyfile(predictor, beside)
        with atomic_write(_manifest(written)) as beside:
            shutil.copyfile(_manifest(predictor), beside)
    return measured


def _manifest(path):
    return path.with_name(path.name + ".json")


def _pictures(folder, option):
    """As many pictures as there are pairs, (SIDE, SIDE, 3), spread over the folder."""
    count = CALIBRATION_PAIRS + CHECKED_PAIRS
    files = list_images(folder, option)
    if len(files) < count:
        raise UserError(f"option {option}: {folder} has {len(files)} pictures, expected {count} or more")
    return [read_at(files[i * len(files) // count], SIDE) for i in range(count)]


def _compare(predictor, transfers, pairs):
    """Decibels between the pastiches that two transfer networks' files make of each pair."""
    one, other = (open_onnxruntime([predictor, transfer], "CPU") for transfer in transfers)
    errors = [np.square(one.transfer(*pair) - other.transfer(*pair)).mean() for pair in pairs]
    return -10 * np.log10(np.array(errors) + 1e-12)


def _write(source, path, pairs):
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    model = onnx.load(source)
    names = [value.name for value in model.graph.input]
    nodes = [
        node.name
        for node in model.graph.node
        if node.op_type == "Conv" and any(part in node.input[1] for part in QUANTIZED)
    ]

    class Pairs(CalibrationDataReader):
        rows = iter([dict(zip(names, pair, strict=True)) for pair in pairs])

        def get_next(self):
            return next(self.rows, None)

    logger = logging.getLogger()
    logger.addFilter(_is_no_advice)
    try:
        quantize_static(
            model,
            path,
            Pairs(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=nodes,
        )
    finally:
        logger.removeFilter(_is_no_advice)


def _is_no_advice(record):
    """Filter of a logger: drops the warning that recommends a preparation which these graphs do not need."""
    return "pre-processing before quantization" not in str(record.msg)
