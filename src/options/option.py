"""What an option is: one line of a frozen dataclass that holds its value, its help and what is allowed.

    @dataclass(frozen=True)
    class DataConfig(Options):
        image_size: int = option(256, "side of the square training crops, pixels", least=1)

The type, the range and the choices are checked whenever such a dataclass is made: from a YAML file, from the command
line's text, or in Python.
"""

import contextlib
import copy
import dataclasses
import functools
import math
import os
import types
import typing

from src.errors import UserError

SWITCH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
# the name of a file or a folder: "~" at its beginning means the user's home
PathText = typing.NewType("PathText", str)


def home_path(text) -> str:
    """A path whose "~" or "~user" at the beginning is replaced by the home folder.

    Where there is no such user, the path is a file's name as any other: it becomes absolute, since it would be taken
    for a home folder again.
    """
    with contextlib.suppress(ValueError):  # of what can be no user's name
        text = os.path.expanduser(text)
    return os.path.abspath(text) if text.startswith("~") else text


@dataclasses.dataclass(frozen=True)
class Limits:
    """What `option` says of an option beside its value.

    Attributes:
        help: one line.
        choices: the values that are allowed; empty where the type and the bounds below say what is allowed.
        least, most: bounds that are allowed themselves; in a list or a dict they hold for each number.
        above, below: bounds that are not allowed themselves.
        multiple: the number is a multiple of this.
        zero: what 0 means, where 0 is allowed beside the numbers within the bounds ("or 0 ...").
        aliases: other names, for command lines and recipes; with "-" before it a short one, for command lines.
        former: what false and true mean, which an option with choices took in former versions.
        common: whether the first page of a program's --help shows it.
    """

    help: str
    choices: tuple = ()
    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None
    multiple: int = 1
    zero: str = ""
    aliases: tuple = ()
    former: tuple = ()
    common: bool = False

    def allowed(self) -> str:
        """The range or the choices in words, empty when everything of the type is allowed."""
        if self.choices:
            return f"one of {', '.join(map(spell, self.choices))}"
        if self.multiple > 1:
            text = f"a multiple of {self.multiple} from {self.least} up"
        elif self.most is not None:
            text = f"{self.least} to {self.most}"
        elif self.below is not None:
            text = f"{self.least} or more, and less than {self.below}"
        elif self.above is not None:
            text = f"more than {self.above}"
        else:
            text = "" if self.least is None else f"{self.least} or more"
        return text + f", or 0 {self.zero}" * bool(self.zero)

    def nearest(self, number) -> str:
        """The end of a sentence: the multiples beside a whole number that is none."""
        if self.multiple == 1 or number < self.least or number % self.multiple == 0:
            return ""
        below = number // self.multiple * self.multiple
        return f"; the nearest are {below} and {below + self.multiple}"

    def admits(self, number) -> bool:
        """Whether a number is finite and within the bounds."""
        if not math.isfinite(number):
            return False
        return bool(self.zero and number == 0) or (
            (self.least is None or number >= self.least)
            and (self.most is None or number <= self.most)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
            and (self.multiple == 1 or number % self.multiple == 0)
        )


def option(value, text, **limits):
    """A field of an `Options`, with its default value, its help, and the arguments of `Limits`."""
    metadata = {"limits": Limits(text, **limits)}
    if isinstance(value, list | dict):
        return dataclasses.field(default_factory=lambda: copy.copy(value), metadata=metadata)
    return dataclasses.field(default=value, metadata=metadata)


@dataclasses.dataclass(frozen=True)
class Option:
    """An option as the programs see it: `name`, `kind` (its type), `value` (the default) and `limits`."""

    name: str
    kind: typing.Any
    value: typing.Any
    limits: Limits

    @property
    def names(self) -> tuple[str, ...]:
        """The name and its aliases."""
        return self.name, *self.limits.aliases

    @property
    def is_switch(self) -> bool:
        """Whether the option may stand on a command line without a value."""
        return bool(self.limits.former) or bool in (self.kind, *typing.get_args(self.kind))

    @property
    def is_list(self) -> bool:
        """Whether several values may follow the option on a command line."""
        return list in map(typing.get_origin, (self.kind, *typing.get_args(self.kind)))

    def accept(self, value):
        """The value in the option's type.

        Raises:
            UserError: another type, a value that is not among the choices, or a number out of range.
        """
        limits = self.limits
        if limits.former and str(value).lower() in SWITCH:
            value = limits.former[SWITCH[str(value).lower()]]
        value = _convert(value, self.kind, self.name)
        if limits.choices:
            fits = any(type(value) is type(choice) and value == choice for choice in limits.choices)
        else:
            parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
            fits = all(limits.admits(part) for part in parts if isinstance(part, int | float))
        if not fits:
            each = "each " if isinstance(value, dict | list) else ""
            expected = (limits.allowed() or "a finite number") + limits.nearest(value)
            raise UserError(f"option {self.name}: found {_shown(value)}, expected {each}{expected}")
        return value

    def accepts(self, value) -> bool:
        """Whether `accept` takes the value."""
        try:
            self.accept(value)
        except UserError:
            return False
        return True


class Options:
    """Base of the frozen dataclasses whose fields are options."""

    def __post_init__(self):
        for entry in self.schema().values():
            object.__setattr__(self, entry.name, entry.accept(getattr(self, entry.name)))

    @classmethod
    @functools.cache
    def schema(cls) -> dict[str, Option]:
        """The options by name, in the order of the fields."""
        kinds = typing.get_type_hints(cls)
        return {
            field.name: Option(field.name, kinds[field.name], _default(field), field.metadata["limits"])
            for field in dataclasses.fields(cls)
        }

    @classmethod
    def find(cls, name) -> Option | None:
        """The option that has this name, or this alias."""
        return next((entry for entry in cls.schema().values() if name in entry.names), None)


def spell(value) -> str:
    """A value as YAML and the command line have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _shown(value):
    return repr(value) if isinstance(value, str) else value


def _default(field):
    return field.default_factory() if field.default is dataclasses.MISSING else field.default


def _convert(value, kind, where):
    """A YAML value, a command line's text or a Python value in the type of a field."""
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _convert_either(value, parts, where)
    try:
        if origin is dict:
            if isinstance(value, str):
                value = dict(part.split("=", 1) for part in value.replace(" ", "").split(",") if part)
            return {str(k): _convert(v, parts[1], f"{where}.{k}") for k, v in value.items()}
        if origin is list:
            if not isinstance(value, list):
                raise ValueError
            return [_convert(v, parts[0], where) for v in value]
        if kind is bool:
            return value if isinstance(value, bool) else SWITCH[str(value).lower()]
        if kind in (str, PathText):
            if not isinstance(value, str) or (kind is PathText and "\0" in value):  # which no path can hold
                raise ValueError
            return home_path(value) if kind is PathText else value
        if isinstance(value, bool):
            raise ValueError
        return _whole_number(value) if kind is int else kind(value)
    except UserError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "text", PathText: "a path"}
        expected = words.get(kind) or ("name=number,name=number" if origin is dict else str(kind))
        raise UserError(f"option {where}: found {value!r:.80}, expected {expected}") from None


def _whole_number(value) -> int:
    """A number without a fraction, to the last digit, which a float would not keep."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:  # such as 1e3 or 3.0
            value = float(value)
    if int(value) != value:
        raise ValueError
    return int(value)


def _convert_either(value, kinds, where):
    """Converts a value of `bool | str` or `list | dict` to the type that the value, or its text, looks like."""
    if bool in kinds:
        switch = isinstance(value, bool) or str(value).lower() in SWITCH
        return _convert(value, bool if switch else next(kind for kind in kinds if kind is not bool), where)
    if isinstance(value, list) and any("=" in str(item) for item in value):
        value = ",".join(map(str, value))
    found = list if isinstance(value, list) else dict
    return _convert(value, next(kind for kind in kinds if typing.get_origin(kind) is found), where)
