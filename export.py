"""Exports a model, or a part of it, for other engines, and compares the file's output with the network's.

python export.py --ckpt_path F --file_format MINDIR|AIR|ONNX --file_name P [--height H --width W | --dynamic]
    [--parts fused|predictor|transfer|tiles]

--parts fused       content and style (or style weights) to pastiche, one graph
--parts predictor   style image (or style weights) to style embedding
--parts transfer    content and style embedding to pastiche
--parts tiles       graph with which stylize.py processes large pictures in tiles (ONNX with --dynamic only)
"""

import sys
from pathlib import Path

from src.config import parse
from src.errors import run_entry
from src.memory import memory_for
from src.modelarts import ModelArtsOptions, on_modelarts


def main(argv):
    """Reads the options, exports, returns the exit code."""
    description = "Exports a model as MindIR, AIR or ONNX, and checks the file."
    with on_modelarts(parse(argv, ("export", "runtime"), description, own=ModelArtsOptions)) as options:
        return export_file(options)


def export_file(options):
    """Exports, prints the result of the check, returns the exit code."""
    from src.deploy.exporter import check_settings, export, manifest_path
    from src.runtime import setup

    path = check_settings(options.export)
    settings = options.export
    size = "free sides" if settings.dynamic else f"{settings.height} x {settings.width} pixels"
    smaller = "close other programs" if settings.dynamic else "use a smaller --height and --width, or --dynamic"
    with memory_for(f"checkpoint {settings.ckpt_path}: its export for pictures of {size}", smaller):
        manifest = export(settings, setup(options.runtime))
    check = manifest["check"]
    if check["done"]:
        print(f"read back by {check['engine']}: at most {check['max_difference']:.1e} from the network's output")
    else:
        print(f"not compared with the network: {check['why']}")
    size = Path(path).stat().st_size / 2**20
    print(f"{path} ({size:.1f} MiB) and {manifest_path(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
