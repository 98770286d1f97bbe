"""Which model and which styles the options pick: images or names, one, a blend, a strip, a square, a sheet."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from src.engines.choice import bundled_styles
from src.errors import UserError
from src.images.files import list_images, read_image
from src.styles import blend_weights, style_name
from src.stylize.stylizer import Stylizer


@dataclass(frozen=True)
class Choice:
    """The styles that the options pick.

    Attributes:
        styles: what `Stylizer.embed` takes: images or names.
        weights: one a style.
        names: one a style.
        files: files of the style images; empty where the styles are names.
    """

    styles: list
    weights: list
    names: list
    files: list


def open_chosen(settings, runtime_options, named=False, work=None) -> tuple[Stylizer, str]:
    """The `Stylizer` that the options pick, and its checkpoint; empty for the bundled model that embeds images.

    Args:
        settings: `src.sections.StylizeConfig`.
        runtime_options: `src.sections.RuntimeConfig`.
        named: whether the styles are picked by name, which without a checkpoint takes the bundled model with a table.
        work: see `src.engines.choice.choose_engine`.

    Raises:
        UserError: see `Stylizer.open`.
    """
    checkpoint = settings.checkpoint or (bundled_styles(settings.engine) if named else "")
    stylizer = Stylizer.open(
        checkpoint,
        settings.engine,
        inception_ckpt=settings.inception_ckpt,
        runtime=runtime_options,
        tile=settings.tile,
        work=work,
    )
    return stylizer, checkpoint


def choose_images(style, settings) -> Choice:
    """The style images that the options name: one, several, or for a sheet a folder of them.

    Args:
        style: the style image, or None.
        settings: `src.sections.StylizeConfig`.

    Raises:
        UserError: options of a model with a table, see also `style_files`; an image that can't be read.
    """
    if settings.style or isinstance(settings.style_weights, dict):
        option = "style" if settings.style else "style_weights"
        raise UserError(f"option {option}: names styles, and there is no model with a table of them; name style images")
    if settings.sheet and style and Path(style).is_dir():
        files, weights = list_images(style, "style"), []
    else:
        files, weights = style_files(style, settings.styles, settings.style_weights)
    return Choice([read_image(path) for path in files], weights, [style_name(path) for path in files], files)


def choose_names(table, style, settings) -> Choice:
    """The styles of a model's table that the options pick; for a sheet without any, all. See `named_styles`."""
    if settings.sheet and not (style or settings.styles or settings.style or settings.style_weights):
        styles, weights = list(table), []
    else:
        styles, weights = named_styles(table, style, settings)
    return Choice(styles, weights, [name if name in table else table[int(name)] for name in styles], [])


def check_choice(choice, settings):
    """Raises a UserError for a strip, a square or regions that need another number of styles."""
    regions = len(settings.mask) > 1
    for name, value in (("mask", regions), ("sheet", settings.sheet), ("blend_steps", settings.blend_steps)):
        if value and settings.style_weights:
            raise UserError(f"option {name}: each style stands for itself there; leave --style_weights out")
    both = [name for name, value in (("sheet", settings.sheet), ("blend_steps", settings.blend_steps)) if value]
    if len(both) + regions > 1:
        raise UserError(f"option {both[0]}: found together with {both[-1] if regions < 1 else 'several masks'}")
    check_blend(settings.blend_steps, choice.styles)


def embed_rows(stylizer, choice, settings, scale=1.0) -> list[list]:
    """Embeddings of a `Choice`, see `src.stylize.painting.Painter`; the scale is that of `Stylizer.embed`."""
    corners = [stylizer.embed(style, scale) for style in choice.styles]
    if settings.sheet or len(settings.mask) > 1:
        return [corners]
    return blend_rows(stylizer, corners, choice.weights, settings.blend_steps)


def style_files(style, styles, weights) -> tuple[list, list[float]]:
    """The style image files and a weight for each, from a single style or several.

    Raises:
        UserError: neither a single style nor several, or both; no such file; weights that make no blend.
    """
    if bool(style) == bool(styles):
        found = "both a style image and --styles" if style else "no style image after the photograph"
        raise UserError(f"option styles: found {found}, expected one style image, or --styles and as many as you like")
    if style and weights:
        raise UserError("option style_weights: is for several styles; name them with --styles, or use --strength")
    styles = styles or [style]
    weights = weights or [1.0] * len(styles)
    if len(weights) != len(styles):
        raise UserError(f"option style_weights: found {len(weights)} for {len(styles)} styles, expected one a style")
    if not all(0 <= weight < float("inf") for weight in weights) or not sum(weights):
        raise UserError(f"option style_weights: found {weights}, expected numbers from 0, one of them above 0")
    for path in styles:
        if Path(path).is_dir():
            raise UserError(f"option styles: {path} is a folder, expected an image file (--sheet takes a folder)")
    return styles, weights


def names_styles(style, settings) -> bool:
    """Whether the options may pick styles by name, as a model with a table has them, rather than by image files.

    Args:
        style: the style image, or None.
        settings: `src.sections.StylizeConfig`.
    """
    if settings.style or isinstance(settings.style_weights, dict):
        return True
    # one of the bundled models has a table, whose names have no ending; a file's name has one
    if not settings.checkpoint:
        return bool(settings.styles) and not any(Path(name).suffix or Path(name).exists() for name in settings.styles)
    files = settings.styles and all(Path(path).exists() for path in settings.styles)
    return not style and not files


def named_styles(styles, style, settings) -> tuple[list, list[float]]:
    """The styles that the options pick from a model's table, and a weight for each.

    Args:
        styles: names of the model's styles.
        style: the style image, or None.
        settings: `src.sections.StylizeConfig`.

    Raises:
        UserError: no style is picked where the model has several, or styles are picked in two ways; weights with
            another sum than 1.
    """
    known = ", ".join(styles)
    if style:
        raise UserError(f"style image {style}: the model embeds no images; choose with --style one of {known}")
    by_weights = settings.style_weights if isinstance(settings.style_weights, dict) else {}
    ways = [way for way in (settings.style, settings.styles, by_weights) if way]
    if len(ways) > 1 or (settings.style and settings.style_weights):
        raise UserError("option style: found more than one of --style, --styles and --style_weights name=weight")
    if not ways and len(styles) > 1:
        raise UserError(f"option style: missing; choose one of {known}, or blend with --style_weights name=weight,...")
    chosen = [settings.style] if settings.style else list(by_weights) or settings.styles or list(styles)
    weights = list(by_weights.values()) or settings.style_weights or [1 / len(chosen)] * len(chosen)
    if len(weights) != len(chosen):
        raise UserError(f"option style_weights: found {len(weights)} for {len(chosen)} styles, expected one a style")
    if len(set(chosen)) < len(chosen):
        raise UserError(f"option styles: found {', '.join(chosen)}, where one style stands twice")
    blend_weights(styles, dict(zip(chosen, weights, strict=True)))
    return chosen, weights


def blend_rows(stylizer, corners, weights, steps=0) -> list[list]:
    """Embeddings of a blend of styles, or of a strip or a square of blends: rows of them.

    Args:
        stylizer: `src.stylize.stylizer.Stylizer`.
        corners: embeddings of the styles.
        weights: weights of a single blend, for 0 steps.
        steps: 0 for a single blend. Otherwise the number of pictures in a strip from the first style to the second, or
            in a side of a square with the first two styles above and the other two below (Dumoulin et al. 2016,
            figure 7).
    """
    if not steps:
        return [[stylizer.blend(corners, weights)]]
    places = np.linspace(0, 1, steps)
    pairs = [corners[i : i + 2] for i in range(0, len(corners), 2)]
    across = [[stylizer.blend(pair, [1 - x, x]) for x in places] for pair in pairs]
    if len(across) == 1:
        return across
    return [[stylizer.blend(pair, [1 - y, y]) for pair in zip(*across, strict=True)] for y in places]


def check_blend(steps, styles):
    """Raises a UserError unless so many steps between these styles make a strip or a square."""
    if not steps:
        return
    if len(styles) not in (2, 4):
        found = f"option blend_steps: found {len(styles)} style{'s' * (len(styles) != 1)}"
        raise UserError(f"{found}, expected 2 for a strip or 4 for a square (--styles)")
