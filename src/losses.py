"""The losses of a pastiche. `StylizationLoss` gives their named terms and the total."""

import re

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.ops import constexpr

from src import compilation, grid_energy
from src.color_loss import AREAS, ColorMoments, band_loss, color_loss
from src.compilation import set_free_inputs
from src.detail_loss import detail_loss
from src.errors import UserError
from src.palette_loss import Palette, describe_palette, palette_loss

BALANCED = "balanced"
_LAYER = re.compile(r"_(relu|aux)\d_\d$")


@constexpr
def _half_products():
    return compilation.half_products()


def gram_matrix(features):
    """features (N, C, h, w) to their Gram matrices F F^T / (h w), (N, C, C) (Gatys et al. 2016, eq. 3).

    Differs from Gatys: the sum is divided by the number of positions, so that images of different sizes compare.
    """
    n, c, h, w = features.shape
    flat = features.reshape((n, c, h * w))
    if _half_products():
        flat = flat * (1.0 / (h * w) ** 0.5)  # the sum over all positions would be beyond float16
        return ops.BatchMatMul(transpose_b=True)(flat, flat)
    return ops.BatchMatMul(transpose_b=True)(flat, flat) * (1.0 / (h * w))


def image_means(x):
    """Mean over all but the first axis: (N, ...) to (N,)."""
    return x.reshape((x.shape[0], -1)).mean(1)


def shown_terms(names, values) -> str:
    """The terms for a line of progress, without those of single feature layers."""
    pairs = zip(names, values, strict=True)
    return ", ".join(f"{name} {value:.4g}" for name, value in pairs if not _LAYER.search(name))


def tap_loss(actual, target, normalize, clamp):
    """Mean squared error of each image, (N, ...) to (N,).

    With `normalize` the error is divided by the target's mean square, so that taps and styles of all magnitudes weigh
    alike. A `clamp` above 0 bounds the quotient, so that a style with next to no energy can't dominate the batch.

    With `normalize` "balanced" the error is divided by the sum of the target's and the actual's mean square; the actual
    one passes no gradient here (style-aware normalisation, Cheng et al. 2021, arXiv 2104.10064). Between Gram matrices
    of features after ReLU this quotient is at most 1, so that no style dominates the batch, weak or strong.
    """
    loss = image_means(ops.square(actual - target))
    if normalize:
        energy = image_means(ops.square(target))
        if normalize == BALANCED:
            energy = energy + image_means(ops.square(ops.stop_gradient(actual)))
        loss = loss / (energy + 1e-8)
        if clamp > 0:
            loss = ops.minimum(loss, ops.full_like(loss, clamp))
    return loss


@constexpr
def _grid_table(side):
    """The cosines and sines of `src.grid_energy.tables`, one tensor (114, side)."""
    return ms.Tensor(np.concatenate(grid_energy.tables(side)), ms.float32)


class GridLoss(nn.Cell):
    """How much images repeat every four or two pixels. 0 where these frequencies are no stronger than their neighbours.

    The loss is the mean of max(0, log(peak / around)) over the images and the eight frequencies of `src.grid_energy`.
    Both are powers of the luminance under a Hann window: peak is the mean within one bin of the frequency, around is
    the mean of the bins 4 to 9 away. Two products with tables of cosines and sines give the powers, so that no device
    needs a Fourier transform. Rows and columns past a multiple of 4 are left out.
    """

    def __init__(self):
        super().__init__()
        span = 2 * grid_energy.REACH + 1
        near, around = (mask / mask.sum() for mask in (grid_energy.near_mask(), grid_energy.around_mask()))
        self.near, self.around = (ms.Tensor(m.reshape(1, 1, span, 1, span), ms.float32) for m in (near, around))
        weights = np.zeros((3, 3), np.float32)
        for k, m in grid_energy.FREQUENCIES:
            weights[k, m] = 1 / len(grid_energy.FREQUENCIES)
        self.weights = ms.Tensor(weights)
        self.luma = ms.Tensor(grid_energy.LUMA.reshape(1, 3, 1, 1))
        self.bins = 3 * span

    def construct(self, images):
        """images float32 (N, 3, H, W) in [0, 1] of a known size, sides from `grid_energy.SMALLEST_SIDE`: a number."""
        n, _, h, w = images.shape
        h, w, bins = h // 4 * 4, w // 4 * 4, self.bins
        luma = (ops.Slice()(images, (0, 0, 0, 0), (n, 3, h, w)) * self.luma).sum(1)
        luma = luma - luma.reshape((n, h * w)).mean(1).reshape((n, 1, 1))
        products = ops.matmul(ops.matmul(_grid_table(h), luma), _grid_table(w).T).reshape((n, 2, bins, 2, bins))
        cosine, sine = ops.split(products, 1, 1)
        cosine_cosine, cosine_sine = ops.split(cosine, 1, 3)
        sine_cosine, sine_sine = ops.split(sine, 1, 3)
        power = ops.square(cosine_cosine - sine_sine) + ops.square(cosine_sine + sine_cosine)
        power = power.reshape((n, 3, bins // 3, 3, bins // 3))
        peak = (power * self.near).sum((2, 4)) + grid_energy.FLOOR
        around = (power * self.around).sum((2, 4)) + grid_energy.FLOOR
        return (ops.relu(ops.log(peak / around)) * self.weights).sum() / n


def check_grid_side(side, where):
    """Raises a UserError for images too small for the grid loss."""
    if side < grid_energy.SMALLEST_SIDE:
        raise UserError(
            f"option grid_weight: {where} {side} pixels a side, the grid loss needs {grid_energy.SMALLEST_SIDE} or "
            "more; set it to 0"
        )


def total_variation(images, norm):
    """Mean squared or absolute difference of neighbouring pixels of images (N, 3, H, W): a number.

    Johnson et al. 2016, section 3.2; differs from it: a mean rather than a sum, so that it does not depend on the size.
    """
    n, c, h, w = images.shape
    part = ops.Slice()  # images[...] takes ten times as long
    vertical = part(images, (0, 0, 1, 0), (n, c, h - 1, w)) - part(images, (0, 0, 0, 0), (n, c, h - 1, w))
    horizontal = part(images, (0, 0, 0, 1), (n, c, h, w - 1)) - part(images, (0, 0, 0, 0), (n, c, h, w - 1))
    if norm == "absolute":
        return ops.abs(vertical).mean() + ops.abs(horizontal).mean()
    return ops.square(vertical).mean() + ops.square(horizontal).mean()


class StylizationLoss(nn.Cell):
    """Weighted sum of the losses on content, detail, style, total variation, grid, colors, bands and palette.

    Ghiasi et al. 2017, section 2, has those on content, style and total variation. The others are not in the paper;
    with weight 0, or without `detail_taps`, there is no such term.

    Args:
        loss_options: `src.sections.LossConfig`.
        taps: feature layers in the order in which the loss network gives them.
        blend: weights of several styles for one pastiche, with the sum 1. The style loss is then the weighted mean of
            the losses towards each style. None where each image has one style.
    """

    def __init__(self, loss_options, taps, blend=None):
        super().__init__()
        self.blend = None if blend is None else ms.Tensor(blend, ms.float32)
        for tap in loss_options.feature_layers:
            if tap not in taps:
                raise UserError(f"feature layer {tap!r}: the loss network was built for {', '.join(taps)}")
        self.style_taps = tuple((taps.index(t), w) for t, w in loss_options.style_taps.items())
        self.content_taps = tuple((taps.index(t), w) for t, w in loss_options.content_taps.items())
        self.detail_taps = tuple((taps.index(t), w) for t, w in loss_options.detail_taps.items())
        self.content_weight, self.style_weight = loss_options.content_weight, loss_options.style_weight
        self.tv_weight, self.tv_norm = loss_options.tv_weight, loss_options.tv_norm
        self.normalize, self.clamp = loss_options.normalize_losses, loss_options.style_loss_clamp
        self.normalize_content = bool(loss_options.normalize_losses)  # contents have no styles to balance
        self.grid_weight = loss_options.grid_weight
        self.grid = GridLoss() if loss_options.grid_weight > 0 else None
        self.color_weight, self.band_weight = loss_options.color_weight, loss_options.band_weight
        self.moments = ColorMoments() if self.color_weight > 0 or self.band_weight > 0 else None
        self.first_moments = len(self.style_taps)
        self.palette_weight = loss_options.palette_weight
        self.palette = Palette() if self.palette_weight > 0 else None
        # counted from the front: in a compiled step, [-1] of a tuple from ms.mutable() silently picks another element
        self.palette_place = self.first_moments + (len(AREAS) if self.moments is not None else 0)
        self.names = (
            "total",
            "content",
            "style",
            "tv",
            *(("grid",) if self.grid is not None else ()),
            *(("color",) if self.color_weight > 0 else ()),
            *(("band",) if self.band_weight > 0 else ()),
            *(("palette",) if self.palette is not None else ()),
            *(("detail",) if self.detail_taps else ()),
            *(f"content_{t}" for t in loss_options.content_taps),
            *(f"style_{t}" for t in loss_options.style_taps),
        )

    def style_targets(self, features, images):
        """What pastiches are compared with: symmetric matrices (N, C, C), and (N, numbers) for the palette.

        Args:
            features: of the style images, as the loss network gives them.
            images: the style images, (N, 3, H, W) in [0, 1].

        Returns:
            Gram matrices, one a style tap. Where there is a color or a band loss, then the moments of the colors. Where
            there is a palette loss, then what `src.palette_loss.describe_palette` gives.
        """
        grams = ()
        for i, _ in self.style_taps:
            grams += (gram_matrix(features[i].astype(ms.float32)),)
        if self.moments is not None:
            grams += self.moments(images.astype(ms.float32))
        if self.palette is not None:
            grams += (describe_palette(self.palette(images.astype(ms.float32))),)
        return grams

    def content_targets(self, features):
        """The content image's features, one a content tap, then one a detail tap.

        A graph that needs only these computes no deeper ones.
        """
        wanted = ()
        for i, _ in self.content_taps + self.detail_taps:
            wanted += (features[i].astype(ms.float32),)
        return wanted

    def _over_images(self, each):
        """The mean of a loss over the images, or over the styles of a blend by their weights."""
        return each.mean() if self.blend is None else (each * self.blend).sum()

    def construct(self, pastiche, pastiche_features, content_features, style_grams):
        """Compares a pastiche with the targets.

        Args:
            pastiche: (N, 3, H, W) in [0, 1].
            pastiche_features: features of the pastiche, as the loss network gives them.
            content_features: from `content_targets`.
            style_grams: from `style_targets`.

        Returns:
            the total (a number), and a float32 vector of every term in the order of `names`, unweighted but the total.
        """
        content_terms, style_terms = (), ()
        content, style = 0.0, 0.0
        for k in range(len(self.content_taps)):
            i, weight = self.content_taps[k]
            actual = pastiche_features[i].astype(ms.float32)
            term = tap_loss(actual, content_features[k], self.normalize_content, 0.0).mean()
            content_terms += (term,)
            content = content + weight * term
        for k in range(len(self.style_taps)):
            i, weight = self.style_taps[k]
            gram = gram_matrix(pastiche_features[i].astype(ms.float32))
            each = tap_loss(gram, style_grams[k], self.normalize, self.clamp)
            term = self._over_images(each)
            style_terms += (term,)
            style = style + weight * term
        tv = total_variation(pastiche.astype(ms.float32), self.tv_norm)
        total = self.content_weight * content + self.style_weight * style + self.tv_weight * tv
        grid_terms = ()
        if self.grid is not None:
            grid_terms = (self.grid(pastiche.astype(ms.float32)),)
            total = total + self.grid_weight * grid_terms[0]
        other_terms = ()
        if self.moments is not None:
            moments, wanted = (
                self.moments(pastiche.astype(ms.float32)),
                style_grams[self.first_moments : self.first_moments + len(AREAS)],
            )
            if self.color_weight > 0:
                term = self._over_images(color_loss(moments, wanted))
                other_terms += (term,)
                total = total + self.color_weight * term
            if self.band_weight > 0:
                term = self._over_images(band_loss(moments, wanted))
                other_terms += (term,)
                total = total + self.band_weight * term
        if self.palette is not None:
            term = self._over_images(
                palette_loss(self.palette(pastiche.astype(ms.float32)), style_grams[self.palette_place])
            )
            other_terms += (term,)
            total = total + self.palette_weight * term
        if self.detail_taps:
            detail = 0.0
            for k in range(len(self.detail_taps)):
                i, weight = self.detail_taps[k]
                target = content_features[len(self.content_taps) + k]
                detail = detail + weight * detail_loss(pastiche_features[i].astype(ms.float32), target).mean()
            other_terms += (detail,)
            total = total + detail
        return total, ops.stack((total, content, style, tv, *grid_terms, *other_terms, *content_terms, *style_terms))


class Targets(nn.Cell):
    """An image to what pastiches are compared with, as content and as style; compiled once for all sizes.

    Args:
        loss_network: frozen, with the feature layers `taps`.
        taps: their names.
        loss_options: `src.sections.LossConfig`.
    """

    def __init__(self, loss_network, taps, loss_options):
        super().__init__()
        self.loss_network = loss_network
        self.loss = StylizationLoss(loss_options, taps)
        self.set_train(False)
        set_free_inputs(self, ms.Tensor(shape=(1, 3, None, None), dtype=ms.float32))

    def construct(self, image):
        """image (1, 3, H, W) in [0, 1]. Gives the tuples of `content_targets` and `style_targets`."""
        features = self.loss_network(image)
        return self.loss.content_targets(features), self.loss.style_targets(features, image)
