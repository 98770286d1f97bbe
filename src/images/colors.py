"""Colours of one picture given to another: by brightness, and by mean and covariance."""

import numpy as np
from PIL import Image

# standard deviation, of a range of 1, below which a channel, or a mixture of channels, counts as constant
_NOISE = 1e-3


def keep_luma(pastiche, content) -> np.ndarray:
    """The brightness of a pastiche with the colours of a content (arXiv 1606.05897, section 4).

    Args:
        pastiche, content: uint8 (H, W, 3) of one size.

    Returns:
        uint8 (H, W, 3).
    """
    brightness = Image.fromarray(pastiche).convert("YCbCr").split()[0]
    _, blue, red = Image.fromarray(content).convert("YCbCr").split()
    return np.array(Image.merge("YCbCr", (brightness, blue, red)).convert("RGB"))


def match_colors(pastiche, content) -> np.ndarray:
    """The pastiche with its colours mapped linearly, so that their mean and covariance are those of the content.

    The map is the symmetric one of arXiv 1606.05897, section 3: C^(1/2) S^(-1/2). The paper maps the style image before
    the transfer. Here the pastiche is mapped, which works for every method, and for styles that are rows of a table.

    Args:
        pastiche, content: uint8 (H, W, 3) of any sizes.

    Returns:
        uint8 of the pastiche's shape. Values outside [0, 255] are clipped.
    """
    (mean, deviations), (content_mean, target) = (_moments(image) for image in (pastiche, content))
    mapped = (pastiche.reshape(-1, 3) / 255 - mean) @ np.linalg.inv(deviations) @ target + content_mean
    return np.rint(mapped.clip(0, 1) * 255).astype(np.uint8).reshape(pastiche.shape)


def _moments(image):
    """Mean (3,) and the symmetric root of the covariance (3, 3) of the colours, on [0, 1]."""
    colours = image.reshape(-1, 3) / 255
    mean = colours.mean(0)
    offsets = colours - mean
    values, vectors = np.linalg.eigh(offsets.T @ offsets / len(colours))
    return mean, vectors * np.sqrt(values.clip(_NOISE**2)) @ vectors.T


PRESERVE = {"none": lambda pastiche, content: pastiche, "luma": keep_luma, "match": match_colors}


def preserve_colors(pastiche, content, how) -> np.ndarray:
    """The pastiche with the content's colours: `how` is a key of `PRESERVE`."""
    return PRESERVE[how](pastiche, content)
