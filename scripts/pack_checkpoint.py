"""Makes a checkpoint fit to be passed on: weights in half precision, no folders of the machine that trained it.

python scripts/pack_checkpoint.py output/joint/checkpoints/step_00001400.ckpt arbitrary_compact.ckpt
"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import parse
from src.errors import run_entry
from src.options.option import Options, PathText, option


@dataclass(frozen=True)
class PackOptions(Options):
    """Changes of the checkpoint beside the precision."""

    transfer_from: PathText = option(
        "",
        "checkpoint whose style transfer network is taken; it has to have been trained with the same embeddings "
        "(--freeze predictor)",
    )
    emphasis: float = option(
        1.0,
        "style embeddings are moved away from their mean over style_path by this factor; above 1: more style, less "
        "content",
        least=0.67,
        most=1.5,
    )
    style_path: PathText = option("", "folder of style images, for an emphasis other than 1")


def main(argv):
    """Reads two file names, packs, returns the exit code."""
    options = parse(
        argv,
        ("runtime",),
        "Makes a checkpoint fit to be passed on: half precision, no folders of the machine that trained it.",
        positionals=[
            ("source", None, "checkpoint", "--checkpoint"),
            ("target", None, "checkpoint to write", "--output"),
        ],
        own=PackOptions,
    )
    from src.deploy.pack import pack
    from src.runtime import setup

    setup(options.runtime)
    target = pack(options.source, options.target, options.own)
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
