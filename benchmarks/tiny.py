"""What the smallest training needs: pictures, a loss network of random weights, and its command line.

python benchmarks/tiny.py FOLDER    writes FOLDER/content, FOLDER/style and FOLDER/weights
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from src.config import ROOT, parse
from src.errors import run_entry
from src.images.files import write_image
from src.models.shapes import CHANNELS, DISTILLED_BLOCKS, DISTILLED_CHANNELS, layer_names

OPTIONS = {
    "predictor": "compact",
    "width": 0.25,
    "loss_network": "distilled_vgg19",
    "content_taps": "relu3_1=1",
    "style_taps": "relu1_1=1,relu2_1=1",
    "normalize_losses": "true",
    "style_loss_clamp": 20,
    "image_size": 32,
    "min_side": 32,
    "batch_size": 2,
}


def write_loss_network(folder):
    """Writes a loss network of the distilled network's shape and random weights into a folder."""
    rng, arrays, inputs = np.random.default_rng(0), {}, 3
    for name in layer_names(DISTILLED_BLOCKS):
        channels = DISTILLED_CHANNELS[int(name[0]) - 1]
        scale = np.sqrt(2 / (9 * inputs))
        arrays[f"conv{name}.weight"] = (rng.standard_normal((channels, inputs, 3, 3)) * scale).astype(np.float32)
        arrays[f"conv{name}.bias"] = np.full(channels, 0.05, np.float32)
        inputs = channels
    for block, (narrow, wide) in enumerate(zip(DISTILLED_CHANNELS, CHANNELS, strict=True), 1):
        lift = rng.standard_normal((wide, narrow, 1, 1)) * np.sqrt(2 / narrow)
        arrays[f"aux{block}_1.weight"] = lift.astype(np.float32)
        arrays[f"aux{block}_1.bias"] = np.zeros(wide, np.float32)
    arrays["preprocess.weight"] = np.eye(3, dtype=np.float32).reshape(3, 3, 1, 1)
    arrays["preprocess.bias"] = np.full(3, -0.5, np.float32)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "vgg19_distilled_16x.npz", **arrays)


def write_pictures(folder, count, seed=0, sides=(64, 97)):
    """Writes so many PNG files of coarse coloured noise with sides from `sides[0]` to below `sides[1]` pixels."""
    random = np.random.default_rng(seed)
    for i in range(count):
        height, width = random.integers(*sides, 2)
        image = np.kron(random.integers(0, 256, (8, 8, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        write_image(Path(folder) / f"{i // 500}" / f"{i:05d}.png", image[:height, :width])


def write_all(folder):
    """Writes contents, styles and a loss network."""
    folder = Path(folder)
    write_pictures(folder / "content", 12)
    write_pictures(folder / "style", 5, seed=1)
    write_loss_network(folder / "weights")


def train_command(folder, output, **options) -> list[str]:
    """The command line of a training on what `write_all` wrote; options lie over `OPTIONS`."""
    paths = {name: folder / place for name, place in (("content_path", "content"), ("style_path", "style"))}
    options = {**OPTIONS, **paths, "ckpt_path": folder / "weights", "output_dir": output, **options}
    return [sys.executable, str(ROOT / "train.py"), *(str(p) for k, v in options.items() for p in (f"--{k}", v))]


def main(argv):
    """Writes the files into a folder, returns the exit code."""
    write_all(parse(argv, (), __doc__.splitlines()[0], positionals=[("folder", None, "where to")]).folder)
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
