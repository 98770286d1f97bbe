"""The losses of `src.losses` and of the files beside it in PyTorch, of pastiches under fixed style crops."""

import torch
from torch.nn import functional

from benchmarks.torch_half import gram
from src.color_loss import AREAS, COLOR_AREAS, LEAST_BAND, LEAST_COVARIANCE, LEAST_VARIANCE, LUMA_CHROMA
from src.detail_loss import LEAST_VARIANCE as LEAST_DETAIL
from src.grid_energy import FLOOR, FREQUENCIES, LUMA, around_mask, near_mask, tables
from src.palette_loss import DIRECTIONS, PALETTE_AREAS, SOFTNESS, STEP, THRESHOLDS
from src.palette_loss import LEAST_VARIANCE as LEAST_SPREAD


def mean_square(x):
    """The mean square of each image, (N, ...) to (N,)."""
    return x.square().flatten(1).mean(1)


def relative_error(actual, target, energy):
    """Mean over the images of their mean squared error, divided by their energies (N,)."""
    return (mean_square(actual - target) / (energy + 1e-8)).mean()


def color_moments(images):
    """Means and covariances of the colors for each side of `src.color_loss.AREAS`, (N, 3, 4) each."""
    moments = []
    for side in AREAS:
        colors = functional.avg_pool2d(images, side).flatten(2)
        mean = colors.mean(2, keepdim=True)
        centred = colors - mean
        moments.append(torch.cat((mean, centred @ centred.mT / colors.shape[2]), 2))
    return moments


def color_loss(actual, target):
    """The mean over the images of `src.color_loss.color_loss`; see `color_moments`."""
    total = 0
    for side in COLOR_AREAS:
        found, wanted = actual[AREAS.index(side)], target[AREAS.index(side)]
        covariance, style = found[:, :, 1:], wanted[:, :, 1:]
        if side == 1:
            distance = (found[:, :, 0] - wanted[:, :, 0]).square().sum(1)
            variance = style.diagonal(dim1=1, dim2=2).sum(1)
            total = (distance / (variance + LEAST_VARIANCE)).mean()
        energy = style.square().sum((1, 2)) + covariance.detach().square().sum((1, 2)) + LEAST_COVARIANCE
        total = total + ((covariance - style).square().sum((1, 2)) / energy).mean() / len(COLOR_AREAS)
    return total


def bands(moments):
    """Covariances (N, bands, 3, 3) of brightness and color differences, of what `color_moments` gave."""
    turn = torch.tensor(LUMA_CHROMA, dtype=moments[0].dtype)
    covariances = turn @ torch.stack([matrix[:, :, 1:] for matrix in moments], 1) @ turn.T
    return torch.cat((covariances[:, :-1] - covariances[:, 1:], covariances[:, -1:]), 1)


def band_loss(actual, target):
    """The mean over the images of `src.color_loss.band_loss`; see `color_moments`."""
    (luma, chroma, colors), wanted = (_strengths(bands(moments)) for moments in (actual, target))
    logarithms = torch.cat(((luma / wanted[0]).log(), (chroma / wanted[1]).log()))
    bounded = 2 * ((1 + logarithms.square()).sqrt() - 1)
    return 2 * bounded.mean() + (colors - wanted[2]).square().sum((2, 3)).mean()


def _strengths(covariances):
    luma = covariances[:, :, 0, 0].clamp(min=0) + LEAST_BAND
    chroma = (covariances[:, :, 1, 1] + covariances[:, :, 2, 2]).clamp(min=0) + LEAST_BAND
    return luma, chroma, covariances[:, :, 1:, 1:] / chroma[..., None, None]


def palette(images):
    """The colors that `src.palette_loss.Palette` gives: (N, directions, areas) for each side of areas."""
    directions = torch.from_numpy(DIRECTIONS)
    return [directions @ functional.avg_pool2d(images, side).flatten(2) for side in PALETTE_AREAS]


def describe_palette(colors):
    """What pastiches are compared with, (N, sides of areas, directions, 18); see `palette`."""
    described = []
    for of_side in colors:
        mean, spread = of_side.mean(2), (of_side.var(2, unbiased=False) + LEAST_SPREAD).sqrt()
        described.append(torch.cat((mean[:, :, None], spread[:, :, None], _shares(of_side, mean, spread)), 2))
    return torch.stack(described, 1)


def palette_loss(colors, target):
    """The mean over the images of `src.palette_loss.palette_loss`, of what `palette` and `describe_palette` gave."""
    total = 0
    for k, of_side in enumerate(colors):
        shares = _shares(of_side, target[:, k, :, 0], target[:, k, :, 1])
        total = total + (shares - target[:, k, :, 2:]).square().sum(2).mean()
    return total * STEP / len(PALETTE_AREAS)


def _shares(colors, mean, spread):
    mean, spread = mean[:, :, None, None], spread[:, :, None, None]
    above = mean + spread * torch.from_numpy(THRESHOLDS)[:, None] - colors[:, :, None]
    return (above / (SOFTNESS * spread)).sigmoid().mean(3)


def detail_loss(actual, target):
    """The mean over the images of `src.detail_loss.detail_loss`, of features (N, C, h, w)."""
    ours, theirs = (x - x.mean((2, 3), keepdim=True) for x in (actual, target))
    variance = theirs.square().mean((2, 3))
    least = LEAST_DETAIL * variance.mean(1, keepdim=True) + 1e-8
    root = ((ours.square().mean((2, 3)) + least) * (variance + least)).sqrt()
    correlation = ((ours * theirs).mean((2, 3)) + least) / root
    return (((1 - correlation) * variance).sum(1) / (variance.sum(1) + 1e-8)).mean()


class GridLoss:
    """The loss of `src.losses.GridLoss`, of square images of one size."""

    def __init__(self, side):
        cosines, sines = (torch.from_numpy(table).float() for table in tables(side))
        self.table = torch.complex(cosines, -sines)
        self.near, self.around = (torch.from_numpy(mask / mask.sum()).float() for mask in (near_mask(), around_mask()))
        self.luma = torch.from_numpy(LUMA)[:, None, None]

    def __call__(self, images):
        """images (N, 3, side, side) in [0, 1]: a number."""
        luma = (images * self.luma).sum(1)
        luma = (luma - luma.mean((1, 2), keepdim=True)).to(self.table.dtype)
        power = torch.view_as_real(self.table @ luma @ self.table.T).square().sum(-1)
        power = power.reshape(len(images), 3, len(self.near), 3, len(self.near)).transpose(2, 3)
        peak, around = ((power * mask).sum((3, 4)) + FLOOR for mask in (self.near, self.around))
        logs = (peak / around).log().clamp(min=0)
        return torch.stack([logs[:, k, m] for k, m in FREQUENCIES]).mean()


class Losses:
    """The losses `names`; the palette and detail loss only where the options have them.

    Args:
        options: `src.sections.LossConfig`, `normalize_losses` balanced and `tv_norm` absolute.
        side: of the pastiches, pixels; a multiple of 4.
        features: function of images (N, 3, H, W) and perhaps of feature layers, see
            `benchmarks.torch_networks.LossNetwork`.
    """

    def __init__(self, options, side, features):
        self.options, self.features, self.grid = options, features, GridLoss(side)
        self.names = ("total", "content", "style", "tv", "grid", "color", "band")
        self.names += (("palette",) if options.palette_weight else ()) + (("detail",) if options.detail_taps else ())

    def describe(self, style):
        """A style crop (1, 3, H, W) as `__call__` takes it: Gram matrices, in half precision, moments and palette."""
        with torch.no_grad():
            found = self.features(style)
            grams = [gram(found[tap])[0].half() for tap in self.options.style_taps]
            return grams, [moments[0] for moments in color_moments(style)], describe_palette(palette(style))[0]

    def __call__(self, content, pastiche, styles):
        """The losses `names`, numbers, of pastiches of contents, both (N, 3, H, W), under N described styles."""
        options = self.options
        with torch.no_grad():
            targets = self.features(content, (*options.content_taps, *options.detail_taps))
        found = self.features(pastiche)
        of_content, of_style = 0, 0
        for tap, weight in options.content_taps.items():
            target = targets[tap].float()
            of_content = of_content + weight * relative_error(found[tap].float(), target, mean_square(target))
        for k, (tap, weight) in enumerate(options.style_taps.items()):
            actual, target = gram(found[tap]), torch.stack([grams[k] for grams, *_ in styles]).float()
            energy = mean_square(target) + mean_square(actual.detach())
            of_style = of_style + weight * relative_error(actual, target, energy)
        variation = sum(pastiche.diff(dim=axis).abs().mean() for axis in (2, 3))
        of_grid = self.grid(pastiche)
        of_colors = zip(*(moments for _, moments, _ in styles), strict=True)
        moments, wanted = color_moments(pastiche), [torch.stack(matrices) for matrices in of_colors]
        color, band = color_loss(moments, wanted), band_loss(moments, wanted)
        total = options.content_weight * of_content + options.style_weight * of_style
        total = total + options.tv_weight * variation + options.grid_weight * of_grid
        total = total + options.color_weight * color + options.band_weight * band
        others = ()
        if options.palette_weight:
            others += (palette_loss(palette(pastiche), torch.stack([described for *_, described in styles])),)
            total = total + options.palette_weight * others[0]
        if options.detail_taps:
            weights = options.detail_taps.items()
            others += (sum(w * detail_loss(found[tap].float(), targets[tap].float()) for tap, w in weights),)
            total = total + others[-1]
        return total, of_content, of_style, variation, of_grid, color, band, *others
