"""Random crops, flips and colours of one image. The numbers are drawn here; MindData's C++ operations apply them.

The draws are explicit numbers. MindData's own random operations keep their state in a worker thread. Explicit numbers
give the same pixels for the same seed with any number of workers, and any step can be drawn without those before.

Style images follow `arbitrary_style_image_inputs` of Magenta's arbitrary_image_stylization (the paper's code):
brightness shifted by up to 0.8 of the range, saturation times 0.5 to 1.5, hue turned by up to 0.2 of the circle, both
flips, short side enlarged at random before the crop. Differs from Magenta's code:
- size: a factor 1 to 1.8 of `image_size`, so that other image sizes keep the same proportions; Magenta's draws 2 to 200
  pixels more than its 256 (1.01 to 1.78);
- saturation: MindData blends with the grey image, Magenta's scales S of HSV; the factor is 0.5 to 1.5 in both;
- colours are changed after the crop, not before: the same picture but for rounding, and fewer pixels;
- resizing from more than 1.5 times the size averages areas; Magenta's interpolates, which aliases.
"""

from typing import NamedTuple

import mindspore.dataset.vision as vision
import numpy as np

AREA_FROM = 1.5
# deviation from the mean colour, levels of 255, below which an instance norm's epsilon (1e-5) outweighs a picture
FLAT_BELOW = 1.0

_FLIP_LEFT_RIGHT = vision.HorizontalFlip()
_FLIP_UP_DOWN = vision.VerticalFlip()


class Draw(NamedTuple):
    """The random numbers for one image. The pipeline carries them as a vector.

    scale: short side after the resize, as a multiple of the crop's side; at least 1.
    top, left: where the crop lies, 0 to 1 of the room that there is.
    flip, flop: left to right, upside down; 0 or 1.
    brightness: added, part of the range, -1 to 1; 0 leaves it.
    saturation: factor, 0 (grey) and more; 1 leaves it.
    hue: turn of the colour circle, -0.5 to 0.5; 0 leaves it.
    """

    scale: float
    top: float
    left: float
    flip: float
    flop: float = 0.0
    brightness: float = 0.0
    saturation: float = 1.0
    hue: float = 0.0


def draw_content(generator, data) -> Draw:
    """Random resize, crop and left-right flip of a content image."""
    return Draw(generator.uniform(1.0, data.content_resize), *generator.random(2), float(generator.random() < 0.5))


def draw_style(generator, data) -> Draw:
    """Random resize and crop of a style image; flips and colours too when `data.style_augment`."""
    scale = generator.uniform(data.style_resize_min, data.style_resize_max)
    top, left = generator.random(2)
    if not data.style_augment:
        return Draw(scale, top, left, 0.0)
    flip, flop = generator.random(2) < 0.5
    return Draw(
        scale,
        top,
        left,
        float(flip),
        float(flop and data.vertical_flip),
        generator.uniform(-data.brightness, data.brightness),
        generator.uniform(1.0 - data.saturation, 1.0 + data.saturation),
        generator.uniform(-data.hue, data.hue),
    )


def apply(image, draw, size) -> np.ndarray:
    """Crops, resizes, flips and colours an image as drawn.

    The result is that of resizing the short side to `scale * size` and then cutting out `size` x `size`. Here the part
    that will be seen is cut out first and then resized, so that a panorama costs no more than a small picture. Small
    images are enlarged.

    Args:
        image: uint8 (H, W, 3) RGB.
        draw: `Draw`.
        size: side of the result, pixels.

    Returns:
        uint8 (size, size, 3).
    """
    height, width = image.shape[:2]
    side = max(1, round(min(height, width) / draw.scale))
    top, left = round(draw.top * (height - side)), round(draw.left * (width - side))
    inter = vision.Inter.AREA if side > AREA_FROM * size else vision.Inter.LINEAR
    image = vision.ResizedCrop(top, left, side, side, (size, size), inter)(image)
    if draw.flip:
        image = _FLIP_LEFT_RIGHT(image)
    if draw.flop:
        image = _FLIP_UP_DOWN(image)
    if draw.brightness:
        image = shift_brightness(image, draw.brightness)
    if draw.saturation != 1:
        image = vision.AdjustSaturation(draw.saturation)(image)
    if draw.hue:
        image = vision.AdjustHue(draw.hue)(image)
    return image


def is_flat(image) -> bool:
    """Whether a uint8 (H, W, 3) image is of one colour, but for noise of less than a level.

    The instance norm of a constant channel multiplies gradients by 300. Sixteen such norms one after the other give
    more than float32 holds.
    """
    rows = image[:: max(1, len(image) // 32)]
    # a channel at a time: over all of them at once takes several times as long
    return np.mean([rows[..., channel].astype(np.float32).var() for channel in range(3)]) < FLAT_BELOW**2


def shift_brightness(image, amount) -> np.ndarray:
    """Adds `amount` (-1 to 1, part of the range) to a uint8 image, clipped; MindData's AdjustBrightness multiplies."""
    shift = np.uint8(round(abs(amount) * 255))
    if amount >= 0:
        return np.minimum(image, 255 - shift) + shift
    return np.maximum(image, shift) - shift
