"""--checkpoint and --output work in every program that reads a checkpoint or writes an output, beside older names."""

import argparse
import importlib.util

import pytest

from src import config
from src.errors import UserError
from src.options.option import Options

FOLDERS = (".", "scripts", "deploy", "deploy/triton")
# program: (its older name of the checkpoint, of the output, what else its command line needs);
# a name without "-" is that of an argument without a name
NAMES = {
    "app.py": ("--ckpt_path", None, ()),
    "eval.py": ("--ckpt_path", "--output_path", ()),
    "export.py": ("--ckpt_path", "--file_name", ()),
    "stylize.py": ("--ckpt_path", "--output_path", ("photo.jpg",)),
    "train.py": ("--init_ckpt", "--output_dir", ()),
    "deploy/convert_lite.py": ("source", "target", ()),
    "deploy/infer.py": ("--model_path", "--output_path", ()),
    "deploy/triton/make_repository.py": ("source", "folder", ()),
    "scripts/ascend_range.py": ("--init_ckpt", "--csv", ()),
    "scripts/build_demo.py": ("--ckpt_path", "--output_path", ()),
    "scripts/bulk.py": ("--ckpt_path", "--output_path", ("photos",)),
    "scripts/convert_weights.py": ("source", "target", ()),
    "scripts/download_weights.py": (None, "--folder", ("vgg16",)),
    "scripts/make_rank_table.py": (None, "--output", ("10.0.0.1=/etc/hccn.conf",)),
    "scripts/make_test_clip.py": (None, "path", ()),
    "scripts/pack_checkpoint.py": ("source", "target", ()),
    "scripts/quantize_onnx.py": ("source", "target", ()),
    "scripts/take_screenshots.py": (None, "-o", ()),
}
# these read no checkpoint and write no file that a user names
NEITHER = {
    "mindspore_hub_conf.py",
    "deploy/triton/model.py",
    "scripts/ascend_operators.py",
    "scripts/doctor.py",
    "scripts/launch.py",
    "scripts/run_notebook.py",
    "scripts/write_default_config.py",
}


def read(program, *argv):
    """What a program reads from its command line: {name: text} of its options and of its arguments without a name."""

    class Read(Exception):
        pass

    def stop(result):
        raise Read(result)

    real = argparse.ArgumentParser.parse_args
    spec = importlib.util.spec_from_file_location(program.replace("/", "_")[:-3], config.ROOT / program)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Read) as caught:
        if hasattr(module, "parse"):
            patch.setattr(module, "parse", lambda *given, **settings: stop(config.parse(*given, **settings)))
        else:
            patch.setattr(argparse.ArgumentParser, "parse_args", lambda *given: stop(real(*given)))
        module.main([*argv])
    options, found = vars(caught.value.args[0]), {}
    for section, value in options.items():
        if isinstance(value, Options):
            found |= {(section, name): getattr(value, name) for name in value.schema()}
        else:
            found[section] = value
    found.pop("given", None)
    return found


def older(name, text):
    return (name, text) if name.startswith("-") else (text,)


def test_every_program_is_listed():
    programs = {file.relative_to(config.ROOT) for folder in FOLDERS for file in (config.ROOT / folder).glob("*.py")}
    assert {program.as_posix() for program in programs} == NAMES.keys() | NEITHER


@pytest.mark.parametrize("program", NAMES)
def test_checkpoint_and_output_mean_what_the_older_names_mean(program):
    checkpoint, output, others = NAMES[program]
    newer, former = [], []
    for name, option, text in ((checkpoint, "--checkpoint", "a.onnx"), (output, "--output", "there.mp4")):
        if name:
            newer += [option, text]
            former += older(name, text)
    found = read(program, *others, *newer)
    assert found == read(program, *others, *former)
    assert set(newer[1::2]) <= set(map(str, found.values()))


def test_an_argument_given_by_its_option_leaves_its_place_to_the_next():
    program = "scripts/pack_checkpoint.py"
    expected = read(program, "a.ckpt", "b.ckpt")
    for argv in (
        ("--checkpoint", "a.ckpt", "b.ckpt"),
        ("a.ckpt", "--output=b.ckpt"),
        ("b.ckpt", "--checkpoint=a.ckpt", "--emphasis", "1"),
    ):
        assert read(program, *argv) == expected
    options = config.parse(["~/a"], (), "test", positionals=[("source", None, "a file", "--checkpoint")])
    assert "~" not in options.source
    for argv, message in (
        (("a.ckpt", "b.ckpt", "--output", "c.ckpt"), "unrecognized arguments: b.ckpt"),
        (("--checkpoint", "a.ckpt"), "required: target"),
        (("a.ckpt", "--output"), "--output: expected one argument"),
    ):
        with pytest.raises(UserError, match=message):
            config.parse(
                argv,
                (),
                "test",
                positionals=[("source", None, "a file", "--checkpoint"), ("target", None, "a file", "--output")],
            )


def test_help_names_the_option_beside_the_argument(capsys):
    with pytest.raises(SystemExit):
        config.parse(["--help"], (), "test", positionals=[("target", None, "file to write", "--output")])
    assert "target" in (page := capsys.readouterr().out) and "file to write (also --output)" in page
