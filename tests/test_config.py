"""The options' fields, default_config.yaml and the recipes agree; every mistake is one line that names the option."""

import dataclasses
import importlib
import runpy

import pytest
import yaml

from src import config, sections
from src.errors import UserError

RECIPES = sorted((config.ROOT / "configs").glob("*.yaml"))
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


def test_default_config_is_what_the_fields_say():
    text = config.DEFAULT_CONFIG.read_text(encoding="utf-8")
    render = runpy.run_path(str(config.ROOT / "scripts" / "write_default_config.py"))["render"]
    assert text == render(), "run scripts/write_default_config.py after a change of options"
    values = yaml.safe_load(text)
    assert set(values) == set(sections.SECTIONS)
    for section, kind in sections.SECTIONS.items():
        fields = {name: option.value for name, option in kind.schema().items()}
        assert values[section] == fields == config.to_dict(kind())


@pytest.mark.parametrize("section", sections.SECTIONS)
def test_every_option_says_what_it_means_and_accepts_its_own_value(section):
    for name, option in sections.SECTIONS[section].schema().items():
        assert len(option.limits.help) > 5, name
        accepted = option.accept(option.value)
        assert accepted == option.value and type(accepted) is type(option.value), name
        assert len(set(option.limits.choices)) == len(option.limits.choices) != 1, name


@pytest.mark.parametrize("program", PROGRAMS)
def test_option_names_mean_one_thing_a_command_line(program, capsys):
    text = page(program, capsys, "all")
    names = [word.strip(",") for line in text.splitlines() if line.startswith("  -") for word in line.split()]
    names = [name for name in names if name.startswith("-")]
    assert len(names) == len(set(names)) > 10


def test_an_edited_default_config_holds(tmp_path, monkeypatch):
    edited = tmp_path / "default_config.yaml"
    monkeypatch.setattr(config, "DEFAULT_CONFIG", edited)
    assert config.defaults()["train"].steps == 40000  # no such file: the fields' values
    edited.write_text(f"train: {{steps: 7}}\neval:\n  output: {tmp_path}\n", encoding="utf-8")
    built = config.defaults()
    assert built["train"].steps == config.parse([], ("train",), "test").train.steps == 7
    assert built["data"].batch_size == 8
    assert built["eval"].output_path == str(tmp_path)
    # three documents, as in former versions
    edited.write_text("train: {steps: 9}\n---\ntrain: {steps: how many}\n---\ntrain: {}\n", encoding="utf-8")
    assert config.defaults()["train"].steps == 9
    edited.write_text("train: {stepz: 9}\n", encoding="utf-8")
    with pytest.raises(UserError, match="default_config.yaml, section train: unknown option 'stepz'"):
        config.defaults()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_recipe_parses_and_changes_something(recipe):
    assert config.defaults(recipe) != config.defaults()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_recipe_says_what_it_is_for(recipe):
    assert recipe.read_text(encoding="utf-8").startswith("# ")


def test_there_are_recipes():
    assert "modelzoo.yaml" in [path.name for path in RECIPES]


def test_command_line_goes_over_recipe_over_defaults(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("train: {steps: 7, learning_rate: 1e-3}\nnetwork: {width: 0.5}\n", encoding="utf-8")
    options = config.parse(["--config_path", str(recipe), "--steps", "9"], ("network", "train"), "test")
    assert (options.train.steps, options.train.learning_rate, options.network.width) == (9, 0.001, 0.5)
    assert options.train.optimizer == "adam"


def test_values_from_the_command_line_have_the_field_types():
    options = config.parse(
        ["--style_taps", "relu1_1=0.5, relu4_1=2", "--tv_weight", "1e-4", "--normalize_losses"],
        ("loss",),
        "test",
    )
    assert options.loss.style_taps == {"relu1_1": 0.5, "relu4_1": 2.0}
    assert options.loss.tv_weight == pytest.approx(1e-4)
    assert options.loss.normalize_losses is True


def test_of_a_section_one_option_may_be_taken():
    options = config.parse(["--method", "optimize"], ("network.method",), "test")
    assert options.network.method == "optimize"
    with pytest.raises(UserError, match="--width"):
        config.parse(["--width", "0.5"], ("network.method",), "test")


def test_options_without_effect_are_refused():
    argv = ["--iterations", "3", "--tv_weight=2", "--losses=--style_weight"]
    given = config.parse(argv, ("optimize", "loss", "stylize"), "test").given
    assert given == {("optimize", "iterations"), ("loss", "tv_weight"), ("optimize", "losses")}
    for section, name in (("optimize", "iterations"), ("loss", "tv_weight")):
        with pytest.raises(UserError, match=f"option {name}: why"):
            config.refuse_options(given, [section], (), "why")
    config.refuse_options(given, ["optimize"], ("iterations", "losses"), "why")
    config.refuse_options(given, ["stylize", "train"], (), "why")


def test_lists_and_positionals():
    options = config.parse(
        ["photo.jpg", "--styles", "a.jpg", "b.jpg", "--style_weights", "0.7", "0.3", "-o", "out.png"],
        ("stylize",),
        "test",
        positionals=(("content", None, "picture"),),
    )
    assert options.content == "photo.jpg" and options.stylize.output == "out.png"
    assert options.stylize.styles == ["a.jpg", "b.jpg"] and options.stylize.style_weights == [0.7, 0.3]


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


def test_help_says_range_and_default(capsys):
    text = " ".join(page("stylize", capsys, "all").split())
    assert "(0 to 1.5; default: 1.0)" in text and "32 or more, or 0 for the content's own" in text


@pytest.mark.parametrize(
    ("program", "section", "checkpoint", "output"),
    [
        ("train", "train", "init_ckpt", "output_dir"),
        ("eval", "eval", "ckpt_path", "output_path"),
        ("stylize", "stylize", "checkpoint", "output"),
        ("export", "export", "ckpt_path", "file_name"),
    ],
)
def test_checkpoint_and_output_work_in_every_program(program, section, checkpoint, output):
    content = ("photo.jpg",) if program == "stylize" else ()
    for names in (("checkpoint", "output"), (checkpoint, output)):
        options = parsed(program, *content, f"--{names[0]}", "a.ckpt", f"--{names[1]}", "there")
        settings = getattr(options, section)
        assert getattr(settings, checkpoint) == "a.ckpt" and getattr(settings, output) == "there"
        assert options.given == {(section, checkpoint), (section, output)}


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
    assert (options.content, options.style) == ("photo.jpg", "painting.jpg")
    assert (options.stylize.output, options.stylize.checkpoint) == ("a.png", "b.ckpt")
    assert parsed("stylize", "photo.jpg", "--output_path", "c.png").stylize.output == "c.png"


def test_a_recipe_takes_other_names_too(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("train: {output: there, checkpoint: a.ckpt}\n", encoding="utf-8")
    train = config.defaults(recipe)["train"]
    assert (train.output_dir, train.init_ckpt) == ("there", "a.ckpt")


def test_a_program_has_options_of_its_own(capsys):
    own = runpy.run_path(str(config.ROOT / "scripts" / "pack_checkpoint.py"))["PackOptions"]
    options = config.parse(["--emphasis", "1.25"], ("runtime",), "test", own=own)
    assert (options.own.emphasis, options.own.transfer_from) == (1.25, "") and options.runtime.seed == 1
    with pytest.raises(UserError, match="option emphasis: found 9.0, expected 0.67 to 1.5"):
        config.parse(["--emphasis", "9"], ("runtime",), "test", own=own)
    with pytest.raises(SystemExit):
        config.parse(["--help"], ("runtime",), "test", own=own)
    assert {"--emphasis", "--transfer_from", "--style_path"} < flags(capsys.readouterr().out)


def write_recipes(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{next(iter(texts))}.yaml"


def test_a_recipe_starts_from_its_base(tmp_path):
    (tmp_path / "below").mkdir()
    write_recipes(tmp_path, first="train: {steps: 3, log_every: 4}\nloss: {style_taps: {relu1_1: 1, relu2_1: 1}}")
    write_recipes(tmp_path / "below", second="base: ../first.yaml\ntrain: {steps: 5}")
    last = write_recipes(
        tmp_path / "below", last="train: {save_every: 6}\nloss: {style_taps: {relu3_1: 1}}\nbase: second.yaml"
    )
    built = config.defaults(last)
    assert (built["train"].steps, built["train"].log_every, built["train"].save_every) == (5, 4, 6)
    assert built["loss"].style_taps == {"relu3_1": 1.0}  # a value is replaced as a whole


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ({"a": "base: a.yaml"}, "a.yaml: base: a.yaml starts from this recipe"),
        ({"a": "base: b.yaml", "b": "base: ./a.yaml"}, "b.yaml: base: ./a.yaml starts from this recipe"),
        ({"a": "base: no.yaml"}, "a.yaml: base: no such file: .*no.yaml"),
        ({"a": "base: [b.yaml]"}, "a.yaml: base: found .'b.yaml'."),
        ({"a": "base: b.yaml", "b": "train: {stepz: 1}"}, "b.yaml, section train: unknown option 'stepz'"),
    ],
)
def test_a_base_that_can_not_be_is_named(tmp_path, texts, named):
    with pytest.raises(UserError, match=named):
        config.defaults(write_recipes(tmp_path, **texts))


OUT_OF_RANGE = [
    ("network", "width", 0, "more than 0"),
    ("network", "embedding_dim", 0, "1 or more"),
    ("loss", "tv_weight", -1, "0 or more"),
    ("loss", "style_weight", float("nan"), "0 or more"),
    ("loss", "content_taps", {"relu3_1": -1.0}, "each 0 or more"),
    ("data", "image_size", 0, "1 or more"),
    ("data", "style_size", -1, "1 or more, or 0 for image_size"),
    ("data", "min_side", 0, "1 or more"),
    ("data", "num_parallel_workers", 0, "1 or more"),
    ("data", "content_resize", 0.9, "1 or more"),
    ("data", "style_resize_min", 0.5, "1 or more"),
    ("data", "brightness", 1.1, "0 to 1"),
    ("data", "hue", 0.6, "0 to 0.5"),
    ("train", "steps", 0, "1 or more"),
    ("train", "keep_checkpoints", 0, "1 or more"),
    ("train", "learning_rate", 0, "more than 0"),
    ("train", "ema_decay", 1, "0 or more, and less than 1"),
    ("train", "clip_norm", float("inf"), "0 or more"),
    ("eval", "image_size", 15, "16 or more, or 0 for each content's own size"),
    ("eval", "interpolation", 1, "2 or more, or 0 for none"),
    ("eval", "interpolation", -1, "2 or more, or 0 for none"),
    ("stylize", "strength", 1.6, "0 to 1.5"),
    ("stylize", "size", -1, "1 or more, or 0 for the content's own size"),
    ("stylize", "tile", 124, "a multiple of 4 from 128 up, or 0 to choose"),
    ("stylize", "tile", 130, "a multiple of 4 from 128 up, or 0 to choose"),
    ("stylize", "blend_steps", 1, "2 to 16, or 0 for one blend"),
    ("stylize", "blend_steps", 17, "2 to 16, or 0 for one blend"),
    ("stylize", "style_weights", [float("inf")], "each a finite number"),
    ("optimize", "iterations", 0, "1 or more"),
    ("optimize", "beta1", 1, "0 or more, and less than 1"),
    ("optimize", "epsilon", 0, "more than 0"),
    ("optimize", "style_scale", [1.0, 0.01], "each 0.05 to 20"),
    ("optimize", "coarse_widths", [64, 8], "each 32 or more"),
    ("optimize", "image_width", 4, "32 or more, or 0 for the content's own"),
    ("optimize", "init_noise_blend", 1.5, "0 to 1"),
]


@pytest.mark.parametrize(("section", "name", "value", "text"), OUT_OF_RANGE, ids=str)
def test_a_value_out_of_range_is_named_with_the_range(section, name, value, text):
    """However the options are made: from files and command lines, in Python, or as a changed copy."""
    kind = sections.SECTIONS[section]
    for make in (
        lambda: config.defaults(**{section: {name: value}}),
        lambda: kind(**{name: value}),
        lambda: dataclasses.replace(kind(), **{name: value}),
    ):
        with pytest.raises(UserError, match=f"^option {name}: found .*, expected {text}"):
            make()


def test_values_at_the_bounds_are_in_range():
    for section, name, value in (
        ("data", "hue", 0.5),
        ("train", "ema_decay", 0),
        ("eval", "interpolation", 2),
        ("stylize", "strength", 1.5),
        ("stylize", "tile", 128),
        ("stylize", "blend_steps", 16),
        ("optimize", "style_scale", [0.05, 20]),
    ):
        assert getattr(config.defaults(**{section: {name: value}})[section], name) == value


def test_bounds_that_networks_set():
    from src.gatys.settings import SMALLEST_SIDE
    from src.stylize.tiles import ALIGNMENT, SMALLEST_TILE

    tile = sections.StylizeConfig.schema()["tile"].limits
    assert (tile.least, tile.multiple) == (SMALLEST_TILE, ALIGNMENT)
    for name in ("image_width", "coarse_widths"):
        assert sections.OptimizeConfig.schema()[name].limits.least == SMALLEST_SIDE


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--stepz", "3"], "stepz"),
        (["--step", "3"], "--step"),  # no abbreviations: a new option must not change what an old command means
        (["--steps", "many"], "steps"),
        (["--steps", "2.5"], "steps"),
        (["--steps", "inf"], "steps"),
        (["--resume", "perhaps"], "resume"),
        (["--learning_rate", "fast"], "learning_rate"),
        (["--optimizer", "adamw"], "optimizer"),
        (["--steps"], "steps"),
        (["stray"], "stray"),
        (["--config_path", "no/such.yaml"], "no/such.yaml"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line_naming_the_option(arguments, named):
    with pytest.raises(UserError) as caught:
        config.parse(arguments, ("train",), "test")
    assert named in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("trian: {steps: 3}", "trian"),
        ("train: {stepz: 3}", "stepz"),
        ("train: {steps: [1, 2]}", "steps"),
        ("train: {steps: yes}", "steps"),
        ("train: {resume: 2}", "resume"),
        ("train: {output_dir: 3}", "output_dir"),
        ("loss: {style_taps: {relu1_1: big}}", "relu1_1"),
        ("loss: {style_taps: relu1_1}", "style_taps"),
        ("stylize: {styles: a.jpg}", "styles"),
        ("network: {padding: mirror}", "padding"),
        ("just text", "recipe.yaml"),
        ("a: [1", "recipe.yaml"),
        ("train: [steps, 3]", "section train"),
        ("pack: {emphasis: 1.1}", "scripts/pack_checkpoint.py"),
        ("", "recipe.yaml"),
    ],
)
def test_mistakes_in_a_recipe_are_one_line_naming_the_option(tmp_path, text, named):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        config.defaults(recipe)
    assert named in str(caught.value) and "\n" not in str(caught.value)


def test_a_misspelt_option_gets_a_suggestion(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("train: {learning_rat: 1}", encoding="utf-8")
    with pytest.raises(UserError, match="'learning_rate'"):
        config.defaults(recipe)


def test_a_value_among_the_choices_is_listed_in_the_error():
    with pytest.raises(UserError, match="reflect, zero"):
        config.defaults(network={"padding": "mirror"})
