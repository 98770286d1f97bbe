"""Options: default_config.yaml, a recipe over it, the command line over both, into frozen dataclasses.

The YAML has three documents, as the MindSpore model zoo writes them: values, help, choices. An unknown key, a
wrong type or a value that is not among the choices is a UserError that names the key.
"""

import argparse
import dataclasses
import difflib
import os
import types
import typing
from pathlib import Path

import yaml

from src.errors import UserError
from src.sections import SECTIONS, PathText

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_CONFIG = ROOT / "default_config.yaml"
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UserError(f"{message}; {self.prog} --help lists every option")


def _type_name(kind) -> str:
    return kind.__name__ if isinstance(kind, type) and not typing.get_args(kind) else str(kind)


def _convert(value, kind, where):
    """Checks a YAML value, or a command line's text, against a field's type."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if bool in args:  # or text
        text = next(k for k in args if k is not bool)
        return _convert(value, bool if isinstance(value, bool) or str(value).lower() in BOOLEANS else text, where)
    if origin is types.UnionType:  # a list or a dict, told apart by the text of the command line
        named = isinstance(value, list) and any("=" in str(item) for item in value)
        value = ",".join(map(str, value)) if named else value
        wanted = list if isinstance(value, list) else dict
        return _convert(value, next(k for k in args if typing.get_origin(k) is wanted), where)
    try:
        if origin is dict:
            if isinstance(value, str):
                value = dict(part.split("=", 1) for part in value.replace(" ", "").split(",") if part)
            return {str(k): _convert(v, args[1], f"{where}.{k}") for k, v in value.items()}
        if origin is list:
            if not isinstance(value, list):
                raise ValueError
            return [_convert(v, args[0], where) for v in value]
        if kind is bool:
            if isinstance(value, bool):
                return value
            return BOOLEANS[str(value).lower()]
        if kind in (str, PathText):
            if not isinstance(value, str):
                raise ValueError
            return os.path.expanduser(value) if kind is PathText else value
        if isinstance(value, bool):
            raise ValueError
        if kind is int and float(value) != int(float(value)):
            raise ValueError
        return kind(float(value)) if kind is int else kind(value)
    except UserError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        example = {bool: "true or false", int: "a whole number", float: "a number", str: "text", PathText: "a path"}
        wanted = example.get(kind) or ("name=number,name=number" if origin is dict else _type_name(kind))
        raise UserError(f"option {where}: found {value!r}, expected {wanted}") from None


def _read_yaml(path) -> list:
    path = Path(path).expanduser()
    if not path.is_file():
        raise UserError(f"config_path {path}: no such file; the recipes that come with the project are in configs/")
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"config_path {path}: not a YAML file: {' '.join(str(error).split())}") from None
    if not documents or not all(isinstance(d, dict) for d in documents):
        raise UserError(f"config_path {path}: expected sections such as 'network:' with options under them")
    return documents


def _unknown(name, known, where):
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"
    return UserError(f"{where}: unknown option {name!r}; {hint}")


def _merge_recipe(values, path):
    for section, options in _read_yaml(path)[0].items():
        if section not in values:
            raise _unknown(section, values, f"config_path {path}")
        for key, value in (options or {}).items():
            if key not in values[section]:
                raise _unknown(key, values[section], f"config_path {path}, section {section}")
            values[section][key] = value


def _check_choice(section, key, value, choices):
    allowed = choices.get(section, {}).get(key)
    if allowed and value not in allowed:
        raise UserError(f"option {key}: found {value!r}, expected one of {', '.join(map(_spelling, allowed))}")


def _spelling(value) -> str:
    """A value as YAML and the command line have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def build(values, sections) -> dict:
    """Turns nested values (section -> key -> value) into the frozen dataclasses of those sections.

    Raises:
        UserError: a key is missing, unknown, of the wrong type or not among the choices.
    """
    choices = _read_yaml(DEFAULT_CONFIG)[2]
    built = {}
    for section in sections:
        kind = SECTIONS[section]
        hints = typing.get_type_hints(kind)
        options = values.get(section, {})
        for key in options:
            if key not in hints:
                raise _unknown(key, hints, f"section {section}")
        missing = [key for key in hints if key not in options]
        if missing:
            raise UserError(f"section {section}: missing option {missing[0]!r}")
        converted = {key: _convert(options[key], hint, key) for key, hint in hints.items()}
        for key, value in converted.items():
            _check_choice(section, key, value, choices)
        built[section] = kind(**converted)
    return built


def defaults(config_path=None, **overrides) -> dict:
    """The dataclasses of every section by name, for use from Python: defaults, a recipe, then section=dict(key=...)."""
    values = _read_yaml(DEFAULT_CONFIG)[0]
    if config_path:
        _merge_recipe(values, config_path)
    for section, options in overrides.items():
        values[section].update(options)
    return build(values, SECTIONS)


def parse(argv, sections, description, positionals=(), aliases=None):
    """Reads an entry point's options.

    Args:
        argv: the command line without the program's name.
        sections: names of the sections that the entry point takes; their keys are its --options. Of a section given
            as "section.key" the command line takes that key only.
        description: first line of --help.
        positionals: (name, nargs, help) of arguments without a name.
        aliases: other spellings of an option, {option: [alias]}.

    Returns:
        a namespace with one attribute a section (a frozen dataclass), and one a positional.

    Raises:
        UserError: unknown option, wrong type, not among the choices, unreadable config_path.
    """
    values, helps, choices = _read_yaml(DEFAULT_CONFIG)
    parser = _Parser(description=description, allow_abbrev=False)
    for name, nargs, text in positionals:
        parser.add_argument(name, nargs=nargs, help=text)
    parser.add_argument("--config_path", default="", help="recipe (YAML) laid over default_config.yaml")
    switches = {}
    taken = [section.partition(".") for section in sections]
    for section, _, only in taken:
        group = parser.add_argument_group(section)
        for key, kind in typing.get_type_hints(SECTIONS[section]).items():
            if only and key != only:
                continue
            flags = [f"--{key}", *(aliases or {}).get(key, [])]
            text = f"{helps[section][key]} (default: {values[section][key]!s})".replace("%", "%%")
            allowed = choices.get(section, {}).get(key)
            settings = {"dest": f"{section}.{key}", "default": None, "help": text}
            if allowed:
                settings["metavar"] = "|".join(map(_spelling, allowed))
            elif kind is bool:
                settings["metavar"] = "true|false"
            else:
                settings["metavar"] = key.upper()
            words = {*BOOLEANS, *map(str, allowed or ())} if kind is bool or allowed else None
            if bool in (kind, *typing.get_args(kind)):
                switches.update(dict.fromkeys(flags, words))
                settings.update(nargs="?", const="true")
            elif list in (typing.get_origin(kind), *map(typing.get_origin, typing.get_args(kind))):
                settings["nargs"] = "+"
            group.add_argument(*flags, **settings)
    if positionals:  # on either side of options
        arguments = vars(parser.parse_intermixed_args(_keep_positionals(argv, switches)))
    else:
        arguments = vars(parser.parse_args(argv))
    if arguments["config_path"]:
        _merge_recipe(values, arguments["config_path"])
    for name, value in arguments.items():
        if "." in name and value is not None:
            section, key = name.split(".")
            values[section][key] = value
    namespace = argparse.Namespace(**build(values, [section for section, _, _ in taken]))
    for name, _, _ in positionals:
        setattr(namespace, name, arguments[name] and os.path.expanduser(arguments[name]))
    return namespace


def _keep_positionals(argv, switches):
    """The command line, where what follows a switch is the switch's only if it is one of the switch's words.

    Args:
        switches: {flag: words}; None for one that takes any text.
    """
    following = zip(argv, [*argv[1:], ""], strict=False)
    alone = [bool(switches.get(text)) and after.lower() not in switches[text] for text, after in following]
    return [f"{text}=true" if bare else text for text, bare in zip(argv, alone, strict=True)]


def refuse_options(argv, sections, keep, why):
    """Refuses what a command line asks for in vain.

    Args:
        argv: the command line.
        sections: names of the sections whose options do nothing in this run.
        keep: options of theirs that do something all the same.
        why: ends the sentence "option X: ...".

    Raises:
        UserError: the command line names one of their options.
    """
    named = [argument[2:].partition("=")[0] for argument in argv if argument.startswith("--")]
    idle = {key for section in sections for key in typing.get_type_hints(SECTIONS[section])} - set(keep)
    for key in named:
        if key in idle:
            raise UserError(f"option {key}: {why}")


def to_dict(section) -> dict:
    """A section as plain values, for a checkpoint or a JSON file."""
    return dataclasses.asdict(section)
