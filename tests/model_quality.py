"""Figures of the bundled model over fixed pairs. As a program it writes the bounds that test_quality.py holds them to.

python tests/model_quality.py [--loss_network_ckpt ../shared/weights/vgg19_distilled_16x.npz]

To be run when a new model is packed, and the differences looked at. Without the weights of the distilled VGG-19 the
bounds of the two distances stay as they are.
"""

import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from src.color_loss import LUMA_CHROMA  # noqa: E402
from src.config import defaults, parse  # noqa: E402
from src.errors import run_entry  # noqa: E402
from src.evaluation.metrics import ImageMetric, create_metric  # noqa: E402
from src.evaluation.pairs import evaluate_pairs  # noqa: E402
from src.images.files import read_at  # noqa: E402

BOUNDS = ROOT / "tests" / "quality_bounds.json"
CONTENTS = [ROOT / f"dataset/test/content/{name}.jpg" for name in ("astronaut", "cat", "coffee")]
STYLES = [ROOT / f"dataset/test/style/{name}.jpg" for name in ("burning_sky", "facets", "swirling_night", "hatching")]
SIDE = 256
# rounding differs from one processor and version to the next; a figure may get worse by this part
SLACK = 0.05
AT_LEAST = ("ssim", "edges_kept", "styles_apart")
NEED_WEIGHTS = ("style_left", "content_distance")


def edges(image):
    """Strength of the edges between the means of 8 x 8 blocks: where there is something, whatever its strokes."""
    grey = image.mean(2)
    height, width = (side // 8 * 8 for side in grey.shape)
    blocks = grey[:height, :width].reshape(height // 8, 8, width // 8, 8).mean((1, 3))
    return np.hypot(*np.gradient(blocks)).ravel()


def colour_detail(image):
    """Variance of the colour differences Cb and Cr within areas of 4 x 4 pixels: stripes and speckles, not patches."""
    differences = image.astype(float) @ np.array(LUMA_CHROMA[1:]).T
    height, width = (side // 4 for side in image.shape[:2])
    areas = differences[: 4 * height, : 4 * width].reshape(height, 4, width, 4, 2)
    return float(areas.var((1, 3)).sum(2).mean())


def measure_pairs(stylizer, metric=None):
    """The `src.evaluation.pairs.Pair`s of all contents and styles; `metric` without a loss network when left out."""
    return list(evaluate_pairs(CONTENTS, STYLES, stylizer, metric or ImageMetric(), SIDE))


def pair_figures(pairs) -> dict:
    """Figures of pairs, each one number; those that need a loss network are left out where there was none."""
    found = {
        name: [getattr(pair.measurement, name) for pair in pairs] for name in ("ssim", "grid_energy", *NEED_WEIGHTS)
    }
    figures = {name: float(np.median(values)) for name, values in found.items() if np.isfinite(values).all()}
    figures["worst_grid_energy"] = float(max(found["grid_energy"]))
    for name in ("colour_mean", "colour_covariance"):
        figures[name] = float(np.median([getattr(pair.measurement, name) for pair in pairs]))
    # how many times the style's; what is below a level in both does not count
    figures["coloured_stripes"] = float(
        np.median(
            [
                (colour_detail(pair.pastiche) + 1) / (colour_detail(read_at(STYLES[pair.style_index], SIDE)) + 1)
                for pair in pairs
            ]
        )
    )
    figures["edges_kept"] = float(
        np.median([np.corrcoef(edges(pair.content), edges(pair.pastiche))[0, 1] for pair in pairs])
    )
    of_content = [
        [pair.pastiche.astype(float) for pair in pairs if pair.content_index == i] for i in range(len(CONTENTS))
    ]
    figures["styles_apart"] = float(
        min(np.abs(row[a] - row[b]).mean() for row in of_content for a in range(len(row)) for b in range(a))
    )
    return figures


def flat(value):
    return np.full((SIDE, SIDE, 3), value, np.uint8)


def odd_pictures() -> dict:
    """Contents, or styles, that are no ordinary photographs."""
    photo = read_at(CONTENTS[0], SIDE)
    return {
        "black": flat(0),
        "white": flat(255),
        "orange": flat((230, 120, 20)),
        "tiny": read_at(CONTENTS[0], 64),
        "grey": np.repeat(photo.mean(2, keepdims=True), 3, 2).astype(np.uint8),
    }


def colour_distance(image, other) -> float:
    """Distance of the mean colours of two images, levels of 255."""
    return float(np.linalg.norm(image.mean((0, 1)) - other.mean((0, 1))))


def odd_figures(stylizer) -> dict:
    """How far the colours of pastiches are from the style's where content or style is an odd picture, at worst."""
    pictures, style, content = odd_pictures(), read_at(STYLES[1], SIDE), read_at(CONTENTS[1], SIDE)
    embedding = stylizer.embed(style)
    as_content = [colour_distance(stylizer.stylize(picture, embedding), style) for picture in pictures.values()]
    as_style = [
        colour_distance(stylizer.stylize(content, stylizer.embed(picture)), picture) for picture in pictures.values()
    ]
    return {"odd_content_colours": max(as_content), "odd_style_colours": max(as_style)}


def size_figures(stylizer) -> dict:
    """How far the colours of a photograph of 4000 x 400 pixels are from those of the same one of 1000 x 100."""
    small = np.concatenate([read_at(path, 250)[:100] for path in (*CONTENTS, CONTENTS[0])], axis=1)
    embedding = stylizer.embed(read_at(STYLES[2], SIDE))
    parts = [
        np.split(stylizer.stylize(picture, embedding), 4, axis=1)
        for picture in (small, small.repeat(4, 0).repeat(4, 1))
    ]
    return {"size_colours": max(colour_distance(a, b) for a, b in zip(*parts, strict=True))}


def violated(figures, bounds) -> list[str]:
    """Names of the figures that are worse than their bounds."""
    return [
        name
        for name, value in figures.items()
        if not (value >= bounds[name] if name in AT_LEAST else value <= bounds[name])
    ]


def main(argv):
    """Measures the bundled model, prints old bounds, figures and new bounds, writes the new ones."""
    from src.runtime import setup
    from src.stylize.stylizer import Stylizer

    options = parse(argv, ("loss",), "Measures the bundled model and writes the bounds of its tests.")
    runtime = setup(defaults()["runtime"])
    metric = ImageMetric()
    if options.loss.loss_network_ckpt:
        metric = create_metric(defaults(loss={**vars(options.loss), "loss_network": "distilled_vgg19"})["loss"])
    stylizer = Stylizer.open(engine="mindspore", runtime=runtime)
    old = json.loads(BOUNDS.read_text(encoding="utf-8"))
    figures = {**pair_figures(measure_pairs(stylizer, metric)), **odd_figures(stylizer), **size_figures(stylizer)}
    new = {name: round(value * (1 - SLACK if name in AT_LEAST else 1 + SLACK), 4) for name, value in figures.items()}
    for name, value in new.items():
        print(f"{name:20} was {old.get(name)}, measured {figures[name]:.4f}, now {value}")
    kept = {name: old[name] for name in NEED_WEIGHTS if name in old}
    BOUNDS.write_text(json.dumps({**kept, **new}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_entry(main))
