"""Pictures `<content>_<style>` that some program made, measured in the place of a model's pastiches."""

from pathlib import Path

from src.errors import UserError
from src.evaluation.names import pair_names
from src.evaluation.pairs import Pair
from src.images.files import list_images, read_at, read_image

SHOWN_NAMES = 3


def find_pictures(folder, contents, styles):
    """Which pictures of a folder belong to which pair; without subfolders.

    Names are those that eval.py writes: `<content stem>_<style stem>`, with "-2", "-3" ... for pairs whose names would
    be the same. The ending is that of any image format.

    Args:
        folder: where they lie.
        contents, styles: the lists of files.

    Returns:
        {(content index, style index): path}, and the paths that belong to no pair.

    Raises:
        UserError: no such folder, no picture of any pair, or two pictures of one pair.
    """
    top = Path(folder).expanduser()
    if not top.is_dir():
        raise UserError(f"option pictures: {top}: no such folder; expected a folder of pictures, or true or false")
    stems = pair_names(contents, styles)
    places = {stem: divmod(position, len(styles)) for position, stem in enumerate(stems)}
    pictures, others = {}, []
    for path in list_images(top, "pictures"):
        place = places.get(path.stem) if path.parent == top else None
        if place is None:
            others.append(path)
        elif place in pictures:
            raise UserError(f"option pictures: {pictures[place]} and {path} are of the same pair; leave one of them")
        else:
            pictures[place] = path
    if not pictures:
        raise UserError(
            f"option pictures: {top}: no picture of any of the {len(stems)} pairs; expected names such as "
            f"{stems[0]}.png, found {named(others)}"
        )
    return pictures, others


def named(paths) -> str:
    """The names of the first few of some files."""
    return ", ".join(path.name for path in paths[:SHOWN_NAMES]) + (", ..." if len(paths) > SHOWN_NAMES else "")


def with_pictures(pictures, contents, styles):
    """Leaves contents and styles without a picture out.

    Returns:
        the contents, the styles, and the pictures {(content index, style index): path} of these shorter lists.
    """
    rows, columns = (sorted({place[axis] for place in pictures}) for axis in (0, 1))
    moved = {(rows.index(i), columns.index(j)): path for (i, j), path in pictures.items()}
    return [contents[i] for i in rows], [styles[j] for j in columns], moved


def read_picture(path, content, content_path):
    """A picture, uint8 (H, W, 3), of the content's size.

    Raises:
        UserError: unreadable, or of another size; a resized picture would have other figures.
    """
    picture = read_image(path)
    if picture.shape != content.shape:
        found, expected = (f"{image.shape[1]} x {image.shape[0]}" for image in (picture, content))
        raise UserError(
            f"picture {path}: found {found} pixels, expected {expected}, the size of {content_path.name} at this "
            "image_size; give the --image_size that the pictures were made at, or make them anew"
        )
    return picture


def check_pictures(pictures, contents, image_size):
    """Raises the UserError of a picture that can't be measured, before the first is measured."""
    for i, path in enumerate(contents):
        content = read_at(path, image_size)
        for (row, _), picture in pictures.items():
            if row == i:
                read_picture(picture, content, path)


def measure_pictures(pictures, contents, styles, metric, image_size=0):
    """Measures the pictures of pairs, contents in the outer loop, and yields a `Pair` each without embedding and time.

    Args:
        pictures: {(content index, style index): path}.
        contents, styles: lists of files.
        metric: `src.evaluation.metrics.ImageMetric`.
        image_size: see `src.images.files.read_at`.

    Raises:
        UserError: an unreadable image, or a picture of another size than its content.
    """
    described = [metric.describe_style(read_at(path, image_size)) for path in styles]
    for i, path in enumerate(contents):
        content = read_at(path, image_size)
        description = metric.describe(content)
        for j, style in enumerate(described):
            if (i, j) in pictures:
                picture = read_picture(pictures[i, j], content, path)
                measurement = metric.measure(picture, description, style)
                yield Pair(i, j, content, picture, None, measurement, float("nan"))
