"""Works out the options of the optimisation, weights of the losses and sizes of the levels, and refuses mistakes."""

import dataclasses

from src.errors import UserError
from src.images.files import short_side_shape, width_shape

# Sixteen times smaller, the deepest layers still need two pixels to reflect.
SMALLEST_SIDE = 32


def check_scales(settings, styles=1):
    """Raises a UserError unless `OptimizeConfig.style_scale` has one number, or one for each of so many styles."""
    if len(settings.style_scale) not in (1, styles):
        found = f"{len(settings.style_scale)} numbers for {styles} style{'s' * (styles != 1)}"
        raise UserError(f"option style_scale: found {found}, expected one number, or one a style")


def weighted_loss(loss_options, settings):
    """`src.sections.LossConfig` with the weights of its layers as `settings` (`OptimizeConfig`) change them.

    Style layers: the k-th weight is multiplied by style_layer_weight_exp ** k; then all are scaled so that their sum
    stays. Content layers: the first weight is multiplied by 2 * content_weight_blend, the second by
    2 - 2 * content_weight_blend. A layer of weight 0 is left out.

    Raises:
        UserError: a blend with another number of content layers than two.
    """
    style = {
        tap: weight * settings.style_layer_weight_exp**k
        for k, (tap, weight) in enumerate(loss_options.style_taps.items())
    }
    total = sum(style.values())
    if total:
        style = {tap: weight * sum(loss_options.style_taps.values()) / total for tap, weight in style.items()}
    content, blend = dict(loss_options.content_taps), settings.content_weight_blend
    if blend != 0.5:
        if len(content) != 2:
            raise UserError(
                f"option content_weight_blend: blends two content layers, content_taps has {len(content)}; name two, "
                "such as --content_taps relu4_2=0.5,relu5_1=0.5"
            )
        first, second = content
        content = {first: content[first] * 2 * blend, second: content[second] * 2 * (1 - blend)}
    content = {tap: weight for tap, weight in content.items() if weight}
    return dataclasses.replace(loss_options, style_taps=style, content_taps=content)


@dataclasses.dataclass(frozen=True)
class Level:
    """A size of the coarse-to-fine optimisation.

    Attributes:
        width: of the pastiche, pixels.
        first, last: numbers of its iterations, counted over all levels.
    """

    width: int
    first: int
    last: int


def plan_levels(settings, width) -> list[Level]:
    """The levels of a pastiche that is `width` pixels wide at the end."""
    count = settings.coarse_iterations or settings.iterations
    sizes = [(coarse, count) for coarse in settings.coarse_widths] + [(width, settings.iterations)]
    levels, done = [], 0
    for size, iterations in sizes:
        levels.append(Level(size, done + 1, done + iterations))
        done += iterations
    return levels


def size_content(picture, settings, size=0, where="content"):
    """A content, `src.images.files.Picture`, at the size of the pastiche.

    Args:
        settings: `OptimizeConfig`, of which image_width is read.
        size: short side, pixels; 0 for image_width, or for the content's own size when that is 0, too.
        where: its file, for the errors.

    Raises:
        UserError: too small for the loss network.
    """
    if size and settings.image_width:
        raise UserError(
            "options size and image_width: found both, expected the short side or the width of the pastiche"
        )
    if size:
        picture = picture.resized(short_side_shape(picture.pixels, size))
    elif settings.image_width:
        picture = picture.resized(width_shape(picture.pixels, settings.image_width))
    check_size(picture.pixels, settings, where)
    return picture


def check_size(content, settings, where="content"):
    """Raises a UserError for a content (H, W, 3) that is too small for the loss network, at full size or at a level."""
    widths = [*settings.coarse_widths, content.shape[1]]
    height, width = min((round(content.shape[0] * width / content.shape[1]), width) for width in widths)
    if min(height, width) < SMALLEST_SIDE:
        raise UserError(
            f"{where}: found {width} x {height} pixels, expected {SMALLEST_SIDE} a side or more; enlarge it with --size"
        )
