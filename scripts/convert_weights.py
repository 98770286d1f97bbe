"""Converts torchvision's VGG-16, VGG-19 or Inception-v3, MatConvNet's VGG, or fast_neural_style's networks.

python scripts/convert_weights.py vgg16-397923af.pth [pretrained_model]
python scripts/convert_weights.py mosaic.pth mosaic.ckpt
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import src  # noqa: F401  prepares the environment before MindSpore is imported
from src.config import parse
from src.errors import run_entry


def main(argv):
    """Entry point: see the module's docstring."""
    arguments = parse(
        argv,
        (),
        "Converts torchvision's VGG-16, VGG-19 or Inception-v3, MatConvNet's VGG, or fast_neural_style's networks.",
        positionals=[
            ("source", None, ".pth, .pt, .model, .safetensors or .mat file", "--checkpoint"),
            ("target", "?", ".ckpt to write, or the folder for it (default: pretrained_model)", "--output"),
        ],
    )
    from src.weights.convert import convert

    print(f"wrote {convert(arguments.source, arguments.target or '')}")


if __name__ == "__main__":
    sys.exit(run_entry(main))
