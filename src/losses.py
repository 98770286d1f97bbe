"""Content, style and total-variation loss. Each returns its named terms; `StylizationLoss` their weighted total."""

import mindspore as ms
from mindspore import nn, ops

from src.errors import UserError


def gram_matrix(features):
    """features (N, C, h, w) to their Gram matrices F F^T / (h w), (N, C, C) (Gatys et al. 2016, eq. 3).

    Differs from Gatys: divided by the number of positions, so that images of different sizes compare.
    """
    n, c, h, w = features.shape
    flat = features.reshape((n, c, h * w))
    return ops.BatchMatMul(transpose_b=True)(flat, flat) * (1.0 / (h * w))


def image_means(x):
    """Mean over all but the first axis: (N, ...) to (N,)."""
    return x.reshape((x.shape[0], -1)).mean(1)


def tap_loss(actual, target, normalize, clamp):
    """Mean squared error of each image, (N, ...) to (N,).

    With `normalize` it is divided by the target's mean square, so that taps and styles of all magnitudes weigh alike;
    a `clamp` above 0 bounds it, so that a style with next to no energy can't rule the batch.
    """
    loss = image_means(ops.square(actual - target))
    if normalize:
        loss = loss / (image_means(ops.square(target)) + 1e-8)
        if clamp > 0:
            loss = ops.minimum(loss, ops.full_like(loss, clamp))
    return loss


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
    """Weighted sum of content, style and total-variation loss (Ghiasi et al. 2017, section 2; weights from `loss`).

    Args:
        loss: `src.sections.LossConfig`.
        taps: feature layers in the order in which the loss network gives them.
        blend: weights of several styles for one pastiche, which sum to 1: its style loss is the weighted mean of its
            losses towards each of them. None for a style an image.
    """

    def __init__(self, loss, taps, blend=None):
        super().__init__()
        self.blend = None if blend is None else ms.Tensor(blend, ms.float32)
        for tap in (*loss.style_taps, *loss.content_taps):
            if tap not in taps:
                raise UserError(f"feature layer {tap!r}: the loss network was built for {', '.join(taps)}")
        self.style_taps = tuple((taps.index(t), w) for t, w in loss.style_taps.items())
        self.content_taps = tuple((taps.index(t), w) for t, w in loss.content_taps.items())
        self.content_weight, self.style_weight, self.tv_weight = loss.content_weight, loss.style_weight, loss.tv_weight
        self.tv_norm, self.normalize, self.clamp = loss.tv_norm, loss.normalize_losses, loss.style_loss_clamp
        self.names = (
            "total",
            "content",
            "style",
            "tv",
            *(f"content_{t}" for t in loss.content_taps),
            *(f"style_{t}" for t in loss.style_taps),
        )

    def style_targets(self, features):
        """Gram matrices (N, C, C) of the style image's features, one a style tap."""
        grams = ()
        for i, _ in self.style_taps:
            grams += (gram_matrix(features[i].astype(ms.float32)),)
        return grams

    def content_targets(self, features):
        """The content image's features, one a content tap: what lies deeper is then not computed."""
        wanted = ()
        for i, _ in self.content_taps:
            wanted += (features[i].astype(ms.float32),)
        return wanted

    def construct(self, pastiche, pastiche_features, content_features, style_grams):
        """pastiche (N, 3, H, W) in [0, 1]; its features as the loss network gives them; those of `content_targets`;
        the Gram matrices of `style_targets`.

        Returns:
            the total (a number), and a float32 vector of every term in the order of `names`, unweighted but the total.
        """
        content_terms, style_terms = (), ()
        content, style = 0.0, 0.0
        for k in range(len(self.content_taps)):
            i, weight = self.content_taps[k]
            actual = pastiche_features[i].astype(ms.float32)
            term = tap_loss(actual, content_features[k], self.normalize, 0.0).mean()
            content_terms += (term,)
            content = content + weight * term
        for k in range(len(self.style_taps)):
            i, weight = self.style_taps[k]
            gram = gram_matrix(pastiche_features[i].astype(ms.float32))
            each = tap_loss(gram, style_grams[k], self.normalize, self.clamp)
            term = each.mean() if self.blend is None else (each * self.blend).sum()
            style_terms += (term,)
            style = style + weight * term
        tv = total_variation(pastiche.astype(ms.float32), self.tv_norm)
        total = self.content_weight * content + self.style_weight * style + self.tv_weight * tv
        return total, ops.stack((total, content, style, tv, *content_terms, *style_terms))


class Targets(nn.Cell):
    """An image to its features and their Gram matrices; compiled once for all sizes.

    Args:
        loss_network: frozen, with the feature layers `taps`.
        taps: their names.
        loss: `src.sections.LossConfig`.
    """

    def __init__(self, loss_network, taps, loss):
        super().__init__()
        self.loss_network = loss_network
        self.loss = StylizationLoss(loss, taps)
        self.set_train(False)
        self.set_inputs(ms.Tensor(shape=(1, 3, None, None), dtype=ms.float32))

    def construct(self, image):
        """image (1, 3, H, W) in [0, 1]. Gives tuples: features, one a content tap; Gram matrices, one a style tap."""
        features = self.loss_network(image)
        return self.loss.content_targets(features), self.loss.style_targets(features)
