"""Every content with every style: pastiches, figures, a grid, interpolations."""

import csv
import itertools
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from src.evaluation.metrics import Measurement
from src.evaluation.names import pair_names, unique_names
from src.files import atomic_write, refuse_inputs
from src.images.files import read_at, write_image
from src.images.sheets import Grid, strip


class PairStylizer(Protocol):
    """What stylises the pairs: `src.stylize.stylizer.Stylizer`, or `src.optimize.method.Gatys`.

    Attributes:
        styles: names of the styles of a table; empty where style images are embedded.
    """

    styles: tuple

    def embed(self, style: Any) -> Any:
        """What `stylize` takes for a style: an image, uint8 (H, W, 3), or a name of `styles`."""

    def stylize(self, content: np.ndarray, embedding: Any) -> np.ndarray:
        """The pastiche of a content image, both uint8 (H, W, 3), under what `embed` returned."""


@dataclass(frozen=True)
class Pair:
    """One content with one style.

    Attributes:
        content_index, style_index: positions in the lists of files.
        content: the uint8 (H, W, 3) image, resized and cropped to `image_size` when that is not 0.
        pastiche: uint8 of the content's shape.
        embedding: what the method's `embed` returned for the style; None for a picture of a file.
        measurement: the figures.
        milliseconds: time to stylise, without embedding, compiling and measuring; NaN for a picture of a file.
    """

    content_index: int
    style_index: int
    content: np.ndarray
    pastiche: np.ndarray
    embedding: np.ndarray | None
    measurement: Measurement
    milliseconds: float

    def figures(self) -> dict:
        """The figures by name, as the tables have them."""
        found = self.measurement
        return {
            "ssim": found.ssim,
            "content_distance": found.content_distance,
            "style_left": found.style_left,
            **{f"style_left_{tap}": value for tap, value in found.style_left_taps.items()},
            "grid_energy": found.grid_energy,
            "colour_mean": found.colour_mean,
            "colour_covariance": found.colour_covariance,
            "milliseconds": self.milliseconds,
        }


def evaluate_pairs(contents, styles, method, metric, image_size=0, only=None, names=None):
    """Stylises and measures every content with every style, contents in the outer loop.

    Each style is embedded once, and the metric describes each image once. The first pair is stylised an extra time
    before it is timed, so that no time contains a compilation.

    Args:
        contents, styles: lists of files.
        method: stylises, see `PairStylizer`.
        metric: `src.evaluation.metrics.ImageMetric`.
        image_size: see `src.images.files.read_at`.
        only: (content index, style index) of the pairs to do; None for all.
        names: of the styles in a table, embedded in place of the images; or None.

    Yields:
        a `Pair` each.

    Raises:
        UserError: an unreadable image.
    """
    embeddings, described, warm = [], [], False
    for j, path in enumerate(styles):
        image = read_at(path, image_size)
        embeddings.append(method.embed(names[j] if names else image))
        described.append(metric.describe_style(image))
    for i, path in enumerate(contents):
        content = read_at(path, image_size)
        description = metric.describe(content)
        for j, embedding in enumerate(embeddings):
            if only is not None and (i, j) not in only:
                continue
            if not warm:
                method.stylize(content, embedding)
                warm = True
            started = time.perf_counter()
            pastiche = method.stylize(content, embedding)
            milliseconds = 1000 * (time.perf_counter() - started)
            measurement = metric.measure(pastiche, description, described[j])
            yield Pair(i, j, content, pastiche, embedding, measurement, milliseconds)


class EvaluationFolder:
    """Writes the results of an evaluation: `<content stem>_<style stem>.png`, grid.png, metrics.csv, and a summary.

    Two pairs whose names would be the same (one stem in two folders, or with two endings) get "-2", "-3" ... in sorted
    order. A picture that would replace a content or a style image is a UserError.

    Args:
        folder: where the results go.
        contents, styles: the lists of files.
        content_names, style_names: how the table names them.
        image_size: see `src.images.files.read_at`.
        pictures: whether to write the pastiches one by one.
    """

    def __init__(self, folder, contents, styles, content_names, style_names, image_size=0, pictures=True):
        self.folder, self.pictures = Path(folder), pictures
        self.contents, self.styles, self.image_size = contents, styles, image_size
        self.content_names, self.style_names = content_names, style_names
        self.pairs = pair_names(contents, styles)
        outputs = [f"{name}.png" for name in self.pairs] if pictures else []
        inputs = {**dict.fromkeys(styles, "the style image"), **dict.fromkeys(contents, "the content")}
        refuse_inputs([self.folder / name for name in (*outputs, "grid.png")], inputs)
        self.grid = Grid(len(contents), len(styles))
        for j, path in enumerate(styles[: self.grid.columns]):
            self.grid.put_style(j, read_at(path, image_size))
        self.rows = []
        self.embeddings = {}

    def add(self, pair, picture=""):
        """Takes a `Pair`: writes its picture, unless there is one already; keeps its thumbnail and figures.

        Args:
            picture: name of the picture when it exists.
        """
        i, j = pair.content_index, pair.style_index
        if self.pictures and not picture:
            picture = f"{self.pairs[i * len(self.styles) + j]}.png"
            write_image(self.folder / picture, pair.pastiche)
        if not self.rows or self.rows[-1]["content"] != self.content_names[i]:
            self.grid.put_content(i, pair.content)
        self.grid.put(i, j, pair.pastiche)
        self.embeddings[j] = pair.embedding
        names = {"content": self.content_names[i], "style": self.style_names[j]}
        self.rows.append({**names, "picture": picture, **pair.figures()})

    def finish(self):
        """Writes grid.png and metrics.csv (one row a pair; a missing figure is left empty)."""
        write_image(self.folder / "grid.png", self.grid.image())
        write_table(self.folder / "metrics.csv", self.rows)

    def interpolate(self, stylizer, steps):
        """Writes to interpolation/, for every content, a strip to each style and one from each style to the next.

        The first kind, `<content>_<style>.png`, begins with the content's own style, and is left out where a table of
        styles embeds no contents; the second is `<content>_<style>_to_<style>.png`. Each has `steps` pictures, both
        ends among them.
        """
        count = len(self.styles)
        betweens = unique_names(
            [f"{c.stem}_{s.stem}_to_{t.stem}" for c in self.contents for s, t in itertools.pairwise(self.styles)]
        )
        for i, path in enumerate(self.contents):
            content = read_at(path, self.image_size)
            paths = []
            if not stylizer.styles:
                own = stylizer.embed(content)
                paths = [(own, self.embeddings[j], self.pairs[i * count + j]) for j in range(count)]
            for j in range(count - 1):
                paths.append((self.embeddings[j], self.embeddings[j + 1], betweens[i * (count - 1) + j]))
            for start, end, name in paths:
                frames = [
                    stylizer.stylize(content, stylizer.blend([start, end], [1 - t, t]))
                    for t in np.linspace(0, 1, steps)
                ]
                write_image(self.folder / "interpolation" / f"{name}.png", strip(frames))

    def summary(self) -> str:
        """Median, 10th and 90th percentile of every figure over the pairs, as a table."""
        lines = [f"{'':24}{'median':>10}{'10 %':>10}{'90 %':>10}"]
        for key in list(self.rows[0])[3:]:
            values = finite(self.rows, key)
            if len(values):
                digits = 1 if key in ("milliseconds", "grid_energy", "colour_mean") else 4
                cells = (f"{value:>10.{digits}f}" for value in np.percentile(values, (50, 10, 90)))
                lines.append(f"{key:24}{''.join(cells)}")
        return "\n".join(lines)


def finite(rows, key) -> np.ndarray:
    """The values of a figure over some rows, without missing ones (NaN)."""
    values = np.array([row[key] for row in rows], np.float64)
    return values[np.isfinite(values)]


def write_table(path, rows):
    """Writes rows, dicts with the same keys, as CSV; a missing figure (NaN) is left empty.

    Bytes of file names that are no text are escaped, such as \\udce9.
    """
    writing = {"newline": "", "encoding": "utf-8", "errors": "backslashreplace"}
    with atomic_write(path) as temporary, open(temporary, "w", **writing) as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)


def _cell(value):
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
