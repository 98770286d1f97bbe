"""Large contents in tiles: a first pass for the statistics of the instance norms, a second one for the pixels.

Of the style transfer network's layers, only the instance norms depend on the whole picture. With their statistics
fixed, a pixel depends on `MARGIN` pixels around it. So tiles that overlap by twice as many pixels join without a seam.
"""

from dataclasses import dataclass

import numpy as np

from src.images.files import to_image, to_network
from src.memory import free_memory

# How far a pixel of the pastiche sees: 4 (9x9) + 1 + 2 + 10 * 4 (3x3 convolutions at a quarter of the size) + 2 + 1 + 4
# of the enlarging half, and 2 because the enlargements round. With `ends: half` 3 (7x7) + 2 + 40 + 2 + 2 + 4 (5x5 at
# half of the sides), 2 for the enlargement and 1 for the block of the pixel itself, which is the same
MARGIN = 56
ALIGNMENT = 4
SMALLEST_TILE = 2 * MARGIN + 16
# Borders of crops disturb the statistics: with 512 a tiled pastiche is 52 dB from the untiled one, with 256 45 dB
CROP = 512
# The most pixels in a batch of crops, whose statistics are computed together
MOST_COLLECTED = 2_200_000
# the part of the free memory that one picture may take
MEMORY_SHARE = 0.5
# Where an engine can't tile, contents are reduced; never to fewer pixels than these, however little memory is free
LEAST_REDUCED = 1_000_000


@dataclass(frozen=True)
class Limits:
    """The sizes that suit an engine.

    Attributes:
        whole: contents of at most so many pixels are stylised whole, where the memory allows.
        bytes_per_pixel: memory that the network of full width then takes.
        tile: side of the tiles of larger contents, pixels. Larger tiles make convolutions slow; with smaller tiles more
            of the work is in the overlap.
    """

    whole: int
    bytes_per_pixel: int
    tile: int


# MindSpore's convolutions gather their windows in one buffer. Where that buffer is too large, other kernels run, which
# take hours
LIMITS = {
    "mindspore": Limits(2_200_000, 1_100, 768),
    "mindir": Limits(2_200_000, 1_100, 768),
    "mindspore_lite": Limits(2_200_000, 1_100, 768),  # not measured; the values of mindir
    "onnxruntime": Limits(12_500_000, 700, 1536),
    "openvino": Limits(12_500_000, 700, 1536),
}


@dataclass(frozen=True)
class Span:
    """A tile along one axis: the pixels that the network sees, and those of them that are kept."""

    seen: slice
    kept: slice

    @property
    def inner(self) -> slice:
        """The pixels that are kept, counted from the start of the tile."""
        return slice(self.kept.start - self.seen.start, self.kept.stop - self.seen.start)


def fitting_pixels(networks, most=None) -> int:
    """How many pixels the network may be given at once: fewer than its engine takes when the free memory is small.

    Args:
        networks: `src.engines.engine.Networks`.
        most: a smaller limit than the engine's; None for the engine's own.
    """
    limits = LIMITS[networks.name]
    fitting = MEMORY_SHARE * free_memory() / (limits.bytes_per_pixel * networks.architecture.width)
    return int(min(most or limits.whole, limits.whole, fitting))


def most_pixels(networks) -> int:
    """How many pixels a content has at most where there are no tiles: larger ones are reduced."""
    return max(fitting_pixels(networks), min(LIMITS[networks.name].whole, LEAST_REDUCED))


def chosen_side(networks, pixels) -> int:
    """The side of the tiles for a content of so many pixels; 0 where it is stylised whole.

    A content is tiled when it has more pixels than the engine takes at once, or than fit into the free memory. One
    that is no larger than a single tile is not: tiles would take as much memory, and another program's use of the
    memory would decide which of two slightly different pastiches it gets.

    Args:
        networks: see `fitting_pixels`; they can tile.
    """
    limits = LIMITS[networks.name]
    tiled = pixels > limits.whole or pixels > max(fitting_pixels(networks), limits.tile**2)
    return limits.tile if tiled else 0


def plan_tiles(length, side) -> list[Span]:
    """Tiles of one size along an axis. Each pixel is kept once, at least `MARGIN` from a tile's border in the picture.

    The first and the last tile end at the picture's border, so that convolutions reflect there as without tiles.

    Args:
        length: length of the axis, pixels, a multiple of 4.
        side: side of a tile, pixels, a multiple of 4 from `SMALLEST_TILE` up.
    """
    if length <= side:
        return [Span(slice(0, length), slice(0, length))]
    starts = _spread(length, side, -(-(length - 2 * MARGIN) // (side - 2 * MARGIN)))
    middles = [(a + side + b) // 2 // ALIGNMENT * ALIGNMENT for a, b in zip(starts[:-1], starts[1:], strict=True)]
    bounds = [0, *middles, length]
    return [
        Span(slice(start, start + side), slice(low, high))
        for start, low, high in zip(starts, bounds[:-1], bounds[1:], strict=True)
    ]


def _spread(length, side, count) -> list[int]:
    """Starts, multiples of 4, of `count` windows that are spread evenly from end to end of an axis."""
    steps = (length - side) // ALIGNMENT
    return [ALIGNMENT * round(i * steps / max(1, count - 1)) for i in range(count)]


def plan_crops(height, width, pixels) -> list[list[tuple[slice, slice]]]:
    """Crops of one size that cover a picture, in batches. The crops of each batch are spread over the whole picture.

    Args:
        height, width: of the picture, pixels, multiples of 4.
        pixels: about the most pixels of a batch, which has at least one crop.

    Returns:
        for each batch the rows and columns of its crops. Crops overlap by a few pixels where sides don't divide.
    """
    starts, sides = [], []
    for length in (height, width):
        count = -(-length // CROP)
        sides.append(-(-length // (count * ALIGNMENT)) * ALIGNMENT)
        starts.append(_spread(length, sides[-1], count))
    crops = [
        # two irrational steps: crops whose numbers lie next to each other in the sorted order are far apart in the
        # plane
        ((0.7549 * i + 0.5698 * j) % 1, slice(y, y + sides[0]), slice(x, x + sides[1]))
        for i, y in enumerate(starts[0])
        for j, x in enumerate(starts[1])
    ]
    crops = [crop[1:] for crop in sorted(crops, key=lambda crop: crop[0])]
    batches = min(len(crops), -(-len(crops) * sides[0] * sides[1] // max(1, pixels)))
    cuts = [i * len(crops) // batches for i in range(batches + 1)]
    return [crops[low:high] for low, high in zip(cuts[:-1], cuts[1:], strict=True)]


def collect_statistics(networks, content, embedding, batches, nothing, report):
    """The first pass: mean and variance of each instance norm's input, over the whole picture.

    The crops of a batch are a sample of the picture, so their statistics differ from the picture's by a few percent. A
    pastiche made with the statistics of one batch is 20 dB further from the untiled pastiche. The result is the mean
    over all batches, in which these errors cancel: a norm's error reaches the later norms nearly in proportion, and the
    errors of the batches have both signs.

    Args:
        networks: `src.engines.engine.Networks` that can tile.
        content: uint8 (H, W, 3), sides multiples of 4.
        embedding: float32 (1, embedding_dim).
        batches: from `plan_crops`.
        nothing: what to subtract from the input, see `src.stylize.flat.background_input`.
        report: function called after each batch with the number of its pixels.

    Returns:
        float32 (2, channels of all norms): means, then variances.
    """
    total = 0.0
    for batch in batches:
        crops = np.concatenate([to_network(content[crop]) for crop in batch]) - nothing
        total = total + len(batch) * networks.collect(crops, embedding)
        report(crops[:, 0].size)
    return (total / sum(map(len, batches))).astype(np.float32)


def stylize_tiled(networks, content, embedding, side, nothing, progress=None):
    """The pastiche of a content in tiles.

    Args:
        networks, content, embedding, nothing: see `collect_statistics`.
        side: of a tile, see `plan_tiles`.
        progress: function called after each batch and each tile with the pixels done and the pixels in all; or None.

    Returns:
        uint8 like content.
    """
    rows, columns = (plan_tiles(length, side) for length in content.shape[:2])
    batches = plan_crops(*content.shape[:2], fitting_pixels(networks, MOST_COLLECTED))
    work = [content[..., 0][crop].size for batch in batches for crop in batch]
    work += [content[row.seen, column.seen, 0].size for row in rows for column in columns]
    done = 0

    def report(pixels):
        nonlocal done
        done += pixels
        if progress:
            progress(done, sum(work))

    statistics = collect_statistics(networks, content, embedding, batches, nothing, report)
    pastiche = np.empty_like(content)
    for row in rows:
        for column in columns:
            tile = to_network(content[row.seen, column.seen]) - nothing
            image = to_image(networks.transfer_tile(tile, embedding, statistics))
            pastiche[row.kept, column.kept] = image[row.inner, column.inner]
            report(tile[0, 0].size)
    return pastiche
