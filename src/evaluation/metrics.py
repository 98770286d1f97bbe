"""How much of a style a pastiche took on, and how much of its content it kept.

Measured on images as they are written (uint8), with one pass of a loss network an image:

- style distance left: at each style tap, the mean squared error of the Gram matrices of pastiche and style, divided by
  that of content and style; averaged over the taps. 1 for the content itself, 0 for the style's own statistics.
- content distance: at each content tap, the mean squared error of the features of pastiche and content, divided by the
  mean square of the content's features; averaged over the taps.
- structural similarity of content and pastiche, which needs no loss network.
- grid energy of the pastiche (`src.grid_energy`), a lattice that the network leaves; needs no loss network.
- colours: how far the pastiche's pixels are from the style's in their mean (a distance in RGB, levels of 255) and in
  their covariance (Frobenius norm of the difference divided by that of the style's); needs no loss network.

The feature layers and the pooling are fixed for each loss network, whatever a recipe trains with, so that figures of
two models compare. All distances are ratios at each layer, so they hold for weights of any scale.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from src.compilation import set_free_inputs
from src.grid_energy import LUMA, grid_energy
from src.images.files import resize_short_side, to_network
from src.images.padding import pad_image
from src.losses import gram_matrix
from src.weights.loss_network import WEIGHT_FILES, create_loss_network

# Style and content layers. VGG-16's are those of Johnson et al. and Ghiasi et al., VGG-19's those of Gatys et al.
FIRST_OF_BLOCKS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
METRIC_TAPS = {
    "vgg16": (("relu1_2", "relu2_2", "relu3_3", "relu4_3"), ("relu3_3",)),
    "vgg19": (FIRST_OF_BLOCKS, ("relu4_2",)),
    "distilled_vgg19": (FIRST_OF_BLOCKS, ("relu4_1",)),
}
METRIC_POOLING = "average"
# Larger images are reduced to this many pixels before they are measured: a VGG's features of 12 megapixels take 3 GB.
MEASURED_PIXELS = 1 << 20
# Smaller images are extended by reflection: five blocks halve the sides four times and still need two pixels.
MEASURED_SIDE = 32


@dataclass(frozen=True)
class Description:
    """What one image contributes to the metric; computed once an image.

    Attributes:
        size: (H, W) of the image as it is.
        luma: float32 (h, w) in [0, 1].
        colour_mean: (3,), mean of the pixels' red, green and blue, levels of 255.
        colour_covariance: (3, 3), their covariance.
        contents: features float32 (C, h, w), one a content tap.
        grams: Gram matrices float32 (C, C), one a style tap.
    """

    size: tuple
    luma: np.ndarray
    colour_mean: np.ndarray
    colour_covariance: np.ndarray
    contents: tuple = ()
    grams: tuple = ()


@dataclass(frozen=True)
class Measurement:
    """One pastiche's figures; those that need a loss network are NaN without one.

    Attributes:
        ssim: structural similarity with the content, 1 for the same image.
        grid_energy: see `src.grid_energy.grid_energy`; NaN for a picture too small.
        colour_mean: distance of the mean colours of pastiche and style, levels of 255.
        colour_covariance: relative distance of the covariances of their colours; NaN for a style of one colour.
        content_distance: 0 for the same features.
        style_left: the style distance left: 1 for the content itself, 0 for the style's own statistics.
        style_left_taps: {tap: the style distance left at that tap}.
    """

    ssim: float
    grid_energy: float
    colour_mean: float
    colour_covariance: float
    content_distance: float = float("nan")
    style_left: float = float("nan")
    style_left_taps: dict = field(default_factory=dict)


class ImageMetric:
    """Measures pastiches against their content and style images.

    Args:
        loss_network: cell from images (1, 3, H, W) in [0, 1] to a tuple of features in the order of `all_taps`; None
            measures structural similarity only.
        style_taps: names of the feature layers compared for style.
        content_taps: names of the feature layers compared for content.
    """

    def __init__(self, loss_network=None, style_taps=(), content_taps=()):
        self.style_taps, self.content_taps = tuple(style_taps), tuple(content_taps)
        self._network = None
        if loss_network is not None:
            self._network = DescribingCell(loss_network, self.style_taps, self.content_taps)

    @property
    def has_features(self) -> bool:
        """Whether there is a loss network."""
        return self._network is not None

    def describe(self, image) -> Description:
        """The description of a uint8 (H, W, 3) RGB image of any size."""
        measured = pad_image(_reduce(image), 1, MEASURED_SIDE)
        contents, grams = (), ()
        if self._network is not None:
            outputs = tuple(output.asnumpy()[0] for output in self._network(ms.Tensor(to_network(measured))))
            contents, grams = outputs[: len(self.content_taps)], outputs[len(self.content_taps) :]
        return Description(image.shape[:2], measured @ (LUMA / 255), *colour_statistics(image), contents, grams)

    def describe_style(self, image) -> Description:
        """As `describe`, without what is needed of contents only, which saves a few megabytes."""
        return dataclasses.replace(self.describe(image), contents=(), luma=None)

    def measure(self, pastiche, content, style) -> Measurement:
        """The figures of a uint8 (H, W, 3) pastiche of the content's size, against two descriptions.

        NaN stands for a distance from something that has no energy, as when content and style are the same image.

        Raises:
            ValueError: the pastiche's size is not the content's.
        """
        if pastiche.shape[:2] != content.size:
            raise ValueError(f"expected a pastiche of the content's size {content.size}, found {pastiche.shape[:2]}")
        found = self.describe(pastiche)
        colours = float(np.linalg.norm(found.colour_mean - style.colour_mean))
        spread = np.linalg.norm(style.colour_covariance)
        spreads = np.linalg.norm(found.colour_covariance - style.colour_covariance) / spread if spread else np.nan
        plain = (ssim(found.luma, content.luma), grid_energy(pastiche), colours, float(spreads))
        if self._network is None:
            return Measurement(*plain)
        left = style_distances_left(found.grams, content.grams, style.grams)
        distances = [relative_error(a, b) for a, b in zip(found.contents, content.contents, strict=True)]
        return Measurement(
            *plain, float(np.mean(distances)), float(np.mean(left)), dict(zip(self.style_taps, left, strict=True))
        )


class DescribingCell(nn.Cell):
    """An image (1, 3, H, W) to its content features, then its Gram matrices; compiled once for all sizes.

    Args:
        loss_network: see `ImageMetric`.
        style_taps, content_taps: see `ImageMetric`.
    """

    def __init__(self, loss_network, style_taps, content_taps):
        super().__init__()
        taps = all_taps(style_taps, content_taps)
        self.features = loss_network
        self.content_positions = tuple(taps.index(tap) for tap in content_taps)
        self.style_positions = tuple(taps.index(tap) for tap in style_taps)
        self.set_train(False)
        set_free_inputs(self, ms.Tensor(shape=(1, 3, None, None), dtype=ms.float32))

    def construct(self, image):
        features = self.features(image)
        outputs = ()
        for i in self.content_positions:
            outputs += (features[i],)
        for i in self.style_positions:
            outputs += (gram_matrix(features[i]),)
        return outputs


def all_taps(style_taps, content_taps) -> tuple:
    """Every tap once, style taps first: the order of the loss network's outputs."""
    return tuple(dict.fromkeys((*style_taps, *content_taps)))


def create_metric(loss_options, search_dirs=()) -> ImageMetric:
    """The metric with the loss network of the options; where its weights are missing, the metric without features.

    Args:
        loss_options: `src.sections.LossConfig`: its network and where its weights lie. Feature layers and pooling are
        the
            metric's own (`METRIC_TAPS`).
        search_dirs: folders where the weights may lie when `loss_options.loss_network_ckpt` does not say.

    Raises:
        UserError: `loss_network_ckpt` is no file; weights of another network.
    """
    style_taps, content_taps = METRIC_TAPS[loss_options.loss_network]
    folder = ""
    if not loss_options.loss_network_ckpt:
        names = WEIGHT_FILES[loss_options.loss_network]
        holding = [folder for folder in search_dirs if any(Path(folder, name).is_file() for name in names)]
        if not holding:
            return ImageMetric()
        folder = holding[0]
    fixed = dataclasses.replace(loss_options, pooling=METRIC_POOLING, unit_activations=False)
    loss_network = create_loss_network(fixed, folder, all_taps(style_taps, content_taps))
    return ImageMetric(loss_network, style_taps, content_taps)


def _reduce(image):
    height, width = image.shape[:2]
    if height * width <= MEASURED_PIXELS:
        return image
    return resize_short_side(image, max(1, int(min(height, width) * (MEASURED_PIXELS / (height * width)) ** 0.5)))


def colour_statistics(image) -> tuple[np.ndarray, np.ndarray]:
    """Mean (3,) and covariance (3, 3) of the colours of a uint8 (H, W, 3) image, levels of 255."""
    pixels = image.reshape(-1, 3)
    mean = pixels.mean(0, dtype=np.float64)
    parts = (part - mean for part in np.array_split(pixels, 1 + len(pixels) // MEASURED_PIXELS))
    return mean, sum(part.T @ part for part in parts) / len(pixels)


def mean_square(x) -> float:
    """Mean of the squares of an array."""
    return float(np.mean(np.square(x, dtype=np.float64)))


def relative_error(actual, target) -> float:
    """Mean squared error divided by the target's mean square; NaN for a target of zeros."""
    energy = mean_square(target)
    return mean_square(actual - target) / energy if energy else float("nan")


def style_distances_left(pastiche_grams, content_grams, style_grams) -> list[float]:
    """MSE(pastiche, style) / MSE(content, style) of Gram matrices (C, C), one a tap; NaN where content equals style."""
    distances = []
    for pastiche, content, style in zip(pastiche_grams, content_grams, style_grams, strict=True):
        start = mean_square(content - style)
        distances.append(mean_square(pastiche - style) / start if start else float("nan"))
    return distances


def ssim(image, other) -> float:
    """Mean structural similarity (Wang et al. 2004: Gaussian window of 11, sigma 1.5, K 0.01 and 0.03).

    Args:
        image, other: float32 (h, w) in [0, 1], the same shape, at least 11 x 11.
    """
    ramp = np.arange(-5, 6, dtype=np.float32)
    window = np.exp(-np.square(ramp) / (2 * 1.5**2))
    window /= window.sum()

    def blur(x):
        x = sum(weight * x[i : x.shape[0] - 10 + i] for i, weight in enumerate(window))
        return sum(weight * x[:, i : x.shape[1] - 10 + i] for i, weight in enumerate(window))

    c1, c2 = 0.01**2, 0.03**2
    mean1, mean2 = blur(image), blur(other)
    variance1, variance2 = blur(image * image) - mean1 * mean1, blur(other * other) - mean2 * mean2
    covariance = blur(image * other) - mean1 * mean2
    similarity = (2 * mean1 * mean2 + c1) * (2 * covariance + c2)
    similarity /= (mean1 * mean1 + mean2 * mean2 + c1) * (variance1 + variance2 + c2)
    return float(similarity.mean())
