"""The run_*.sh scripts: published names and arguments, paths, logs, and the child's status.

A stand-in for Python (`PYTHON`) writes down what it is called with, so that nothing is trained here.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMES = {  # positional arguments, as the published README gives them
    "run_standalone_train.sh": ["PLATFORM", "DEVICE_ID", "CONTENT_PATH", "STYLE_PATH", "CKPT_PATH"],
    "run_distribute_train_ascend.sh": ["RANK_TABLE_FILE", "PLATFORM", "CONTENT_PATH", "STYLE_PATH", "CKPT_PATH"],
    "run_distribute_train_gpu.sh": ["CONTENT_PATH", "STYLE_PATH", "CKPT_PATH"],
    "run_eval.sh": ["PLATFORM", "DEVICE_ID", "CONTENT_PATH", "STYLE_PATH", "INCEPTION_CKPT", "CKPT_PATH"],
}
STUB = """#!/usr/bin/env bash
printf '%s\\0' "$@" > "$STUB_RECORD"
echo "standard output, table ${RANK_TABLE_FILE:-none}"
echo "standard error" >&2
exit "$STUB_STATUS"
"""


@pytest.fixture
def base(tmp_path):
    """Inputs for every argument, with a blank in the path."""
    folder = tmp_path / "my files"
    for name in ("content", "style", "pretrained"):
        (folder / name).mkdir(parents=True)
    for name in ("inception.ckpt", "model.ckpt", "table.json"):
        (folder / name).touch()
    return folder


@pytest.fixture
def stub(tmp_path, run_entry_point):
    """Runs a script with the stand-in: the process, and the arguments it was called with (None: it was not)."""
    program, record = tmp_path / "stub python", tmp_path / "record"
    program.write_text(STUB)
    program.chmod(0o755)

    def run(script, *arguments, status=0, **settings):
        record.unlink(missing_ok=True)
        environment = {"PYTHON": str(program), "STUB_RECORD": str(record), "STUB_STATUS": str(status), **settings}
        process = run_entry_point(f"scripts/{script}", *arguments, **{"DEVICE_NUM": "3", **environment})
        return process, record.read_text().split("\0")[:-1] if record.exists() else None

    return run


def positional(script, folder) -> dict:
    """A good value for each positional argument of a script."""
    good = {
        "PLATFORM": "CPU",
        "DEVICE_ID": "1",
        "RANK_TABLE_FILE": "2",
        "CONTENT_PATH": f"{folder}/content",
        "STYLE_PATH": f"{folder}/style",
        "CKPT_PATH": f"{folder}/model.ckpt" if script == "run_eval.sh" else f"{folder}/pretrained",
        "INCEPTION_CKPT": f"{folder}/inception.ckpt",
    }
    return {name: good[name] for name in NAMES[script]}


def output_option(script):
    """The option that names a script's output folder."""
    return "--output_path" if script == "run_eval.sh" else "--output_dir"


def values(arguments, option):
    """Every value that a command line gives to an option, in order."""
    return [arguments[place + 1] for place, text in enumerate(arguments) if text == option]


@pytest.mark.parametrize("path", [*ROOT.glob("scripts/*.sh"), ROOT / ".ci/run"], ids=lambda path: path.name)
def test_bash_can_parse_it(path):
    subprocess.run(["bash", "-n", path], check=True)


@pytest.mark.parametrize("script", NAMES)
def test_too_few_arguments_print_the_published_usage(script, base, stub):
    process, called = stub(script, *list(positional(script, base).values())[:-1])
    assert process.returncode != 0 and called is None
    assert f"{script} {' '.join(NAMES[script])} " in process.stderr


@pytest.mark.parametrize("script", NAMES)
def test_a_stray_argument_is_refused(script, base, stub):
    process, called = stub(script, *positional(script, base).values(), "stray")
    assert process.returncode != 0 and called is None
    assert "'stray'" in process.stderr


@pytest.mark.parametrize(
    ("script", "name"),
    [(script, name) for script in NAMES for name in NAMES[script] if name.endswith(("PATH", "CKPT"))],
)
def test_a_missing_path_is_named(script, name, base, stub):
    arguments = {**positional(script, base), name: f"{base}/not there"}
    process, called = stub(script, *arguments.values())
    assert process.returncode != 0 and called is None
    assert process.stderr.startswith("error: ") and name in process.stderr and f"{base}/not there" in process.stderr


@pytest.mark.parametrize("script", NAMES)
@pytest.mark.parametrize("status", [0, 3, 130])
def test_the_status_is_the_childs(script, status, base, stub, tmp_path):
    process, called = stub(
        script, *positional(script, base).values(), output_option(script), tmp_path / "out", status=status
    )
    assert called is not None
    assert process.returncode == status


@pytest.mark.parametrize("script", NAMES)
def test_output_is_shown_and_added_to_a_log_in_the_output_folder(script, base, stub, tmp_path):
    folder = tmp_path / "new folder" / "out"
    for _ in range(2):
        # of a repeated option the last value counts
        given = output_option(script), tmp_path / "earlier", output_option(script), folder
        process, called = stub(script, *positional(script, base).values(), *given)
        assert "standard output" in process.stdout and "standard error" in process.stdout
    log = folder / ("eval.log" if script == "run_eval.sh" else "train.log")
    assert log.read_text().count("standard output") == log.read_text().count("standard error") == 2
    assert values(called, output_option(script)) == [str(folder), str(tmp_path / "earlier"), str(folder)]


@pytest.mark.parametrize("script", NAMES)
def test_a_folder_that_cannot_be_made_is_an_error(script, base, stub):
    process, called = stub(
        script, *positional(script, base).values(), output_option(script), f"{base}/model.ckpt/below a file"
    )
    assert process.returncode != 0 and called is None
    assert "below a file" in process.stderr
    assert process.stderr.endswith(f"choose another with {output_option(script)}\n")


@pytest.mark.parametrize("script", NAMES)
def test_home_folders_are_found_in_quotes_and_after_an_equals_sign(script, base, stub):
    arguments = [value.replace(f"{base}/", "~/") for value in positional(script, base).values()]
    process, called = stub(script, *arguments, f"{output_option(script)}=~/out", HOME=str(base))
    assert process.returncode == 0, process.stderr
    assert values(called, "--content_path") == [f"{base}/content"]
    assert values(called, output_option(script)) == [f"{base}/out"]
    assert (base / "out" / ("eval.log" if script == "run_eval.sh" else "train.log")).is_file()


@pytest.mark.parametrize("recipe", ["n_styles.yaml", "single_style.yaml"])
@pytest.mark.parametrize("script", NAMES)
def test_other_methods_take_a_folder_of_styles_or_one_image(script, recipe, base, stub, tmp_path):
    arguments = positional(script, base)
    if recipe == "single_style.yaml":
        arguments["STYLE_PATH"] = f"{base}/udnie.jpg"
        (base / "udnie.jpg").touch()
    extra = ["--config_path", f"configs/{recipe}"]
    process, called = stub(script, *arguments.values(), output_option(script), tmp_path / "out", *extra)
    assert process.returncode == 0 and called[-2:] == extra
    assert called[called.index("--style_path") + 1] == arguments["STYLE_PATH"]


@pytest.mark.parametrize("script", NAMES)
def test_more_options_pass_through_last_and_unchanged(script, base, stub, tmp_path):
    extra = ["--steps", "3", "--config_path", "a b.yaml", "--style_taps=relu1_1=1,relu2_1=*"]
    _, called = stub(script, *positional(script, base).values(), output_option(script), tmp_path / "out", *extra)
    assert called[-len(extra) :] == extra


@pytest.mark.parametrize("script", NAMES)
def test_relative_paths_are_those_of_the_caller(script, base, stub, tmp_path):
    relative = [value.replace(f"{base}/", "") for value in positional(script, base).values()]
    process, called = stub(script, *relative, output_option(script), tmp_path / "out", cwd=base)
    assert process.returncode == 0, process.stderr
    assert values(called, "--content_path") == [f"{base}/content"]
    assert values(called, "--style_path") == [f"{base}/style"]
    assert Path(values(called, "--ckpt_path")[0]).is_absolute()


def test_standalone_calls_train_with_the_device(base, stub, tmp_path):
    script = "run_standalone_train.sh"
    process, called = stub(
        script, *positional(script, base).values(), "--output_dir", tmp_path, RANK_TABLE_FILE="/left/over.json"
    )
    assert called[0] == str(ROOT / "train.py")
    assert values(called, "--device_target") == ["CPU"] and values(called, "--device_id") == ["1"]
    assert values(called, "--ckpt_path") == [f"{base}/pretrained"]
    assert "table none" in process.stdout


def test_eval_passes_the_inception_argument_on(base, stub, tmp_path):
    process, called = stub(
        "run_eval.sh", *positional("run_eval.sh", base).values(), "--output_path", tmp_path, cwd=tmp_path
    )
    assert process.returncode == 0, process.stderr
    assert values(called, "--inception_ckpt") == [f"{base}/inception.ckpt"]
    assert values(called, "--ckpt_path") == [f"{base}/model.ckpt"]
    assert values(called, "--style_path") == [f"{base}/style"]
    assert values(called, "--device_target") == ["CPU"] and values(called, "--device_id") == ["1"]


@pytest.mark.parametrize("script", ["run_standalone_train.sh", "run_eval.sh"])
def test_the_log_lies_in_the_folder_that_output_names(script, base, stub, tmp_path):
    options = ("--output", tmp_path / "first", "--output", tmp_path / "out")
    options += ("--output", "tanh") if script == "run_standalone_train.sh" else ()  # the last activation, as before
    process, called = stub(script, *positional(script, base).values(), *options)
    assert process.returncode == 0, process.stderr
    assert [path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".log"]
    assert not (tmp_path / "first").exists() and values(called, output_option(script)) == [f"{tmp_path}/out"]


def test_eval_takes_an_empty_inception_argument(base, stub, tmp_path):
    arguments = {**positional("run_eval.sh", base), "INCEPTION_CKPT": ""}
    process, called = stub("run_eval.sh", *arguments.values(), "--output_path", tmp_path)
    assert process.returncode == 0, process.stderr
    assert called[0] == str(ROOT / "eval.py")
    assert values(called, "--inception_ckpt") == [""] and values(called, "--ckpt_path") == [f"{base}/model.ckpt"]


@pytest.mark.parametrize(
    ("given", "expected"), [("4", ["--ranks", "4"]), ("table.json", ["--rank_table", "{}/table.json"])]
)
def test_ascend_takes_a_rank_table_or_a_number(given, expected, base, stub, tmp_path):
    script = "run_distribute_train_ascend.sh"
    arguments = {**positional(script, base), "RANK_TABLE_FILE": given, "PLATFORM": "Ascend"}
    process, called = stub(script, *arguments.values(), "--output_dir", tmp_path / "out", cwd=base)
    assert process.returncode == 0, process.stderr
    program = called.index(str(ROOT / "train.py"))
    assert called[0] == str(ROOT / "scripts/launch.py")
    assert [text.format(base) for text in expected] == called[3:5]
    assert values(called[:program], "--log_dir") == [f"{tmp_path}/out/rank_logs"]
    assert values(called[program:], "--device_target") == ["Ascend"]
    assert values(called[program:], "--distributed") == ["true"]


def test_ascend_names_a_missing_rank_table(base, stub):
    script = "run_distribute_train_ascend.sh"
    process, called = stub(script, *{**positional(script, base), "RANK_TABLE_FILE": "hccl.json"}.values())
    assert process.returncode != 0 and called is None
    assert "RANK_TABLE_FILE" in process.stderr and "hccl.json" in process.stderr


@pytest.mark.parametrize(("listed", "ranks"), [("GPU 0: a\\nGPU 1: b\\n", "2"), ("", None)])
def test_gpu_counts_the_devices(listed, ranks, base, stub, tmp_path, monkeypatch):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "nvidia-smi").write_text(f"#!/bin/sh\nprintf '{listed}'\n")
    (tools / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    script = "run_distribute_train_gpu.sh"
    process, called = stub(script, *positional(script, base).values(), "--output_dir", tmp_path / "out", DEVICE_NUM="")
    if ranks is None:
        assert process.returncode != 0 and called is None and "no GPU" in process.stderr
    else:
        assert called[1:5] == ["--platform", "GPU", "--ranks", ranks]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_last_words_after_a_signal_are_in_the_log(base, tmp_path, number):
    """As a terminal does, the signal goes to the script, the program and tee."""
    program = tmp_path / "patient"
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, signal, sys, time\n"
        "def save(number, _):\n    time.sleep(0.5)\n    print('saved')\n    sys.exit(128 + number)\n"
        f"signal.signal({int(number)}, save)\nprint('training', flush=True)\ntime.sleep(30)\n"
    )
    program.chmod(0o755)
    script = "run_standalone_train.sh"
    command = ["bash", ROOT / "scripts" / script, *positional(script, base).values(), "--output_dir", tmp_path / "out"]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHON": str(program)}, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    for line in process.stdout:
        if line == "training\n":
            break
    os.killpg(process.pid, number)
    out, _ = process.communicate(timeout=30)  # until the program and tee have ended, too
    assert process.returncode in (128 + number, -number)  # bash itself dies of the loss of its terminal
    assert out == "saved\n" and (tmp_path / "out/train.log").read_text().endswith("training\nsaved\n")
