"""What the programs take on their command lines, under which names, and what --help says of that."""

import dataclasses
import importlib
import runpy

import pytest

from src import config, sections
from src.errors import UserError
from src.options.option import Options, PathText, option

PROGRAMS = ("train", "eval", "stylize", "export")


def parsed(program, *argv):
    """The options that an entry point reads from a command line."""

    class Parsed(Exception):
        pass

    def parse(*arguments, **settings):
        raise Parsed(config.parse(*arguments, **settings))

    module = importlib.import_module(program)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Parsed) as caught:
        patch.setattr(module, "parse", parse)
        module.main([str(argument) for argument in argv])
    return caught.value.args[0]


def page(program, capsys, *topic):
    """A page of an entry point's --help."""
    with pytest.raises(SystemExit, match="^0$"):
        importlib.import_module(program).main(["--help", *topic])
    return capsys.readouterr().out


def flags(text):
    """Names of the options that a page of --help describes."""
    return {
        word.strip(",") for line in text.splitlines() if line.startswith("  -") for word in line.split() if "--" in word
    }


@pytest.mark.parametrize("program", PROGRAMS)
def test_option_names_mean_one_thing_a_command_line(program, capsys):
    text = page(program, capsys, "all")
    names = [word.strip(",") for line in text.splitlines() if line.startswith("  -") for word in line.split()]
    names = [name for name in names if name.startswith("-")]
    assert len(names) == len(set(names)) > 10


def test_options_without_effect_are_refused():
    argv = ["--iterations", "3", "--tv_weight=2", "--losses=--style_weight"]
    given = config.parse(argv, ("optimize", "loss", "stylize"), "test").given
    assert given == (("optimize", "iterations"), ("loss", "tv_weight"), ("optimize", "losses"))
    for section, name in (("optimize", "iterations"), ("loss", "tv_weight")):
        with pytest.raises(UserError, match=f"option {name}: why"):
            config.refuse_options(given, [section], (), "why")
    config.refuse_options(given, ["optimize"], ("iterations", "losses"), "why")
    config.refuse_options(given, ["stylize", "train"], (), "why")


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_has_a_short_first_page_and_one_with_everything(program, capsys):
    first, everything = flags(page(program, capsys)), flags(page(program, capsys, "all"))
    assert first < everything and {"--checkpoint", "--device_target"} <= first
    kinds = [sections.RuntimeConfig, *([sections.OptimizeConfig] if program in ("eval", "stylize") else [])]
    assert {f"--{name}" for kind in kinds for name in kind.schema()} < everything


def test_the_first_page_of_stylize_is_a_dozen_and_names_the_others(capsys):
    text = page("stylize", capsys)
    described = [line for line in text.splitlines() if line.startswith("  -")]
    assert len(described) <= 14 and "--iterations" not in text and "--tile" not in text
    assert "optimize" in text.splitlines()[-1] + text.splitlines()[-2] and "--help all" in text
    optimisation = flags(page("stylize", capsys, "optimize"))
    for section in ("optimize", "loss"):
        assert {f"--{name}" for name in sections.SECTIONS[section].schema()} <= optimisation
    assert "--strength" not in optimisation and "--tile" in flags(page("stylize", capsys, "stylize"))
    with pytest.raises(UserError, match="--help photo.jpg: no such topic, expected one of stylize, .*, all"):
        page("stylize", capsys, "photo.jpg")


@pytest.mark.parametrize(
    ("program", "section", "name", "elsewhere"),
    [("export", "export", "parts", ()), ("train", "network", "method", ("optimize",))],
)
def test_the_first_lines_of_a_program_name_every_choice(program, section, name, elsewhere):
    choices = sections.SECTIONS[section].schema()[name].limits.choices
    said = importlib.import_module(program).__doc__
    assert [choice for choice in choices if f"\n--{name} {choice} " not in said] == [*elsewhere]


def test_help_says_range_and_default(capsys):
    text = " ".join(page("stylize", capsys, "all").split())
    assert "(0 to 1.5; default: 1.0)" in text and "32 or more, or 0 for the content's own" in text


def test_output_of_train_is_the_folder_or_the_last_activation():
    """Recipes and commands of before say --output tanh."""
    options = parsed("train", "--output", "tanh")
    assert (options.network.output, options.train.output_dir) == ("tanh", "output")
    options = parsed("train", "--output_dir", "a", "--output", "b", "--output", "linear")
    assert (options.network.output, options.train.output_dir) == ("linear", "b")
    options = parsed("train", "--output_activation", "tanh", "--output", "b", "--output_dir", "c")
    assert (options.network.output, options.train.output_dir) == ("tanh", "c")


def test_names_of_the_published_scripts_and_of_stylize_before():
    options = parsed("train", "--platform", "CPU", "--run_distribute", "False")
    assert (options.runtime.device_target, options.runtime.distributed) == ("CPU", False)
    options = parsed("stylize", "photo.jpg", "painting.jpg", "-o", "a.png", "--ckpt_path", "b.ckpt")
    assert options.pictures == ["photo.jpg", "painting.jpg"]
    assert (options.stylize.output, options.stylize.checkpoint) == ("a.png", "b.ckpt")
    assert parsed("stylize", "photo.jpg", "--output_path", "c.png").stylize.output == "c.png"


def test_a_program_has_options_of_its_own(capsys):
    own = runpy.run_path(str(config.ROOT / "scripts" / "pack_checkpoint.py"))["PackOptions"]
    options = config.parse(["--emphasis", "1.25"], ("runtime",), "test", own=own)
    assert (options.own.emphasis, options.own.transfer_from) == (1.25, "") and options.runtime.seed == 1
    with pytest.raises(UserError, match="option emphasis: found 9.0, expected 0.67 to 1.5"):
        config.parse(["--emphasis", "9"], ("runtime",), "test", own=own)
    with pytest.raises(SystemExit):
        config.parse(["--help"], ("runtime",), "test", own=own)
    assert {"--emphasis", "--transfer_from", "--style_path"} < flags(capsys.readouterr().out)


@dataclasses.dataclass(frozen=True)
class Mixed(Options):
    """Options that are a switch or a text."""

    losses: bool | str = option(False, "how losses are normalised", choices=(False, True, "balanced"))
    found: bool | PathText = option("", "a folder, or whether to write")


@pytest.mark.parametrize(
    ("arguments", "losses", "found"),
    [
        ((), False, ""),
        (("--losses", "photo.jpg"), True, ""),
        (("--losses", "balanced", "photo.jpg"), "balanced", ""),
        (("--losses", "no", "photo.jpg", "--found"), False, True),
        (("photo.jpg", "--found", "false", "--losses"), True, False),
        (("photo.jpg", "--found", "there"), False, "there"),
        (("photo.jpg", "--found", "--losses=balanced"), "balanced", True),
    ],
)
def test_a_switch_may_take_a_text_too(arguments, losses, found):
    options = config.parse([*arguments], (), "test", positionals=(("content", "?", "picture"),), own=Mixed)
    assert (options.own.losses, options.own.found) == (losses, found)
    assert options.content == ("photo.jpg" if arguments else None)


def test_a_switch_with_choices_names_them_as_they_are_written():
    with pytest.raises(UserError, match="option losses: found 'half', expected one of false, true, balanced"):
        Mixed(losses="half")


def test_pictures_stand_on_either_side_of_options():
    options = parsed("stylize", "photo.jpg", "--overwrite", "painting.jpg", "-o", "a.png")
    assert (options.pictures, options.stylize.overwrite) == (["photo.jpg", "painting.jpg"], True)
    options = parsed("stylize", "--overwrite", "false", "photo.jpg", "--size", "40", "painting.jpg")
    assert (options.pictures, options.stylize.overwrite) == (["photo.jpg", "painting.jpg"], False)
    options = parsed("stylize", "~/photo.jpg", "--styles", "~/a.jpg", "b.jpg", "--output", "~/out.jpg")
    assert not [path for path in (*options.pictures, *options.stylize.styles, options.stylize.output) if "~" in path]


@pytest.mark.parametrize(
    "line, overwrite",
    [
        ("photo.jpg --overwrite painting.jpg -o out.jpg", True),
        ("--overwrite photo.jpg painting.jpg -o out.jpg", True),
        ("photo.jpg -o out.jpg painting.jpg --overwrite", True),
        ("photo.jpg painting.jpg -o out.jpg --overwrite", True),
        ("photo.jpg --overwrite false painting.jpg -o out.jpg", False),
        ("photo.jpg painting.jpg --overwrite NO -o out.jpg", False),
        ("photo.jpg --overwrite=false painting.jpg -o out.jpg", False),
    ],
)
def test_a_switch_takes_no_picture_for_its_value(line, overwrite):
    positionals = [("content", None, "a file"), ("style", "?", "another")]
    options = config.parse(line.split(), ["stylize"], "test", positionals)
    assert (options.content, options.style, options.stylize.output) == ("photo.jpg", "painting.jpg", "out.jpg")
    assert options.stylize.overwrite is overwrite


def test_a_missing_argument_is_named():
    with pytest.raises(UserError, match="required: content"):
        config.parse([], ["stylize"], "test", [("content", None, "a file"), ("style", "?", "another")])
