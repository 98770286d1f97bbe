"""Whatever happens around a run: its losses and pictures are the same, or a line says why there are none."""

import csv
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import mindspore as ms
import numpy as np
import pytest
from tiny_runs import LOSS, RUNTIME, PlainStep, use_plain_steps

from src.config import defaults
from src.errors import UserError
from src.images.files import write_image
from src.stylize.bulk import Worker, prepare_choice, to_row
from src.stylize.jobs import plan_jobs
from src.training.trainer import train
from src.weights.native import read_checkpoint

STEPS = 30  # of six pictures each; MindData reads about 60 pictures ahead
# Puts a file system into the folder $1, which only this process and its children see, and runs the rest.
MOUNTS = {
    "read-only": 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"',
    "full": 'mount -t tmpfs -o size=16k none "$1"',
}


@pytest.fixture
def run(few_statistics, loss_weights, image_folders, tmp_path, monkeypatch):
    """Function of a run's name and changes of its data options: trains, and returns losses and last weights."""
    use_plain_steps(monkeypatch)
    folders = []
    for kind, folder in zip(("content", "style"), image_folders, strict=True):
        shutil.copytree(folder, tmp_path / kind)
        folders.append(str(tmp_path / kind))

    def make(name, **data):
        paths = {"content_path": folders[0], "style_path": folders[1]}
        values = {
            "network": {"predictor": "compact", "width": 0.25},
            "loss": LOSS,
            "data": {**paths, "image_size": 32, "batch_size": 6, "min_side": 32, "prefetch": 1, **data},
            "train": {"output_dir": str(tmp_path / name), "ckpt_path": str(loss_weights), "steps": STEPS},
        }
        values["train"] |= {"log_every": 1, "save_every": 10, "image_every": 1000}
        built = defaults(**values)
        ms.set_seed(RUNTIME.seed)  # of the first weights, as every program sets it
        assert train(SimpleNamespace(**{section: built[section] for section in values}), RUNTIME) == 0
        with open(tmp_path / name / "losses.csv", newline="") as file:
            rows = [{key: text for key, text in row.items() if key != "seconds"} for row in csv.DictReader(file)]
        assert len(rows) == STEPS
        return rows, read_checkpoint(tmp_path / name / "checkpoints" / f"step_{STEPS:08d}.ckpt")[0]

    return make


def assert_same(first, second):
    assert first[0] == second[0]
    assert first[1].keys() == second[1].keys()
    assert all(np.array_equal(first[1][name], second[1][name]) for name in first[1])


def test_losses_and_weights_are_the_same_whatever_the_data_workers(run):
    one = run("one", num_parallel_workers=1, prefetch=1)
    assert_same(one, run("four", num_parallel_workers=4, prefetch=8))
    assert len({row["total"] for row in one[0]}) > STEPS / 2  # the losses do depend on the batches


def test_a_run_whose_data_were_away_goes_on_as_if_undisturbed(run, tmp_path, monkeypatch):
    undisturbed = run("undisturbed")
    steps, call = [], PlainStep.__call__

    def take_away(self, *batch):
        steps.append(len(steps))
        if len(steps) == 5:
            (tmp_path / "content").rename(tmp_path / "away")
        return call(self, *batch)

    monkeypatch.setattr(PlainStep, "__call__", take_away)
    with pytest.raises(UserError, match="content_path: .*content: no longer there"):
        run("disturbed")
    assert 5 <= len(steps) < STEPS
    (tmp_path / "away").rename(tmp_path / "content")
    monkeypatch.setattr(PlainStep, "__call__", call)
    assert_same(run("disturbed"), undisturbed)


def test_pictures_are_the_same_whatever_the_workers_and_batches(tmp_path, image):
    pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")
    for number in range(5):
        write_image(tmp_path / f"in/{number}.png", image(64, 72, number))
    write_image(tmp_path / "style.png", image(64, 64, 9))
    values = defaults(stylize={"engine": "onnxruntime"})
    choice = prepare_choice(str(tmp_path / "style.png"), values["stylize"])
    made = []
    for workers, batch in ((1, 5), (2, 1), (3, 2)):
        jobs, _ = plan_jobs([str(tmp_path / "in")], str(tmp_path / f"out{workers}"), False)
        pool = [Worker(values["stylize"], values["runtime"], choice) for _ in range(workers)]
        for turn, start in enumerate(range(0, len(jobs), batch)):
            rows = [to_row(job) for job in jobs[start : start + batch]]
            said = pool[turn % workers]({name: np.array([row[name] for row in rows]) for name in ("content", "output")})
            assert not any(said["error"])
        made.append([job.output.read_bytes() for job in jobs])
    assert made[0] == made[1] == made[2] and len(set(made[0])) == 5


@pytest.fixture
def in_folder(root, tmp_path):
    """Function of a kind of `MOUNTS`, a folder, a program and arguments: runs it with that folder read-only or full."""

    def call(kind, folder, program, *arguments):
        command = [sys.executable, str(root / program), *map(str, arguments)]
        if kind == "read-only" and os.name == "posix" and os.geteuid():
            folder.chmod(0o555)
        else:  # root may write everywhere, but not on a file system that is read-only
            unshare = ["unshare", "--mount", "sh", "-c"]
            tried = shutil.which("unshare") and subprocess.run([*unshare, MOUNTS[kind], "sh", folder])
            if not tried or tried.returncode:
                pytest.skip("needs the right to mount a file system (root, in a container with CAP_SYS_ADMIN)")
            command = [*unshare, f'{MOUNTS[kind]} && shift && exec "$@"', "sh", str(folder), *command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stderr.splitlines()

    return call


@pytest.fixture
def pictures(tmp_path, image):
    """A folder of two contents, a style image, and an empty folder for results."""
    pytest.importorskip("onnxruntime", reason="needs requirements-runtime.txt")
    for number in range(2):
        write_image(tmp_path / f"in/{number}.png", image(96, 96, number))
    write_image(tmp_path / "style.png", image(64, 64, 9))
    (tmp_path / "out").mkdir()
    return tmp_path / "in", tmp_path / "style.png", tmp_path / "out"


@pytest.mark.parametrize("program", ["stylize.py", "deploy/infer.py"])
def test_a_read_only_output_folder_is_refused_before_the_work(in_folder, pictures, program):
    contents, style, out = pictures
    arguments = [contents, style, "-o", out, "--engine", "onnxruntime"]
    if program == "deploy/infer.py":
        arguments = ["--content_path", contents, "--style_path", style, "--output_path", out]
    code, err = in_folder("read-only", out, program, *arguments)
    assert code == 2 and len(err) == 1, err
    assert err[0].startswith("error: option output") and f"no permission to write in {out}" in err[0]
    assert "choose another folder" in err[0] and not list(out.iterdir())


def test_a_full_disk_is_said_and_leaves_nothing_half_written(in_folder, pictures):
    contents, style, out = pictures
    code, err = in_folder("full", out, "stylize.py", contents, style, "-o", out, "--engine", "onnxruntime")
    assert code == 2 and "Traceback" not in "".join(err), err
    assert any("No space left on device; free some space" in line and str(out) in line for line in err), err
