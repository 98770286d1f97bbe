"""Pictures by areas, in NumPy, for the definitions of the losses on colors."""

import numpy as np


def pooled(image, side):
    """The means (3, h, w) of whole areas of an image (3, H, W); incomplete ones are left out."""
    height, width = (length // side * side for length in image.shape[1:])
    return image[:, :height, :width].reshape(3, height // side, side, width // side, side).mean((2, 4))


def gray_areas(tones):
    """An image (1, 3, 16 H, 16 W) of gray areas of 16 pixels, of their tones (H, W)."""
    return np.repeat(np.kron(tones, np.ones((16, 16)))[None, None], 3, axis=1).astype(np.float32)
