"""Options of stylize.py."""

from dataclasses import dataclass

from src.options.option import Options, PathText, option
from src.options.programs import COLORS, COLORS_HELP, INCEPTION_HELP, SHARD_HELP


@dataclass(frozen=True)
class StylizeConfig(Options):
    output: PathText = option(
        "",
        "picture to write, or folder when the contents are several; - for stdout",
        aliases=("output_path", "-o"),
        common=True,
    )
    style: str = option(
        "",
        "style of an n_styles model, by the name of its image without the ending, or by its number from 0",
        common=True,
    )
    styles: list[PathText] = option(
        [],
        "several style images (of an n_styles model names or numbers), blended by style_weights",
        common=True,
    )
    style_weights: list[float] | dict[str, float] = option(
        [],
        "a weight for each of styles, or of an n_styles model name=weight,name=weight with the sum 1; empty for equal "
        "weights",
        common=True,
    )
    blend_steps: int = option(
        0,
        "blends of 2 styles in a strip of so many pictures, of 4 in a square of them, as one picture",
        least=2,
        most=16,
        zero="for one blend",
    )
    strength: float = option(
        1.0,
        "0 keeps the content's own style, 1 is the style, up to 1.5 exaggerates",
        least=0,
        most=1.5,
        common=True,
    )
    strength_by: str = option(
        "auto",
        "what strength mixes: the style's embedding with the content's own, or the pixels of pastiche and content; "
        "auto takes the embeddings where the model embeds images, and the pixels where it has a table of styles",
        choices=("auto", "embedding", "pixels"),
    )
    style_scale: list[float] = option(
        [1.0],
        "size of the strokes; 2 makes them about twice as large. With --method optimize one number, or one a style",
        least=0.05,
        most=20,
    )
    preserve_colors: str = option("none", COLORS_HELP, **COLORS, common=True)
    mask: list[PathText] = option(
        [],
        "picture in grey: the style where it is white, the content where it is black; or one a style, for regions",
    )
    size: int = option(0, "short side of the output, pixels", least=1, zero="for the content's own size", common=True)
    tile: int = option(
        0,
        "side of the tiles in which contents are stylised, pixels",
        least=128,
        multiple=4,
        zero="to choose by the content's size and the free memory",
    )
    engine: str = option(
        "auto",
        "what runs the networks; auto takes the fastest that is installed and can read the checkpoint, as far as is "
        "known (docs/stylize.md)",
        choices=("auto", "mindspore", "mindir", "onnxruntime", "openvino", "mindspore_lite"),
        common=True,
    )
    checkpoint: PathText = option(
        "",
        "checkpoint, this project's or the published one, or one of a pair of exported files; empty takes a bundled "
        "model, the one with a table when styles are named",
        aliases=("ckpt_path",),
        common=True,
    )
    inception_ckpt: PathText = option("", INCEPTION_HELP)
    sheet: bool = option(
        False, "the content in every style of a folder, or of the model's table, as one picture with names"
    )
    metadata: bool = option(
        True, "keep the content's EXIF, and write into the picture how it was made (PNG, JPEG and WebP)"
    )
    again: PathText = option(
        "",
        "picture of this program, to be made anew: with its content and styles, or with another content",
    )
    shard: str = option("", SHARD_HELP)
    overwrite: bool = option(
        False, "replace an output that exists; without it a folder's pictures that are there are left out", common=True
    )
