"""Pictures of many pictures: a grid of contents and styles, and strips of interpolations."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 4
LARGEST_CELL, SMALLEST_CELL = 256, 96
LARGEST_FRAME = 512
GRID_SIDE = 3600
MOST_ROWS = MOST_COLUMNS = 30
LABEL, LETTER = 26, 16


def thumbnail(image, side) -> np.ndarray:
    """uint8 (H, W, 3) of any shape, fitted into the middle of a white side x side square."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size != (width, height):
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))
    cell = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    cell[top : top + size[1], left : left + size[0]] = image
    return cell


class Grid:
    """A table of pictures: a column a style, a row a content, the originals as headers, a pastiche in every cell.

    Cells shrink with the number of columns and rows, from 256 px to 96. Contents and styles beyond 30 are left out.
    Only thumbnails are kept.

    Args:
        contents, styles: numbers of contents and styles.
    """

    def __init__(self, contents, styles):
        self.rows, self.columns = min(contents, MOST_ROWS), min(styles, MOST_COLUMNS)
        self.cut = (self.rows, self.columns) != (contents, styles)
        fitting = GRID_SIDE // (max(self.rows, self.columns) + 1) - GAP
        self.cell = max(SMALLEST_CELL, min(LARGEST_CELL, fitting))
        pitch = self.cell + GAP
        self._canvas = np.full(((self.rows + 1) * pitch - GAP, (self.columns + 1) * pitch - GAP, 3), 255, np.uint8)

    def _put(self, row, column, image):
        if row <= self.rows and column <= self.columns:
            top, left = row * (self.cell + GAP), column * (self.cell + GAP)
            self._canvas[top : top + self.cell, left : left + self.cell] = thumbnail(image, self.cell)

    def put_content(self, i, image):
        """Puts the i-th content image at the head of its row."""
        self._put(i + 1, 0, image)

    def put_style(self, j, image):
        """Puts the j-th style image at the head of its column."""
        self._put(0, j + 1, image)

    def put(self, i, j, pastiche):
        """Puts the pastiche of the i-th content and the j-th style."""
        self._put(i + 1, j + 1, pastiche)

    def image(self) -> np.ndarray:
        """The grid, uint8 (H, W, 3)."""
        return self._canvas


def draw_grid(contents, styles, stylizer, names=None) -> np.ndarray:
    """The grid, uint8 (H, W, 3), of every content with every style, lists of uint8 images, by a `Stylizer`.

    For a model with a table, `names` has the name of each style.
    """
    grid = Grid(len(contents), len(styles))
    for i, content in enumerate(contents):
        grid.put_content(i, content)
    for j, style in enumerate(styles):
        grid.put_style(j, style)
        embedding = stylizer.embed(names[j] if names else style)
        for i, content in enumerate(contents):
            grid.put(i, j, stylizer.stylize(content, embedding))
    return grid.image()


def evenly_spaced(items, count) -> list:
    """At most `count` of the items of a list, the first and the last among them."""
    places = np.linspace(0, len(items) - 1, min(count, len(items))).round().astype(int)
    return [items[i] for i in places]


def sheet(rows) -> np.ndarray:
    """Rows of frames, uint8 (H, W, 3) of one size, as one picture; frames are reduced to at most 512 px a side."""
    height, width = rows[0][0].shape[:2]
    scale = min(1.0, LARGEST_FRAME / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    pitch, shape = (size[1] + GAP, size[0] + GAP), (len(rows), len(rows[0]))
    canvas = np.full((shape[0] * pitch[0] - GAP, shape[1] * pitch[1] - GAP, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, frame in enumerate(row):
            top, left = i * pitch[0], j * pitch[1]
            cell = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))
            canvas[top : top + size[1], left : left + size[0]] = cell
    return canvas


def strip(frames) -> np.ndarray:
    """Frames side by side, see `sheet`."""
    return sheet([frames])


def labelled_sheet(frames, names) -> np.ndarray:
    """Frames of one size in rows, each with its name below, as one picture, uint8 (H, W, 3).

    Frames are reduced to at most 512 px a side. Names that are too long are cut. PIL's own font writes the names; it
    has Latin letters only and draws a square for any other.
    """
    height, width = frames[0].shape[:2]
    scale = min(1.0, LARGEST_FRAME / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    cell = max(size[0], SMALLEST_CELL)
    # as many columns as make the sheet about square
    columns = min(len(frames), max(1, round((len(frames) * (size[1] + LABEL) / cell) ** 0.5)))
    rows = -(-len(frames) // columns)
    pitch = cell + GAP, size[1] + LABEL + GAP
    canvas = Image.new("RGB", (columns * pitch[0] + GAP, rows * pitch[1] + GAP), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(LETTER)
    for number, (frame, name) in enumerate(zip(frames, names, strict=True)):
        left, top = GAP + number % columns * pitch[0], GAP + number // columns * pitch[1]
        canvas.paste(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS), (left + (cell - size[0]) // 2, top))
        while draw.textlength(name, font) > cell and len(name) > 1:
            name = name[:-2] + "…"
        draw.text((left + cell / 2, top + size[1] + LABEL / 2), name, "black", font, anchor="mm")
    return np.array(canvas)
