"""Folders of small pictures, and batches from them, for the tests of src/data."""

import numpy as np
from PIL import Image

from src.config import defaults

SIZE = 32


def picture(number=0, height=48, width=64):
    """A smooth picture, another one for each number, without any symmetry."""
    y, x = np.mgrid[:height, :width]
    return (
        np.stack([x * 200 / width + number % 5, y * 150 / height + number * 3 % 50, x + 2 * y + number], -1)
        .clip(0, 255)
        .astype(np.uint8)
    )


def fill(folder, count, **shape):
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        Image.fromarray(picture(number, **shape)).save(folder / f"{number:02}.png")
    return folder


def config(folders, **options):
    settings = {
        "content_path": str(folders[0]),
        "style_path": str(folders[1]),
        "image_size": SIZE,
        "batch_size": 3,
        "min_side": 16,
        "num_parallel_workers": 2,
        "prefetch": 2,
    }
    return defaults(data={**settings, **options})["data"]


def take(images, start, stop):
    return [(content.asnumpy().copy(), style.asnumpy().copy()) for content, style in images.batches(start, stop)]


def assert_same(first, second):
    assert len(first) == len(second) > 0
    for (content1, style1), (content2, style2) in zip(first, second, strict=True):
        assert (content1 == content2).all() and (style1 == style2).all()


def plain(**options):
    """Options under which a square picture of the right size comes out as it is, or mirrored."""
    return dict(content_resize=1.0, style_resize_min=1.0, style_resize_max=1.0, style_augment=False, **options)


def names(paths):
    return [path.name for path in paths]
