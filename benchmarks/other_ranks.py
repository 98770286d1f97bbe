"""A training of two ranks that stops halfway, and goes on with other ranks, beside one that goes through.

python benchmarks/other_ranks.py [--steps 12] [--batch_size 2] [--optimizer sgd]

Trains a tiny network by train.py on two CPU ranks (scripts/launch.py); stops after half of the steps; goes on with one
process that takes the batches of both, and with two ranks. Prints how far the weights of the last checkpoint are from
those of the run that goes through. The status is 1 where two ranks give other digits, or one process weights that are
further away than `MOST`: one process rounds the sums of a batch otherwise, which Adam enlarges where a gradient is
nearly 0. Pictures and curves are left out: on the CPU, MindSpore's ranks wait no more than 30 seconds for the one that
draws.
"""

import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from benchmarks.reliability import finish
from benchmarks.tiny import train_command, write_all
from src.config import ROOT, parse
from src.errors import run_entry
from src.options.option import Options, option
from src.weights.native import read_checkpoint

RANKS = 2
MOST = 0.1  # of the largest way that a weight goes in the second half
# train.py without what only the first rank does, and with few crops for the predictor's statistics
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import train
from src.errors import run_entry
from src.training.distillation import statistics
from src.training.log import LossLog
from src.training.preview import Preview
Preview.draw = LossLog.curves = lambda *_: None
statistics.STATISTICS_BATCHES = 2
sys.exit(run_entry(train.main))
"""


@dataclass(frozen=True)
class OtherRanksOptions(Options):
    """How long the trainings are."""

    steps: int = option(12, "of the whole training; the stopped one ends after half of them", least=2)
    batch_size: int = option(2, "of each rank", least=1)
    optimizer: str = option("adam", "of the trainings", choices=("adam", "sgd"))


def train(folder, name, ranks, steps, batch_size, optimizer):
    """Trains, or goes on, in folder/name; returns the weights of the last checkpoint."""
    output = folder / name
    options = {"steps": steps, "batch_size": batch_size, "optimizer": optimizer, "learning_rate": 0.001}
    options |= {"device_target": "CPU", "log_every": 1, "image_every": 100000, "save_every": 100000}
    program = folder / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    python, _, *rest = train_command(folder, output, distributed=str(ranks > 1).lower(), **options)
    launcher = [str(ROOT / "scripts/launch.py"), "--ranks", str(ranks), "--log_dir", str(folder / f"logs_{name}")]
    finish([python, *(launcher if ranks > 1 else ()), str(program), *rest])
    return read_checkpoint(output / "checkpoints" / f"step_{steps:08d}.ckpt")[0]


def furthest(first, second) -> float:
    """The largest difference between weights {name: array} of the same network."""
    return max(float(np.abs(first[name] - second[name]).max()) for name in first)


def compare(folder, options) -> bool:
    """Trains into a folder, prints the differences, and returns whether they are small enough."""
    half, steps, batch, kind = options.steps // 2, options.steps, options.batch_size, options.optimizer
    whole = train(folder, "whole", RANKS, steps, batch, kind)
    way = furthest(whole, train(folder, "stopped", RANKS, half, batch, kind))
    print(f"steps {half + 1} to {steps} move a weight by up to {way:.2g}", flush=True)
    found = []
    for ranks in (1, RANKS):
        name = f"on_{ranks}"
        shutil.copytree(folder / "stopped", folder / name)
        began = time.monotonic()
        found.append(furthest(whole, train(folder, name, ranks, steps, batch * RANKS // ranks, kind)))
        seconds = time.monotonic() - began
        said = f"on {ranks} rank(s) after step {half}: weights differ by up to {found[-1]:.2g}"
        print(f"{said} ({seconds:.0f} s)", flush=True)
    return found[0] <= MOST * way and found[1] == 0


def main(argv):
    """Compares, returns the exit code."""
    options = parse(argv, (), __doc__.splitlines()[0], own=OtherRanksOptions).own
    with tempfile.TemporaryDirectory() as folder:
        write_all(folder)
        return int(not compare(Path(folder), options))


if __name__ == "__main__":
    sys.exit(run_entry(main))
