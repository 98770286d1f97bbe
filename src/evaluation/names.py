"""Names of the pictures of contents with styles. Importing this module does not import mindspore."""

from pathlib import Path


def unique_names(stems) -> list[str]:
    """A file name for each stem, in order: the stem, or the stem with "-2", "-3" ... when the name is taken already.

    Upper and lower case count as the same, as some file systems do.
    """
    taken, names = set(), []
    for stem in stems:
        name, number = stem, 1
        while name.lower() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.lower())
        names.append(name)
    return names


def pair_names(contents, styles) -> list[str]:
    """Names without an ending of the pictures of every content with every style, contents in the outer loop.

    Args:
        contents, styles: lists of `pathlib.Path`.
    """
    return unique_names([f"{content.stem}_{style.stem}" for content in contents for style in styles])


def relative_names(paths, top) -> list[str]:
    """Paths as they stand under the folder they were listed from; a single file's name."""
    top = Path(top).expanduser()
    return [path.name if path == top else path.relative_to(top).as_posix() for path in paths]
