"""Makes a checkpoint fit to be passed on: weights in half precision, no folders of the machine that trained it.

python scripts/pack_checkpoint.py output/joint/checkpoints/step_00001400.ckpt arbitrary_compact.ckpt
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import parse
from src.errors import run_entry


def main(argv):
    """Reads two file names, packs, returns the exit code."""
    options = parse(
        argv,
        ("pack", "runtime"),
        "Makes a checkpoint fit to be passed on: half precision, no folders of the machine that trained it.",
        positionals=[("source", None, "checkpoint"), ("target", None, "checkpoint to write")],
    )
    from src.runtime import setup
    from src.weights.pack import pack

    setup(options.runtime)
    target = pack(options.source, options.target, options.pack)
    print(f"{target}: {target.stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
