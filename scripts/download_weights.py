"""Downloads torchvision's VGG-16, VGG-19 or Inception-v3 and converts it for training and for --method optimize.

python scripts/download_weights.py vgg16
python scripts/download_weights.py vgg16 vgg19 inception_v3 --folder pretrained_model
"""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import src  # noqa: F401  prepares the environment before MindSpore is imported
from src.config import parse
from src.errors import UserError, run_entry
from src.files import check_folder
from src.options.option import Options, PathText, option
from src.progress import Progress
from src.weights.download import SERVER, WEIGHTS, download


@dataclass(frozen=True)
class DownloadConfig(Options):
    """Options of this script."""

    folder: PathText = option("pretrained_model", "where the checkpoints go", aliases=("output",))
    server: str = option(SERVER, "address of the folder that the files are in, up to their names: a mirror of yours")
    keep: bool = option(False, "keep torchvision's file beside the checkpoint")


def main(argv):
    """Entry point: see the module's docstring."""
    arguments = parse(
        argv,
        (),
        __doc__.splitlines()[0],
        positionals=[("networks", "*", f"one or several of {', '.join(WEIGHTS)}")],
        own=DownloadConfig,
    )
    settings = arguments.own
    if not arguments.networks or set(arguments.networks) - set(WEIGHTS):
        found = " ".join(arguments.networks) or "none"
        raise UserError(f"networks: found {found}, expected one or several of {', '.join(WEIGHTS)}")
    folder = check_folder(settings.folder, "folder")
    for network in arguments.networks:
        weights = WEIGHTS[network]
        checkpoint = folder / weights.checkpoint
        if checkpoint.exists():
            print(f"{checkpoint} is there already")
            continue
        with Progress(1) as progress:
            file = download(weights, folder, settings.server, progress.within)
        from src.weights.convert import convert

        print(f"wrote {convert(file, checkpoint)}")
        if not settings.keep:
            file.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
