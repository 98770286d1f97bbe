"""Options: default_config.yaml, a recipe over it, the command line over both, into frozen dataclasses.

What an option is, which values it takes and what it means stands in `src.options`. An unknown option, a wrong type or a
value that is not allowed is a UserError that names the option.
"""

import argparse
import dataclasses
from pathlib import Path

from src.errors import UserError
from src.options.command_line import CommandLine
from src.options.recipes import overlay, unknown
from src.sections import SECTIONS

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_CONFIG = ROOT / "default_config.yaml"
OWN = "own"


def build(values, sections) -> dict:
    """Turns nested values (section -> name -> value) into the frozen dataclasses of those sections.

    Raises:
        UserError: an option is missing, unknown, of the wrong type or not among the values allowed.
    """
    built = {}
    for section in sections:
        kind, options = SECTIONS[section], values.get(section, {})
        for name in options:
            if name not in kind.schema():
                raise unknown(name, kind.schema(), f"section {section}")
        missing = [name for name in kind.schema() if name not in options]
        if missing:
            raise UserError(f"section {section}: missing option {missing[0]!r}")
        built[section] = kind(**options)
    return built


def field_values() -> dict:
    """Section -> name -> value, as the fields have them."""
    return {
        section: {name: option.value for name, option in kind.schema().items()} for section, kind in SECTIONS.items()
    }


def read_values(config_path="") -> dict:
    """Section -> name -> value: those of the fields, default_config.yaml over them, a recipe over both.

    Raises:
        UserError: a file that can't be read, or that holds an unknown option.
    """
    values = field_values()
    for path in (DEFAULT_CONFIG, config_path):
        if path and (path != DEFAULT_CONFIG or path.exists()):
            overlay(values, SECTIONS, path)
    return values


def defaults(config_path=None, **overrides) -> dict:
    """The dataclasses of every section by name, for Python: defaults, a recipe, then section=dict(name=...)."""
    values = read_values(config_path)
    for section, options in overrides.items():
        values[section].update(options)
    return build(values, SECTIONS)


def parse(argv, sections, description, positionals=(), own=None, topics=None, base=None):
    """Reads an entry point's options.

    Args:
        argv: the command line without the program's name.
        sections: names of the sections that the entry point takes; their options are its --options. Of a section given
            as "section.name" the command line takes that option only.
        description: first line of --help.
        positionals: (name, nargs, help) of arguments without a name, and perhaps an option that may stand for one, see
            `src.options.command_line.CommandLine`.
        own: an `Options` class with options of this program alone, which no YAML file has.
        topics: pages of --help beside the sections, {topic: sections}; the first page leaves these sections out.
        base: section -> name -> value that lie over the fields' in place of default_config.yaml; None for that file.

    Returns:
        a namespace with one attribute a section (a frozen dataclass), `own`, one a positional, and `given`: (section,
        name) of every option that the command line has, in its order.

    Raises:
        UserError: unknown option, wrong type, a value that is not allowed, unreadable config_path.
    """
    kinds = {section.partition(".")[0]: SECTIONS[section.partition(".")[0]] for section in sections}
    taken = [
        (section, option)
        for section, kind in kinds.items()
        for name, option in kind.schema().items()
        if section in sections or f"{section}.{name}" in sections
    ]
    values = read_values() if base is None else field_values()
    for section, options in (base or {}).items():
        values[section].update(options)
    if own:
        taken = [(OWN, option) for option in own.schema().values()] + taken
        values[OWN] = {option.name: option.value for option in own.schema().values()}
    given, texts = CommandLine(description, positionals, taken, values, topics, OWN).read(argv)
    config_path = texts.pop("config_path")
    if config_path:
        overlay(values, SECTIONS, config_path)
    for (section, name), value in given.items():
        values[section][name] = value
    options = argparse.Namespace(**build(values, kinds), **texts, given=tuple(given))
    if own:
        options.own = own(**values[OWN])
    return options


def refuse_options(given, sections, keep, why):
    """Refuses options of a command line that do nothing in this run.

    Args:
        given: (section, name) of the options on the command line, see `parse`.
        sections: names of the sections whose options do nothing in this run.
        keep: options of these sections that do something all the same.
        why: the reason, which ends the sentence "option X: ...".

    Raises:
        UserError: the command line has an option of these sections that is not in `keep`.
    """
    for section, name in given:
        if section in sections and name not in keep:
            raise UserError(f"option {name}: {why}")


def to_dict(section) -> dict:
    """A section as plain values, for a checkpoint or a JSON file."""
    return dataclasses.asdict(section)
