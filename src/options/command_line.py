"""Options on a command line, and the pages of --help."""

import argparse
import itertools

from src.errors import UserError
from src.options.option import home_path, spell

EVERYTHING = "all"


class CommandLine:
    """What a program takes on its command line.

    Args:
        description: first line of --help.
        positionals: (name, nargs, help) of arguments without a name; nargs is None for one, "?" or "*". A fourth entry
            is an option that may stand for the argument, such as "--checkpoint"; the other arguments keep their order.
        options: (section, `Option`) of each option.
        values: section -> name -> value where the command line gives none.
        topics: name of a page of --help -> sections on it, which the first page then leaves out.
        own: the section whose options are the program's own: the first page shows all of them.
    """

    def __init__(self, description, positionals, options, values, topics=None, own=""):
        self._description, self._options = description, options
        self._positionals = [(*entry, "")[:4] for entry in positionals]
        self._values, self._own = values, own
        self._later = {section for sections in (topics or {}).values() for section in sections}
        self._topics = {**{section: (section,) for section, _ in options if section != own}, **(topics or {})}
        self._by_flag = {}
        for section, option in options:
            for name in option.names:
                self._by_flag.setdefault(_flag(name), []).append((section, option))
        # of two options with one name, the one with choices takes its choices, the other all else
        for sharing in self._by_flag.values():
            sharing.sort(key=lambda pair: not pair[1].limits.choices)

    def read(self, argv):
        """Reads a command line without the program's name.

        Returns:
            {(section, name): text, or list of texts} of the options given, and {name: text} of the positionals and
            of config_path.

        Raises:
            UserError: an unknown option, or a value too few.
            SystemExit: --help was given; the page is printed.
        """
        named = {name for name, _, _, flag in self._positionals if flag and _is_given(flag, argv)}
        parser = self._parser(self._options, named=named)
        names = [name for name, *_ in self._positionals]
        namespace = argparse.Namespace(given={})
        if set(names) - named:  # on either side of options
            arguments = vars(parser.parse_intermixed_args(self._keep_positionals(argv), namespace))
        else:
            arguments = vars(parser.parse_args(argv, namespace))
        texts = {name: _expand_home(arguments[name]) for name in (*names, "config_path")}
        return namespace.given, texts

    def page(self, topic="") -> str:
        """A page of --help: the options that most people need, those of a topic, or `all`.

        Raises:
            UserError: no such topic.
        """
        if topic and topic != EVERYTHING and topic not in self._topics:
            raise UserError(f"--help {topic}: no such topic, expected one of {', '.join((*self._topics, EVERYTHING))}")
        if topic == EVERYTHING:
            return self._parser(self._options).format_help()
        if topic:
            return self._parser([pair for pair in self._options if pair[0] in self._topics[topic]]).format_help()
        shown = [
            (section, option)
            for section, option in self._options
            if section == self._own or (option.limits.common and section not in self._later)
        ]
        more = f"More options: --help TOPIC, with one of {', '.join(self._topics)}; every option: --help {EVERYTHING}"
        return self._parser(shown, more if len(shown) < len(self._options) else "").format_help()

    def _parser(self, shown, more="", named=()):
        """An argparse parser that takes all options, and whose help shows some.

        named: names of the positionals that the command line gives by an option.
        """
        shown_as = {None: "{}", "?": "[{}]", "*": "[{} ...]"}
        places = [shown_as[nargs].format(name) for name, nargs, *_ in self._positionals]
        usage = " ".join(("%(prog)s", *places, "[--option value ...]"))
        parser = _Parser(
            usage=usage, description=self._description, epilog=more or None, allow_abbrev=False, add_help=False
        )
        for name, nargs, text, flag in self._positionals:
            if name in named:
                parser.add_argument(flag, dest=name)
            else:
                parser.add_argument(name, nargs=nargs, help=text + f" (also {flag})" * bool(flag))
        help_text = f"the options that most people need; of a TOPIC, or {EVERYTHING}"
        parser.add_argument("-h", "--help", action=_Help, pages=self.page, help=help_text)
        parser.add_argument("--config_path", default="", help="recipe (YAML) laid over default_config.yaml")
        groups, described = {}, {}
        for section, option in self._options:
            visible = (section, option) in shown
            if visible and section not in groups:
                groups[section] = parser.add_argument_group("own options" if section == self._own else section)
            flags = [_flag(name) for name in option.names]
            alone = [flag for flag in flags if len(self._by_flag[flag]) == 1]
            shared = [flag for flag in flags if flag not in alone]
            text = self._describe(section, option, shared if alone else []) if visible else None
            group = groups[section] if visible else parser
            if alone:
                group.add_argument(*alone, **_settings(option, [(section, option)], text))
            elif visible:  # all names of this option are shared with others; the first one that is shown has the help
                for flag in flags:
                    described.setdefault(flag, (group, text))
        for flag, sharing in self._by_flag.items():
            if len(sharing) > 1:
                group, text = described.get(flag, (parser, None))
                group.add_argument(flag, **_settings(sharing[-1][1], sharing, text))
        return parser

    def _describe(self, section, option, shared):
        value, limits = self._values[section][option.name], option.limits
        notes = [] if limits.choices else [limits.allowed()]
        notes += [f"default: {spell(value)}"] if value not in ("", [], {}) else []
        notes += [f"also {flag}" for flag in shared]
        notes = "; ".join(filter(None, notes))
        return (limits.help + f" ({notes})" * bool(notes)).replace("%", "%%")

    def _keep_positionals(self, argv):
        """The command line, where what follows a switch is the switch's value only if the switch takes that."""
        switches = {flag: sharing[-1][1] for flag, sharing in self._by_flag.items() if sharing[-1][1].is_switch}
        following = itertools.zip_longest(argv, argv[1:], fillvalue="")
        return [
            f"{text}=true" if text in switches and not switches[text].accepts(after) else text
            for text, after in following
        ]


def _is_given(flag, argv):
    """Whether a command line has an option, as "--name value" or as "--name=value"."""
    return any(text == flag or text.startswith(f"{flag}=") for text in argv)


def _expand_home(text):
    if isinstance(text, list):
        return [_expand_home(part) for part in text]
    return text and home_path(text)


def _flag(name):
    return name if name.startswith("-") else f"--{name}"


def _settings(option, candidates, text):
    """Arguments of argparse's add_argument for an option; without a text no help shows it."""
    choices = option.limits.choices
    metavar = "|".join(map(spell, choices)) if choices else "true|false" if option.is_switch else option.name.upper()
    settings = {"action": _Store, "candidates": candidates, "metavar": metavar, "help": text or argparse.SUPPRESS}
    if option.is_switch:
        settings.update(nargs="?", const="true")
    elif option.is_list:
        settings["nargs"] = "+"
    return settings


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise UserError(f"{message}; {self.prog} --help {EVERYTHING} lists every option")


class _Store(argparse.Action):
    """Stores a value under its option. Of several options with this flag, it is the first that accepts the value."""

    def __init__(self, option_strings, dest, candidates, **settings):
        super().__init__(option_strings, argparse.SUPPRESS, default=argparse.SUPPRESS, **settings)
        self._candidates = candidates

    def __call__(self, parser, namespace, values, option_string=None):
        fitting = (pair for pair in self._candidates if pair[1].accepts(values))
        section, option = next(fitting, self._candidates[-1])
        namespace.given[section, option.name] = values


class _Help(argparse.Action):
    """Prints a page and ends the program."""

    def __init__(self, option_strings, dest, pages, **settings):
        super().__init__(option_strings, argparse.SUPPRESS, nargs="?", const="", metavar="TOPIC", **settings)
        self._pages = pages

    def __call__(self, parser, namespace, values, option_string=None):
        print(self._pages(values), end="")
        parser.exit()
