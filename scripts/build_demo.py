"""Puts beside the page of docs/demo/ what it needs: ONNX Runtime Web from npm, the models, sample pictures.

python scripts/build_demo.py
python -m http.server -d docs/demo
"""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import parse
from src.errors import UserError, run_entry
from src.options.option import Options, PathText, option


@dataclass(frozen=True)
class DemoOptions(Options):
    """What is built, and where."""

    output: PathText = option(
        "", "folder to write, page included; empty: beside the page in docs/demo", aliases=("output_path", "-o")
    )
    checkpoint: PathText = option("", "one of an exported ONNX pair; empty: the bundled one", aliases=("ckpt_path",))


def main(argv):
    """Builds the demo, returns the exit code."""
    own = parse(argv, (), "Builds the page that stylises in the browser.", own=DemoOptions).own
    if importlib.util.find_spec("onnx") is None:
        raise UserError("onnx: not installed here; run 'pip install -r requirements-onnx.txt'")
    from src.deploy.demo import PAGE, build_demo, first_load

    folder = build_demo(own.output or PAGE, own.checkpoint)
    print(f"first load: {first_load(folder) / 1e6:.1f} MB compressed, and the runtime")
    print(f"{folder}: ready; serve it with 'python -m http.server -d {folder}'")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
