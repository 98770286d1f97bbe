"""How steady a video is: warping error along the optical flow, and a figure that needs no flow."""

import numpy as np

from src.video.packages import import_cv2

FLOW_SIDE = 360
BLOCK = 8


def optical_flow(previous, current):
    """Where each pixel of a frame was in the frame before, and whether that can be trusted.

    Args:
        previous, current: uint8 (H, W, 3).

    Returns:
        (flow, valid): float32 (H, W, 2) in pixels, from a pixel of `current` to its place in `previous`; bool (H, W).
        A pixel is valid where the flow there and back ends where it began (Sundaram et al. 2010, equation 5).
    """
    cv2 = import_cv2()
    height, width = current.shape[:2]
    scale = min(1.0, FLOW_SIDE / min(height, width))
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    small = [
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
        for image in (previous, current)
    ]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    there, back = flow.calc(small[1], small[0], None), flow.calc(small[0], small[1], None)
    returned = warp(back, there)
    gap = np.square(there + returned).sum(2)
    valid = gap < 0.01 * (np.square(there).sum(2) + np.square(returned).sum(2)) + 0.5
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    inside = (x + there[..., 0] >= 0) & (x + there[..., 0] <= size[0] - 1)
    inside &= (y + there[..., 1] >= 0) & (y + there[..., 1] <= size[1] - 1)
    large = cv2.resize(there, (width, height), interpolation=cv2.INTER_LINEAR)
    large *= np.array([width / size[0], height / size[1]], np.float32)
    mask = cv2.resize((valid & inside).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return large, mask.astype(bool)


def warp(image, flow, cubic=False) -> np.ndarray:
    """An image (H, W) or (H, W, C) looked up where the flow points, linearly between pixels, or by a cubic."""
    cv2 = import_cv2()
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    between = cv2.INTER_CUBIC if cubic else cv2.INTER_LINEAR
    return cv2.remap(image, x + flow[..., 0], y + flow[..., 1], between, borderMode=cv2.BORDER_REPLICATE)


def warping_error(previous, current, flow, valid) -> float:
    """Squared difference to the warped previous frame, summed over the channels, mean over valid pixels; range [0, 1].

    Lai et al. 2018 (arXiv 1808.00449), equation 8, whose non-occluded pixels are those of `optical_flow`.
    """
    if not valid.any():
        return 0.0
    difference = (current.astype(np.float32) - warp(previous, flow).astype(np.float32)) / 255
    return float(np.square(difference).sum(2)[valid].mean())


def flicker(contents, pastiches) -> float:
    """How much more, or less, the pastiche changes than the content: mean of the absolute difference, in [0, 1].

    The figure compares means of blocks of 8 x 8 pixels, because people see flicker in areas, and not the noise of
    single pixels. No optical flow is needed. The figure is 0 for a pastiche that changes exactly as the content does. A
    pastiche that stands still while the content changes has a figure above 0.

    Args:
        contents, pastiches: (previous, current), uint8 (H, W, 3).
    """
    cv2 = import_cv2()
    height, width = contents[0].shape[:2]
    size = (max(1, width // BLOCK), max(1, height // BLOCK))

    def blocks(image):
        return cv2.resize(image.astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA)

    changes = [np.abs(blocks(current) - blocks(previous)) for previous, current in (contents, pastiches)]
    return float(np.abs(changes[1] - changes[0]).mean())


class Steadiness:
    """Means over the pairs of frames that were measured: of the source, frame by frame, and of the output."""

    NAMES = ("warping_source", "warping_plain", "warping_output", "flicker_plain", "flicker_output")

    def __init__(self, sums=None, pairs=0):
        self.sums, self.pairs = dict(sums or dict.fromkeys(self.NAMES, 0.0)), pairs

    def add(self, contents, plain, outputs, flow, valid):
        """Adds a pair: contents, pastiches frame by frame, and pastiches as written, each (previous, current)."""
        found = (
            warping_error(*contents, flow, valid),
            warping_error(*plain, flow, valid),
            warping_error(*outputs, flow, valid),
            flicker(contents, plain),
            flicker(contents, outputs),
        )
        for name, value in zip(self.NAMES, found, strict=True):
            self.sums[name] += value
        self.pairs += 1

    def text(self) -> str:
        """The figures in two lines; empty when no pair was measured."""
        if not self.pairs:
            return ""
        mean = {name: value / self.pairs for name, value in self.sums.items()}
        return (
            f"warping error: source {mean['warping_source']:.5f}, frame by frame {mean['warping_plain']:.5f}, "
            f"written {mean['warping_output']:.5f} ({self.pairs} pairs of frames)\n"
            f"flicker: frame by frame {mean['flicker_plain']:.5f}, written {mean['flicker_output']:.5f}"
        )
