"""Styles by name: the rows of a table are named after the files of their style images. Imports no MindSpore."""

import re
from pathlib import Path

import numpy as np

from src.errors import UserError

# how far from 1 the sum of weights may be, since people round them
ROUNDING = 1e-3


def style_name(path) -> str:
    """A style's name from its image's file: without the ending, "_" for what separates names on a command line."""
    return re.sub(r"[\s,=]+", "_", Path(path).stem)


def style_names(paths) -> list[str]:
    """Names of the styles of image files, in their order.

    Raises:
        UserError: two files whose names would be the same.
    """
    named = {}
    for path in paths:
        other = named.setdefault(style_name(path), path)
        if other != path:
            raise UserError(
                f"option style_path: {other} and {path} would both be style {style_name(path)!r}; rename one"
            )
    return list(named)


def find_style(styles, choice) -> int:
    """Which of a model's styles a name, or a number from 0 (also as text), means.

    Raises:
        UserError: the model has no such style; the error lists the model's styles.
    """
    if isinstance(choice, str) and choice in styles:
        return styles.index(choice)
    text = str(choice)
    if text.isdecimal() and int(text) < len(styles):
        return int(text)
    known = ", ".join(f"{i} {name}" for i, name in enumerate(styles))
    raise UserError(f"style {choice!r}: the model has no such style; it has {known}")


def blend_weights(styles, chosen) -> np.ndarray:
    """The weights (1, styles), float32, of a blend of a model's styles.

    Args:
        styles: names of the model's styles.
        chosen: a name or a number, or a dict of them to weights with the sum 1.

    Raises:
        UserError: a style that the model lacks, or that is named twice; weights below 0, or with another sum.
    """
    chosen = chosen if isinstance(chosen, dict) else {chosen: 1.0}
    weights = np.zeros((1, len(styles)), np.float32)
    found = [find_style(styles, name) for name in chosen]
    if len(set(found)) < len(found):
        raise UserError(f"option style_weights: found {', '.join(map(str, chosen))}, where one style stands twice")
    values = list(map(float, chosen.values()))
    if not all(value >= 0 for value in values) or not abs(sum(values) - 1) <= ROUNDING:
        given = ", ".join(f"{name}={value:g}" for name, value in zip(chosen, values, strict=True))
        raise UserError(
            f"option style_weights: found {given or 'nothing'} (sum {sum(values):g}), expected numbers from 0 with the "
            "sum 1"
        )
    weights[0, found] = np.array(values) / sum(values)
    return weights


def match_styles(styles, files) -> list[str] | None:
    """The model's style for each style image, by the files' names; None for a model without a table.

    A single image goes with a model of a single style whatever its name is.

    Raises:
        UserError: an image of a style that the model lacks, or two images of one style.
    """
    if not styles:
        return None
    if len(styles) == len(files) == 1:
        return list(styles)
    names = style_names(files)
    for path, name in zip(files, names, strict=True):
        if name not in styles:
            raise UserError(f"option style_path: {path}: the model has no style {name!r}; it has {', '.join(styles)}")
    return names
