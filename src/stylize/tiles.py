"""Large contents in tiles: a first pass over crops for the statistics of the instance norms, a second one for pixels.

Instance norm is all of the style transfer network that isn't local. With its statistics fixed, a pixel depends on
`MARGIN` pixels around it; tiles that overlap by twice as many join without a seam.
"""

from dataclasses import dataclass

import numpy as np

from src.data.images import to_image, to_network

# How far a pixel of the pastiche sees: 4 (9x9) + 1 + 2 + 10 * 4 (3x3 at a half and at a quarter of the size) + 2 + 1
# + 4 on the way up, and what rounding to whole pixels of the smaller sizes adds
MARGIN = 56
ALIGNMENT = 4
SMALLEST_TILE = 2 * MARGIN + 16
# Fast in every engine: oneDNN's convolutions fall to slow kernels on inputs much larger
TILE = 768
CROP = 512


@dataclass(frozen=True)
class Span:
    """A tile along one axis: the network sees [start, stop), of which [low, high) is kept; pixels."""

    start: int
    stop: int
    low: int
    high: int


def plan_tiles(length, side) -> list[Span]:
    """Tiles of one size along an axis, which keep every pixel once, at least `MARGIN` from their inner borders.

    The first and the last end where the picture does, so that convolutions reflect there as they do without tiles.

    Args:
        length: of the axis, pixels, a multiple of 4.
        side: of a tile, pixels, a multiple of 4 from `SMALLEST_TILE` up.
    """
    if length <= side:
        return [Span(0, length, 0, length)]
    count = -(-(length - 2 * MARGIN) // (side - 2 * MARGIN))
    starts = _spread(length - side, count)
    bounds = [0, *((a + side + b) // 2 // ALIGNMENT * ALIGNMENT for a, b in zip(starts, starts[1:], strict=False)), length]
    return [Span(start, start + side, *bounds[i : i + 2]) for i, start in enumerate(starts)]


def _spread(last, count):
    """`count` multiples of 4 from 0 to `last`, a multiple of 4, evenly; the middle one when there is one only."""
    steps = last // ALIGNMENT
    return [ALIGNMENT * ((2 * i * steps + count - 1) // (2 * (count - 1))) if count > 1 else 0 for i in range(count)]


def plan_crops(height, width, pixels) -> tuple[list, list, tuple]:
    """Where the statistics are taken: all of a picture of up to `pixels`, evenly spread crops of a larger one.

    Args:
        height, width: of the picture, pixels, multiples of 4.
        pixels: how many the crops may have together, about.

    Returns:
        rows and columns of the crops' upper left corners, and their size (h, w).
    """
    h, w = min(height, CROP), min(width, CROP)
    most = -(-height // h), -(-width // w)
    if height * width > pixels:
        number = max(1, pixels // (h * w))
        rows = min(most[0], max(1, round((number * height * w / (width * h)) ** 0.5)))
        most = rows, min(most[1], max(1, number // rows))
    starts, size = [], []
    for length, side, count in zip((height, width), (h, w), most, strict=True):
        side = min(side, -(-length // count // ALIGNMENT) * ALIGNMENT)
        cells = [(2 * i + 1) * length // count - side for i in range(count)]
        starts.append([min(length - side, max(0, cell // 2) // ALIGNMENT * ALIGNMENT) for cell in cells])
        size.append(side)
    return *starts, tuple(size)


def collect_statistics(networks, content, embedding, pixels):
    """The first pass.

    Args:
        networks: an engine that can tile, see `src.stylize.engines`.
        content: uint8 (H, W, 3), sides multiples of 4.
        embedding: float32 (1, embedding_dim).
        pixels: see `plan_crops`.

    Returns:
        the statistics, float32 (2, channels of all norms).
    """
    rows, columns, (h, w) = plan_crops(*content.shape[:2], pixels)
    crops = [to_network(content[y : y + h, x : x + w]) for y in rows for x in columns]
    return networks.collect(np.concatenate(crops), embedding)


def stylize_tiled(networks, content, embedding, side, pixels, progress=None):
    """The pastiche of a content in tiles.

    Args:
        networks, content, embedding, pixels: see `collect_statistics`.
        side: of a tile, see `plan_tiles`.
        progress: function of the numbers of tiles done and of all, called at the start and after each; or None.

    Returns:
        uint8 like content.
    """
    rows, columns = (plan_tiles(length, side) for length in content.shape[:2])
    tiles = [(row, column) for row in rows for column in columns]
    report = progress or (lambda done, total: None)
    report(0, len(tiles))
    statistics = collect_statistics(networks, content, embedding, pixels)
    pastiche = np.empty_like(content)
    for done, (row, column) in enumerate(tiles, 1):
        tile = to_network(content[row.start : row.stop, column.start : column.stop])
        image = to_image(networks.transfer_tile(tile, embedding, statistics))
        kept = image[row.low - row.start : row.high - row.start, column.low - column.start : column.high - column.start]
        pastiche[row.low : row.high, column.low : column.high] = kept
        report(done, len(tiles))
    return pastiche
