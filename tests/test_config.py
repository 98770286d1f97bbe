"""The options' fields, default_config.yaml and the recipes agree; every mistake is one line that names the option."""

import runpy
from pathlib import Path

import pytest
import yaml

from src import config, sections
from src.errors import UserError
from src.options.option import PathText

RECIPES = sorted((config.ROOT / "configs").glob("*.yaml"))


def test_default_config_is_what_the_fields_say():
    text = config.DEFAULT_CONFIG.read_text(encoding="utf-8")
    render = runpy.run_path(str(config.ROOT / "scripts" / "write_default_config.py"))["render"]
    assert text == render(), "run scripts/write_default_config.py after a change of options"
    values = yaml.safe_load(text)
    assert set(values) == set(sections.SECTIONS)
    for section, kind in sections.SECTIONS.items():
        fields = {name: option.value for name, option in kind.schema().items()}
        assert values[section] == fields == config.to_dict(kind())


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


@pytest.mark.parametrize(
    ("section", "program", "names"),
    [
        ("quality", "benchmarks/quality.py", ("teacher", "gatys_pairs", "gatys_steps")),
        ("pack", "scripts/pack_checkpoint.py", ("transfer_from", "emphasis", "style_path")),
    ],
)
def test_a_section_of_former_versions_says_where_its_options_are(tmp_path, monkeypatch, section, program, names):
    """default_config.yaml of former versions had these sections, and a user may have kept the file."""
    edited = tmp_path / "default_config.yaml"
    edited.write_text(f"train: {{steps: 7}}\n{section}: {{{names[0]}: a}}\n---\n{section}: {{}}\n", encoding="utf-8")
    monkeypatch.setattr(config, "DEFAULT_CONFIG", edited)
    with pytest.raises(UserError) as caught:
        config.parse([], ("train",), "test")
    said = f"config_path {edited}: section '{section}' is no more; give its options to {program} itself"
    assert str(caught.value) == said
    source = (config.ROOT / program).read_text(encoding="utf-8")
    assert "own=" in source and all(f"    {name}: " in source for name in names)  # as options of its own


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


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (("--normalize_losses", "true"), True),
        (("--normalize_losses",), True),
        (("--normalize_losses", "0"), False),
        (("--normalize_losses", "balanced"), "balanced"),
    ],
)
def test_normalize_losses_takes_a_word_beside_its_former_values(arguments, expected):
    assert config.parse(list(arguments), ("loss",), "test").loss.normalize_losses == expected
    with pytest.raises(UserError, match="normalize_losses.*'both'.*false, true, balanced"):
        config.parse(["--normalize_losses", "both"], ("loss",), "test")


@pytest.mark.parametrize(
    "arguments, expected",
    [(("--normalize_losses", "photo.jpg"), True), (("--normalize_losses", "balanced", "photo.jpg"), "balanced")],
)
def test_a_switch_with_words_keeps_positionals_apart(arguments, expected):
    found = config.parse(list(arguments), ("loss",), "test", positionals=[("content", None, "photograph")])
    assert (found.content, found.loss.normalize_losses) == ("photo.jpg", expected)


@pytest.mark.parametrize(
    "arguments, written, folder",
    [
        ((), True, ""),
        (("--pictures", "false"), False, ""),
        (("--pictures",), True, ""),
        (("--pictures", "True"), True, ""),
        (("--write_pictures", "no"), False, ""),
        (("--pictures", "results"), True, "results"),
    ],
)
def test_pictures_keeps_its_former_meaning(arguments, written, folder):
    settings = config.parse(list(arguments), ("eval",), "test").eval
    assert (settings.writes_pictures, settings.pictures_path) == (written, folder)


def test_pictures_keeps_its_former_meaning_in_a_recipe(tmp_path):
    (tmp_path / "recipe.yaml").write_text("eval: {pictures: false}\n", encoding="utf-8")
    assert not config.defaults(tmp_path / "recipe.yaml")["eval"].writes_pictures


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


def test_lists_and_positionals():
    options = config.parse(
        ["photo.jpg", "--styles", "a.jpg", "b.jpg", "--style_weights", "0.7", "0.3", "-o", "out.png"],
        ("stylize",),
        "test",
        positionals=(("content", None, "picture"),),
    )
    assert options.content == "photo.jpg" and options.stylize.output == "out.png"
    assert options.stylize.styles == ["a.jpg", "b.jpg"] and options.stylize.style_weights == [0.7, 0.3]


def test_a_recipe_takes_other_names_too(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("train: {output: there, checkpoint: a.ckpt}\n", encoding="utf-8")
    train = config.defaults(recipe)["train"]
    assert (train.output_dir, train.init_ckpt) == ("there", "a.ckpt")


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
        ({"a": 'base: "b\\0"'}, "a.yaml: base: found .*expected the path of a recipe"),
        ({"a": "base: ~no such user/b.yaml"}, "a.yaml: base: no such file: .*~no such user/b.yaml"),
        ({"a": 'train: {output_dir: "b\\0"}'}, "option output_dir: found .*, expected a path"),
        ({"a": "base: b.yaml", "b": "train: {stepz: 1}"}, "b.yaml, section train: unknown option 'stepz'"),
    ],
)
def test_a_base_that_can_not_be_is_named(tmp_path, texts, named):
    with pytest.raises(UserError, match=named):
        config.defaults(write_recipes(tmp_path, **texts))


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


NO_PATHS = {
    "stylize.style",
    "service.host",
    "service.hosts",
    "eval.shard",
    "stylize.shard",
    "video.codec",
    "video.preset",
}  # texts that are neither chosen from a list nor paths


def text_options():
    kinds = (str, list[str], PathText, list[PathText])
    return [
        (section, name, option.kind)
        for section, options in sections.SECTIONS.items()
        for name, option in options.schema().items()
        if option.kind in kinds and not option.limits.choices
    ]


def test_every_text_is_a_choice_or_a_path():
    others = {f"{section}.{key}" for section, key, kind in text_options() if kind in (str, list[str])}
    assert others == {*NO_PATHS, "train.freeze"}


@pytest.mark.parametrize("way", ["command line", "recipe"])
def test_paths_may_begin_at_home(tmp_path, monkeypatch, way):
    monkeypatch.setenv("HOME", str(tmp_path))
    for section in sections.SECTIONS:
        lists = {key: kind != PathText for name, key, kind in text_options() if name == section}
        kept = {key for name, key, kind in text_options() if name == section and kind in (str, list[str])}
        keys = lists.keys() - kept
        recipe = {section: {key: ["~/a b"] if lists[key] else "~/a b" for key in keys}}
        (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
        line = [f"--{key}=~/a b" for key in keys] if way == "command line" else ["--config_path=~/recipe.yaml"]
        found = vars(getattr(config.parse(line, [section], "test"), section))
        for key in keys:
            assert found[key] == ([f"{tmp_path}/a b"] if lists[key] else f"{tmp_path}/a b"), key
    positional = config.parse(["~/a b"], (), "test", [("content", None, "a file"), ("style", "?", "another")])
    assert (positional.content, positional.style) == (f"{tmp_path}/a b", None)


def test_the_home_of_nobody_is_a_name_as_any_other(tmp_path, monkeypatch):
    """pathlib takes no such name for a path; a backup of an editor may be called ~photo.jpg."""
    monkeypatch.chdir(tmp_path)
    found = config.parse(["~no such user.jpg"], ["train"], "test", [("content", None, "a file")])
    assert Path(found.content).expanduser() == tmp_path / "~no such user.jpg"
    line = ["--output_dir=~no such user"]
    assert Path(config.parse(line, ["train"], "test").train.output_dir).expanduser() == tmp_path / "~no such user"
    with pytest.raises(UserError, match="config_path .*~no such user.yaml: no such file"):
        config.parse(["--config_path=~no such user.yaml"], ["train"], "test")
