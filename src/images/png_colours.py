"""Colours of a PNG whose chunks gAMA and cHRM say how they are coded (PNG specification, 11.3.2)."""

import numpy as np
from PIL import Image

# 1/2.2, which programs write of sRGB; a gamma this near to the number is sRGB's own curve
_SRGB_GAMMA, _NEAR = 0.45455, 0.01
_SRGB_XY = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_NEAR_XY = 0.005


def coded_otherwise(image) -> bool:
    """Whether an opened PNG has these chunks with other values than sRGB's, and no profile or sRGB chunk above them."""
    info = image.info
    if image.format != "PNG" or "icc_profile" in info or "srgb" in info or not info.get("gamma"):
        return False
    return abs(info["gamma"] - _SRGB_GAMMA) > _NEAR or _other_primaries(info.get("chromaticity")) is not None


def convert(image, gamma, chromaticity) -> Image.Image:
    """An RGB image in these colours as sRGB.

    Args:
        gamma: the exponent that coded the samples, above 0.
        chromaticity: x and y of white, red, green and blue; None for sRGB's.
    """
    samples = (np.arange(256) / 255) ** (1 / gamma)
    matrix = _other_primaries(chromaticity)
    if matrix is None:
        table = np.rint(_encode(samples) * 255).astype(int).tolist()
        return image.point(table * 3)
    rows = [_encode((samples[row] @ matrix).clip(0, 1)) for row in np.asarray(image)]
    return Image.fromarray(np.rint(np.stack(rows) * 255).astype(np.uint8))


def _encode(linear):
    """Linear light in [0, 1] by the curve of IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _other_primaries(chromaticity):
    """The matrix (3, 3) that takes rows of linear values to sRGB's, white to white; None where nothing would change."""
    if chromaticity is None or np.abs(np.subtract(chromaticity, _SRGB_XY)).max() <= _NEAR_XY:
        return None
    if min(chromaticity) < 0 or min(chromaticity[1::2]) <= 0:
        return None  # no colours
    try:
        matrix = _to_xyz(chromaticity) @ np.linalg.inv(_to_xyz(_SRGB_XY))
    except np.linalg.LinAlgError:
        return None
    return matrix / matrix.sum(0)


def _to_xyz(chromaticity):
    """Linear red, green, blue as rows to XYZ, where white has Y = 1."""
    points = np.reshape(chromaticity, (4, 2))
    xyz = np.column_stack([points[:, 0] / points[:, 1], np.ones(4), (1 - points.sum(1)) / points[:, 1]])
    return xyz[1:] * np.linalg.solve(xyz[1:].T, xyz[0])[:, None]
