"""The options' fields: each has a help, and takes only what is in its range."""

import dataclasses

import pytest

from src import config, sections
from src.errors import UserError


@pytest.mark.parametrize("section", sections.SECTIONS)
def test_every_option_says_what_it_means_and_accepts_its_own_value(section):
    for name, option in sections.SECTIONS[section].schema().items():
        assert len(option.limits.help) > 5, name
        accepted = option.accept(option.value)
        assert accepted == option.value and type(accepted) is type(option.value), name
        assert len(set(option.limits.choices)) == len(option.limits.choices) != 1, name


OUT_OF_RANGE = [
    ("network", "width", 0, "more than 0"),
    ("network", "embedding_dim", 0, "1 or more"),
    ("loss", "tv_weight", -1, "0 or more"),
    ("loss", "style_weight", float("nan"), "0 or more"),
    ("loss", "content_taps", {"relu3_1": -1.0}, "each 0 or more"),
    ("loss", "grid_weight", -0.1, "0 or more"),
    ("loss", "color_weight", -0.1, "0 or more"),
    ("loss", "band_weight", -0.1, "0 or more"),
    ("loss", "palette_weight", -0.1, "0 or more"),
    ("loss", "detail_taps", {"relu2_2": -1.0}, "each 0 or more"),
    ("data", "style_crops", -1, "0 or more"),
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
    ("stylize", "tile", 130, "a multiple of 4 from 128 up, or 0 to choose .*; the nearest are 128 and 132$"),
    ("export", "height", 30, "a multiple of 4 from 16 up; the nearest are 28 and 32$"),
    ("export", "width", 255, "a multiple of 4 from 16 up; the nearest are 252 and 256$"),
    ("export", "width", -4, "a multiple of 4 from 16 up$"),
    ("export", "style_height", 0, "64 or more$"),
    ("export", "style_width", 63, "64 or more$"),
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
        ("export", "height", 16),
        ("export", "style_width", 64),
        ("stylize", "blend_steps", 16),
        ("optimize", "style_scale", [0.05, 20]),
    ):
        assert getattr(config.defaults(**{section: {name: value}})[section], name) == value


def test_bounds_that_networks_set():
    from src.deploy.parts import SMALLEST_STYLE
    from src.optimize.settings import SMALLEST_SIDE
    from src.stylize.stylizer import MULTIPLE
    from src.stylize.stylizer import SMALLEST_SIDE as SMALLEST_CONTENT
    from src.stylize.tiles import ALIGNMENT, SMALLEST_TILE

    tile = sections.StylizeConfig.schema()["tile"].limits
    assert (tile.least, tile.multiple) == (SMALLEST_TILE, ALIGNMENT)
    for name in ("image_width", "coarse_widths"):
        assert sections.OptimizeConfig.schema()[name].limits.least == SMALLEST_SIDE
    export = sections.ExportConfig.schema()
    for name in ("height", "width"):
        assert (export[name].limits.least, export[name].limits.multiple) == (SMALLEST_CONTENT, MULTIPLE)
        assert export[f"style_{name}"].limits.least == SMALLEST_STYLE
