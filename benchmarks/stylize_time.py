"""Times a pastiche through the Stylizer, what stylize.py and eval.py use, at several sizes and widths.

    python benchmarks/stylize_time.py [--predictor compact] [--device_target CPU]

Weights are random: time does not depend on them. Conversion to and from 8-bit pictures is counted, compiling is not.
"""

import dataclasses
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import parse
from src.errors import run_entry

WIDTHS, SIDES, REPEATS = (0.5, 1.0), (256, 512, 1024), 8


def main(argv):
    """Reads the options, times, prints a table."""
    options = parse(argv, ("network", "runtime"), __doc__.splitlines()[0])
    from src.runtime import setup

    setup(options.runtime)
    from src.models.factory import create_model
    from src.stylize.mindspore_networks import MindSporeNetworks
    from src.stylize.stylizer import Stylizer

    rng = np.random.default_rng(0)
    for width in WIDTHS:
        model = create_model(dataclasses.replace(options.network, width=width))
        stylizer = Stylizer(networks=MindSporeNetworks(model))
        embedding = rng.standard_normal(stylizer.embedding_dim)
        for side in SIDES:
            content = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
            stylizer.stylize(content, embedding)
            times = []
            for _ in range(REPEATS):
                started = time.perf_counter()
                stylizer.stylize(content, embedding)
                times.append(time.perf_counter() - started)
            print(f"width {width}, {side} x {side}: median {statistics.median(times):.3f} s, fastest {min(times):.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
