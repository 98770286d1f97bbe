"""Borders for images whose sides a network can't take. The only place that pads images."""

import numpy as np


def pad_image(image, multiple, minimum):
    """Extends an image at its bottom and right by reflection to a size that a network takes.

    A side of one pixel has nothing to reflect and is repeated. A side shorter than its border is reflected several
    times. The crop [:H, :W] of the result is the image.

    Args:
        image: uint8 (H, W, 3), H and W at least 1.
        multiple: what both sides must be multiples of, pixels.
        minimum: what both sides must reach, pixels, itself such a multiple.

    Returns:
        uint8 (H', W', 3); the same array when the size is right already.
    """
    sides = [max(minimum, -(-side // multiple) * multiple) for side in image.shape[:2]]
    for axis in (0, 1):
        side = image.shape[axis]
        if sides[axis] > side:
            widths = [(0, 0)] * 3
            widths[axis] = (0, sides[axis] - side)
            image = np.pad(image, widths, mode="reflect" if side > 1 else "edge")
    return image
