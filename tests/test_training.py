"""Training as its user sees it: files, resuming, stopping, and what a step does to the weights."""

import dataclasses
import errno
import resource
import signal
import subprocess
import sys
import time

import mindspore as ms
import numpy as np
import pytest
from tiny_runs import RECIPE, RUNTIME, losses, use_plain_steps

from src.config import defaults
from src.errors import UserError
from src.training.build import build_objective, build_step
from src.training.files import CheckpointFolder
from src.training.first_weights import build_model
from src.training.schedule import learning_rates
from src.training.train_step import DONE
from src.training.trainer import train
from src.weights.load import load_model
from src.weights.native import read_checkpoint


@pytest.fixture
def command(loss_weights, image_folders, tmp_path, root):
    """Function of (output folder, extra arguments): the command line of a tiny run."""

    def make(output, *extra):
        arguments = {"content_path": image_folders[0], "style_path": image_folders[1], "ckpt_path": loss_weights}
        line = [sys.executable, str(root / "train.py"), "--output_dir", str(output)]
        for key, value in arguments.items():
            line += [f"--{key}", str(value)]
        for section in RECIPE.values():
            for key, value in section.items():
                text = ",".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
                line += [f"--{key}", text]
        return [*line, *map(str, extra)]

    return make


def wait_for(path, process, seconds=120):
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < until, f"{path} did not appear"
        time.sleep(0.02)


# train.py with steps that need no compilation, killed when it has written the losses of step 10: two steps after its
# checkpoint, in the middle of the next
KILLED = """
import os, runpy, signal, sys
from pathlib import Path
sys.argv = sys.argv[1:]
root = Path(sys.argv[0]).parent
sys.path[:0] = [str(root), str(root / "tests")]
import src
import pytest
from src.training.log import LossLog
from tiny_runs import use_few_statistics, use_plain_steps
use_plain_steps(pytest.MonkeyPatch())
use_few_statistics(pytest.MonkeyPatch())
write = LossLog.write
def write_and_die(self, first_step, rates, rows):
    write(self, first_step, rates, rows)
    if first_step + len(rows) > 10:
        (self.path.parent / "checkpoints" / ".tmp-0-step_00000012.ckpt").write_text("half of it")
        os.kill(os.getpid(), signal.SIGKILL)
LossLog.write = write_and_die
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_a_killed_and_resumed_run_gives_the_same_losses(command, tiny_options, tmp_path, monkeypatch, caplog):
    """The files of a run that is killed. What an optimiser keeps is resumed in test_family_training.py."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    program, *arguments = command(broken, "--steps", 16)
    killed = subprocess.run([program, "-c", KILLED, *arguments], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
    assert max(losses(broken)) == 10
    use_plain_steps(monkeypatch)
    with caplog.at_level("INFO", logger="style_transfer"):
        for folder in (whole, broken):
            assert train(tiny_options(train={"steps": 16, "output_dir": str(folder)}), RUNTIME) == 0
    assert "resuming after step 8 " in caplog.text
    assert len(losses(whole)) == 16
    assert losses(broken) == losses(whole)
    last = [read_checkpoint(folder / "checkpoints" / "step_00000016.ckpt")[0] for folder in (whole, broken)]
    assert all(np.array_equal(last[0][name], last[1][name]) for name in last[0])
    for folder in (whole, broken):
        assert {p.name for p in (folder / "checkpoints").iterdir()} == {
            f"step_000000{step}{end}" for step in (12, 16) for end in (".ckpt", ".state.ckpt")
        }


def test_ctrl_c_saves_and_exits(command, tmp_path):
    process = subprocess.Popen(
        command(tmp_path / "run", "--steps", 100000), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_for(tmp_path / "run" / "checkpoints" / "step_00000004.state.ckpt", process)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 130, output
    assert "interrupted: step" in output and "Traceback" not in output
    newest = CheckpointFolder(tmp_path / "run" / "checkpoints", 2).steps()[-1]
    assert newest == max(losses(tmp_path / "run"))


def test_losses_fall_and_the_checkpoint_carries_its_options(tiny_options, tmp_path, caplog):
    # with fixed style crops: the runs that are resumed draw new ones
    chosen = tiny_options(train={"steps": 60, "ema_decay": 0.0, "save_every": 100}, data={"style_crops": 2})
    with caplog.at_level("INFO", logger="style_transfer"):
        assert train(chosen, RUNTIME) == 0
    assert "6 style crops of 32 px" in caplog.text and "GB of memory" in caplog.text
    rows = losses(tmp_path / "run")
    for name in ("total", "style"):  # content starts low with random loss weights: the test on real images looks at it
        values = [float(rows[step][name]) for step in sorted(rows)]
        # medians: a style of little energy makes a single step's loss several times the others'
        assert np.median(values[-10:]) < 0.7 * np.median(values[:10]), name
    checkpoint = tmp_path / "run" / "checkpoints" / "step_00000060.ckpt"
    metadata = read_checkpoint(checkpoint)[1]
    assert metadata["network"]["width"] == 0.25 and metadata["options"]["train"]["steps"] == 60
    assert load_model(checkpoint).network == chosen.network


def test_nan_stops_with_step_and_files(tiny_options, tmp_path):
    with pytest.raises(UserError, match=r"step \d+: NaN or Inf in total.*content_\d\.png.*style_\d\.png"):
        train(tiny_options(train={"steps": 30, "learning_rate": 1e30, "clip_norm": 0.0}), RUNTIME)
    for step in CheckpointFolder(tmp_path / "run" / "checkpoints", 2).steps():
        arrays = read_checkpoint(tmp_path / "run" / "checkpoints" / f"step_{step:08d}.ckpt")[0]
        assert all(np.all(np.isfinite(a)) for a in arrays.values())


def test_the_last_few_checkpoints_are_kept(tmp_path):
    folder = CheckpointFolder(tmp_path, 2)
    for step in (1, 2, 10, 11):
        (tmp_path / ".tmp-0-step_00000009.ckpt").write_text("half of it")
        folder.save(step, lambda path: path.write_text("model"), {"w": np.full(3, step, np.float32)}, {"seed": 1})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"step_000000{step}{ending}.ckpt" for step in (10, 11) for ending in ("", ".state")
    ]
    assert folder.steps() == [10, 11] and read_checkpoint(folder.state_file(10))[0]["w"].tolist() == [10, 10, 10]


def test_full_disk_leaves_earlier_checkpoints_intact(tiny_options, tmp_path, monkeypatch):
    use_plain_steps(monkeypatch)
    train(tiny_options(train={"steps": 4}), RUNTIME)
    folder = tmp_path / "run" / "checkpoints"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))  # as a full disk: writing stops in the middle
    try:
        with pytest.raises(OSError) as caught:
            train(tiny_options(train={"steps": 8}), RUNTIME)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno in (errno.EFBIG, errno.ENOSPC)
    assert "step_00000008.ckpt" in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def make_step(chosen, precision="float32"):
    runtime = dataclasses.replace(RUNTIME, precision=precision)
    model = build_model(chosen.network, chosen.loss, chosen.train)
    objective, _, parameters = build_objective(chosen, model, runtime)
    return model, build_step(chosen.train, objective, parameters, runtime)


def batch(seed=0, size=32):
    rng = np.random.default_rng(seed)
    return tuple(ms.Tensor(rng.random((2, 3, size, size)), ms.float32) for _ in range(2))


def test_average_follows_the_weights(tiny_options):
    model, step = make_step(tiny_options(train={"steps": 3, "ema_decay": 0.5}))
    expected = [p.asnumpy().copy() for p in step.weights]
    for n in range(3):
        step(*batch(n))
        decay = min(0.5, (2 + n) / (11 + n))
        expected = [e * decay + p.asnumpy() * (1 - decay) for e, p in zip(expected, step.weights, strict=True)]
    for average, value, weight in zip(step.averages, expected, step.weights, strict=True):
        assert np.allclose(average.asnumpy(), value, atol=1e-6), weight.name


def test_a_float16_step_with_clipping_is_nearly_float32s(tiny_options):
    chosen = tiny_options(
        train={"steps": 2, "clip_norm": 0.01, "optimizer": "sgd", "learning_rate": 1.0, "ema_decay": 0.0}
    )
    moves = {}
    for precision in ("float32", "float16"):
        ms.set_seed(1)  # the same first weights
        model, step = make_step(chosen, precision)
        before = [p.asnumpy().copy() for p in step.weights]
        status = step(*batch())[1]
        assert status.asnumpy() == DONE
        moved = [(b - p.asnumpy()).ravel() for b, p in zip(before, step.weights, strict=True)]
        moves[precision] = np.concatenate(moved).astype(np.float64)
        assert np.linalg.norm(moves[precision]) == pytest.approx(0.01, rel=1e-3)
    apart = np.linalg.norm(moves["float16"] - moves["float32"]) / 0.01
    assert 1e-4 < apart < 0.2  # rounding shows, and nothing more


def test_a_finished_run_goes_on_when_asked_for_more_steps_and_saves_the_moving_average(
    tiny_options, tmp_path, monkeypatch
):
    drawn = use_plain_steps(monkeypatch)
    train(tiny_options(train={"steps": 4}), RUNTIME)
    train(tiny_options(train={"steps": 6}), RUNTIME)
    assert sorted(losses(tmp_path / "run")) == [1, 2, 3, 4, 5, 6]
    folder = CheckpointFolder(tmp_path / "run" / "checkpoints", 2)
    weights, state = read_checkpoint(folder.model_file(6))[0], read_checkpoint(folder.state_file(6))[0]
    for name in ("transfer.contract1.conv.weight", "predictor.dense.weight"):
        raw, average = (
            next(array for key, array in state.items() if key.startswith(part) and key.endswith(name))
            for part in ("weight.", "average.")
        )
        assert np.array_equal(weights[name], average) and not np.array_equal(raw, average), name
        assert np.array_equal(drawn[-1][name], average), name


def test_resuming_with_another_network_is_refused(tiny_options, monkeypatch):
    use_plain_steps(monkeypatch)
    train(tiny_options(train={"steps": 4}), RUNTIME)
    with pytest.raises(UserError, match="cannot resume|is none of this network's|has shape"):
        train(tiny_options(train={"steps": 8}, network={"width": 0.5}), RUNTIME)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "exponential"])
def test_learning_rate_warms_up_and_decays(schedule):
    setting = defaults(
        train={"steps": 100, "learning_rate": 0.1, "warmup_steps": 10, "lr_schedule": schedule, "lr_final": 0.001}
    )["train"]
    rates = learning_rates(setting)
    assert np.all(np.diff(rates[:11]) > 0) and rates[0] < 0.02
    assert rates[10] == pytest.approx(0.1, rel=1e-5)
    assert rates[-1] == pytest.approx(0.1 if schedule == "constant" else 0.001, rel=1e-4)
    assert np.all(np.diff(rates[10:]) <= 1e-9)
