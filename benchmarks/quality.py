"""Measures the bundled model beside the untouched content, its teacher and Gatys' optimisation: the model card's table.

    python benchmarks/quality.py --content_path C --style_path S --image_size 256 --output_path output/quality \\
        --loss_network distilled_vgg19 --loss_network_ckpt vgg19_distilled_16x.npz [--teacher F] [--gatys_pairs 25]

Writes quality.csv (one row a method and pair), quality.md (medians) and quality.png (6 contents x 6 styles of the
model). The losses that Gatys' method minimises are those of the recipe that the model was trained with
(--config_path configs/compact.yaml).
"""

import dataclasses
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from src.config import defaults, parse
from src.errors import UserError, run_entry
from src.files import atomic_write, check_folder
from src.images.files import list_images, read_at, write_image
from src.options.option import Options, PathText, option

SHOWN = 6


@dataclasses.dataclass(frozen=True)
class QualityOptions(Options):
    """What is measured beside the model."""

    teacher: PathText = option(
        "",
        "checkpoint measured beside ckpt_path (a statistics predictor reads the loss network); empty for none",
    )
    gatys_pairs: int = option(
        25, "pairs whose pastiche is also optimised, spread over all of them", least=1, zero="for none"
    )
    gatys_steps: int = option(300, "steps of that optimisation", least=1)


class Untouched:
    """The photograph itself in the place of a pastiche: style distance left is 1 by definition."""

    def embed(self, style):
        """Nothing."""
        return None

    def stylize(self, content, embedding):
        """The content."""
        return content


def sample(contents, styles, count) -> set:
    """`count` pairs (content index, style index) in which every content and every style comes up about as often."""
    return {(k % contents, (k * 7 + k // contents) % styles) for k in range(count)}


def measure(name, method, contents, styles, metric, image_size, wanted=None):
    """Rows of the table for one method: dicts of figures."""
    from src.evaluation.pairs import evaluate_pairs

    rows = []
    for pair in evaluate_pairs(contents, styles, method, metric, image_size, wanted):
        names = {"content": contents[pair.content_index].name, "style": styles[pair.style_index].name}
        rows.append({"method": name, **names, **pair.figures()})
    print(f"{name}: {len(rows)} pairs, {describe(rows)}", flush=True)
    return rows


def middle(rows, key) -> str:
    """The median of a figure, with the 10th and 90th percentile when there are enough rows."""
    from src.evaluation.pairs import finite

    values = finite(rows, key)
    text = f"{np.median(values):.3f}"
    if len(values) < 20:
        return text
    return text + " ({:.2f} to {:.2f})".format(*np.percentile(values, (10, 90)))


def describe(rows) -> str:
    """One line about some rows."""
    return f"style left {middle(rows, 'style_left')}, content distance {middle(rows, 'content_distance')}"


def table(groups) -> str:
    """Markdown: one line a method; medians, 10th to 90th percentile in brackets."""
    columns = {
        "style_left": "style distance left",
        "content_distance": "content distance",
        "ssim": "SSIM",
        "grid_energy": "grid energy",
        "colour_mean": "mean colour",
        "colour_covariance": "colour covariance",
    }
    lines = [f"| method | pairs | {' | '.join(columns.values())} |", "| --- " * (2 + len(columns)) + "|"]
    for name, rows in groups:
        cells = [middle(rows, key) for key in columns]
        lines.append(f"| {name} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main(argv):
    """Reads the options, measures, writes the three files, returns the exit code."""
    options = parse(argv, ("eval", "loss", "runtime"), __doc__.splitlines()[0], own=QualityOptions)
    settings = options.eval
    if settings.image_size < 32:
        raise UserError(f"option image_size: found {settings.image_size}, expected 32 or more (256 in the model card)")
    folder = check_folder(settings.output_path, "output_path")
    contents = list_images(settings.content_path, "content_path", folder)
    styles = list_images(settings.style_path, "style_path", folder)

    from src.evaluation.metrics import create_metric
    from src.evaluation.pairs import write_table
    from src.images.sheets import draw_grid, evenly_spaced
    from src.optimize.method import Gatys
    from src.runtime import setup
    from src.stylize.stylizer import Stylizer

    runtime = setup(options.runtime)
    metric = create_metric(options.loss)
    if not metric.has_features:
        raise UserError(
            "option loss_network_ckpt: expected the weights of the loss network to measure with, found none"
        )
    given = {"engine": "mindspore", "loss": options.loss, "runtime": runtime}
    stylizer = Stylizer.open(settings.ckpt_path, inception_ckpt=settings.inception_ckpt, **given)
    size = settings.image_size
    few = sample(len(contents), len(styles), options.own.gatys_pairs)
    groups = [("untouched content", measure("untouched content", Untouched(), contents, styles, metric, size))]
    ours = measure("model", stylizer, contents, styles, metric, size)
    groups.append(("model", ours))
    if options.own.teacher:
        teacher = Stylizer.open(options.own.teacher, **given)
        groups.append(("teacher", measure("teacher", teacher, contents, styles, metric, size)))
    if few:
        names = {(contents[i].name, styles[j].name) for i, j in few}
        groups.append(("model, same pairs as Gatys", [r for r in ours if (r["content"], r["style"]) in names]))
        settings = dataclasses.replace(defaults()["optimize"], iterations=options.own.gatys_steps)
        gatys = Gatys(options.loss, settings)
        name = f"Gatys, {options.own.gatys_steps} steps"
        groups.append((name, measure(name, gatys, contents, styles, metric, size, few)))

    rows = [row for name, group in groups for row in group if row["method"] == name]
    write_table(folder / "quality.csv", rows)
    with atomic_write(folder / "quality.md") as temporary:
        Path(temporary).write_text(table(groups), encoding="utf-8")
    shown = [[read_at(path, size) for path in evenly_spaced(paths, SHOWN)] for paths in (contents, styles)]
    write_image(folder / "quality.png", draw_grid(*shown, stylizer))
    print(table(groups) + f"quality.csv, quality.md and quality.png are in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(run_entry(main))
