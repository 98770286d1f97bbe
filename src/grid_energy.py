"""Grid energy: how much a picture repeats every four or two pixels, as strided and enlarging convolutions make it do.

The luminance is multiplied by a Hann window. There are eight frequencies (k / 4, m / 4) cycles a pixel, with k and m in
0, 1, 2 and not both 0. At each of them the power within one bin (the mean of 3 x 3 bins) is compared with the power of
the bins 4 to 9 away. Two small products with tables of cosines and sines give these bins, without a Fourier transform.
"""

import numpy as np

# (k, m), all but the first, which is the picture's mean
FREQUENCIES = tuple((k, m) for k in range(3) for m in range(3) if k or m)
NEAR, FIRST_AROUND, REACH = 1, 4, 9
# for smaller pictures, the bins around a frequency would reach the peak of the next one, or that of the mean
SMALLEST_SIDE = 4 * (REACH + NEAR + 1)
# ITU-R BT.601
LUMA = np.array((0.299, 0.587, 0.114), np.float32)
# added to powers, in the units of a variance of pixels in [0, 1], so that a flat picture has grid energy 1
FLOOR = 1e-12


def _distances():
    offsets = np.arange(-REACH, REACH + 1)
    return np.maximum(np.abs(offsets)[:, None], np.abs(offsets)[None])


def near_mask() -> np.ndarray:
    """Which of the (19, 19) bins with a frequency in the middle are within one of that frequency."""
    return _distances() <= NEAR


def around_mask() -> np.ndarray:
    """Which of the (19, 19) bins with a frequency in the middle are 4 to 9 away from that frequency."""
    return _distances() >= FIRST_AROUND


def tables(side) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and sines (57, side), float64, times the Hann window: 19 bins around 0, 1/4 and 1/2 cycles a pixel each.

    They are scaled so that white noise has the power of its variance.

    Args:
        side: of the picture, pixels; a multiple of 4, at least `SMALLEST_SIDE`.
    """
    place = np.arange(side)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * place / side)
    window /= np.sqrt(np.square(window).sum())
    bins = np.add.outer(side // 4 * np.arange(3), np.arange(-REACH, REACH + 1)).reshape(-1, 1)
    turn = 2 * np.pi * (bins * place % side) / side
    return window * np.cos(turn), window * np.sin(turn)


def grid_energy(image) -> float:
    """The largest, over the eight frequencies, of the mean power within one bin by the median power 4 to 9 bins away.

    A few times 1 for photographs; a lattice that can be seen has 50 and more.

    Args:
        image: uint8 (H, W, 3). The last up to 3 rows and columns are left out, to a multiple of 4.

    Returns:
        NaN for a side below `SMALLEST_SIDE` pixels.
    """
    height, width = (side // 4 * 4 for side in image.shape[:2])
    if min(height, width) < SMALLEST_SIDE:
        return float("nan")
    luma = (image[:height, :width] @ (LUMA / 255)).astype(np.float64)
    luma -= luma.mean()
    (row_cos, row_sin), (column_cos, column_sin) = tables(height), tables(width)
    transformed = (row_cos - 1j * row_sin) @ luma @ (column_cos - 1j * column_sin).T
    power = np.square(np.abs(transformed)).reshape(3, 2 * REACH + 1, 3, 2 * REACH + 1)
    near, around = near_mask(), around_mask()
    ratios = []
    for k, m in FREQUENCIES:
        bins = power[k, :, m]
        ratios.append((bins[near].mean() + FLOOR) / (np.median(bins[around]) + FLOOR))
    return float(max(ratios))
