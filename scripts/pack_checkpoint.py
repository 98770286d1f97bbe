"""Makes a checkpoint fit to be passed on: weights in half precision, no folders of the machine that trained it.

python scripts/pack_checkpoint.py output/joint/checkpoints/step_00001400.ckpt arbitrary_compact.ckpt
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import to_dict
from src.errors import UserError, run_entry

FOLDERS = ("_path", "_dir", "_ckpt", "distill_from")


def main(argv):
    """Reads two file names, packs, returns the exit code."""
    if len(argv) != 2:
        raise UserError(f"found {len(argv)} arguments, expected two: the checkpoint and the file to write")
    from src.weights.load import load_model
    from src.weights.native import read_checkpoint, save_checkpoint, to_arrays

    source, target = argv
    model = load_model(source)
    metadata = read_checkpoint(source)[1] or {}
    metadata.pop("format", None)
    metadata["network"] = to_dict(model.network)  # a published checkpoint has no options of its own
    for section in metadata.get("options", {}).values():
        for key in [k for k in section if k.endswith(FOLDERS)]:
            del section[key]
    save_checkpoint(target, to_arrays(model), metadata, half=True)
    print(f"{target}: {Path(target).stat().st_size / 2**20:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
