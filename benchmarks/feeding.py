"""Images a second that the data pipeline gives, by number of workers, beside what a training step consumes.

    python benchmarks/feeding.py --content_path C --style_path S --step_time 0.4 [--batch_size 8] [--image_size 256]

Takes every option of the data section. An image is one content or one style image: a step consumes 2 * batch_size of
them. Each file is looked through for damage when it is first read, so the first epoch is slower than those that follow.
The last line is what a loop in Python makes of the same files with PIL: open, resize, crop, flip, convert to float32.
"""

import multiprocessing
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from src.config import parse
from src.data.scan import scan_folder
from src.errors import run_entry
from src.options.option import Options, option


@dataclass(frozen=True)
class FeedingOptions(Options):
    """What is measured."""

    step_time: float = option(0.0, "seconds a training step takes, to compare with; 0 for no comparison", least=0)
    steps: int = option(60, "batches to measure", least=1)
    workers: list[int] = option([], "workers to try; empty for 1, 2, 4 and 8, as far as there are cores", least=1)


def measure(images, steps, per_step) -> tuple[float, float]:
    """Images/s and milliseconds of processor time an image over `steps` batches, without the start of the pipeline."""
    batches = images.batches(0, steps + 1)
    next(batches)
    start, processor = time.perf_counter(), time.process_time()
    for _ in batches:
        pass
    count = steps * per_step
    return count / (time.perf_counter() - start), 1000 * (time.process_time() - processor) / count


def measure_pil(data, count) -> float:
    """Images/s of a loop in Python over as many of both folders' files, without damage checks and colour changes."""
    generator = np.random.default_rng(0)
    folders = [scan_folder(data.content_path, "content_path", data.min_side)[0]]
    folders += [scan_folder(data.style_path, "style_path", data.min_side)[0]]
    ranges = ((1.0, data.content_resize), (data.style_resize_min, data.style_resize_max))
    size = data.image_size
    start = time.perf_counter()
    for i in range(count):
        files = folders[i % 2]
        with Image.open(files[generator.integers(len(files))].path) as image:
            image = image.convert("RGB")
        factor = size * generator.uniform(*ranges[i % 2]) / min(image.size)
        image = image.resize([max(size, round(side * factor)) for side in image.size], Image.Resampling.BILINEAR)
        left, top = (int(generator.integers(side - size + 1)) for side in image.size)
        image = image.crop((left, top, left + size, top + size))
        if generator.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        np.ascontiguousarray(np.asarray(image, np.float32).transpose(2, 0, 1) / 255)
    return count / (time.perf_counter() - start)


def main(argv):
    """Prints the table."""
    cores = multiprocessing.cpu_count()
    options = parse(argv, ["data"], __doc__.splitlines()[0], own=FeedingOptions)
    own, data = options.own, options.data

    from src.data.dataset import PairedImages

    start = time.perf_counter()
    images = PairedImages(data, seed=0)
    seconds = time.perf_counter() - start
    count = images.content_count + images.style_count
    print(f"{count} images usable, {images.skipped} skipped, scanned in {seconds:.2f} s; {cores} cores")
    print(f"batch {data.batch_size}, {data.image_size} x {data.image_size} pixels, {own.steps} steps")
    consumed = 2 * data.batch_size / own.step_time if own.step_time else 0.0
    if consumed:
        print(f"a step of {own.step_time:g} s consumes {consumed:.0f} images/s")
    print(
        "workers | first reading: images/s, CPU ms/image | later: images/s, CPU ms/image"
        + " | times consumed" * bool(consumed)
    )
    for workers in own.workers or sorted({min(count, cores) for count in (1, 2, 4, 8)}):
        images = PairedImages(replace(data, num_parallel_workers=workers), seed=0)
        first, first_cpu = measure(images, own.steps, 2 * data.batch_size)
        later, later_cpu = measure(images, own.steps, 2 * data.batch_size)
        line = f"{workers:7d} | {first:23.0f}, {first_cpu:12.2f} | {later:15.0f}, {later_cpu:12.2f}"
        print(line + (f" | {first / consumed:5.1f} to {later / consumed:.1f}" if consumed else ""), flush=True)
    print(f"PIL, one process: {measure_pil(data, own.steps * 2 * data.batch_size):.0f} images/s")


if __name__ == "__main__":
    sys.exit(run_entry(main))
