"""Very many pictures with scripts/bulk.py, and a worker killed in between: none lost, none different.

python benchmarks/bulk_killed.py --pictures 2000 --workers 2
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import psutil

from src.config import ROOT, parse
from src.errors import UserError, run_entry
from src.images.files import read_image, write_image
from src.options.option import Options, option
from src.stylize.bulk import FAILURES
from src.stylize.stylizer import Stylizer

COMPARED = 50


@dataclass(frozen=True)
class KilledOptions(Options):
    """How much is done."""

    pictures: int = option(2000, "contents of 64 to 96 pixels", least=20)
    workers: int = option(2, "worker processes", least=1)
    seed: int = option(0, "of the pictures")


def write_contents(folder, count, seed):
    """Writes so many pictures of coarse coloured noise."""
    random = np.random.default_rng(seed)
    for i in range(count):
        height, width = random.integers(64, 97, 2)
        image = np.kron(random.integers(0, 256, (6, 6, 3), np.uint8), np.ones((16, 16, 1), np.uint8))
        write_image(folder / f"{i // 500}" / f"{i:05d}.png", image[:height, :width])


def find_worker(process):
    """A process below this one that runs a `src.stylize.bulk.Worker`, or None."""
    for child in psutil.Process(process.pid).children(recursive=True):
        try:
            if any("MapWorker" in word for word in child.cmdline()):
                return child
        except psutil.Error:  # it has ended
            continue
    return None


def count_pictures(folder) -> int:
    """Pictures in a folder and below, without unfinished ones."""
    return sum(not path.name.startswith(".") for path in folder.rglob("*.png"))


def main(argv):
    """Writes pictures, stylises them, kills a worker, compares, prints the figures, returns the exit code."""
    options = parse(argv, (), __doc__.splitlines()[0], own=KilledOptions).own
    with tempfile.TemporaryDirectory() as folder:
        contents, style, output = (Path(folder) / name for name in ("contents", "style.png", "out"))
        write_contents(contents, options.pictures, options.seed)
        write_contents(Path(folder) / "style", 1, options.seed + 1)
        (Path(folder) / "style/0/00000.png").replace(style)
        words = [contents, style, "-o", output, "--engine", "onnxruntime", "--workers", options.workers]
        command = [sys.executable, ROOT / "scripts/bulk.py", *words]
        started, killed = time.monotonic(), None
        process = subprocess.Popen(list(map(str, command)))
        while process.poll() is None:
            if not killed and count_pictures(output) > options.pictures // 4 and (worker := find_worker(process)):
                at = count_pictures(output)
                worker.kill()
                killed = at
                print(f"killed worker {worker.pid} after {at} pictures", flush=True)
            time.sleep(0.2)
        seconds = time.monotonic() - started
        if process.returncode or killed is None:
            raise UserError(f"scripts/bulk.py: status {process.returncode}, worker killed: {killed is not None}")
        made = sorted(path for path in output.rglob("*") if path.is_file())
        expected = sorted(output / path.relative_to(contents) for path in contents.rglob("*.png"))
        stylizer = Stylizer.open(engine="onnxruntime")
        embedding = stylizer.embed(read_image(style))
        different = 0
        for path in expected[:: max(1, len(expected) // COMPARED)]:
            pastiche = stylizer.stylize(read_image(contents / path.relative_to(output)), embedding)
            different += not np.array_equal(pastiche, read_image(path))
        lost, other = set(expected) - set(made), [path.name for path in set(made) - set(expected)]
        print(
            f"{options.pictures} pictures, {options.workers} workers, one killed after {killed}: {len(lost)} lost, "
            f"{different} of {COMPARED} compared differ, {len(other)} other files {other[:3]}, {seconds:.0f} s"
        )
        assert FAILURES not in other
        return 2 if lost or different or other else 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
