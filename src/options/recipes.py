"""YAML files with options: sections, and options under them. A recipe may start from another one, its `base`."""

import difflib
from pathlib import Path

import yaml

from src.errors import UserError
from src.options.option import home_path

# sections of former versions, and the program that takes their options on its command line
MOVED = {"quality": "benchmarks/quality.py", "pack": "scripts/pack_checkpoint.py"}


def overlay(values, sections, path, above=()):
    """Lays the values of a YAML file over others, those of its `base` first.

    Args:
        values: section -> option -> value, changed in place.
        sections: the `Options` class of each section.
        path: the file. Its `base`, if any, is a path from its folder.
        above: the recipes that led here by their `base`.

    Raises:
        UserError: no such file, no YAML, an unknown section or option, recipes that start from each other.
    """
    path = Path(home_path(str(path)))
    document = _read(path)
    chain = (*above, path.resolve())
    base = document.pop("base", None)
    if base is not None:
        if not isinstance(base, str) or "\0" in base:
            raise UserError(
                f"config_path {path}: base: found {base!r:.60}, expected the path of a recipe from this one"
            )
        start = path.parent / home_path(base)
        if start.resolve() in chain:
            raise UserError(f"config_path {path}: base: {base} starts from this recipe; take one of the two base away")
        if not start.is_file():
            raise UserError(
                f"config_path {path}: base: no such file: {start}; expected a path from the recipe's folder"
            )
        overlay(values, sections, start, chain)
    for section, options in document.items():
        if section in MOVED:
            raise UserError(
                f"config_path {path}: section {section!r} is no more; give its options to {MOVED[section]} itself"
            )
        if section not in sections:
            raise unknown(section, sections, f"config_path {path}")
        if not isinstance(options or {}, dict):
            raise UserError(f"config_path {path}, section {section}: found {options!r:.60}, expected options under it")
        for name, value in (options or {}).items():
            entry = sections[section].find(name)
            if entry is None:
                raise unknown(name, sections[section].schema(), f"config_path {path}, section {section}")
            values[section][entry.name] = value


def unknown(name, known, where) -> UserError:
    """The error for an option that does not exist, with the nearest one that does."""
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
    return UserError(f"{where}: unknown option {name!r}; {hint}")


def _read(path) -> dict:
    if not path.is_file():
        raise UserError(f"config_path {path}: no such file; the recipes that come with the project are in configs/")
    try:
        # the first document: default_config.yaml of former versions had two more, of helps and of choices
        document = next(yaml.safe_load_all(path.read_text(encoding="utf-8")), None)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001  a date such as 2001-99-99 is a ValueError, a deep file a RecursionError
        raise UserError(f"config_path {path}: not a YAML file: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise UserError(f"config_path {path}: expected sections such as 'network:' with options under them")
    return document
