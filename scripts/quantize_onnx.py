"""Eight-bit version of an exported pair, calibrated on pictures of yours.

python scripts/quantize_onnx.py style_transfer.onnx int8/style_transfer.onnx --content_path PHOTOS --style_path ART
"""

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import parse
from src.errors import UserError, run_entry


def main(argv):
    """Reads two file names and two folders, writes the pair, returns the exit code."""
    arguments = parse(
        argv,
        ("eval.content_path", "eval.style_path"),
        "Eight-bit version of an exported pair, calibrated on pictures of yours.",
        positionals=[
            (
                "source",
                None,
                "NAME_transfer.onnx, from export.py --dynamic, with NAME_predictor.onnx beside it",
                "--checkpoint",
            ),
            ("target", None, "NAME_transfer.onnx to write; the predictor is copied beside it", "--output"),
        ],
    )
    missing = [name for name in ("onnx", "onnxruntime") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{' and '.join(missing)}: not installed here; run 'pip install -r requirements-onnx.txt'")
    from src.deploy.quantize import quantize

    options = arguments.eval
    measured = quantize(arguments.source, arguments.target, options.content_path, options.style_path)
    size = Path(arguments.target).stat().st_size / 2**20
    print(
        f"{arguments.target}: {size:.1f} MiB; its pastiches are {measured['psnr_median']:.1f} dB (median) and "
        f"{measured['psnr_min']:.1f} dB (least) from float32's"
    )
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
