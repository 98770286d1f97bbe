"""The recipe in a picture's metadata, which says how the picture was made, and how --again makes the picture anew.

A recipe names files as the command line did, with their SHA-256, so that a changed file is noticed.
"""

import hashlib
from pathlib import Path

from src.errors import UserError
from src.images.metadata import read_recipe
from src.options.option import home_path
from src.sections import SECTIONS

# options of each section in a recipe; the other options of `runtime` belong to the machine
SAID = {
    "stylize": None,
    "optimize": None,
    "loss": None,
    "network": ("method",),
    "runtime": ("precision", "seed"),
}
# options that a recipe leaves out: names of files to write, and what concerns one run only
UNSAID = ("output", "overwrite", "again", "metadata", "losses", "checkpoint_output", "checkpoint_iterations", "resume")
FORMAT = 1


def hash_file(path) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        UserError: the file can't be read.
    """
    try:
        with Path(path).expanduser().open("rb") as stream:
            digest = hashlib.sha256()
            while block := stream.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None


def hash_files(paths) -> dict[str, str]:
    """{path as given: SHA-256}.

    Raises:
        UserError: a file that can't be read.
    """
    return {str(path): hash_file(path) for path in paths}


def describe(options, style, sources, model) -> dict:
    """The recipe of a picture, without its content.

    Args:
        options: from `src.config.parse`.
        style: the style image, or the folder of a sheet, that was given without an option; None without one.
        sources: `hash_files` of styles, masks and other pictures.
        model: `hash_files` of the networks' files.
    """
    said = {}
    for section, names in SAID.items():
        values = getattr(options, section)
        said[section] = {
            name: getattr(values, name)
            for name, option in SECTIONS[section].schema().items()
            if name not in UNSAID and (names is None or name in names) and getattr(values, name) != option.value
        }
    return {
        "format": FORMAT,
        "options": {section: values for section, values in said.items() if values},
        "style": style and str(style),
        "styles": sources,
        "model": {Path(path).name: digest for path, digest in model.items()},
    }


def with_content(recipe, content) -> dict:
    """The recipe with the content's file; None stands for stdin."""
    digest = hash_file(content) if content else ""
    return {**recipe, "content": {"path": str(content or "-"), "sha256": digest}}


class Again:
    """A picture that is to be made anew.

    Args:
        path: the picture.

    Attributes:
        values: section -> name -> value of the recipe's options.
        style: the style image that was given without an option, or None.

    Raises:
        UserError: the picture has no recipe, or a file of the recipe no longer exists.
    """

    def __init__(self, path):
        self.path = Path(path).expanduser()
        self.recipe = read_recipe(self.path)
        try:
            options, moved = self.recipe["options"], {old: self._locate(old) for old in self.recipe["styles"]}
            self.values = {
                section: {name: _replace(value, moved) for name, value in values.items() if name not in UNSAID}
                for section, values in options.items()
                if section in SAID
            }
            style = self.recipe["style"]
            self.style = style and moved.get(style, style)
            self._sources = {moved[old]: digest for old, digest in self.recipe["styles"].items()}
            self._content = self.recipe["content"]["path"], self.recipe["content"]["sha256"]
            dict(self.recipe["model"])
        except (KeyError, TypeError, AttributeError, ValueError):
            raise UserError(f"option again: {path}: what it says of its making is damaged") from None

    def _locate(self, name) -> str:
        """A file by its name in the recipe: from the working folder, or else beside the picture."""
        beside = self.path.parent / Path(name).name
        for place in (Path(home_path(name)), beside):
            if place.exists():
                return str(place)
        raise UserError(
            f"option again: {name}: no longer there; put it back, or beside {self.path.name} in {self.path.parent}"
        )

    def content(self) -> str:
        """The file of the picture's content.

        Raises:
            UserError: the content came from stdin, no longer exists, or has changed.
        """
        name, digest = self._content
        if name == "-":
            raise UserError(f"option again: {self.path}: its content came from stdin; name one before --again")
        found = self._locate(name)
        self._check({found: digest}, hash_files([found]))
        return found

    def check(self, sources, model):
        """Refuses other files than those that the picture was made with.

        Args:
            sources, model: see `describe`.

        Raises:
            UserError: a file that has changed, is missing, or is new; the error names the file.
        """
        self._check(self._sources, sources)
        self._check(self.recipe["model"], {Path(path).name: digest for path, digest in model.items()})

    def _check(self, before, now):
        for name in {**before, **now}:
            if before.get(name) != now.get(name):
                change = "is new" if name not in before else "is gone" if name not in now else "has changed"
                raise UserError(
                    f"option again: {name}: {change} since {self.path.name} was made; the picture would be another one"
                )


def _replace(value, moved):
    if isinstance(value, list):
        return [_replace(item, moved) for item in value]
    return moved.get(value, value) if isinstance(value, str) else value
